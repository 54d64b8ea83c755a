//! What time alone changes: leases of workers that are gone, bodies that may be cut.

use super::database::Tx;
use super::error::StoreError;
use super::statement::{int, json, ms, sql, uuid};
use crate::domain::clock::Instant;
use crate::domain::failure::{Failure, FailureCode, Follow, RunError};
use crate::domain::ids::WorkerId;
use crate::domain::retry::MAX_LOST;

/// Longest body in the history, in characters, of runs that are neither the last good nor the
/// last failed one of their field.
pub(super) const SHORT_BODY: usize = 65_536;

impl Tx {
    /// Gives runs back to the queue whose worker is gone. Their attempt stays in the history
    /// with an unknown outcome and uses up no retry; the same key goes with the next one.
    /// A worker never takes over what it is still working on.
    pub async fn release_lost(&self, own: WorkerId, now: Instant) -> Result<u64, StoreError> {
        let lost = "status = 'running' AND lease_until < $1 AND worker_id <> $2";
        let values = || vec![ms(now), uuid(own.0)];
        let attempts = format!(
            "INSERT INTO attempt (run_id, number, started_at, ended_at, outcome) \
             SELECT id, attempt, MAX(COALESCE(started_at, $1), lease_until - 15000), $1, 'unknown' FROM run WHERE {lost} \
             ON CONFLICT DO NOTHING"
        );
        if self.execute(sql(attempts, values())).await? == 0 {
            return Ok(0);
        }
        let touched = format!(
            "UPDATE cases SET revision = revision + 2, updated_at = $1 WHERE id IN (SELECT case_id FROM run WHERE {lost})"
        );
        self.execute(sql(touched, values())).await?;
        self.end_hopeless(own, now).await?;
        let released = format!(
            "UPDATE run SET status = 'queued', waiting_for = 'worker', due_at = $1, lost = lost + 1, \
             attempts_max = attempts_max + 1, worker_id = NULL, lease_token = NULL, lease_until = NULL WHERE {lost}"
        );
        self.execute(sql(released, values())).await
    }

    /// Ends runs that have lost too many workers: they may be what kills them.
    async fn end_hopeless(&self, own: WorkerId, now: Instant) -> Result<(), StoreError> {
        let failure =
            Failure::new(FailureCode::Internal, format!("the run lost its worker {MAX_LOST} times"));
        let error = RunError::new(failure, "Dossier", 0, now, Follow::Over);
        let hopeless = "status = 'running' AND lease_until < $1 AND worker_id <> $2 AND lost >= $3";
        let values = || vec![ms(now), uuid(own.0), int(MAX_LOST), json(&error)];
        let states = format!(
            "INSERT INTO field_state (case_id, field, status, run_id, attempt, attempts_max, cached, error, failed_run_id) \
             SELECT case_id, field, 'failed', id, attempt, attempts_max, FALSE, $4, id FROM run WHERE {hopeless} \
             ON CONFLICT (case_id, field) DO UPDATE SET status = 'failed', reason = NULL, missing = NULL, \
             run_id = excluded.run_id, attempt = excluded.attempt, attempts_max = excluded.attempts_max, \
             error = excluded.error, failed_run_id = excluded.failed_run_id"
        );
        self.execute(sql(states, values())).await?;
        let runs = format!(
            "UPDATE run SET status = 'failed', error = $4, ended_at = $1, duration_ms = $1 - started_at, \
             worker_id = NULL, lease_token = NULL, lease_until = NULL WHERE {hopeless}"
        );
        self.execute(sql(runs, values())).await?;
        Ok(())
    }

    /// Cuts large answers of runs that a newer one of their field has followed; at most `limit`.
    pub async fn cut_old_bodies(&self, limit: u32) -> Result<u64, StoreError> {
        let statement = "UPDATE attempt_body SET response = substr(response, 1, $1) WHERE (run_id, number) IN ( \
             SELECT body.run_id, body.number FROM attempt_body AS body JOIN run ON run.id = body.run_id \
             WHERE length(body.response) > 65536 AND run.ended_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM field_state \
             AS state WHERE state.case_id = run.case_id AND state.field = run.field \
             AND (state.good_run_id = run.id OR state.failed_run_id = run.id)) LIMIT $2)";
        self.execute(sql(statement, vec![int(i64::try_from(SHORT_BODY).unwrap_or(i64::MAX)), int(limit)]))
            .await
    }
}
