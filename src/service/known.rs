//! What a definition may refer to: the names that a workspace has now.

use super::error::ServiceError;
use crate::domain::case_type::{Known, KnownConnection};
use crate::domain::ids::WorkspaceId;
use crate::store::{ConnectionRow, SecretInfo, Tx};

/// What a definition may refer to.
pub(super) async fn known(tx: &Tx, workspace: WorkspaceId) -> Result<Known, ServiceError> {
    let secrets = tx.list_secrets(workspace, None, i64::MAX.unsigned_abs()).await?;
    let params = tx.get_workspace(workspace).await?.map(|row| row.params).unwrap_or_default();
    let hosts = |info: &SecretInfo| info.hosts.iter().map(ToString::to_string).collect();
    let connections = tx.list_connections(workspace, None, i64::MAX.unsigned_abs()).await?;
    let connection = |row: &ConnectionRow| (row.key.to_string(), KnownConnection::of(&row.definition));
    Ok(Known {
        secrets: secrets.iter().map(|info| (info.name.to_string(), hosts(info))).collect(),
        connections: connections.iter().map(connection).collect(),
        params,
    })
}
