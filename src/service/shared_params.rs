//! The params of workspaces, remembered for up to 5 s; known at once where they were changed.

use std::hash::Hash;
use std::sync::Arc;

use moka::future::Cache;
use serde_json::{Map, Value};

use super::access::REMEMBERED;
use crate::domain::ids::WorkspaceId;
use crate::store::{StoreError, Tx};

const WORKSPACES: u64 = 10_000;

/// The params of a workspace.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    /// The version of the workspace that they are of.
    pub(super) version: i64,
    pub(super) params: Arc<Map<String, Value>>,
}

/// Those of all workspaces. Cheap to clone.
#[derive(Clone)]
pub(super) struct SharedParams(Cache<WorkspaceId, Shared>);

impl SharedParams {
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(WORKSPACES).time_to_live(REMEMBERED).build())
    }

    /// Those that are remembered.
    pub(super) async fn known(&self, workspace: WorkspaceId) -> Option<Shared> {
        self.0.get(&workspace).await
    }

    /// Those that are remembered, else as this transaction sees them.
    pub(super) async fn read(&self, tx: &Tx, workspace: WorkspaceId) -> Result<Shared, StoreError> {
        if let Some(shared) = self.known(workspace).await {
            return Ok(shared);
        }
        let (version, params) = tx.workspace_params(workspace).await?.unwrap_or_default();
        let shared = Shared { version, params: Arc::new(params) };
        self.keep(workspace, shared.clone()).await;
        Ok(shared)
    }

    /// Remembers them. Earlier ones never replace later ones, so that who read before a change does
    /// not undo it.
    pub(super) async fn keep(&self, workspace: WorkspaceId, shared: Shared) {
        let later = |entry: Option<moka::Entry<WorkspaceId, Shared>>| {
            let old = entry.map(moka::Entry::into_value);
            std::future::ready(old.filter(|old| old.version > shared.version).unwrap_or(shared))
        };
        self.0.entry(workspace).and_upsert_with(later).await;
    }
}

/// Remembers the greater one, so that who read before a save does not undo it.
pub(super) async fn keep_greater<K, V>(cache: &Cache<K, V>, key: K, value: V)
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Ord + Clone + Send + Sync + 'static,
{
    let greater = |entry: Option<moka::Entry<K, V>>| {
        let old = entry.map(moka::Entry::into_value);
        std::future::ready(old.map_or(value.clone(), |old| old.max(value)))
    };
    cache.entry(key).and_upsert_with(greater).await;
}
