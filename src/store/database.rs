//! The open database: one writer, a small pool of readers.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use migrations::MigratorTrait;
use sea_orm::DatabaseConnection;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admits::{Admit, Admitted};
use super::claims::{Claim, Claimed};
use super::close::{Closed, Closing, CommitLimits};
use super::create::{CreateOutcome, NewCase};
use super::crowd::Crowd;
use super::desk::Desk;
use super::dialect::{Dialect, Purpose};
use super::error::StoreError;
use super::seals::Seal;
use super::signals::Signals;
use super::statement::sql;
use super::tx::Tx;
use super::writer::{Command, Writer};
use super::{listen, time};
use crate::domain::clock::{Instant, SharedClock, SharedRng};
use crate::domain::ids::{CaseId, WorkspaceId};

/// How the database is opened.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// `sqlite://path` or `postgres://user@host/database`.
    pub url: String,
    /// Whether a commit waits for the disk (`FULL`) or only for the operating system (`NORMAL`).
    pub wait_for_disk: bool,
    /// What a commit checks.
    pub limits: CommitLimits,
}

/// The open database. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Open>);

struct Open {
    readers: DatabaseConnection,
    dialect: Dialect,
    writer: Writer,
    signals: Arc<Signals>,
    tasks: TaskTracker,
    crowd: Crowd,
    closing: CancellationToken,
}

impl Store {
    /// Opens the database, makes it if missing, and brings its schema up to date.
    pub async fn open(
        settings: &StoreSettings,
        rng: SharedRng,
        tasks: &TaskTracker,
    ) -> Result<Self, StoreError> {
        let dialect = Dialect::of(&settings.url);
        let connect = async |purpose| dialect.connect(&settings.url, settings.wait_for_disk, purpose).await;
        dialect.migrate(&connect(Purpose::Migrate).await?).await?;
        let write = connect(Purpose::Write).await?;
        let readers = connect(Purpose::Read).await?;
        let signals = Arc::new(Signals::default());
        let closing = CancellationToken::new();
        if dialect == Dialect::Postgres {
            let origin = rng.uuid(Instant::UNIX_EPOCH);
            listen::start(&settings.url, &readers, &signals, origin, (tasks, &closing));
        }
        let desk = Desk::new((write, dialect), signals.clone(), settings.limits, rng);
        let writer = Writer::start(desk, tasks);
        let (tasks, crowd) = (tasks.clone(), Crowd::new(tasks));
        Ok(Self(Arc::new(Open { readers, dialect, writer, signals, tasks, crowd, closing })))
    }

    /// Keeps a clock in step with that of the database, where several processes share one.
    pub async fn keep_time(&self, clock: &SharedClock) -> Result<(), StoreError> {
        if self.0.dialect == Dialect::Postgres {
            time::measure(&self.0.readers, clock).await?;
            self.0.tasks.spawn(time::keep(self.0.readers.clone(), clock.clone(), self.0.closing.clone()));
        }
        Ok(())
    }

    /// How long the queue may go without being looked at while nothing is found in it.
    pub fn longest_poll(&self) -> Duration {
        self.0.dialect.longest_poll()
    }

    /// Ends the writer once it has written what was sent before; later writes are refused.
    pub async fn stop(&self) {
        self.0.writer.stop().await;
        self.0.closing.cancel();
    }

    /// Wake-ups after commits.
    pub fn signals(&self) -> &Arc<Signals> {
        &self.0.signals
    }

    /// Says after the commit that a case was deleted; on PostgreSQL the commit has said so itself.
    pub fn case_deleted(&self, workspace: WorkspaceId, case: CaseId) {
        if self.0.dialect == Dialect::Sqlite {
            self.0.signals.deleted(workspace, case);
        }
    }

    /// One consistent view for several reads.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        match self.0.dialect {
            Dialect::Sqlite => Ok(Tx::reading(&self.0.readers, self.0.dialect).await?),
            Dialect::Postgres => self.0.crowd.read(&self.0.readers).await,
        }
    }

    /// Begins reading that goes on when nobody waits for it any more, and ends before the process does.
    pub fn beside<T: Send + 'static>(
        &self,
        reading: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.0.tasks.spawn(reading)
    }

    /// Whether the database answers and has the schema of this program.
    pub async fn is_ready(&self) -> Result<bool, StoreError> {
        let tx = self.read().await?;
        let rows = tx.all(sql("SELECT version FROM seaql_migrations", Vec::new())).await?;
        let done = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<HashSet<String>, _>>()?;
        Ok(migrations::Migrator::migrations().iter().all(|one| done.contains(one.name())))
    }

    /// Does rare writing in a transaction of its own; an error rolls it back. When a transaction of
    /// another process was in the way, all of it is done once more.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.0.writer.work(work, false).await
    }

    /// As [`Store::write`], behind what people wait for.
    pub async fn write_later<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.0.writer.work(work, true).await
    }

    /// Creates a case and queues its first runs.
    pub async fn create_case(&self, case: NewCase) -> Result<CreateOutcome, StoreError> {
        self.0.writer.ask(|reply| Command::Create(Box::new(case), reply)).await
    }

    /// Takes due runs into the hands of a worker.
    pub async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.0.writer.ask(|reply| Command::Claim(claim, reply)).await
    }

    /// Asks a run's lane whether its call may go.
    pub async fn admit(&self, admit: Admit) -> Result<Admitted, StoreError> {
        self.0.writer.ask(|reply| Command::Admit(admit, reply)).await
    }

    /// Fixes what a run stands for. `false`: the lease was lost, nothing may be sent.
    pub async fn seal(&self, seal: Seal) -> Result<bool, StoreError> {
        self.0.writer.ask(|reply| Command::Seal(seal, reply)).await
    }

    /// Records an attempt, with what follows from it.
    pub async fn close(&self, closing: Arc<Closing>) -> Result<Closed, StoreError> {
        self.0.writer.ask(|reply| Command::Close(closing, reply)).await
    }
}
