//! Runs and their attempts, read back.

use sea_orm::QueryResult;

use super::error::StoreError;
use super::retention::SHORT_BODY;
use super::rows::Columns;
use super::shown::{DUE_AT, WAITING_FOR};
use super::statement::{sql, uuid};
use super::tx::Tx;
use crate::domain::ids::{CaseId, RunId, WorkspaceId};
use crate::domain::run::{
    Attempt, Outcome, Reason, ReceivedResponse, Run, RunStatus, SentRequest, WaitingFor,
};
use crate::domain::trigger::Trigger;

fn run_columns() -> String {
    format!(
        "id, workspace_id, case_id, case_type, case_type_version, field, connection, trigger, status, \
     begun, reason, missing, CASE WHEN status = 'queued' AND NOT begun AND EXISTS (SELECT 1 FROM run AS before WHERE \
     before.case_id = run.case_id AND before.field = run.field AND before.begun AND before.status IN \
     ('queued', 'running')) THEN 'predecessor' ELSE {WAITING_FOR} END, priority, {DUE_AT}, attempt, attempts_max, \
     idempotency_key, retry_of, batch_id, depth, parent_run_id, joined, input, force, overwrite, cached, cached_from, \
     written, kept_manual, error, created_at, started_at, ended_at, duration_ms, fired_by"
    )
}

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
        priority: columns.priority()?,
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
        by: columns.get()?,
    })
}

impl Tx {
    /// Runs by a condition on `run` that begins at `$1`, in the order that it names.
    pub(super) async fn runs_where(
        &self,
        tail: &str,
        values: Vec<sea_orm::Value>,
    ) -> Result<Vec<Run>, StoreError> {
        let rows = self.all(sql(format!("SELECT {} FROM run WHERE {tail}", run_columns()), values)).await?;
        rows.iter().map(run).collect()
    }

    /// A run of the workspace.
    pub async fn find_run(&self, workspace: WorkspaceId, id: RunId) -> Result<Option<Run>, StoreError> {
        let values = vec![uuid(id.0), uuid(workspace.0)];
        Ok(self.runs_where("id = $1 AND workspace_id = $2", values).await?.pop())
    }

    /// The attempts of a run, with their bodies.
    pub async fn attempts(&self, run: RunId) -> Result<Vec<Attempt>, StoreError> {
        let statement = "SELECT attempt.run_id, attempt.number, started_at, ended_at, outcome, attempt.request, \
             attempt.response, phases, error, next, attempt.secrets, attempt_body.request, attempt_body.response FROM attempt \
             LEFT JOIN attempt_body ON attempt_body.run_id = attempt.run_id AND attempt_body.number = attempt.number \
             WHERE attempt.run_id = $1 ORDER BY attempt.number";
        let rows = self.all(sql(statement, vec![uuid(run.0)])).await?;
        rows.iter().map(attempt).collect()
    }
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
        secrets: columns.maybe_json()?.unwrap_or_default(),
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
