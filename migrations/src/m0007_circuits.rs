//! Circuits of endpoints: a connection may have one for each instead of one for all.
//!
//! Conventions as in the first migration. A row in `circuit` is there only where there was trouble;
//! it is changed only while the row of its lane is held.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

const CHANGES: &[&str] = &[
    "ALTER TABLE run ADD COLUMN endpoint TEXT",
    "CREATE TABLE circuit (
        workspace_id BLOB NOT NULL,
        lane TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        failures INTEGER NOT NULL,
        open_until INTEGER,
        probe_run BLOB,
        last_failed_run BLOB,
        PRIMARY KEY (workspace_id, lane, endpoint)
    )",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, CHANGES).await
    }
}
