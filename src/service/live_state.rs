//! What the watcher of live streams remembers: who listens to what, how far it has read, and how
//! fields stood when it looked last. In memory only, and small: one short channel per stream.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::TimeDelta;
use tokio::sync::mpsc;

use crate::domain::clock::Instant;
use crate::domain::event::{Event, EventKind, EventMark};
use crate::domain::ids::{CaseId, FieldKey, RunId, WorkspaceId};
use crate::store::{EventScope, LiveField};

/// Events that wait in a stream at most. Who is further behind is dropped and comes back with the
/// id of the last event that it has.
const WAITING: usize = 4096;

/// Somebody who listens.
struct Listener {
    workspace: WorkspaceId,
    /// None: to all cases of the workspace.
    case: Option<CaseId>,
    sender: mpsc::Sender<Arc<Event>>,
    /// Whether live runs were looked at since it came.
    begun: bool,
}

/// How a live run stood.
type Shown = (RunId, String);

/// All who listen in this process.
#[derive(Default)]
pub(super) struct Listeners {
    next: u64,
    all: HashMap<u64, Listener>,
    /// How far events were read; none: nobody listens.
    pub(super) cursor: Option<EventMark>,
    shown: HashMap<(CaseId, FieldKey), Shown>,
}

impl Listeners {
    /// Adds one.
    pub(super) fn add(
        &mut self,
        workspace: WorkspaceId,
        case: Option<CaseId>,
    ) -> (u64, mpsc::Receiver<Arc<Event>>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        self.next += 1;
        self.all.insert(self.next, Listener { workspace, case, sender, begun: false });
        // Who comes to a case is told how its fields stand; of a whole workspace that may be too much.
        self.shown.retain(|(known, _), _| case != Some(*known));
        (self.next, receiver)
    }

    /// Takes one away.
    pub(super) fn remove(&mut self, id: u64) {
        self.all.remove(&id);
        self.tidy();
    }

    /// Ends all streams.
    pub(super) fn close(&mut self) {
        self.all.clear();
        self.tidy();
    }

    /// How many listen.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    fn tidy(&mut self) {
        if self.all.is_empty() {
            self.cursor = None;
            self.shown = HashMap::new();
        }
    }

    /// What is listened to.
    pub(super) fn scope(&self) -> EventScope {
        let of = |whole: bool| self.all.values().filter(move |one| one.case.is_none() == whole);
        let workspaces: HashSet<_> = of(true).map(|one| one.workspace).collect();
        let cases = of(false).filter(|one| !workspaces.contains(&one.workspace));
        let cases: HashSet<_> = cases.filter_map(|one| Some((one.workspace, one.case?))).collect();
        EventScope { workspaces: workspaces.into_iter().collect(), cases: cases.into_iter().collect() }
    }

    /// Hands an event to all who listen to its case; who does not keep up is dropped.
    fn tell(&mut self, event: Event) {
        let event = Arc::new(event);
        self.all.retain(|_, one| {
            let concerned =
                one.workspace == event.workspace && one.case.is_none_or(|case| case == event.case_id);
            let too_early = event.kind == EventKind::FieldChanged && one.case.is_none() && !one.begun;
            !concerned || too_early || one.sender.try_send(event.clone()).is_ok()
        });
    }

    /// Takes in what was read: `events` in order, up to `end`.
    pub(super) fn take_in(&mut self, events: Vec<Event>, end: EventMark) {
        for event in events {
            self.tell(event);
        }
        self.cursor = self.cursor.map(|cursor| cursor.max(end));
        self.tidy();
    }

    /// Tells that a case was deleted; whoever listened to it alone has heard all.
    pub(super) fn take_in_deleted(&mut self, workspace: WorkspaceId, case_id: CaseId, at: Instant) {
        let Some(mark) = self.cursor else { return };
        let kind = EventKind::CaseDeleted;
        let (by, field, run_id, paths) = (None, None, None, Vec::new());
        let live = Some("deleted".to_owned());
        self.tell(Event { mark, kind, workspace, case_id, at, by, field, run_id, paths, live });
        self.all.retain(|_, one| one.case != Some(case_id));
        self.tidy();
    }

    /// Takes in how live runs stand; tells of those that stand otherwise than before.
    pub(super) fn take_in_live(&mut self, live: Vec<LiveField>, now: Instant) {
        let Some(mark) = self.cursor else { return };
        let mut shown = HashMap::with_capacity(live.len());
        for LiveField { workspace, case_id, run } in live {
            let waits = run.waiting_for.map_or("", |waiting| waiting.as_str());
            let stands = if run.running { "running".to_owned() } else { format!("queued.{waits}") };
            let stands = format!("{stands}.{}", run.attempt);
            let place = (case_id, run.field.clone());
            let now_shown = (run.run_id, stands.clone());
            let moved = self.shown.get(&place) != Some(&now_shown);
            shown.insert(place, now_shown);
            if moved {
                self.tell(Event {
                    mark,
                    kind: EventKind::FieldChanged,
                    workspace,
                    case_id,
                    at: now,
                    by: None,
                    field: Some(run.field),
                    run_id: Some(run.run_id),
                    paths: Vec::new(),
                    live: Some(stands),
                });
            }
        }
        self.shown = shown;
        self.all.values_mut().for_each(|one| one.begun = true);
        self.tidy();
    }
}

/// How long events may wait for somebody's transaction before that is said.
const LONG: TimeDelta = TimeDelta::seconds(10);

/// Since when the end of what can be read stands still though there is more.
#[derive(Default)]
pub(super) struct HeldUp {
    end: EventMark,
    since: Option<Instant>,
    said: bool,
}

impl HeldUp {
    /// Whether the end is where it was when it was looked last.
    pub(super) fn stands(&mut self, end: EventMark) -> bool {
        let stands = self.end == end;
        if !stands {
            *self = Self { end, ..Self::default() };
        }
        stands
    }

    /// Takes in whether events wait behind the end; `true`, once: they have for long.
    pub(super) fn is_news(&mut self, wait: bool, now: Instant) -> bool {
        if !wait {
            self.since = None;
        } else if now - *self.since.get_or_insert(now) >= LONG && !self.said {
            self.said = true;
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const HERE: WorkspaceId = WorkspaceId(Uuid::from_u128(1));

    fn case(number: u128) -> CaseId {
        CaseId(Uuid::from_u128(number))
    }

    fn event(seq: i64, case_id: CaseId) -> Event {
        Event {
            mark: EventMark { tx: 0, seq },
            kind: EventKind::CaseChanged,
            workspace: HERE,
            case_id,
            at: Instant::UNIX_EPOCH,
            by: None,
            field: None,
            run_id: None,
            paths: Vec::new(),
            live: None,
        }
    }

    #[test]
    fn who_does_not_keep_up_is_dropped_and_holds_nobody_up() {
        let mut listeners = Listeners { cursor: Some(EventMark::default()), ..Listeners::default() };
        let (_, mut slow) = listeners.add(HERE, None);
        let (_, mut elsewhere) = listeners.add(HERE, Some(case(2)));
        let (_, mut quick) = listeners.add(HERE, Some(case(1)));
        let (waiting, all) = (i64::try_from(WAITING).unwrap(), i64::try_from(WAITING).unwrap() + 10);
        for seq in 1..=all {
            listeners.take_in(vec![event(seq, case(1))], EventMark { tx: 0, seq });
            assert_eq!(quick.try_recv().unwrap().mark.seq, seq);
            assert_eq!(listeners.count(), if seq > waiting { 2 } else { 3 }, "after {seq} events");
        }
        // It gets what waited for it, without a gap, and then its end: it comes back behind the last.
        for seq in 1..=waiting {
            assert_eq!(slow.try_recv().unwrap().mark.seq, seq);
        }
        assert_eq!(slow.try_recv().unwrap_err(), mpsc::error::TryRecvError::Disconnected);
        assert_eq!(elsewhere.try_recv().unwrap_err(), mpsc::error::TryRecvError::Empty);
        assert_eq!(listeners.cursor, Some(EventMark { tx: 0, seq: all }));
    }

    #[test]
    fn that_events_wait_for_long_is_said_once() {
        let (mut held_up, at) =
            (HeldUp::default(), |second| Instant::UNIX_EPOCH + TimeDelta::seconds(second));
        let end = EventMark { tx: 7, seq: 1 };
        assert!(!held_up.stands(end) && held_up.stands(end));
        let looks = [(0, true), (9, true), (10, false), (11, true), (20, true), (21, true), (40, true)];
        let said: Vec<i64> = looks
            .into_iter()
            .filter_map(|(second, wait)| held_up.is_news(wait, at(second)).then_some(second))
            .collect();
        assert_eq!(said, [21]);
        // Another end begins anew.
        assert!(!held_up.stands(EventMark { tx: 8, seq: 1 }));
        assert!(!held_up.is_news(true, at(50)) && held_up.is_news(true, at(60)));
    }

    #[test]
    fn who_listens_hears_that_a_case_was_deleted_and_its_own_stream_ends() {
        let mut listeners = Listeners { cursor: Some(EventMark { tx: 3, seq: 9 }), ..Listeners::default() };
        let (_, mut list) = listeners.add(HERE, None);
        let (_, mut own) = listeners.add(HERE, Some(case(1)));
        let (_, mut other) = listeners.add(HERE, Some(case(2)));
        listeners.take_in_deleted(HERE, case(1), Instant::UNIX_EPOCH);
        for stream in [&mut list, &mut own] {
            let event = stream.try_recv().unwrap();
            assert_eq!((event.kind, event.case_id), (EventKind::CaseDeleted, case(1)));
            assert_eq!(event.id().parse(), Ok(EventMark { tx: 3, seq: 9 }));
        }
        assert_eq!(own.try_recv().unwrap_err(), mpsc::error::TryRecvError::Disconnected);
        assert_eq!(list.try_recv().unwrap_err(), mpsc::error::TryRecvError::Empty);
        assert_eq!(other.try_recv().unwrap_err(), mpsc::error::TryRecvError::Empty);
    }

    #[test]
    fn when_the_last_one_is_dropped_nothing_is_remembered() {
        let mut listeners = Listeners { cursor: Some(EventMark::default()), ..Listeners::default() };
        let (_, slow) = listeners.add(HERE, None);
        for seq in 0..=i64::try_from(WAITING).unwrap() {
            listeners.take_in(vec![event(seq, case(1))], EventMark { tx: 0, seq });
        }
        assert_eq!((listeners.count(), listeners.cursor), (0, None));
        drop(slow);
    }
}
