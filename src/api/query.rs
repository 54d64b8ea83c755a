//! Query strings, read strictly: what is unknown, repeated or out of range is refused by name.
//!
//! A typo in a filter must not answer everything. All problems are collected first, so that one
//! answer names them all.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use url::form_urlencoded;
use uuid::Uuid;

use super::error::{ApiError, Code};
use crate::domain::clock::Instant;
use crate::domain::clock::parse_instant;
use crate::domain::ids::is_key;
use crate::service::PageRequest;

/// What a handler reads from the query.
pub trait Parameters: Sized {
    /// Takes its parameters; what is wrong is noted in the query.
    fn read(query: &mut Query) -> Self;
}

/// The checked query of a request.
pub struct Params<P>(pub P);

/// The query of an operation that has no parameters.
pub struct NoParameters;

impl Parameters for NoParameters {
    fn read(_: &mut Query) -> Self {
        Self
    }
}

impl Parameters for PageRequest {
    fn read(query: &mut Query) -> Self {
        let limit = query.parsed("limit", "a number from 1 to 200", |text| {
            text.parse().ok().filter(|limit| (1..=200).contains(limit))
        });
        Self {
            limit: limit.unwrap_or(50),
            cursor: query.text("cursor"),
            count: query.flag("count").unwrap_or(false),
        }
    }
}

impl<P: Parameters> FromRequest for Params<P> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Query::parse::<P>(request.query_string()).map(Self))
    }
}

/// The parameters of one request that nobody has taken yet.
pub struct Query {
    left: Vec<(String, String)>,
    known: Vec<&'static str>,
    wrong: Vec<String>,
}

impl Query {
    /// Reads a whole query string.
    pub fn parse<P: Parameters>(text: &str) -> Result<P, ApiError> {
        let left = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let mut query = Self { left, known: Vec::new(), wrong: Vec::new() };
        let parameters = P::read(&mut query);
        query.finish().map(|()| parameters)
    }

    /// Whether it is there and was not taken yet.
    pub fn has(&self, name: &str) -> bool {
        self.left.iter().any(|(key, _)| key == name)
    }

    /// A text; NUL is in none.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let mut found = Vec::new();
        self.left.retain_mut(|(key, value)| {
            let ours = key == name;
            if ours {
                found.push(std::mem::take(value));
            }
            !ours
        });
        if found.len() > 1 {
            self.wrong.push(format!("`{name}` is given {} times; give it once.", found.len()));
        }
        let text = found.into_iter().next()?;
        if text.contains('\0') {
            self.refuse(name, "a text without NUL");
            return None;
        }
        Some(text)
    }

    /// A value; `allowed` completes "`name` must be …".
    pub fn parsed<T>(
        &mut self,
        name: &'static str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(&text);
        if value.is_none() {
            self.refuse(name, allowed);
        }
        value
    }

    /// One of some words.
    pub fn word<T: Copy>(
        &mut self,
        name: &'static str,
        all: &[T],
        spell: fn(T) -> &'static str,
    ) -> Option<T> {
        self.parsed(name, &one_of(all.iter().map(|word| spell(*word))), |text| {
            all.iter().copied().find(|word| spell(*word) == text)
        })
    }

    /// The key of a thing.
    pub fn key(&mut self, name: &'static str) -> Option<String> {
        let allowed = "a name: a letter, then up to 63 of a-z, 0-9 and _";
        self.parsed(name, allowed, |text| is_key(text).then(|| text.to_owned()))
    }

    /// An id.
    pub fn id(&mut self, name: &'static str) -> Option<Uuid> {
        self.parsed(name, "a UUID", |text| Uuid::parse_str(text).ok())
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.parsed(name, "`true` or `false`", |text| text.parse().ok())
    }

    /// An instant.
    pub fn instant(&mut self, name: &'static str) -> Option<Instant> {
        let allowed = "an RFC 3339 time like `2026-11-21T09:30:00Z` (in a query `+` is written `%2B`)";
        self.parsed(name, allowed, parse_instant)
    }

    /// All parameters whose name starts with `prefix`, without it. `known` stands for them in messages.
    pub fn prefixed(&mut self, prefix: &str, known: &'static str) -> Vec<(String, String)> {
        self.known.push(known);
        let mut found: Vec<(String, String)> = Vec::new();
        for (key, value) in std::mem::take(&mut self.left) {
            match key.strip_prefix(prefix) {
                Some(rest) if found.iter().any(|(seen, _)| seen == rest) => {
                    self.wrong.push(format!("`{key}` is given more than once; give it once."));
                }
                Some(rest) => found.push((rest.to_owned(), value)),
                None => self.left.push((key, value)),
            }
        }
        found
    }

    /// Notes that a parameter does not have what is allowed.
    pub fn refuse(&mut self, name: &str, allowed: &str) {
        self.wrong.push(format!("`{name}` must be {allowed}."));
    }

    fn finish(mut self) -> Result<(), ApiError> {
        let allowed = match self.known.as_slice() {
            [] => "this call takes none".to_owned(),
            known => format!("this call takes {}", listed(known.iter().copied())),
        };
        for (name, _) in &self.left {
            self.wrong.push(format!("`{name}` is no parameter here; {allowed}."));
        }
        if self.wrong.is_empty() {
            return Ok(());
        }
        Err(ApiError::new(Code::MalformedRequest, self.wrong.join(" ")))
    }
}

/// "one of `a`, `b`".
pub fn one_of(words: impl IntoIterator<Item = &'static str>) -> String {
    format!("one of {}", listed(words))
}

fn listed(words: impl IntoIterator<Item = &'static str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_50_rows_unless_asked() {
        let page: PageRequest = Query::parse("").unwrap();
        assert_eq!((page.limit, page.cursor, page.count), (50, None, false));
        let page: PageRequest = Query::parse("limit=200&cursor=a%2Bb&count=true").unwrap();
        assert_eq!((page.limit, page.cursor.as_deref(), page.count), (200, Some("a+b"), true));
    }

    #[test]
    fn what_is_unknown_repeated_or_out_of_range_is_named() {
        let cases = [
            ("limit=0", "`limit` must be a number from 1 to 200."),
            ("limit=201", "`limit` must be"),
            ("limit=-1", "`limit` must be"),
            ("limit=", "`limit` must be"),
            ("limit=1.5", "`limit` must be"),
            ("count=yes", "`count` must be `true` or `false`."),
            ("limit=1&limit=2", "`limit` is given 2 times; give it once."),
            ("cursor=%00", "`cursor` must be a text without NUL."),
            ("offset=3", "`offset` is no parameter here; this call takes `limit`, `cursor`, `count`."),
            ("Limit=3", "`Limit` is no parameter here"),
            ("&=&", "`` is no parameter here"),
        ];
        for (text, expected) in cases {
            let error = Query::parse::<PageRequest>(text).map(|_| ()).unwrap_err().to_string();
            assert!(
                error.starts_with("400 malformed_request: ") && error.contains(expected),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn an_operation_without_parameters_says_so() {
        let error = Query::parse::<NoParameters>("a=1").map(|_| ()).unwrap_err().to_string();
        assert_eq!(error, "400 malformed_request: `a` is no parameter here; this call takes none.");
    }
}
