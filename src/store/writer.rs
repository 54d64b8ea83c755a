//! The one writer: takes what waits, writes it in one transaction, answers after the commit.
//!
//! Creating, claiming, admitting, sealing and closing are typed commands, so that a batch of them becomes a few
//! multi-row statements; everything rare is a closure with a transaction of its own. Commands
//! stand in two lines: what people wait for (creations and changes), and what the engine and the
//! clock bring. The desk behind them serves the first line first.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::admits::{Admit, Admitted};
use super::claims::{Claim, Claimed};
use super::close::{Closed, Closing};
use super::create::{CreateOutcome, NewCase};
use super::desk::Desk;
use super::error::StoreError;
use super::seals::Seal;
use super::tx::Tx;

/// Commands that may wait; more wait at their sender.
const WAITING: usize = 4096;

pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// A closure on its way through the writer. It is done again when another transaction was in the
/// way.
pub(super) trait Work: Send {
    /// Does it; answers whether it may be committed.
    fn run<'a>(&'a mut self, tx: &'a Tx) -> BoxFuture<'a, bool>;

    /// Answers who asked; `committed`: what became of the transaction.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Closure<F, T, E> {
    work: F,
    done: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Work for Closure<F, T, E>
where
    F: for<'t> FnOnce(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    fn run<'a>(&'a mut self, tx: &'a Tx) -> BoxFuture<'a, bool> {
        let work = self.work.clone();
        Box::pin(async move {
            let done = caught(work(tx)).await;
            self.done.insert(done).is_ok()
        })
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (self.done, committed) {
            (Some(Ok(_)) | None, Err(error)) => Err(error.into()),
            (Some(done), _) => done,
            (None, Ok(())) => Err(StoreError::Stopped.into()),
        };
        let _ = self.reply.send(answer);
    }
}

/// Something to write.
pub(super) enum Command {
    Create(Box<NewCase>, Reply<CreateOutcome>),
    Claim(Claim, Reply<Claimed>),
    Admit(Admit, Reply<Admitted>),
    Seal(Seal, Reply<bool>),
    Close(Arc<Closing>, Reply<Closed>),
    Work(Box<dyn Work>),
    /// Work that nobody waits for.
    Later(Box<dyn Work>),
    Stop,
}

/// Does it; a bug costs this piece of work and not the writer, on which everybody depends.
pub(super) async fn caught<T, E: From<StoreError>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| Err(E::from(StoreError::Panicked)))
}

/// The way to the writer's task.
#[derive(Clone)]
pub(super) struct Writer {
    people: mpsc::Sender<Command>,
    engine: mpsc::Sender<Command>,
}

impl Writer {
    /// Starts the writer's task; it ends at [`Writer::stop`].
    pub(super) fn start(desk: Desk, tasks: &TaskTracker) -> Self {
        let (people, from_people) = mpsc::channel(WAITING);
        let (engine, from_engine) = mpsc::channel(WAITING);
        tasks.spawn(desk.serve(from_people, from_engine));
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
        F: for<'t> FnOnce(&'t Tx) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel::<Result<T, E>>();
        let work = Box::new(Closure { work, done: None, reply });
        self.send(if later { Command::Later(work) } else { Command::Work(work) }).await?;
        answer.await.map_err(|_| E::from(StoreError::Stopped))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::statement::sql;
    use crate::store::testing;

    #[tokio::test]
    async fn a_bug_in_one_write_undoes_that_write_and_no_other() {
        let (_folder, store) = testing::store().await;
        let row = "INSERT INTO cache_purge (workspace_id, scope, epoch) VALUES (x'01', $1, 1)";
        let struck: Result<(), StoreError> = store
            .write(move |tx| {
                Box::pin(async move {
                    tx.execute(sql(row, vec!["lost".into()])).await?;
                    panic!("a bug");
                })
            })
            .await;
        assert!(matches!(struck, Err(StoreError::Panicked)), "{struck:?}");
        let written: Result<u64, StoreError> = store
            .write(move |tx| Box::pin(async move { tx.execute(sql(row, vec!["kept".into()])).await }))
            .await;
        assert_eq!(written.unwrap(), 1);
        let tx = store.read().await.unwrap();
        let kept = tx.number(sql("SELECT count(*) FROM cache_purge", Vec::new())).await.unwrap();
        assert_eq!(kept, 1);
    }
}
