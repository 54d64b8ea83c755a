//! Retention: what has been kept long enough goes, and long answers that are not the newest any
//! more are cut, a few rows per tick.
//!
//! Each kind of row has its place in memory, where the last tick ended; at the cutoff the walk
//! begins again with the oldest rows, so what stays is looked at once per round and not at every
//! tick. A restart begins a round anew, and several processes that walk at once do no harm.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;

use crate::domain::clock::Instant;
use crate::domain::ids::RunId;
use crate::store::{BodyMark, ChangeMark, Store, StoreError};

/// Rows of each kind that one tick looks at, so at most so many go at once.
const STEP: u32 = 500;
/// Days for which it is noted which paths a change of a case touched.
const CHANGES_DAYS: u32 = 90;

/// For how long what has ended is kept.
#[derive(Debug, Clone, Copy)]
pub struct RetentionDays {
    /// Runs with their attempts.
    pub runs: u32,
    /// Bodies of requests and answers.
    pub bodies: u32,
}

/// Where the walks stand.
#[derive(Debug, Default)]
struct Places {
    runs: Option<RunId>,
    bodies: Option<BodyMark>,
    changes: Option<ChangeMark>,
    long: Option<RunId>,
}

/// The walk over what may go. Clones share their places.
#[derive(Debug, Clone)]
pub struct Retention {
    days: RetentionDays,
    places: Arc<Mutex<Places>>,
}

impl Retention {
    /// Begins with the oldest rows.
    pub fn new(days: RetentionDays) -> Self {
        Self { days, places: Arc::default() }
    }

    /// One step of each walk.
    pub(super) async fn step(&self, store: &Store, now: Instant) -> Result<(), StoreError> {
        self.runs(store, before(now, self.days.runs)).await?;
        self.bodies(store, before(now, self.days.bodies)).await?;
        self.changes(store, before(now, CHANGES_DAYS)).await?;
        let cutoff = before(now, self.days.runs.max(CHANGES_DAYS));
        store
            .write_later(move |tx| Box::pin(async move { tx.forget_old_events(cutoff, STEP).await }))
            .await?;
        self.long_bodies(store).await
    }

    async fn runs(&self, store: &Store, cutoff: Instant) -> Result<(), StoreError> {
        let after = self.at(|places| places.runs);
        let found = store.read().await?.old_runs(after, cutoff, STEP).await?;
        let gone = found.gone;
        if !gone.is_empty() {
            store.write(move |tx| Box::pin(async move { tx.delete_runs(&gone).await })).await?;
        }
        self.at(|places| places.runs = found.next);
        Ok(())
    }

    async fn bodies(&self, store: &Store, cutoff: Instant) -> Result<(), StoreError> {
        let after = self.at(|places| places.bodies);
        let found = store.read().await?.old_bodies(after, cutoff, STEP).await?;
        let gone = found.gone;
        if !gone.is_empty() {
            store.write(move |tx| Box::pin(async move { tx.delete_bodies(&gone).await })).await?;
        }
        self.at(|places| places.bodies = found.next);
        Ok(())
    }

    async fn changes(&self, store: &Store, cutoff: Instant) -> Result<(), StoreError> {
        let after = self.at(|places| places.changes);
        let found = store.read().await?.old_changes(after, cutoff, STEP).await?;
        let gone = found.gone;
        if !gone.is_empty() {
            store.write(move |tx| Box::pin(async move { tx.delete_changes(&gone).await })).await?;
        }
        self.at(|places| places.changes = found.next);
        Ok(())
    }

    async fn long_bodies(&self, store: &Store) -> Result<(), StoreError> {
        let after = self.at(|places| places.long);
        let found = store.read().await?.old_long_bodies(after, STEP).await?;
        let gone = found.gone;
        if !gone.is_empty() {
            store.write(move |tx| Box::pin(async move { tx.cut_bodies(&gone).await })).await?;
        }
        self.at(|places| places.long = found.next.map(|(run, _)| run));
        Ok(())
    }

    fn at<T>(&self, of: impl FnOnce(&mut Places) -> T) -> T {
        of(&mut self.places.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn before(now: Instant, days: u32) -> Instant {
    now - TimeDelta::days(i64::from(days))
}
