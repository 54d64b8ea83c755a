//! Credentials that were typed into the `auth` of a field: sealed in rows, hidden in answers,
//! open only in a compiled plan.
//!
//! All of it works on the normal form of a definition, where an `auth` is flat; what is the same for
//! every `auth` stands in `sealed_members.rs`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::ServiceError;
use super::field_target::{Connections, is_another};
use super::sealed_members::{self, may_stay, pointer_in, sealed_member, sealed_text, typed};
use super::vault::{Vault, place_of_credential};
use crate::domain::auth::Literal;
use crate::domain::case_type::CaseType;
use crate::domain::ids::{CaseTypeKey, FieldKey, WorkspaceId};
use crate::domain::problem::{Problem, code};
use crate::domain::redact::Label;
use crate::domain::sealing::Sealed;
use crate::domain::secret::{HIDDEN, SecretText};

/// The case type whose credentials are meant.
#[derive(Clone, Copy)]
pub struct Home<'a> {
    /// What seals and opens.
    pub vault: &'a Vault,
    /// The workspace of the case type.
    pub workspace: WorkspaceId,
    /// Its key.
    pub case_type: &'a CaseTypeKey,
}

/// A case type with the definition that is, or shall be, kept of it.
#[derive(Clone, Copy)]
pub struct Described<'a> {
    /// The definition, in its normal form.
    pub definition: &'a Value,
    /// The same, compiled.
    pub case_type: &'a CaseType,
}

/// Puts `[hidden]` in place of what is sealed.
pub fn hide(definition: &mut Value) {
    auths(definition).for_each(|(_, auth)| sealed_members::hide(auth));
}

/// Ids of the master keys that the credentials of a definition are sealed with.
pub fn key_ids(definition: &mut Value) -> Vec<String> {
    auths(definition).flat_map(|(_, auth)| sealed_members::key_ids(auth)).collect()
}

/// Opens what is sealed, in its place; answers it by field, too.
pub fn open(
    definition: &mut Value,
    home: Home<'_>,
) -> Result<BTreeMap<FieldKey, Vec<SecretText>>, ServiceError> {
    let mut opened: BTreeMap<FieldKey, Vec<SecretText>> = BTreeMap::new();
    for (field, auth) in auths(definition) {
        let texts = sealed_members::open(auth, |sealed, place| open_one(sealed, &field, place, home))?;
        if !texts.is_empty() {
            opened.insert(field, texts);
        }
    }
    Ok(opened)
}

/// Whether anything in a definition that was just read has to be sealed or kept.
pub fn any(definition: &mut Value) -> bool {
    auths(definition).any(|(_, auth)| !typed(auth).is_empty())
}

/// Seals the literal credentials of a definition that was just read. `[hidden]` keeps the one
/// that is stored (`before`) for the same member of the same field, unless the field calls
/// somebody else now. `connections` are those of the workspace. `sent` is the body, for pointers.
pub fn seal(
    new: Described<'_>,
    before: Option<Described<'_>>,
    connections: &Connections,
    sent: &Value,
    home: Home<'_>,
) -> Result<Value, ServiceError> {
    let mut definition = new.definition.clone();
    let mut problems = Vec::new();
    for (field, auth) in auths(&mut definition) {
        let kept = before.and_then(|before| auth_of(before.definition, &field));
        let moved =
            before.is_some_and(|before| is_another(before.case_type, new.case_type, &field, connections));
        let stays = kept.is_some_and(|kept| may_stay(kept, auth));
        for place in typed(auth) {
            let Some(member) = auth.pointer_mut(&place.pointer) else { continue };
            let text = member.as_str().unwrap_or_default();
            let stored = kept.and_then(|kept| sealed_members::stored(kept, &place));
            let value = match (text == HIDDEN, stored) {
                (true, None) => Err("stands for a stored credential, but there is none here: type it in"),
                (true, Some(_)) if !stays => {
                    Err("it would be sent to another token endpoint now: type the credential again")
                }
                (true, Some(_)) if moved => {
                    Err("the field calls another address now: type the credential again")
                }
                (true, Some(stored)) => Ok(stored.clone()),
                (false, stored) => keep_or_seal(text, stored, &field, &place.name, home).map(Ok)?,
            };
            match value {
                Ok(value) => *member = value,
                Err(why) => problems.push(Problem::new(pointer(sent, &field, &place), code::INVALID, why)),
            }
        }
    }
    if problems.is_empty() { Ok(definition) } else { Err(ServiceError::Invalid(problems)) }
}

/// The same text stays sealed as it is, so that saving a case type again changes nothing.
fn keep_or_seal(
    text: &str,
    stored: Option<&Value>,
    field: &FieldKey,
    member: &str,
    home: Home<'_>,
) -> Result<Value, ServiceError> {
    if let Some((stored, sealed)) = stored.and_then(|value| Some((value, sealed_text(value)?)))
        && open_one(sealed, field, member, home)?.expose() == text
    {
        return Ok(stored.clone());
    }
    let place = place_of_credential(home.workspace, home.case_type, field, member);
    Ok(sealed_member(&home.vault.seal(&place, text)?))
}

fn open_one(
    sealed: &str,
    field: &FieldKey,
    member: &str,
    home: Home<'_>,
) -> Result<SecretText, ServiceError> {
    let named = |why: String| {
        let case_type = home.case_type;
        ServiceError::Sealing(format!(
            "the credential of the field `{field}` of the case type `{case_type}` cannot be read: {why}"
        ))
    };
    let sealed = Sealed::from_text(sealed).map_err(|error| named(error.to_string()))?;
    let place = place_of_credential(home.workspace, home.case_type, field, member);
    home.vault.open(&place, &sealed, Some(Label::Hidden)).map_err(|error| named(error.to_string()))
}

/// The `auth` of each field that has one, with the field's key.
fn auths(definition: &mut Value) -> impl Iterator<Item = (FieldKey, &mut Value)> {
    let fields = definition.get_mut("fields").and_then(Value::as_array_mut);
    fields.into_iter().flatten().filter_map(|field| {
        let key = field.get("key")?.as_str()?.parse().ok()?;
        let auth = field.get_mut("api_config")?.get_mut("auth").filter(|auth| auth.is_object())?;
        Some((key, auth))
    })
}

fn field_of<'v>(definition: &'v Value, key: &FieldKey) -> Option<(usize, &'v Value)> {
    let fields = definition.get("fields")?.as_array()?;
    fields.iter().enumerate().find(|(_, field)| field.get("key").is_some_and(|other| other == key.as_str()))
}

fn auth_of<'v>(definition: &'v Value, field: &FieldKey) -> Option<&'v Value> {
    let (_, field) = field_of(definition, field)?;
    field.get("api_config")?.get("auth")
}

/// The pointer of a place in the body that was sent.
fn pointer(sent: &Value, field: &FieldKey, place: &Literal) -> String {
    let Some((index, field)) = field_of(sent, field) else { return String::new() };
    let within = pointer_in(field.pointer("/api_config/auth"), place);
    format!("/fields/{index}/api_config/auth{within}")
}
