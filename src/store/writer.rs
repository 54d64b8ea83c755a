//! The one writer: takes what waits, writes it in one transaction, answers after the commit.
//!
//! Creating, claiming and closing are typed commands, so that a batch of them becomes a few
//! multi-row statements; everything rare is a closure with a transaction of its own. When a
//! batch fails, its commands are repeated one by one: one that cannot be written harms no other.

use std::mem;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use sea_orm::{DatabaseConnection, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::claims::{self, Claim, ClaimedRun};
use super::close::{self, Closed, Closing, CommitLimits};
use super::create::{self, CreateOutcome, NewCase};
use super::database::Tx;
use super::error::StoreError;
use super::signals::Signals;
use crate::domain::clock::SharedRng;

/// Commands in one transaction.
const BATCH: usize = 256;
/// Commands that may wait; more wait at their sender.
const WAITING: usize = 4096;

pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;
type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type Work = Box<dyn for<'t> FnOnce(&'t Tx) -> BoxFuture<'t, (bool, Finish)> + Send>;

/// Something to write.
pub(super) enum Command {
    Create(Box<NewCase>, Reply<CreateOutcome>),
    Claim(Claim, Reply<Vec<ClaimedRun>>),
    Close(Arc<Closing>, Reply<Closed>),
    Work(Work),
    Stop,
}

/// The way to the writer's task.
#[derive(Clone)]
pub(super) struct Writer {
    commands: mpsc::Sender<Command>,
}

impl Writer {
    /// Starts the writer's task; it ends at [`Writer::stop`].
    pub(super) fn start(
        connection: DatabaseConnection,
        signals: Arc<Signals>,
        limits: CommitLimits,
        rng: SharedRng,
        tasks: &TaskTracker,
    ) -> Self {
        let (commands, receiver) = mpsc::channel(WAITING);
        tasks.spawn(Desk { connection, signals, limits, rng }.serve(receiver));
        Self { commands }
    }

    /// Ends the task once it has written what was sent before.
    pub(super) async fn stop(&self) {
        let _ = self.commands.send(Command::Stop).await;
    }

    /// Sends a typed command and waits for its answer.
    pub(super) async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| StoreError::Stopped)?;
        answer.await.map_err(|_| StoreError::Stopped)?
    }

    /// Sends a closure and waits for its answer.
    pub(super) async fn work<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel::<Result<T, E>>();
        let work: Work = Box::new(move |tx| {
            Box::pin(async move {
                let result = work(tx).await;
                let commit = result.is_ok();
                let finish: Finish = Box::new(move |committed| {
                    let _ = reply.send(committed.map_err(E::from).and(result));
                });
                (commit, finish)
            })
        });
        self.commands.send(Command::Work(work)).await.map_err(|_| StoreError::Stopped)?;
        answer.await.map_err(|_| E::from(StoreError::Stopped))?
    }
}

/// The typed commands of one transaction.
#[derive(Default)]
struct Batch {
    closes: Vec<(Arc<Closing>, Reply<Closed>)>,
    creates: Vec<(Box<NewCase>, Reply<CreateOutcome>)>,
    claims: Vec<(Claim, Reply<Vec<ClaimedRun>>)>,
}

struct Desk {
    connection: DatabaseConnection,
    signals: Arc<Signals>,
    limits: CommitLimits,
    rng: SharedRng,
}

impl Desk {
    async fn serve(self, mut commands: mpsc::Receiver<Command>) {
        let mut waiting = Vec::with_capacity(BATCH);
        let mut stopped = false;
        while !stopped && commands.recv_many(&mut waiting, BATCH).await > 0 {
            let mut batch = Batch::default();
            for command in waiting.drain(..) {
                match command {
                    Command::Create(case, reply) => batch.creates.push((case, reply)),
                    Command::Claim(claim, reply) => batch.claims.push((claim, reply)),
                    Command::Close(closing, reply) => batch.closes.push((closing, reply)),
                    Command::Work(work) => self.work(work).await,
                    Command::Stop => stopped = true,
                }
            }
            self.close(mem::take(&mut batch.closes)).await;
            self.create(mem::take(&mut batch.creates)).await;
            self.claim(batch.claims).await;
        }
    }

    async fn begin(&self) -> Result<Tx, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(Tx(self.connection.begin_with_options(options).await?))
    }

    async fn work(&self, work: Work) {
        let tx = match self.begin().await {
            Ok(tx) => tx,
            Err(error) => return tracing::error!(%error, "no transaction could be begun"),
        };
        let (commit, finish) = work(&tx).await;
        let done = if commit { tx.0.commit().await } else { tx.0.rollback().await };
        // Who is answered finds the wake-up done.
        self.signals.wake();
        finish(done.map_err(StoreError::from));
    }

    async fn close(&self, closes: Vec<(Arc<Closing>, Reply<Closed>)>) {
        if closes.is_empty() {
            return;
        }
        let (closings, replies): (Vec<_>, Vec<_>) = closes.into_iter().unzip();
        let results = match self.close_all(&closings).await {
            Ok(ours) => ours.into_iter().map(Ok).collect(),
            Err(error) if closings.len() == 1 => vec![Err(error)],
            Err(_) => self.close_each(&closings).await,
        };
        self.signals.changed(closings.iter().map(|closing| closing.case_id()));
        self.signals.wake();
        for (reply, result) in replies.into_iter().zip(results) {
            let _ = reply.send(result);
        }
    }

    async fn close_all(&self, closings: &[Arc<Closing>]) -> Result<Vec<Closed>, StoreError> {
        let tx = self.begin().await?;
        let ours = close::close(&tx, closings, self.limits, &self.rng).await?;
        tx.0.commit().await?;
        Ok(ours)
    }

    async fn close_each(&self, closings: &[Arc<Closing>]) -> Vec<Result<Closed, StoreError>> {
        let mut results = Vec::with_capacity(closings.len());
        for closing in closings {
            let one = self.close_all(std::slice::from_ref(closing)).await;
            results.push(one.map(|closed| closed.first().copied().unwrap_or(Closed::Lost)));
        }
        results
    }

    async fn create(&self, creates: Vec<(Box<NewCase>, Reply<CreateOutcome>)>) {
        if creates.is_empty() {
            return;
        }
        let (cases, replies): (Vec<_>, Vec<_>) = creates.into_iter().unzip();
        let results = match self.create_all(&cases).await {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(error) if cases.len() == 1 => vec![Err(error)],
            Err(_) => self.create_each(&cases).await,
        };
        self.signals.wake();
        for (reply, result) in replies.into_iter().zip(results) {
            let _ = reply.send(result);
        }
    }

    async fn create_all(&self, cases: &[Box<NewCase>]) -> Result<Vec<CreateOutcome>, StoreError> {
        let tx = self.begin().await?;
        let outcomes = create::create(&tx, cases).await?;
        tx.0.commit().await?;
        Ok(outcomes)
    }

    async fn create_each(&self, cases: &[Box<NewCase>]) -> Vec<Result<CreateOutcome, StoreError>> {
        let mut results = Vec::with_capacity(cases.len());
        for case in cases {
            let one = self.create_all(std::slice::from_ref(case)).await;
            results.push(one.map(|outcomes| outcomes.into_iter().next().unwrap_or(CreateOutcome::Created)));
        }
        results
    }

    async fn claim(&self, claims: Vec<(Claim, Reply<Vec<ClaimedRun>>)>) {
        for (claim, reply) in claims {
            let _ = reply.send(self.claim_one(&claim).await);
        }
    }

    async fn claim_one(&self, claim: &Claim) -> Result<Vec<ClaimedRun>, StoreError> {
        let tx = self.begin().await?;
        let runs = claims::claim(&tx, claim).await?;
        tx.0.commit().await?;
        Ok(runs)
    }
}
