//! Stored definitions of case types into something that can run.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::credentials::{self, Home};
use super::endpoint_uses::Leaned;
use super::error::ServiceError;
use super::vault::Vault;
use crate::domain::case_type::{CaseType, Known, Parsed};
use crate::domain::ids::{FieldKey, is_key};
use crate::domain::problem::Problem;
use crate::domain::secret::SecretText;
use crate::store::{CaseTypeRow, StoreError};

/// Credentials that were typed into fields.
pub(super) type Typed = BTreeMap<FieldKey, Vec<SecretText>>;

/// Compiles a stored definition, and opens the credentials in it.
pub(super) fn compile(
    row: &CaseTypeRow,
    leaned: &Leaned,
    vault: &Vault,
) -> Result<(CaseType, Typed), ServiceError> {
    let (parsed, typed) = parse(row, leaned, vault)?;
    let parsed = parsed.map_err(|problems| StoreError::Corrupt {
        table: "case_type_version",
        id: row.id.0,
        reason: format!("version {}: {}", row.version, ServiceError::Invalid(problems)),
    })?;
    Ok((parsed.case_type, typed))
}

/// As [`compile`], but what does not hold together is for the caller to judge.
pub(super) fn parse(
    row: &CaseTypeRow,
    leaned: &Leaned,
    vault: &Vault,
) -> Result<(Result<Parsed, Vec<Problem>>, Typed), ServiceError> {
    let home = Home { vault, workspace: row.workspace, case_type: &row.key };
    let mut definition = row.definition.clone();
    let typed = credentials::open(&mut definition, home)?;
    // A version that was saved is compiled even when a secret of it is gone by now: the run
    // then fails with `secret_missing`, instead of the whole case type. Likewise a connection.
    let mut known = Known { connections: leaned.connections.clone(), ..Known::default() };
    possible_secrets(&definition, &mut known.secrets);
    for endpoint in leaned.connections.values().flat_map(|connection| connection.endpoints.values()) {
        possible_secrets_of(endpoint, &mut known.secrets);
    }
    Ok((CaseType::parse(&definition, &known), typed))
}

/// Every word of every text that speaks of secrets.
pub(super) fn possible_secrets(value: &Value, words: &mut BTreeMap<String, Vec<String>>) {
    match value {
        Value::String(text) if text.contains("secret") => {
            let all = text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
            words.extend(all.filter(|word| is_key(word)).map(|word| (word.to_owned(), Vec::new())));
        }
        Value::Array(items) => items.iter().for_each(|item| possible_secrets(item, words)),
        Value::Object(members) => possible_secrets_of(members, words),
        _ => {}
    }
}

pub(super) fn possible_secrets_of(members: &Map<String, Value>, words: &mut BTreeMap<String, Vec<String>>) {
    for (name, member) in members {
        possible_secrets(&Value::String(name.clone()), words);
        possible_secrets(member, words);
    }
}
