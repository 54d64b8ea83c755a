//! Secrets as they lie in rows: sealed. What opens them is not known here.

use sea_orm::{QueryResult, Value};

use super::error::StoreError;
use super::rows::Columns;
use super::statement::{int, json, maybe_text, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{SecretId, SecretName, WorkspaceId};
use crate::domain::sealing::Sealed;
use crate::domain::secret::HostRule;

/// What may be told of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretInfo {
    /// Unique in the workspace.
    pub name: SecretName,
    /// Counts its values; part of what the sealed value is bound to.
    pub version: i64,
    /// Where it may be sent.
    pub hosts: Vec<HostRule>,
    /// Whether its value is replaced wherever it appears.
    pub redact: bool,
    /// When it was made.
    pub created_at: Instant,
    /// When it was changed last.
    pub updated_at: Instant,
    /// When it was opened last for a request, to the minute.
    pub last_used_at: Option<Instant>,
}

/// A row of `secret`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// Its id.
    pub id: SecretId,
    /// What may be told of it.
    pub info: SecretInfo,
    /// The value.
    pub sealed: Sealed,
}

const NEW: &str = "id, name, version, hosts, redact, created_at, updated_at";

const INFO: &str = "id, name, version, hosts, redact, created_at, updated_at, last_used_at";

fn info(columns: &mut Columns<'_>) -> Result<SecretInfo, StoreError> {
    Ok(SecretInfo {
        name: columns.word(|text| text.parse().ok())?,
        version: columns.get()?,
        hosts: columns.json()?,
        redact: columns.get()?,
        created_at: columns.at()?,
        updated_at: columns.at()?,
        last_used_at: columns.maybe_at()?,
    })
}

fn secret(row: &QueryResult) -> Result<SecretRow, StoreError> {
    let mut columns = Columns::of("secret", row)?;
    let info = info(&mut columns)?;
    let bytes: Vec<u8> = columns.get()?;
    let sealed = Sealed::from_bytes(&bytes).map_err(|error| columns.corrupt(error.to_string()))?;
    Ok(SecretRow { id: SecretId(columns.id()), info, sealed })
}

impl Tx {
    /// The secret with this name.
    pub async fn find_secret(
        &self,
        workspace: WorkspaceId,
        name: &SecretName,
    ) -> Result<Option<SecretRow>, StoreError> {
        let statement = sql(
            format!("SELECT {INFO}, sealed FROM secret WHERE workspace_id = $1 AND name = $2"),
            vec![uuid(workspace.0), text(name.as_str())],
        );
        self.one(statement).await?.as_ref().map(secret).transpose()
    }

    /// The secrets of a workspace by name, those after `after` only.
    pub async fn list_secrets(
        &self,
        workspace: WorkspaceId,
        after: Option<&SecretName>,
        limit: u64,
    ) -> Result<Vec<SecretInfo>, StoreError> {
        let statement = sql(
            format!(
                "SELECT {INFO} FROM secret WHERE workspace_id = $1 AND ($2 IS NULL OR name > $2) \
                 ORDER BY name LIMIT $3"
            ),
            vec![
                uuid(workspace.0),
                maybe_text(after.map(SecretName::as_str)),
                int(i64::try_from(limit).unwrap_or(i64::MAX)),
            ],
        );
        let rows = self.all(statement).await?;
        rows.iter().map(|row| info(&mut Columns::of("secret", row)?)).collect()
    }

    /// Secrets of a workspace, counted up to `most`.
    pub async fn count_secrets_in(&self, workspace: WorkspaceId, most: u64) -> Result<u64, StoreError> {
        self.count_up_to("secret WHERE workspace_id = $1", workspace.0, most).await
    }

    /// Ids of the master keys that the secrets of all workspaces are sealed with.
    pub async fn secret_key_ids(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.all(sql("SELECT DISTINCT key_id FROM secret", vec![])).await?;
        rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
    }

    /// Adds a secret, or replaces the one with this name; its id and `created_at` stay. Every attempt
    /// that is claimed after the commit uses it as it is now.
    pub async fn put_secret(&self, workspace: WorkspaceId, row: &SecretRow) -> Result<(), StoreError> {
        let info = &row.info;
        let values = vec![
            uuid(row.id.0),
            text(info.name.as_str()),
            int(info.version),
            json(&info.hosts),
            Value::from(info.redact),
            ms(info.created_at),
            ms(info.updated_at),
            uuid(workspace.0),
            text(row.sealed.key_id()),
            Value::from(row.sealed.to_bytes()),
        ];
        let statement = sql(
            format!(
                "INSERT INTO secret ({NEW}, workspace_id, key_id, sealed) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
                 ON CONFLICT (workspace_id, name) DO UPDATE SET version = excluded.version, \
                 hosts = excluded.hosts, redact = excluded.redact, updated_at = excluded.updated_at, \
                 key_id = excluded.key_id, sealed = excluded.sealed"
            ),
            values,
        );
        self.execute(statement).await?;
        self.raise_credentials_epoch(workspace).await
    }

    /// Removes a secret; `false`: there is none with this name here.
    pub async fn delete_secret(&self, workspace: WorkspaceId, name: &SecretName) -> Result<bool, StoreError> {
        let values = vec![uuid(workspace.0), text(name.as_str())];
        let removed =
            self.execute(sql("DELETE FROM secret WHERE workspace_id = $1 AND name = $2", values)).await?;
        self.raise_credentials_epoch(workspace).await?;
        Ok(removed > 0)
    }
}
