//! Firings into the queue: each joins the run of its field that has not begun, or makes a new
//! one. Per case and field at most one run has begun and at most one has not.

use std::collections::{HashMap, HashSet};

use sea_orm::QueryResult;
use uuid::Uuid;

use super::error::StoreError;
use super::rows::Columns;
use super::run_inserts::{Pending, insert_rows, save};
use super::statement::{CHUNK, int, json, list, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{CaseId, FieldKey, RunId};
use crate::domain::run::{Joined, KeptKey, NewRun, Priority, WaitingFor};
use crate::domain::trigger::Trigger;

/// What became of a firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// A new run waits.
    Queued(RunId),
    /// It joined a run that had not begun.
    Joined(RunId),
    /// The begun run that waited for its retry is due now.
    DueNow(RunId),
    /// The begun run that waits for its lane stands for it.
    Waits(RunId),
}

impl Enqueued {
    /// The run to follow.
    pub const fn run(self) -> RunId {
        match self {
            Self::Queued(run) | Self::Joined(run) | Self::DueNow(run) | Self::Waits(run) => run,
        }
    }
}

/// At most so many firings are listed on a run; later ones still join it.
const MAX_JOINED: usize = 100;

/// A run that has not begun, as firings join it.
struct Joinable {
    run: Pending,
    /// Its place among the runs that this call inserts, if it is one of them.
    new: Option<usize>,
}

/// A begun run that waits for its retry.
#[derive(Clone)]
struct Waiting {
    id: RunId,
    priority: Priority,
    not_before: Option<Instant>,
    joined: Vec<Joined>,
}

/// The live runs of one field of one case.
#[derive(Default)]
struct Live {
    unbegun: Option<Joinable>,
    waiting: Option<Waiting>,
    /// A begun run that waits for an open circuit or a connection that is off.
    parked: Option<RunId>,
}

type Lives = HashMap<(Uuid, String), Live>;

impl Tx {
    /// Fires fields, in order; answers for each the run to follow.
    ///
    /// A firing joins the run that has not begun, else a new run is queued. A manual one makes
    /// a begun run that waits for its retry due now, and is that run unless it carries `input`,
    /// `force`, `overwrite` or the key of an older run, which cannot change what has begun. A
    /// begun run that waits for an open circuit or a connection that is off stands for it as it is.
    pub async fn fire(&self, firings: &[NewRun]) -> Result<Vec<Enqueued>, StoreError> {
        let mut lives = lives(self, firings).await?;
        let mut inserts: Vec<Pending> = Vec::new();
        let mut sources: Vec<&NewRun> = Vec::new();
        let mut followed = Vec::with_capacity(firings.len());
        for firing in firings {
            let live = lives.entry((firing.case_id.0, firing.field.to_string())).or_default();
            let waiting = live.waiting.as_mut().filter(|_| firing.trigger == Trigger::Manual);
            if let Some(run) = waiting {
                make_due(self, run, firing).await?;
                if live.unbegun.is_none() && is_plain(firing) {
                    followed.push(Enqueued::DueNow(run.id));
                    continue;
                }
            }
            if let (Some(run), None, Trigger::Manual, true) =
                (live.parked, &live.unbegun, firing.trigger, is_plain(firing))
            {
                followed.push(Enqueued::Waits(run));
                continue;
            }
            if let Some(unbegun) = &mut live.unbegun {
                join(&mut unbegun.run, firing);
                match unbegun.new {
                    Some(at) => inserts[at] = unbegun.run.clone(),
                    None => save(self, &unbegun.run).await?,
                }
                followed.push(Enqueued::Joined(unbegun.run.id));
                continue;
            }
            let run = Pending::of(firing);
            followed.push(Enqueued::Queued(run.id));
            live.unbegun = Some(Joinable { run: run.clone(), new: Some(inserts.len()) });
            inserts.push(run);
            sources.push(firing);
        }
        insert_rows(self, &sources, &inserts).await?;
        Ok(followed)
    }
}

/// Nothing about it would be lost if a begun run stood for it.
fn is_plain(firing: &NewRun) -> bool {
    firing.input.is_none() && !firing.force && !firing.overwrite && firing.retry_of.is_none()
}

fn join(run: &mut Pending, firing: &NewRun) {
    run.joined = joined(&run.joined, firing);
    if firing.priority.rank() < run.priority.rank() {
        run.priority = firing.priority;
    }
    if firing.depth > run.depth {
        run.depth = firing.depth;
        run.parent = firing.parent_run_id;
    }
    run.force |= firing.force;
    run.overwrite |= firing.overwrite;
    // The later input and the older data win: what takes the place of a begun run is older.
    let (mut first, mut last) =
        ((run.input.take(), run.old.take()), (firing.input.clone(), firing.old.clone()));
    if firing.replaces.is_some() {
        std::mem::swap(&mut first, &mut last);
    }
    run.input = last.0.or(first.0);
    run.old = first.1.or(last.1);
    if run.retry_of.is_none() {
        run.retry_of = firing.retry_of;
        run.kept.clone_from(&firing.kept_key);
    }
}

fn joined(before: &[Joined], firing: &NewRun) -> Vec<Joined> {
    let new = Joined { trigger: firing.trigger, at: firing.created_at, by: firing.by.clone() };
    before.iter().cloned().chain([new]).take(MAX_JOINED).collect()
}

async fn lives(tx: &Tx, firings: &[NewRun]) -> Result<Lives, StoreError> {
    let mut cases: Vec<Uuid> = firings.iter().map(|firing| firing.case_id.0).collect();
    cases.sort_unstable();
    cases.dedup();
    let mut lives = Lives::new();
    // The bound on `field` holds for all; it leads to the index of live runs, past the history.
    for chunk in cases.chunks(CHUNK) {
        let statement = format!(
            "SELECT id, case_id, field, begun, waiting_for, priority, not_before, depth, parent_run_id, force, \
             overwrite, input, old, retry_of, joined FROM run \
             WHERE case_id IN ({}) AND field >= '' AND status IN ('queued', 'running')",
            list(chunk.len(), 1)
        );
        for row in tx.all(sql(statement, chunk.iter().copied().map(uuid).collect())).await? {
            read_live(&row, &mut lives)?;
        }
    }
    Ok(lives)
}

fn read_live(row: &QueryResult, lives: &mut Lives) -> Result<(), StoreError> {
    let mut columns = Columns::of("run", row)?;
    let id = RunId(columns.id());
    let live = lives.entry((columns.get()?, columns.get()?)).or_default();
    let begun: bool = columns.get()?;
    let waiting_for = columns.maybe_word(WaitingFor::parse)?;
    let priority = columns.priority()?;
    let not_before = columns.maybe_at()?;
    let mut run = Pending {
        id,
        priority,
        depth: columns.count()?,
        parent: columns.get::<Option<Uuid>>()?.map(RunId),
        force: columns.get()?,
        overwrite: columns.get()?,
        input: columns.maybe_json()?,
        old: columns.maybe_json()?,
        retry_of: columns.get::<Option<Uuid>>()?.map(RunId),
        kept: None,
        joined: columns.maybe_json()?.unwrap_or_default(),
    };
    if !begun {
        live.unbegun = Some(Joinable { run, new: None });
    } else if matches!(waiting_for, Some(WaitingFor::Circuit | WaitingFor::Connection)) {
        live.parked = Some(id);
    } else if waiting_for == Some(WaitingFor::Retry) {
        live.waiting = Some(Waiting { id, priority, not_before, joined: std::mem::take(&mut run.joined) });
    }
    Ok(())
}

/// Not before the provider's `Retry-After`.
async fn make_due(tx: &Tx, run: &mut Waiting, firing: &NewRun) -> Result<(), StoreError> {
    run.joined = joined(&run.joined, firing);
    let due_at = run.not_before.map_or(firing.created_at, |earliest| earliest.max(firing.created_at));
    let rank = run.priority.rank().min(firing.priority.rank());
    let statement = "UPDATE run SET due_at = $1, priority = $2, joined = $3 WHERE id = $4";
    tx.execute(sql(statement, vec![ms(due_at), int(rank), json(&run.joined), uuid(run.id.0)])).await?;
    Ok(())
}

/// A run that is unbegun again: its lane let no call of it go.
pub(super) struct Unbegun {
    pub(super) run: RunId,
    pub(super) case: CaseId,
    pub(super) field: FieldKey,
}

/// Lets each of these runs join the one that waits behind it, as a firing would that is older;
/// answers those that did. Their own rows are left to the caller.
pub(super) async fn join_waiting(tx: &Tx, runs: &[Unbegun]) -> Result<HashSet<RunId>, StoreError> {
    let mut joined = HashSet::new();
    for chunk in runs.chunks(CHUNK) {
        let statement = format!(
            "SELECT case_id, field FROM run WHERE case_id IN ({}) AND field >= '' \
             AND status IN ('queued', 'running') AND status = 'queued' AND NOT begun",
            list(chunk.len(), 1)
        );
        let mut behind = HashSet::new();
        for row in tx.all(sql(statement, chunk.iter().map(|run| uuid(run.case.0)).collect())).await? {
            behind.insert((row.try_get_by_index::<Uuid>(0)?, row.try_get_by_index::<String>(1)?));
        }
        for older in chunk {
            if behind.contains(&(older.case.0, older.field.to_string())) {
                join_one(tx, older).await?;
                joined.insert(older.run);
            }
        }
    }
    Ok(joined)
}

async fn join_one(tx: &Tx, older: &Unbegun) -> Result<(), StoreError> {
    let statement = "SELECT id, priority, depth, parent_run_id, force, overwrite, input, old, retry_of, joined, \
         idempotency_key, fingerprint, trigger, created_at FROM run \
         WHERE case_id = $1 AND field = $2 AND (id = $3 OR NOT begun AND status = 'queued')";
    let values = vec![uuid(older.case.0), text(older.field.as_str()), uuid(older.run.0)];
    let (mut from, mut into) = (None, None);
    for row in tx.all(sql(statement, values)).await? {
        let (run, fired) = joinable(&row)?;
        if run.id == older.run { from = Some((run, fired)) } else { into = Some(run) }
    }
    let (Some((from, fired)), Some(mut run)) = (from, into) else { return Ok(()) };
    run.joined = [run.joined, vec![fired], from.joined].concat();
    run.joined.truncate(MAX_JOINED);
    run.force |= from.force;
    run.overwrite |= from.overwrite;
    if from.priority.rank() < run.priority.rank() {
        run.priority = from.priority;
    }
    if from.depth > run.depth {
        (run.depth, run.parent) = (from.depth, from.parent);
    }
    run.input = run.input.or(from.input);
    run.old = from.old.or(run.old);
    // The key that stands for itself stays; only one that was taken over goes on.
    run.kept = None;
    if run.retry_of.is_none() {
        (run.retry_of, run.kept) = (from.retry_of, from.kept);
    }
    save(tx, &run).await
}

fn joinable(row: &QueryResult) -> Result<(Pending, Joined), StoreError> {
    let mut columns = Columns::of("run", row)?;
    let id = RunId(columns.id());
    let mut run = Pending {
        id,
        priority: columns.priority()?,
        depth: columns.count()?,
        parent: columns.get::<Option<Uuid>>()?.map(RunId),
        force: columns.get()?,
        overwrite: columns.get()?,
        input: columns.maybe_json()?,
        old: columns.maybe_json()?,
        retry_of: columns.get::<Option<Uuid>>()?.map(RunId),
        kept: None,
        joined: columns.maybe_json()?.unwrap_or_default(),
    };
    let (key, fingerprint): (String, Option<Vec<u8>>) = (columns.get()?, columns.get()?);
    run.kept = fingerprint.filter(|_| key != id.to_string()).map(|fingerprint| KeptKey { key, fingerprint });
    let trigger = columns.word(Trigger::parse)?;
    Ok((run, Joined { trigger, at: columns.at()?, by: format!("run:{id}") }))
}
