//! The audit: one chain of entries per workspace, which only grows.
//!
//! Whoever adds an entry takes the row of the chain's end first and holds it until the
//! transaction is over, so two replicas never add to the same end. Add it last: what is held
//! after it holds others up.

use std::sync::Arc;

use sea_orm::{QueryResult, Value};

use super::error::StoreError;
use super::rows::Columns;
use super::statement::{int, json, maybe_uuid, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::audit::{
    self, AuditAction, AuditChange, AuditEntry, AuditHash, AuditKind, Author, BEGINNING, Link,
};
use crate::domain::clock::Instant;
use crate::domain::ids::{TokenId, WorkspaceId};

/// Which entries to list; everything given must hold.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Of things of this kind.
    pub kind: Option<AuditKind>,
    /// Of things with this key or name.
    pub key: Option<String>,
    /// What somebody did, as `by` names them.
    pub by: Option<String>,
    /// Done at this time or later.
    pub since: Option<Instant>,
    /// Done before this time.
    pub until: Option<Instant>,
}

impl AuditFilter {
    fn condition(&self, workspace: WorkspaceId) -> (String, Vec<Value>) {
        let mut parts = vec!["workspace_id = $1".to_owned()];
        let mut values = vec![uuid(workspace.0)];
        let texts = [
            ("kind", self.kind.map(AuditKind::as_str)),
            ("key", self.key.as_deref()),
            ("by", self.by.as_deref()),
        ];
        for (column, value) in texts {
            if let Some(value) = value {
                values.push(text(value));
                parts.push(format!("{column} = ${}", values.len()));
            }
        }
        for (part, at) in [("at >=", self.since), ("at <", self.until)] {
            if let Some(at) = at {
                values.push(ms(at));
                parts.push(format!("{part} ${}", values.len()));
            }
        }
        (parts.join(" AND "), values)
    }
}

const COLUMNS: &str = "workspace_id, number, at, by, token_id, action, kind, key, id, version_before, version_after, \
     changed, request_id, hash";

fn entry(row: &QueryResult) -> Result<AuditEntry, StoreError> {
    let mut columns = Columns::of("audit", row)?;
    let (number, at) = (columns.get()?, columns.at()?);
    let (by, token) = (columns.get()?, columns.get::<Option<uuid::Uuid>>()?.map(TokenId));
    let change = AuditChange {
        action: columns.word(AuditAction::parse)?,
        kind: columns.word(AuditKind::parse)?,
        key: columns.get()?,
        id: columns.get()?,
        version_before: columns.get()?,
        version_after: columns.get()?,
        changed: columns.json()?,
    };
    let request_id = columns.get::<Option<String>>()?.map(Arc::from);
    let hash = hash(&mut columns)?;
    Ok(AuditEntry { number, at, author: Author { by, token, request_id }, change, hash })
}

fn hash(columns: &mut Columns<'_>) -> Result<AuditHash, StoreError> {
    let bytes: Vec<u8> = columns.get()?;
    bytes.try_into().map_err(|_| columns.corrupt("a hash has 32 bytes"))
}

impl Tx {
    /// Adds an entry at the end of the workspace's chain.
    pub async fn add_audit(
        &self,
        workspace: WorkspaceId,
        author: &Author,
        change: &AuditChange,
        at: Instant,
    ) -> Result<(), StoreError> {
        let take = "INSERT INTO audit_head (workspace_id, number, hash) VALUES ($1, 1, $2) \
             ON CONFLICT (workspace_id) DO UPDATE SET number = audit_head.number + 1 \
             RETURNING workspace_id, number, hash";
        let beginning = Value::from(BEGINNING.to_vec());
        let row = self.one(sql(take, vec![uuid(workspace.0), beginning])).await?;
        let row = row.ok_or_else(|| StoreError::Refused("the audit has no end".to_owned()))?;
        let mut columns = Columns::of("audit_head", &row)?;
        let (number, before): (i64, _) = (columns.get()?, hash(&mut columns)?);
        let hash = audit::hash(&before, workspace, (number, at), author, change);
        let end = "UPDATE audit_head SET hash = $1 WHERE workspace_id = $2";
        self.execute(sql(end, vec![Value::from(hash.to_vec()), uuid(workspace.0)])).await?;
        let values = vec![
            uuid(workspace.0),
            int(number),
            ms(at),
            text(author.by.as_str()),
            maybe_uuid(author.token.map(|token| token.0)),
            text(change.action.as_str()),
            text(change.kind.as_str()),
            text(change.key.as_str()),
            maybe_uuid(change.id),
            Value::from(change.version_before),
            Value::from(change.version_after),
            json(&change.changed),
            Value::from(author.request_id.as_deref().map(str::to_owned)),
            Value::from(hash.to_vec()),
        ];
        let statement = format!(
            "INSERT INTO audit ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
        );
        self.execute(sql(statement, values)).await.map(drop)
    }

    /// Entries of the workspace, newest first, those before `before` only.
    pub async fn list_audit(
        &self,
        workspace: WorkspaceId,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let (mut condition, mut values) = filter.condition(workspace);
        if let Some(before) = before {
            values.push(int(before));
            condition = format!("{condition} AND number < ${}", values.len());
        }
        values.push(int(i64::try_from(limit).unwrap_or(i64::MAX)));
        let statement = format!(
            "SELECT {COLUMNS} FROM audit WHERE {condition} ORDER BY number DESC LIMIT ${}",
            values.len()
        );
        self.all(sql(statement, values)).await?.iter().map(entry).collect()
    }

    /// How many entries match, counted up to `most`.
    pub async fn count_audit(
        &self,
        workspace: WorkspaceId,
        filter: &AuditFilter,
        most: u64,
    ) -> Result<u64, StoreError> {
        let (condition, mut values) = filter.condition(workspace);
        values.push(int(i64::try_from(most).unwrap_or(i64::MAX)));
        let statement = format!(
            "SELECT count(*) FROM (SELECT 1 FROM audit WHERE {condition} LIMIT ${}) AS found",
            values.len()
        );
        self.number(sql(statement, values)).await
    }

    /// Entries of the workspace behind `after`, oldest first. One that cannot be read back is
    /// answered by its number and why.
    pub async fn chain(
        &self,
        workspace: WorkspaceId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Result<AuditEntry, String>>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM audit WHERE workspace_id = $1 AND number > $2 ORDER BY number LIMIT $3"
        );
        let rows = self.all(sql(statement, vec![uuid(workspace.0), int(after), int(limit)])).await?;
        Ok(rows.iter().map(|row| entry(row).map_err(|error| error.to_string())).collect())
    }

    /// The end of the workspace's chain, as it was noted when the last entry was added.
    pub async fn chain_end(&self, workspace: WorkspaceId) -> Result<Link, StoreError> {
        let statement = "SELECT workspace_id, number, hash FROM audit_head WHERE workspace_id = $1";
        let Some(row) = self.one(sql(statement, vec![uuid(workspace.0)])).await? else {
            return Ok(Link::BEGINNING);
        };
        let mut columns = Columns::of("audit_head", &row)?;
        Ok(Link { number: columns.get()?, hash: hash(&mut columns)? })
    }

    /// Paths of one thing that were changed after a version of it, sorted, each once.
    pub async fn audited_since(
        &self,
        workspace: WorkspaceId,
        kind: AuditKind,
        version: i64,
    ) -> Result<Vec<String>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM audit WHERE workspace_id = $1 AND kind = $2 AND version_after > $3 ORDER BY number"
        );
        let values = vec![uuid(workspace.0), text(kind.as_str()), int(version)];
        let mut paths = Vec::new();
        for row in self.all(sql(statement, values)).await? {
            paths.extend(entry(&row)?.change.changed);
        }
        paths.sort();
        paths.dedup();
        Ok(paths)
    }
}
