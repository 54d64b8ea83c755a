//! How often the credentials of a workspace were changed.
//!
//! The number goes up in the transaction of each change of a secret, of a connection, or of a field
//! that brings credentials of its own. A claim reads it with the cases of its runs, so an attempt
//! knows at no cost whether what its process remembers is still what is committed. What it counts is
//! not said: whoever sees another number reads anew.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::error::StoreError;
use super::statement::{list, sql, uuid};
use super::tx::Tx;
use crate::domain::ids::WorkspaceId;

impl Tx {
    /// Counts a change.
    pub async fn raise_credentials_epoch(&self, workspace: WorkspaceId) -> Result<(), StoreError> {
        let statement = "UPDATE workspace SET credentials_epoch = credentials_epoch + 1 WHERE id = $1";
        self.execute(sql(statement, vec![uuid(workspace.0)])).await.map(drop)
    }

    /// The changes so far. Read it before what it is about: then nothing newer is taken for older.
    pub async fn credentials_epoch(&self, workspace: WorkspaceId) -> Result<i64, StoreError> {
        let epochs = self.credentials_epochs(&BTreeSet::from([workspace.0])).await?;
        Ok(epochs.get(&workspace.0).copied().unwrap_or_default())
    }

    /// Those of several workspaces.
    pub(super) async fn credentials_epochs(
        &self,
        workspaces: &BTreeSet<Uuid>,
    ) -> Result<HashMap<Uuid, i64>, StoreError> {
        if workspaces.is_empty() {
            return Ok(HashMap::new());
        }
        let statement = format!(
            "SELECT id, credentials_epoch FROM workspace WHERE id IN ({})",
            list(workspaces.len(), 1)
        );
        let rows = self.all(sql(statement, workspaces.iter().map(|id| uuid(*id)).collect())).await?;
        rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
    }
}
