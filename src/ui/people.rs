//! People who may sign in, for admins: who they are, and a form to add one.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::frame::{Frame, Place, answer};
use super::moment::Moment;
use super::posted::{Form, Posted};
use super::refusal::Refusal;
use super::visitor::Visitor;
use super::wrong::Wrong;
use crate::domain::token::Role;
use crate::service::{NewPersonRequest, PageRequest, Services};
use crate::store::PersonRow;
use crate::ui::words::people as w;

/// People on one page.
const LIMIT: u64 = 100;

struct Line {
    person: PersonRow,
    added: Moment,
    you: bool,
}

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage<'a> {
    frame: Frame,
    lines: Vec<Line>,
    next: Option<String>,
    /// Whether an earlier page was left.
    later: bool,
    /// What was typed into the form.
    typed: &'a Form,
    wrong: &'a Wrong,
}

/// The page.
pub async fn show(
    request: HttpRequest,
    services: Data<Services>,
    visitor: Visitor,
) -> Result<HttpResponse, Refusal> {
    let query = Form::parse(request.query_string().as_bytes());
    shown(&services, &visitor, &query, &Form::default(), &Wrong::default()).await
}

/// Adds a person, and goes on to their page.
pub async fn add(services: Data<Services>, posted: Posted) -> Result<HttpResponse, Refusal> {
    let Posted { visitor, form } = posted;
    visitor.require(Role::Admin)?;
    let typed = |name: &str| form.get(name).unwrap_or_default().trim().to_owned();
    let request = NewPersonRequest {
        name: typed("name"),
        email: typed("email"),
        role: role(&form)?,
        active: true,
        password: None,
    };
    match services.people.create(&visitor.actor, request, None).await {
        Ok(row) => Err(Refusal::elsewhere(format!("/people/{}?done=added", row.id))),
        Err(error) => shown(&services, &visitor, &Form::default(), &form, &Wrong::of(error)?).await,
    }
}

/// The role that was chosen.
pub fn role(form: &Form) -> Result<Role, Refusal> {
    let role = form.get("role").and_then(Role::parse);
    role.ok_or_else(|| Refusal::wrong(crate::ui::words::refusals::UNREADABLE))
}

async fn shown(
    services: &Services,
    visitor: &Visitor,
    query: &Form,
    typed: &Form,
    wrong: &Wrong,
) -> Result<HttpResponse, Refusal> {
    let cursor = query.text("cursor").map(str::to_owned);
    let later = cursor.is_some();
    let request = PageRequest { limit: LIMIT, cursor, count: false };
    let people = services.people.list(&visitor.actor, request).await?;
    let now = services.clock.now();
    let line = |person: PersonRow| Line {
        added: Moment::age(person.created_at, now),
        you: visitor.actor.person() == Some(person.id),
        person,
    };
    let done = (query.get("done") == Some("removed")).then_some(w::PERSON_REMOVED);
    let page = PeoplePage {
        frame: visitor.frame(Place::People, w::TITLE).saying(done),
        lines: people.items.into_iter().map(line).collect(),
        next: people.next,
        later,
        typed,
        wrong,
    };
    let status = if wrong.is_any() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(answer(status, &page))
}
