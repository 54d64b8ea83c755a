//! Tokens that providers gave us, shared by all processes on the database.
//!
//! Conventions as in the first migration. The id is a keyed hash of what the token is asked with, so
//! whoever asks the same shares it. A row without `sealed` has no token (yet, or any more); whoever
//! fetches the next one holds the row until `held_until`.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

const CHANGES: &[&str] = &[
    "CREATE TABLE provider_token (
        id BLOB NOT NULL PRIMARY KEY,
        workspace_id BLOB NOT NULL REFERENCES workspace(id),
        version INTEGER NOT NULL,
        sealed BLOB,
        key_id TEXT,
        fetched_at INTEGER,
        expires_at INTEGER,
        holder BLOB,
        held_until INTEGER
    )",
    "CREATE INDEX provider_token_end ON provider_token (expires_at)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, CHANGES).await
    }
}
