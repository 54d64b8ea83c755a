//! Reads the member `auth`: which type it is, and what that takes.

use serde_json::{Value, json};

use super::definition::Auth;
use super::members::{Empty, credential};
use super::oauth::{self, Grant};
use super::{keys, token_request};
use crate::domain::api_call::Compiler;
use crate::domain::case_type::findings::{Findings, unknown_word};
use crate::domain::case_type::reader::Reader;
use crate::domain::problem::code;

#[derive(Clone, Copy)]
enum Kind {
    None,
    Bearer,
    Basic,
    ApiKey,
    Header,
    OAuth(Grant),
    TokenRequest,
}

/// The contract's words first, then those that are taken for them.
const KINDS: [(&str, Kind); 10] = [
    ("none", Kind::None),
    ("bearer", Kind::Bearer),
    ("basic", Kind::Basic),
    ("api_key", Kind::ApiKey),
    ("oauth2_client_credentials", Kind::OAuth(Grant::ClientCredentials)),
    ("oauth2_password", Kind::OAuth(Grant::Password)),
    ("token_request", Kind::TokenRequest),
    ("header", Kind::Header),
    ("oidc_client_credentials", Kind::OAuth(Grant::ClientCredentials)),
    ("oidc_user", Kind::OAuth(Grant::Password)),
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
        // Of an unknown type only the type is reported: which members it may have is not known.
        let kind = kind?;
        let Some(nested) = nested else {
            let read = compiler.discreetly(|compiler| read_members(kind, &mut outer, compiler));
            outer.finish(|_| None);
            return read;
        };
        let at = outer.at("config");
        let read = Reader::open(nested, at, outer.findings).and_then(|mut config| {
            let read = compiler.discreetly(|compiler| read_members(kind, &mut config, compiler));
            config.finish(|_| None);
            read
        });
        outer.finish(|_| Some("move it into `config`, with the others"));
        read
    }
}

fn read_kind(auth: &mut Reader<'_, '_>) -> Option<Kind> {
    let Some(value) = auth.get("type") else {
        auth.missing(
            "type",
            "`none`, `bearer`, `basic`, `api_key`, `oauth2_client_credentials`, `oauth2_password` or `token_request`",
        );
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
        Kind::None => Some((Auth::None, json!({"type": "none"}))),
        Kind::Bearer => {
            let (token, source) = credential("token", auth, compiler, Empty::Refused)?;
            Some((Auth::Bearer { token }, json!({"type": "bearer", "token": source})))
        }
        Kind::Basic => read_basic(auth, compiler),
        Kind::ApiKey => keys::read(auth, compiler),
        Kind::Header => keys::read_header(auth, compiler),
        Kind::OAuth(grant) => oauth::read(grant, auth, compiler),
        Kind::TokenRequest => token_request::read(auth, compiler),
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
