//! What is kept and checked of a connection's `tls`: its key is sealed in rows and hidden in
//! answers, as credentials in `auth` are, and certificates that cannot work are refused at the save.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::connection_credentials::{Owner, Stored};

use super::error::ServiceError;
use super::sealed_members::{sealed_member, sealed_text};
use super::vault::{place_of_connection_credential, place_of_secret};
use crate::domain::auth::is_literal;
use crate::domain::clock::Instant;
use crate::domain::connection::Tls;
use crate::domain::problem::{Problem, code};
use crate::domain::redact::Label;
use crate::domain::sealing::Sealed;
use crate::domain::secret::{HIDDEN, SecretText};
use crate::domain::template::Scope;
use crate::outbound::TlsPolicy;
use crate::store::Tx;

/// Where the key stands in a definition.
const KEY: &str = "/tls/client_certificate/key";

/// The key of a definition, where it is sealed.
pub(super) fn sealed(definition: &Value) -> Option<&str> {
    definition.pointer(KEY).and_then(sealed_text)
}

/// Puts `[hidden]` in place of a sealed key.
pub(super) fn hide(definition: &mut Value) {
    if sealed(definition).is_some() {
        put(definition, HIDDEN.into());
    }
}

/// Opens a sealed key, in its place; answers it, too.
pub(super) fn open(definition: &mut Value, owner: Owner<'_>) -> Result<Option<SecretText>, ServiceError> {
    let Some(text) = opened(definition, owner)? else { return Ok(None) };
    put(definition, text.expose().into());
    Ok(Some(text))
}

/// Seals the key of a definition that was just read. `[hidden]` keeps the one that is stored. Where
/// the origin is another one now, what was typed for the old one is dropped with its certificate,
/// and the doubt says so.
pub(super) fn seal(
    definition: &mut Value,
    stored: Option<Stored<'_>>,
    owner: Owner<'_>,
) -> Result<Option<Problem>, ServiceError> {
    let Some(text) = definition.pointer(KEY).and_then(Value::as_str).map(str::to_owned) else {
        return Ok(None);
    };
    if text != HIDDEN && !is_literal(&text) {
        return Ok(None);
    }
    let kept =
        stored.and_then(|stored| stored.definition.pointer(KEY)).filter(|value| sealed_text(value).is_some());
    match (text == HIDDEN, kept) {
        (true, None) => {
            let why = "stands for a stored key, but there is none here: type it in";
            Err(ServiceError::Invalid(vec![Problem::new(KEY, code::INVALID, why)]))
        }
        (true, Some(_)) if stored.is_some_and(|stored| stored.moved) => {
            drop_client(definition);
            let why = "was typed before `base_url` led to this origin, so it was dropped together with its \
                       certificate: type both again, if the new one may have them";
            Ok(Some(Problem::new(KEY, code::DOUBTFUL, why)))
        }
        (true, Some(kept)) => {
            put(definition, kept.clone());
            Ok(None)
        }
        (false, kept) => {
            let before = stored.map(|stored| opened(stored.definition, owner)).transpose()?.flatten();
            let same = kept.filter(|_| before.is_some_and(|before| before.expose() == text));
            let place = place_of_connection_credential(owner.workspace, owner.key, KEY);
            let value = match same {
                Some(kept) => kept.clone(),
                None => sealed_member(&owner.vault.seal(&place, &text)?),
            };
            put(definition, value);
            Ok(None)
        }
    }
}

/// Refuses what cannot work: authorities and certificates that are over, a key that does not fit.
pub(super) async fn check(
    tx: &Tx,
    tls: &Tls,
    stored: Option<Stored<'_>>,
    owner: Owner<'_>,
    now: Instant,
) -> Result<(), ServiceError> {
    if tls.is_empty() {
        return Ok(());
    }
    let key = match &tls.client {
        Some(client) if client.key.literal() == Some(HIDDEN) => {
            stored.map(|stored| opened(stored.definition, owner)).transpose()?.flatten()
        }
        Some(client) => {
            let secrets = open_secrets(tx, tls, owner).await?;
            client.key.render_text(&secrets).ok().map(SecretText::from)
        }
        None => None,
    };
    let key = key.as_ref().map(SecretText::expose);
    let client = tls.client.as_ref().map(|client| (client.certificate.as_str(), key));
    let bad = TlsPolicy::check(tls.ca.as_deref(), client, now);
    if bad.is_empty() {
        return Ok(());
    }
    let problem =
        |bad: crate::outbound::BadPolicy| Problem::new(format!("/tls/{}", bad.part), code::INVALID, bad.why);
    Err(ServiceError::Invalid(bad.into_iter().map(problem).collect()))
}

/// The secrets that the key names, as its template reads them.
async fn open_secrets(tx: &Tx, tls: &Tls, owner: Owner<'_>) -> Result<Scope, ServiceError> {
    let mut values = Map::new();
    for name in tls.secrets.iter().filter_map(|name| name.parse().ok()) {
        let Some(row) = tx.find_secret(owner.workspace, &name).await? else { continue };
        let place = place_of_secret(owner.workspace, &name, row.info.version);
        let label = row.info.redact.then(|| Label::Secret(name.clone()));
        let text = owner.vault.open(&place, &row.sealed, label)?;
        values.insert(name.to_string(), text.expose().into());
    }
    let values = Arc::new(Value::Object(values));
    Ok(Scope::new().with("secret", values.clone()).with("secrets", values))
}

fn opened(definition: &Value, owner: Owner<'_>) -> Result<Option<SecretText>, ServiceError> {
    let Some(sealed) = sealed(definition) else { return Ok(None) };
    let named = |why: String| {
        let key = owner.key;
        ServiceError::Sealing(format!("the key in `tls` of the connection `{key}` cannot be read: {why}"))
    };
    let sealed = Sealed::from_text(sealed).map_err(|error| named(error.to_string()))?;
    let place = place_of_connection_credential(owner.workspace, owner.key, KEY);
    owner.vault.open(&place, &sealed, Some(Label::Hidden)).map(Some).map_err(|error| named(error.to_string()))
}

fn put(definition: &mut Value, value: Value) {
    if let Some(place) = definition.pointer_mut(KEY) {
        *place = value;
    }
}

fn drop_client(definition: &mut Value) {
    let Some(tls) = definition.get_mut("tls").and_then(Value::as_object_mut) else { return };
    tls.shift_remove("client_certificate");
    if tls.is_empty()
        && let Value::Object(members) = definition
    {
        members.shift_remove("tls");
    }
}
