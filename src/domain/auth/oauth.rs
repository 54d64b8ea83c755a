//! Reads the grants of OAuth 2.0 that need nobody before a screen.

use serde_json::{Map, Value, json};

use super::definition::{Auth, ClientAuth, Extra, OAuth, TokenAuth, TokenCallSource};
use super::members::{Empty, address, credential, optional, spelled};
use super::token_answer::TokenPaths;
use crate::domain::api_call::Compiler;
use crate::domain::case_type::reader::Reader;
use crate::domain::data::article_and_type;
use crate::domain::problem::{code, join};
use crate::domain::template::{Expression, Roots, Template};

/// For whom a token is asked.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Grant {
    ClientCredentials,
    Password,
}

/// Scopes, and parameters besides.
const MOST: usize = 100;
/// Characters of a name, and of an expression.
const LONGEST_NAME: usize = 200;
const LONGEST_RULE: usize = 10_000;

/// Parameters that have members of their own.
const OURS: [(&str, &str); 7] = [
    ("grant_type", "the `type` says it"),
    ("client_id", "use the member `client_id`"),
    ("client_secret", "use the member `client_secret`"),
    ("scope", "use the member `scopes`"),
    ("audience", "use the member `audience`"),
    ("username", "use the member `username`"),
    ("password", "use the member `password`"),
];

/// Reads a grant.
pub(super) fn read(
    grant: Grant,
    auth: &mut Reader<'_, '_>,
    compiler: &mut Compiler<'_>,
) -> Option<(Auth, Value)> {
    let kind = match grant {
        Grant::ClientCredentials => "oauth2_client_credentials",
        Grant::Password => "oauth2_password",
    };
    let mut form = Map::from_iter([("type".to_owned(), json!(kind))]);
    let url = spelled(auth, "token_url", "tokenURL");
    let url = address(url, auth, compiler).map(|(url, text)| noted(&mut form, "token_url", url, text));
    let id = spelled(auth, "client_id", "clientID");
    let id = credential(id, auth, compiler, Empty::Refused);
    let id = id.map(|(id, text)| noted(&mut form, "client_id", id, text));
    let secret = read_secret(grant, auth, compiler, &mut form);
    let user = if grant == Grant::Password { Some(read_user(auth, compiler, &mut form)) } else { None };
    let scopes = read_scopes(auth, compiler, &mut form);
    let audience = optional("audience", auth, compiler);
    let audience = audience.map(|(it, text)| noted(&mut form, "audience", it, text));
    let client_auth = read_client_auth(auth, &mut form);
    let extra = read_extra(auth, compiler, &mut form);
    let refresh_when = read_refresh_when(auth, &mut form);
    let oauth = OAuth {
        token_url: url?,
        client_id: id?,
        client_secret: secret?,
        client_auth: client_auth?,
        user: user.map_or(Some(None), |user| user.map(Some))?,
        scopes: scopes?,
        audience,
        extra: extra?,
    };
    let token = TokenAuth {
        source: TokenCallSource::OAuth(Box::new(oauth)),
        paths: TokenPaths::OAuth,
        header: "Authorization".to_owned(),
        prefix: "Bearer ".to_owned(),
        refresh_when,
    };
    Some((Auth::Token(Box::new(token)), form.into()))
}

/// Writes a member down as it was given.
fn noted<T>(form: &mut Map<String, Value>, name: &str, read: T, text: &str) -> T {
    form.insert(name.to_owned(), text.into());
    read
}

/// A client that asks for itself has a secret; one that asks for a user may be a public one.
#[expect(clippy::option_option, reason = "outer: is it well-formed; inner: is it there")]
fn read_secret(
    grant: Grant,
    auth: &mut Reader<'_, '_>,
    compiler: &mut Compiler<'_>,
    form: &mut Map<String, Value>,
) -> Option<Option<Template>> {
    let name = spelled(auth, "client_secret", "clientSecret");
    if grant == Grant::Password && auth.get(name).is_none() {
        return Some(None);
    }
    let (secret, text) = credential(name, auth, compiler, Empty::Refused)?;
    Some(Some(noted(form, "client_secret", secret, text)))
}

fn read_user(
    auth: &mut Reader<'_, '_>,
    compiler: &mut Compiler<'_>,
    form: &mut Map<String, Value>,
) -> Option<(Template, Template)> {
    let username = credential("username", auth, compiler, Empty::Refused);
    let username = username.map(|(name, text)| noted(form, "username", name, text));
    let password = credential("password", auth, compiler, Empty::Refused);
    let password = password.map(|(word, text)| noted(form, "password", word, text));
    Some((username?, password?))
}

/// A list of texts, or one text with blanks between them.
fn read_scopes(
    auth: &mut Reader<'_, '_>,
    compiler: &mut Compiler<'_>,
    form: &mut Map<String, Value>,
) -> Option<Vec<Template>> {
    let name = spelled(auth, "scopes", "scope");
    let written: Vec<&str> = match auth.get(name) {
        None => return Some(Vec::new()),
        // In a template a blank may stand inside of a formula.
        Some(Value::String(text)) if text.contains('{') => vec![text],
        Some(Value::String(text)) => text.split_whitespace().collect(),
        Some(Value::Array(_)) => {
            let items = auth.list(name, MOST)?;
            if let Some(wrong) = items.iter().position(|item| !item.is_string()) {
                let at = join(&auth.at(name), wrong);
                auth.findings.problem(at, code::WRONG_TYPE, "expected a text: each scope is one");
                return None;
            }
            items.iter().filter_map(Value::as_str).collect()
        }
        Some(other) => {
            auth.wrong_type(name, "a list of texts, or a text with blanks between them", other);
            return None;
        }
    };
    let at = auth.at(name);
    let scopes: Vec<Template> =
        written.iter().map_while(|scope| compiler.template(scope, &at, auth.findings)).collect();
    if !written.is_empty() {
        form.insert("scopes".to_owned(), json!(written));
    }
    (scopes.len() == written.len()).then_some(scopes)
}

fn read_client_auth(auth: &mut Reader<'_, '_>, form: &mut Map<String, Value>) -> Option<ClientAuth> {
    const WAYS: [(&str, ClientAuth); 2] = [("body", ClientAuth::Body), ("basic", ClientAuth::Basic)];
    let way =
        if auth.get("client_auth").is_none() { ClientAuth::Body } else { auth.word("client_auth", &WAYS)? };
    let word = WAYS.iter().find(|(_, known)| *known == way).map(|(word, _)| *word);
    form.insert("client_auth".to_owned(), word.into());
    Some(way)
}

/// Texts, numbers and booleans; a list repeats its parameter (RFC 8707 has such a one).
fn read_extra(
    auth: &mut Reader<'_, '_>,
    compiler: &mut Compiler<'_>,
    form: &mut Map<String, Value>,
) -> Option<Vec<Extra>> {
    if auth.get("extra").is_none() {
        return Some(Vec::new());
    }
    let members = auth.object("extra")?;
    let at = auth.at("extra");
    if members.len() > MOST {
        auth.problem("extra", code::OUT_OF_RANGE, format!("has too many members: at most {MOST}"));
        return None;
    }
    let mut extra = Vec::new();
    for (name, value) in members {
        let pointer = join(&at, name);
        if let Some((_, remedy)) = OURS.iter().find(|(ours, _)| ours == name) {
            auth.findings.problem(pointer, code::DUPLICATE, format!("`{name}` is set already: {remedy}"));
            continue;
        }
        if name.is_empty() || name.len() > LONGEST_NAME {
            let message = format!("is no name of a parameter: 1 to {LONGEST_NAME} characters");
            auth.findings.problem(pointer, code::INVALID, message);
            continue;
        }
        if let Some(values) = read_values(value, &pointer, auth, compiler) {
            extra.push(Extra { name: name.clone(), values });
        }
    }
    if !members.is_empty() {
        form.insert("extra".to_owned(), members.clone().into());
    }
    (extra.len() == members.len()).then_some(extra)
}

fn read_values(
    value: &Value,
    pointer: &str,
    auth: &mut Reader<'_, '_>,
    compiler: &mut Compiler<'_>,
) -> Option<Vec<Template>> {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut values = Vec::new();
    for item in items {
        let text = match item {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => item.to_string(),
            other => {
                let message =
                    format!("expected a text, or a list of texts, found {}", article_and_type(other));
                auth.findings.problem(pointer, code::WRONG_TYPE, message);
                return None;
            }
        };
        values.push(compiler.template(&text, pointer, auth.findings)?);
    }
    Some(values)
}

/// Reads `refresh_when`, an expression over the provider's answer.
pub(super) fn read_refresh_when(
    auth: &mut Reader<'_, '_>,
    form: &mut Map<String, Value>,
) -> Option<Expression> {
    let source = auth.text("refresh_when", LONGEST_RULE)?;
    match Expression::compile(source, &Roots::answer()) {
        Ok(rule) => {
            form.insert("refresh_when".to_owned(), source.into());
            Some(rule)
        }
        Err(error) => {
            auth.problem("refresh_when", error.code, error.message);
            None
        }
    }
}
