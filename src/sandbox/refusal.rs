//! Every answer of the sandbox that is no plain success, in the provider's own words.
//!
//! The error body is `{"error": {"code", "description"}}`, as many providers have it; the credit
//! bureau alone answers a missing token with an RFC 9457 problem, so that both are to be seen.

use std::fmt;
use std::io;

use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, ResponseError};
use futures_util::stream;
use serde_json::json;

/// Why a call gets no plain success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The provider's error body under this status.
    Error { status: u16, code: &'static str, description: String },
    /// No good bearer token.
    Unauthorized,
    /// A fault that answers 200 and is broken all the same.
    Garbage,
    /// See [`super::fault::Fault::Html`].
    Html,
    /// See [`super::fault::Fault::Cut`].
    Cut,
}

impl Refusal {
    /// 400: the caller's mistake.
    pub fn invalid(description: impl Into<String>) -> Self {
        Self::Error { status: 400, code: "INVALID_INPUT", description: description.into() }
    }

    /// 404 with the provider's own code.
    pub fn missing(code: &'static str, description: impl Into<String>) -> Self {
        Self::Error { status: 404, code, description: description.into() }
    }

    /// What a fault of this status says.
    pub fn of_status(status: u16) -> Self {
        let (code, description) = match status {
            401 => ("INVALID_TOKEN", "The access token was revoked."),
            403 => ("NOT_SUBSCRIBED", "Your subscription does not cover this company."),
            404 => ("NOT_FOUND", "There is nothing here."),
            429 => ("TOO_MANY_REQUESTS", "The limit of your plan is reached."),
            500 => ("INTERNAL_ERROR", "The request could not be processed."),
            503 => ("SERVICE_UNAVAILABLE", "The service is down for maintenance."),
            504 => ("GATEWAY_TIMEOUT", "The member state did not answer."),
            _ => ("FAULT", "This answer was asked for."),
        };
        Self::Error { status, code, description: description.to_owned() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error { status, code, .. } => write!(f, "{status} {code}"),
            Self::Unauthorized => f.write_str("401"),
            Self::Garbage | Self::Html | Self::Cut => f.write_str("broken on purpose"),
        }
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        let status = match self {
            Self::Error { status, .. } => *status,
            Self::Unauthorized => 401,
            Self::Garbage | Self::Html | Self::Cut => 200,
        };
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        match self {
            Self::Error { status, code, description } => {
                if matches!(status, 429 | 503) {
                    answer.insert_header((RETRY_AFTER, "2"));
                }
                answer.json(json!({"error": {"code": code, "description": description}}))
            }
            Self::Unauthorized => answer
                .insert_header((WWW_AUTHENTICATE, "Bearer realm=\"credit\""))
                .content_type("application/problem+json")
                .body(unauthorized()),
            Self::Garbage => answer.content_type("application/json").body("{\"company\": {\"number\": 19,,"),
            Self::Html => answer.content_type("text/html; charset=utf-8").body(MAINTENANCE),
            Self::Cut => answer.content_type("application/json").streaming(stream::iter([
                Ok(Bytes::from_static(b"{\"company\": {\"number\": \"19")),
                Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
            ])),
        }
    }
}

const MAINTENANCE: &str = "<!doctype html>\n<title>Maintenance</title>\n<h1>We are back at 22:00</h1>\n<p>Thank you for your patience.</p>\n";

fn unauthorized() -> String {
    json!({
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "Send the token of your contract as `Authorization: Bearer …`.",
    })
    .to_string()
}
