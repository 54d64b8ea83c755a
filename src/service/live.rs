//! Live streams: one task per process watches for all of them.
//!
//! After each commit, and at least once a second for what other processes did, it reads what
//! happened in the cases that somebody listens to and how their live runs stand: a few statements
//! for all streams together, however many there are. Nobody listening costs nothing. A stream gets
//! every kept event behind the place at which it began, in order and once; the live moves of
//! fields between them as they are seen. Who does not keep up is dropped, not waited for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::error::ServiceError;
use super::live_state::{HeldUp, Listeners};
use crate::domain::clock::SharedClock;
use crate::domain::event::{Event, EventMark};
use crate::domain::ids::{CaseId, WorkspaceId};
use crate::store::{EventScope, Store, StoreError};

/// How often is looked without a wake-up.
const LOOK: TimeDelta = TimeDelta::seconds(1);
/// At least so much lies between two looks.
const APART: Duration = Duration::from_millis(50);
/// Events read at once.
const PAGE: i64 = 500;

struct Shared {
    store: Store,
    clock: SharedClock,
    listeners: Mutex<Listeners>,
    somebody: Notify,
    closed: CancellationToken,
}

/// The streams of this process. Cheap to clone.
#[derive(Clone)]
pub struct Live(Arc<Shared>);

impl Live {
    /// On this database; [`Live::watch`] must run for anything to be told.
    pub fn new(store: Store, clock: SharedClock) -> Self {
        let (listeners, somebody, closed) = (Mutex::default(), Notify::new(), CancellationToken::new());
        Self(Arc::new(Shared { store, clock, listeners, somebody, closed }))
    }

    /// What happens to a case from now on, or behind the event with the mark `after`.
    pub async fn watch_case(
        &self,
        workspace: WorkspaceId,
        case: CaseId,
        after: Option<EventMark>,
    ) -> Result<Watch, ServiceError> {
        self.begin(workspace, Some(case), after).await
    }

    /// What happens to all cases of a workspace from now on, or behind the event with the mark `after`.
    pub async fn watch_workspace(
        &self,
        workspace: WorkspaceId,
        after: Option<EventMark>,
    ) -> Result<Watch, ServiceError> {
        self.begin(workspace, None, after).await
    }

    async fn begin(
        &self,
        workspace: WorkspaceId,
        case: Option<CaseId>,
        after: Option<EventMark>,
    ) -> Result<Watch, ServiceError> {
        let end = self.0.store.event_end().await?;
        let mut listeners = self.listeners();
        let from = *listeners.cursor.get_or_insert(end);
        let (id, receiver) = listeners.add(workspace, case);
        drop(listeners);
        self.0.somebody.notify_one();
        let scope = match case {
            Some(case) => EventScope { cases: vec![(workspace, case)], ..EventScope::default() },
            None => EventScope { workspaces: vec![workspace], ..EventScope::default() },
        };
        // Without a mark what was committed before is known to the caller. One that lies ahead is of
        // another database.
        let after = after.map(|after| after.min(end));
        let missed = after.filter(|after| *after < from).map(|after| (after, from));
        let seen = after.unwrap_or(end);
        let read = VecDeque::new();
        Ok(Watch { live: self.clone(), id, receiver, scope, missed, seen, read })
    }

    /// Ends all streams, and refuses to watch on.
    pub fn close(&self) {
        self.0.closed.cancel();
        self.listeners().close();
    }

    /// Ends when the streams are closed.
    pub async fn closed(&self) {
        self.0.closed.cancelled().await;
    }

    /// How many streams are open.
    pub fn count(&self) -> usize {
        self.listeners().count()
    }

    /// Watches until the streams are closed.
    pub async fn watch(self) {
        let mut changes = self.0.store.signals().changes();
        let mut deletions = self.0.store.signals().deletions();
        let mut held_up = HeldUp::default();
        while !self.0.closed.is_cancelled() {
            if self.count() == 0 {
                tokio::select! {
                    () = self.closed() => return,
                    () = self.0.somebody.notified() => {}
                }
                deletions = deletions.resubscribe();
            }
            changes.mark_unchanged();
            while let Ok((workspace, case)) = deletions.try_recv() {
                self.listeners().take_in_deleted(workspace, case, self.0.clock.now());
            }
            if let Err(error) = self.look(&mut held_up).await {
                tracing::warn!(%error, "live streams could not be served; they will be");
            }
            pause(APART).await;
            let next = self.0.clock.now() + LOOK;
            tokio::select! {
                () = self.closed() => return,
                _ = changes.changed() => {}
                Ok((workspace, case)) = deletions.recv() => {
                    self.listeners().take_in_deleted(workspace, case, self.0.clock.now());
                }
                () = self.0.somebody.notified() => {}
                () = self.0.clock.sleep_until(next) => {}
            }
        }
    }

    /// Reads what has happened, and tells it.
    async fn look(&self, held_up: &mut HeldUp) -> Result<(), StoreError> {
        loop {
            let (scope, cursor) = {
                let listeners = self.listeners();
                let Some(cursor) = listeners.cursor else { return Ok(()) };
                (listeners.scope(), cursor)
            };
            let end = self.0.store.event_end().await?;
            if held_up.stands(end) {
                self.look_behind(held_up, end).await?;
            }
            let tx = self.0.store.read().await?;
            let events = tx.events(&scope, (cursor, end), PAGE).await?;
            let full = usize::try_from(PAGE).is_ok_and(|page| events.len() == page);
            let end = events.last().filter(|_| full).map_or(end, |last| last.mark);
            let live = if full { Vec::new() } else { tx.live_fields(&scope).await? };
            drop(tx);
            let mut listeners = self.listeners();
            listeners.take_in(events, end);
            if !full {
                listeners.take_in_live(live, self.0.clock.now());
                return Ok(());
            }
        }
    }

    /// Says when somebody's open transaction holds up what lies behind the end: nobody else would.
    async fn look_behind(&self, held_up: &mut HeldUp, end: EventMark) -> Result<(), StoreError> {
        let open = self.0.store.event_held_up(end).await?;
        if let (true, Some((process, age))) = (held_up.is_news(open.is_some(), self.0.clock.now()), open) {
            tracing::warn!(
                process,
                age_s = age,
                "an open transaction of this database holds up all event streams and live pages until it ends"
            );
        }
        Ok(())
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One stream of events; ends when it is dropped.
pub struct Watch {
    live: Live,
    id: u64,
    receiver: mpsc::Receiver<Arc<Event>>,
    scope: EventScope,
    /// What lies between the mark that the caller named and where the watcher stands.
    missed: Option<(EventMark, EventMark)>,
    /// The last kept event that was told.
    seen: EventMark,
    read: VecDeque<Event>,
}

impl Watch {
    /// The next event; none: the stream is over, and may be begun again behind the last event.
    ///
    /// Nothing is lost when the future is dropped before it is done.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            if let Some(event) = self.read.pop_front() {
                self.seen = event.mark;
                return Some(Arc::new(event));
            }
            if let Some((after, end)) = self.missed {
                match self.read_missed(after, end).await {
                    Ok(events) => {
                        let full = usize::try_from(PAGE).is_ok_and(|page| events.len() == page);
                        self.missed = events.last().filter(|_| full).map(|last| (last.mark, end));
                        self.read = events.into();
                        continue;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a stream ends: what it had missed could not be read");
                        return None;
                    }
                }
            }
            let event = self.receiver.recv().await?;
            // Where a stream begins between two looks, a few are known to it.
            if event.live.is_none() {
                if event.mark <= self.seen {
                    continue;
                }
                self.seen = event.mark;
            }
            return Some(event);
        }
    }

    async fn read_missed(&self, after: EventMark, end: EventMark) -> Result<Vec<Event>, StoreError> {
        self.live.0.store.read().await?.events(&self.scope, (after, end), PAGE).await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.live.listeners().remove(self.id);
    }
}

#[expect(clippy::disallowed_methods, reason = "nothing that is kept or shown depends on it")]
async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}
