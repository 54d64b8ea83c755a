//! The one writer: takes what waits, writes it in one transaction, answers after the commit.
//!
//! Creating, claiming, admitting, sealing and closing are typed commands, so that a batch of them becomes a few
//! multi-row statements; everything rare is a closure with a transaction of its own. Commands
//! stand in two lines: what people wait for (creations and changes), and what the engine and the
//! clock bring. The desk behind them serves the first line first.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sea_orm::DatabaseConnection;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::admits::{Admit, Admitted};
use super::claims::{Claim, Claimed};
use super::close::{Closed, Closing, CommitLimits};
use super::create::{CreateOutcome, NewCase};
use super::database::Tx;
use super::desk::Desk;
use super::error::StoreError;
use super::seals::Seal;
use super::signals::Signals;
use crate::domain::clock::SharedRng;

/// Commands that may wait; more wait at their sender.
const WAITING: usize = 4096;

pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;
pub(super) type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
pub(super) type Work = Box<dyn for<'t> FnOnce(&'t Tx) -> BoxFuture<'t, (bool, Finish)> + Send>;

/// Something to write.
pub(super) enum Command {
    Create(Box<NewCase>, Reply<CreateOutcome>),
    Claim(Claim, Reply<Claimed>),
    Admit(Admit, Reply<Admitted>),
    Seal(Seal, Reply<bool>),
    Close(Arc<Closing>, Reply<Closed>),
    Work(Work),
    /// Work that nobody waits for.
    Later(Work),
    Stop,
}

/// The way to the writer's task.
#[derive(Clone)]
pub(super) struct Writer {
    people: mpsc::Sender<Command>,
    engine: mpsc::Sender<Command>,
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
        let (people, from_people) = mpsc::channel(WAITING);
        let (engine, from_engine) = mpsc::channel(WAITING);
        tasks.spawn(Desk { connection, signals, limits, rng }.serve(from_people, from_engine));
        Self { people, engine }
    }

    /// Ends the task once it has written what was sent before.
    pub(super) async fn stop(&self) {
        let _ = self.people.send(Command::Stop).await;
    }

    async fn send(&self, command: Command) -> Result<(), StoreError> {
        let line = match command {
            Command::Create(..) | Command::Work(_) | Command::Stop => &self.people,
            Command::Claim(..)
            | Command::Admit(..)
            | Command::Seal(..)
            | Command::Close(..)
            | Command::Later(_) => &self.engine,
        };
        line.send(command).await.map_err(|_| StoreError::Stopped)
    }

    /// Sends a typed command and waits for its answer.
    pub(super) async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        answer.await.map_err(|_| StoreError::Stopped)?
    }

    /// Sends a closure and waits for its answer; `later`: nobody else waits for it.
    pub(super) async fn work<T, E, F>(&self, work: F, later: bool) -> Result<T, E>
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
        self.send(if later { Command::Later(work) } else { Command::Work(work) }).await?;
        answer.await.map_err(|_| E::from(StoreError::Stopped))?
    }
}
