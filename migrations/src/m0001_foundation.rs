//! The first schema: workspaces and access, case types and cases, runs and their history.
//!
//! Conventions: ids are UUIDs (16-byte blobs on SQLite), instants are whole milliseconds since
//! 1970 UTC, JSON is text. The hot tables are narrow and carry few indexes, because page
//! writing is what a commit costs: `field_state` and `attempt` have no row id of their own,
//! bodies and output variables lie apart, and runs that wait or are held are found by partial
//! indexes that stay small however long the history grows.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &[&str] = &[
    "CREATE TABLE workspace (
        id BLOB NOT NULL PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        params TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
    )",
    "CREATE TABLE token (
        id BLOB NOT NULL PRIMARY KEY,
        workspace_id BLOB NOT NULL REFERENCES workspace(id),
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        overrides BOOLEAN NOT NULL,
        hash BLOB NOT NULL UNIQUE,
        expires_at INTEGER,
        created_at INTEGER NOT NULL
    )",
    "CREATE INDEX token_workspace ON token (workspace_id, id)",
    "CREATE TABLE secret (
        id BLOB NOT NULL PRIMARY KEY,
        workspace_id BLOB NOT NULL REFERENCES workspace(id),
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        key_id TEXT NOT NULL,
        sealed BLOB NOT NULL,
        hosts TEXT NOT NULL,
        redact BOOLEAN NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
    )",
    "CREATE UNIQUE INDEX secret_name ON secret (workspace_id, name)",
    "CREATE TABLE case_type (
        id BLOB NOT NULL PRIMARY KEY,
        workspace_id BLOB NOT NULL REFERENCES workspace(id),
        key TEXT NOT NULL,
        version INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
    )",
    "CREATE UNIQUE INDEX case_type_key ON case_type (workspace_id, key)",
    "CREATE TABLE case_type_version (
        case_type_id BLOB NOT NULL REFERENCES case_type(id) ON DELETE CASCADE,
        version INTEGER NOT NULL,
        definition TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        created_by TEXT NOT NULL,
        PRIMARY KEY (case_type_id, version)
    )",
    "CREATE TABLE cases (
        id BLOB NOT NULL PRIMARY KEY,
        workspace_id BLOB NOT NULL,
        case_type_id BLOB NOT NULL REFERENCES case_type(id),
        reference TEXT,
        title TEXT,
        status TEXT NOT NULL,
        custom_status TEXT,
        assignee TEXT,
        data TEXT NOT NULL,
        provenance TEXT NOT NULL,
        version INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL
    )",
    "CREATE UNIQUE INDEX cases_reference ON cases (workspace_id, reference) WHERE reference IS NOT NULL",
    "CREATE INDEX cases_type ON cases (case_type_id, id)",
    "CREATE TABLE case_output (
        case_id BLOB NOT NULL REFERENCES cases(id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (case_id, name)
    )",
    "CREATE TABLE field_state (
        case_id BLOB NOT NULL REFERENCES cases(id) ON DELETE CASCADE,
        field TEXT NOT NULL,
        status TEXT NOT NULL,
        reason TEXT,
        missing TEXT,
        run_id BLOB NOT NULL,
        attempt INTEGER NOT NULL,
        attempts_max INTEGER NOT NULL,
        last_attempt_at INTEGER,
        last_success_at INTEGER,
        fetched_at INTEGER,
        inputs_hash BLOB,
        cached BOOLEAN NOT NULL,
        duration_ms INTEGER,
        connection TEXT,
        error TEXT,
        good_run_id BLOB,
        failed_run_id BLOB,
        PRIMARY KEY (case_id, field)
    ) WITHOUT ROWID",
    "CREATE TABLE run (
        id BLOB NOT NULL PRIMARY KEY,
        workspace_id BLOB NOT NULL,
        case_id BLOB NOT NULL,
        case_type_id BLOB NOT NULL,
        case_type TEXT NOT NULL,
        case_type_version INTEGER NOT NULL,
        field TEXT NOT NULL,
        connection TEXT,
        lane TEXT,
        trigger TEXT NOT NULL,
        status TEXT NOT NULL,
        begun BOOLEAN NOT NULL,
        reason TEXT,
        missing TEXT,
        waiting_for TEXT,
        priority INTEGER NOT NULL,
        due_at INTEGER,
        not_before INTEGER,
        attempt INTEGER NOT NULL,
        attempts_max INTEGER NOT NULL,
        limited INTEGER NOT NULL,
        lost INTEGER NOT NULL,
        idempotency_key TEXT NOT NULL,
        fingerprint BLOB,
        retry_of BLOB,
        batch_id BLOB,
        schedule_id BLOB,
        tick_at INTEGER,
        depth INTEGER NOT NULL,
        parent_run_id BLOB,
        joined TEXT,
        input TEXT,
        old TEXT,
        force BOOLEAN NOT NULL,
        overwrite BOOLEAN NOT NULL,
        cached BOOLEAN NOT NULL,
        cached_from BLOB,
        written TEXT,
        kept_manual TEXT,
        error TEXT,
        worker_id BLOB,
        lease_token BLOB,
        lease_until INTEGER,
        created_at INTEGER NOT NULL,
        sealed_at INTEGER,
        started_at INTEGER,
        ended_at INTEGER,
        duration_ms INTEGER
    )",
    "CREATE INDEX run_due ON run (priority, due_at) WHERE status = 'queued'",
    "CREATE INDEX run_leased ON run (lease_until) WHERE status = 'running'",
    "CREATE UNIQUE INDEX run_live ON run (case_id, field, begun) WHERE status IN ('queued', 'running')",
    "CREATE INDEX run_case ON run (case_id, id)",
    "CREATE TABLE attempt (
        run_id BLOB NOT NULL REFERENCES run(id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        started_at INTEGER NOT NULL,
        ended_at INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        request TEXT,
        response TEXT,
        phases TEXT,
        error TEXT,
        next TEXT,
        PRIMARY KEY (run_id, number)
    ) WITHOUT ROWID",
    "CREATE TABLE attempt_body (
        run_id BLOB NOT NULL,
        number INTEGER NOT NULL,
        case_id BLOB NOT NULL,
        request TEXT,
        response TEXT,
        PRIMARY KEY (run_id, number)
    )",
    "CREATE INDEX attempt_body_case ON attempt_body (case_id)",
    "CREATE INDEX attempt_body_large ON attempt_body (run_id) WHERE length(response) > 65536",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, TABLES).await
    }
}
