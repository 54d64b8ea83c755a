//! Who fired a run. Older runs do not say.
//!
//! Conventions as in the first migration.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

const CHANGES: &[&str] = &["ALTER TABLE run ADD COLUMN fired_by TEXT"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, CHANGES).await
    }
}
