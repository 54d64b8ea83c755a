//! The open database: one writer, a small pool of readers.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use migrations::MigratorTrait;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, QueryResult,
    Statement, TransactionTrait,
};
use tokio_util::task::TaskTracker;

use super::admits::{Admit, Admitted};
use super::claims::{Claim, Claimed};
use super::close::{Closed, Closing, CommitLimits};
use super::create::{CreateOutcome, NewCase};
use super::error::StoreError;
use super::seals::Seal;
use super::signals::Signals;
use super::writer::{Command, Writer};
use crate::domain::clock::SharedRng;

/// How the database is opened.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// `sqlite://path`.
    pub url: String,
    /// Whether a commit waits for the disk (`FULL`) or only for the operating system (`NORMAL`).
    pub wait_for_disk: bool,
    /// What a commit checks.
    pub limits: CommitLimits,
}

/// The open database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    readers: DatabaseConnection,
    writer: Writer,
    signals: Arc<Signals>,
}

/// One transaction, for reading or writing.
pub struct Tx(pub(super) DatabaseTransaction);

impl Tx {
    pub(super) async fn all(&self, statement: Statement) -> Result<Vec<QueryResult>, StoreError> {
        Ok(self.0.query_all_raw(statement).await?)
    }

    pub(super) async fn one(&self, statement: Statement) -> Result<Option<QueryResult>, StoreError> {
        Ok(self.0.query_one_raw(statement).await?)
    }

    /// Answers the number of rows that it touched.
    pub(super) async fn execute(&self, statement: Statement) -> Result<u64, StoreError> {
        Ok(self.0.execute_raw(statement).await?.rows_affected())
    }
}

impl Store {
    /// Opens the database, makes it if missing, and brings its schema up to date.
    pub async fn open(
        settings: &StoreSettings,
        rng: SharedRng,
        tasks: &TaskTracker,
    ) -> Result<Self, StoreError> {
        let write = connect(settings, 1).await?;
        migrations::Migrator::up(&write, None).await?;
        let readers = connect(settings, 4).await?;
        let signals = Arc::new(Signals::default());
        let writer = Writer::start(write, signals.clone(), settings.limits, rng, tasks);
        Ok(Self { readers, writer, signals })
    }

    /// Ends the writer once it has written what was sent before; later writes are refused.
    pub async fn stop(&self) {
        self.writer.stop().await;
    }

    /// Wake-ups after commits.
    pub fn signals(&self) -> &Arc<Signals> {
        &self.signals
    }

    /// One consistent view for several reads.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        Ok(Tx(self.readers.begin().await?))
    }

    /// Whether the database answers and has the schema of this program.
    pub async fn is_ready(&self) -> Result<bool, StoreError> {
        Ok(migrations::Migrator::get_pending_migrations(&self.readers).await?.is_empty())
    }

    /// Does rare writing in a transaction of its own; an error rolls it back.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.writer.work(work, false).await
    }

    /// As [`Store::write`], behind what people wait for.
    pub async fn write_later<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.writer.work(work, true).await
    }

    /// Creates a case and queues its first runs.
    pub async fn create_case(&self, case: NewCase) -> Result<CreateOutcome, StoreError> {
        self.writer.ask(|reply| Command::Create(Box::new(case), reply)).await
    }

    /// Takes due runs into the hands of a worker.
    pub async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.writer.ask(|reply| Command::Claim(claim, reply)).await
    }

    /// Asks a run's lane whether its call may go.
    pub async fn admit(&self, admit: Admit) -> Result<Admitted, StoreError> {
        self.writer.ask(|reply| Command::Admit(admit, reply)).await
    }

    /// Fixes what a run stands for. `false`: the lease was lost, nothing may be sent.
    pub async fn seal(&self, seal: Seal) -> Result<bool, StoreError> {
        self.writer.ask(|reply| Command::Seal(seal, reply)).await
    }

    /// Records an attempt, with what follows from it.
    pub async fn close(&self, closing: Arc<Closing>) -> Result<Closed, StoreError> {
        self.writer.ask(|reply| Command::Close(closing, reply)).await
    }
}

async fn connect(settings: &StoreSettings, connections: u32) -> Result<DatabaseConnection, StoreError> {
    let synchronous =
        if settings.wait_for_disk { SqliteSynchronous::Full } else { SqliteSynchronous::Normal };
    let mut options = ConnectOptions::new(settings.url.clone());
    options
        .max_connections(connections)
        .min_connections(connections)
        .sqlx_logging(false)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(30))
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
