//! An answer that somebody has, read as if the provider had just given it.
//!
//! It has the shape in which an attempt shows its answer, so that one can be pasted; what is
//! hidden in it stays hidden, and a secret that it holds is hidden as in any answer.

use bytes::Bytes;
use serde_json::Value;

use crate::domain::api_call::is_header_name;
use crate::domain::case_type::findings::short;
use crate::domain::case_type::reader::Reader;
use crate::domain::data::article_and_type;
use crate::domain::problem::{code, join};
use crate::domain::run::ReceivedResponse;
use crate::outbound::{Exchange, Headers, Phases};

/// The statuses of a complete answer.
const STATUSES: std::ops::RangeInclusive<u64> = 200..=599;

/// An answer that somebody has.
#[derive(Debug, PartialEq)]
pub(super) struct Recorded {
    status: u16,
    headers: Headers,
    body: String,
    /// As many as the provider sent, where that is known.
    bytes: Option<u64>,
    /// The body is only the beginning.
    truncated: bool,
}

impl Recorded {
    /// Reads it. Without a `status` it is a success.
    pub(super) fn read(mut reader: Reader<'_, '_>) -> Option<Self> {
        let status = reader.whole("status", STATUSES).unwrap_or(200);
        let headers = headers(&mut reader);
        let body = match reader.get("body") {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(json) => json.to_string(),
        };
        let (bytes, truncated) = (reader.whole("bytes", 0..=u64::MAX), reader.flag("truncated"));
        reader.finish(|_| None);
        let (status, truncated) = (u16::try_from(status).ok()?, truncated.unwrap_or(false));
        Some(Self { status, headers, body, bytes, truncated })
    }

    /// Says of what was received what only the attempt can know.
    pub(super) fn complete(&self, response: &mut ReceivedResponse) {
        response.bytes = self.bytes.unwrap_or(self.body.len() as u64);
        response.truncated = self.truncated;
    }

    /// As it would have come in. The text is decoded already, whatever charset its headers speak
    /// of: a byte order mark says so, and is never part of an answer.
    pub(super) fn exchange(&self) -> Exchange {
        let mark = if self.body.is_empty() { "" } else { "\u{feff}" };
        Exchange {
            status: self.status,
            headers: self.headers.clone(),
            body: Bytes::from(format!("{mark}{}", self.body)),
            phases: Phases::default(),
        }
    }
}

fn headers(reader: &mut Reader<'_, '_>) -> Headers {
    let at = reader.at("headers");
    let Some(members) = reader.object("headers") else { return Headers::new() };
    let mut headers = Headers::with_capacity(members.len());
    for (name, value) in members {
        let problem = match value {
            _ if !is_header_name(name) => {
                (code::INVALID, "is not a header name: use letters, digits and `-`".to_owned())
            }
            Value::String(text) if text.chars().any(is_impossible) => {
                let message =
                    "holds a line break or another control character, which no header has: take it out";
                (code::INVALID, message.to_owned())
            }
            Value::String(text) => {
                headers.push((name.to_ascii_lowercase(), text.clone()));
                continue;
            }
            other => (code::WRONG_TYPE, format!("expected a text, found {}", article_and_type(other))),
        };
        let (code, message) = problem;
        reader.findings.problem(join(&at, short(name)), code, message);
    }
    headers
}

/// What does not come in over the wire (RFC 9110, section 5.5); a tab may.
fn is_impossible(c: char) -> bool {
    c.is_ascii_control() && c != '\t'
}
