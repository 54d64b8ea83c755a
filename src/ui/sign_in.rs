//! Signing in, by password or by a link, and out.
//!
//! A link is used up by the button on its page only: programs that look at links beforehand do not
//! press it. What was typed as a password is never shown again.

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::client::{address, agent};
use super::frame::{Frame, answer, page};
use super::next::{HOME, next};
use super::posted::{Form, Posted, Sent};
use super::refusal::Refusal;
use super::session::{self, Present, found};
use crate::domain::secret::SecretText;
use crate::service::{ServiceError, Services, SignIn};
use crate::ui::words::sign_in as w;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    frame: Frame,
    email: &'a str,
    next: &'a str,
    wrong: Option<&'a str>,
    /// A form was sent by somebody who was not signed in.
    unsaved: bool,
}

#[derive(Template)]
#[template(path = "sign_in_link.html")]
struct LinkPage {
    frame: Frame,
    good: bool,
}

/// The form; who is signed in goes on.
pub async fn show(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let query = Form::parse(request.query_string().as_bytes());
    let next = next(query.get("next"));
    if found(&request).await?.is_some() {
        return Err(Refusal::elsewhere(next));
    }
    let frame = Frame::for_nobody().titled(w::TITLE);
    Ok(page(&SignInPage { frame, email: "", next, wrong: None, unsaved: query.ticked("unsaved") }))
}

/// Signs in by e-mail and password.
pub async fn sign_in(
    request: HttpRequest,
    services: Data<Services>,
    Sent(form): Sent,
) -> Result<HttpResponse, Refusal> {
    let next = next(form.get("next"));
    let email = form.get("email").unwrap_or_default().trim();
    let tried = SignIn {
        email: email.to_owned(),
        password: SecretText::from(form.get("password").unwrap_or_default().to_owned()),
        address: address(&request),
        user_agent: agent(&request).to_owned(),
    };
    let shown = |status, wrong: &str| {
        let frame = Frame::for_nobody().titled(w::TITLE);
        answer(status, &SignInPage { frame, email, next, wrong: Some(wrong), unsaved: false })
    };
    match services.sessions.sign_in(tried).await {
        Ok(Some(begun)) => session::begin(&request, &services, &begun, next).await,
        Ok(None) => Ok(shown(StatusCode::UNPROCESSABLE_ENTITY, w::WRONG)),
        Err(ServiceError::TooManyRequests { detail, retry_after }) => {
            let mut answer = shown(StatusCode::TOO_MANY_REQUESTS, &detail);
            answer.headers_mut().insert(RETRY_AFTER, retry_after.as_secs().into());
            Ok(answer)
        }
        Err(error) => Err(error.into()),
    }
}

/// The page of a link, with the button that uses it.
pub async fn show_link(services: Data<Services>, link: Path<String>) -> Result<HttpResponse, Refusal> {
    let good = services.sessions.is_link_good(&link).await?;
    Ok(link_page(good))
}

/// Signs in by a link.
pub async fn use_link(
    request: HttpRequest,
    services: Data<Services>,
    link: Path<String>,
    _: Sent,
) -> Result<HttpResponse, Refusal> {
    match services.sessions.use_link(&link, agent(&request)).await? {
        Some(begun) => session::begin(&request, &services, &begun, HOME).await,
        None => Ok(link_page(false)),
    }
}

fn link_page(good: bool) -> HttpResponse {
    let (status, title) =
        if good { (StatusCode::OK, w::LINK_TITLE) } else { (StatusCode::GONE, w::GONE_TITLE) };
    answer(status, &LinkPage { frame: Frame::for_nobody().titled(title), good })
}

/// Signs out.
pub async fn sign_out(
    request: HttpRequest,
    services: Data<Services>,
    Present(who): Present,
    _: Posted,
) -> Result<HttpResponse, Refusal> {
    services.sessions.sign_out(&who).await?;
    Ok(session::end(&request))
}
