//! Finds out who is signed in: the cookie names a session, the session a person.
//!
//! The cookie is out of reach of script and of other sites' forms. Where nobody is signed in, the
//! page that was asked for comes after the sign-in, or the page that a form was sent from; nobody
//! who has typed something is sent away from it.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{ACCEPT, LOCATION, REFERER};
use actix_web::http::uri::PathAndQuery;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpMessage as _, HttpRequest, HttpResponse};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tracing_actix_web::RequestId;
use url::{Position, Url};

use super::client::is_https;
use super::next::{HOME, next, ours};
use super::posted::is_ours;
use super::refusal::Refusal;
use super::typed::{page_of, typed_in};
use super::visitor::Visitor;
use crate::domain::session::LONGEST;
use crate::service::{Begun, Services, SignedIn};

/// The cookie over http, as on the machine itself.
pub const COOKIE: &str = "dossier_session";

/// What `live.js` sends with what it asks for by itself.
const LIVE: &str = "x-live";

/// The cookie over https: browsers take it from this very host only.
pub const SECURE_COOKIE: &str = "__Host-dossier_session";

/// The middleware: lets only those in who are signed in.
pub async fn signed_in(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match found(request.request()).await {
        Ok(Some(mut who)) => {
            let id = request.extensions().get::<RequestId>().map(ToString::to_string);
            who.actor.request_id = id.map(Into::into);
            request.extensions_mut().insert(Rc::new(Visitor::from(&who)));
            request.extensions_mut().insert(Rc::new(who));
            next.call(request).await.map(ServiceResponse::map_into_boxed_body)
        }
        Ok(None) => Err(to_sign_in(request.request()).into()),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Who is signed in, if anybody.
pub async fn found(request: &HttpRequest) -> Result<Option<SignedIn>, Refusal> {
    let services =
        request.app_data::<Data<Services>>().ok_or_else(|| Refusal::trouble("there are no services"))?;
    // Over https only the cookie counts that nobody can plant who listens to http.
    match request.cookie(name(request)) {
        Some(cookie) if by_itself(request) => Ok(services.sessions.peek(cookie.value()).await?),
        Some(cookie) => Ok(services.sessions.resume(cookie.value()).await?),
        None => Ok(None),
    }
}

/// Whether a page that lies open asks, to show what has changed: nobody needs to be there for that,
/// and a session that nobody uses ends.
pub fn by_itself(request: &HttpRequest) -> bool {
    let accepts = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    request.headers().contains_key(LIVE) || accepts.is_some_and(|accept| accept == "text/event-stream")
}

/// The session in which a page is asked for.
pub struct Present(pub Rc<SignedIn>);

impl FromRequest for Present {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = request.extensions().get::<Rc<SignedIn>>().cloned().map(Self);
        ready(found.ok_or_else(|| Refusal::trouble("a page of visitors has no session around it")))
    }
}

/// Goes on to a page, signed in: the session before, if any, ends, and the browser keeps the new one.
pub async fn begin(
    request: &HttpRequest,
    services: &Services,
    begun: &Begun,
    next: &str,
) -> Result<HttpResponse, Refusal> {
    if let Some(before) = found(request).await? {
        services.sessions.sign_out(&before).await?;
    }
    let lasts = Duration::try_from(LONGEST).unwrap_or(Duration::DAY);
    Ok(HttpResponse::SeeOther()
        .cookie(cookie(name(request), begun.token.expose().to_owned(), lasts))
        .insert_header((LOCATION, next))
        .finish())
}

/// Goes to the sign-in; the browser forgets the session.
pub fn end(request: &HttpRequest) -> HttpResponse {
    HttpResponse::SeeOther()
        .cookie(cookie(name(request), String::new(), Duration::ZERO))
        .insert_header((LOCATION, "/sign-in"))
        .finish()
}

fn name(request: &HttpRequest) -> &'static str {
    if is_https(request) { SECURE_COOKIE } else { COOKIE }
}

fn cookie(name: &'static str, value: String, lasts: Duration) -> Cookie<'static> {
    Cookie::build(name, value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(name == SECURE_COOKIE)
        .max_age(lasts)
        .finish()
}

fn to_sign_in(request: &HttpRequest) -> Refusal {
    let sign_in = |next: &str| format!("/sign-in?next={}", utf8_percent_encode(next, NON_ALPHANUMERIC));
    if request.method() == Method::GET {
        return Refusal::elsewhere(sign_in(next(request.uri().path_and_query().map(PathAndQuery::as_str))));
    }
    let page = came_from(request).or_else(|| page_of(request.path())).unwrap_or_else(|| HOME.to_owned());
    if typed_in(request).is_some_and(|typed| typed.is_any()) {
        return Refusal::signed_out(sign_in(&page));
    }
    Refusal::elsewhere(sign_in(&page) + "&unsaved=1")
}

/// The page of ours that a form was sent from, where the browser says so.
fn came_from(request: &HttpRequest) -> Option<String> {
    let url = Url::parse(request.headers().get(REFERER)?.to_str().ok()?).ok()?;
    let page = &url[Position::BeforePath..Position::AfterQuery];
    ours(Some(page)).filter(|_| is_ours(&url, request.headers())).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_form_leads_back_to_the_page_it_was_sent_from() {
        for (referer, expected) in [
            ("http://dossier.test:8080/runs?status=failed", Some("/runs?status=failed")),
            ("https://dossier.test:8080/runs#x", Some("/runs")),
            ("http://evil.test/runs", None),
            ("http://dossier.test:8080//evil.test", None),
            ("nonsense", None),
        ] {
            let request = TestRequest::post().insert_header(("host", "dossier.test:8080"));
            let request = request.insert_header((REFERER, referer)).to_http_request();
            assert_eq!(came_from(&request).as_deref(), expected, "{referer}");
        }
    }
}
