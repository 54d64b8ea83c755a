//! Runs after a batch, and what their fields show of those that ended.

use sea_orm::Value;

use super::closing::{Ending, Verdict};
use super::merge::Settled;
use crate::domain::clock::Instant;
use crate::domain::failure::{FailureCode, RunError};
use crate::domain::ids::RunId;
use crate::domain::run::{Reason, RunStatus, WaitingFor};
use crate::store::error::StoreError;
use crate::store::statement::{
    int, json_list, maybe_json, maybe_ms, maybe_text, maybe_uuid, ms, sql, text, tuples, uuid,
};
use crate::store::tx::Tx;

/// What a report changes about its run.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one attempt")]
struct Change<'s> {
    status: RunStatus,
    reason: Option<Reason>,
    missing: &'s [String],
    waiting_for: Option<WaitingFor>,
    due_at: Option<Instant>,
    not_before: Option<Instant>,
    /// The attempt does not count.
    uncount: bool,
    /// The attempt used up no retry.
    free: bool,
    /// The provider answered 429.
    limited: bool,
    error: Option<&'s RunError>,
    /// What went wrong before stays.
    keep_error: bool,
    cached_from: Option<RunId>,
    parked: bool,
    /// It has not begun any more.
    unbegin: bool,
}

impl Change<'_> {
    const fn to(status: RunStatus) -> Self {
        Self {
            status,
            reason: None,
            missing: &[],
            waiting_for: None,
            due_at: None,
            not_before: None,
            uncount: false,
            free: false,
            limited: false,
            error: None,
            keep_error: false,
            cached_from: None,
            parked: false,
            unbegin: false,
        }
    }
}

fn change<'s>(settled: &'s Settled<'_>) -> Change<'s> {
    match &settled.closing.verdict {
        Verdict::Park { .. } if settled.ending.is_some() => Change {
            reason: settled.ending.as_ref().and_then(|ending| ending.reason),
            uncount: true,
            error: settled.ending.as_ref().and_then(|ending| ending.error.as_ref()),
            ..Change::to(RunStatus::Cancelled)
        },
        Verdict::Park { waiting_for, opens_at, unbegin } => Change {
            waiting_for: Some(*waiting_for),
            due_at: *opens_at,
            uncount: true,
            keep_error: true,
            parked: true,
            unbegin: *unbegin,
            ..Change::to(RunStatus::Queued)
        },
        Verdict::Again { due_at, not_before, waiting_for, free, limited, error } => Change {
            waiting_for: Some(*waiting_for),
            due_at: Some(*due_at),
            not_before: *not_before,
            free: *free,
            limited: *limited,
            error: error.as_ref(),
            ..Change::to(RunStatus::Queued)
        },
        Verdict::HandBack { due_at } => Change {
            waiting_for: Some(WaitingFor::Worker),
            due_at: Some(*due_at),
            uncount: true,
            keep_error: true,
            ..Change::to(RunStatus::Queued)
        },
        Verdict::Ended(asked) => {
            let ending = settled.ending.as_ref().unwrap_or(asked);
            let attempt = settled.closing.attempt.as_ref();
            Change {
                reason: ending.reason,
                missing: &ending.missing,
                // Nobody was asked, and nothing went wrong or the lane let no call go: there was no attempt.
                uncount: attempt.is_none() && (ending.status != RunStatus::Failed || ending.keeps_state),
                // A 429 uses up no retry, also the one after which nobody waits any longer.
                free: ending.error.as_ref().is_some_and(is_limited),
                limited: ending.error.as_ref().is_some_and(|error| error.http_status == Some(429)),
                error: ending.error.as_ref(),
                cached_from: ending.cached_from,
                ..Change::to(ending.status)
            }
        }
    }
}

fn is_limited(error: &RunError) -> bool {
    error.code == FailureCode::RateLimited && error.http_status == Some(429)
}

const COLUMNS: usize = 23;

/// What became of each run.
pub(super) async fn update(tx: &Tx, chunk: &[Settled<'_>]) -> Result<(), StoreError> {
    let values = chunk.iter().flat_map(run_values).collect();
    let statement = format!(
        "WITH closed (id, at, over, status, reason, missing, waiting_for, due_at, not_before, uncount, free, attempts_max, limited, \
           written, kept_manual, error, keep_error, cached, cached_from, fingerprint, parked, unbegin, counted) AS (VALUES {}) \
         UPDATE run SET status = closed.status, reason = closed.reason, missing = closed.missing, \
           waiting_for = closed.waiting_for, due_at = closed.due_at, not_before = closed.not_before, \
           attempt = attempt - closed.uncount, attempts_max = closed.attempts_max + closed.free, \
           limited = run.limited + closed.limited, written = closed.written, kept_manual = closed.kept_manual, \
           error = CASE WHEN closed.keep_error THEN run.error ELSE closed.error END, cached = closed.cached, \
           cached_from = closed.cached_from, fingerprint = COALESCE(run.fingerprint, closed.fingerprint), \
           worker_id = NULL, lease_token = NULL, lease_until = NULL, permit = FALSE, parked = closed.parked, \
           counted = run.counted OR closed.counted, begun = run.begun AND NOT closed.unbegin, \
           sealed_at = CASE WHEN closed.unbegin THEN NULL ELSE sealed_at END, \
           started_at = CASE WHEN closed.unbegin THEN NULL ELSE started_at END, \
           ended_at = CASE WHEN closed.over THEN closed.at END, \
           duration_ms = CASE WHEN closed.over THEN closed.at - started_at END \
         FROM closed WHERE run.id = closed.id",
        tuples(chunk.len(), COLUMNS, 1)
    );
    tx.execute(sql(statement, values)).await?;
    Ok(())
}

fn run_values(settled: &Settled<'_>) -> [Value; COLUMNS] {
    let change = change(settled);
    [
        uuid(settled.closing.run_id.0),
        ms(settled.closing.at),
        Value::from(change.status.is_ended()),
        text(change.status.as_str()),
        maybe_text(change.reason.map(Reason::as_str)),
        json_list(change.missing),
        maybe_text(change.waiting_for.map(WaitingFor::as_str)),
        maybe_ms(change.due_at),
        maybe_ms(change.not_before),
        int(i64::from(change.uncount)),
        int(i64::from(change.free)),
        int(i64::from(settled.closing.attempts_max)),
        int(i64::from(change.limited)),
        json_list(&settled.written),
        json_list(&settled.kept_manual),
        maybe_json(change.error),
        Value::from(change.keep_error),
        Value::from(change.cached_from.is_some()),
        maybe_uuid(change.cached_from.map(|id| id.0)),
        Value::from(settled.closing.fingerprint.clone()),
        Value::from(change.parked),
        Value::from(change.unbegin),
        Value::from(settled.counted),
    ]
}

/// Ended runs leave what their field shows; a cancelled one shows again what was there before.
pub(super) async fn show(tx: &Tx, chunk: &[Settled<'_>]) -> Result<(), StoreError> {
    let ended: Vec<_> = chunk
        .iter()
        .filter_map(|settled| Some((settled, settled.ending.as_ref()?)))
        .filter(|(_, ending)| ending.status != RunStatus::Cancelled)
        .collect();
    let (kept, ended): (Vec<_>, Vec<_>) = ended.into_iter().partition(|(_, ending)| ending.keeps_state);
    show_errors(tx, &kept).await?;
    if ended.is_empty() {
        return Ok(());
    }
    let values = ended.iter().flat_map(|(settled, ending)| state_values(settled, ending)).collect();
    let statement = format!(
        "WITH ended (case_id, field, status, reason, missing, run_id, attempted, succeeded, fetched, cached, error, \
           good, failed, inputs, inputs_changed) AS (VALUES {}) \
         INSERT INTO field_state (case_id, field, status, reason, missing, run_id, attempt, attempts_max, \
           last_attempt_at, last_success_at, fetched_at, cached, duration_ms, connection, error, good_run_id, \
           failed_run_id, inputs, inputs_changed, case_type_id, owed) \
         SELECT ended.case_id, ended.field, ended.status, ended.reason, ended.missing, ended.run_id, run.attempt, \
           run.attempts_max, ended.attempted, ended.succeeded, ended.fetched, ended.cached, run.duration_ms, \
           run.connection, ended.error, ended.good, ended.failed, ended.inputs, ended.inputs_changed, run.case_type_id, \
           ended.reason IS NOT DISTINCT FROM 'missing_input' AND (run.trigger = 'on_create' OR COALESCE(run.joined, '') LIKE '%\"on_create\"%') \
         FROM ended JOIN run ON run.id = ended.run_id WHERE TRUE \
         ON CONFLICT (case_id, field) DO UPDATE SET status = excluded.status, reason = excluded.reason, \
           missing = excluded.missing, run_id = excluded.run_id, attempt = excluded.attempt, \
           attempts_max = excluded.attempts_max, \
           last_attempt_at = COALESCE(excluded.last_attempt_at, field_state.last_attempt_at), \
           last_success_at = COALESCE(excluded.last_success_at, field_state.last_success_at), \
           fetched_at = COALESCE(excluded.fetched_at, field_state.fetched_at), \
           cached = CASE WHEN excluded.fetched_at IS NULL THEN field_state.cached ELSE excluded.cached END, \
           duration_ms = excluded.duration_ms, connection = excluded.connection, error = excluded.error, \
           good_run_id = COALESCE(excluded.good_run_id, field_state.good_run_id), \
           failed_run_id = COALESCE(excluded.failed_run_id, field_state.failed_run_id), \
           inputs_changed = CASE WHEN excluded.inputs IS NULL THEN field_state.inputs_changed ELSE excluded.inputs_changed END, \
           inputs = COALESCE(excluded.inputs, field_state.inputs), \
           owed = excluded.reason IS NOT DISTINCT FROM 'missing_input' AND (excluded.owed OR field_state.owed)",
        tuples(ended.len(), 15, 1)
    );
    tx.execute(sql(statement, values)).await?;
    Ok(())
}

/// Fields whose run was refused keep what they show; the error stands beside it.
async fn show_errors(tx: &Tx, kept: &[(&Settled<'_>, &Ending)]) -> Result<(), StoreError> {
    for (settled, ending) in kept {
        let statement = "INSERT INTO field_state (case_id, field, status, run_id, attempt, attempts_max, cached, error, case_type_id) \
             SELECT id, $2, 'never_run', $3, 0, 0, FALSE, $4, case_type_id FROM cases WHERE id = $1 \
             ON CONFLICT (case_id, field) DO UPDATE SET error = excluded.error";
        let values = vec![
            uuid(settled.closing.case_id().0),
            text(settled.closing.field.as_str()),
            uuid(settled.closing.run_id.0),
            maybe_json(ending.error.as_ref()),
        ];
        tx.execute(sql(statement, values)).await?;
    }
    Ok(())
}

fn state_values(settled: &Settled<'_>, ending: &Ending) -> [Value; 15] {
    let closing = settled.closing;
    let succeeded = ending.status == RunStatus::Succeeded;
    let failed = ending.status == RunStatus::Failed;
    [
        uuid(closing.case_id().0),
        text(closing.field.as_str()),
        text(ending.status.as_str()),
        maybe_text(ending.reason.map(Reason::as_str)),
        json_list(&ending.missing),
        uuid(closing.run_id.0),
        maybe_ms(closing.attempt.as_ref().map(|attempt| attempt.started_at)),
        maybe_ms(succeeded.then_some(closing.at)),
        maybe_ms(ending.effect.as_ref().map(|effect| effect.fetched_at)),
        Value::from(ending.cached_from.is_some()),
        maybe_json(ending.error.as_ref()),
        maybe_uuid(succeeded.then_some(closing.run_id.0)),
        maybe_uuid(failed.then_some(closing.run_id.0)),
        maybe_json(ending.effect.as_ref().map(|effect| &effect.inputs)),
        Value::from(settled.inputs_changed),
    ]
}
