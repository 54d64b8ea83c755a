//! One's own account: name, password, and where one is signed in.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::browser::browser;
use super::frame::{Frame, answer};
use super::moment::Moment;
use super::posted::{Form, Posted};
use super::refusal::Refusal;
use super::session::Present;
use super::visitor::Visitor;
use super::wrong::Wrong;
use crate::domain::ids::SessionId;
use crate::domain::secret::SecretText;
use crate::service::{Services, SignedIn};
use crate::store::PersonRow;
use crate::ui::words::account as w;

/// What may have been done, as the address says it.
const DONE: [(&str, &str); 4] = [
    ("name", w::NAME_SAVED),
    ("password", w::PASSWORD_SAVED),
    ("session", w::SESSION_ENDED),
    ("others", w::OTHERS_ENDED),
];

struct SessionLine {
    id: SessionId,
    browser: String,
    /// All that it says of itself.
    agent: String,
    since: Moment,
    seen: Moment,
    this: bool,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    frame: Frame,
    person: &'a PersonRow,
    name: &'a str,
    /// Whether the present password has to be told.
    asks_present: bool,
    sessions: Vec<SessionLine>,
    wrong: &'a Wrong,
}

/// The page.
pub async fn show(
    request: HttpRequest,
    services: Data<Services>,
    Present(who): Present,
) -> Result<HttpResponse, Refusal> {
    let query = Form::parse(request.query_string().as_bytes());
    let said = query.get("done");
    let done = DONE.iter().find(|(name, _)| Some(*name) == said).map(|(_, sentence)| *sentence);
    shown(&services, &who, done, None, &Wrong::default()).await
}

/// Another name.
pub async fn rename(
    services: Data<Services>,
    Present(who): Present,
    Posted { form, .. }: Posted,
) -> Result<HttpResponse, Refusal> {
    let name = form.get("name").unwrap_or_default().trim();
    match services.people.rename(&who, name.to_owned()).await {
        Ok(_) => Err(Refusal::elsewhere("/account?done=name")),
        Err(error) => shown(&services, &who, None, Some(name), &Wrong::of(error)?).await,
    }
}

/// Another password.
pub async fn change_password(
    services: Data<Services>,
    Present(who): Present,
    Posted { form, .. }: Posted,
) -> Result<HttpResponse, Refusal> {
    let typed = |name: &str| form.get(name).map(|text| SecretText::from(text.to_owned()));
    let new = typed("password").unwrap_or_else(|| SecretText::from(String::new()));
    match services.people.change_password(&who, typed("present"), new).await {
        Ok(_) => Err(Refusal::elsewhere("/account?done=password")),
        Err(error) => shown(&services, &who, None, None, &Wrong::of(error)?).await,
    }
}

/// Ends one session; this one, too.
pub async fn end_session(
    services: Data<Services>,
    Present(who): Present,
    id: Path<SessionId>,
    _: Posted,
) -> Result<HttpResponse, Refusal> {
    // Ended meanwhile is what was wanted.
    match services.sessions.end(&who, *id).await {
        Ok(()) | Err(crate::service::ServiceError::NotFound(_)) => {
            Err(Refusal::elsewhere("/account?done=session"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Ends all sessions but this one.
pub async fn end_others(
    services: Data<Services>,
    Present(who): Present,
    _: Posted,
) -> Result<HttpResponse, Refusal> {
    services.sessions.end_others(&who).await?;
    Err(Refusal::elsewhere("/account?done=others"))
}

async fn shown(
    services: &Services,
    who: &SignedIn,
    done: Option<&'static str>,
    name: Option<&str>,
    wrong: &Wrong,
) -> Result<HttpResponse, Refusal> {
    let now = services.clock.now();
    let sessions = services.sessions.list(who).await?.into_iter().map(|row| SessionLine {
        id: row.id,
        since: Moment::age(row.created_at, now),
        seen: Moment::age(row.last_seen_at, now),
        this: row.id == who.session.id,
        browser: browser(&row.user_agent),
        agent: row.user_agent,
    });
    let guest = Visitor::from(who).guest();
    let frame = Frame { guest: Some(guest), ..Frame::for_nobody() }.titled(w::TITLE).saying(done);
    let page = AccountPage {
        frame,
        person: &who.person,
        name: name.unwrap_or(&who.person.name),
        asks_present: who.person.has_password && !who.session.by_link,
        sessions: sessions.collect(),
        wrong,
    };
    let status = if wrong.is_any() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(answer(status, &page))
}
