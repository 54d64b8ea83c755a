//! Connections: providers that are set up once.
//!
//! Conventions as in the first migration. A row holds the current version only, since an attempt
//! takes the connection as it is now; `changes` tells a conditional request what the last versions
//! changed.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

const CHANGES: &[&str] = &["CREATE TABLE connection (
        id BLOB NOT NULL PRIMARY KEY,
        workspace_id BLOB NOT NULL REFERENCES workspace(id),
        key TEXT NOT NULL,
        version INTEGER NOT NULL,
        definition TEXT NOT NULL,
        status TEXT NOT NULL,
        changes TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        UNIQUE (workspace_id, key)
    )"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, CHANGES).await
    }
}
