//! What the triggers need beside the runs: schedules, overrides, what each field's data was made
//! from, the changes that a conditional request is told about, and keys of repeated requests.
//!
//! Conventions as in the first migration. A schedule's tick that is under way stands in its row
//! (`tick_at`, `tick_after`), so whoever goes on with it begins where the last page ended.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

const CHANGES: &[&str] = &[
    "ALTER TABLE cases ADD COLUMN overrides TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE field_state ADD COLUMN owed BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE field_state ADD COLUMN inputs TEXT",
    "ALTER TABLE field_state ADD COLUMN inputs_changed BOOLEAN NOT NULL DEFAULT FALSE",
    "CREATE TABLE schedule (
        id BLOB NOT NULL PRIMARY KEY,
        workspace_id BLOB NOT NULL,
        case_type_id BLOB NOT NULL REFERENCES case_type(id) ON DELETE CASCADE,
        field TEXT NOT NULL,
        cron TEXT NOT NULL,
        timezone TEXT NOT NULL,
        paused BOOLEAN NOT NULL,
        next_at INTEGER,
        tick_at INTEGER,
        tick_after BLOB,
        last_tick_at INTEGER,
        last_runs INTEGER NOT NULL,
        created_at INTEGER NOT NULL
    )",
    "CREATE UNIQUE INDEX schedule_field ON schedule (case_type_id, field)",
    "CREATE TABLE case_change (
        case_id BLOB NOT NULL REFERENCES cases(id) ON DELETE CASCADE,
        version INTEGER NOT NULL,
        at INTEGER NOT NULL,
        by TEXT NOT NULL,
        paths TEXT NOT NULL,
        PRIMARY KEY (case_id, version)
    )",
    "CREATE TABLE idempotency (
        workspace_id BLOB NOT NULL,
        token_id BLOB NOT NULL,
        path TEXT NOT NULL,
        key TEXT NOT NULL,
        body_hash BLOB NOT NULL,
        status INTEGER NOT NULL,
        code TEXT,
        location TEXT,
        runs TEXT,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (workspace_id, token_id, path, key)
    )",
    "CREATE INDEX idempotency_age ON idempotency (created_at)",
    "CREATE TABLE cache_purge (
        workspace_id BLOB NOT NULL,
        scope TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        PRIMARY KEY (workspace_id, scope)
    )",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, CHANGES).await
    }
}
