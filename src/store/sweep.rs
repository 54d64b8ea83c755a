//! What time alone changes: leases of workers that are gone, bodies that may be cut.

use sea_orm::Value;
use uuid::Uuid;

use super::error::StoreError;
use super::statement::{int, json, list, ms, sql, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::failure::{Failure, FailureCode, Follow, RunError};
use crate::domain::ids::{CaseId, WorkerId};
use crate::domain::retry::MAX_LOST;

/// Longest body in the history, in characters, of runs that are neither the last good nor the
/// last failed one of their field.
pub(super) const SHORT_BODY: usize = 65_536;

/// Cases whose lost runs are given back in one transaction.
const CASES: u32 = 250;

impl Tx {
    /// Gives runs back to the queue whose worker is gone, those of some cases at a time; answers
    /// how many. Their attempt stays in the history with an unknown outcome and uses up no retry;
    /// the same key goes with the next one. A worker never takes over what it is still working on.
    pub async fn release_lost(&self, own: WorkerId, now: Instant) -> Result<u64, StoreError> {
        let statement = "SELECT DISTINCT case_id FROM run WHERE status = 'running' AND lease_until < $1 \
             AND worker_id <> $2 LIMIT $3";
        let rows = self.all(sql(statement, vec![ms(now), uuid(own.0), int(CASES)])).await?;
        let cases = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<Vec<Uuid>, _>>()?;
        if cases.is_empty() {
            return Ok(0);
        }
        self.hold_cases(cases.iter().copied().map(CaseId)).await?;
        Lost { own, now, cases }.release(self).await
    }

    /// Cuts large answers of runs that a newer one of their field has followed; at most `limit`.
    pub async fn cut_old_bodies(&self, limit: u32) -> Result<u64, StoreError> {
        let statement = "UPDATE attempt_body SET response = substr(response, 1, CAST($1 AS INTEGER)) WHERE (run_id, number) IN ( \
             SELECT body.run_id, body.number FROM attempt_body AS body JOIN run ON run.id = body.run_id \
             WHERE length(body.response) > 65536 AND run.ended_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM field_state \
             AS state WHERE state.case_id = run.case_id AND state.field = run.field \
             AND (state.good_run_id = run.id OR state.failed_run_id = run.id)) LIMIT $2)";
        self.execute(sql(statement, vec![int(i64::try_from(SHORT_BODY).unwrap_or(i64::MAX)), int(limit)]))
            .await
    }
}

/// Runs of some cases that have lost their worker.
struct Lost {
    own: WorkerId,
    now: Instant,
    cases: Vec<Uuid>,
}

impl Lost {
    /// The condition on `run`, with the values `$1` (now), `$2` (the own worker) and those of the
    /// cases behind `after` further ones.
    fn condition(&self, after: usize) -> String {
        let cases = list(self.cases.len(), 3 + after);
        format!("status = 'running' AND lease_until < $1 AND worker_id <> $2 AND case_id IN ({cases})")
    }

    fn values(&self, further: Vec<Value>) -> Vec<Value> {
        let first = vec![ms(self.now), uuid(self.own.0)];
        first.into_iter().chain(further).chain(self.cases.iter().copied().map(uuid)).collect()
    }

    async fn release(&self, tx: &Tx) -> Result<u64, StoreError> {
        let lost = self.condition(0);
        let attempts = format!(
            "INSERT INTO attempt (run_id, number, started_at, ended_at, outcome) \
             SELECT id, attempt, CASE WHEN lease_until - 15000 > started_at THEN lease_until - 15000 \
             ELSE COALESCE(started_at, $1) END, $1, 'unknown' FROM run WHERE {lost} ON CONFLICT DO NOTHING"
        );
        tx.execute(sql(attempts, self.values(Vec::new()))).await?;
        // While a run works, the case shows a revision that is one higher than the stored one.
        let touched = format!(
            "UPDATE cases SET revision = revision + 2 * (SELECT COUNT(*) FROM run WHERE case_id = cases.id AND {lost}), \
             updated_at = $1 WHERE id IN (SELECT case_id FROM run WHERE {lost})"
        );
        tx.execute(sql(touched, self.values(Vec::new()))).await?;
        self.end_hopeless(tx).await?;
        let released = format!(
            "UPDATE run SET status = 'queued', waiting_for = 'worker', due_at = $1, lost = lost + 1, \
             attempts_max = attempts_max + 1, worker_id = NULL, lease_token = NULL, lease_until = NULL WHERE {lost}"
        );
        tx.execute(sql(released, self.values(Vec::new()))).await
    }

    /// Ends runs that have lost too many workers: they may be what kills them.
    async fn end_hopeless(&self, tx: &Tx) -> Result<(), StoreError> {
        let failure =
            Failure::new(FailureCode::Internal, format!("the run lost its worker {MAX_LOST} times"));
        let error = RunError::new(failure, "Dossier", 0, self.now, Follow::Over);
        let hopeless = format!("{} AND lost >= $3", self.condition(2));
        let values = || self.values(vec![int(MAX_LOST), json(&error)]);
        let states = format!(
            "INSERT INTO field_state (case_id, field, status, run_id, attempt, attempts_max, cached, error, failed_run_id) \
             SELECT case_id, field, 'failed', id, attempt, attempts_max, FALSE, $4, id FROM run WHERE {hopeless} \
             ON CONFLICT (case_id, field) DO UPDATE SET status = 'failed', reason = NULL, missing = NULL, \
             run_id = excluded.run_id, attempt = excluded.attempt, attempts_max = excluded.attempts_max, \
             error = excluded.error, failed_run_id = excluded.failed_run_id"
        );
        tx.execute(sql(states, values())).await?;
        let runs = format!(
            "UPDATE run SET status = 'failed', error = $4, ended_at = $1, duration_ms = $1 - started_at, \
             worker_id = NULL, lease_token = NULL, lease_until = NULL WHERE {hopeless}"
        );
        tx.execute(sql(runs, values())).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;
    use tokio_util::task::TaskTracker;

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
         updated_at) VALUES (x'00000000000000000000000000000003', x'01', x'02', 'draft', '{}', '{}', 1, 10, 0, 0)",
        "INSERT INTO run (id, workspace_id, case_id, case_type_id, case_type, case_type_version, field, trigger, status, \
         begun, priority, attempt, attempts_max, limited, lost, idempotency_key, depth, force, overwrite, cached, \
         created_at, worker_id, lease_until) SELECT field, x'01', x'00000000000000000000000000000003', x'02', 't', 1, field, 'manual', 'running', TRUE, \
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
                assert_eq!(tx.release_lost(WorkerId(Uuid::nil()), now).await?, 3);
                let row = tx.one(sql("SELECT revision FROM cases", Vec::new())).await?.unwrap();
                Ok::<i64, StoreError>(row.try_get_by_index(0)?)
            })
        });
        // It showed 13 while the three worked.
        assert_eq!(revision.await.unwrap(), 16);
    }
}
