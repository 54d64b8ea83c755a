//! SQLite: one file, one writing connection, a few readers beside it.

use std::time::Duration;

use sea_orm::sqlx::Connection as _;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database, DatabaseConnection};

use super::kind::Purpose;
use crate::store::error::StoreError;

pub(super) async fn connect(
    url: &str,
    wait_for_disk: bool,
    purpose: Purpose,
) -> Result<DatabaseConnection, StoreError> {
    let connections = if purpose == Purpose::Read { 4 } else { 1 };
    let synchronous = if wait_for_disk { SqliteSynchronous::Full } else { SqliteSynchronous::Normal };
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(connections)
        .sqlx_logging(false)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(30))
        .map_sqlx_sqlite_pool_opts(|pool| {
            // On trouble like a full disk SQLite itself ends the transaction, and sqlx then counts one
            // too many for ever: what follows would be savepoints that nobody commits. A connection
            // that comes back like this (the rollback is done before the ping) is closed.
            pool.after_release(|connection, _| {
                Box::pin(async move {
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
        })
        .map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(synchronous)
                .busy_timeout(Duration::from_secs(10))
                .foreign_keys(true)
                .statement_cache_capacity(1000)
                .pragma("cache_size", "-65536")
        });
    Ok(Database::connect(options).await?)
}
