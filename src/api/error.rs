//! Everything that the API refuses; its codes and statuses stand in `code.rs`.
//!
//! Answers are RFC 9457 problems. A handler's error becomes one here; the request's id is added
//! at the edge (`edge.rs`), which is also where trouble of ours is logged: what a client reads
//! of it names no cause. Sentences say what happened and what to do.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use super::code::code_of;
pub use super::code::{AWAY, Code, IN_DOUBT, NO_SPACE, OUR_TROUBLE, UNREAD};
use crate::domain::once::Kept;
use crate::domain::problem::{Problem, code};
use crate::domain::token::Role;
use crate::service::ServiceError;
use crate::store::StoreError;

/// Media type of every refusal.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The header that names a request.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header that says that an answer repeats an earlier one.
pub const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// When somebody who was sent away may ask again.
const RETRY_AFTER_SECONDS: u16 = 2;

/// What some refusals say beside their sentence.
#[derive(Debug, Clone)]
enum More {
    Nothing,
    /// Who uses it.
    Users(Vec<String>),
    /// What has changed since.
    Changed(Vec<String>),
    /// In how many seconds to come back.
    RetryAfter(u64),
    /// The methods that the URL takes.
    Allow(Box<str>),
    /// That an earlier request was refused like this.
    Replayed,
    /// What an earlier request came to: this is no refusal, but a replay.
    Repeated(Box<Kept>),
}

/// A refusal, on its way to the client.
#[derive(Debug, Clone)]
pub struct ApiError {
    code: Code,
    detail: Box<str>,
    errors: Vec<Problem>,
    more: More,
    request_id: Option<Box<str>>,
    cause: Option<Box<str>>,
}

impl ApiError {
    /// A refusal with a sentence for whoever wrote the client.
    pub fn new(code: Code, detail: impl Into<Box<str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            more: More::Nothing,
            request_id: None,
            cause: None,
        }
    }

    /// What is wrong with a body, or not supported yet: 422.
    pub fn invalid(errors: Vec<Problem>) -> Self {
        ServiceError::Invalid(errors).into()
    }

    /// Something of the contract that a later version does; `what` as in "`q` is".
    pub fn not_supported_yet(what: &str) -> Self {
        let message = format!("{what} not supported yet; leave it out.");
        Self::invalid(vec![Problem::new("", code::NOT_SUPPORTED_YET, message)])
    }

    /// Our own trouble: the client reads no cause, the log does.
    pub fn internal(cause: impl Into<Box<str>>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(Code::Internal, OUR_TROUBLE) }
    }

    /// The database cannot serve now.
    pub fn unavailable(cause: impl Into<Box<str>>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(Code::Unavailable, AWAY) }
    }

    /// A role that the caller lacks.
    pub fn forbidden(needed: Role) -> Self {
        let detail = format!(
            "This needs the role `{}`, which your token does not have; use a token with that role.",
            needed.as_str()
        );
        Self::new(Code::Forbidden, detail)
    }

    /// What a foreign error, one of actix's own, means to a client.
    pub fn of(error: &actix_web::Error) -> Self {
        if let Some(ours) = error.as_error::<Self>() {
            return ours.clone();
        }
        let status = error.as_response_error().status_code();
        match status.as_u16() {
            404 => Self::new(Code::NotFound, "There is nothing here."),
            413 => Self::new(Code::TooLarge, "The request is too large."),
            400..=499 => Self::new(Code::MalformedRequest, format!("The request cannot be read: {error}.")),
            _ => Self::internal(error.to_string()),
        }
    }

    /// A method that the URL does not take, and those that it does: `GET, HEAD`.
    pub fn wrong_method(allowed: &str) -> Self {
        let detail = format!("This URL does not take that method; it takes {allowed}.");
        Self { more: More::Allow(allowed.into()), ..Self::new(Code::MethodNotAllowed, detail) }
    }

    /// Names the request that is refused.
    #[must_use]
    pub fn of_request(self, id: &str) -> Self {
        Self { request_id: Some(id.into()), ..self }
    }

    /// Says that an earlier request with the same key was answered like this.
    #[must_use]
    pub fn replayed(self) -> Self {
        Self { more: More::Replayed, ..self }
    }

    /// What an earlier request with the same key came to, to be answered in place of this.
    pub fn repeated(&self) -> Option<&Kept> {
        if let More::Repeated(kept) = &self.more { Some(kept) } else { None }
    }

    /// Its stable name.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Why it is our trouble, for the log.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        let code = code_of(&error);
        match error {
            ServiceError::NotFound(what) => {
                Self::new(code, format!("There is no such {what} in this workspace."))
            }
            ServiceError::Invalid(errors) => {
                let detail = ServiceError::Invalid(errors.clone()).to_string();
                Self { errors, ..Self::new(code, detail) }
            }
            ServiceError::InUse { detail, users } => {
                Self { more: More::Users(users), ..Self::new(code, detail) }
            }
            ServiceError::VersionMismatch { detail, changed } => {
                Self { more: More::Changed(changed), ..Self::new(code, detail) }
            }
            ServiceError::Repeated(kept) => {
                let detail = "A request with this key has done it before.";
                Self { more: More::Repeated(kept), ..Self::new(code, detail) }
            }
            ServiceError::KeyReused => Self::new(
                code,
                "This `Idempotency-Key` was used before, with another body; send another request under a new key.",
            ),
            ServiceError::AlreadyExists(detail)
            | ServiceError::FieldDisabled(detail)
            | ServiceError::InProgress(detail)
            | ServiceError::RunEnded(detail)
            | ServiceError::TooLarge(detail)
            | ServiceError::FilterTooWide(detail)
            | ServiceError::BadQuery(detail) => Self::new(code, detail),
            ServiceError::Forbidden { needed } => Self::forbidden(needed),
            ServiceError::BadCursor => Self::new(
                code,
                "`cursor` is none that this list gave out; pass `next_cursor` of the page before, unchanged, with \
                 the same filters and sort.",
            ),
            ServiceError::Store(StoreError::Duplicate(_)) => {
                Self::new(code, "Something with this name exists already; choose another one.")
            }
            ServiceError::Store(StoreError::Full(cause)) => {
                Self { detail: NO_SPACE.into(), ..Self::unavailable(cause) }
            }
            ServiceError::Store(StoreError::Doubtful(cause)) => {
                Self { detail: IN_DOUBT.into(), ..Self::unavailable(cause) }
            }
            ServiceError::Store(StoreError::Unread(cause)) => {
                Self { detail: UNREAD.into(), ..Self::unavailable(cause) }
            }
            ServiceError::Store(error) if code == Code::Unavailable => Self::unavailable(error.to_string()),
            ServiceError::TooManyRequests { detail, retry_after } => {
                Self { more: More::RetryAfter(retry_after.as_secs().max(1)), ..Self::new(code, detail) }
            }
            ServiceError::Store(_) | ServiceError::Sealing(_) | ServiceError::Password(_) => {
                Self::internal(error.to_string())
            }
        }
    }
}

/// A problem as it is sent (RFC 9457).
#[derive(Serialize)]
struct View<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Problem],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    users: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<&'a [String]>,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code.status(), self.code.as_str(), self.detail)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut answer = HttpResponse::build(status);
        match &self.more {
            More::Allow(methods) => {
                answer.insert_header((header::ALLOW, &**methods));
            }
            More::Replayed => {
                answer.insert_header((IDEMPOTENT_REPLAYED, "true"));
            }
            _ => {}
        }
        if let Some(id) = &self.request_id {
            answer.insert_header((X_REQUEST_ID, &**id));
        }
        match self.code {
            Code::Unauthorized => {
                answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            Code::TooManyRequests | Code::Unavailable => {
                let usual = u64::from(RETRY_AFTER_SECONDS);
                let seconds = if let More::RetryAfter(seconds) = self.more { seconds } else { usual };
                answer.insert_header((header::RETRY_AFTER, HeaderValue::from(seconds)));
            }
            _ => {}
        }
        answer.content_type(PROBLEM_JSON).body(self.body(status))
    }
}

impl ApiError {
    fn body(&self, status: StatusCode) -> String {
        let view = View {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: &self.detail,
            code: self.code.as_str(),
            request_id: self.request_id.as_deref(),
            errors: &self.errors,
            users: if let More::Users(users) = &self.more { users } else { &[] },
            changed: if let More::Changed(paths) = &self.more { Some(paths) } else { None },
        };
        serde_json::to_string(&view).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_web::body::MessageBody as _;
    use serde_json::{Value, json};

    use super::*;

    fn problem(error: ServiceError) -> (u16, Value) {
        let answer = ApiError::from(error).of_request("r1").error_response();
        assert_eq!(answer.headers().get(header::CONTENT_TYPE).unwrap(), PROBLEM_JSON);
        let status = answer.status().as_u16();
        let body = answer.into_body().try_into_bytes().unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn every_refusal_of_a_service_has_a_status_and_a_code() {
        let later = || Problem::new("/a", code::NOT_SUPPORTED_YET, "Later.");
        let wrong = || Problem::new("/b", code::REQUIRED, "Say it.");
        let store = |error| ServiceError::Store(error);
        let cases = [
            (ServiceError::NotFound("case"), 404, "not_found"),
            (ServiceError::Invalid(vec![wrong()]), 422, "invalid"),
            (ServiceError::Invalid(vec![wrong(), later()]), 422, "invalid"),
            (ServiceError::Invalid(vec![later(), later()]), 422, "not_supported_yet"),
            (ServiceError::Invalid(Vec::new()), 422, "invalid"),
            (ServiceError::AlreadyExists("x".into()), 409, "already_exists"),
            (ServiceError::FieldDisabled("x".into()), 409, "field_disabled"),
            (ServiceError::InProgress("x".into()), 409, "in_progress"),
            (ServiceError::TooLarge("x".into()), 413, "too_large"),
            (ServiceError::KeyReused, 422, "idempotency_mismatch"),
            (ServiceError::Repeated(Box::new(Kept::created("/x".into()))), 409, "already_exists"),
            (ServiceError::Forbidden { needed: Role::Builder }, 403, "forbidden"),
            (
                ServiceError::TooManyRequests { detail: "x".into(), retry_after: Duration::from_secs(9) },
                429,
                "too_many_requests",
            ),
            (ServiceError::BadCursor, 400, "malformed_request"),
            (ServiceError::BadQuery("x".into()), 400, "malformed_request"),
            (ServiceError::FilterTooWide("x".into()), 422, "filter_too_wide"),
            (store(StoreError::Stopped), 503, "unavailable"),
            (store(StoreError::Unavailable("busy".into())), 503, "unavailable"),
            (store(StoreError::Full("no room".into())), 503, "unavailable"),
            (store(StoreError::Refused("no table".into())), 500, "internal"),
            (store(StoreError::Duplicate("key".into())), 409, "already_exists"),
            (ServiceError::Sealing("key".into()), 500, "internal"),
        ];
        for (error, status, code) in cases {
            let name = error.to_string();
            let (found, body) = problem(error);
            assert_eq!((found, body["code"].as_str()), (status, Some(code)), "{name}");
            assert_eq!(body["status"], status, "{name}");
            assert!(!body["detail"].as_str().unwrap().contains("no table"), "{name}");
        }
    }

    #[test]
    fn only_what_is_certain_is_said_of_a_change() {
        let cause = || "cut".to_owned();
        for (error, says) in [
            (StoreError::Unavailable(cause()), "Nothing was changed"),
            (StoreError::Full(cause()), "Nothing was changed"),
            (StoreError::Doubtful(cause()), "not known whether it was made"),
            (StoreError::Unread(cause()), "The change was made"),
        ] {
            let (status, body) = problem(ServiceError::Store(error));
            let detail = body["detail"].as_str().unwrap();
            assert_eq!((status, &body["code"]), (503, &json!("unavailable")));
            assert!(detail.contains(says), "{detail}");
            assert_eq!(detail.contains("Nothing was changed"), says == "Nothing was changed", "{detail}");
        }
    }

    #[test]
    fn a_problem_has_the_members_of_the_contract() {
        let (_, body) = problem(ServiceError::Invalid(vec![Problem::new("/b", code::REQUIRED, "Say it.")]));
        let expected = json!({
            "type": "about:blank",
            "title": "Unprocessable Entity",
            "status": 422,
            "detail": "/b: Say it.",
            "code": "invalid",
            "request_id": "r1",
            "errors": [{"pointer": "/b", "code": "required", "message": "Say it."}],
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn who_is_sent_away_is_told_when_to_come_back() {
        let answer = ApiError::unavailable("x").error_response();
        assert_eq!(answer.headers().get(header::RETRY_AFTER).unwrap(), "2");
        let often =
            ServiceError::TooManyRequests { detail: "x".into(), retry_after: Duration::from_secs(90) };
        let answer = ApiError::from(often).error_response();
        assert_eq!(answer.headers().get(header::RETRY_AFTER).unwrap(), "90");
        let answer = ApiError::new(Code::Unauthorized, "x").error_response();
        assert_eq!(answer.headers().get(header::WWW_AUTHENTICATE).unwrap(), "Bearer");
    }

    #[test]
    fn the_users_of_a_thing_are_named() {
        let in_use = ServiceError::InUse { detail: "Two fields use it.".into(), users: vec!["a.b".into()] };
        let (status, body) = problem(in_use);
        assert_eq!((status, &body["users"]), (409, &json!(["a.b"])));
    }

    #[test]
    fn who_comes_too_late_is_told_what_has_changed() {
        for changed in [vec![], vec!["title".to_owned()]] {
            let late = ServiceError::VersionMismatch { detail: "Late.".into(), changed: changed.clone() };
            let (status, body) = problem(late);
            assert_eq!(
                (status, &body["code"], &body["changed"]),
                (412, &json!("version_mismatch"), &json!(changed))
            );
        }
    }

    #[test]
    fn what_may_pass_by_itself_is_not_refused_for_good() {
        let stays: Vec<_> = Code::ALL.iter().filter(|code| code.stays()).map(|code| code.as_str()).collect();
        for passing in
            ["unauthorized", "forbidden", "in_progress", "idempotency_mismatch", "too_many_requests"]
        {
            assert!(!stays.contains(&passing), "{passing}");
        }
        assert!(!stays.contains(&"internal") && !stays.contains(&"unavailable"));
        assert!(
            stays.contains(&"invalid") && stays.contains(&"already_exists") && stays.contains(&"not_found")
        );
    }

    #[test]
    fn the_codes_are_those_of_the_contract() {
        let all: Vec<String> =
            Code::ALL.iter().map(|code| format!("{} {}", code.status(), code.as_str())).collect();
        insta::assert_snapshot!(all.join("\n"), @r"
        400 malformed_json
        400 malformed_request
        401 unauthorized
        403 forbidden
        404 not_found
        405 method_not_allowed
        409 already_exists
        409 in_use
        409 in_progress
        409 field_disabled
        409 run_ended
        412 version_mismatch
        413 too_large
        415 unsupported_media_type
        422 invalid
        422 not_supported_yet
        422 idempotency_mismatch
        422 filter_too_wide
        429 too_many_requests
        500 internal
        503 unavailable
        ");
    }
}
