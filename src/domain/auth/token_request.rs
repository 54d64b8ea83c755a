//! Reads `token_request`: any request whose answer holds a token, for odd token endpoints.

use serde_json::{Map, Value, json};

use super::definition::{Auth, TokenAuth, TokenCallSource, TokenRequest};
use super::members::address;
use super::oauth::read_refresh_when;
use super::token_answer::TokenPaths;
use crate::domain::api_call::{Compiler, header_name_problem, read_body, read_headers, read_method};
use crate::domain::case_type::reader::Reader;
use crate::domain::jsonpath::JsonPath;
use crate::domain::problem::code;

const LONGEST_NAME: usize = 200;
const LONGEST_PATH: usize = 1_000;

/// What a kept definition has in the place of a sealed text; nobody may write it.
const SEALED: &str = "$sealed";

/// Reads it.
pub(super) fn read(auth: &mut Reader<'_, '_>, compiler: &mut Compiler<'_>) -> Option<(Auth, Value)> {
    let mut form = Map::from_iter([("type".to_owned(), json!("token_request"))]);
    let request = read_request(auth, compiler, &mut form);
    if auth.get("token_path").is_none() {
        auth.missing("token_path", "the JSONPath of the token in the answer, such as `$.access_token`");
    }
    let token = read_path("token_path", auth, &mut form);
    let expires = read_path("expires_path", auth, &mut form);
    let header = read_header_name(auth);
    let prefix = read_prefix(auth);
    form.insert("header".to_owned(), header.unwrap_or_default().into());
    form.insert("prefix".to_owned(), prefix.unwrap_or_default().into());
    let refresh_when = read_refresh_when(auth, &mut form);
    let token = TokenAuth {
        source: TokenCallSource::Request(Box::new(request?)),
        paths: TokenPaths::At { token: token?, expires },
        header: header?.to_owned(),
        prefix: prefix?.to_owned(),
        refresh_when,
    };
    Some((Auth::Token(Box::new(token)), form.into()))
}

fn read_request(
    auth: &mut Reader<'_, '_>,
    compiler: &mut Compiler<'_>,
    form: &mut Map<String, Value>,
) -> Option<TokenRequest> {
    let at = auth.at("request");
    let Some(value) = auth.get("request") else {
        auth.missing("request", "the call that answers with a token: `method`, `url`, `headers`, `body`");
        return None;
    };
    let typed = with_body_type(value);
    let mut reader = Reader::open(&typed, at.as_str(), auth.findings)?;
    let mut written = Map::new();
    let method = read_method(&mut reader);
    written.insert("method".to_owned(), method.unwrap_or_default().as_str().into());
    let url = address("url", &mut reader, compiler);
    if let Some((_, source)) = &url {
        written.insert("url".to_owned(), (*source).into());
    }
    let headers = read_headers(&mut reader, compiler, &mut written);
    let body = read_body(&mut reader, compiler, &mut written);
    if value.get("body").is_some_and(names_what_is_sealed) {
        let message =
            format!("holds the name `{SEALED}`, which has a meaning of its own here: choose another");
        reader.problem("body", code::INVALID, message);
    }
    reader.finish(|_| None);
    form.insert("request".to_owned(), written.into());
    let (headers, body) = (headers?, body?);
    Some(TokenRequest { method: method?, url: url?.0, headers, body })
}

/// A body whose type is not said is read as its `Content-Type` says; without one a text is JSON
/// where it looks like it, as elsewhere.
fn with_body_type(request: &Value) -> Value {
    let mut typed = request.clone();
    let Value::Object(members) = &mut typed else { return typed };
    let body = members.get("body").filter(|body| !body.is_null());
    let (Some(body), None) = (body, members.get("body_type").filter(|kind| !kind.is_null())) else {
        return typed;
    };
    let headers = members.get("headers").and_then(Value::as_object).into_iter().flatten();
    let mut content = headers.filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let content = content.find_map(|(_, value)| value.as_str()).map(str::to_ascii_lowercase);
    let kind = match (content.as_deref(), body) {
        (Some(content), Value::Object(_)) if content.contains("form-urlencoded") => "form",
        (Some(content), Value::String(_)) if !content.contains("json") => "text",
        (None, Value::String(text)) if !text.trim_start().starts_with(['{', '[']) => "text",
        _ => return typed,
    };
    members.insert("body_type".to_owned(), kind.into());
    typed
}

fn names_what_is_sealed(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.contains_key(SEALED) || members.values().any(names_what_is_sealed),
        Value::Array(items) => items.iter().any(names_what_is_sealed),
        _ => false,
    }
}

fn read_path(
    name: &'static str,
    auth: &mut Reader<'_, '_>,
    form: &mut Map<String, Value>,
) -> Option<JsonPath> {
    let source = auth.text(name, LONGEST_PATH)?;
    form.insert(name.to_owned(), source.into());
    match JsonPath::compile(source) {
        Ok(path) => Some(path),
        Err(why) => {
            auth.problem(name, code::INVALID_PATH, why);
            None
        }
    }
}

fn read_header_name<'v>(auth: &mut Reader<'v, '_>) -> Option<&'v str> {
    if auth.get("header").is_none() {
        return Some("Authorization");
    }
    let name = auth.text("header", LONGEST_NAME)?;
    if let Some(why) = header_name_problem(name) {
        auth.problem("header", code::INVALID, why);
        return None;
    }
    Some(name)
}

fn read_prefix<'v>(auth: &mut Reader<'v, '_>) -> Option<&'v str> {
    if auth.get("prefix").is_none() {
        return Some("Bearer ");
    }
    let prefix = auth.any_text("prefix", LONGEST_NAME)?;
    if !prefix.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        auth.problem(
            "prefix",
            code::INVALID,
            "holds a character that a header cannot: use plain letters and blanks",
        );
        return None;
    }
    Some(prefix)
}
