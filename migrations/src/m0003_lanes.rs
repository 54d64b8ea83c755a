//! Lanes: bulkheads of providers. A run knows its lane, and waits apart (`parked`) while its lane
//! lets nothing go.
//!
//! Conventions as in the first migration. A row in `lane` is there only where there are settings
//! or there was trouble; all others are as the defaults say.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

const CHANGES: &[&str] = &[
    "ALTER TABLE run ADD COLUMN parked BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE run ADD COLUMN permit BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE run ADD COLUMN counted BOOLEAN NOT NULL DEFAULT FALSE",
    "UPDATE run SET lane = 'field:' || case_type || '.' || field \
     WHERE lane IS NULL AND status IN ('queued', 'running')",
    "DROP INDEX run_due",
    "CREATE INDEX run_due ON run (workspace_id, lane, priority, due_at) WHERE status = 'queued' AND NOT parked",
    "CREATE INDEX run_parked ON run (workspace_id, lane, priority, id) WHERE status = 'queued' AND parked",
    "CREATE INDEX run_permit ON run (workspace_id, lane) WHERE status = 'running' AND permit",
    "CREATE TABLE lane (
        workspace_id BLOB NOT NULL,
        key TEXT NOT NULL,
        limits TEXT,
        breaker TEXT,
        disabled BOOLEAN NOT NULL,
        failures INTEGER NOT NULL,
        open_until INTEGER,
        probe_run BLOB,
        last_failed_run BLOB,
        refusals INTEGER NOT NULL,
        held BOOLEAN NOT NULL,
        paused_until INTEGER,
        windows TEXT,
        quota TEXT,
        updated_at INTEGER NOT NULL,
        PRIMARY KEY (workspace_id, key)
    )",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, CHANGES).await
    }
}
