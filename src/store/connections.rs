//! Connections: one row each, in its current version, credentials sealed.

use sea_orm::{QueryResult, Value as Bound};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::StoreError;
use super::rows::Columns;
use super::statement::{int, json, maybe_text, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::connection::ConnectionStatus;
use crate::domain::ids::{ConnectionId, ConnectionKey, WorkspaceId};

/// A connection as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionRow {
    /// Its id.
    pub id: ConnectionId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Unique in the workspace.
    pub key: ConnectionKey,
    /// Counts the changes of the definition.
    pub version: i64,
    /// The normal form, with literal credentials sealed.
    pub definition: Value,
    /// How far it has come.
    pub status: ConnectionStatus,
    /// What the last versions changed, oldest first.
    pub changes: Vec<ConnectionChange>,
    /// When it was made.
    pub created_at: Instant,
    /// When this version was made.
    pub updated_at: Instant,
}

/// What one version of a connection changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionChange {
    /// The version.
    pub version: i64,
    /// Dotted paths in the definition, sorted.
    pub paths: Vec<String>,
}

/// As much of a connection as changes between two attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionNow {
    /// Its id.
    pub id: ConnectionId,
    /// The version of its definition.
    pub version: i64,
    /// How far it has come.
    pub status: ConnectionStatus,
}

const COLUMNS: &str = "id, workspace_id, key, version, definition, status, changes, created_at, updated_at";

fn connection(row: &QueryResult) -> Result<ConnectionRow, StoreError> {
    let mut columns = Columns::of("connection", row)?;
    Ok(ConnectionRow {
        id: ConnectionId(columns.id()),
        workspace: WorkspaceId(columns.get()?),
        key: columns.word(|text| text.parse().ok())?,
        version: columns.get()?,
        definition: columns.json()?,
        status: columns.word(ConnectionStatus::parse)?,
        changes: columns.json()?,
        created_at: columns.at()?,
        updated_at: columns.at()?,
    })
}

impl Tx {
    /// Whether there is a connection with this key; then it stays until the commit.
    pub(super) async fn keep_connection(
        &self,
        workspace: WorkspaceId,
        key: &str,
    ) -> Result<bool, StoreError> {
        let lock = self.dialect().for_keys();
        let statement = format!("SELECT 1 FROM connection WHERE workspace_id = $1 AND key = $2{lock}");
        Ok(self.one(sql(statement, vec![uuid(workspace.0), text(key)])).await?.is_some())
    }

    pub(super) async fn connections_where(
        &self,
        tail: &str,
        values: Vec<Bound>,
    ) -> Result<Vec<ConnectionRow>, StoreError> {
        let rows = self.all(sql(format!("SELECT {COLUMNS} FROM connection WHERE {tail}"), values)).await?;
        rows.iter().map(connection).collect()
    }

    /// The connection with this key.
    pub async fn find_connection(
        &self,
        workspace: WorkspaceId,
        key: &ConnectionKey,
    ) -> Result<Option<ConnectionRow>, StoreError> {
        let values = vec![uuid(workspace.0), text(key.as_str())];
        Ok(self.connections_where("workspace_id = $1 AND key = $2", values).await?.pop())
    }

    /// Where the connection with this key stands now.
    pub async fn connection_now(
        &self,
        workspace: WorkspaceId,
        key: &ConnectionKey,
    ) -> Result<Option<ConnectionNow>, StoreError> {
        let statement = "SELECT id, version, status FROM connection WHERE workspace_id = $1 AND key = $2";
        let row = self.one(sql(statement, vec![uuid(workspace.0), text(key.as_str())])).await?;
        let read = |row: &QueryResult| {
            let mut columns = Columns::of("connection", row)?;
            let (version, status) = (columns.get()?, columns.word(ConnectionStatus::parse)?);
            Ok(ConnectionNow { id: ConnectionId(columns.id()), version, status })
        };
        row.as_ref().map(read).transpose()
    }

    /// The connections of a workspace by key, those after `after` only.
    pub async fn list_connections(
        &self,
        workspace: WorkspaceId,
        after: Option<&ConnectionKey>,
        limit: u64,
    ) -> Result<Vec<ConnectionRow>, StoreError> {
        let values = vec![
            uuid(workspace.0),
            maybe_text(after.map(ConnectionKey::as_str)),
            int(i64::try_from(limit).unwrap_or(i64::MAX)),
        ];
        let tail = "workspace_id = $1 AND ($2 IS NULL OR key > $2) ORDER BY key LIMIT $3";
        self.connections_where(tail, values).await
    }

    /// Connections of a workspace, counted up to `most`.
    pub async fn count_connections_in(&self, workspace: WorkspaceId, most: u64) -> Result<u64, StoreError> {
        self.count_up_to("connection WHERE workspace_id = $1", workspace.0, most).await
    }

    /// The definitions of the connections of all workspaces in which this text stands.
    pub async fn connection_definitions_with(&self, part: &str) -> Result<Vec<Value>, StoreError> {
        let tail = "definition LIKE $1";
        let rows = self.connections_where(tail, vec![text(format!("%{part}%"))]).await?;
        Ok(rows.into_iter().map(|row| row.definition).collect())
    }

    /// Adds a connection; [`StoreError::Duplicate`] when its key is taken.
    pub async fn insert_connection(&self, row: &ConnectionRow) -> Result<(), StoreError> {
        let statement =
            format!("INSERT INTO connection ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
        let values = vec![
            uuid(row.id.0),
            uuid(row.workspace.0),
            text(row.key.as_str()),
            int(row.version),
            json(&row.definition),
            text(row.status.as_str()),
            json(&row.changes),
            ms(row.created_at),
            ms(row.updated_at),
        ];
        self.execute(sql(statement, values)).await.map(drop)
    }

    /// Writes a new version of a connection over the one before. Where another process has just
    /// written one, nobody's change is lost: this one has to be made again.
    pub async fn update_connection(&self, row: &ConnectionRow) -> Result<(), StoreError> {
        let statement = "UPDATE connection SET version = $1, definition = $2, status = $3, changes = $4, \
             updated_at = $5 WHERE id = $6 AND version + 1 = $1";
        let values = vec![
            int(row.version),
            json(&row.definition),
            text(row.status.as_str()),
            json(&row.changes),
            ms(row.updated_at),
            uuid(row.id.0),
        ];
        if self.execute(sql(statement, values)).await? == 0 {
            return Err(StoreError::Unavailable("the connection was changed at the same moment".to_owned()));
        }
        self.raise_credentials_epoch(row.workspace).await
    }

    /// Says how far a connection has come.
    pub async fn set_connection_status(
        &self,
        id: ConnectionId,
        status: ConnectionStatus,
    ) -> Result<(), StoreError> {
        let statement = "UPDATE connection SET status = $1 WHERE id = $2";
        self.execute(sql(statement, vec![text(status.as_str()), uuid(id.0)])).await.map(drop)
    }

    /// The provider has answered at this version: a connection that was only configured or tested is active.
    pub async fn prove_connection(&self, id: ConnectionId, version: i64) -> Result<(), StoreError> {
        let statement = "UPDATE connection SET status = 'active' WHERE id = $1 AND version = $2 AND status IN ('configured', 'tested')";
        self.execute(sql(statement, vec![uuid(id.0), int(version)])).await.map(drop)
    }

    /// Removes a connection.
    pub async fn delete_connection(&self, id: ConnectionId) -> Result<(), StoreError> {
        self.execute(sql("DELETE FROM connection WHERE id = $1", vec![uuid(id.0)])).await.map(drop)
    }
}
