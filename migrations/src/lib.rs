//! The database schema of Dossier, one file per change, frozen in time.
//!
//! A migration that was released is never edited and never imports the entities of the
//! product: it must create tomorrow the very schema that it created when it was written.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

mod dialect;
mod m0001_foundation;
mod m0002_triggers;
mod m0003_lanes;
mod m0004_connections;
mod m0005_provider_tokens;
mod m0006_access;
mod m0007_circuits;
mod m0008_withdrawn;
mod m0009_lists;
mod m0010_people;
mod m0011_epochs;
mod m0012_keyed;
mod m0013_fired_by;

/// All migrations, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_foundation::Migration),
            Box::new(m0002_triggers::Migration),
            Box::new(m0003_lanes::Migration),
            Box::new(m0004_connections::Migration),
            Box::new(m0005_provider_tokens::Migration),
            Box::new(m0006_access::Migration),
            Box::new(m0007_circuits::Migration),
            Box::new(m0008_withdrawn::Migration),
            Box::new(m0009_lists::Migration),
            Box::new(m0010_people::Migration),
            Box::new(m0011_epochs::Migration),
            Box::new(m0012_keyed::Migration),
            Box::new(m0013_fired_by::Migration),
        ]
    }
}
