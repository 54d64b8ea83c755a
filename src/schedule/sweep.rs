//! Sweeping: runs whose worker is gone go back to the queue, old long answers are cut, and what
//! was kept long enough goes: old runs, old keys of repeated requests, tokens of providers. What
//! older cases lack in words and indexes is brought up.
//!
//! Whether there is anything to do stands in the rows, so it does no harm that every process
//! sweeps.

use std::sync::Arc;

use chrono::TimeDelta;

use super::retention::Retention;
use crate::domain::clock::{Instant, SharedClock};
use crate::domain::once::KEPT_FOR;
use crate::domain::session;
use crate::engine::Worker;
use crate::service::{Uses, go_on};
use crate::store::{Store, StoreError};

/// Keys of repeated requests forgotten in one tick.
const KEYS: u32 = 1_000;

/// Tokens of providers forgotten in one tick, after their end.
const TOKENS: u32 = 1_000;

/// Sessions and links forgotten in one tick, after their end.
const SESSIONS: u32 = 1_000;

/// For so long a link that is of no use any more is known as one.
const LINKS_KEPT: TimeDelta = TimeDelta::hours(24);

/// What a tick needs. Cheap to clone.
#[derive(Clone)]
pub struct Sweeper {
    /// Rows.
    pub store: Store,
    /// When tokens and secrets were used last.
    pub uses: Uses,
    /// Time.
    pub clock: SharedClock,
    /// The worker of this process, which never loses what it still works on.
    pub worker: Arc<Worker>,
    /// What goes when it is old.
    pub retention: Retention,
}

impl Sweeper {
    /// Gives back what a process left that is gone for certain: call it only where no other one
    /// lives, and before this one claims.
    pub async fn take_over(&self) -> Result<(), StoreError> {
        let released = self.release(true).await?;
        if released > 0 {
            tracing::warn!(released, "runs of a process that is gone are queued again");
        }
        Ok(())
    }

    /// Gives back runs of workers that are gone, some at a time; `all`: without looking at leases.
    async fn release(&self, all: bool) -> Result<u64, StoreError> {
        let (held, now) = (self.worker.holds(), self.clock.now());
        let mut released = 0;
        loop {
            let held = held.clone();
            let some =
                self.store.write(move |tx| Box::pin(async move { tx.release_lost(&held, now, all).await }));
            match some.await? {
                0 => return Ok(released),
                some => released += some,
            }
        }
    }

    /// Call it when the last uses are written.
    async fn forget_sessions(&self, now: Instant) -> Result<(), StoreError> {
        let forget = self.store.write(move |tx| {
            Box::pin(async move {
                tx.forget_old_sessions(now, session::IDLE, session::LONGEST, SESSIONS).await?;
                tx.forget_old_links(now - LINKS_KEPT, SESSIONS).await
            })
        });
        forget.await.map(drop)
    }

    /// One tick; answers how many runs went back to the queue.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        let (now, released) = (self.clock.now(), self.release(false).await?);
        if released > 0 {
            tracing::warn!(released, "runs of a worker that is gone are queued again");
        }
        self.store
            .write(move |tx| Box::pin(async move { tx.forget_old_keys(now - KEPT_FOR, KEYS).await }))
            .await?;
        self.store
            .write(move |tx| Box::pin(async move { tx.forget_old_provider_tokens(now, TOKENS).await }))
            .await?;
        self.uses.write(&self.store, now).await?;
        self.forget_sessions(now).await?;
        go_on(&self.store).await?;
        self.retention.step(&self.store, now).await?;
        Ok(released)
    }
}
