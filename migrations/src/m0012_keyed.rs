//! What is kept of the body of a request with an `Idempotency-Key` was a plain hash, of which a
//! password could be guessed. It is forgotten; its successor is a hash under the master key.
//!
//! The keys themselves stay: what has had its effect has it once, also over the update. A hash of
//! no bytes is compared with nothing.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let nothing = match manager.get_database_backend() {
            DbBackend::Postgres => "''::bytea",
            _ => "zeroblob(0)",
        };
        let statement = format!("UPDATE idempotency SET body_hash = {nothing}");
        manager.get_connection().execute_unprepared(&statement).await.map(drop)
    }
}
