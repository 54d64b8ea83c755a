//! Seals and opens: the one holder of the master key.
//!
//! Whatever is opened is told to a listener first, which is how the logs learn what they must
//! not show. A value is bound to its place, so a row that was moved elsewhere does not open.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use uuid::Uuid;

use super::connection_credentials;
use super::credentials;
use super::error::ServiceError;
use super::sealed_members::SEALED_MARK;
use crate::domain::clock::SharedRng;
use crate::domain::ids::{CaseTypeKey, ConnectionKey, FieldKey, SecretName, WorkspaceId};
use crate::domain::keyring::Keyring;
use crate::domain::redact::Label;
use crate::domain::sealing::{self, OpenError, Sealed};
use crate::domain::secret::SecretText;
use crate::store::{ProviderTokenId, Tx};

/// Is told every value that was opened, and what stands in its place where it is shown.
pub type OnOpened = dyn Fn(Label, &str) + Send + Sync;

/// Reads the master keys anew; none: they are as they were at the start.
pub type ReadKeys = dyn Fn() -> Option<Keyring> + Send + Sync;

/// Where each sealed text was opened.
type Places = Arc<Mutex<HashMap<String, String>>>;

/// Seals and opens. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    keys: Arc<RwLock<Arc<Keyring>>>,
    source: Option<Arc<ReadKeys>>,
    rng: SharedRng,
    on_opened: Arc<OnOpened>,
    places: Option<Places>,
}

impl Vault {
    /// With these master keys, or this one.
    pub fn new(keys: impl Into<Keyring>, rng: SharedRng, on_opened: Arc<OnOpened>) -> Self {
        let keys = Arc::new(RwLock::new(Arc::new(keys.into())));
        Self { keys, source: None, rng, on_opened, places: None }
    }

    /// Which reads its keys again before it seals, and when it meets a value of a key that it does not
    /// know: so the master key can be changed while processes run.
    #[must_use]
    pub fn with_source(self, source: Arc<ReadKeys>) -> Self {
        Self { source: Some(source), ..self }
    }

    /// The keys, as they are known.
    pub fn keys(&self) -> Arc<Keyring> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys, as they are now.
    fn fresh(&self) -> Arc<Keyring> {
        let Some(keys) = self.source.as_ref().and_then(|source| source()).map(Arc::new) else {
            return self.keys();
        };
        self.keys.write().unwrap_or_else(PoisonError::into_inner).clone_from(&keys);
        keys
    }

    /// Seals a text for its place.
    pub fn seal(&self, place: &str, text: &str) -> Result<Sealed, ServiceError> {
        self.fresh()
            .seal(&*self.rng, place, text.as_bytes())
            .map_err(|error| ServiceError::Sealing(error.to_string()))
    }

    /// An id that stands for these parts: the same in all processes that have our master key.
    pub fn number(&self, parts: &[&[u8]]) -> Uuid {
        Uuid::from_bytes(self.keys().current().number(parts))
    }

    /// Tells the listener of a token that a provider gave us.
    pub fn hears_of(&self, token: &str) {
        (self.on_opened)(Label::Token, token);
    }

    /// Opens what was sealed for this place. With a label, whatever is shown from now on is kept
    /// clear of it.
    pub fn open(
        &self,
        place: &str,
        sealed: &Sealed,
        label: Option<Label>,
    ) -> Result<SecretText, ServiceError> {
        let text = match self.keys().open(place, sealed) {
            Err(OpenError::WrongKey { .. }) => self.fresh().open(place, sealed),
            opened => opened,
        };
        let text = text.map_err(|error| ServiceError::Sealing(error.to_string()))?;
        if let Some(places) = &self.places {
            places.lock().unwrap_or_else(PoisonError::into_inner).insert(sealed.to_text(), place.to_owned());
        }
        if let Some(label) = label {
            (self.on_opened)(label, text.expose());
        }
        Ok(text)
    }

    /// A vault that learns in which place each sealed text opens, from whoever opens it: so nobody else
    /// has to know where in a definition credentials stand.
    pub(super) fn learning(&self) -> Self {
        Self { places: Some(Places::default()), ..self.clone() }
    }

    /// The place in which this text was opened.
    pub(super) fn learned(&self, sealed: &str) -> Option<String> {
        self.places.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).get(sealed).cloned()
    }

    /// The same value under the master key that seals now; none when it is so already.
    pub fn rewrap(&self, place: &str, sealed: &Sealed) -> Result<Option<Sealed>, ServiceError> {
        let moved = self.keys().rewrap(&*self.rng, place, sealed);
        moved.map_err(|error| ServiceError::Sealing(error.to_string()))
    }

    /// A value to recognise the master key by.
    pub(super) fn check(&self) -> Result<Sealed, ServiceError> {
        self.keys().check(&*self.rng).map_err(|error| ServiceError::Sealing(error.to_string()))
    }
}

/// Ids of the master keys that anything in the database is sealed with.
pub(super) async fn master_keys_in(tx: &Tx) -> Result<BTreeSet<String>, ServiceError> {
    let mut ids: BTreeSet<String> = tx.secret_key_ids().await?.into_iter().collect();
    for mut definition in tx.definitions_with(SEALED_MARK).await? {
        ids.extend(credentials::key_ids(&mut definition));
    }
    for definition in tx.connection_definitions_with(SEALED_MARK).await? {
        ids.extend(connection_credentials::key_ids(&definition));
    }
    Ok(ids)
}

/// The place of a credential that was typed into a connection.
pub fn place_of_connection_credential(workspace: WorkspaceId, key: &ConnectionKey, member: &str) -> String {
    sealing::place(&["connection", &workspace.to_string(), key.as_str(), member])
}

/// The place of a token that a provider gave us.
pub fn place_of_provider_token(workspace: WorkspaceId, id: ProviderTokenId, version: i64) -> String {
    let parts = [workspace.to_string(), id.0.to_string(), version.to_string()];
    sealing::place(&["provider_token", &parts[0], &parts[1], &parts[2]])
}

/// The place of a secret's value.
pub fn place_of_secret(workspace: WorkspaceId, name: &SecretName, version: i64) -> String {
    sealing::place(&["secret", &workspace.to_string(), name.as_str(), &version.to_string()])
}

/// The place of a credential that was typed into a field: the pointer of its member inside `auth`.
pub fn place_of_credential(
    workspace: WorkspaceId,
    case_type: &CaseTypeKey,
    field: &FieldKey,
    member: &str,
) -> String {
    let workspace = workspace.to_string();
    sealing::place(&["credential", &workspace, case_type.as_str(), field.as_str(), member])
}
