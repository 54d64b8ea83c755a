//! Sweeping: runs whose worker is gone go back to the queue, old long answers are cut, and what
//! was kept long enough goes: old runs, and old keys of repeated requests.
//!
//! Whether there is anything to do stands in the rows, so it does no harm that every process
//! sweeps.

use super::retention::Retention;
use crate::domain::clock::SharedClock;
use crate::domain::ids::WorkerId;
use crate::domain::once::KEPT_FOR;
use crate::store::{Store, StoreError};

/// Answers cut in one tick.
const CUTS: u32 = 200;

/// Keys of repeated requests forgotten in one tick.
const KEYS: u32 = 1_000;

/// What a tick needs. Cheap to clone.
#[derive(Clone)]
pub struct Sweeper {
    /// Rows.
    pub store: Store,
    /// Time.
    pub clock: SharedClock,
    /// The worker of this process, which never loses what it still works on.
    pub worker: WorkerId,
    /// What goes when it is old.
    pub retention: Retention,
}

impl Sweeper {
    /// Gives back what a process left that is gone for certain: call it only where no other one
    /// lives, and before this one claims.
    pub async fn take_over(&self) -> Result<(), StoreError> {
        let (worker, now) = (self.worker, self.clock.now());
        let mut released = 0;
        loop {
            let some = self.store.write(move |tx| Box::pin(async move { tx.release_all(worker, now).await }));
            let some = some.await?;
            released += some;
            if some == 0 {
                break;
            }
        }
        if released > 0 {
            tracing::warn!(released, "runs of a process that is gone are queued again");
        }
        Ok(())
    }

    /// One tick; answers how many runs went back to the queue.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        let (worker, now) = (self.worker, self.clock.now());
        let mut released = 0;
        loop {
            let some =
                self.store.write(move |tx| Box::pin(async move { tx.release_lost(worker, now).await }));
            let some = some.await?;
            released += some;
            if some == 0 {
                break;
            }
        }
        if released > 0 {
            tracing::warn!(released, "runs of a worker that is gone are queued again");
        }
        self.store.write(move |tx| Box::pin(async move { tx.cut_old_bodies(CUTS).await })).await?;
        self.store
            .write(move |tx| Box::pin(async move { tx.forget_old_keys(now - KEPT_FOR, KEYS).await }))
            .await?;
        self.retention.step(&self.store, now).await?;
        Ok(released)
    }
}
