//! A lane that somebody lets go on: hold and pause end, and with them what its runs wait for.
//!
//! Parked runs ask the lane again by themselves. A begun run that was answered 429 waits by its own
//! `due_at`, which is the provider's `Retry-After` where that is later than our own delay: it is due
//! as soon as our delay is over. Other waits stay as they are.

use super::error::StoreError;
use super::rows::Columns;
use super::statement::{ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::WorkspaceId;
use crate::domain::lane::{Lane, LaneKey};
use crate::domain::retry;

/// Begun runs of a lane (`$1`, `$2`) that wait for the end of its pause, later than `$3`.
const WAITING: &str = "run.workspace_id = $1 AND run.lane = $2 AND run.status = 'queued' AND NOT run.parked \
     AND run.priority IN (0, 1, 2) AND run.waiting_for = 'rate_limit' AND run.due_at > $3";

impl Tx {
    /// Ends hold and pause of a lane, because somebody says so.
    pub async fn resume_lane(
        &self,
        workspace: WorkspaceId,
        key: &LaneKey,
        now: Instant,
    ) -> Result<(), StoreError> {
        let values = || vec![uuid(workspace.0), text(key.as_str()), ms(now)];
        let cases = format!("id IN (SELECT run.case_id FROM run WHERE {WAITING})");
        self.hold_cases_where(&cases, values()).await?;
        let statement = format!(
            "SELECT run.id, run.limited, attempt.ended_at FROM run \
             JOIN attempt ON attempt.run_id = run.id AND attempt.number = run.attempt WHERE {WAITING}"
        );
        for row in self.all(sql(statement, values())).await? {
            let mut columns = Columns::of("run", &row)?;
            let (run, limited, failed_at) = (columns.id(), columns.count()?, columns.at()?);
            let due_at = (failed_at + retry::delay(limited, 1.0)).max(now);
            let statement = "UPDATE run SET due_at = CASE WHEN due_at > $1 THEN $1 ELSE due_at END, not_before = NULL \
                 WHERE id = $2";
            self.execute(sql(statement, vec![ms(due_at), uuid(run)])).await?;
        }
        self.change_lane(workspace, key, now, Lane::resume).await
    }
}
