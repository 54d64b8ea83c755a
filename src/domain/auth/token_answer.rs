//! What a token endpoint answered: the token, and how long it holds. Pure.
//!
//! OAuth's answer is JSON with `access_token` and `expires_in` in seconds (RFC 6749, section 5.1); a
//! request of the builder's own names two places. Nothing here quotes an answer: it may hold a
//! token.

use chrono::TimeDelta;
use serde_json::Value;

use crate::domain::answer::Answer;
use crate::domain::clock::{Instant, parse_instant};
use crate::domain::jsonpath::JsonPath;

/// How long a token is kept whose life nobody names.
pub const UNNAMED: TimeDelta = TimeDelta::minutes(5);
/// How long any token is kept.
pub const LONGEST: TimeDelta = TimeDelta::hours(24);
/// Bytes of a token: more fits in few headers.
const LONGEST_TOKEN: usize = 16_384;
/// A number from here on is an instant in seconds since 1970, from `MILLIS` on in milliseconds.
const SECONDS: f64 = 1e9;
const MILLIS: f64 = 1e11;

/// Where an answer has the token.
pub enum TokenPaths {
    /// Where OAuth puts it.
    OAuth,
    /// Where the builder says.
    At {
        /// The token.
        token: JsonPath,
        /// Its end: seconds from now, or an instant (RFC 3339, or seconds or milliseconds since 1970).
        expires: Option<JsonPath>,
    },
}

/// How long a token holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// For this one use: its end has come, or is now.
    Once,
    /// Until then.
    Until(Instant),
}

/// A token. No `Debug`: it is one.
#[derive(PartialEq, Eq)]
pub struct TokenAnswer {
    /// The token itself.
    pub token: String,
    /// How long it holds.
    pub lifetime: Lifetime,
}

/// Why an answer gives no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAToken {
    /// OAuth answers with JSON.
    #[error("the answer is no JSON object")]
    NotJson,
    /// It is not there.
    #[error("the answer has no token where it should be")]
    Missing,
    /// Something else is there.
    #[error("what stands in the place of the token is no text")]
    NotText,
    /// It cannot stand in a header.
    #[error(
        "what stands in the place of the token is empty, too long, or holds characters that no header can"
    )]
    Unusable,
}

impl TokenPaths {
    /// Reads a success.
    pub fn read(&self, answer: &Answer, now: Instant) -> Result<TokenAnswer, NotAToken> {
        let body = answer.body_value();
        let (token, expires) = match self {
            Self::OAuth => {
                let members = body.as_object().ok_or(NotAToken::NotJson)?;
                (members.get("access_token"), members.get("expires_in"))
            }
            Self::At { token, expires } => {
                (first(token, &body), expires.as_ref().and_then(|at| first(at, &body)))
            }
        };
        let token = match token {
            None | Some(Value::Null) => return Err(NotAToken::Missing),
            Some(Value::String(text)) => text.trim(),
            Some(_) => return Err(NotAToken::NotText),
        };
        if token.is_empty()
            || token.len() > LONGEST_TOKEN
            || !token.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        {
            return Err(NotAToken::Unusable);
        }
        let instants = matches!(self, Self::At { .. });
        Ok(TokenAnswer { token: token.to_owned(), lifetime: lifetime(expires, instants, now) })
    }
}

fn first<'v>(path: &JsonPath, body: &'v Value) -> Option<&'v Value> {
    path.select(body).ok()?.into_iter().next()
}

/// What is no time is as good as none.
fn lifetime(expires: Option<&Value>, instants: bool, now: Instant) -> Lifetime {
    let named = match expires {
        Some(Value::Number(number)) => number.as_f64().map(|number| end(number, instants, now)),
        Some(Value::String(text)) => {
            let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            let written = || parse_instant(text.trim()).filter(|_| instants);
            number.map(|number| end(number, instants, now)).or_else(written)
        }
        _ => None,
    };
    match named.unwrap_or(now + UNNAMED) {
        end if end <= now => Lifetime::Once,
        end => Lifetime::Until(end.min(now + LONGEST)),
    }
}

fn end(number: f64, instants: bool, now: Instant) -> Instant {
    let seconds = match number {
        millis if instants && millis >= MILLIS => millis / 1e3 - seconds_of(now),
        instant if instants && instant >= SECONDS => instant - seconds_of(now),
        seconds => seconds,
    };
    let longest = seconds_in(LONGEST);
    let millis = (seconds.clamp(-longest, longest) * 1e3).floor();
    #[expect(clippy::cast_possible_truncation, reason = "a day in milliseconds at most")]
    let millis = millis as i64;
    now + TimeDelta::milliseconds(millis)
}

#[expect(clippy::cast_precision_loss, reason = "exact for 200,000 years")]
fn seconds_of(at: Instant) -> f64 {
    at.timestamp_millis() as f64 / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "a day")]
const fn seconds_in(length: TimeDelta) -> f64 {
    length.num_seconds() as f64
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn at(second: i64) -> Instant {
        Instant::from_timestamp(second, 0).unwrap()
    }

    const NOW: i64 = 1_795_000_000;

    fn answer(content: &str, body: &str) -> Answer {
        let headers = Map::from_iter([("content-type".to_owned(), json!(content))]);
        Answer::read(200, headers, body.as_bytes()).unwrap()
    }

    fn oauth(body: &Value) -> Result<TokenAnswer, NotAToken> {
        TokenPaths::OAuth.read(&answer("application/json", &body.to_string()), at(NOW))
    }

    #[test]
    fn the_end_of_an_oauth_token_is_in_seconds() {
        let day = Lifetime::Until(at(NOW + 86_400));
        for (expires, lifetime) in [
            (json!(3600), Lifetime::Until(at(NOW + 3600))),
            (json!("3600"), Lifetime::Until(at(NOW + 3600))),
            (json!(0.5), Lifetime::Until(at(NOW) + TimeDelta::milliseconds(500))),
            (json!(null), Lifetime::Until(at(NOW + 300))),
            (json!("soon"), Lifetime::Until(at(NOW + 300))),
            (json!({}), Lifetime::Until(at(NOW + 300))),
            (json!(0), Lifetime::Once),
            (json!(-5), Lifetime::Once),
            (json!(-1e300), Lifetime::Once),
            (json!(1e300), day),
            (json!(u64::MAX), day),
            (json!(NOW + 60), day),
            (json!("2026-11-21T09:00:00Z"), Lifetime::Until(at(NOW + 300))),
        ] {
            let read = oauth(&json!({"access_token": "abc", "expires_in": expires}))
                .unwrap_or_else(|_| panic!("{expires}"));
            assert_eq!(read.lifetime, lifetime, "{expires}");
        }
        let unnamed = oauth(&json!({"access_token": "abc"})).unwrap_or_else(|_| panic!());
        assert_eq!(unnamed.lifetime, Lifetime::Until(at(NOW + 300)));
    }

    #[test]
    fn the_end_of_another_token_may_be_an_instant() {
        let paths = TokenPaths::At {
            token: JsonPath::compile("$.data.jwt").unwrap(),
            expires: Some(JsonPath::compile("$.until").unwrap()),
        };
        for (expires, lifetime) in [
            (json!(60), Lifetime::Until(at(NOW + 60))),
            (json!(NOW + 60), Lifetime::Until(at(NOW + 60))),
            (json!((NOW + 60) * 1000), Lifetime::Until(at(NOW + 60))),
            (json!(NOW - 60), Lifetime::Once),
            (json!(parse_instant("2030-01-01T00:00:00Z")), Lifetime::Until(at(NOW + 86_400))),
            (json!(at(NOW + 90).to_rfc3339()), Lifetime::Until(at(NOW + 90))),
        ] {
            let body = json!({"data": {"jwt": "abc"}, "until": expires}).to_string();
            let read = paths
                .read(&answer("application/json", &body), at(NOW))
                .unwrap_or_else(|_| panic!("{expires}"));
            assert_eq!(read.lifetime, lifetime, "{expires}");
        }
        let text = TokenPaths::At { token: JsonPath::compile("$").unwrap(), expires: None };
        let read = text.read(&answer("text/plain", " abc.def\n"), at(NOW)).unwrap_or_else(|_| panic!());
        assert_eq!((read.token.as_str(), read.lifetime), ("abc.def", Lifetime::Until(at(NOW + 300))));
    }

    #[test]
    fn what_is_no_token_is_said_and_not_quoted() {
        for (body, why) in [
            (json!({}), NotAToken::Missing),
            (json!({"access_token": null}), NotAToken::Missing),
            (json!({"access_token": 42}), NotAToken::NotText),
            (json!({"access_token": {"a": "b"}}), NotAToken::NotText),
            (json!({"access_token": ""}), NotAToken::Unusable),
            (json!({"access_token": "a\r\nX: b"}), NotAToken::Unusable),
            (json!({"access_token": "é"}), NotAToken::Unusable),
            (json!({"access_token": "x".repeat(20_000)}), NotAToken::Unusable),
            (json!(["abc"]), NotAToken::NotJson),
            (json!("abc"), NotAToken::NotJson),
        ] {
            assert!(oauth(&body).is_err_and(|error| error == why), "{body}");
        }
        let html = TokenPaths::OAuth.read(&answer("text/html", "<html>token</html>"), at(NOW));
        assert!(html.is_err_and(|error| error == NotAToken::NotJson));
    }
}
