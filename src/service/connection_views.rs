//! Connections as they are shown: credentials hidden, with the fields that use them.

use serde_json::Value;

use super::connection_credentials;
use super::endpoint_uses::{self, ConnectionUse};
use super::error::ServiceError;
use super::plans::Plans;
use crate::domain::ids::{ConnectionKey, WorkspaceId};
use crate::domain::problem::Problem;
use crate::store::{ConnectionRow, Tx};

/// A connection as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionView {
    /// What is kept of it; its definition is not for showing.
    pub row: ConnectionRow,
    /// The definition with credentials as `[hidden]`.
    pub definition: Value,
    /// The fields that use it, by case type and field.
    pub used_by: Vec<ConnectionUse>,
    /// What is doubtful in it; only a save looks.
    pub warnings: Vec<Problem>,
}

/// One connection.
pub(super) async fn view(
    tx: &Tx,
    plans: &Plans,
    row: ConnectionRow,
    warnings: Vec<Problem>,
) -> Result<ConnectionView, ServiceError> {
    let used_by = used_by(tx, plans, row.workspace, &row.key).await?;
    Ok(shown(row, used_by, warnings))
}

/// The fields that use a connection. Not to be asked behind the change of one in the same
/// transaction: plans would be kept that were made from what may never be.
pub(super) async fn used_by(
    tx: &Tx,
    plans: &Plans,
    workspace: WorkspaceId,
    key: &ConnectionKey,
) -> Result<Vec<ConnectionUse>, ServiceError> {
    Ok(endpoint_uses::users(tx, plans, workspace).await?.remove(key).unwrap_or_default())
}

/// Connections of one workspace.
pub(super) async fn views(
    tx: &Tx,
    plans: &Plans,
    rows: Vec<ConnectionRow>,
) -> Result<Vec<ConnectionView>, ServiceError> {
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    let mut users = endpoint_uses::users(tx, plans, first.workspace).await?;
    let views = rows.into_iter().map(|row| {
        let used_by = users.remove(&row.key).unwrap_or_default();
        shown(row, used_by, Vec::new())
    });
    Ok(views.collect())
}

/// With its users.
pub(super) fn shown(
    row: ConnectionRow,
    used_by: Vec<ConnectionUse>,
    warnings: Vec<Problem>,
) -> ConnectionView {
    let mut definition = row.definition.clone();
    connection_credentials::hide(&mut definition);
    ConnectionView { row, definition, used_by, warnings }
}
