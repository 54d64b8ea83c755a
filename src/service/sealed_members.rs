//! Credentials inside of one `auth` in its normal form: sealed, hidden, opened, whoever it belongs to.
//!
//! A sealed member is `{"$sealed": "<text>"}`, which no sender can write: a credential is a text, and
//! a body may not use the name. What a member is sealed for names its place as
//! [`Literal::name`](crate::domain::auth::Literal::name) does.

use serde_json::{Value, json};

use super::error::ServiceError;
use crate::domain::auth::{Literal, credential_members, credential_places, same_destination};
use crate::domain::sealing::Sealed;
use crate::domain::secret::{HIDDEN, SecretText};

/// The one member of what is sealed.
pub(super) const SEALED: &str = "$sealed";

/// What a kept definition with sealed credentials has in it.
pub const SEALED_MARK: &str = "\"$sealed\":";

/// Bytes from which on a part of a token's call is searched for in answers. Not all of it is a
/// credential, and short words occur everywhere.
const SEARCHED: usize = 8;

/// Other spellings in a body that was sent.
const SPELLINGS: [(&str, &str); 1] = [("client_secret", "clientSecret")];

/// The sealed text of a member, when it is sealed.
pub fn sealed_text(member: &Value) -> Option<&str> {
    member.get(SEALED)?.as_str()
}

/// A member that is sealed.
pub fn sealed_member(sealed: &Sealed) -> Value {
    json!({SEALED: sealed.to_text()})
}

/// Puts `[hidden]` in place of what is sealed, wherever it stands.
pub fn hide(member: &mut Value) {
    match member {
        sealed if sealed_text(sealed).is_some() => *sealed = HIDDEN.into(),
        Value::Object(members) => members.values_mut().for_each(hide),
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

/// Ids of the master keys that its credentials are sealed with.
pub fn key_ids(auth: &Value) -> Vec<String> {
    let sealed = |place: &Literal| sealed_text(auth.pointer(&place.pointer)?);
    let places = credential_places(auth);
    places.iter().filter_map(sealed).filter_map(|text| Some(Sealed::from_text(text).ok()?.key_id())).collect()
}

/// Opens what is sealed, in its place; answers what must not be seen again. `open` is given the
/// sealed text and the name of its place.
pub fn open(
    auth: &mut Value,
    open: impl Fn(&str, &str) -> Result<SecretText, ServiceError>,
) -> Result<Vec<SecretText>, ServiceError> {
    let mut opened = Vec::new();
    for place in credential_places(auth) {
        let Some(member) = auth.pointer_mut(&place.pointer) else { continue };
        let Some(sealed) = sealed_text(member) else { continue };
        let text = open(sealed, &place.name)?;
        *member = text.expose().into();
        if !place.name.starts_with("request/") || text.expose().len() >= SEARCHED {
            opened.push(text);
        }
    }
    Ok(opened)
}

/// The places of an `auth` that was just read where a credential was typed, or is to stay.
pub fn typed(auth: &Value) -> Vec<Literal> {
    credential_members(auth)
}

/// What is sealed for the same place in an `auth` that is kept.
pub fn stored<'v>(kept: &'v Value, place: &Literal) -> Option<&'v Value> {
    let places = credential_places(kept);
    let same = places.iter().find(|known| known.name == place.name)?;
    kept.pointer(&same.pointer).filter(|value| sealed_text(value).is_some())
}

/// Whether what is sealed in `kept` may stay in `new`: it would be sent to nobody else.
pub fn may_stay(kept: &Value, new: &Value) -> bool {
    same_destination(kept, new)
}

/// The pointer of a place inside of the `auth` that was sent, where it may stand in a nested
/// `config` or be spelled otherwise.
pub fn pointer_in(sent: Option<&Value>, place: &Literal) -> String {
    let mut spellings = vec![place.pointer.clone()];
    let other = SPELLINGS.iter().find(|(name, _)| *name == place.name);
    spellings.extend(other.map(|(_, other)| format!("/{other}")));
    let places = spellings.iter().flat_map(|pointer| [pointer.clone(), format!("/config{pointer}")]);
    let found = places.into_iter().find(|pointer| sent.is_some_and(|sent| sent.pointer(pointer).is_some()));
    found.unwrap_or_else(|| place.pointer.clone())
}
