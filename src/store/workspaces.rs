//! Workspaces: the tenants.

use sea_orm::QueryResult;
use serde_json::{Map, Value};

use super::error::StoreError;
use super::rows::Columns;
use super::statement::{int, json, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{WorkspaceId, WorkspaceKey};

/// A row of `workspace`.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkspaceRow {
    /// Its id.
    pub id: WorkspaceId,
    /// Unique in the database.
    pub key: WorkspaceKey,
    /// What people see.
    pub name: String,
    /// What templates read as `params`, below those of the case type.
    pub params: Map<String, Value>,
    /// Counts the changes of name and params.
    pub version: i64,
    /// When it was made.
    pub created_at: Instant,
    /// When it was changed last.
    pub updated_at: Instant,
}

const COLUMNS: &str = "id, key, name, params, version, created_at, updated_at";

fn workspace(row: &QueryResult) -> Result<WorkspaceRow, StoreError> {
    let mut columns = Columns::of("workspace", row)?;
    Ok(WorkspaceRow {
        id: WorkspaceId(columns.id()),
        key: columns.word(|text| text.parse().ok())?,
        name: columns.get()?,
        params: columns.json()?,
        version: columns.get()?,
        created_at: columns.at()?,
        updated_at: columns.at()?,
    })
}

impl Tx {
    /// The workspace with this key.
    pub async fn find_workspace(&self, key: &WorkspaceKey) -> Result<Option<WorkspaceRow>, StoreError> {
        let statement =
            sql(format!("SELECT {COLUMNS} FROM workspace WHERE key = $1"), vec![text(key.as_str())]);
        self.one(statement).await?.as_ref().map(workspace).transpose()
    }

    /// The workspace with this id.
    pub async fn get_workspace(&self, id: WorkspaceId) -> Result<Option<WorkspaceRow>, StoreError> {
        let statement = sql(format!("SELECT {COLUMNS} FROM workspace WHERE id = $1"), vec![uuid(id.0)]);
        self.one(statement).await?.as_ref().map(workspace).transpose()
    }

    /// Adds a workspace; [`StoreError::Duplicate`] when its key is taken.
    pub async fn insert_workspace(&self, row: &WorkspaceRow) -> Result<(), StoreError> {
        let values = vec![
            uuid(row.id.0),
            text(row.key.as_str()),
            text(row.name.as_str()),
            json(&row.params),
            int(row.version),
            ms(row.created_at),
            ms(row.updated_at),
        ];
        let statement =
            sql(format!("INSERT INTO workspace ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)"), values);
        self.execute(statement).await.map(drop)
    }

    /// All workspaces, by key.
    pub async fn list_workspaces(&self) -> Result<Vec<WorkspaceRow>, StoreError> {
        let rows = self.all(sql(format!("SELECT {COLUMNS} FROM workspace ORDER BY key"), vec![])).await?;
        rows.iter().map(workspace).collect()
    }

    /// Writes the next version of a workspace. Where another process has just written one, nobody's
    /// change is lost: this one has to be made again.
    pub async fn update_workspace(&self, row: &WorkspaceRow) -> Result<(), StoreError> {
        let statement = "UPDATE workspace SET name = $1, params = $2, version = $3, updated_at = $4 \
             WHERE id = $5 AND version + 1 = $3";
        let values = vec![
            text(row.name.as_str()),
            json(&row.params),
            int(row.version),
            ms(row.updated_at),
            uuid(row.id.0),
        ];
        if self.execute(sql(statement, values)).await? == 0 {
            return Err(StoreError::Unavailable("the workspace was changed at the same moment".to_owned()));
        }
        Ok(())
    }

    /// The version of a workspace and its params.
    pub async fn workspace_params(
        &self,
        id: WorkspaceId,
    ) -> Result<Option<(i64, Map<String, Value>)>, StoreError> {
        let row = self
            .one(sql("SELECT id, version, params FROM workspace WHERE id = $1", vec![uuid(id.0)]))
            .await?;
        let read = |row: &QueryResult| {
            let mut columns = Columns::of("workspace", row)?;
            Ok((columns.get()?, columns.json()?))
        };
        row.as_ref().map(read).transpose()
    }
}
