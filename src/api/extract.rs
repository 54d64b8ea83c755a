//! Who calls, and how long they wait.
//!
//! Every call under `/v1` is authenticated before anything else of it is read; a handler names
//! the role that it needs in its signature, as `Caller<Operator>`. A precondition that a call does
//! not heed is refused here.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpMessage as _, HttpRequest, HttpResponseBuilder};

use super::edge::request_id;
use super::error::{ApiError, Code};
use super::matrix::is_call;
use crate::domain::clock::{Clock, Instant};
use crate::domain::expected::Expected;
use crate::domain::token::Role;
use crate::service::{Actor, ServiceError, Services};

/// Finds out who calls, or answers 401.
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match admitted(&request).await {
        Ok(actor) => {
            request.extensions_mut().insert(Rc::new(actor));
            next.call(request).await.map(ServiceResponse::map_into_boxed_body)
        }
        Err(error) => Ok(request.error_response(error)),
    }
}

async fn admitted(request: &ServiceRequest) -> Result<Actor, ApiError> {
    let services = request.app_data::<Data<Services>>().ok_or_else(|| ApiError::internal("no services"))?;
    let actor = match bearer(request) {
        Some(token) => services.access.authenticate(token).await?,
        None => None,
    };
    let mut actor = actor.ok_or_else(|| {
        ApiError::new(Code::Unauthorized, "Send a valid token as `Authorization: Bearer dsr_…`.")
    })?;
    actor.request_id = Some(request_id(request).into());
    refuse_what_comes_later(request).map(|()| actor)
}

/// The token of `Authorization: Bearer …`; the scheme's case does not matter (RFC 9110, 11.1).
fn bearer(request: &ServiceRequest) -> Option<&str> {
    token_of(request.headers())
}

/// The token among the headers of a request.
pub fn token_of(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The URLs whose writes all ask for [`IfMatch`].
const HEED_IF_MATCH: [&str; 5] = [
    "/v1/cases/{id}",
    "/v1/case-types/{key}",
    "/v1/cases/{id}/overrides/{path}",
    "/v1/connections/{key}",
    "/v1/workspace",
];

/// Whether this is a call whose handler does not ask for [`IfMatch`]: to ignore a precondition
/// would be to break a promise silently. A method that no URL has is refused for that.
fn ignores_if_match(method: &Method, pattern: &str) -> bool {
    match *method {
        // An override is nothing to read.
        Method::GET | Method::HEAD => pattern != HEED_IF_MATCH[2],
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE => !HEED_IF_MATCH.contains(&pattern),
        _ => false,
    }
}

/// The URLs at which a PUT with `If-None-Match: *` makes what is not there, and replaces nothing.
const MAKE_ONLY: [&str; 3] = ["/v1/case-types/{key}", "/v1/connections/{key}", "/v1/secrets/{name}"];

/// Whether this is a change whose handler does not heed its `If-None-Match`. What only reads may
/// ignore one.
fn ignores_if_none_match(method: &Method, pattern: &str, headers: &HeaderMap) -> bool {
    if ![Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method) {
        return false;
    }
    let makes = *method == Method::PUT && MAKE_ONLY.contains(&pattern);
    // Where there is no such call, that is what is told.
    let asked = headers.contains_key(header::IF_NONE_MATCH) && is_call(method.as_str(), pattern);
    asked && !(makes && is_any(headers) && !headers.contains_key(header::IF_MATCH))
}

/// Whether `If-None-Match` is `*`.
fn is_any(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::IF_NONE_MATCH);
    values.next().is_some_and(|value| value.as_bytes().trim_ascii() == b"*") && values.next().is_none()
}

fn refuse_what_comes_later(request: &ServiceRequest) -> Result<(), ApiError> {
    let pattern = request.match_pattern().unwrap_or_default();
    if ignores_if_none_match(request.method(), &pattern, request.headers()) {
        return Err(ApiError::not_supported_yet("This `If-None-Match` is for this call"));
    }
    if request.headers().contains_key(header::IF_MATCH) && ignores_if_match(request.method(), &pattern) {
        return Err(ApiError::not_supported_yet("The header `If-Match` is for this call"));
    }
    Ok(())
}

/// `If-Match`: the versions that a change is meant for. Or `If-None-Match: *`, where it was let
/// through: nothing is to be there.
pub struct IfMatch(pub Expected);

impl FromRequest for IfMatch {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        if is_any(request.headers()) {
            return ready(Ok(Self(Expected::Absent)));
        }
        // A header that is no text is a tag of somebody else.
        let headers = request.headers().get_all(header::IF_MATCH);
        ready(Ok(Self(Expected::parse(headers.map(|value| value.to_str().unwrap_or_default())))))
    }
}

/// A role that a handler asks for.
pub trait Needs {
    /// The least role that will do.
    const ROLE: Role;
}

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name;

        impl Needs for $name {
            const ROLE: Role = Role::$name;
        }
    )*};
}

roles! {
    /// Reads.
    Viewer;
    /// Works on cases.
    Operator;
    /// Also case types and secrets.
    Builder;
    /// Also tokens.
    Admin;
}

/// Who calls; has at least the role `R`.
pub struct Caller<R> {
    actor: Rc<Actor>,
    role: PhantomData<R>,
}

impl<R> Deref for Caller<R> {
    type Target = Actor;

    fn deref(&self) -> &Actor {
        &self.actor
    }
}

impl<R: Needs> FromRequest for Caller<R> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let actor = request.extensions().get::<Rc<Actor>>().cloned();
        ready(match actor {
            Some(actor) if actor.role.allows(R::ROLE) => Ok(Self { actor, role: PhantomData }),
            Some(_) => Err(ApiError::forbidden(R::ROLE)),
            None => Err(ApiError::internal("a route outside of authentication asks who calls")),
        })
    }
}

/// `Prefer: wait=N` (RFC 7240): how long the caller waits for runs to end, at most 30 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(Option<u64>);

impl Wait {
    const LONGEST_SECONDS: u64 = 30;

    /// Until when; none: answer at once.
    pub fn until(self, clock: &dyn Clock) -> Option<Instant> {
        self.0.map(|seconds| clock.now() + Duration::from_secs(seconds))
    }

    /// Whether the caller waits at all.
    pub fn is_asked(self) -> bool {
        self.0.is_some()
    }

    /// What is answered to a change that is committed: what was seen after the wait, or, when only the
    /// waiting failed, what is known of it, and then no wait was applied.
    pub fn after<T>(self, known: T, waited: Result<T, ServiceError>) -> Result<(T, Self), ServiceError> {
        match waited {
            Ok(seen) => Ok((seen, self)),
            Err(ServiceError::Store(error)) => {
                tracing::warn!(%error, "nobody could wait for the runs of a change; it is answered without");
                Ok((known, Self(None)))
            }
            Err(error) => Err(error),
        }
    }

    /// Says in the answer which wait was applied.
    pub fn apply(self, answer: &mut HttpResponseBuilder) {
        if let Some(seconds) = self.0 {
            answer.insert_header(("preference-applied", format!("wait={seconds}")));
        }
    }

    /// What the headers of a request ask for.
    pub fn of(headers: &HeaderMap) -> Self {
        Self::parse(headers.get_all("prefer").filter_map(|value| value.to_str().ok()))
    }

    /// What is no preference of ours, or nonsense, is ignored, as RFC 7240 wants it. The first wins.
    fn parse<'a>(headers: impl IntoIterator<Item = &'a str>) -> Self {
        let preferences = headers.into_iter().flat_map(|header| header.split(','));
        let waits = preferences.filter_map(|preference| {
            let (name, value) = preference.split(';').next()?.split_once('=')?;
            name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
        });
        let seconds = waits.take(1).find_map(seconds);
        Self(seconds.map(|seconds| seconds.min(Self::LONGEST_SECONDS)).filter(|seconds| *seconds > 0))
    }
}

/// A number too large to hold is still "longer than 30".
fn seconds(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

impl FromRequest for Wait {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request.headers())))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::store::StoreError;

    #[test]
    fn a_wait_is_capped_and_nonsense_is_ignored() {
        let cases: &[(&[&str], Option<u64>)] = &[
            (&[], None),
            (&["wait=5"], Some(5)),
            (&["WAIT = 5"], Some(5)),
            (&["wait=\"7\""], Some(7)),
            (&["wait=31"], Some(30)),
            (&["wait=99999999999999999999999"], Some(30)),
            (&["wait=0"], None),
            (&["wait=-1"], None),
            (&["wait=1.5"], None),
            (&["wait="], None),
            (&["wait"], None),
            (&["waiting=5"], None),
            (&["respond-async, wait=10; foo=bar"], Some(10)),
            (&["return=minimal", "wait=3"], Some(3)),
            (&["wait=3, wait=4"], Some(3)),
        ];
        for (headers, seconds) in cases {
            assert_eq!(Wait::parse(headers.iter().copied()), Wait(*seconds), "{headers:?}");
        }
    }

    #[test]
    fn a_wait_that_fails_takes_no_change_back() {
        let wait = Wait(Some(5));
        assert_eq!(wait.after(1, Ok(2)).unwrap(), (2, wait));
        let away = ServiceError::Store(StoreError::Unavailable("away".to_owned()));
        assert_eq!(wait.after(1, Err(away)).unwrap(), (1, Wait(None)));
        assert!(wait.after(1, Err(ServiceError::NotFound("case"))).is_err());
    }

    #[test]
    fn a_token_is_found_behind_its_scheme() {
        let cases = [
            ("Bearer dsr_x", Some("dsr_x")),
            ("bearer  dsr_x ", Some("dsr_x")),
            ("Basic dsr_x", None),
            ("Bearer", None),
            ("dsr_x", None),
            ("", None),
        ];
        for (header, token) in cases {
            let request = TestRequest::get().insert_header(("authorization", header)).to_srv_request();
            assert_eq!(bearer(&request), token, "{header}");
        }
    }

    #[test]
    fn a_precondition_is_heeded_or_refused() {
        let heeded = [
            (Method::PATCH, "/v1/cases/{id}"),
            (Method::DELETE, "/v1/cases/{id}"),
            (Method::PUT, "/v1/case-types/{key}"),
            (Method::DELETE, "/v1/case-types/{key}"),
            (Method::DELETE, "/v1/cases/{id}/overrides/{path}"),
            (Method::TRACE, "/v1/case-types/{key}"),
        ];
        for (method, pattern) in heeded {
            assert!(!ignores_if_match(&method, pattern), "{method} {pattern}");
        }
        let refused = [
            (Method::GET, "/v1/cases/{id}"),
            (Method::POST, "/v1/cases"),
            (Method::DELETE, "/v1/secrets/{name}"),
            (Method::POST, "/v1/cases/{id}/refresh"),
        ];
        for (method, pattern) in refused {
            assert!(ignores_if_match(&method, pattern), "{method} {pattern}");
        }
        let request = TestRequest::post().insert_header(("if-match", "*")).to_srv_request();
        let error = refuse_what_comes_later(&request).unwrap_err().to_string();
        assert!(error.starts_with("422 not_supported_yet: "), "{error}");
    }
}
