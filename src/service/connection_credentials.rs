//! Credentials that were typed into the `auth` of a connection: sealed in rows, hidden in answers,
//! open only in what is compiled. The key in its `tls` goes the same way (`connection_tls.rs`).
//!
//! As for fields (`credentials.rs`): all of it works on the normal form, where an `auth` is flat.

use serde_json::Value;

use super::connection_tls;
use super::error::ServiceError;
use super::sealed_members::{self, may_stay, pointer_in, sealed_member, sealed_text, typed};
use super::vault::{Vault, place_of_connection_credential};
use crate::domain::auth::Literal;
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
    /// Whether the new definition calls another origin; the first one is another one, too.
    pub moved: bool,
}

/// Puts `[hidden]` in place of what is sealed.
pub fn hide(definition: &mut Value) {
    connection_tls::hide(definition);
    if let Some(auth) = auth(definition) {
        sealed_members::hide(auth);
    }
}

/// Ids of the master keys that the credentials of a definition are sealed with.
pub fn key_ids(definition: &Value) -> Vec<String> {
    let mut ids = definition.get("auth").map(sealed_members::key_ids).unwrap_or_default();
    let sealed = connection_tls::sealed(definition);
    ids.extend(sealed.and_then(|sealed| Some(Sealed::from_text(sealed).ok()?.key_id())));
    ids
}

/// Opens what is sealed, in its place; answers it, too.
pub fn open(definition: &mut Value, owner: Owner<'_>) -> Result<Vec<SecretText>, ServiceError> {
    let auth = auth(definition)
        .map(|auth| sealed_members::open(auth, |sealed, place| open_one(sealed, place, owner)));
    let mut opened = auth.transpose()?.unwrap_or_default();
    opened.extend(connection_tls::open(definition, owner)?);
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
    let kept = stored.and_then(|stored| stored.definition.get("auth"));
    let stays = kept.is_some_and(|kept| may_stay(kept, new));
    let mut problems = Vec::new();
    for place in typed(new) {
        let Some(member) = new.pointer_mut(&place.pointer) else { continue };
        let text = member.as_str().unwrap_or_default();
        let kept = kept.and_then(|kept| sealed_members::stored(kept, &place));
        let value = match (text == HIDDEN, kept) {
            (true, None) => Err("stands for a stored credential, but there is none here: type it in"),
            (true, Some(_)) if stored.is_some_and(|stored| stored.moved) => {
                let why = "was typed before `base_url` led to this origin, so it was dropped together with its \
                           `auth`: type it again, if the new one may have it";
                let doubt = Problem::new(pointer(sent, &place), code::DOUBTFUL, why);
                drop_auth(definition);
                return Ok(Some(doubt));
            }
            (true, Some(_)) if !stays => {
                Err("would be sent to another token endpoint now: type the credential again")
            }
            (true, Some(kept)) => Ok(kept.clone()),
            (false, kept) => keep_or_seal(text, kept, &place.name, owner).map(Ok)?,
        };
        match value {
            Ok(value) => *member = value,
            Err(why) => problems.push(Problem::new(pointer(sent, &place), code::INVALID, why)),
        }
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
    Ok(sealed_member(&owner.vault.seal(&place, text)?))
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

fn auth(definition: &mut Value) -> Option<&mut Value> {
    definition.get_mut("auth").filter(|auth| auth.is_object())
}

/// The pointer of a place in the body that was sent.
fn pointer(sent: &Value, place: &Literal) -> String {
    format!("/auth{}", pointer_in(sent.get("auth"), place))
}
