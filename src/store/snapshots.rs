//! What lies around cases: output variables, what ended runs left, runs that live. Read for many
//! cases at once, so that a page of a list costs a few statements and not a few per case.

use std::collections::HashMap;

use sea_orm::{QueryResult, Value as Bound};
use serde_json::Value;
use uuid::Uuid;

use super::cases::{CaseRow, CaseSnapshot, FieldRow};
use super::error::StoreError;
use super::rows::Columns;
use super::shown::{DUE_AT, WAITING_FOR};
use super::statement::{CHUNK, list, sql, uuid};
use super::tx::Tx;
use crate::domain::ids::{CaseId, RunId};
use crate::domain::run::{FieldState, FieldStatus, LiveRun, Reason, WaitingFor};

type ByCase<T> = HashMap<Uuid, Vec<T>>;

impl Tx {
    /// Reads what lies around these cases.
    pub(super) async fn snapshots(&self, rows: Vec<CaseRow>) -> Result<Vec<CaseSnapshot>, StoreError> {
        let ids: Vec<Bound> = rows.iter().map(|row| uuid(row.case.id.0)).collect();
        let (mut outputs, mut states, mut live) = (HashMap::new(), HashMap::new(), HashMap::new());
        for chunk in ids.chunks(CHUNK) {
            self.read_outputs(chunk, &mut outputs).await?;
            self.read_states(chunk, &mut states).await?;
            self.read_live(chunk, &mut live).await?;
        }
        let snapshot = |row: CaseRow| {
            let id = row.case.id.0;
            let outputs = outputs.remove(&id).unwrap_or_default();
            let (states, live) =
                (states.remove(&id).unwrap_or_default(), live.remove(&id).unwrap_or_default());
            CaseSnapshot { row, outputs, states, live }
        };
        Ok(rows.into_iter().map(snapshot).collect())
    }

    /// The output variables of a case.
    pub async fn outputs(&self, case: CaseId) -> Result<Vec<(String, Value)>, StoreError> {
        let mut found = HashMap::new();
        self.read_outputs(&[uuid(case.0)], &mut found).await?;
        Ok(found.remove(&case.0).unwrap_or_default())
    }

    /// What ended runs left on a case.
    pub async fn field_rows(&self, case: CaseId) -> Result<Vec<FieldRow>, StoreError> {
        let mut found = HashMap::new();
        self.read_states(&[uuid(case.0)], &mut found).await?;
        Ok(found.remove(&case.0).unwrap_or_default())
    }

    /// Runs of a case that wait or work, the begun one of a field first.
    pub async fn live_runs(&self, case: CaseId) -> Result<Vec<LiveRun>, StoreError> {
        let mut found = HashMap::new();
        self.read_live(&[uuid(case.0)], &mut found).await?;
        Ok(found.remove(&case.0).unwrap_or_default())
    }

    async fn read_outputs(
        &self,
        cases: &[Bound],
        into: &mut ByCase<(String, Value)>,
    ) -> Result<(), StoreError> {
        let statement = format!(
            "SELECT case_id, name, value FROM case_output WHERE case_id IN ({}) ORDER BY case_id, name",
            list(cases.len(), 1)
        );
        for row in self.all(sql(statement, cases.to_vec())).await? {
            let mut columns = Columns::of("case_output", &row)?;
            into.entry(columns.id()).or_default().push((columns.get()?, columns.json()?));
        }
        Ok(())
    }

    async fn read_states(&self, cases: &[Bound], into: &mut ByCase<FieldRow>) -> Result<(), StoreError> {
        let statement = format!(
            "SELECT case_id, field, status, reason, missing, run_id, attempt, attempts_max, last_attempt_at, \
             last_success_at, fetched_at, cached, duration_ms, connection, error, inputs_changed FROM field_state \
             WHERE case_id IN ({})",
            list(cases.len(), 1)
        );
        for row in self.all(sql(statement, cases.to_vec())).await? {
            let mut columns = Columns::of("field_state", &row)?;
            into.entry(columns.id()).or_default().push(field_row(&mut columns)?);
        }
        Ok(())
    }

    pub(super) async fn read_live(
        &self,
        cases: &[Bound],
        into: &mut ByCase<LiveRun>,
    ) -> Result<(), StoreError> {
        // The bound on `field` holds for all; it leads to the index of live runs, past the history.
        let statement = format!(
            "SELECT id, case_id, field, status, begun, connection, {WAITING_FOR}, {DUE_AT}, attempt, attempts_max, error, \
             started_at, (SELECT MAX(started_at) FROM attempt WHERE run_id = run.id) FROM run \
             WHERE case_id IN ({}) AND field >= '' AND status IN ('queued', 'running') ORDER BY begun DESC, id",
            list(cases.len(), 1)
        );
        for row in self.all(sql(statement, cases.to_vec())).await? {
            let (case, run) = live_run(&row)?;
            into.entry(case).or_default().push(run);
        }
        Ok(())
    }
}

fn field_row(columns: &mut Columns<'_>) -> Result<FieldRow, StoreError> {
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

fn live_run(row: &QueryResult) -> Result<(Uuid, LiveRun), StoreError> {
    let mut columns = Columns::of("run", row)?;
    let run_id = RunId(columns.id());
    let case = columns.get()?;
    let run = LiveRun {
        run_id,
        field: columns.word(|text| text.parse().ok())?,
        running: columns.get::<String>()? == "running",
        begun: columns.get()?,
        connection: columns.get()?,
        waiting_for: columns.maybe_word(WaitingFor::parse)?,
        due_at: columns.maybe_at()?,
        attempt: columns.count()?,
        attempts_max: columns.count()?,
        error: columns.maybe_json()?,
        started_at: columns.maybe_at()?,
        last_attempt_at: columns.maybe_at()?,
    };
    Ok((case, run))
}
