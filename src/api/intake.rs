//! Small bodies into what services take, all problems at once.

use serde_json::Value;

use crate::domain::case_type::findings::Findings;
use crate::domain::case_type::reader::{Reader, refuse_nul};
use crate::domain::clock::{Instant, parse_instant};
use crate::domain::ids::SecretName;
use crate::domain::problem::code;
use crate::domain::token::Role;
use crate::service::{NewTokenRequest, PutSecret, ServiceError, WorkspacePatch};

/// Longer than any text below may be; the services say what is too long.
const LONGEST: usize = 100_000;

/// Characters of a workspace's name.
const LONGEST_NAME: usize = 200;

/// Members that answers have and bodies may bring back.
const READ_ONLY: [&str; 9] =
    ["id", "version", "revision", "created_at", "updated_at", "last_used_at", "warnings", "used_by", "uses"];

/// The body of `POST /v1/tokens`.
pub(super) fn new_token(body: &Value) -> Result<NewTokenRequest, ServiceError> {
    let mut findings = Findings::default();
    let read = Reader::open(body, "", &mut findings).and_then(|mut reader| {
        let name = reader.text("name", LONGEST);
        if body.get("name").is_none_or(Value::is_null) {
            reader.missing("name", "say what the token is for");
        }
        let role = reader.word("role", &Role::ALL.map(|role| (role.as_str(), role)));
        if body.get("role").is_none_or(Value::is_null) {
            reader.missing("role", "choose viewer, operator, builder or admin");
        }
        let overrides = reader.flag("overrides").unwrap_or(true);
        let expires_at = expiry(&mut reader);
        reader.ignore(&READ_ONLY);
        reader.finish(|_| None);
        Some(NewTokenRequest { name: name?.to_owned(), role: role?, overrides, expires_at })
    });
    read.filter(|_| findings.problems.is_empty()).ok_or(ServiceError::Invalid(findings.problems))
}

/// The body of `PATCH /v1/workspace`, a merge patch (RFC 7396): null takes the params away, and a name
/// cannot be taken away.
pub(super) fn workspace(body: &Value) -> Result<WorkspacePatch, ServiceError> {
    let mut findings = Findings::default();
    refuse_nul(body, "", &mut findings);
    let read = Reader::open(body, "", &mut findings).map(|mut reader| {
        let name = reader.text("name", LONGEST_NAME).map(str::to_owned);
        if name.as_ref().is_some_and(|name| name.is_empty() || name.chars().any(char::is_control)) {
            let why = format!("must have 1 to {LONGEST_NAME} characters, and no line break among them");
            reader.problem("name", code::INVALID, why);
        }
        if body.get("name").is_some_and(Value::is_null) {
            reader.problem(
                "name",
                code::REQUIRED,
                "cannot be taken away: give a name, or leave the member out",
            );
        }
        let params = reader.object("params").cloned().map(Value::Object);
        let params = params.or_else(|| body.get("params").filter(|params| params.is_null()).cloned());
        reader.ignore(&READ_ONLY);
        reader.ignore(&["key"]);
        reader.finish(|_| None);
        WorkspacePatch { name, params }
    });
    read.filter(|_| findings.problems.is_empty()).ok_or(ServiceError::Invalid(findings.problems))
}

fn expiry(reader: &mut Reader<'_, '_>) -> Option<Instant> {
    let at = parse_instant(reader.any_text("expires_at", LONGEST)?);
    if at.is_none() {
        reader.problem("expires_at", code::INVALID, "is not a time: write it like `2030-01-31T12:00:00Z`");
    }
    at
}

/// The body of `PUT /v1/secrets/{name}`. No message quotes the value.
pub(super) fn put_secret(body: &Value, name: &SecretName) -> Result<PutSecret, ServiceError> {
    let mut findings = Findings::default();
    let read = Reader::open(body, "", &mut findings).and_then(|mut reader| {
        let value = reader.any_text("value", LONGEST).map(str::to_owned);
        if body.get("value").is_none_or(Value::is_null) {
            reader.missing("value", "give the credential");
        }
        let hosts = reader.list("hosts", LONGEST).unwrap_or_default().to_vec();
        let redact = reader.flag("redact").unwrap_or(true);
        if reader.text("name", LONGEST).is_some_and(|given| given != name.as_str()) {
            reader.problem("name", code::INVALID, format!("is not the name in the URL, `{name}`"));
        }
        reader.ignore(&READ_ONLY);
        reader.finish(|_| None);
        Some((value?, hosts, redact))
    });
    let mut rules = Vec::new();
    for (index, host) in read.iter().flat_map(|(_, hosts, _)| hosts).enumerate() {
        match host.as_str() {
            Some(host) => rules.push(host.to_owned()),
            None => findings.problem(format!("/hosts/{index}"), code::WRONG_TYPE, "expected a text"),
        }
    }
    match read {
        Some((value, _, redact)) if findings.problems.is_empty() => PutSecret::new(value, &rules, redact),
        _ => Err(ServiceError::Invalid(findings.problems)),
    }
}
