//! A workspace as answers show it.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::words::Time;
use crate::store::WorkspaceRow;

/// The caller's workspace.
#[derive(Serialize, ToSchema)]
#[schema(as = Workspace)]
pub struct WorkspaceView {
    id: Uuid,
    key: String,
    /// What people see.
    name: String,
    /// What templates read as `params`, below those of the case type.
    params: Map<String, Value>,
    /// Counts the changes of name and params.
    version: i64,
    created_at: Time,
    updated_at: Time,
}

impl From<&WorkspaceRow> for WorkspaceView {
    fn from(row: &WorkspaceRow) -> Self {
        Self {
            id: row.id.0,
            key: row.key.to_string(),
            name: row.name.clone(),
            params: row.params.clone(),
            version: row.version,
            created_at: Time(row.created_at),
            updated_at: Time(row.updated_at),
        }
    }
}
