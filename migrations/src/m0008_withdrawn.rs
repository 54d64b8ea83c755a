//! Cancelled runs whose call may still be in flight: they keep their permit and their lease until
//! their worker says that the call is over, or the lease ends.
//!
//! Conventions as in the first migration.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

const CHANGES: &[&str] = &["CREATE INDEX run_withdrawn ON run (workspace_id, lane, lease_until) \
     WHERE status = 'cancelled' AND permit"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, CHANGES).await
    }
}
