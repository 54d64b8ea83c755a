//! Cases as they are read, and the rare writes: a patch, a deletion.

use sea_orm::QueryResult;
use serde_json::{Map, Value};

use super::claimed::case;
use super::error::StoreError;
use super::rows::Columns;
use super::shown::{DUE_AT, WAITING_FOR};
use super::statement::{int, json, maybe_text, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::case::{Case, Provenance};
use crate::domain::clock::Instant;
use crate::domain::failure::RunError;
use crate::domain::ids::{CaseId, FieldKey, RunId, WorkspaceId};
use crate::domain::overrides::Overrides;
use crate::domain::run::{FieldState, FieldStatus, LiveRun, Reason, WaitingFor};

/// A case with its data.
#[derive(Debug, Clone)]
pub struct CaseRow {
    /// Everything but the data.
    pub case: Case,
    /// The current version of its type.
    pub case_type_version: i64,
    /// Its data, without output variables.
    pub data: Map<String, Value>,
    /// Where the data came from.
    pub provenance: Provenance,
    /// Mapped values that somebody set by hand.
    pub overrides: Overrides,
}

/// What the last ended run of a field left.
#[derive(Debug, Clone)]
pub struct FieldRow {
    /// The field.
    pub field: FieldKey,
    /// What it shows, as long as no run lives.
    pub state: FieldState,
}

/// A case with all that its page shows.
#[derive(Debug, Clone)]
pub struct CaseSnapshot {
    /// The case.
    pub row: CaseRow,
    /// Its output variables, by name.
    pub outputs: Vec<(String, Value)>,
    /// What ended runs left.
    pub states: Vec<FieldRow>,
    /// Runs that wait or work.
    pub live: Vec<LiveRun>,
}

/// What a patch changes.
#[derive(Debug, Clone)]
pub struct CaseUpdate {
    /// The case after the change, `version` and `revision` counted up.
    pub case: Case,
    /// Its data after the change.
    pub data: Map<String, Value>,
    /// Where the data comes from after the change.
    pub provenance: Provenance,
    /// The overrides after the change.
    pub overrides: Overrides,
    /// Output variables that were set by hand.
    pub set_outputs: Vec<(String, Value)>,
    /// Output variables that were removed by hand.
    pub removed_outputs: Vec<String>,
}

pub(super) const CASE_COLUMNS: &str = "cases.id, cases.workspace_id, case_type_id, key, reference, title, status, \
     custom_status, assignee, cases.version, revision, cases.created_at, cases.updated_at, case_type.version, data, \
     provenance, overrides";

pub(super) fn case_row(row: &QueryResult) -> Result<CaseRow, StoreError> {
    let mut columns = Columns::of("cases", row)?;
    Ok(CaseRow {
        case: case(&mut columns)?,
        case_type_version: columns.get()?,
        data: columns.json()?,
        provenance: columns.json()?,
        overrides: columns.json()?,
    })
}

impl Tx {
    /// A case of the workspace.
    pub async fn find_case(&self, workspace: WorkspaceId, id: CaseId) -> Result<Option<CaseRow>, StoreError> {
        let statement = format!(
            "SELECT {CASE_COLUMNS} FROM cases JOIN case_type ON case_type.id = case_type_id \
             WHERE cases.id = $1 AND cases.workspace_id = $2"
        );
        let row = self.one(sql(statement, vec![uuid(id.0), uuid(workspace.0)])).await?;
        row.as_ref().map(case_row).transpose()
    }

    /// A case of the workspace with all that its page shows.
    pub async fn find_snapshot(
        &self,
        workspace: WorkspaceId,
        id: CaseId,
    ) -> Result<Option<CaseSnapshot>, StoreError> {
        let Some(row) = self.find_case(workspace, id).await? else { return Ok(None) };
        Ok(Some(self.snapshot(row).await?))
    }

    /// Reads what lies around a case.
    pub(super) async fn snapshot(&self, row: CaseRow) -> Result<CaseSnapshot, StoreError> {
        let id = row.case.id;
        let outputs = self.outputs(id).await?;
        let states = self.field_rows(id).await?;
        let live = self.live_runs(id).await?;
        Ok(CaseSnapshot { row, outputs, states, live })
    }

    /// The output variables of a case.
    pub async fn outputs(&self, case: CaseId) -> Result<Vec<(String, Value)>, StoreError> {
        let statement = "SELECT case_id, name, value FROM case_output WHERE case_id = $1 ORDER BY name";
        let rows = self.all(sql(statement, vec![uuid(case.0)])).await?;
        rows.iter()
            .map(|row| {
                let mut columns = Columns::of("case_output", row)?;
                Ok((columns.get()?, columns.json()?))
            })
            .collect()
    }

    /// What ended runs left on a case.
    pub async fn field_rows(&self, case: CaseId) -> Result<Vec<FieldRow>, StoreError> {
        let statement = "SELECT case_id, field, status, reason, missing, run_id, attempt, attempts_max, last_attempt_at, \
             last_success_at, fetched_at, cached, duration_ms, connection, error, inputs_changed FROM field_state WHERE case_id = $1";
        let rows = self.all(sql(statement, vec![uuid(case.0)])).await?;
        rows.iter().map(field_row).collect()
    }

    /// Runs of a case that wait or work, the begun one of a field first.
    pub async fn live_runs(&self, case: CaseId) -> Result<Vec<LiveRun>, StoreError> {
        // The bound on `field` holds for all; it leads to the index of live runs, past the history.
        let statement = format!(
            "SELECT id, field, status, begun, connection, {WAITING_FOR}, {DUE_AT}, attempt, attempts_max, error, \
             (SELECT MAX(started_at) FROM attempt WHERE run_id = run.id) FROM run \
             WHERE case_id = $1 AND field >= '' AND status IN ('queued', 'running') ORDER BY begun DESC, id"
        );
        let rows = self.all(sql(statement, vec![uuid(case.0)])).await?;
        rows.iter().map(live_run).collect()
    }

    /// Writes a patched case.
    pub async fn update_case(&self, update: &CaseUpdate) -> Result<(), StoreError> {
        let case = &update.case;
        let statement = "UPDATE cases SET reference = $1, title = $2, status = $3, custom_status = $4, assignee = $5, \
             data = $6, provenance = $7, overrides = $8, version = $9, revision = $10, updated_at = $11 \
             WHERE id = $12 AND workspace_id = $13";
        let values = vec![
            maybe_text(case.reference.clone()),
            maybe_text(case.title.clone()),
            text(case.status.as_str()),
            maybe_text(case.custom_status.clone()),
            maybe_text(case.assignee.clone()),
            json(&update.data),
            json(&update.provenance),
            json(&update.overrides),
            int(case.version),
            int(case.revision),
            ms(case.updated_at),
            uuid(case.id.0),
            uuid(case.workspace.0),
        ];
        self.execute(sql(statement, values)).await?;
        for (name, value) in &update.set_outputs {
            put_output(self, case.id, name, value).await?;
        }
        for name in &update.removed_outputs {
            let statement = "DELETE FROM case_output WHERE case_id = $1 AND name = $2";
            self.execute(sql(statement, vec![uuid(case.id.0), text(name.as_str())])).await?;
        }
        Ok(())
    }

    /// Counts a change that is not in the case's own row.
    pub async fn touch_case(&self, case: CaseId, at: Instant) -> Result<(), StoreError> {
        let statement = "UPDATE cases SET revision = revision + 1, updated_at = $1 WHERE id = $2";
        self.execute(sql(statement, vec![ms(at), uuid(case.0)])).await?;
        Ok(())
    }

    /// Removes a case with its data, states, attempts and bodies. Its runs stay, without
    /// content; those that live end `cancelled`, so an answer in flight is dropped.
    pub async fn delete_case(
        &self,
        workspace: WorkspaceId,
        id: CaseId,
        at: Instant,
    ) -> Result<bool, StoreError> {
        self.hold_cases([id]).await?;
        let statement = "DELETE FROM cases WHERE id = $1 AND workspace_id = $2";
        if self.execute(sql(statement, vec![uuid(id.0), uuid(workspace.0)])).await? == 0 {
            return Ok(false);
        }
        let error = RunError::cancelled("The case was deleted, so the run was cancelled.", 0, at);
        self.cancel_all(id, Reason::CaseDeleted, &error).await?;
        let emptied = "UPDATE run SET input = NULL, old = NULL, missing = NULL, joined = NULL, written = NULL, \
             kept_manual = NULL, fingerprint = NULL, \
             error = CASE WHEN reason = 'case_deleted' THEN error END WHERE case_id = $1";
        self.execute(sql(emptied, vec![uuid(id.0)])).await?;
        for statement in [
            "DELETE FROM attempt WHERE run_id IN (SELECT id FROM run WHERE case_id = $1)",
            "DELETE FROM attempt_body WHERE case_id = $1",
        ] {
            self.execute(sql(statement, vec![uuid(id.0)])).await?;
        }
        Ok(true)
    }
}

/// Writes one output variable.
pub(super) async fn put_output(tx: &Tx, case: CaseId, name: &str, value: &Value) -> Result<(), StoreError> {
    let statement = "INSERT INTO case_output (case_id, name, value) VALUES ($1, $2, $3) \
         ON CONFLICT (case_id, name) DO UPDATE SET value = excluded.value";
    tx.execute(sql(statement, vec![uuid(case.0), text(name), json(value)])).await?;
    Ok(())
}

fn field_row(row: &QueryResult) -> Result<FieldRow, StoreError> {
    let mut columns = Columns::of("field_state", row)?;
    let field = columns.word(|text| text.parse().ok())?;
    let state = FieldState {
        status: columns.word(FieldStatus::parse)?,
        reason: columns.maybe_word(Reason::parse)?,
        missing: columns.maybe_json()?.unwrap_or_default(),
        run_id: Some(RunId(columns.get()?)),
        attempt: columns.count()?,
        attempts_max: columns.count()?,
        last_attempt_at: columns.maybe_at()?,
        last_success_at: columns.maybe_at()?,
        fetched_at: columns.maybe_at()?,
        cached: columns.get()?,
        duration_ms: columns.get()?,
        connection: columns.get()?,
        error: columns.maybe_json()?,
        inputs_changed: columns.get()?,
        ..FieldState::never_run()
    };
    Ok(FieldRow { field, state })
}

fn live_run(row: &QueryResult) -> Result<LiveRun, StoreError> {
    let mut columns = Columns::of("run", row)?;
    Ok(LiveRun {
        run_id: RunId(columns.id()),
        field: columns.word(|text| text.parse().ok())?,
        running: columns.get::<String>()? == "running",
        begun: columns.get()?,
        connection: columns.get()?,
        waiting_for: columns.maybe_word(WaitingFor::parse)?,
        due_at: columns.maybe_at()?,
        attempt: columns.count()?,
        attempts_max: columns.count()?,
        error: columns.maybe_json()?,
        last_attempt_at: columns.maybe_at()?,
    })
}
