//! Connections as they are used: compiled once per version and shared.
//!
//! An attempt takes the connection as it is now. So its version and status are read from the
//! database each time, one small row, and a change counts at once on every process; what is
//! remembered are the compiled versions, which never change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use moka::future::Cache;

use super::compiled::possible_secrets;
use super::connection_credentials::{self, Owner};
use super::error::ServiceError;
use super::vault::Vault;
use crate::domain::case_type::Known;
use crate::domain::connection::{Connection, ConnectionStatus};
use crate::domain::ids::{ConnectionId, ConnectionKey, WorkspaceId};
use crate::domain::secret::SecretText;
use crate::store::{ConnectionRow, Store, StoreError, Tx};

const COMPILED: u64 = 10_000;

/// One version of a connection, ready to use. Cheap to clone.
#[derive(Clone)]
pub struct ConnectionPlan(Arc<Compiled>);

pub(super) struct Compiled {
    id: ConnectionId,
    version: i64,
    connection: Connection,
    typed: Vec<SecretText>,
    /// Somebody of this process has told that the provider answered.
    proved: AtomicBool,
}

impl ConnectionPlan {
    /// Its id.
    pub fn id(&self) -> ConnectionId {
        self.0.id
    }

    /// Its version.
    pub fn version(&self) -> i64 {
        self.0.version
    }

    /// The definition, compiled; literal credentials are open in it.
    pub fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// The credentials that were typed into it, which nothing shown may hold.
    pub fn credentials(&self) -> &[SecretText] {
        &self.0.typed
    }
}

/// All connections, compiled. Cheap to clone.
#[derive(Clone)]
pub struct ConnectionPlans(Arc<Inner>);

struct Inner {
    store: Store,
    vault: Vault,
    compiled: Cache<(ConnectionId, i64), Arc<Compiled>>,
}

impl ConnectionPlans {
    /// On this database.
    pub fn new(store: Store, vault: Vault) -> Self {
        Self(Arc::new(Inner { store, vault, compiled: Cache::new(COMPILED) }))
    }

    /// The rows below.
    pub(super) fn store(&self) -> Store {
        self.0.store.clone()
    }

    /// The connection with this key as it is now, and how far it has come.
    pub async fn current(
        &self,
        workspace: WorkspaceId,
        key: &ConnectionKey,
    ) -> Result<Option<(ConnectionPlan, ConnectionStatus)>, ServiceError> {
        let tx = self.0.store.read().await?;
        let Some(now) = tx.connection_now(workspace, key).await? else { return Ok(None) };
        if let Some(compiled) = self.0.compiled.get(&(now.id, now.version)).await {
            return Ok(Some((ConnectionPlan(compiled), now.status)));
        }
        let Some(row) = tx.find_connection(workspace, key).await? else { return Ok(None) };
        Ok(Some((self.of_row(&row).await?, row.status)))
    }

    /// All connections of a workspace, by key, as this transaction sees them.
    pub async fn all_in(&self, tx: &Tx, workspace: WorkspaceId) -> Result<Vec<ConnectionPlan>, ServiceError> {
        let mut all = Vec::new();
        for row in tx.list_connections(workspace, None, i64::MAX.unsigned_abs()).await? {
            all.push(self.of_row(&row).await?);
        }
        Ok(all)
    }

    /// One row, compiled.
    pub async fn of_row(&self, row: &ConnectionRow) -> Result<ConnectionPlan, ServiceError> {
        let place = (row.id, row.version);
        if let Some(compiled) = self.0.compiled.get(&place).await {
            return Ok(ConnectionPlan(compiled));
        }
        let compiled = Arc::new(compile(row, &self.0.vault)?);
        self.0.compiled.insert(place, compiled.clone()).await;
        Ok(ConnectionPlan(compiled))
    }

    /// The provider has answered a run as it should: a connection that was only configured is
    /// active from now on. Told once per version and process; where it cannot be written, the next
    /// success tells it again.
    pub async fn proved(&self, plan: &ConnectionPlan) {
        if plan.0.proved.swap(true, Ordering::Relaxed) {
            return;
        }
        let (id, version) = (plan.id(), plan.version());
        let written: Result<(), StoreError> = self
            .0
            .store
            .write(move |tx| Box::pin(async move { tx.prove_connection(id, version).await }))
            .await;
        if let Err(error) = written {
            plan.0.proved.store(false, Ordering::Relaxed);
            tracing::debug!(%error, "the status of a connection could not be written");
        }
    }
}

/// Compiles what is kept of a connection, and opens the credentials in it.
pub(super) fn compile(row: &ConnectionRow, vault: &Vault) -> Result<Compiled, ServiceError> {
    let mut definition = row.definition.clone();
    let owner = Owner { vault, workspace: row.workspace, key: &row.key };
    let typed = connection_credentials::open(&mut definition, owner)?;
    // What was saved is compiled even when a secret of it is gone: the run then says so.
    let mut known = Known::default();
    possible_secrets(&definition, &mut known.secrets);
    let parsed = Connection::parse(&definition, &known).map_err(|problems| StoreError::Corrupt {
        table: "connection",
        id: row.id.0,
        reason: format!("version {}: {}", row.version, ServiceError::Invalid(problems)),
    })?;
    let proved = AtomicBool::new(false);
    Ok(Compiled { id: row.id, version: row.version, connection: parsed.connection, typed, proved })
}
