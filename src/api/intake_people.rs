//! Bodies about people into what services take, all problems of their shape at once. No message
//! quotes a password.

use serde_json::Value;

use crate::domain::case_type::findings::Findings;
use crate::domain::case_type::reader::{Reader, refuse_nul};
use crate::domain::problem::code;
use crate::domain::secret::SecretText;
use crate::domain::token::Role;
use crate::service::{NewPersonRequest, PersonPatch, ServiceError};

/// Longer than any text below may be; the service says what is too long.
const LONGEST: usize = 100_000;

/// Members that answers have and bodies may bring back.
const READ_ONLY: [&str; 6] = ["id", "version", "revision", "created_at", "updated_at", "warnings"];

/// The body of `POST /v1/people`.
pub(super) fn new_person(body: &Value) -> Result<NewPersonRequest, ServiceError> {
    let mut findings = Findings::default();
    let patch = read(body, &mut findings, |reader| {
        let absent = |name: &str| body.get(name).is_none_or(Value::is_null);
        for (name, remedy) in [
            ("name", "say who it is"),
            ("email", "they sign in with it"),
            ("role", "choose viewer, operator, builder or admin"),
        ] {
            if absent(name) {
                reader.missing(name, remedy);
            }
        }
    });
    let made = patch.and_then(|patch| {
        let PersonPatch { name, email, role, active, password } = patch;
        let (name, email, role) = (name?, email?, role?);
        Some(NewPersonRequest { name, email, role, active: active.unwrap_or(true), password })
    });
    made.filter(|_| findings.problems.is_empty()).ok_or(ServiceError::Invalid(findings.problems))
}

/// The body of `PATCH /v1/people/{id}`, a merge patch (RFC 7396): of what a person has nothing can be
/// taken away. A null as e-mail may have been read of who has none, and leaves it alone.
pub(super) fn patch(body: &Value) -> Result<PersonPatch, ServiceError> {
    let mut findings = Findings::default();
    let patch = read(body, &mut findings, |reader| {
        for name in ["name", "role", "active", "password"] {
            if body.get(name).is_some_and(Value::is_null) {
                let remedy = "cannot be taken away: give another one, or leave the member out";
                reader.problem(name, code::REQUIRED, remedy);
            }
        }
    });
    patch.filter(|_| findings.problems.is_empty()).ok_or(ServiceError::Invalid(findings.problems))
}

fn read(body: &Value, findings: &mut Findings, and: impl FnOnce(&mut Reader<'_, '_>)) -> Option<PersonPatch> {
    refuse_nul(body, "", findings);
    let mut reader = Reader::open(body, "", findings)?;
    let patch = PersonPatch {
        name: reader.any_text("name", LONGEST).map(str::to_owned),
        email: reader.any_text("email", LONGEST).map(str::to_owned),
        role: reader.word("role", &Role::ALL.map(|role| (role.as_str(), role))),
        active: reader.flag("active"),
        password: reader.any_text("password", LONGEST).map(|text| SecretText::from(text.to_owned())),
    };
    and(&mut reader);
    reader.ignore(&READ_ONLY);
    reader.finish(|_| None);
    Some(patch)
}
