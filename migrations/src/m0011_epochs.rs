//! How often the credentials of a workspace were changed: a number that every attempt reads with its
//! case, so that no process goes on with what it remembers of a secret.
//!
//! Conventions as in the first migration.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

const CHANGES: &[&str] = &["ALTER TABLE workspace ADD COLUMN credentials_epoch INTEGER NOT NULL DEFAULT 0"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, CHANGES).await
    }
}
