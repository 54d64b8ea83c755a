//! Claims due runs, makes their attempts side by side, keeps hold of them while they last.
//!
//! It wakes on a commit that may have made runs due and looks by itself four times a second;
//! the wake-up only saves waiting. When it is told to stop it claims no more, lets calls in
//! flight end, and gives the rest back to the queue.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::context::Engine;
use super::hold::{Hold, Took};
use super::{pipeline, record};
use crate::domain::ids::{CaseId, LeaseToken, RunId};
use crate::store::{Claim, ClaimedRun, LanePlace};

/// How long a hold lasts unless it is renewed.
const LEASE: Duration = Duration::from_secs(15);
/// How often holds are renewed.
const RENEW: Duration = Duration::from_secs(5);
/// How often the queue is looked at without a wake-up, after something was found in it; later up to
/// [`Store::longest_poll`](crate::store::Store::longest_poll).
const POLL: Duration = Duration::from_millis(250);
/// How long the runs of calls that were ended may take to be given back.
const GIVING_BACK: Duration = Duration::from_secs(5);
/// Most runs in one claim.
const CLAIM: usize = 32;

/// The place that a run takes while it is worked on. However that ends, also when it is aborted,
/// dropping this gives the place back and wakes who waits for one.
struct Place {
    worker: Arc<Worker>,
    run: RunId,
    token: LeaseToken,
    permit: Option<OwnedSemaphorePermit>,
    /// Told when the attempt is over.
    over: Arc<Notify>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.worker.held.lock().unwrap_or_else(PoisonError::into_inner);
        // The run may have been claimed anew in the meantime.
        if held.get(&self.run).is_some_and(|hold| hold.run.token == self.token) {
            held.remove(&self.run);
        }
        drop(held);
        drop(self.permit.take());
        self.over.notify_one();
        self.worker.freed.notify_one();
    }
}

/// The working part of a process.
pub struct Worker {
    engine: Arc<Engine>,
    slots: Arc<Semaphore>,
    freed: Arc<Notify>,
    held: Mutex<HashMap<RunId, Hold>>,
    tasks: TaskTracker,
    /// The wake-up count at which there was nothing due and nothing in flight.
    idle: watch::Sender<u64>,
}

impl Worker {
    /// A worker that has not begun.
    pub fn new(engine: Arc<Engine>, tasks: TaskTracker) -> Arc<Self> {
        let slots = Arc::new(Semaphore::new(engine.settings.concurrency));
        let (freed, held) = (Arc::new(Notify::new()), Mutex::default());
        Arc::new(Self { engine, slots, freed, held, tasks, idle: watch::Sender::new(0) })
    }

    /// Tells at which wake-up count the worker was last without anything to do.
    pub fn idle(&self) -> watch::Receiver<u64> {
        self.idle.subscribe()
    }

    /// Claims and works until `stop`.
    pub async fn work(self: Arc<Self>, stop: CancellationToken) {
        let mut queued = self.engine.store.signals().queued();
        let (mut after, mut poll) = (None, POLL);
        while !stop.is_cancelled() {
            let seen = *queued.borrow_and_update();
            let free = self.slots.available_permits();
            let mut opens_at = None;
            if free > 0 {
                let claimed = self.claim(free, &mut after).await;
                poll =
                    if claimed.runs == 0 { (poll * 2).min(self.engine.store.longest_poll()) } else { POLL };
                if claimed.more {
                    continue;
                }
                opens_at = claimed.opens_at;
                if claimed.runs == 0 && self.slots.available_permits() == self.engine.settings.concurrency {
                    self.idle.send_replace(seen);
                }
            }
            let next = self.engine.clock.now() + poll;
            let at_last = self.engine.clock.sleep_until(opens_at.map_or(next, |opens| next.min(opens)));
            tokio::select! {
                () = stop.cancelled() => {}
                _ = queued.changed(), if free > 0 => {}
                () = self.freed.notified() => {}
                () = at_last => {}
            }
        }
    }

    /// Claims due runs, from behind the lane `after` on, and sets them to work.
    async fn claim(self: &Arc<Self>, free: usize, after: &mut Option<LanePlace>) -> Took {
        let now = self.engine.clock.now();
        let claim = Claim {
            worker: self.engine.worker,
            token: self.token(),
            now,
            until: now + LEASE,
            limit: u32::try_from(free.min(CLAIM)).unwrap_or(u32::MAX),
            free: u32::try_from(free).unwrap_or(u32::MAX),
            held: self.held_by_lane(),
            after: after.take(),
        };
        match self.engine.store.claim(claim).await {
            Ok(claimed) => {
                *after = claimed.after;
                let took = Took { runs: claimed.runs.len(), more: claimed.more, opens_at: claimed.opens_at };
                for run in claimed.runs {
                    self.begin(run).await;
                }
                took
            }
            Err(error) => {
                tracing::warn!(%error, "no runs could be claimed");
                Took::default()
            }
        }
    }

    /// Random alone: nobody sorts tokens, and a worker draws many within one moment.
    fn token(&self) -> LeaseToken {
        let mut bytes = [0; 16];
        self.engine.rng.fill(&mut bytes);
        LeaseToken(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// How many runs of each lane are in this worker's hands.
    fn held_by_lane(&self) -> HashMap<LanePlace, u32> {
        let mut lanes = HashMap::new();
        for Hold { run, .. } in self.held.lock().unwrap_or_else(PoisonError::into_inner).values() {
            *lanes.entry((run.workspace, run.lane.clone())).or_default() += 1;
        }
        lanes
    }

    async fn begin(self: &Arc<Self>, run: ClaimedRun) {
        let Ok(permit) = self.slots.clone().acquire_owned().await else { return };
        let (id, kept) = (run.id, run.clone());
        let over = Arc::new(Notify::new());
        let place = Place {
            worker: self.clone(),
            run: id,
            token: run.token,
            permit: Some(permit),
            over: over.clone(),
        };
        // The entry is made under the lock, so the task cannot remove it before it is there.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let task = self.tasks.spawn(async move { place.worker.attempt(run).await });
        held.insert(id, Hold { run: kept, task: task.abort_handle(), over });
    }

    async fn attempt(&self, run: ClaimedRun) {
        let id = run.id;
        let kept = run.clone();
        let attempt = AssertUnwindSafe(Box::pin(pipeline::attempt(&self.engine, run))).catch_unwind().await;
        let done = match attempt {
            Ok(done) => done,
            Err(_) => record::give_up(&self.engine, &kept, "a bug in Dossier stopped this run").await,
        };
        if let Err(error) = done {
            tracing::error!(run = %id, %error, "the run could not be recorded; it is claimed again when its lease ends");
        }
    }

    async fn wait_for_tasks(&self, deadline: impl Future<Output = ()>) {
        tokio::pin!(deadline);
        while self.slots.available_permits() < self.engine.settings.concurrency {
            tokio::select! {
                () = self.freed.notified() => {}
                () = &mut deadline => return,
            }
        }
    }

    /// Renews the holds of this worker until [`Worker::drain`] is done with calls in flight, and lets
    /// go of runs that are no longer its own: at once where they were cancelled in this process.
    pub async fn keep_leases(self: Arc<Self>) {
        let (engine, clock) = (&self.engine, &self.engine.clock);
        let mut withdrawals = engine.store.signals().withdrawals();
        let mut next = clock.now() + RENEW;
        loop {
            let case = tokio::select! {
                () = engine.time_is_up.cancelled() => return,
                () = clock.sleep_until(next) => None,
                // None: there were more than are remembered.
                case = withdrawals.recv() => case.ok(),
            };
            if case.is_none() {
                next = clock.now() + RENEW;
            }
            let held = self.held(case);
            if held.is_empty() {
                continue;
            }
            let (worker, until) = (engine.worker, clock.now() + LEASE);
            let runs: Vec<RunId> = held.keys().copied().collect();
            let renewed = engine
                .store
                .write(move |tx| Box::pin(async move { tx.renew_leases(worker, &runs, until).await }));
            match renewed.await {
                Ok(lost) => self.let_go(&lost, &held),
                Err(error) => tracing::warn!(%error, "leases could not be renewed"),
            }
        }
    }

    /// The runs that are worked on in this process.
    pub fn holds(&self) -> Vec<RunId> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// What is in its hands; `of`: of this case only.
    fn held(&self, of: Option<CaseId>) -> HashMap<RunId, LeaseToken> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = held.iter().filter(|(_, hold)| of.is_none_or(|case| hold.run.case.case.id == case));
        wanted.map(|(id, hold)| (*id, hold.run.token)).collect()
    }

    /// Aborts the attempts of runs that were cancelled or taken over; when their calls are over, so are
    /// their permits. What was held when the leases were renewed says which attempt is meant.
    fn let_go(&self, lost: &[RunId], tokens: &HashMap<RunId, LeaseToken>) {
        let holds = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for id in lost {
            let Some(hold) = holds.get(id).filter(|hold| tokens.get(id) == Some(&hold.run.token)) else {
                continue;
            };
            tracing::debug!(run = %id, "the run is no longer ours; its attempt is aborted");
            hold.task.abort();
            let (engine, id, token, over) = (self.engine.clone(), *id, hold.run.token, hold.over.clone());
            self.tasks.spawn(async move {
                over.notified().await;
                record::hand_in(&engine, id, token).await;
            });
        }
    }

    /// Waits for calls in flight until `deadline`, then ends them and gives their runs back. Call
    /// it after [`Worker::work`] has returned.
    pub async fn drain(&self, deadline: impl Future<Output = ()>) {
        self.wait_for_tasks(deadline).await;
        self.engine.time_is_up.cancel();
        let clock = &self.engine.clock;
        self.wait_for_tasks(clock.sleep_until(clock.now() + GIVING_BACK)).await;
        let rest: Vec<_> = self.held.lock().unwrap_or_else(PoisonError::into_inner).drain().collect();
        // All before the first is given back: a run that waits for the call of another one would
        // make it itself when only the other is stopped.
        for (_, hold) in &rest {
            hold.task.abort();
        }
        let give_back = async {
            for (id, hold) in &rest {
                if let Err(error) = record::give_back(&self.engine, &hold.run).await {
                    tracing::warn!(run = %id, %error, "the run could not be given back; its lease ends by itself");
                }
            }
        };
        // While the database is away this would last for ever.
        tokio::select! {
            () = give_back => {}
            () = clock.sleep_until(clock.now() + GIVING_BACK) => {
                tracing::warn!("not all runs could be given back; their leases end by themselves");
            }
        }
    }
}
