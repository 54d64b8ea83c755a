//! What is sealed, found by the master key that it was sealed with, and written back under
//! another one; and the values by which a master key is recognised.
//!
//! Every write says which version it was read from: what somebody replaced in the meantime stays
//! as they wrote it. A table of its own with sealed values gets its pair of functions here, and
//! its line in `service/rotation.rs` and in `service/vault.rs`.

use sea_orm::{QueryResult, Value as Bound};
use serde_json::Value;
use uuid::Uuid;

use super::case_types::CaseTypeRow;
use super::connections::ConnectionRow;
use super::error::StoreError;
use super::rows::Columns;
use super::statement::{int, json, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{CaseTypeId, ConnectionId, SecretId, SecretName, WorkspaceId};
use crate::domain::sealing::Sealed;

/// A secret's value, and what it is bound to.
#[derive(Debug, Clone)]
pub struct SealedSecret {
    /// Its id.
    pub id: SecretId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Its name.
    pub name: SecretName,
    /// The version of the value.
    pub version: i64,
    /// The value.
    pub sealed: Sealed,
}

fn sealed_in(columns: &mut Columns<'_>) -> Result<Sealed, StoreError> {
    let bytes: Vec<u8> = columns.get()?;
    Sealed::from_bytes(&bytes).map_err(|error| columns.corrupt(error.to_string()))
}

fn secret(row: &QueryResult) -> Result<SealedSecret, StoreError> {
    let mut columns = Columns::of("secret", row)?;
    Ok(SealedSecret {
        id: SecretId(columns.id()),
        workspace: WorkspaceId(columns.get()?),
        name: columns.word(|text| text.parse().ok())?,
        version: columns.get()?,
        sealed: sealed_in(&mut columns)?,
    })
}

impl Tx {
    /// Some secrets of all workspaces behind `after` that are not sealed with this key.
    pub async fn secrets_not_under(
        &self,
        key_id: &str,
        after: SecretId,
        limit: u32,
    ) -> Result<Vec<SealedSecret>, StoreError> {
        let statement = "SELECT id, workspace_id, name, version, sealed FROM secret \
             WHERE key_id <> $1 AND id > $2 ORDER BY id LIMIT $3";
        let rows = self.all(sql(statement, vec![text(key_id), uuid(after.0), int(limit)])).await?;
        rows.iter().map(secret).collect()
    }

    /// Writes a secret's value back under another key.
    pub async fn rewrap_secret(&self, row: &SealedSecret, sealed: &Sealed) -> Result<(), StoreError> {
        let statement =
            "UPDATE secret SET key_id = $1, sealed = $2 WHERE id = $3 AND version = $4 AND key_id = $5";
        let values = vec![
            text(sealed.key_id()),
            Bound::from(sealed.to_bytes()),
            uuid(row.id.0),
            int(row.version),
            text(row.sealed.key_id()),
        ];
        self.execute(sql(statement, values)).await.map(drop)
    }

    /// Some versions of case types of all workspaces behind `after` in which this text stands.
    pub async fn versions_with(
        &self,
        part: &str,
        after: (CaseTypeId, i64),
        limit: u32,
    ) -> Result<Vec<CaseTypeRow>, StoreError> {
        let tail =
            "WHERE v.definition LIKE $1 AND (t.id, v.version) > ($2, $3) ORDER BY t.id, v.version LIMIT $4";
        let values = vec![text(format!("%{part}%")), uuid(after.0.0), int(after.1), int(limit)];
        self.case_types_where(tail, values).await
    }

    /// Writes a version's credentials back under another key.
    pub async fn rewrap_version(&self, row: &CaseTypeRow, definition: &Value) -> Result<(), StoreError> {
        let statement =
            "UPDATE case_type_version SET definition = $1 WHERE case_type_id = $2 AND version = $3";
        self.execute(sql(statement, vec![json(definition), uuid(row.id.0), int(row.version)])).await.map(drop)
    }

    /// Some connections of all workspaces behind `after` in which this text stands.
    pub async fn connections_with(
        &self,
        part: &str,
        after: ConnectionId,
        limit: u32,
    ) -> Result<Vec<ConnectionRow>, StoreError> {
        let values = vec![text(format!("%{part}%")), uuid(after.0), int(limit)];
        self.connections_where("definition LIKE $1 AND id > $2 ORDER BY id LIMIT $3", values).await
    }

    /// Writes a connection's credentials back under another key.
    pub async fn rewrap_connection(&self, row: &ConnectionRow, definition: &Value) -> Result<(), StoreError> {
        let statement = "UPDATE connection SET definition = $1 WHERE id = $2 AND version = $3";
        self.execute(sql(statement, vec![json(definition), uuid(row.id.0), int(row.version)])).await.map(drop)
    }

    /// The check values of the master keys that this database was used with.
    pub async fn key_checks(&self) -> Result<Vec<Sealed>, StoreError> {
        let rows = self.all(sql("SELECT key_id, sealed FROM key_check ORDER BY created_at", vec![])).await?;
        let check = |row: &QueryResult| {
            let corrupt =
                |reason: String| StoreError::Corrupt { table: "key_check", id: Uuid::nil(), reason };
            let bytes: Vec<u8> = row.try_get_by_index(1)?;
            Sealed::from_bytes(&bytes).map_err(|error| corrupt(error.to_string()))
        };
        rows.iter().map(check).collect()
    }

    /// Makes this the only check value.
    pub async fn put_key_check(&self, check: &Sealed, at: Instant) -> Result<(), StoreError> {
        self.execute(sql("DELETE FROM key_check WHERE key_id <> $1", vec![text(check.key_id())])).await?;
        let statement =
            "INSERT INTO key_check (key_id, sealed, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        let values = vec![text(check.key_id()), Bound::from(check.to_bytes()), ms(at)];
        self.execute(sql(statement, values)).await.map(drop)
    }
}
