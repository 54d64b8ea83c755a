//! What time alone changes: leases of workers that are gone, bodies that may be cut.

use super::database::Tx;
use super::error::StoreError;
use super::statement::{int, json, ms, sql, uuid};
use crate::domain::clock::Instant;
use crate::domain::failure::{Failure, FailureCode, Follow, RunError};
use crate::domain::ids::WorkerId;
use crate::domain::retry::MAX_LOST;

/// Milliseconds that a run waits when its worker is gone, by how many it had lost before: none at
/// first, then up to 1, 2, 4 and 8 s, the upper half by the chance of when it was made. So what
/// brings down one process after the other soon runs apart from those that were only near it, and
/// these do not use up the workers that they may lose. Lease, sweep and this stay below the 30 s
/// of a takeover.
const PAUSE: &str = "(CASE lost WHEN 0 THEN 0 WHEN 1 THEN 1000 WHEN 2 THEN 2000 WHEN 3 THEN 4000 ELSE 8000 END) \
     * (500 + created_at % 500) / 1000";

/// Longest body in the history, in characters, of runs that are neither the last good nor the
/// last failed one of their field.
pub(super) const SHORT_BODY: usize = 65_536;

impl Tx {
    /// Gives runs back to the queue whose worker is gone. Their attempt stays in the history
    /// with an unknown outcome and uses up no retry; the same key goes with the next one.
    /// A worker never takes over what it is still working on.
    pub async fn release_lost(&self, own: WorkerId, now: Instant) -> Result<u64, StoreError> {
        self.release(own, now, "status = 'running' AND lease_until < $1 AND worker_id <> $2").await
    }

    /// As [`Tx::release_lost`], without waiting for leases to end: for a process that knows that no
    /// other one lives.
    pub async fn release_all(&self, own: WorkerId, now: Instant) -> Result<u64, StoreError> {
        self.release(own, now, "status = 'running' AND worker_id <> $2").await
    }

    /// `lost` is the condition that finds the runs; `$1` is now, `$2` this worker.
    async fn release(&self, own: WorkerId, now: Instant, lost: &str) -> Result<u64, StoreError> {
        let values = || vec![ms(now), uuid(own.0)];
        let attempts = format!(
            "INSERT INTO attempt (run_id, number, started_at, ended_at, outcome) \
             SELECT id, attempt, MAX(COALESCE(started_at, $1), lease_until - 15000), $1, 'unknown' FROM run WHERE {lost} \
             ON CONFLICT DO NOTHING"
        );
        if self.execute(sql(attempts, values())).await? == 0 {
            return Ok(0);
        }
        // While a run works, the case shows a revision that is one higher than the stored one.
        let touched = format!(
            "UPDATE cases SET revision = revision + 2 * (SELECT COUNT(*) FROM run WHERE case_id = cases.id AND {lost}), \
             updated_at = $1 WHERE id IN (SELECT case_id FROM run WHERE {lost})"
        );
        self.execute(sql(touched, values())).await?;
        self.end_hopeless(own, now, lost).await?;
        let released = format!(
            "UPDATE run SET status = 'queued', waiting_for = 'worker', due_at = $1 + {PAUSE}, lost = lost + 1, \
             attempts_max = attempts_max + 1, worker_id = NULL, lease_token = NULL, lease_until = NULL WHERE {lost}"
        );
        self.execute(sql(released, values())).await
    }

    /// Ends runs that have lost too many workers: they may be what kills them.
    async fn end_hopeless(&self, own: WorkerId, now: Instant, lost: &str) -> Result<(), StoreError> {
        let failure =
            Failure::new(FailureCode::Internal, format!("the run lost its worker {MAX_LOST} times"));
        let error = RunError::new(failure, "Dossier", 0, now, Follow::Over);
        let hopeless = format!("{lost} AND lost >= $3");
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;
    use tokio_util::task::TaskTracker;
    use uuid::Uuid;

    use super::*;
    use crate::domain::clock::Rng;
    use crate::store::close::CommitLimits;
    use crate::store::database::{Store, StoreSettings};

    struct Zero;

    impl Rng for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    const SETUP: [&str; 5] = [
        "PRAGMA defer_foreign_keys = ON",
        "INSERT INTO workspace (id, key, name, params, created_at, updated_at) VALUES (x'01', 'w', 'w', '{}', 0, 0)",
        "INSERT INTO case_type (id, workspace_id, key, version, created_at, updated_at) \
         VALUES (x'02', x'01', 't', 1, 0, 0)",
        "INSERT INTO cases (id, workspace_id, case_type_id, status, data, provenance, version, revision, created_at, \
         updated_at) VALUES (x'03', x'01', x'02', 'draft', '{}', '{}', 1, 10, 0, 0)",
        "INSERT INTO run (id, workspace_id, case_id, case_type_id, case_type, case_type_version, field, trigger, status, \
         begun, priority, attempt, attempts_max, limited, lost, idempotency_key, depth, force, overwrite, cached, \
         created_at, worker_id, lease_until) SELECT field, x'01', x'03', x'02', 't', 1, field, 'manual', 'running', TRUE, \
         1, 1, 4, 0, 0, field, 0, FALSE, FALSE, FALSE, 0, x'07', 0 \
         FROM (SELECT 'f' AS field UNION SELECT 'g' UNION SELECT 'h')",
    ];

    #[tokio::test]
    async fn a_case_counts_each_run_that_lost_its_worker() {
        let folder = tempfile::tempdir().unwrap();
        let limits = CommitLimits { case_bytes: 1, output_bytes: 1 };
        let url = format!("sqlite://{}", folder.path().join("dossier.db").display());
        let settings = StoreSettings { url, wait_for_disk: false, limits };
        let store = Store::open(&settings, Arc::new(Zero), &TaskTracker::new()).await.unwrap();
        let revision = store.write(|tx| {
            Box::pin(async move {
                for statement in SETUP {
                    tx.execute(sql(statement, Vec::new())).await?;
                }
                let now = DateTime::from_timestamp(60, 0).unwrap();
                assert_eq!(tx.release_lost(WorkerId(Uuid::nil()), DateTime::UNIX_EPOCH).await?, 0);
                assert_eq!(tx.release_lost(WorkerId(Uuid::nil()), now).await?, 3);
                assert_eq!(tx.release_all(WorkerId(Uuid::nil()), now).await?, 0);
                let row = tx.one(sql("SELECT revision FROM cases", Vec::new())).await?.unwrap();
                Ok::<i64, StoreError>(row.try_get_by_index(0)?)
            })
        });
        // It showed 13 while the three worked.
        assert_eq!(revision.await.unwrap(), 16);
    }
}
