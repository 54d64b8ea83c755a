//! What time alone changes: the leases of workers that are gone end.

use sea_orm::Value;
use uuid::Uuid;

use super::error::StoreError;
use super::statement::{int, json, list, ms, sql, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::failure::{Failure, FailureCode, Follow, RunError};
use crate::domain::ids::{CaseId, RunId};
use crate::domain::retry::MAX_LOST;

/// Milliseconds that a run waits when its worker is gone, by how many it had lost before: none at
/// first, then up to 1, 2, 4 and 8 s, the upper half by the chance of when it was made. So what
/// brings down one process after the other soon runs apart from those that were only near it, and
/// these do not use up the workers that they may lose. Lease, sweep and this stay below the 30 s
/// of a takeover.
const PAUSE: &str = "(CASE lost WHEN 0 THEN 0 WHEN 1 THEN 1000 WHEN 2 THEN 2000 WHEN 3 THEN 4000 ELSE 8000 END) \
     * (500 + created_at % 500) / 1000";

/// Lost runs that are given back in one transaction.
const RUNS: usize = 250;

impl Tx {
    /// Gives runs back to the queue whose worker is gone, some at a time; answers how many. Their
    /// attempt stays in the history with an unknown outcome and uses up no retry; the same key goes
    /// with the next one. A process never takes over what its own worker still works on (`held`).
    /// `all` does not wait for leases to end: for a process that knows that no other one lives.
    pub async fn release_lost(&self, held: &[RunId], now: Instant, all: bool) -> Result<u64, StoreError> {
        let lost = self.lost_runs(held, now, all).await?;
        if lost.is_empty() {
            return Ok(0);
        }
        self.hold_cases(lost.iter().map(|(_, case)| *case)).await?;
        let runs = lost.into_iter().map(|(run, _)| run).collect();
        Lost { now, all, runs }.release(self).await
    }

    async fn lost_runs(
        &self,
        held: &[RunId],
        now: Instant,
        all: bool,
    ) -> Result<Vec<(Uuid, CaseId)>, StoreError> {
        let statement = format!(
            "SELECT id, case_id FROM run WHERE status = 'running' AND {} ORDER BY lease_until LIMIT $2",
            lease_ended(all)
        );
        // What is held may be among the first ones.
        let limit = i64::try_from(RUNS + held.len()).unwrap_or(i64::MAX);
        let rows = self.all(sql(statement, vec![ms(now), int(limit)])).await?;
        let runs = rows.iter().map(|row| Ok((row.try_get_by_index(0)?, CaseId(row.try_get_by_index(1)?))));
        let runs = runs.collect::<Result<Vec<(Uuid, CaseId)>, StoreError>>()?;
        Ok(runs.into_iter().filter(|(run, _)| !held.contains(&RunId(*run))).take(RUNS).collect())
    }
}

/// Some runs that have lost their worker.
struct Lost {
    now: Instant,
    all: bool,
    runs: Vec<Uuid>,
}

/// The part of the condition that looks at leases; `all`: it does not. `$1` is now.
const fn lease_ended(all: bool) -> &'static str {
    if all { "$1 > 0" } else { "lease_until < $1" }
}

impl Lost {
    /// The condition on `run`, with the values `$1` (now) and those of the runs behind `after`
    /// further ones.
    fn condition(&self, after: usize) -> String {
        let runs = list(self.runs.len(), 2 + after);
        format!("status = 'running' AND {} AND id IN ({runs})", lease_ended(self.all))
    }

    fn values(&self, further: Vec<Value>) -> Vec<Value> {
        let runs = self.runs.iter().copied().map(uuid);
        [ms(self.now)].into_iter().chain(further).chain(runs).collect()
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
            "UPDATE run SET status = 'queued', waiting_for = 'worker', due_at = $1 + {PAUSE}, lost = lost + 1, \
             attempts_max = attempts_max + 1, worker_id = NULL, lease_token = NULL, lease_until = NULL WHERE {lost}"
        );
        tx.execute(sql(released, self.values(Vec::new()))).await
    }

    /// Ends runs that have lost too many workers: they may be what kills them.
    async fn end_hopeless(&self, tx: &Tx) -> Result<(), StoreError> {
        let failure =
            Failure::new(FailureCode::Internal, format!("the run lost its worker {MAX_LOST} times"));
        let error = RunError::new(failure, "Dossier", 0, self.now, Follow::Over);
        let hopeless = format!("{} AND lost >= $2", self.condition(2));
        let values = || self.values(vec![int(MAX_LOST), json(&error)]);
        let states = format!(
            "INSERT INTO field_state (case_id, field, status, run_id, attempt, attempts_max, cached, error, failed_run_id, \
             case_type_id) SELECT case_id, field, 'failed', id, attempt, attempts_max, FALSE, $3, id, case_type_id FROM run WHERE {hopeless} \
             ON CONFLICT (case_id, field) DO UPDATE SET status = 'failed', reason = NULL, missing = NULL, owed = FALSE, \
             run_id = excluded.run_id, attempt = excluded.attempt, attempts_max = excluded.attempts_max, \
             error = excluded.error, failed_run_id = excluded.failed_run_id"
        );
        tx.execute(sql(states, values())).await?;
        let runs = format!(
            "UPDATE run SET status = 'failed', error = $3, ended_at = $1, duration_ms = $1 - started_at, \
             worker_id = NULL, lease_token = NULL, lease_until = NULL WHERE {hopeless}"
        );
        tx.execute(sql(runs, values())).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::WorkerId;
    use crate::store::testing;

    const SETUP: [&str; 5] = [
        "PRAGMA defer_foreign_keys = ON",
        "INSERT INTO workspace (id, key, name, params, created_at, updated_at) VALUES (x'01', 'w', 'w', '{}', 0, 0)",
        "INSERT INTO case_type (id, workspace_id, key, version, created_at, updated_at) \
         VALUES (x'02', x'01', 't', 1, 0, 0)",
        "INSERT INTO cases (id, workspace_id, case_type_id, status, data, provenance, version, revision, created_at, \
         updated_at) VALUES (x'00000000000000000000000000000003', x'01', x'02', 'draft', '{}', '{}', 1, 10, 0, 0)",
        "INSERT INTO run (id, workspace_id, case_id, case_type_id, case_type, case_type_version, field, trigger, status, \
         begun, priority, attempt, attempts_max, limited, lost, idempotency_key, depth, force, overwrite, cached, \
         created_at, worker_id, lease_until) SELECT id, x'01', x'00000000000000000000000000000003', x'02', 't', 1, field, 'manual', 'running', TRUE, \
         1, 1, 4, 0, 0, field, 0, FALSE, FALSE, FALSE, 0, x'00000000000000000000000000000007', 0 \
         FROM (SELECT x'0000000000000000000000000000000A' AS id, 'f' AS field \
         UNION SELECT x'0000000000000000000000000000000B', 'g' UNION SELECT x'0000000000000000000000000000000C', 'h')",
    ];

    #[tokio::test]
    async fn a_case_counts_each_run_that_lost_its_worker() {
        let (_folder, store) = testing::store().await;
        let revision = store.write(|tx| {
            Box::pin(async move {
                for statement in SETUP {
                    tx.execute(sql(statement, Vec::new())).await?;
                }
                let now = DateTime::from_timestamp(60, 0).unwrap();
                let held = [RunId(Uuid::nil())];
                assert_eq!(tx.release_lost(&held, DateTime::UNIX_EPOCH, false).await?, 0);
                assert_eq!(tx.release_lost(&held, now, false).await?, 3);
                assert_eq!(tx.release_lost(&held, now, true).await?, 0);
                let row = tx.one(sql("SELECT revision FROM cases", Vec::new())).await?.unwrap();
                Ok::<i64, StoreError>(row.try_get_by_index(0)?)
            })
        });
        // It showed 13 while the three worked.
        assert_eq!(revision.await.unwrap(), 16);
    }

    #[tokio::test]
    async fn a_process_keeps_what_it_works_on_and_nothing_else_of_its_name() {
        let (_folder, store) = testing::store().await;
        let run = |n| RunId(Uuid::from_u128(n));
        let waiting = store.write(move |tx| {
            Box::pin(async move {
                for statement in SETUP {
                    tx.execute(sql(statement, Vec::new())).await?;
                }
                let at = |second| DateTime::from_timestamp(second, 0).unwrap();
                let worker = WorkerId(Uuid::from_u128(7));
                let lost = tx.renew_leases(worker, &[run(0xa), run(0xd)], at(70)).await?;
                assert_eq!(lost, [run(0xd)]);
                // The lease of the first is renewed, the second is worked on, the third is an orphan.
                assert_eq!(tx.release_lost(&[run(0xb)], at(60), false).await?, 1);
                let rows = tx.all(sql("SELECT id FROM run WHERE status = 'queued'", Vec::new())).await?;
                Ok::<Vec<Uuid>, StoreError>(
                    rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?,
                )
            })
        });
        assert_eq!(waiting.await.unwrap(), [run(0xc).0]);
    }
}
