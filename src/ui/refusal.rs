//! Refusals, as pages: what happened, in words, and the way back. Never a cause of ours, which
//! stands in the log under the number that the page shows.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LOCATION, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use askama::Template;

use super::frame::{self, Frame};
use super::words::refusals as w;
use crate::domain::problem::Problem;
use crate::domain::token::Role;
use crate::service::ServiceError;
use crate::store::StoreError;

/// When somebody who was sent away may ask again.
const RETRY_AFTER_SECONDS: u16 = 2;

/// Why a page is not shown, or a form not done.
#[derive(Debug, Clone)]
pub struct Refusal {
    status: StatusCode,
    title: &'static str,
    sentence: String,
    /// What is wrong, one by one.
    problems: Vec<Problem>,
    /// Whether the log tells more.
    numbered: bool,
    /// The visitor is to go there first: to the sign-in, most of all.
    elsewhere: Option<String>,
    /// Seconds until it is worth trying again.
    retry_after: Option<u16>,
}

impl Refusal {
    /// A page with a title and a sentence.
    pub fn new(status: StatusCode, title: &'static str, sentence: impl Into<String>) -> Self {
        Self {
            status,
            title,
            sentence: sentence.into(),
            problems: Vec::new(),
            numbered: false,
            elsewhere: None,
            retry_after: None,
        }
    }

    /// Nothing has this address.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, w::NOT_FOUND_TITLE, w::NOT_FOUND)
    }

    /// A form that did not come from a page of ours.
    pub fn foreign() -> Self {
        Self::new(StatusCode::FORBIDDEN, w::FOREIGN_TITLE, w::FOREIGN)
    }

    /// A form or an address that cannot be read.
    pub fn wrong(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, w::WRONG_TITLE, sentence)
    }

    /// More than can be taken, or shown again.
    pub fn too_large(sentence: impl Into<String>, problems: Vec<Problem>) -> Self {
        Self { problems, ..Self::new(StatusCode::PAYLOAD_TOO_LARGE, w::TOO_LARGE_TITLE, sentence) }
    }

    /// A role that the visitor lacks.
    pub fn forbidden(needed: Role) -> Self {
        Self::new(StatusCode::FORBIDDEN, w::FORBIDDEN_TITLE, w::needs_role(needed.as_str()))
    }

    /// Another page first.
    pub fn elsewhere(place: impl Into<String>) -> Self {
        Self { elsewhere: Some(place.into()), ..Self::new(StatusCode::SEE_OTHER, "", "") }
    }

    fn away(error: &ServiceError, sentence: &str) -> Self {
        tracing::error!(%error, "a page was refused");
        let page = Self::new(StatusCode::SERVICE_UNAVAILABLE, w::AWAY_TITLE, sentence);
        Self { retry_after: Some(RETRY_AFTER_SECONDS), numbered: true, ..page }
    }

    /// Our own trouble: people read no cause, the log does.
    pub fn trouble(cause: impl fmt::Display) -> Self {
        tracing::error!(%cause, "a page failed");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self { numbered: true, ..Self::new(status, w::TROUBLE_TITLE, w::TROUBLE) }
    }

    /// What another part of the server refused, in our words.
    pub fn of(error: &actix_web::Error) -> Self {
        if let Some(ours) = error.as_error::<Self>() {
            return ours.clone();
        }
        match error.as_response_error().status_code() {
            StatusCode::NOT_FOUND => Self::not_found(),
            status if status.is_client_error() => Self { status, ..Self::wrong(w::UNREADABLE) },
            _ => Self::trouble(error),
        }
    }
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        let conflict = |detail: &str| Self::new(StatusCode::CONFLICT, w::CONFLICT_TITLE, sentence(detail));
        match &error {
            ServiceError::NotFound(_) => Self::not_found(),
            ServiceError::Forbidden { needed } => Self::forbidden(*needed),
            ServiceError::Invalid(problems) => Self {
                problems: problems.clone(),
                ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, w::WRONG_TITLE, w::INVALID)
            },
            ServiceError::InUse { detail, users } => {
                let users = users.iter().map(|user| Problem::new("", "in_use", user.clone())).collect();
                Self { problems: users, ..conflict(detail) }
            }
            ServiceError::VersionMismatch { detail, .. }
            | ServiceError::AlreadyExists(detail)
            | ServiceError::FieldDisabled(detail)
            | ServiceError::InProgress(detail)
            | ServiceError::RunEnded(detail) => conflict(detail),
            ServiceError::Store(StoreError::Duplicate(_)) => conflict(w::TAKEN),
            ServiceError::TooLarge(detail) => {
                Self { status: StatusCode::PAYLOAD_TOO_LARGE, ..Self::wrong(sentence(detail)) }
            }
            ServiceError::TooManyRequests { detail, retry_after } => Self {
                retry_after: Some(u16::try_from(retry_after.as_secs()).unwrap_or(u16::MAX)),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, w::TOO_MANY_TITLE, detail.as_str())
            },
            ServiceError::BadQuery(detail) | ServiceError::FilterTooWide(detail) => {
                Self::wrong(sentence(detail))
            }
            ServiceError::BadCursor => Self::wrong(w::BAD_CURSOR),
            ServiceError::Store(StoreError::Full(_)) => Self::away(&error, w::FULL),
            ServiceError::Store(StoreError::Doubtful(_)) => Self::away(&error, w::IN_DOUBT),
            ServiceError::Store(StoreError::Unread(_)) => Self::away(&error, w::UNREAD),
            ServiceError::Store(store) if store.is_unavailable() => Self::away(&error, w::AWAY),
            _ => Self::trouble(&error),
        }
    }
}

/// A detail of the services as a sentence.
pub fn sentence(detail: &str) -> String {
    let mut letters = detail.chars();
    let first: String = letters.next().map(|letter| letter.to_uppercase().collect()).unwrap_or_default();
    let end = if detail.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status.as_u16(), self.title)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    /// Where no edge goes around it: the bare page.
    fn error_response(&self) -> HttpResponse {
        self.page(&Frame::for_nobody(), "")
    }
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'a> {
    frame: &'a Frame,
    refusal: &'a Refusal,
    number: &'a str,
}

impl Refusal {
    /// The page of it; `number` is the request's.
    pub fn page(&self, frame: &Frame, number: &str) -> HttpResponse {
        if let Some(place) = &self.elsewhere {
            return HttpResponse::SeeOther().insert_header((LOCATION, place.as_str())).finish();
        }
        let frame = &frame.titled(self.title);
        let number = if self.numbered { number } else { "" };
        let mut answer = frame::answer(self.status, &RefusalPage { frame, refusal: self, number });
        if let Some(seconds) = self.retry_after {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_happened_and_never_a_cause_of_ours() {
        let store = |error| Refusal::from(ServiceError::Store(error));
        for (refusal, status, says) in [
            (ServiceError::NotFound("case").into(), 404, "deleted"),
            (ServiceError::Forbidden { needed: Role::Builder }.into(), 403, "builder"),
            (ServiceError::InProgress("it runs".into()).into(), 409, "It runs."),
            (ServiceError::TooLarge("it is too long".into()).into(), 413, "It is too long."),
            (store(StoreError::Unavailable("10.0.0.1".into())), 503, "Nothing was changed"),
            (store(StoreError::Doubtful("10.0.0.1".into())), 503, "not known"),
            (store(StoreError::Refused("no table".into())), 500, "log"),
        ] {
            let Refusal { sentence, .. } = &refusal;
            assert_eq!(refusal.status.as_u16(), status, "{sentence}");
            assert!(sentence.contains(says) && !sentence.contains("10.0"), "{sentence}");
        }
    }

    #[test]
    fn every_problem_is_listed() {
        let problems =
            vec![Problem::new("/a", "invalid", "is wrong"), Problem::new("/b", "invalid", "is <b>")];
        let page = RefusalPage {
            frame: &Frame::for_nobody(),
            refusal: &ServiceError::Invalid(problems).into(),
            number: "",
        };
        let page = page.render().unwrap();
        assert!(page.contains("is wrong") && page.contains("is &#60;b&#62;"), "{page}");
    }
}
