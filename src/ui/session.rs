//! Finds out who is signed in: the cookie names a session, the session a person.
//!
//! The cookie is out of reach of script and of other sites' forms. Where nobody is signed in, a
//! page that was asked for by GET comes after the sign-in.

use std::rc::Rc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpRequest};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::service::{Services, SignedIn};

/// The cookie over http, as on the machine itself.
pub const COOKIE: &str = "dossier_session";

/// The cookie over https: browsers take it from this very host only.
pub const SECURE_COOKIE: &str = "__Host-dossier_session";

/// The middleware: lets only those in who are signed in.
pub async fn signed_in(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match found(request.request()).await {
        Ok(Some(who)) => {
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
    for name in [SECURE_COOKIE, COOKIE] {
        if let Some(cookie) = request.cookie(name) {
            if let Some(who) = services.sessions.resume(cookie.value()).await? {
                return Ok(Some(who));
            }
        }
    }
    Ok(None)
}

fn to_sign_in(request: &HttpRequest) -> Refusal {
    let asked = request.uri().path_and_query().map_or("/", |asked| asked.as_str());
    let next = if request.method() == Method::GET { asked } else { "/" };
    Refusal::elsewhere(format!("/sign-in?next={}", utf8_percent_encode(next, NON_ALPHANUMERIC)))
}
