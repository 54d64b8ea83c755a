//! Where credentials may have been typed literally, in the normal form of an `auth`.
//!
//! Members that are a credential by their nature count whatever they hold. Of the call of a
//! `token_request` all counts that is typed literally, but for headers and members that are known
//! to be harmless: what is hidden without need can be typed again, what is shown cannot be taken
//! back. For the same reason a body that is one text counts as a whole, placeholders or not.

use serde_json::{Map, Value};
use url::Url;

use crate::domain::problem::join;
use crate::domain::secret::HIDDEN;
use crate::domain::template::{Roots, Template};

/// Members that are a credential by their nature.
const CREDENTIALS: [&str; 4] = ["token", "password", "value", "client_secret"];

/// Endings of the names of further parameters that are one.
const ENDINGS: [&str; 8] =
    ["secret", "password", "passphrase", "assertion", "token", "key", "pin", "credential"];

/// Headers of a token's call that are none.
const PLAIN_HEADERS: [&str; 6] =
    ["accept", "accept-encoding", "accept-language", "cache-control", "content-type", "user-agent"];

/// Members of a token's call that are none.
const PLAIN_MEMBERS: [&str; 20] = [
    "grant_type",
    "granttype",
    "response_type",
    "scope",
    "scopes",
    "audience",
    "resource",
    "client_id",
    "clientid",
    "user",
    "username",
    "user_name",
    "login",
    "email",
    "tenant",
    "tenant_id",
    "realm",
    "account",
    "version",
    "format",
];

/// What stands in the place of a sealed text in a kept definition.
const SEALED: &str = "$sealed";

/// A place in an `auth` that may hold a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// Its JSON pointer inside of the `auth`.
    pub pointer: String,
    /// The same place in another version of the `auth`, also when a list has another order by then.
    pub name: String,
}

/// True when a text has no placeholder, so that it is the credential itself. A text that does
/// not compile is none: it is refused before it could be kept.
pub fn is_literal(text: &str) -> bool {
    Template::compile(text, &Roots::request(&[])).is_ok_and(|template| template.literal().is_some())
}

/// The places where a credential may stand, whatever stands there now.
pub fn credential_places(auth: &Value) -> Vec<Literal> {
    let Value::Object(members) = auth else { return Vec::new() };
    let mut places: Vec<Literal> =
        CREDENTIALS.iter().filter(|name| members.contains_key(**name)).map(|name| top(name)).collect();
    if members.get("type").is_some_and(|kind| kind == "basic") && members.contains_key("username") {
        places.push(top("username"));
    }
    places.extend(keys(members));
    let extra = members.get("extra").and_then(Value::as_object);
    let is_credential = |name: &str| ENDINGS.iter().any(|end| name.to_ascii_lowercase().ends_with(end));
    for (name, value) in extra.into_iter().flatten().filter(|(name, _)| is_credential(name)) {
        leaves(value, &join("/extra", name), &mut places);
    }
    if let Some(request) = members.get("request").and_then(Value::as_object) {
        of_request(request, &mut places);
    }
    places
}

/// The places where a credential was typed, or is said to stay as it is.
pub fn credential_members(auth: &Value) -> Vec<Literal> {
    let has_password = auth.get("password").is_some_and(|password| !password.is_null() && password != "");
    let typed = |place: &Literal| {
        let text = auth.pointer(&place.pointer).and_then(Value::as_str).unwrap_or_default();
        let whole = place.pointer == "/request/body";
        let shown = place.name == "username" && has_password;
        text == HIDDEN || (!shown && !text.is_empty() && (whole || is_literal(text)))
    };
    let mut places = credential_places(auth);
    places.retain(typed);
    places
}

/// Whether what was typed into the one may stay in the other: it goes to the same place, the
/// provider itself or one token endpoint.
pub fn same_destination(one: &Value, other: &Value) -> bool {
    destination(one) == destination(other)
}

fn top(name: &str) -> Literal {
    Literal { pointer: format!("/{name}"), name: name.to_owned() }
}

/// Each of several keys is known by its name and its place.
fn keys(members: &Map<String, Value>) -> impl Iterator<Item = Literal> {
    let keys = members.get("keys").and_then(Value::as_array).into_iter().flatten().enumerate();
    keys.filter(|(_, key)| key.get("value").is_some()).map(|(index, key)| {
        let text = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let place = text("in");
        let name = if place == "query" { text("key") } else { text("key").to_ascii_lowercase() };
        Literal { pointer: format!("/keys/{index}/value"), name: format!("keys/{place}/{name}") }
    })
}

fn of_request(request: &Map<String, Value>, places: &mut Vec<Literal>) {
    let headers = request.get("headers").and_then(Value::as_object).into_iter().flatten();
    for (name, value) in headers {
        if !PLAIN_HEADERS.iter().any(|plain| name.eq_ignore_ascii_case(plain)) {
            leaves(value, &join("/request/headers", name), places);
        }
    }
    if let Some(body) = request.get("body") {
        leaves(body, "/request/body", places);
    }
}

/// The texts in a tree, but for members that are known to be harmless.
fn leaves(value: &Value, pointer: &str, places: &mut Vec<Literal>) {
    match value {
        Value::String(_) => places.push(leaf(pointer)),
        Value::Object(members) if members.contains_key(SEALED) => places.push(leaf(pointer)),
        Value::Object(members) => {
            for (name, member) in members {
                let plain = PLAIN_MEMBERS.iter().any(|plain| name.eq_ignore_ascii_case(plain));
                if !(plain && member.is_string()) {
                    leaves(member, &join(pointer, name), places);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, &join(pointer, index), places);
            }
        }
        _ => {}
    }
}

fn leaf(pointer: &str) -> Literal {
    Literal { pointer: pointer.to_owned(), name: pointer.trim_start_matches('/').to_owned() }
}

/// Scheme, host and port of the token endpoint as they are written; none for a type that has none.
fn destination(auth: &Value) -> Option<String> {
    let url = auth.get("token_url").or_else(|| auth.pointer("/request/url"))?.as_str()?.trim();
    let Some(at) = url.find("://") else {
        return Some(if url.starts_with('/') { "/".to_owned() } else { url.to_owned() });
    };
    let path = url[at + 3..].find(['/', '?', '#']).map_or(url.len(), |path| at + 3 + path);
    let head = &url[..path];
    Some(Url::parse(head).map_or_else(|_| head.to_owned(), |url| url.origin().ascii_serialization()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointers(auth: &Value) -> Vec<String> {
        credential_members(auth).into_iter().map(|place| place.pointer).collect()
    }

    #[test]
    fn literal_credentials_are_found_wherever_they_stand() {
        for (auth, expected) in [
            (json!({"type": "bearer", "token": "abc"}), vec!["/token"]),
            (json!({"type": "bearer", "token": "{secret.x}"}), vec![]),
            (json!({"type": "bearer", "token": ""}), vec![]),
            (json!({"type": "bearer", "token": HIDDEN}), vec!["/token"]),
            (json!({"type": "bearer", "token": {"$sealed": "x"}}), vec![]),
            (json!({"type": "basic", "username": "u", "password": "p"}), vec!["/password"]),
            (json!({"type": "basic", "username": "sk_live"}), vec!["/username"]),
            (json!({"type": "basic", "username": "sk_live", "password": ""}), vec!["/username"]),
            (json!({"type": "basic", "username": "{secret.x}", "password": null}), vec![]),
            (json!({"type": "api_key", "key": "X", "value": "v", "in": "header"}), vec!["/value"]),
            (
                json!({"type": "api_key", "keys": [{"key": "X", "value": "{secret.x}"}, {"key": "Y", "value": "v"}]}),
                vec!["/keys/1/value"],
            ),
            (
                json!({"type": "oauth2_client_credentials", "client_id": "me", "client_secret": "s", "audience": "a",
                       "extra": {"resource": "r", "client_assertion": "eyJ", "acr": "x"}}),
                vec!["/client_secret", "/extra/client_assertion"],
            ),
            (
                json!({"type": "oauth2_password", "username": "u", "password": "p", "client_secret": "{secret.x}"}),
                vec!["/password"],
            ),
            (
                json!({"type": "token_request", "request": {
                    "headers": {"Accept": "a", "X-Key": "k", "X-Other": "{secret.x}"},
                    "body": {"grant_type": "g", "user": "u", "pass": "p", "n": 1, "deep": [{"otp": "o"}], "s": "{secret.s}"},
                }}),
                vec!["/request/headers/X-Key", "/request/body/pass", "/request/body/deep/0/otp"],
            ),
            (
                json!({"type": "token_request", "request": {"body": "u=me&p={secret.x}"}}),
                vec!["/request/body"],
            ),
            (json!("abc"), vec![]),
            (json!({"token": 5}), vec![]),
        ] {
            assert_eq!(pointers(&auth), expected, "{auth}");
        }
    }

    #[test]
    fn one_of_several_keys_is_known_by_its_name() {
        let one = json!({"keys": [{"key": "X-A", "value": "1", "in": "header"}, {"key": "b", "value": "2", "in": "query"}]});
        let names: Vec<_> = credential_members(&one).into_iter().map(|place| place.name).collect();
        assert_eq!(names, ["keys/header/x-a", "keys/query/b"]);
    }

    #[test]
    fn a_credential_stays_with_its_destination() {
        let url = |url: &str| json!({"type": "oauth2_client_credentials", "token_url": url});
        let request = |url: &str| json!({"type": "token_request", "request": {"url": url}});
        let basic = json!({"type": "basic"});
        for (one, other, same) in [
            (url("https://idp.example/a"), url("https://IDP.example:443/b?c"), true),
            (url("https://idp.example/a"), url("https://idp.example.evil/a"), false),
            (url("https://idp.example/a"), url("http://idp.example/a"), false),
            (url("https://idp.example/{params.t}"), request("https://idp.example/token"), true),
            (url("{params.idp}/a"), url("{params.idp}/b"), false),
            (url("https://{params.idp}/a"), url("https://{params.idp}/b"), true),
            (url("/a"), url("/b"), true),
            (url("/a"), url("https://idp.example/a"), false),
            (basic.clone(), json!({"type": "bearer"}), true),
            (basic, url("https://idp.example/a"), false),
        ] {
            assert_eq!(same_destination(&one, &other), same, "{one} {other}");
        }
    }
}
