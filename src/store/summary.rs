//! How the fields of many cases stand, counted.
//!
//! There is no counter that could drift or that replicas would queue for: what ended runs left is
//! counted over an index that holds all that is asked, and live runs are laid over it by looking
//! them up in the small indexes of waiting and working runs.

use std::collections::HashMap;

use sea_orm::{QueryResult, Value};

use super::error::StoreError;
use super::statement::{CHUNK, list, maybe_ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{CaseId, CaseTypeId, FieldKey, WorkspaceId};

/// Fields that stand alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateCount {
    /// The field.
    pub field: String,
    /// What is shown, as a word.
    pub status: String,
    /// How many cases show it.
    pub count: u64,
    /// How many of them with data from the cache.
    pub cached: u64,
    /// How many of them with data that is out of date.
    pub stale: u64,
}

/// Whether a run is what its field shows: one that has not begun is not while another one has.
const SHOWN: &str = "(run.begun OR NOT EXISTS (SELECT 1 FROM run AS before WHERE before.case_id = run.case_id \
     AND before.field = run.field AND before.begun AND before.status IN ('queued', 'running')))";

/// Counts of ranges of one index, which is what databases count fastest: $1 type, $2 field, $3 end of
/// freshness.
pub(super) fn states_statement() -> String {
    let count = |more: &str| {
        format!(
            "(SELECT COUNT(*) FROM field_state WHERE case_type_id = $1 AND field = $2 AND status = shown.status{more})"
        )
    };
    let stale = ["FALSE", "TRUE"].map(|cached| {
        let changed = count(&format!(" AND cached = {cached} AND inputs_changed = TRUE"));
        let old = count(&format!(" AND cached = {cached} AND inputs_changed = FALSE AND fetched_at <= $3"));
        format!("{changed} + {old}")
    });
    let statuses =
        ["succeeded", "failed", "skipped", "never_run"].map(|status| format!("SELECT '{status}' AS status"));
    format!(
        "SELECT $2, shown.status, {}, {}, {} FROM ({}) AS shown",
        count(""),
        count(" AND cached = TRUE"),
        stale.join(" + "),
        statuses.join(" UNION ALL ")
    )
}

/// One part for each of the indexes that hold live runs only.
pub(super) fn live_statement(workspace: WorkspaceId, case_type: CaseTypeId) -> (String, Vec<Value>) {
    let parts = ["run.status = 'queued' AND NOT parked", "run.status = 'queued' AND parked"];
    let parts = parts.into_iter().chain(["run.status = 'running' AND lease_until > 0"]);
    let parts: Vec<_> = parts
        .map(|part| {
            format!(
                "SELECT run.field, run.status, COALESCE(state.status, 'never_run') AS below FROM run \
                 LEFT JOIN field_state AS state ON state.case_id = run.case_id AND state.field = run.field \
                 WHERE run.workspace_id = $1 AND run.case_type_id = $2 AND {part} AND {SHOWN}"
            )
        })
        .collect();
    let statement = format!(
        "SELECT field, status, below, COUNT(*) FROM ({}) AS live GROUP BY field, status, below",
        parts.join(" UNION ALL ")
    );
    (statement, vec![uuid(workspace.0), uuid(case_type.0)])
}

impl Tx {
    /// What ended runs left on a field of all cases of a type, by status; data given at `expired`
    /// or before is out of date.
    pub async fn count_states(
        &self,
        case_type: CaseTypeId,
        field: &FieldKey,
        expired: Option<Instant>,
    ) -> Result<Vec<StateCount>, StoreError> {
        let statement = states_statement();
        let values = vec![uuid(case_type.0), text(field.as_str()), maybe_ms(expired)];
        self.all(sql(statement, values)).await?.iter().map(count).collect()
    }

    /// Live runs of a case type that their fields show: their status, and over which status of the
    /// ended run they are laid (`never_run` over nothing), with how many there are.
    pub async fn count_live(
        &self,
        workspace: WorkspaceId,
        case_type: CaseTypeId,
    ) -> Result<HashMap<(String, String, String), u64>, StoreError> {
        let (statement, values) = live_statement(workspace, case_type);
        let rows = self.all(sql(statement, values)).await?;
        let live = |row: &QueryResult| {
            let key = (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
            Ok((key, row.try_get_by_index::<i64>(3)?.unsigned_abs()))
        };
        rows.iter().map(live).collect()
    }

    /// What the fields of these cases show, live runs laid over.
    pub async fn count_states_of(
        &self,
        cases: &[CaseId],
        field: &FieldKey,
        expired: Option<Instant>,
    ) -> Result<Vec<StateCount>, StoreError> {
        let mut counts: HashMap<String, StateCount> = HashMap::new();
        for chunk in cases.chunks(CHUNK * 8) {
            let statement = format!(
                "SELECT shown.field, shown.status, COUNT(*), COALESCE(SUM(CASE WHEN shown.cached THEN 1 ELSE 0 END), 0), \
                   COALESCE(SUM(CASE WHEN shown.inputs_changed OR shown.fetched_at <= $2 THEN 1 ELSE 0 END), 0) FROM \
                 (SELECT $1 AS field, COALESCE((SELECT run.status FROM run WHERE run.case_id = cases.id AND run.field = $1 \
                     AND run.status IN ('queued', 'running') ORDER BY begun DESC LIMIT 1), state.status, 'never_run') AS status, \
                   state.cached, state.inputs_changed, state.fetched_at \
                  FROM cases LEFT JOIN field_state AS state ON state.case_id = cases.id AND state.field = $1 \
                  WHERE cases.id IN ({})) AS shown GROUP BY shown.field, shown.status",
                list(chunk.len(), 3)
            );
            let values = [text(field.as_str()), maybe_ms(expired)];
            let values = values.into_iter().chain(chunk.iter().map(|id| uuid(id.0))).collect();
            for row in self.all(sql(statement, values)).await? {
                let found = count(&row)?;
                match counts.get_mut(&found.status) {
                    Some(sum) => {
                        sum.count += found.count;
                        sum.cached += found.cached;
                        sum.stale += found.stale;
                    }
                    None => drop(counts.insert(found.status.clone(), found)),
                }
            }
        }
        Ok(counts.into_values().collect())
    }
}

fn count(row: &QueryResult) -> Result<StateCount, StoreError> {
    let number = |index| Ok::<_, StoreError>(row.try_get_by_index::<i64>(index)?.unsigned_abs());
    Ok(StateCount {
        field: row.try_get_by_index(0)?,
        status: row.try_get_by_index(1)?,
        count: number(2)?,
        cached: number(3)?,
        stale: number(4)?,
    })
}
