//! One person, for admins: role, whether they may sign in, a link that lets them in, and the end.

use actix_web::http::StatusCode;
use actix_web::http::header::HOST;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::client::is_https;
use super::frame::{Frame, Place, answer};
use super::people::role;
use super::posted::{Form, Posted};
use super::refusal::Refusal;
use super::visitor::Visitor;
use super::wrong::Wrong;
use crate::domain::ids::PersonId;
use crate::domain::token::Role;
use crate::service::{PersonPatch, Services};
use crate::store::PersonRow;
use crate::ui::words::people as w;

#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage<'a> {
    frame: Frame,
    person: PersonRow,
    /// A link that was just made.
    link: Option<String>,
    wrong: &'a Wrong,
}

/// The page.
pub async fn show(
    request: HttpRequest,
    services: Data<Services>,
    visitor: Visitor,
    id: Path<PersonId>,
) -> Result<HttpResponse, Refusal> {
    let query = Form::parse(request.query_string().as_bytes());
    let done = match query.get("done") {
        Some("added") => Some(w::PERSON_ADDED),
        Some("saved") => Some(w::PERSON_SAVED),
        Some("ended") => Some(w::SESSIONS_ENDED),
        _ => None,
    };
    let person = services.people.get(&visitor.actor, *id).await?;
    Ok(shown(&visitor, person, done, None, &Wrong::default()))
}

/// Changes a person.
pub async fn change(
    services: Data<Services>,
    posted: Posted,
    id: Path<PersonId>,
) -> Result<HttpResponse, Refusal> {
    let Posted { visitor, form } = posted;
    visitor.require(Role::Admin)?;
    let patch = PersonPatch {
        name: form.get("name").map(|name| name.trim().to_owned()),
        // Left empty, an e-mail stays what it was: nothing.
        email: form.text("email").map(str::to_owned),
        role: Some(role(&form)?),
        active: Some(form.ticked("active")),
        password: None,
    };
    match services.people.patch(&visitor.actor, *id, patch.clone()).await {
        Ok(_) => Err(Refusal::elsewhere(format!("/people/{id}?done=saved"))),
        Err(error) => {
            let wrong = Wrong::of(error)?;
            let person = services.people.get(&visitor.actor, *id).await?;
            Ok(shown(&visitor, typed(person, patch), None, None, &wrong))
        }
    }
}

/// Shows a person as the form was filled in.
fn typed(person: PersonRow, patch: PersonPatch) -> PersonRow {
    PersonRow {
        name: patch.name.unwrap_or(person.name),
        email: patch.email.or(person.email),
        role: patch.role.unwrap_or(person.role),
        active: patch.active.unwrap_or(person.active),
        ..person
    }
}

/// Makes a sign-in link and shows it, this once.
pub async fn make_link(
    request: HttpRequest,
    services: Data<Services>,
    posted: Posted,
    id: Path<PersonId>,
) -> Result<HttpResponse, Refusal> {
    let visitor = posted.visitor;
    let person = services.people.get(&visitor.actor, *id).await?;
    match services.people.link(&visitor.actor, *id).await {
        Ok(token) => {
            let scheme = if is_https(&request) { "https" } else { "http" };
            let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
            let link = format!("{scheme}://{host}/sign-in/{}", token.expose());
            Ok(shown(&visitor, person, None, Some(link), &Wrong::default()))
        }
        Err(error) => Ok(shown(&visitor, person, None, None, &Wrong::of(error)?)),
    }
}

/// Ends all sessions of a person.
pub async fn end_sessions(
    services: Data<Services>,
    posted: Posted,
    id: Path<PersonId>,
) -> Result<HttpResponse, Refusal> {
    services.people.end_sessions(&posted.visitor.actor, *id).await?;
    Err(Refusal::elsewhere(format!("/people/{id}?done=ended")))
}

/// Removes a person.
pub async fn remove(
    services: Data<Services>,
    posted: Posted,
    id: Path<PersonId>,
) -> Result<HttpResponse, Refusal> {
    let visitor = posted.visitor;
    match services.people.delete(&visitor.actor, *id).await {
        Ok(()) => Err(Refusal::elsewhere("/people?done=removed")),
        Err(error) => {
            let wrong = Wrong::of(error)?;
            let person = services.people.get(&visitor.actor, *id).await?;
            Ok(shown(&visitor, person, None, None, &wrong))
        }
    }
}

fn shown(
    visitor: &Visitor,
    person: PersonRow,
    done: Option<&'static str>,
    link: Option<String>,
    wrong: &Wrong,
) -> HttpResponse {
    let frame = visitor.frame(Place::People, person.name.clone()).saying(done);
    let status = if wrong.is_any() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    answer(status, &PersonPage { frame, person, link, wrong })
}
