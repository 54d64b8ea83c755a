//! Seals and opens: the one holder of the master key.
//!
//! Whatever is opened is told to a listener first, which is how the logs learn what they must
//! not show. A value is bound to its place, so a row that was moved elsewhere does not open.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::connection_credentials;
use super::credentials;
use super::error::ServiceError;
use super::sealed_members::SEALED_MARK;
use crate::domain::clock::SharedRng;
use crate::domain::ids::{CaseTypeKey, ConnectionKey, FieldKey, SecretName, WorkspaceId};
use crate::domain::redact::Label;
use crate::domain::sealing::{self, MasterKey, Sealed};
use crate::domain::secret::SecretText;
use crate::store::{ProviderTokenId, Store};

/// Is told every value that was opened, and what stands in its place where it is shown.
pub type OnOpened = dyn Fn(Label, &str) + Send + Sync;

/// Seals and opens. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    master: Arc<MasterKey>,
    rng: SharedRng,
    on_opened: Arc<OnOpened>,
}

impl Vault {
    /// With this master key.
    pub fn new(master: MasterKey, rng: SharedRng, on_opened: Arc<OnOpened>) -> Self {
        Self { master: Arc::new(master), rng, on_opened }
    }

    /// Seals a text for its place.
    pub fn seal(&self, place: &str, text: &str) -> Result<Sealed, ServiceError> {
        sealing::seal(&self.master, &*self.rng, place, text.as_bytes())
            .map_err(|error| ServiceError::Sealing(error.to_string()))
    }

    /// An id that stands for these parts: the same in all processes that have our master key.
    pub fn number(&self, parts: &[&[u8]]) -> Uuid {
        Uuid::from_bytes(self.master.number(parts))
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
        let text = sealing::open(&self.master, place, sealed)
            .map_err(|error| ServiceError::Sealing(error.to_string()))?;
        if let Some(label) = label {
            (self.on_opened)(label, text.expose());
        }
        Ok(text)
    }
}

/// Ids of the master keys that anything in the database is sealed with.
pub async fn master_keys_in_use(store: &Store) -> Result<BTreeSet<String>, ServiceError> {
    let tx = store.read().await?;
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
