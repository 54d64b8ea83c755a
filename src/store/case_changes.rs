//! What people and the API changed on a case, version by version: a conditional request that
//! comes too late is told what it has missed.

use std::collections::BTreeSet;

use super::error::StoreError;
use super::rows::Columns;
use super::statement::{int, json, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::case::Case;
use crate::domain::ids::{CaseId, WorkspaceId};

/// Versions of one case that are remembered.
const REMEMBERED: i64 = 1_000;

impl Tx {
    /// The version of a case as it is now; none: there is no such case here.
    pub async fn case_version(&self, workspace: WorkspaceId, id: CaseId) -> Result<Option<i64>, StoreError> {
        let statement = "SELECT id, version FROM cases WHERE id = $1 AND workspace_id = $2";
        let row = self.one(sql(statement, vec![uuid(id.0), uuid(workspace.0)])).await?;
        row.as_ref().map(|row| Columns::of("cases", row)?.get()).transpose()
    }

    /// Notes what a change touched, as dotted paths; `case` is the case after it, with its new
    /// version. Belongs into the transaction of the change.
    pub async fn note_change(&self, case: &Case, by: &str, paths: &[String]) -> Result<(), StoreError> {
        let statement =
            "INSERT INTO case_change (case_id, version, at, by, paths) VALUES ($1, $2, $3, $4, $5)";
        let values = vec![uuid(case.id.0), int(case.version), ms(case.updated_at), text(by), json(paths)];
        self.execute(sql(statement, values)).await?;
        let statement = "DELETE FROM case_change WHERE case_id = $1 AND version <= $2";
        self.execute(sql(statement, vec![uuid(case.id.0), int(case.version - REMEMBERED)])).await?;
        Ok(())
    }

    /// The paths that were changed after version `since` and up to version `now`, sorted, each
    /// once; none when not all of these changes are remembered any more, since a part of them
    /// would read like all of them.
    pub async fn changed_since(&self, case: CaseId, since: i64, now: i64) -> Result<Vec<String>, StoreError> {
        let statement = "SELECT case_id, paths FROM case_change WHERE case_id = $1 AND version > $2";
        let rows = self.all(sql(statement, vec![uuid(case.0), int(since)])).await?;
        if i64::try_from(rows.len()).ok() != now.checked_sub(since) {
            return Ok(Vec::new());
        }
        let mut paths = BTreeSet::new();
        for row in &rows {
            paths.extend(Columns::of("case_change", row)?.json::<Vec<String>>()?);
        }
        Ok(paths.into_iter().collect())
    }
}
