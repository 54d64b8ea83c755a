//! What a provider answered, read the way DESIGN 5 says.
//!
//! A JSON content type must parse; any other text is a text; binary, empty and 204 are null
//! and no failure. Guarantees: no NUL in any text or name, JSON at most 128 levels deep,
//! 64-bit integers with every digit (what lies beyond becomes the nearest 64-bit float, as in
//! every JSON reader without big numbers; a type `integer` in a mapping refuses it). Of
//! members with one name the last counts; a lone surrogate (`"\ud800"`) is not valid JSON.
//!
//! Does not look at the status but for 204: whether an answer is a success is not decided here.

use std::collections::BTreeMap;
use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::domain::template::Scope;

/// Levels of arrays and objects that an answer may have.
pub const MAX_DEPTH: usize = 128;

/// The body of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// It was JSON. Shared, because it may be large and several readers want it.
    Json(Arc<Value>),
    /// It was another text.
    Text(String),
    /// It was empty or binary.
    None,
}

/// A complete answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Lower-case names; values are texts, repeated ones joined by `, `.
    pub headers: Map<String, Value>,
    /// What the mapping reads.
    pub body: Body,
    /// The decoded body as it came, for the history; none when it was empty or binary.
    pub text: Option<String>,
}

/// An answer that says it is JSON and is not (`invalid_response`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct InvalidAnswer {
    /// What is wrong, as a sentence for a builder.
    pub detail: String,
    /// The decoded body, for the history.
    pub text: String,
}

impl Answer {
    /// Reads an answer whose body has been decompressed.
    pub fn read(status: u16, headers: Map<String, Value>, bytes: &[u8]) -> Result<Self, InvalidAnswer> {
        let content = Content::of(&headers);
        let decoded = if status == 204 { None } else { content.decode(bytes) };
        let Some(Decoded { text, faithful }) = decoded else {
            return Ok(Self { status, headers, body: Body::None, text: None });
        };
        let body = match content.kind {
            Kind::Json if text.trim().is_empty() => Body::None,
            Kind::Json if !faithful => {
                let detail = "The answer says it is JSON, but its bytes are not text in its character set.";
                return Err(InvalidAnswer { detail: detail.to_owned(), text });
            }
            Kind::Json => match parse_json(&text) {
                Ok(value) => Body::Json(Arc::new(value)),
                Err(why) => {
                    let detail = format!("The answer says it is JSON, but does not parse: {why}.");
                    return Err(InvalidAnswer { detail, text });
                }
            },
            Kind::Undeclared => parse_json(&text)
                .map_or_else(|_| Body::Text(text.clone()), |value| Body::Json(Arc::new(value))),
            _ => Body::Text(text.clone()),
        };
        Ok(Self { status, headers, body, text: Some(text) })
    }

    /// The roots `status`, `headers` and `body`.
    pub fn scope(&self) -> Scope {
        self.add_to(Scope::new())
    }

    /// `scope` with the roots `status`, `headers` and `body`.
    pub fn add_to(&self, scope: Scope) -> Scope {
        scope
            .with("status", Arc::new(self.status.into()))
            .with("headers", Arc::new(Value::Object(self.headers.clone())))
            .with("body", self.body_value())
    }

    /// The decoded body as it came; none when it was empty or binary.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The body as a value: JSON, a text, or null.
    pub fn body_value(&self) -> Arc<Value> {
        match &self.body {
            Body::Json(value) => Arc::clone(value),
            Body::Text(text) => Arc::new(Value::from(text.as_str())),
            Body::None => Arc::new(Value::Null),
        }
    }
}

/// The text of a body, by its declared character set or BOM; none when it is empty or binary.
/// Bytes that do not fit the set of a text become U+FFFD, and so does NUL.
pub fn decode_text(headers: &Map<String, Value>, bytes: &[u8]) -> Option<String> {
    Content::of(headers).decode(bytes).map(|decoded| decoded.text)
}

/// Parses JSON of at most [`MAX_DEPTH`] levels; NUL becomes U+FFFD. The error is a fragment.
///
/// Use it, rather than `serde_json`, to read a whole answer back: `serde_json` itself gives up
/// at 128 levels already.
pub fn parse_json(text: &str) -> Result<Value, String> {
    let depth = nesting(text);
    if depth > MAX_DEPTH {
        return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
    }
    let parsed = if depth < MAX_DEPTH { serde_json::from_str(text) } else { parse_outer_level_apart(text) };
    let mut value = parsed.map_err(|error| in_words(&error))?;
    if text.contains("\\u0000") {
        replace_nul(&mut value);
    }
    Ok(value)
}

fn in_words(error: &serde_json::Error) -> String {
    let report = error.to_string();
    if report.contains("hex escape") || report.contains("surrogate") {
        let (line, column) = (error.line(), error.column());
        return format!(
            "a \\u escape is half of a surrogate pair, or broken, at line {line} column {column}"
        );
    }
    report
}

/// The one depth that the contract allows and `serde_json` does not: its members are parsed
/// one by one. (Their order is then that of their names.)
fn parse_outer_level_apart(text: &str) -> serde_json::Result<Value> {
    if text.trim_start().starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(text)?;
        return items.into_iter().map(|item| serde_json::from_str::<Value>(item.get())).collect();
    }
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
    let parsed = members
        .into_iter()
        .map(|(name, member)| serde_json::from_str::<Value>(member.get()).map(|member| (name, member)));
    parsed.collect::<serde_json::Result<Map<_, _>>>().map(Value::Object)
}

/// How many arrays and objects are open at once, outside of texts.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut in_text = false;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_text = !in_text,
            b'\\' if in_text => drop(bytes.next()),
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// `\u0000` becomes U+FFFD, in names too: PostgreSQL and many readers cannot hold it.
fn replace_nul(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = without_nul(text),
        Value::Array(items) => items.iter_mut().for_each(replace_nul),
        Value::Object(members) => {
            members.values_mut().for_each(replace_nul);
            if members.keys().any(|name| name.contains('\0')) {
                *members = std::mem::take(members)
                    .into_iter()
                    .map(|(name, member)| (without_nul(&name), member))
                    .collect();
            }
        }
        _ => {}
    }
}

fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// What the content type says about a body.
struct Content {
    kind: Kind,
    charset: Option<&'static Encoding>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Json,
    Text,
    Binary,
    /// A type that may be either: a text if it decodes cleanly.
    Unknown,
    Undeclared,
}

struct Decoded {
    text: String,
    /// No byte had to be replaced.
    faithful: bool,
}

impl Content {
    fn of(headers: &Map<String, Value>) -> Self {
        // A repeated header arrives joined: the first one counts.
        let declared = headers.get("content-type").and_then(Value::as_str).unwrap_or_default();
        let mut parts = declared.split(',').next().unwrap_or_default().split(';');
        let media_type = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let charset = parts
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
            .and_then(|(_, label)| Encoding::for_label(label.trim().trim_matches(['"', '\'']).as_bytes()));
        Self { kind: Kind::of(&media_type), charset }
    }

    fn decode(&self, bytes: &[u8]) -> Option<Decoded> {
        if bytes.is_empty() || self.kind == Kind::Binary {
            return None;
        }
        let (declared, bytes) = match Encoding::for_bom(bytes) {
            Some((encoding, length)) => (Some(encoding), &bytes[length..]),
            None => (self.charset, bytes),
        };
        let (text, malformed) = declared.unwrap_or(UTF_8).decode_without_bom_handling(bytes);
        let text = match self.kind {
            Kind::Unknown | Kind::Undeclared if malformed || text.contains(is_binary) => return None,
            // What browsers do with a text that says nothing and is not UTF-8.
            Kind::Text if malformed && declared.is_none() => {
                let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
                if text.contains(is_binary) {
                    return None;
                }
                text
            }
            _ => text,
        };
        Some(Decoded { text: without_nul(&text), faithful: !malformed })
    }
}

impl Kind {
    /// The kind of a lower-case media type without parameters.
    fn of(media_type: &str) -> Self {
        let (family, subtype) = media_type.split_once('/').unwrap_or((media_type, ""));
        match (family, subtype) {
            ("", _) => Self::Undeclared,
            ("application" | "text", "json") => Self::Json,
            (_, subtype) if subtype.ends_with("+json") => Self::Json,
            ("text", _) => Self::Text,
            (_, subtype) if subtype.ends_with("+xml") => Self::Text,
            ("application", "xml" | "javascript" | "x-www-form-urlencoded" | "yaml" | "x-ndjson") => {
                Self::Text
            }
            ("image" | "audio" | "video" | "font" | "model" | "multipart", _)
            | ("application", "octet-stream" | "pdf" | "zip" | "gzip" | "x-tar") => Self::Binary,
            _ => Self::Unknown,
        }
    }
}

/// Control characters that texts do not hold.
fn is_binary(char: char) -> bool {
    char.is_ascii_control() && !matches!(char, '\t' | '\n' | '\r' | '\u{c}' | '\u{1b}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn headers(content_type: &str) -> Map<String, Value> {
        let mut headers = Map::new();
        if !content_type.is_empty() {
            headers.insert("content-type".to_owned(), content_type.into());
        }
        headers
    }

    fn read(content_type: &str, bytes: &[u8]) -> Result<Body, String> {
        Answer::read(200, headers(content_type), bytes)
            .map(|answer| answer.body)
            .map_err(|error| error.detail)
    }

    fn parsed(value: Value) -> Body {
        Body::Json(Arc::new(value))
    }

    #[test]
    fn the_content_type_decides_what_the_body_is() {
        let one = || parsed(json!({"a": 1}));
        let text = |text: &str| Body::Text(text.to_owned());
        let object: &[u8] = br#"{"a":1}"#;
        for (content_type, bytes, expected) in [
            ("application/json", object, one()),
            ("Application/JSON; charset=utf-8", object, one()),
            ("application/json, application/json", object, one()),
            ("text/json", object, one()),
            ("application/problem+json", object, one()),
            ("application/vnd.x.v1+json;x=y", object, one()),
            ("", object, one()),
            ("", b"hello", text("hello")),
            ("", b"\xff\x00\x01\x02\x03", Body::None),
            ("", b"\x00\x01", Body::None),
            ("text/plain", object, text(r#"{"a":1}"#)),
            ("text/html", b"<p>", text("<p>")),
            ("application/xml", b"<a/>", text("<a/>")),
            ("image/svg+xml", b"<svg/>", text("<svg/>")),
            ("application/x-odd", b"plain", text("plain")),
            ("application/x-odd", b"\x80\x81", Body::None),
            ("application/octet-stream", object, Body::None),
            ("application/pdf", b"%PDF-1.7", Body::None),
            ("image/png", b"\x89PNG", Body::None),
            ("application/json", b"", Body::None),
            ("application/json", b" \r\n", Body::None),
            ("text/plain", b"", Body::None),
            ("application/json", b"null", parsed(json!(null))),
            ("application/json", b"\"x\"", parsed(json!("x"))),
            ("application/json", br#"{"a":0,"a":1}"#, one()),
        ] {
            assert_eq!(read(content_type, bytes), Ok(expected), "{content_type} {bytes:?}");
        }
        assert_eq!(Answer::read(204, headers("application/json"), b"x").unwrap().body, Body::None);
        assert_eq!(Answer::read(404, headers("application/json"), b"{}").unwrap().body, parsed(json!({})));
    }

    #[test]
    fn marks_and_character_sets_are_honoured() {
        for (content_type, bytes, expected) in [
            ("application/json", b"\xef\xbb\xbf\"\xc3\xa4\"".as_slice(), parsed(json!("ä"))),
            ("application/json", b"\xff\xfe\"\0\xe4\0\"\0", parsed(json!("ä"))),
            ("application/json", b"\xfe\xff\0\"\0\xe4\0\"", parsed(json!("ä"))),
            ("application/json; charset=iso-8859-1", b"\"\xe4\"", parsed(json!("ä"))),
            ("application/json; charset=\"ISO-8859-1\"", b"\"\xe4\"", parsed(json!("ä"))),
            ("application/json; charset=nonsense", "\"ä\"".as_bytes(), parsed(json!("ä"))),
            ("text/plain; charset=shift_jis", b"\x83\x65", Body::Text("テ".into())),
            ("text/plain", b"\xe4", Body::Text("ä".into())),
            ("text/plain; charset=utf-8", b"\xe4", Body::Text("\u{FFFD}".into())),
            ("text/plain", b"a\0b", Body::Text("a\u{FFFD}b".into())),
            ("application/json", b"\"a\0b\"", parsed(json!("a\u{FFFD}b"))),
            (
                "application/json",
                br#"{"k\u0000":["\u0000", "\\u0000"]}"#,
                parsed(json!({"k\u{FFFD}": ["\u{FFFD}", "\\u0000"]})),
            ),
        ] {
            assert_eq!(read(content_type, bytes), Ok(expected), "{content_type} {bytes:?}");
        }
        assert_eq!(decode_text(&headers("text/plain; charset=iso-8859-1"), b"\xfc").as_deref(), Some("ü"));
        assert_eq!(decode_text(&headers("image/png"), b"x"), None);
    }

    #[test]
    fn a_json_type_that_does_not_parse_is_invalid() {
        for (bytes, says) in [
            (b"<html>".as_slice(), "expected value"),
            (b"{\"a\":1", "EOF"),
            (b"{} {}", "trailing"),
            (b"\"\\ud800\"", "surrogate"),
            (b"1e400", "out of range"),
            (b"\"\xe4\"", "character set"),
            (b"\0", "expected value"),
        ] {
            let detail = read("application/json", bytes).unwrap_err();
            assert!(detail.contains(says), "{detail}");
        }
        let error = Answer::read(200, headers("application/json"), b"<html>").unwrap_err();
        assert_eq!(error.text, "<html>");
    }

    #[test]
    fn json_goes_128_levels_deep_and_no_deeper() {
        let array = |levels: usize| format!("{}7{}", "[".repeat(levels), "]".repeat(levels));
        let object = |levels: usize| format!("{}7{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
        for document in
            [array(127), array(128), object(127), object(128), format!("{{\"b\":{}}}", array(127))]
        {
            let value = parse_json(&document).unwrap();
            assert_eq!(value.to_string(), document);
        }
        for levels in [129, 100_000] {
            for document in [array(levels), object(levels)] {
                let detail = read("application/json", document.as_bytes()).unwrap_err();
                assert!(detail.contains("nested deeper than 128"), "{detail}");
            }
        }
        assert_eq!(parse_json(&format!("\"{}\"", "[".repeat(500))).unwrap(), json!("[".repeat(500)));
        assert!(parse_json(&"[".repeat(128)).is_err());
    }

    #[test]
    fn integers_keep_every_digit_as_far_as_64_bits_go() {
        for digits in ["18446744073709551615", "-9223372036854775808", "9007199254740993"] {
            assert_eq!(parse_json(digits).unwrap().to_string(), digits);
        }
        assert!(parse_json("18446744073709551616").unwrap().is_f64());
    }

    #[test]
    fn the_text_is_kept_for_the_history() {
        let answer = Answer::read(200, headers(""), b" {\"a\" : 1}").unwrap();
        assert_eq!(answer.text(), Some(" {\"a\" : 1}"));
        assert_eq!(*answer.body_value(), json!({"a": 1}));
        let scope = answer.scope();
        assert_eq!(scope.get("status").map(|status| (**status).clone()), Some(json!(200)));
        assert_eq!(scope.get("body").map(|body| (**body).clone()), Some(json!({"a": 1})));
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_leaves_no_nul(
            content_type in prop::sample::select(vec!["", "application/json", "text/plain", "application/x-odd",
                "text/plain; charset=utf-16", "application/json; charset=shift_jis"]),
            bytes in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            match Answer::read(200, headers(content_type), &bytes) {
                Ok(answer) => prop_assert!(!answer.body_value().to_string().contains("\\u0000")),
                Err(error) => prop_assert!(!error.text.contains('\0')),
            }
        }
    }
}
