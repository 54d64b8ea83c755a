//! Cases as they are read, and the rare writes: a patch, a deletion.

use sea_orm::QueryResult;
use serde_json::{Map, Value};

use super::claimed::case;
use super::error::StoreError;
use super::rows::Columns;
use super::statement::{int, json, maybe_text, ms, sql, text, uuid};
use super::tx::Tx;
use super::{case_index, case_words};
use crate::domain::case::{Case, Provenance};
use crate::domain::clock::Instant;
use crate::domain::failure::RunError;
use crate::domain::ids::{CaseId, FieldKey, WorkspaceId};
use crate::domain::overrides::Overrides;
use crate::domain::run::{FieldState, LiveRun, Reason};

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

pub(super) const CASE_COLUMNS: &str = "cases.id, cases.workspace_id, cases.case_type_id, key, reference, title, status, \
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
        Ok(self.snapshots(vec![row]).await?.pop())
    }

    /// Writes a patched case; `before` is its row until now.
    pub async fn update_case(&self, before: &CaseRow, update: &CaseUpdate) -> Result<(), StoreError> {
        let case = &update.case;
        case_words::change(self, &before.case, case).await?;
        let indexed = self.indexed_fields(case.case_type_id).await?;
        let (old, new) = (case_index::keys(&indexed, &before.data), case_index::keys(&indexed, &update.data));
        case_index::change(self, (case.case_type_id, case.id), &old, new).await?;
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
        let Some(row) = self.find_case(workspace, id).await? else { return Ok(false) };
        self.execute(sql("DELETE FROM cases WHERE id = $1", vec![uuid(id.0)])).await?;
        self.forget_found(&row).await?;
        let error = RunError::cancelled("The case was deleted, so the run was cancelled.", 0, at);
        self.cancel_all(id, Reason::CaseDeleted, &error).await?;
        let emptied = "UPDATE run SET input = NULL, old = NULL, missing = NULL, joined = NULL, written = NULL, fired_by = NULL, \
             kept_manual = NULL, fingerprint = NULL, \
             error = CASE WHEN reason = 'case_deleted' THEN error END WHERE case_id = $1";
        self.execute(sql(emptied, vec![uuid(id.0)])).await?;
        for statement in [
            "DELETE FROM attempt WHERE run_id IN (SELECT id FROM run WHERE case_id = $1)",
            "DELETE FROM attempt_body WHERE case_id = $1",
            "DELETE FROM case_event WHERE case_id = $1",
        ] {
            self.execute(sql(statement, vec![uuid(id.0)])).await?;
        }
        self.tell_of_deleted(workspace, id).await?;
        Ok(true)
    }

    /// Takes away what a case was found by.
    async fn forget_found(&self, row: &CaseRow) -> Result<(), StoreError> {
        let case = &row.case;
        case_words::remove(self, case.workspace, case.id, &case_words::of(case)).await?;
        let keys = case_index::keys(&self.indexed_fields(case.case_type_id).await?, &row.data);
        case_index::remove(self, case.case_type_id, case.id, &keys).await
    }
}

/// Writes one output variable.
pub(super) async fn put_output(tx: &Tx, case: CaseId, name: &str, value: &Value) -> Result<(), StoreError> {
    let statement = "INSERT INTO case_output (case_id, name, value) VALUES ($1, $2, $3) \
         ON CONFLICT (case_id, name) DO UPDATE SET value = excluded.value";
    tx.execute(sql(statement, vec![uuid(case.0), text(name), json(value)])).await?;
    Ok(())
}
