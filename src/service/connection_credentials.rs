//! Credentials that were typed into the `auth` of a connection: sealed in rows, hidden in answers,
//! open only in what is compiled.
//!
//! As for fields (`credentials.rs`): all of it works on the normal form, where an `auth` is flat.

use serde_json::{Map, Value, json};

use super::credentials::{SEALED, members, sealed_text};
use super::error::ServiceError;
use super::vault::{Vault, place_of_connection_credential};
use crate::domain::ids::{ConnectionKey, WorkspaceId};
use crate::domain::problem::{Problem, code};
use crate::domain::redact::Label;
use crate::domain::sealing::Sealed;
use crate::domain::secret::{HIDDEN, SecretText};

/// The connection whose credentials are meant.
#[derive(Clone, Copy)]
pub struct Owner<'a> {
    /// What seals and opens.
    pub vault: &'a Vault,
    /// The workspace of the connection.
    pub workspace: WorkspaceId,
    /// Its key.
    pub key: &'a ConnectionKey,
}

/// What is kept of a connection now.
#[derive(Clone, Copy)]
pub struct Stored<'a> {
    /// The definition.
    pub definition: &'a Value,
    /// Whether the new definition calls another origin.
    pub moved: bool,
}

/// Puts `[hidden]` in place of what is sealed.
pub fn hide(definition: &mut Value) {
    for (_, member) in auth(definition).into_iter().flatten() {
        if sealed_text(member).is_some() {
            *member = HIDDEN.into();
        }
    }
}

/// Ids of the master keys that the credentials of a definition are sealed with.
pub fn key_ids(definition: &Value) -> Vec<String> {
    let members = definition.get("auth").and_then(Value::as_object).into_iter().flat_map(Map::values);
    members.filter_map(|member| Some(Sealed::from_text(sealed_text(member)?).ok()?.key_id())).collect()
}

/// Opens what is sealed, in its place; answers it, too.
pub fn open(definition: &mut Value, owner: Owner<'_>) -> Result<Vec<SecretText>, ServiceError> {
    let mut opened = Vec::new();
    for (name, member) in auth(definition).into_iter().flatten() {
        let Some(sealed) = sealed_text(member) else { continue };
        let text = open_one(sealed, name, owner)?;
        *member = text.expose().into();
        opened.push(text);
    }
    Ok(opened)
}

/// Seals the literal credentials of a definition that was just read. `[hidden]` keeps the one that
/// is stored for the same member. Where the origin is another one now, what was typed for the old
/// one is dropped with its `auth`, and the doubt says so. `sent` is the body, for pointers.
pub fn seal(
    definition: &mut Value,
    stored: Option<Stored<'_>>,
    sent: &Value,
    owner: Owner<'_>,
) -> Result<Option<Problem>, ServiceError> {
    let Some(new) = auth(definition) else { return Ok(None) };
    let mut problems = Vec::new();
    for name in members(new) {
        let text = new.get(&name).and_then(Value::as_str).unwrap_or_default();
        let kept = stored.and_then(|stored| kept(stored.definition, &name));
        let value = match (text == HIDDEN, kept) {
            (true, None) => {
                let why = "stands for a stored credential, but there is none here: type it in";
                problems.push(Problem::new(pointer(sent, &name), code::INVALID, why));
                continue;
            }
            (true, Some(_)) if stored.is_some_and(|stored| stored.moved) => {
                let why = "was typed for the origin that `base_url` had before, so it was dropped together with its \
                           `auth`: type it again, if the new one may have it";
                let doubt = Problem::new(pointer(sent, &name), code::DOUBTFUL, why);
                drop_auth(definition);
                return Ok(Some(doubt));
            }
            (true, Some(kept)) => kept.clone(),
            (false, kept) => keep_or_seal(text, kept, &name, owner)?,
        };
        new.insert(name, value);
    }
    if problems.is_empty() { Ok(None) } else { Err(ServiceError::Invalid(problems)) }
}

fn drop_auth(definition: &mut Value) {
    if let Value::Object(members) = definition {
        members.shift_remove("auth");
    }
}

/// The same text stays sealed as it is, so that saving a connection again changes nothing.
fn keep_or_seal(
    text: &str,
    kept: Option<&Value>,
    member: &str,
    owner: Owner<'_>,
) -> Result<Value, ServiceError> {
    if let Some((kept, sealed)) = kept.and_then(|value| Some((value, sealed_text(value)?)))
        && open_one(sealed, member, owner)?.expose() == text
    {
        return Ok(kept.clone());
    }
    let place = place_of_connection_credential(owner.workspace, owner.key, member);
    Ok(json!({SEALED: owner.vault.seal(&place, text)?.to_text()}))
}

fn open_one(sealed: &str, member: &str, owner: Owner<'_>) -> Result<SecretText, ServiceError> {
    let named = |why: String| {
        let key = owner.key;
        ServiceError::Sealing(format!("the credential of the connection `{key}` cannot be read: {why}"))
    };
    let sealed = Sealed::from_text(sealed).map_err(|error| named(error.to_string()))?;
    let place = place_of_connection_credential(owner.workspace, owner.key, member);
    owner.vault.open(&place, &sealed, Some(Label::Hidden)).map_err(|error| named(error.to_string()))
}

fn auth(definition: &mut Value) -> Option<&mut Map<String, Value>> {
    definition.get_mut("auth")?.as_object_mut()
}

fn kept<'v>(definition: &'v Value, member: &str) -> Option<&'v Value> {
    definition.get("auth")?.get(member).filter(|value| sealed_text(value).is_some())
}

/// The pointer of a member in the body that was sent, where it may stand in a nested `config`.
fn pointer(sent: &Value, member: &str) -> String {
    let nested = sent.pointer("/auth/config").and_then(|config| config.get(member)).is_some();
    let config = if nested { "/config" } else { "" };
    format!("/auth{config}/{member}")
}
