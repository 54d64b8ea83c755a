//! Runs: queueing them, joining those that have not begun, and reading them back.

use sea_orm::QueryResult;

use super::database::Tx;
use super::error::StoreError;
use super::rows::Columns;
use super::statement::{CHUNK, int, json, maybe_json, maybe_ms, maybe_uuid, ms, sql, text, tuples, uuid};
use super::sweep::SHORT_BODY;
use crate::domain::ids::{CaseId, RunId, WorkspaceId};
use crate::domain::run::{
    Attempt, Joined, NewRun, Outcome, Priority, Reason, ReceivedResponse, Run, RunStatus, SentRequest,
    WaitingFor,
};
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
}

impl Enqueued {
    /// The run to follow.
    pub const fn run(self) -> RunId {
        match self {
            Self::Queued(run) | Self::Joined(run) | Self::DueNow(run) => run,
        }
    }
}

/// Queues runs of cases that have none yet.
pub(super) async fn insert(tx: &Tx, runs: &[&NewRun]) -> Result<(), StoreError> {
    for chunk in runs.chunks(CHUNK) {
        let mut values = Vec::with_capacity(chunk.len() * 26);
        for run in chunk {
            values.extend([
                uuid(run.id.0),
                uuid(run.workspace.0),
                uuid(run.case_id.0),
                uuid(run.case_type_id.0),
                text(run.case_type.as_str()),
                int(run.case_type_version),
                text(run.field.as_str()),
                text(run.trigger.as_str()),
                text(RunStatus::Queued.as_str()),
                sea_orm::Value::from(false),
                text(WaitingFor::Worker.as_str()),
                int(run.priority.rank()),
                ms(run.created_at),
                int(0),
                int(run.attempts_max),
                int(0),
                int(0),
                text(run.id.to_string()),
                int(0),
                maybe_json(run.input.as_ref()),
                sea_orm::Value::from(run.force),
                sea_orm::Value::from(run.overwrite),
                sea_orm::Value::from(false),
                maybe_uuid(None),
                maybe_ms(None),
                ms(run.created_at),
            ]);
        }
        let statement = format!(
            "INSERT INTO run (id, workspace_id, case_id, case_type_id, case_type, case_type_version, field, trigger, \
             status, begun, waiting_for, priority, due_at, attempt, attempts_max, limited, lost, idempotency_key, \
             depth, input, force, overwrite, cached, retry_of, started_at, created_at) VALUES {}",
            tuples(chunk.len(), 26, 1)
        );
        tx.execute(sql(statement, values)).await?;
    }
    Ok(())
}

const RUN_COLUMNS: &str = "id, workspace_id, case_id, case_type, case_type_version, field, connection, trigger, status, \
     begun, reason, missing, CASE WHEN status = 'queued' AND NOT begun AND EXISTS (SELECT 1 FROM run AS before WHERE \
     before.case_id = run.case_id AND before.field = run.field AND before.begun AND before.status IN \
     ('queued', 'running')) THEN 'predecessor' ELSE waiting_for END, priority, due_at, attempt, attempts_max, \
     idempotency_key, retry_of, batch_id, depth, parent_run_id, joined, input, force, overwrite, cached, cached_from, \
     written, kept_manual, error, created_at, started_at, ended_at, duration_ms";

fn run(row: &QueryResult) -> Result<Run, StoreError> {
    let mut columns = Columns::of("run", row)?;
    Ok(Run {
        id: RunId(columns.id()),
        workspace: WorkspaceId(columns.get()?),
        case_id: CaseId(columns.get()?),
        case_type: columns.word(|text| text.parse().ok())?,
        case_type_version: columns.get()?,
        field: columns.word(|text| text.parse().ok())?,
        connection: columns.get()?,
        trigger: columns.word(Trigger::parse)?,
        status: columns.word(RunStatus::parse)?,
        begun: columns.get()?,
        reason: columns.maybe_word(Reason::parse)?,
        missing: columns.maybe_json()?.unwrap_or_default(),
        waiting_for: columns.maybe_word(WaitingFor::parse)?,
        priority: {
            let rank = columns.get::<i32>()?;
            Priority::from_rank(rank).ok_or_else(|| columns.corrupt(format!("{rank} is no priority")))?
        },
        due_at: columns.maybe_at()?,
        attempt: columns.count()?,
        attempts_max: columns.count()?,
        idempotency_key: columns.get()?,
        retry_of: columns.get::<Option<uuid::Uuid>>()?.map(RunId),
        batch_id: columns.get()?,
        depth: columns.count()?,
        parent_run_id: columns.get::<Option<uuid::Uuid>>()?.map(RunId),
        joined: columns.maybe_json()?.unwrap_or_default(),
        input: columns.maybe_json()?,
        force: columns.get()?,
        overwrite: columns.get()?,
        cached: columns.get()?,
        cached_from: columns.get::<Option<uuid::Uuid>>()?.map(RunId),
        written: columns.maybe_json()?.unwrap_or_default(),
        kept_manual: columns.maybe_json()?.unwrap_or_default(),
        error: columns.maybe_json()?,
        created_at: columns.at()?,
        started_at: columns.maybe_at()?,
        ended_at: columns.maybe_at()?,
        duration_ms: columns.get()?,
    })
}

impl Tx {
    /// Runs by a condition on `run` that begins at `$1`, in the order that it names.
    pub(super) async fn runs_where(
        &self,
        tail: &str,
        values: Vec<sea_orm::Value>,
    ) -> Result<Vec<Run>, StoreError> {
        let rows = self.all(sql(format!("SELECT {RUN_COLUMNS} FROM run WHERE {tail}"), values)).await?;
        rows.iter().map(run).collect()
    }

    /// A run of the workspace.
    pub async fn find_run(&self, workspace: WorkspaceId, id: RunId) -> Result<Option<Run>, StoreError> {
        let values = vec![uuid(id.0), uuid(workspace.0)];
        Ok(self.runs_where("id = $1 AND workspace_id = $2", values).await?.pop())
    }

    /// Fires fields, in order; answers for each the run to follow.
    ///
    /// A firing joins the run that has not begun, else a new run is queued. A manual one makes
    /// a begun run that waits for its retry due now, and is that run unless it carries `input`,
    /// `force` or `overwrite`, which cannot change what has begun.
    pub async fn fire(&self, firings: &[NewRun]) -> Result<Vec<Enqueued>, StoreError> {
        let mut followed = Vec::with_capacity(firings.len());
        for firing in firings {
            followed.push(self.fire_one(firing).await?);
        }
        Ok(followed)
    }

    async fn fire_one(&self, new: &NewRun) -> Result<Enqueued, StoreError> {
        let values = || vec![uuid(new.case_id.0), text(new.field.as_str())];
        let live = self
            .runs_where(
                "case_id = $1 AND field = $2 AND status IN ('queued', 'running') ORDER BY begun DESC",
                values(),
            )
            .await?;
        let manual = new.trigger == Trigger::Manual;
        let plain = new.input.is_none() && !new.force && !new.overwrite;
        let waiting =
            live.iter().find(|run| manual && run.begun && run.waiting_for == Some(WaitingFor::Retry));
        let unbegun = live.iter().find(|run| !run.begun);
        if let Some(run) = waiting {
            self.make_due(run, new).await?;
        }
        match (unbegun, waiting) {
            (Some(run), _) => {
                self.join(run, new).await?;
                return Ok(Enqueued::Joined(run.id));
            }
            (None, Some(run)) if plain => return Ok(Enqueued::DueNow(run.id)),
            _ => {}
        }
        insert(self, &[new]).await?;
        Ok(Enqueued::Queued(new.id))
    }

    async fn make_due(&self, run: &Run, firing: &NewRun) -> Result<(), StoreError> {
        let statement = "UPDATE run SET due_at = MAX($1, COALESCE(not_before, $1)), priority = $2, joined = $3 WHERE id = $4";
        let values = vec![
            ms(firing.created_at),
            int(run.priority.rank().min(firing.priority.rank())),
            json(&joined(run, firing)),
            uuid(run.id.0),
        ];
        self.execute(sql(statement, values)).await?;
        Ok(())
    }

    async fn join(&self, run: &Run, firing: &NewRun) -> Result<(), StoreError> {
        let statement =
            "UPDATE run SET joined = $1, priority = $2, force = $3, overwrite = $4, input = $5 WHERE id = $6";
        let values = vec![
            json(&joined(run, firing)),
            int(run.priority.rank().min(firing.priority.rank())),
            sea_orm::Value::from(run.force || firing.force),
            sea_orm::Value::from(run.overwrite || firing.overwrite),
            maybe_json(firing.input.as_ref().or(run.input.as_ref())),
            uuid(run.id.0),
        ];
        self.execute(sql(statement, values)).await?;
        Ok(())
    }

    /// The attempts of a run, with their bodies.
    pub async fn attempts(&self, run: RunId) -> Result<Vec<Attempt>, StoreError> {
        let statement = "SELECT attempt.run_id, attempt.number, started_at, ended_at, outcome, attempt.request, \
             attempt.response, phases, error, next, attempt_body.request, attempt_body.response FROM attempt \
             LEFT JOIN attempt_body ON attempt_body.run_id = attempt.run_id AND attempt_body.number = attempt.number \
             WHERE attempt.run_id = $1 ORDER BY attempt.number";
        let rows = self.all(sql(statement, vec![uuid(run.0)])).await?;
        rows.iter().map(attempt).collect()
    }
}

/// At most so many firings are listed on a run; later ones still join it.
const MAX_JOINED: usize = 100;

fn joined(run: &Run, firing: &NewRun) -> Vec<Joined> {
    let new = Joined { trigger: firing.trigger, at: firing.created_at, by: firing.by.clone() };
    run.joined.iter().cloned().chain([new]).take(MAX_JOINED).collect()
}

fn attempt(row: &QueryResult) -> Result<Attempt, StoreError> {
    let mut columns = Columns::of("attempt", row)?;
    let mut attempt = Attempt {
        number: columns.count()?,
        started_at: columns.at()?,
        ended_at: columns.at()?,
        outcome: columns.word(Outcome::parse)?,
        request: columns.maybe_json::<SentRequest>()?,
        response: columns.maybe_json::<ReceivedResponse>()?,
        phases: columns.maybe_json()?,
        error: columns.maybe_json()?,
        next: columns.maybe_json()?,
    };
    let bodies: (Option<String>, Option<String>) = (columns.get()?, columns.get()?);
    if let Some(request) = &mut attempt.request {
        request.body = bodies.0;
    }
    if let Some(response) = &mut attempt.response {
        let kept = bodies.1.as_ref().map_or(0, |body| body.chars().count());
        response.truncated |= kept == SHORT_BODY && response.bytes > kept as u64;
        response.body = bodies.1;
    }
    Ok(attempt)
}
