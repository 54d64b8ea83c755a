//! Ending runs that nobody wants any more.
//!
//! A cancelled run leaves no trace on its field: `field_state` is not written here, so the field
//! shows again what it showed before. Whoever works on such a run finds that the lease token is
//! no longer its own, and its answer is dropped. Until it has let go of the call, or its lease ends,
//! the run counts as in flight: its provider is not asked more often at once than it bears.

use sea_orm::Value;
use uuid::Uuid;

use super::error::StoreError;
use super::statement::{int, json, list, maybe_text, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::failure::RunError;
use crate::domain::ids::{CaseId, CaseTypeId, ConnectionKey, EndpointKey, FieldKey, LeaseToken, RunId};
use crate::domain::lane::LaneKey;
use crate::domain::run::Reason;

/// Ends a run and takes it out of its worker's hands: `$1` is the reason, `$2` now, `$3` the error.
/// With a permit, it keeps that and who holds it until [`Tx::hand_in_permits`].
const CANCELLED: &str = "status = 'cancelled', reason = $1, ended_at = $2, error = $3, \
     duration_ms = $2 - started_at, waiting_for = NULL, due_at = NULL, not_before = NULL, parked = FALSE, \
     permit = permit AND status = 'running', \
     worker_id = CASE WHEN permit AND status = 'running' THEN worker_id END, \
     lease_token = CASE WHEN permit AND status = 'running' THEN lease_token END, \
     lease_until = CASE WHEN permit AND status = 'running' THEN lease_until END";

/// A run that has not begun. The first condition leads to the index of live runs.
const UNBEGUN: &str = "status IN ('queued', 'running') AND status = 'queued' AND NOT begun";

impl Tx {
    /// Ends the runs of these fields that have not begun, in all cases of a type: two statements
    /// whatever their number. Answers the cases, whose revision has grown.
    pub async fn cancel_unbegun(
        &self,
        case_type: CaseTypeId,
        fields: &[FieldKey],
        reason: Reason,
        error: &RunError,
    ) -> Result<Vec<CaseId>, StoreError> {
        if fields.is_empty() {
            return Ok(Vec::new());
        }
        let names = || fields.iter().map(|field| text(field.as_str()));
        let unwanted = |first: usize| {
            let names = list(fields.len(), first + 1);
            format!("{UNBEGUN} AND case_type_id = ${first} AND field IN ({names})")
        };
        self.hold_cases_where(
            &format!("id IN (SELECT case_id FROM run WHERE {})", unwanted(1)),
            std::iter::once(uuid(case_type.0)).chain(names()).collect(),
        )
        .await?;
        let touched = format!(
            "UPDATE cases SET revision = revision + 1, updated_at = $1 \
             WHERE id IN (SELECT case_id FROM run WHERE {})",
            unwanted(2)
        );
        let values = [ms(error.at), uuid(case_type.0)].into_iter().chain(names()).collect();
        if self.execute(sql(touched, values)).await? == 0 {
            return Ok(Vec::new());
        }
        let statement = format!("UPDATE run SET {CANCELLED} WHERE {} RETURNING case_id", unwanted(4));
        let values = cancelled(reason, error).into_iter().chain([uuid(case_type.0)]).chain(names());
        let rows = self.all(sql(statement, values.collect())).await?;
        rows.iter().map(|row| Ok(CaseId(row.try_get_by_index::<Uuid>(0)?))).collect()
    }

    /// Ends the live runs of a case, begun or not.
    pub(super) async fn cancel_all(
        &self,
        case: CaseId,
        reason: Reason,
        error: &RunError,
    ) -> Result<(), StoreError> {
        let statement =
            format!("UPDATE run SET {CANCELLED} WHERE case_id = $4 AND status IN ('queued', 'running')");
        let values = cancelled(reason, error).into_iter().chain([uuid(case.0)]).collect();
        self.execute(sql(statement, values)).await?;
        Ok(())
    }

    /// Ends one live run of a case. The attempt that a worker makes of it stays in the history
    /// with an unknown outcome, since the request may have left.
    pub async fn cancel_run(&self, case: CaseId, run: RunId, error: &RunError) -> Result<(), StoreError> {
        let attempt = "INSERT INTO attempt (run_id, number, started_at, ended_at, outcome) \
             SELECT id, attempt, CASE WHEN lease_until - 15000 > started_at THEN lease_until - 15000 \
             ELSE COALESCE(started_at, $1) END, $1, 'unknown' \
             FROM run WHERE id = $2 AND status = 'running' ON CONFLICT DO NOTHING";
        let running = self.execute(sql(attempt, vec![ms(error.at), uuid(run.0)])).await? > 0;
        let statement =
            format!("UPDATE run SET {CANCELLED} WHERE id = $4 AND status IN ('queued', 'running')");
        let values = cancelled(Reason::Requested, error).into_iter().chain([uuid(run.0)]).collect();
        self.execute(sql(statement, values)).await?;
        // While it runs, the case shows a revision that is one higher than the stored one.
        let steps = if running { 2 } else { 1 };
        let touched = "UPDATE cases SET revision = revision + $1, updated_at = $2 WHERE id = $3";
        self.execute(sql(touched, vec![int(steps), ms(error.at), uuid(case.0)])).await?;
        Ok(())
    }

    /// Takes back what cancelled runs still hold of their lanes, as far as these tokens are theirs:
    /// their calls are over.
    pub async fn hand_in_permits(&self, ended: &[(RunId, LeaseToken)]) -> Result<(), StoreError> {
        for (run, token) in ended {
            let statement = "UPDATE run SET permit = FALSE, worker_id = NULL, lease_token = NULL, lease_until = NULL \
                 WHERE id = $1 AND lease_token = $2 AND status = 'cancelled' AND permit";
            self.execute(sql(statement, vec![uuid(run.0), uuid(token.0)])).await?;
        }
        Ok(())
    }

    /// Moves the runs of a field that have not begun to another connection and lane, in all cases of
    /// a type: where they waited for the old lane, they are due.
    pub async fn move_unbegun(
        &self,
        case_type: CaseTypeId,
        field: &FieldKey,
        (connection, endpoint): (Option<&ConnectionKey>, Option<&EndpointKey>),
        lane: &LaneKey,
        now: Instant,
    ) -> Result<(), StoreError> {
        let statement = format!(
            "UPDATE run SET lane = $1, connection = $2, endpoint = $6, due_at = CASE WHEN parked AND lane <> $1 THEN $3 ELSE due_at END, \
             waiting_for = CASE WHEN parked AND lane <> $1 THEN 'worker' ELSE waiting_for END, \
             parked = parked AND lane = $1 WHERE {UNBEGUN} AND case_type_id = $4 AND field = $5"
        );
        let connection = maybe_text(connection.map(ConnectionKey::as_str));
        let values = vec![
            text(lane.as_str()),
            connection,
            ms(now),
            uuid(case_type.0),
            text(field.as_str()),
            maybe_text(endpoint.map(EndpointKey::as_str)),
        ];
        self.execute(sql(statement, values)).await?;
        Ok(())
    }

    /// Grants the runs of a field that have not begun so many attempts, in all cases of a type.
    pub async fn grant_attempts(
        &self,
        case_type: CaseTypeId,
        field: &FieldKey,
        attempts_max: u32,
    ) -> Result<(), StoreError> {
        let statement =
            format!("UPDATE run SET attempts_max = $1 WHERE {UNBEGUN} AND case_type_id = $2 AND field = $3");
        let values = vec![int(attempts_max), uuid(case_type.0), text(field.as_str())];
        self.execute(sql(statement, values)).await?;
        Ok(())
    }
}

/// What [`CANCELLED`] binds.
fn cancelled(reason: Reason, error: &RunError) -> Vec<Value> {
    vec![text(reason.as_str()), ms(error.at), json(error)]
}
