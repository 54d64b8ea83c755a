//! Who did what, and with which secret: the audit's chain, last uses, versions of workspaces, and
//! the values by which a master key is recognised.
//!
//! Conventions as in the first migration. Rows of `audit` are only ever added; `audit_head` holds
//! the end of each workspace's chain, so a chain that was cut short is noticed, too, and it is the
//! row that whoever adds one holds. `attempt.secrets` is null for attempts that used none.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

const CHANGES: &[&str] = &[
    "ALTER TABLE workspace ADD COLUMN version INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE token ADD COLUMN last_used_at INTEGER",
    "ALTER TABLE secret ADD COLUMN last_used_at INTEGER",
    "ALTER TABLE attempt ADD COLUMN secrets TEXT",
    "CREATE TABLE audit (
        workspace_id BLOB NOT NULL REFERENCES workspace(id),
        number INTEGER NOT NULL,
        at INTEGER NOT NULL,
        by TEXT NOT NULL,
        token_id BLOB,
        action TEXT NOT NULL,
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        id BLOB,
        version_before INTEGER,
        version_after INTEGER,
        changed TEXT NOT NULL,
        request_id TEXT,
        hash BLOB NOT NULL,
        PRIMARY KEY (workspace_id, number)
    )",
    "CREATE TABLE audit_head (
        workspace_id BLOB NOT NULL PRIMARY KEY,
        number INTEGER NOT NULL,
        hash BLOB NOT NULL
    )",
    "CREATE TABLE key_check (
        key_id TEXT NOT NULL PRIMARY KEY,
        sealed BLOB NOT NULL,
        created_at INTEGER NOT NULL
    )",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, CHANGES).await
    }
}
