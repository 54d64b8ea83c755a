//! What a new token shall be, read and checked.

use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::Value;

use super::access::CONFIGURED;
use super::error::ServiceError;
use crate::domain::case_type::findings::Findings;
use crate::domain::case_type::reader::{Reader, refuse_nul};
use crate::domain::clock::Instant;
use crate::domain::problem::{Problem, code};
use crate::domain::token::Role;

/// Characters of a token's name.
const LONGEST_NAME: usize = 200;
const READ_ONLY: [&str; 3] = ["id", "created_at", "updated_at"];
const ROLES: [(&str, Role); 4] = [
    ("viewer", Role::Viewer),
    ("operator", Role::Operator),
    ("builder", Role::Builder),
    ("admin", Role::Admin),
];

/// What a new token shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTokenRequest {
    /// 1 to 200 characters.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// Whether its writes make overrides.
    pub overrides: bool,
    /// When it ends to be good; none: never.
    pub expires_at: Option<Instant>,
}

impl NewTokenRequest {
    /// Reads a body: `name`, `role`, `overrides` (true), `expires_at` (never).
    pub fn read(body: &Value, now: Instant) -> Result<Self, ServiceError> {
        let mut findings = Findings::default();
        refuse_nul(body, "", &mut findings);
        let request = read(body, &mut findings);
        if let Some(request) = &request {
            findings.problems.extend(request.problems(now));
        }
        match request {
            Some(request) if findings.problems.is_empty() => Ok(request),
            _ => Err(ServiceError::Invalid(findings.problems)),
        }
    }

    /// What is wrong with it.
    pub fn problems(&self, now: Instant) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(why) = name_problem(&self.name) {
            problems.push(Problem::new("/name", code::INVALID, why));
        }
        if self.expires_at.is_some_and(|until| until <= now) {
            problems.push(Problem::new("/expires_at", code::OUT_OF_RANGE, "is past: give a later time"));
        }
        problems
    }
}

fn name_problem(name: &str) -> Option<String> {
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Some(format!("must have 1 to {LONGEST_NAME} characters"));
    }
    if name.chars().any(char::is_control) {
        return Some("holds a line break or another control character: remove it".to_owned());
    }
    (name == CONFIGURED).then(|| {
        format!("`{CONFIGURED}` is the token of the setting security.admin_token: choose another name")
    })
}

fn read(body: &Value, findings: &mut Findings) -> Option<NewTokenRequest> {
    let mut reader = Reader::open(body, "", findings)?;
    reader.ignore(&READ_ONLY);
    if reader.get("name").is_none() {
        reader.missing("name", "say who or what uses the token");
    }
    let name = reader.text("name", LONGEST_NAME);
    if reader.get("role").is_none() {
        reader.missing("role", "give `viewer`, `operator`, `builder` or `admin`");
    }
    let role = reader.word("role", &ROLES);
    let overrides = reader.flag("overrides").unwrap_or(true);
    let expires_at = read_expiry(&mut reader);
    reader.finish(|_| None);
    Some(NewTokenRequest { name: name?.to_owned(), role: role?, overrides, expires_at })
}

fn read_expiry(reader: &mut Reader<'_, '_>) -> Option<Instant> {
    let text = reader.any_text("expires_at", 64)?;
    let at = parse_instant(text);
    if at.is_none() {
        reader.problem("expires_at", code::INVALID, "is not a time: write it like `2030-01-31T12:00:00Z`");
    }
    at
}

/// RFC 3339, cut to what rows hold.
pub fn parse_instant(text: &str) -> Option<Instant> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc).trunc_subsecs(3))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Instant {
        parse_instant("2026-11-21T09:30:00Z").unwrap()
    }

    #[test]
    fn a_token_has_a_name_and_a_role() {
        let body = json!({"name": "ops", "role": "operator", "created_at": "x", "expires_at": null});
        let expected = NewTokenRequest {
            name: "ops".to_owned(),
            role: Role::Operator,
            overrides: true,
            expires_at: None,
        };
        assert_eq!(NewTokenRequest::read(&body, now()).unwrap(), expected);
        let body = json!({"name": "x", "role": "viewer", "overrides": false, "expires_at": "2026-11-21T11:30:00.1234+01:00"});
        let request = NewTokenRequest::read(&body, now()).unwrap();
        assert!(!request.overrides);
        assert_eq!(request.expires_at, parse_instant("2026-11-21T10:30:00.123Z"));
    }

    #[test]
    fn every_problem_has_its_place() {
        for (body, expected) in [
            (json!([]), vec![""]),
            (json!({}), vec!["/name", "/role"]),
            (json!({"name": "", "role": "owner"}), vec!["/name", "/role"]),
            (json!({"name": "x".repeat(201), "role": 5}), vec!["/name", "/role"]),
            (json!({"name": CONFIGURED, "role": "admin"}), vec!["/name"]),
            (json!({"name": "a\nb", "role": "admin"}), vec!["/name"]),
            (json!({"name": "a\0b", "role": "admin"}), vec!["/name", "/name"]),
            (json!({"name": "a", "role": "admin", "roles": 1}), vec!["/roles"]),
            (json!({"name": "a", "role": "admin", "overrides": "no"}), vec!["/overrides"]),
            (json!({"name": "a", "role": "admin", "expires_at": "tomorrow"}), vec!["/expires_at"]),
            (
                json!({"name": "a", "role": "admin", "expires_at": "2026-11-21T09:30:00Z"}),
                vec!["/expires_at"],
            ),
        ] {
            let Err(ServiceError::Invalid(problems)) = NewTokenRequest::read(&body, now()) else {
                panic!("{body} was taken");
            };
            let pointers: Vec<_> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
            assert_eq!(pointers, expected, "{body}");
        }
    }
}
