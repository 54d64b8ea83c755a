//! What others in this process are told after a commit. They only save polling: the rows are
//! the truth.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, broadcast, watch};

use crate::domain::ids::{CaseId, WorkspaceId};

/// Wake-ups of one process.
#[derive(Debug)]
pub struct Signals {
    queued: watch::Sender<u64>,
    changes: watch::Sender<u64>,
    cases: Mutex<HashMap<CaseId, Arc<Notify>>>,
    others: Notify,
    withdrawn: broadcast::Sender<CaseId>,
    deleted: broadcast::Sender<(WorkspaceId, CaseId)>,
    access: AtomicU64,
}

/// Cases with cancelled runs that a worker may not have looked at yet. When there are more, it looks
/// at all that it holds.
const WITHDRAWN: usize = 64;

/// Deleted cases that may wait to be told. Of more, lists hear nothing, and streams when they look again.
const DELETED: usize = 1024;

impl Default for Signals {
    fn default() -> Self {
        Self {
            queued: watch::Sender::new(0),
            changes: watch::Sender::new(0),
            cases: Mutex::default(),
            others: Notify::new(),
            withdrawn: broadcast::Sender::new(WITHDRAWN),
            deleted: broadcast::Sender::new(DELETED),
            access: AtomicU64::new(0),
        }
    }
}

impl Signals {
    /// Counts up whenever runs may have become due.
    pub fn queued(&self) -> watch::Receiver<u64> {
        self.queued.subscribe()
    }

    /// Counts up whenever anything that is shown may have changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Says that something that is shown has changed, and nothing for a worker to do.
    pub(super) fn moved(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Says that runs may have become due.
    pub fn wake(&self) {
        self.queued.send_modify(|count| *count += 1);
        self.moved();
    }

    /// Says so here, and to other processes on the database.
    pub(super) fn committed(&self) {
        self.wake();
        self.others.notify_one();
    }

    /// Returns when there was a commit that other processes have not been told of; several are one.
    pub(super) async fn something_to_tell(&self) {
        self.others.notified().await;
    }

    /// How often this process has heard that somebody's access was withdrawn or changed. What was read
    /// of a token or a session when it was another number may be out of date.
    pub fn access(&self) -> u64 {
        self.access.load(Ordering::Acquire)
    }

    /// Says that somebody's access was withdrawn or changed, or may have been.
    pub fn access_changed(&self) {
        self.access.fetch_add(1, Ordering::AcqRel);
    }

    /// The cases of which runs were cancelled that may have begun, from now on.
    pub fn withdrawals(&self) -> broadcast::Receiver<CaseId> {
        self.withdrawn.subscribe()
    }

    /// Says that runs of this case were cancelled: who works on one lets go of it at once.
    pub fn withdrawn(&self, case: CaseId) {
        // Nobody listens in a process that does not work.
        let _ = self.withdrawn.send(case);
        self.changed([case]);
    }

    /// Cases that are deleted from now on, here or, on PostgreSQL, by another process.
    pub fn deletions(&self) -> broadcast::Receiver<(WorkspaceId, CaseId)> {
        self.deleted.subscribe()
    }

    /// Says that a case was deleted.
    pub(super) fn deleted(&self, workspace: WorkspaceId, case: CaseId) {
        // Nobody listens in a process that does not serve.
        let _ = self.deleted.send((workspace, case));
    }

    /// Fires when something ended on this case. Ask before reading the case, then read, then wait.
    pub fn of_case(&self, case: CaseId) -> Arc<Notify> {
        let mut cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
        cases.retain(|_, notify| Arc::strong_count(notify) > 1);
        cases.entry(case).or_default().clone()
    }

    /// Says that something may have changed on any case.
    pub(super) fn changed_somewhere(&self) {
        let cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
        cases.values().for_each(|notify| notify.notify_waiters());
    }

    /// Says that something changed on these cases.
    pub fn changed(&self, changed: impl IntoIterator<Item = CaseId>) {
        let cases = self.cases.lock().unwrap_or_else(PoisonError::into_inner);
        if cases.is_empty() {
            return;
        }
        for case in changed {
            if let Some(notify) = cases.get(&case) {
                notify.notify_waiters();
            }
        }
    }
}
