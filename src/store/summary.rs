//! How the fields of many cases stand, counted.
//!
//! There is no counter that could drift or that replicas would queue for: what ended runs left is
//! counted over an index that holds all that is asked, and live runs are laid over it by looking
//! them up in the small indexes of waiting and working runs.

use std::collections::HashMap;

use sea_orm::{QueryResult, Value};

use super::error::StoreError;
use super::statement::{list, maybe_ms, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{CaseId, CaseTypeId, FieldKey, WorkspaceId};

/// Cases in one statement that counts: a summary of many takes few.
const WIDE: usize = 2_048;

/// Field, status of its live run and the status that this one is laid over, with how many there are.
pub type LiveCounts = HashMap<(String, String, String), u64>;

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

/// Live runs of a condition that their fields show, and over which status they are laid.
fn live_part(condition: &str) -> String {
    format!(
        "SELECT run.field, run.status, COALESCE(state.status, 'never_run') AS below FROM run \
         LEFT JOIN field_state AS state ON state.case_id = run.case_id AND state.field = run.field \
         WHERE {condition} AND {SHOWN}"
    )
}

fn live_over(parts: &str) -> String {
    format!("SELECT field, status, below, COUNT(*) FROM ({parts}) AS live GROUP BY field, status, below")
}

/// One part for each of the indexes that hold live runs only.
pub(super) fn live_statement(workspace: WorkspaceId, case_type: CaseTypeId) -> (String, Vec<Value>) {
    let parts = ["run.status = 'queued' AND NOT parked", "run.status = 'queued' AND parked"];
    let parts = parts.into_iter().chain(["run.status = 'running' AND lease_until > 0"]);
    let part = |part| live_part(&format!("run.workspace_id = $1 AND run.case_type_id = $2 AND {part}"));
    let parts: Vec<_> = parts.map(part).collect();
    (live_over(&parts.join(" UNION ALL ")), vec![uuid(workspace.0), uuid(case_type.0)])
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
    ) -> Result<LiveCounts, StoreError> {
        let (statement, values) = live_statement(workspace, case_type);
        let rows = self.all(sql(statement, values)).await?;
        rows.iter().map(live_row).collect()
    }

    /// What ended runs left on all fields of these cases, by field and status; data of a field given
    /// at its time in `expired` or before is out of date.
    pub async fn count_states_of(
        &self,
        cases: &[CaseId],
        expired: &[(FieldKey, Instant)],
    ) -> Result<Vec<StateCount>, StoreError> {
        let mut counts = Vec::new();
        for chunk in cases.chunks(WIDE) {
            let mut values = alike(chunk);
            let cases = list(values.len(), 1);
            let old = |(field, at): &(FieldKey, Instant)| {
                values.extend([text(field.as_str()), ms(*at)]);
                let last = values.len();
                format!(" OR state.field = ${} AND state.fetched_at <= ${last}", last - 1)
            };
            let old: String = expired.iter().map(old).collect();
            let statement = format!(
                "SELECT state.field, state.status, COUNT(*), SUM(CASE WHEN state.cached THEN 1 ELSE 0 END), \
                   SUM(CASE WHEN state.inputs_changed{old} THEN 1 ELSE 0 END) \
                 FROM field_state AS state WHERE state.case_id IN ({cases}) GROUP BY state.field, state.status"
            );
            for row in self.all(sql(statement, values)).await? {
                counts.push(count(&row)?);
            }
        }
        Ok(counts)
    }

    /// Live runs of these cases that their fields show, as [`Tx::count_live`] tells them.
    pub async fn count_live_of(&self, cases: &[CaseId]) -> Result<LiveCounts, StoreError> {
        let mut live = LiveCounts::new();
        for chunk in cases.chunks(WIDE) {
            let values = alike(chunk);
            // The bound on `field` holds for all; it leads to the index of live runs, past the history.
            let part = format!(
                "run.case_id IN ({}) AND run.field >= '' AND run.status IN ('queued', 'running')",
                list(values.len(), 1)
            );
            let statement = live_over(&live_part(&part));
            for row in self.all(sql(statement, values)).await? {
                let (key, number) = live_row(&row)?;
                *live.entry(key).or_default() += number;
            }
        }
        Ok(live)
    }
}

/// The ids, the last one as often as it takes for a power of two of them: few sizes mean few
/// prepared statements.
fn alike(cases: &[CaseId]) -> Vec<Value> {
    let more = cases.len().next_power_of_two() - cases.len();
    let last = cases.last().into_iter().cycle().take(more);
    cases.iter().chain(last).map(|id| uuid(id.0)).collect()
}

fn live_row(row: &QueryResult) -> Result<((String, String, String), u64), StoreError> {
    let key = (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
    Ok((key, row.try_get_by_index::<i64>(3)?.unsigned_abs()))
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
