//! Pages of the run history, newest first.

use super::error::StoreError;
use super::statement::{int, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::failure::FailureCode;
use crate::domain::ids::{CaseId, RunId, SecretName, WorkspaceId};
use crate::domain::run::{Run, RunStatus};
use crate::domain::trigger::Trigger;

/// Which runs to list; everything given must hold.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Runs of this case.
    pub case: Option<CaseId>,
    /// Runs of cases of this type.
    pub case_type: Option<String>,
    /// Runs of fields of this name.
    pub field: Option<String>,
    /// Runs over this connection.
    pub connection: Option<String>,
    /// Runs that stand here.
    pub status: Option<RunStatus>,
    /// Runs with this reason to run.
    pub trigger: Option<Trigger>,
    /// Runs whose last error is this.
    pub error: Option<FailureCode>,
    /// Runs of this batch.
    pub batch: Option<uuid::Uuid>,
    /// Runs that sent this secret, and in which version, if one is named.
    pub secret: Option<(SecretName, Option<i64>)>,
    /// Runs queued at this time or later.
    pub since: Option<Instant>,
    /// Runs queued before this time.
    pub until: Option<Instant>,
}

impl RunFilter {
    /// The condition, with its values bound from `$1` on.
    fn condition(&self, workspace: WorkspaceId) -> (String, Vec<sea_orm::Value>) {
        let mut parts = Vec::new();
        let mut values = Vec::new();
        let mut add = |part: &str, value: sea_orm::Value| {
            values.push(value);
            parts.push(part.replace('?', &format!("${}", values.len())));
        };
        add("workspace_id = ?", uuid(workspace.0));
        if let Some(case) = self.case {
            add("case_id = ?", uuid(case.0));
        }
        let texts = [
            ("case_type = ?", self.case_type.as_deref()),
            ("field = ?", self.field.as_deref()),
            ("connection = ?", self.connection.as_deref()),
            ("status = ?", self.status.map(RunStatus::as_str)),
            ("trigger = ?", self.trigger.map(Trigger::as_str)),
            ("json_extract(error, '$.code') = ?", self.error.map(FailureCode::as_str)),
        ];
        for (part, value) in texts {
            if let Some(value) = value {
                add(part, text(value));
            }
        }
        if let Some(batch) = self.batch {
            add("batch_id = ?", uuid(batch));
        }
        if let Some((name, version)) = &self.secret {
            // An object of whole numbers by name; an underscore in a pattern would be any character.
            let name = name.as_str().replace('_', "!_");
            let version = version.map(|version| format!("{version},")).unwrap_or_default();
            let sent = "EXISTS (SELECT 1 FROM attempt WHERE attempt.run_id = run.id \
                 AND replace(attempt.secrets, '}', ',') LIKE ? ESCAPE '!')";
            add(sent, text(format!("%\"{name}\":{version}%")));
        }
        for (part, at) in [("created_at >= ?", self.since), ("created_at < ?", self.until)] {
            if let Some(at) = at {
                add(part, ms(at));
            }
        }
        (parts.join(" AND "), values)
    }
}

impl Tx {
    /// Runs of the workspace, newest first, those older than `before`.
    pub async fn list_runs(
        &self,
        workspace: WorkspaceId,
        filter: &RunFilter,
        before: Option<RunId>,
        limit: u64,
    ) -> Result<Vec<Run>, StoreError> {
        let (mut condition, mut values) = filter.condition(workspace);
        if let Some(before) = before {
            values.push(uuid(before.0));
            condition = format!("{condition} AND id < ${}", values.len());
        }
        values.push(int(i64::try_from(limit).unwrap_or(i64::MAX)));
        let tail = format!("{condition} ORDER BY id DESC LIMIT ${}", values.len());
        self.runs_where(&tail, values).await
    }

    /// How many runs match, counted up to `most`.
    pub async fn count_runs(
        &self,
        workspace: WorkspaceId,
        filter: &RunFilter,
        most: u64,
    ) -> Result<u64, StoreError> {
        let (condition, mut values) = filter.condition(workspace);
        values.push(int(i64::try_from(most).unwrap_or(i64::MAX)));
        let statement = format!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM run WHERE {condition} LIMIT ${}) AS found",
            values.len()
        );
        let row = self.one(sql(statement, values)).await?;
        let count: i64 = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0);
        Ok(u64::try_from(count).unwrap_or(0))
    }
}
