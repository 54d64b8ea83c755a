//! Runs after a batch, and what their fields show of those that ended.

use sea_orm::Value;

use super::closing::{Ending, Verdict};
use super::merge::Settled;
use crate::domain::run::{Reason, RunStatus};
use crate::store::database::Tx;
use crate::store::error::StoreError;
use crate::store::statement::{
    int, json_list, maybe_json, maybe_ms, maybe_text, maybe_uuid, ms, sql, text, tuples, uuid,
};

/// What became of each run.
pub(super) async fn update(tx: &Tx, chunk: &[Settled<'_>]) -> Result<(), StoreError> {
    let values = chunk.iter().flat_map(run_values).collect();
    let statement = format!(
        "WITH closed (id, status, reason, missing, waiting_for, due_at, not_before, uncount, free, limited, written, \
           kept, error, at, over) AS (VALUES {}) \
         UPDATE run SET status = closed.status, reason = closed.reason, missing = closed.missing, \
           waiting_for = closed.waiting_for, due_at = closed.due_at, not_before = closed.not_before, \
           attempt = attempt - closed.uncount, attempts_max = attempts_max + closed.free, \
           limited = run.limited + closed.limited, written = closed.written, kept_manual = closed.kept, \
           error = CASE WHEN closed.uncount = 1 AND NOT closed.over THEN run.error ELSE closed.error END, \
           worker_id = NULL, lease_token = NULL, lease_until = NULL, \
           ended_at = CASE WHEN closed.over THEN closed.at END, \
           duration_ms = CASE WHEN closed.over THEN closed.at - started_at END \
         FROM closed WHERE run.id = closed.id",
        tuples(chunk.len(), 15, 1)
    );
    tx.execute(sql(statement, values)).await?;
    Ok(())
}

fn run_values(settled: &Settled<'_>) -> [Value; 15] {
    let closing = settled.closing;
    let id = uuid(closing.run_id.0);
    let at = ms(closing.at);
    match (&closing.verdict, &settled.ending) {
        (Verdict::Again { due_at, not_before, waiting_for, free, limited, error }, _) => [
            id,
            text("queued"),
            none(),
            none(),
            text(waiting_for.as_str()),
            ms(*due_at),
            maybe_ms(*not_before),
            int(0),
            int(i64::from(*free)),
            int(i64::from(*limited)),
            none(),
            none(),
            maybe_json(error.as_ref()),
            at,
            Value::from(false),
        ],
        (Verdict::HandBack { due_at }, _) => [
            id,
            text("queued"),
            none(),
            none(),
            text("worker"),
            ms(*due_at),
            maybe_ms(None),
            int(1),
            int(0),
            int(0),
            none(),
            none(),
            none(),
            at,
            Value::from(false),
        ],
        (Verdict::Ended(asked), ending) => ended_values(settled, ending.as_ref().unwrap_or(asked)),
    }
}

fn ended_values(settled: &Settled<'_>, ending: &Ending) -> [Value; 15] {
    let limited = ending.error.as_ref().is_some_and(|error| error.http_status == Some(429));
    // Nobody was asked and nothing went wrong: there was no attempt.
    let uncount = settled.closing.attempt.is_none() && ending.status != RunStatus::Failed;
    [
        uuid(settled.closing.run_id.0),
        text(ending.status.as_str()),
        maybe_text(ending.reason.map(Reason::as_str)),
        json_list(&ending.missing),
        none(),
        maybe_ms(None),
        maybe_ms(None),
        int(i64::from(uncount)),
        int(0),
        int(i64::from(limited)),
        json_list(&settled.written),
        json_list(&settled.kept_manual),
        maybe_json(ending.error.as_ref()),
        ms(settled.closing.at),
        Value::from(true),
    ]
}

fn none() -> Value {
    maybe_text(None::<String>)
}

/// Ended runs leave what their field shows; a cancelled one shows again what was there before.
pub(super) async fn show(tx: &Tx, chunk: &[Settled<'_>]) -> Result<(), StoreError> {
    let ended: Vec<_> = chunk
        .iter()
        .filter_map(|settled| Some((settled, settled.ending.as_ref()?)))
        .filter(|(_, ending)| ending.status != RunStatus::Cancelled)
        .collect();
    if ended.is_empty() {
        return Ok(());
    }
    let values = ended.iter().flat_map(|(settled, ending)| state_values(settled, ending)).collect();
    let statement = format!(
        "WITH ended (case_id, field, status, reason, missing, run_id, attempted, succeeded, fetched, cached, error, \
           good, failed, inputs, inputs_changed) AS (VALUES {}) \
         INSERT INTO field_state (case_id, field, status, reason, missing, run_id, attempt, attempts_max, \
           last_attempt_at, last_success_at, fetched_at, cached, duration_ms, connection, error, good_run_id, \
           failed_run_id, inputs, inputs_changed, owed) \
         SELECT ended.case_id, ended.field, ended.status, ended.reason, ended.missing, ended.run_id, run.attempt, \
           run.attempts_max, ended.attempted, ended.succeeded, ended.fetched, ended.cached, run.duration_ms, \
           run.connection, ended.error, ended.good, ended.failed, ended.inputs, ended.inputs_changed, \
           ended.reason IS 'missing_input' AND (run.trigger = 'on_create' OR COALESCE(run.joined, '') LIKE '%\"on_create\"%') \
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
           owed = excluded.reason IS 'missing_input' AND (excluded.owed OR field_state.owed)",
        tuples(ended.len(), 15, 1)
    );
    tx.execute(sql(statement, values)).await?;
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
        Value::from(false),
        maybe_json(ending.error.as_ref()),
        maybe_uuid(succeeded.then_some(closing.run_id.0)),
        maybe_uuid(failed.then_some(closing.run_id.0)),
        maybe_json(ending.effect.as_ref().map(|effect| &effect.inputs)),
        Value::from(settled.inputs_changed),
    ]
}
