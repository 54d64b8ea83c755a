//! One transaction.
//!
//! On PostgreSQL a statement that fails spoils its transaction: what came before it is undone,
//! also when somebody goes on and commits. So a transaction remembers that a statement failed, and
//! whether only because another transaction was in the way: then the whole of it may be repeated.

use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, QueryResult, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
};
use tokio::sync::OwnedSemaphorePermit;

use super::dialect::{Dialect, is_conflict};
use super::error::StoreError;

/// One transaction, for reading or writing.
pub struct Tx {
    transaction: DatabaseTransaction,
    dialect: Dialect,
    spoilt: AtomicBool,
    conflict: AtomicBool,
    /// A reader's place among those who read at once.
    _place: Option<OwnedSemaphorePermit>,
}

impl Tx {
    /// Begins one for reading.
    pub(super) async fn reading(from: &DatabaseConnection, dialect: Dialect) -> Result<Self, DbErr> {
        Ok(Self::of(from.begin().await?, dialect))
    }

    /// Begins one for writing.
    pub(super) async fn writing(to: &DatabaseConnection, dialect: Dialect) -> Result<Self, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(Self::of(to.begin_with_options(options).await?, dialect))
    }

    /// Keeps a place taken until it ends.
    pub(super) fn with_place(self, place: OwnedSemaphorePermit) -> Self {
        Self { _place: Some(place), ..self }
    }

    fn of(transaction: DatabaseTransaction, dialect: Dialect) -> Self {
        Self {
            transaction,
            dialect,
            spoilt: AtomicBool::default(),
            conflict: AtomicBool::default(),
            _place: None,
        }
    }

    /// The database that it is on.
    pub(super) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) async fn all(&self, statement: Statement) -> Result<Vec<QueryResult>, StoreError> {
        let rows = self.transaction.query_all_raw(self.dialect.translate(statement)).await;
        rows.map_err(|error| self.failed(error))
    }

    pub(super) async fn one(&self, statement: Statement) -> Result<Option<QueryResult>, StoreError> {
        let row = self.transaction.query_one_raw(self.dialect.translate(statement)).await;
        row.map_err(|error| self.failed(error))
    }

    /// Answers the number of rows that it touched.
    pub(super) async fn execute(&self, statement: Statement) -> Result<u64, StoreError> {
        let done = self.transaction.execute_raw(self.dialect.translate(statement)).await;
        Ok(done.map_err(|error| self.failed(error))?.rows_affected())
    }

    fn failed(&self, error: DbErr) -> StoreError {
        self.spoilt.store(true, Ordering::Relaxed);
        self.conflict.fetch_or(is_conflict(&error), Ordering::Relaxed);
        error.into()
    }

    /// Whether another transaction was in the way of a statement.
    pub(super) fn is_conflict(&self) -> bool {
        self.conflict.load(Ordering::Relaxed)
    }

    /// Ends it; what it wrote counts.
    pub(super) async fn commit(self) -> Result<(), DbErr> {
        if self.dialect == Dialect::Postgres && self.spoilt.load(Ordering::Relaxed) {
            // The database would say that it committed, and undo everything.
            let _ = self.transaction.rollback().await;
            return Err(DbErr::Custom("a statement of the transaction had failed".to_owned()));
        }
        self.transaction.commit().await
    }

    /// Ends it; nothing that it wrote counts. Should that fail, the database undoes it by itself.
    pub(super) async fn roll_back(self) {
        if let Err(error) = self.transaction.rollback().await {
            tracing::debug!(%error, "a transaction could not be rolled back in order");
        }
    }
}
