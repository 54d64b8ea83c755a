//! How a request proves who it is.
//!
//! The members that carry a credential are templates, so that they can name a secret. One that
//! was typed literally is hidden at rest by the service around this module, which finds it with
//! [`credential_members`]; here it is a text like any other. What an auth type does to a request
//! is `outbound`'s business.
//!
//! [`credential_members`]: crate::domain::auth::credential_members

use std::fmt;

use serde_json::{Map, Value, json};

use crate::domain::api_call::{Compiler, header_name_problem};
use crate::domain::case_type::findings::{Findings, unknown_word};
use crate::domain::case_type::reader::Reader;
use crate::domain::problem::{code, join};
use crate::domain::template::{Roots, Template};

/// Members whose literal text is a credential.
pub const LITERAL_CREDENTIALS: &[&str] = &["token", "password", "value", "client_secret"];

/// Characters of a credential's template, and of the name of a key.
const LONGEST_CREDENTIAL: usize = 16_384;
const LONGEST_KEY_NAME: usize = 200;

/// Proof of identity, compiled. Its `Debug` names the type only: it may hold literal credentials.
pub enum Auth {
    /// Nothing was said: the connection's, and none without a connection.
    Inherited,
    /// None, whatever the connection says.
    None,
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer {
        /// The token.
        token: Template,
    },
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        /// The name, without a colon.
        username: Template,
        /// The password; may be empty.
        password: Template,
    },
    /// A key of the provider's own.
    ApiKey {
        /// The name of the header or query parameter.
        key: String,
        /// The key itself.
        value: Template,
        /// Where it goes.
        place: KeyPlace,
    },
}

/// Where an API key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyPlace {
    /// Into a header.
    #[default]
    Header,
    /// Into the query.
    Query,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inherited => "Inherited",
            Self::None => "None",
            Self::Bearer { .. } => "Bearer",
            Self::Basic { .. } => "Basic",
            Self::ApiKey { .. } => "ApiKey",
        })
    }
}

#[derive(Clone, Copy)]
enum Kind {
    None,
    Bearer,
    Basic,
    ApiKey,
    Header,
    Later,
}

const KINDS: [(&str, Kind); 10] = [
    ("none", Kind::None),
    ("bearer", Kind::Bearer),
    ("basic", Kind::Basic),
    ("api_key", Kind::ApiKey),
    ("header", Kind::Header),
    ("oauth2_client_credentials", Kind::Later),
    ("oauth2_password", Kind::Later),
    ("oidc_client_credentials", Kind::Later),
    ("oidc_user", Kind::Later),
    ("token_request", Kind::Later),
];

impl Auth {
    /// Reads the member `auth` that stands at `pointer`; answers with it the normal form. The
    /// members may stand in a nested `config`.
    pub fn read(
        value: &Value,
        pointer: &str,
        compiler: &mut Compiler<'_>,
        findings: &mut Findings,
    ) -> Option<(Self, Value)> {
        let mut outer = Reader::open(value, pointer, findings)?;
        let kind = read_kind(&mut outer);
        let nested = outer.get("config");
        let Some(kind) = kind else {
            // Which members it may have is unknown then: only the type is reported.
            return None;
        };
        if matches!(kind, Kind::Later) {
            let message = "this type of auth comes with a later version: use `bearer`, `basic` or `api_key`";
            outer.problem("type", code::NOT_SUPPORTED_YET, message);
            return None;
        }
        let Some(nested) = nested else {
            let read = read_members(kind, &mut outer, compiler);
            outer.finish(|_| None);
            return read;
        };
        let at = outer.at("config");
        let read = Reader::open(nested, at, outer.findings).and_then(|mut config| {
            let read = read_members(kind, &mut config, compiler);
            config.finish(|_| None);
            read
        });
        outer.finish(|_| Some("move it into `config`, with the others"));
        read
    }
}

fn read_kind(auth: &mut Reader<'_, '_>) -> Option<Kind> {
    let Some(value) = auth.get("type") else {
        auth.missing("type", "`none`, `bearer`, `basic` or `api_key`");
        return None;
    };
    let Value::String(word) = value else {
        auth.wrong_type("type", "a text", value);
        return None;
    };
    let kind = KINDS.iter().find(|(known, _)| known == word).map(|(_, kind)| *kind);
    if kind.is_none() {
        let known = KINDS.map(|(known, _)| known);
        auth.problem("type", code::INVALID, unknown_word(word, "a type of auth", &known));
    }
    kind
}

fn read_members(kind: Kind, auth: &mut Reader<'_, '_>, compiler: &mut Compiler<'_>) -> Option<(Auth, Value)> {
    match kind {
        Kind::None | Kind::Later => Some((Auth::None, json!({"type": "none"}))),
        Kind::Bearer => {
            let (token, source) = credential("token", auth, compiler, Empty::Refused)?;
            Some((Auth::Bearer { token }, json!({"type": "bearer", "token": source})))
        }
        Kind::Basic => read_basic(auth, compiler),
        Kind::ApiKey => {
            let place = read_place(auth);
            read_api_key(auth, compiler, place)
        }
        Kind::Header => read_api_key(auth, compiler, Some(KeyPlace::Header)),
    }
}

/// Some providers take a key as the name with no password, others the reverse; both empty is
/// a slip.
fn read_basic(auth: &mut Reader<'_, '_>, compiler: &mut Compiler<'_>) -> Option<(Auth, Value)> {
    let username = credential("username", auth, compiler, Empty::Possible);
    let password = credential("password", auth, compiler, Empty::Default);
    let (username, name_source) = username?;
    let (password, password_source) = password?;
    if username.literal().is_some_and(|name| name.contains(':')) {
        auth.problem("username", code::INVALID, "may not hold a colon (RFC 7617)");
        return None;
    }
    if name_source.is_empty() && password_source.is_empty() {
        auth.problem("username", code::REQUIRED, "is empty: give a name or a password");
        return None;
    }
    let mut form = json!({"type": "basic", "username": name_source});
    if !password_source.is_empty() {
        form["password"] = password_source.into();
    }
    Some((Auth::Basic { username, password }, form))
}

fn read_api_key(
    auth: &mut Reader<'_, '_>,
    compiler: &mut Compiler<'_>,
    place: Option<KeyPlace>,
) -> Option<(Auth, Value)> {
    let several = auth.later("keys");
    if auth.get("key").is_none() && !several {
        auth.missing("key", "the name of the header or query parameter");
    }
    let key = auth.text("key", LONGEST_KEY_NAME);
    let value = auth.get("value").is_some() || !several;
    let value = value.then(|| credential("value", auth, compiler, Empty::Refused)).flatten();
    let (place, key) = (place?, key?);
    if place == KeyPlace::Header
        && let Some(why) = header_name_problem(key)
    {
        auth.problem("key", code::INVALID, why);
        return None;
    }
    let (value, source) = value?;
    let spelling = if place == KeyPlace::Header { "header" } else { "query" };
    let form = json!({"type": "api_key", "key": key, "value": source, "in": spelling});
    Some((Auth::ApiKey { key: key.to_owned(), value, place }, form))
}

/// `in`, or its other spelling `location`.
fn read_place(auth: &mut Reader<'_, '_>) -> Option<KeyPlace> {
    const PLACES: [(&str, KeyPlace); 2] = [("header", KeyPlace::Header), ("query", KeyPlace::Query)];
    let name = match (auth.get("in").is_some(), auth.get("location").is_some()) {
        (true, true) => {
            auth.problem("location", code::DUPLICATE, "means the same as `in`: keep one");
            return None;
        }
        (false, false) => return Some(KeyPlace::Header),
        (true, false) => "in",
        (false, true) => "location",
    };
    auth.word(name, &PLACES)
}

/// What an empty or absent credential means.
#[derive(Clone, Copy, PartialEq)]
enum Empty {
    /// It must be there and say something.
    Refused,
    /// It must be there but may be empty.
    Possible,
    /// It may be absent.
    Default,
}

fn credential<'v>(
    name: &'static str,
    auth: &mut Reader<'v, '_>,
    compiler: &mut Compiler<'_>,
    empty: Empty,
) -> Option<(Template, &'v str)> {
    let source = match (auth.get(name), empty) {
        (None, Empty::Default) => "",
        (None, _) => {
            auth.missing(name, "give it, best as a secret: `{secret.…}`");
            return None;
        }
        (Some(_), Empty::Refused) => auth.text(name, LONGEST_CREDENTIAL)?,
        (Some(_), _) => auth.any_text(name, LONGEST_CREDENTIAL)?,
    };
    let at = auth.at(name);
    let template = compiler.template(source, &at, auth.findings)?;
    if template.literal().is_some_and(|text| text.chars().any(char::is_control)) {
        auth.problem(name, code::INVALID, "holds a line break or another control character: remove it");
        return None;
    }
    Some((template, source))
}

/// True when a text has no placeholder, so that it is the credential itself. A text that does
/// not compile is none: it is refused before it could be kept.
pub fn is_literal(text: &str) -> bool {
    Template::compile(text, &Roots::request(&[])).is_ok_and(|template| template.literal().is_some())
}

/// JSON pointers, inside an `auth` object as it was sent, of the credentials that were typed
/// literally. The name of `basic` is one when it has no password beside it.
pub fn credential_members(auth: &Value) -> Vec<String> {
    let mut pointers = Vec::new();
    let Value::Object(outer) = auth else { return pointers };
    let kind = outer.get("type").and_then(Value::as_str).unwrap_or_default();
    collect(kind, outer, "", &mut pointers);
    if let Some(Value::Object(nested)) = outer.get("config") {
        collect(kind, nested, "/config", &mut pointers);
    }
    pointers
}

fn collect(kind: &str, members: &Map<String, Value>, at: &str, pointers: &mut Vec<String>) {
    let text = |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    for name in LITERAL_CREDENTIALS.iter().copied().chain(["clientSecret"]) {
        if text(name).is_some_and(is_literal) {
            pointers.push(join(at, name));
        }
    }
    let alone = members.get("password").is_none_or(|password| password.is_null() || password == "");
    if kind == "basic" && alone && text("username").is_some_and(is_literal) {
        pointers.push(join(at, "username"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_credentials_are_found_wherever_they_stand() {
        for (auth, expected) in [
            (json!({"type": "bearer", "token": "abc"}), vec!["/token"]),
            (json!({"type": "bearer", "token": "{secret.x}"}), vec![]),
            (json!({"type": "bearer", "token": ""}), vec![]),
            (json!({"type": "bearer", "token": {"sealed": "x"}}), vec![]),
            (json!({"type": "bearer", "config": {"token": "abc"}}), vec!["/config/token"]),
            (json!({"type": "basic", "username": "u", "password": "p"}), vec!["/password"]),
            (json!({"type": "basic", "username": "sk_live"}), vec!["/username"]),
            (json!({"type": "basic", "username": "sk_live", "password": ""}), vec!["/username"]),
            (json!({"type": "basic", "username": "{secret.x}", "password": null}), vec![]),
            (json!({"type": "api_key", "key": "X", "value": "v", "in": "header"}), vec!["/value"]),
            (json!({"type": "oauth2_client_credentials", "clientSecret": "s"}), vec!["/clientSecret"]),
            (json!("abc"), vec![]),
            (json!({"token": 5}), vec![]),
        ] {
            assert_eq!(credential_members(&auth), expected, "{auth}");
        }
    }
}
