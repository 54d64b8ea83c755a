//! Recording attempts: a batch of them, each whole or not at all.
//!
//! For every run that is still in the hands of the worker who reports it, one transaction
//! writes the case's data and provenance, the run, the field state and the attempt. Writes are
//! merged into the case as it is *now*, so two fields of one case that end together both stand.

use std::collections::HashMap;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::database::Tx;
use super::error::StoreError;
use super::rows::Columns;
use super::statement::{
    CHUNK, int, json, json_list, list, maybe_json, maybe_ms, maybe_text, maybe_uuid, ms, sql, text, tuples,
    uuid,
};
use crate::domain::case::{Provenance, ProvenanceEntry, Source};
use crate::domain::clock::Instant;
use crate::domain::data::{self, DataPath};
use crate::domain::failure::{Failure, FailureCode, Follow, RunError};
use crate::domain::ids::{CaseId, FieldKey, LeaseToken, RunId};
use crate::domain::run::{Attempt, Reason, RunStatus, WaitingFor};

/// What a commit checks, in bytes of JSON text.
#[derive(Debug, Clone, Copy)]
pub struct CommitLimits {
    /// `data` without output variables.
    pub case_bytes: usize,
    /// One output variable.
    pub output_bytes: usize,
}

/// What a worker reports of one attempt.
#[derive(Debug, Clone)]
pub struct Closing {
    /// The run.
    pub run_id: RunId,
    /// Its case.
    pub case_id: CaseId,
    /// Its field.
    pub field: FieldKey,
    /// Proves that the worker still holds it.
    pub token: LeaseToken,
    /// When the attempt was over.
    pub at: Instant,
    /// The exchange, if there was one.
    pub attempt: Option<Attempt>,
    /// What becomes of the run.
    pub verdict: Verdict,
}

/// What becomes of a run after an attempt.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It is over.
    Ended(Ending),
    /// It waits for its next attempt.
    Again {
        /// When that is due.
        due_at: Instant,
        /// Not even a person makes it due before (the provider's `Retry-After`).
        not_before: Option<Instant>,
        /// Why it waits.
        waiting_for: WaitingFor,
        /// Whether this attempt used up no retry.
        free: bool,
        /// Whether the provider answered 429.
        limited: bool,
        /// What went wrong, if something did.
        error: Option<RunError>,
    },
    /// Nothing was sent, for trouble of ours: the attempt does not count.
    HandBack {
        /// When it may be claimed again.
        due_at: Instant,
    },
}

impl Verdict {
    /// Whether another run may be claimable now.
    pub(super) fn may_let_others_run(&self) -> bool {
        true
    }
}

/// The end of a run.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Succeeded, failed, skipped or cancelled.
    pub status: RunStatus,
    /// Why it was skipped or cancelled.
    pub reason: Option<Reason>,
    /// Dotted paths of the input that it lacked.
    pub missing: Vec<String>,
    /// What went wrong.
    pub error: Option<RunError>,
    /// What it writes into the case.
    pub effect: Option<CaseEffect>,
}

/// What a run writes into its case.
#[derive(Debug, Clone)]
pub struct CaseEffect {
    /// Mapped values by target.
    pub writes: Vec<(DataPath, Value)>,
    /// The whole answer, under the field's output variable.
    pub output: Option<(String, Value)>,
    /// When the provider gave the answer.
    pub fetched_at: Instant,
    /// Names the provider in sentences.
    pub provider: String,
}

/// A case while the closings of a batch are merged into it.
struct Merging {
    data: Value,
    provenance: Provenance,
    changed: bool,
    steps: i64,
    at: Instant,
}

pub(super) async fn close(
    tx: &Tx,
    closings: &[Box<Closing>],
    limits: CommitLimits,
) -> Result<Vec<bool>, StoreError> {
    let (held, mut cases) = held_runs(tx, closings).await?;
    let ours: Vec<bool> = closings.iter().map(|c| held.get(&c.run_id.0) == Some(&c.token.0)).collect();
    let mut finished = Vec::with_capacity(closings.len());
    let mut outputs = Vec::new();
    for (closing, _) in closings.iter().zip(&ours).filter(|(_, ours)| **ours) {
        let Some(case) = cases.get_mut(&closing.case_id.0) else { continue };
        let done = settle(closing, case, limits);
        outputs.extend(done.output.clone().map(|output| (closing.case_id, output)));
        finished.push(done);
    }
    write_cases(tx, &cases).await?;
    for (case, (name, value)) in outputs {
        super::cases::put_output(tx, case, &name, &value).await?;
    }
    for chunk in finished.chunks(CHUNK) {
        update_runs(tx, chunk).await?;
        upsert_states(tx, chunk).await?;
        insert_attempts(tx, chunk).await?;
        insert_bodies(tx, chunk).await?;
    }
    Ok(ours)
}

/// Who holds each run, and the cases of all of them.
async fn held_runs(
    tx: &Tx,
    closings: &[Box<Closing>],
) -> Result<(HashMap<Uuid, Uuid>, HashMap<Uuid, Merging>), StoreError> {
    let ids: Vec<_> = closings.iter().map(|closing| uuid(closing.run_id.0)).collect();
    let statement = format!(
        "SELECT run.id, run.lease_token, cases.id, cases.data, cases.provenance, cases.updated_at \
         FROM run JOIN cases ON cases.id = run.case_id WHERE run.status = 'running' AND run.id IN ({})",
        list(ids.len(), 1)
    );
    let mut held = HashMap::new();
    let mut cases = HashMap::new();
    for row in tx.all(sql(statement, ids)).await? {
        let mut columns = Columns::of("run", &row)?;
        if let Some(token) = columns.get::<Option<Uuid>>()? {
            held.insert(columns.id(), token);
        }
        let case: Uuid = columns.get()?;
        if let std::collections::hash_map::Entry::Vacant(entry) = cases.entry(case) {
            let data = Value::Object(columns.json::<Map<String, Value>>()?);
            let provenance = columns.json()?;
            entry.insert(Merging { data, provenance, changed: false, steps: 0, at: columns.at()? });
        }
    }
    Ok((held, cases))
}

/// One closing as it will be written.
struct Settled<'c> {
    closing: &'c Closing,
    ending: Option<Ending>,
    written: Vec<String>,
    output: Option<(String, Value)>,
}

/// Merges one closing into its case. What does not fit turns the success into a failure.
fn settle<'c>(closing: &'c Closing, case: &mut Merging, limits: CommitLimits) -> Settled<'c> {
    case.steps += 2;
    case.at = case.at.max(closing.at);
    let Verdict::Ended(ending) = &closing.verdict else {
        return Settled { closing, ending: None, written: Vec::new(), output: None };
    };
    let mut ending = ending.clone();
    let Some(effect) = ending.effect.take() else {
        return Settled { closing, ending: Some(ending), written: Vec::new(), output: None };
    };
    match merge(closing, &effect, case, limits) {
        Ok(written) => Settled {
            closing,
            ending: Some(Ending { effect: Some(effect.clone()), ..ending }),
            written,
            output: effect.output,
        },
        Err(detail) => {
            let failure = Failure::new(FailureCode::MappingFailed, detail);
            let attempt = closing.attempt.as_ref().map_or(1, |attempt| attempt.number);
            let error = RunError::new(failure, &effect.provider, attempt, closing.at, Follow::Over);
            let failed = Ending { status: RunStatus::Failed, error: Some(error), ..ending };
            Settled { closing, ending: Some(failed), written: Vec::new(), output: None }
        }
    }
}

fn merge(
    closing: &Closing,
    effect: &CaseEffect,
    case: &mut Merging,
    limits: CommitLimits,
) -> Result<Vec<String>, String> {
    if let Some((name, value)) = &effect.output {
        check_size(value, limits.output_bytes, &format!("the output variable `{name}`"))?;
    }
    let mut data = case.data.clone();
    for (path, value) in &effect.writes {
        data::set(&mut data, path, value.clone()).map_err(|error| format!("target `{path}`: {error}"))?;
    }
    check_size(&data, limits.case_bytes, "the data of the case")?;
    case.data = data;
    case.changed = true;
    let entry = ProvenanceEntry {
        source: Source::Run,
        by: None,
        run_id: Some(closing.run_id),
        field: Some(closing.field.to_string()),
        at: closing.at,
        fetched_at: Some(effect.fetched_at),
        cached: Some(false),
    };
    let mut written: Vec<String> = effect.writes.iter().map(|(path, _)| path.to_string()).collect();
    written.extend(effect.output.iter().map(|(name, _)| name.clone()));
    for path in &written {
        case.provenance.set(path, entry.clone());
    }
    Ok(written)
}

fn check_size(value: &Value, limit: usize, what: &str) -> Result<(), String> {
    let bytes = serde_json::to_string(value).map_or(usize::MAX, |text| text.len());
    if bytes > limit {
        return Err(format!("{what} would take {bytes} bytes; at most {limit} are kept"));
    }
    Ok(())
}

async fn write_cases(tx: &Tx, cases: &HashMap<Uuid, Merging>) -> Result<(), StoreError> {
    let touched: Vec<_> = cases.iter().filter(|(_, case)| case.steps > 0).collect();
    let (changed, stepped): (Vec<_>, Vec<_>) = touched.into_iter().partition(|(_, case)| case.changed);
    for chunk in changed.chunks(CHUNK) {
        let mut values = Vec::with_capacity(chunk.len() * 5);
        for (id, case) in chunk {
            values.extend([
                uuid(**id),
                json(&case.data),
                json(&case.provenance),
                int(case.steps),
                ms(case.at),
            ]);
        }
        let statement = format!(
            "WITH change (id, data, provenance, steps, at) AS (VALUES {}) UPDATE cases SET data = change.data, \
             provenance = change.provenance, revision = revision + change.steps, updated_at = change.at \
             FROM change WHERE cases.id = change.id",
            tuples(chunk.len(), 5, 1)
        );
        tx.execute(sql(statement, values)).await?;
    }
    for chunk in stepped.chunks(CHUNK) {
        let mut values = Vec::with_capacity(chunk.len() * 3);
        for (id, case) in chunk {
            values.extend([uuid(**id), int(case.steps), ms(case.at)]);
        }
        let statement = format!(
            "WITH change (id, steps, at) AS (VALUES {}) UPDATE cases SET revision = revision + change.steps, \
             updated_at = change.at FROM change WHERE cases.id = change.id",
            tuples(chunk.len(), 3, 1)
        );
        tx.execute(sql(statement, values)).await?;
    }
    Ok(())
}

async fn update_runs(tx: &Tx, chunk: &[Settled<'_>]) -> Result<(), StoreError> {
    let mut values = Vec::with_capacity(chunk.len() * 14);
    for settled in chunk {
        values.extend(run_values(settled));
    }
    let statement = format!(
        "WITH closed (id, status, reason, missing, waiting_for, due_at, not_before, uncount, free, limited, written, \
           error, at, over) AS (VALUES {}) \
         UPDATE run SET status = closed.status, reason = closed.reason, missing = closed.missing, \
           waiting_for = closed.waiting_for, due_at = closed.due_at, not_before = closed.not_before, \
           attempt = attempt - closed.uncount, attempts_max = attempts_max + closed.free, \
           limited = run.limited + closed.limited, written = closed.written, \
           error = CASE WHEN closed.uncount = 1 THEN run.error ELSE closed.error END, \
           worker_id = NULL, lease_token = NULL, lease_until = NULL, \
           ended_at = CASE WHEN closed.over THEN closed.at END, \
           duration_ms = CASE WHEN closed.over THEN closed.at - started_at END \
         FROM closed WHERE run.id = closed.id",
        tuples(chunk.len(), 14, 1)
    );
    tx.execute(sql(statement, values)).await?;
    Ok(())
}

fn run_values(settled: &Settled<'_>) -> [sea_orm::Value; 14] {
    let closing = settled.closing;
    let id = uuid(closing.run_id.0);
    let at = ms(closing.at);
    match (&closing.verdict, &settled.ending) {
        (Verdict::Again { due_at, not_before, waiting_for, free, limited, error }, _) => [
            id,
            text("queued"),
            maybe_text(None::<String>),
            maybe_text(None::<String>),
            text(waiting_for.as_str()),
            ms(*due_at),
            maybe_ms(*not_before),
            int(0),
            int(i64::from(*free)),
            int(i64::from(*limited)),
            maybe_text(None::<String>),
            maybe_json(error.as_ref()),
            at,
            sea_orm::Value::from(false),
        ],
        (Verdict::HandBack { due_at }, _) => [
            id,
            text("queued"),
            maybe_text(None::<String>),
            maybe_text(None::<String>),
            text("worker"),
            ms(*due_at),
            maybe_ms(None),
            int(1),
            int(0),
            int(0),
            maybe_text(None::<String>),
            maybe_text(None::<String>),
            at,
            sea_orm::Value::from(false),
        ],
        (Verdict::Ended(asked), ending) => {
            let ending = ending.as_ref().unwrap_or(asked);
            [
                id,
                text(ending.status.as_str()),
                maybe_text(ending.reason.map(Reason::as_str)),
                json_list(&ending.missing),
                maybe_text(None::<String>),
                maybe_ms(None),
                maybe_ms(None),
                int(0),
                int(0),
                int(i64::from(ending.error.as_ref().is_some_and(|error| error.http_status == Some(429)))),
                json_list(&settled.written),
                maybe_json(ending.error.as_ref()),
                at,
                sea_orm::Value::from(true),
            ]
        }
    }
}

/// Ended runs leave what their field shows; a cancelled one shows again what was there before.
async fn upsert_states(tx: &Tx, chunk: &[Settled<'_>]) -> Result<(), StoreError> {
    let ended: Vec<_> = chunk
        .iter()
        .filter_map(|settled| Some((settled.closing, settled.ending.as_ref()?)))
        .filter(|(_, ending)| ending.status != RunStatus::Cancelled)
        .collect();
    if ended.is_empty() {
        return Ok(());
    }
    let mut values = Vec::with_capacity(ended.len() * 13);
    for (closing, ending) in &ended {
        let succeeded = ending.status == RunStatus::Succeeded;
        let failed = ending.status == RunStatus::Failed;
        values.extend([
            uuid(closing.case_id.0),
            text(closing.field.as_str()),
            text(ending.status.as_str()),
            maybe_text(ending.reason.map(Reason::as_str)),
            json_list(&ending.missing),
            uuid(closing.run_id.0),
            maybe_ms(closing.attempt.as_ref().map(|attempt| attempt.started_at)),
            maybe_ms(succeeded.then_some(closing.at)),
            maybe_ms(ending.effect.as_ref().map(|effect| effect.fetched_at)),
            sea_orm::Value::from(false),
            maybe_json(ending.error.as_ref()),
            maybe_uuid(succeeded.then_some(closing.run_id.0)),
            maybe_uuid(failed.then_some(closing.run_id.0)),
        ]);
    }
    let statement = format!(
        "WITH ended (case_id, field, status, reason, missing, run_id, attempted, succeeded, fetched, cached, error, \
           good, failed) AS (VALUES {}) \
         INSERT INTO field_state (case_id, field, status, reason, missing, run_id, attempt, attempts_max, \
           last_attempt_at, last_success_at, fetched_at, cached, duration_ms, connection, error, good_run_id, \
           failed_run_id) \
         SELECT ended.case_id, ended.field, ended.status, ended.reason, ended.missing, ended.run_id, run.attempt, \
           run.attempts_max, ended.attempted, ended.succeeded, ended.fetched, ended.cached, run.duration_ms, \
           run.connection, ended.error, ended.good, ended.failed FROM ended JOIN run ON run.id = ended.run_id WHERE TRUE \
         ON CONFLICT (case_id, field) DO UPDATE SET status = excluded.status, reason = excluded.reason, \
           missing = excluded.missing, run_id = excluded.run_id, attempt = excluded.attempt, \
           attempts_max = excluded.attempts_max, \
           last_attempt_at = COALESCE(excluded.last_attempt_at, field_state.last_attempt_at), \
           last_success_at = COALESCE(excluded.last_success_at, field_state.last_success_at), \
           fetched_at = COALESCE(excluded.fetched_at, field_state.fetched_at), \
           cached = CASE WHEN excluded.fetched_at IS NULL THEN field_state.cached ELSE excluded.cached END, \
           duration_ms = excluded.duration_ms, connection = excluded.connection, error = excluded.error, \
           good_run_id = COALESCE(excluded.good_run_id, field_state.good_run_id), \
           failed_run_id = COALESCE(excluded.failed_run_id, field_state.failed_run_id)",
        tuples(ended.len(), 13, 1)
    );
    tx.execute(sql(statement, values)).await?;
    Ok(())
}

async fn insert_attempts(tx: &Tx, chunk: &[Settled<'_>]) -> Result<(), StoreError> {
    let attempts: Vec<_> =
        chunk.iter().filter_map(|settled| Some((settled, settled.closing.attempt.as_ref()?))).collect();
    if attempts.is_empty() {
        return Ok(());
    }
    let mut values = Vec::with_capacity(attempts.len() * 10);
    for (settled, attempt) in &attempts {
        let error =
            settled.ending.as_ref().and_then(|ending| ending.error.as_ref()).or(attempt.error.as_ref());
        values.extend([
            uuid(settled.closing.run_id.0),
            int(attempt.number),
            ms(attempt.started_at),
            ms(attempt.ended_at),
            text(attempt.outcome.as_str()),
            maybe_json(
                attempt
                    .request
                    .as_ref()
                    .map(|request| crate::domain::run::SentRequest { body: None, ..request.clone() })
                    .as_ref(),
            ),
            maybe_json(
                attempt
                    .response
                    .as_ref()
                    .map(|response| crate::domain::run::ReceivedResponse { body: None, ..response.clone() })
                    .as_ref(),
            ),
            maybe_json(attempt.phases.as_ref()),
            maybe_json(error),
            maybe_json(attempt.next.as_ref()),
        ]);
    }
    let statement = format!(
        "INSERT INTO attempt (run_id, number, started_at, ended_at, outcome, request, response, phases, error, next) \
         VALUES {} ON CONFLICT DO NOTHING",
        tuples(attempts.len(), 10, 1)
    );
    tx.execute(sql(statement, values)).await?;
    Ok(())
}

async fn insert_bodies(tx: &Tx, chunk: &[Settled<'_>]) -> Result<(), StoreError> {
    let mut rows = 0;
    let mut values = Vec::new();
    for closing in chunk.iter().map(|settled| settled.closing) {
        let Some(attempt) = &closing.attempt else { continue };
        let request = attempt.request.as_ref().and_then(|request| request.body.clone());
        let response = attempt.response.as_ref().and_then(|response| response.body.clone());
        if request.is_none() && response.is_none() {
            continue;
        }
        rows += 1;
        values.extend([
            uuid(closing.run_id.0),
            int(attempt.number),
            uuid(closing.case_id.0),
            maybe_text(request),
            maybe_text(response),
        ]);
    }
    if rows == 0 {
        return Ok(());
    }
    let statement = format!(
        "INSERT INTO attempt_body (run_id, number, case_id, request, response) VALUES {} ON CONFLICT DO NOTHING",
        tuples(rows, 5, 1)
    );
    tx.execute(sql(statement, values)).await?;
    Ok(())
}
