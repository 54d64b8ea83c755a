//! Which cached answers are void: each purge raises the epoch of what it names.
//!
//! The epoch is part of the key under which a process keeps an answer, and is read at every
//! look-up. So a purge reaches all processes on this database with its commit.

use std::fmt;

use super::error::StoreError;
use super::statement::{int, list, sql, text, uuid};
use super::tx::Tx;
use crate::domain::ids::{CaseTypeId, ConnectionId, FieldKey, WorkspaceId};

/// What a purge names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PurgeScope {
    /// Everything.
    Workspace,
    /// The fields of a case type.
    CaseType(CaseTypeId),
    /// One field of a case type.
    Field(CaseTypeId, FieldKey),
    /// The fields over a connection.
    Connection(ConnectionId),
}

/// As it stands in rows.
impl fmt::Display for PurgeScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workspace => f.write_str("workspace"),
            Self::CaseType(id) => write!(f, "type:{id}"),
            Self::Field(id, key) => write!(f, "field:{id}:{key}"),
            Self::Connection(id) => write!(f, "connection:{id}"),
        }
    }
}

/// The row that counts the purges of a workspace.
const DRAWN: &str = "drawn";

impl Tx {
    /// The greatest epoch of these scopes; 0 when none of them was ever purged.
    pub async fn purge_epoch(
        &self,
        workspace: WorkspaceId,
        scopes: &[PurgeScope],
    ) -> Result<u64, StoreError> {
        let statement = format!(
            "SELECT COALESCE(MAX(epoch), 0) FROM cache_purge WHERE workspace_id = $1 AND scope IN ({})",
            list(scopes.len(), 2)
        );
        let scopes = scopes.iter().map(|scope| text(scope.to_string()));
        self.number(sql(statement, std::iter::once(uuid(workspace.0)).chain(scopes).collect())).await
    }

    /// Gives the scope an epoch that none of the workspace had before. Otherwise a purged field
    /// could come to an epoch at which another field has stored the same answer.
    pub async fn raise_purge_epoch(
        &self,
        workspace: WorkspaceId,
        scope: &PurgeScope,
    ) -> Result<(), StoreError> {
        let draw = "INSERT INTO cache_purge (workspace_id, scope, epoch) VALUES ($1, $2, 1) \
             ON CONFLICT (workspace_id, scope) DO UPDATE SET epoch = cache_purge.epoch + 1 RETURNING epoch";
        let epoch = self.number(sql(draw, vec![uuid(workspace.0), text(DRAWN)])).await?;
        let raise = "INSERT INTO cache_purge (workspace_id, scope, epoch) VALUES ($1, $2, $3) \
             ON CONFLICT (workspace_id, scope) DO UPDATE SET epoch = excluded.epoch";
        let epoch = int(i64::try_from(epoch).unwrap_or(i64::MAX));
        self.execute(sql(raise, vec![uuid(workspace.0), text(scope.to_string()), epoch])).await?;
        Ok(())
    }
}
