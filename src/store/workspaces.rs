//! Workspaces: the tenants.

use sea_orm::QueryResult;
use serde_json::{Map, Value};

use super::error::StoreError;
use super::rows::Columns;
use super::statement::{json, ms, sql, text, uuid};
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
    /// When it was made.
    pub created_at: Instant,
    /// When it was changed last.
    pub updated_at: Instant,
}

const COLUMNS: &str = "id, key, name, params, created_at, updated_at";

fn workspace(row: &QueryResult) -> Result<WorkspaceRow, StoreError> {
    let mut columns = Columns::of("workspace", row)?;
    Ok(WorkspaceRow {
        id: WorkspaceId(columns.id()),
        key: columns.word(|text| text.parse().ok())?,
        name: columns.get()?,
        params: columns.json()?,
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
            ms(row.created_at),
            ms(row.updated_at),
        ];
        let statement =
            sql(format!("INSERT INTO workspace ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)"), values);
        self.execute(statement).await.map(drop)
    }
}
