//! The order in which a batch of reports is written.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::closing::{Closed, Closing, CommitLimits, Verdict};
use super::follow::{self, Follow, Surroundings};
use super::merge::{Merging, settle};
use super::{attempt_rows, case_rows, lane_rows, run_rows};
use crate::domain::clock::SharedRng;
use crate::domain::ids::{CaseId, CaseTypeId, RunId};
use crate::domain::run::Reason;
use crate::store::case_index::{self, Keys};
use crate::store::cases;
use crate::store::error::StoreError;
use crate::store::rows::Columns;
use crate::store::statement::{CHUNK, list, sql, uuid};
use crate::store::tx::Tx;

/// Who holds each run, and whether its lane has a row.
pub(super) type Held = HashMap<Uuid, (Uuid, bool)>;

/// Records the reports and answers, one by one, what became of them.
pub(crate) async fn close(
    tx: &Tx,
    closings: &[Arc<Closing>],
    limits: CommitLimits,
    rng: &SharedRng,
) -> Result<Vec<Closed>, StoreError> {
    tx.hold_cases(closings.iter().map(|closing| closing.case_id())).await?;
    let closings = &way_given(tx, closings).await?;
    let (held, mut merging) = held_runs(tx, closings).await?;
    let mut reported = HashSet::with_capacity(closings.len());
    let checked = closings.iter().map(|closing| check(closing, &held, &merging, &mut reported));
    let results: Vec<Closed> = checked.collect();
    let recorded = closings.iter().zip(&results).filter(|(_, result)| **result == Closed::Recorded);
    let ours: Vec<&Closing> = recorded.map(|(closing, _)| &**closing).collect();
    let mut surroundings = Surroundings::load(tx, &concerned(&ours, &merging)).await?;
    let mut finished = Vec::with_capacity(closings.len());
    let mut follow = Follow::default();
    let counted = lane_rows::report(tx, &ours, &held).await?;
    let joined = lane_rows::join(tx, &ours).await?;
    for closing in ours {
        let Some(case) = merging.get_mut(&closing.case_id().0) else { continue };
        let before = surroundings.before(closing, case);
        let mut done = settle(closing, case, limits);
        done.counted = counted.contains(&closing.run_id);
        if joined.contains(&closing.run_id) {
            done.ending = Some(lane_rows::superseded(closing));
        }
        if let Some(before) = before {
            follow.add(&mut done, &before, case, &mut surroundings, rng);
        }
        finished.push(done);
    }
    case_rows::update(tx, &merging).await?;
    for done in &finished {
        if let Some((name, value)) = &done.output {
            cases::put_output(tx, done.closing.case_id(), name, value).await?;
        }
    }
    for chunk in finished.chunks(CHUNK) {
        run_rows::update(tx, chunk).await?;
        run_rows::show(tx, chunk).await?;
        attempt_rows::insert(tx, chunk).await?;
        attempt_rows::insert_bodies(tx, chunk).await?;
    }
    for (case, field, changed) in &follow.turned {
        tx.mark_inputs(*case, field, *changed).await?;
    }
    let successors = finished.iter().filter_map(|done| done.ending.as_ref()?.successor.as_deref().cloned());
    follow.firings.extend(successors);
    tx.fire(&follow.firings).await?;
    Ok(results)
}

/// A run that gives way to one that waits behind it goes on where that one is gone by now.
async fn way_given(tx: &Tx, closings: &[Arc<Closing>]) -> Result<Vec<Arc<Closing>>, StoreError> {
    let mut given = Vec::with_capacity(closings.len());
    for closing in closings {
        let gives_way = matches!(&closing.verdict, Verdict::Ended(ending)
            if ending.reason == Some(Reason::Superseded) && ending.successor.is_none());
        given.push(if gives_way && !tx.has_unbegun(closing.case_id(), &closing.field).await? {
            let verdict = Verdict::HandBack { due_at: closing.at };
            Arc::new(Closing { verdict, ..Closing::clone(closing) })
        } else {
            closing.clone()
        });
    }
    Ok(given)
}

/// A run is reported once: who was aborted while its report lay here may have left a second one,
/// by which the run is given back.
fn check(
    closing: &Closing,
    held: &Held,
    cases: &HashMap<Uuid, Merging>,
    reported: &mut HashSet<RunId>,
) -> Closed {
    if held.get(&closing.run_id.0).map(|(token, _)| token) != Some(&closing.token.0) {
        return Closed::Lost;
    }
    let current = cases.get(&closing.case_id().0).map(|case| case.version);
    match &closing.rules {
        Some(rules) if Some(rules.version) != current => Closed::OldRules,
        _ if reported.insert(closing.run_id) => Closed::Recorded,
        _ => Closed::Lost,
    }
}

/// The cases around which more must be known.
fn concerned(closings: &[&Closing], cases: &HashMap<Uuid, Merging>) -> Vec<CaseId> {
    let mut reports: HashMap<CaseId, usize> = HashMap::new();
    for closing in closings {
        *reports.entry(closing.case_id()).or_default() += 1;
    }
    let concerns = |closing: &&&Closing| {
        let together = reports.get(&closing.case_id()).is_some_and(|count| *count > 1);
        cases.get(&closing.case_id().0).is_some_and(|case| follow::concerns(closing, case, together))
    };
    let mut ids: Vec<_> = closings.iter().filter(concerns).map(|closing| closing.case_id()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Who holds each run, and the cases of all of them.
async fn held_runs(tx: &Tx, closings: &[Arc<Closing>]) -> Result<(Held, HashMap<Uuid, Merging>), StoreError> {
    let ids: Vec<_> = closings.iter().map(|closing| uuid(closing.run_id.0)).collect();
    let statement = format!(
        "SELECT run.id, run.lease_token, cases.id, cases.data, cases.provenance, cases.overrides, case_type.version, \
         cases.revision, cases.updated_at, cases.case_type_id, case_type.indexed, lane.key IS NOT NULL \
         FROM run LEFT JOIN lane ON lane.workspace_id = run.workspace_id AND lane.key = run.lane JOIN cases ON cases.id = run.case_id JOIN case_type ON case_type.id = cases.case_type_id \
         WHERE run.status = 'running' AND run.id IN ({})",
        list(ids.len(), 1)
    );
    let mut held = HashMap::new();
    let mut cases = HashMap::new();
    for row in tx.all(sql(statement, ids)).await? {
        let mut columns = Columns::of("run", &row)?;
        let has_lane = row.try_get_by_index::<bool>(11)?;
        if let Some(token) = columns.get::<Option<Uuid>>()? {
            held.insert(columns.id(), (token, has_lane));
        }
        let case: Uuid = columns.get()?;
        if let Entry::Vacant(entry) = cases.entry(case) {
            entry.insert(merging(&mut columns)?);
        }
    }
    Ok((held, cases))
}

fn merging(columns: &mut Columns<'_>) -> Result<Merging, StoreError> {
    let data = columns.json::<Map<String, Value>>()?;
    let mut merging = Merging {
        data: Value::Null,
        provenance: columns.json()?,
        overrides: columns.json()?,
        version: columns.get()?,
        revision: columns.get()?,
        at: columns.at()?,
        case_type: CaseTypeId(columns.get()?),
        indexed: columns.json()?,
        keys: Keys::default(),
        changed: false,
        steps: 0,
    };
    merging.keys = case_index::keys(&merging.indexed, &data);
    merging.data = Value::Object(data);
    Ok(merging)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::clock::{Instant, Rng};
    use crate::domain::ids::{LeaseToken, WorkerId};
    use crate::domain::lane::{LaneKey, LaneOutcome};
    use crate::domain::run::{RunStatus, WaitingFor};
    use crate::store::claimed::ClaimedRun;
    use crate::store::claims::{self, Claim};
    use crate::store::close::closing::{Ending, LaneReport};
    use crate::store::testing;

    struct Zero;

    impl Rng for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    const LIMITS: CommitLimits = CommitLimits { case_bytes: 1 << 20, output_bytes: 1 << 20 };

    const SETUP: [&str; 4] = [
        "INSERT INTO workspace (id, key, name, params, created_at, updated_at) VALUES ($1, 'w', 'w', '{}', 0, 0)",
        "INSERT INTO case_type (id, workspace_id, key, version, created_at, updated_at) VALUES ($1, $1, 't', 1, 0, 0)",
        "INSERT INTO cases (id, workspace_id, case_type_id, status, data, provenance, version, revision, created_at, \
         updated_at) VALUES ($1, $1, $1, 'draft', '{}', '{}', 1, 1, 0, 0)",
        "INSERT INTO run (id, workspace_id, case_id, case_type_id, case_type, case_type_version, field, trigger, status, \
         begun, priority, due_at, attempt, attempts_max, limited, lost, idempotency_key, depth, force, overwrite, cached, \
         created_at, lane) VALUES ($1, $1, $1, $1, 't', 1, 'f', 'manual', 'queued', FALSE, 1, 0, 0, 4, 0, 0, 'k', 0, FALSE, \
         FALSE, FALSE, 0, 'x')",
    ];

    fn now() -> Instant {
        DateTime::from_timestamp(60, 0).unwrap()
    }

    async fn claimed(tx: &Tx) -> Result<ClaimedRun, StoreError> {
        for statement in SETUP {
            tx.execute(sql(statement, vec![uuid(Uuid::from_u128(1))])).await?;
        }
        let (worker, token) = (WorkerId(Uuid::from_u128(2)), LeaseToken(Uuid::from_u128(3)));
        let (now, until) = (now(), now());
        let claim = Claim { worker, token, now, until, limit: 1, free: 8, held: HashMap::new(), after: None };
        Ok(claims::claim(tx, &claim).await?.runs.remove(0))
    }

    fn report(run: &ClaimedRun, verdict: Verdict) -> Arc<Closing> {
        Arc::new(Closing {
            run_id: run.id,
            seen: run.case.clone(),
            case_type_version: run.case_type_version,
            attempts_max: run.attempts_max,
            field: run.field.clone(),
            depth: 0,
            on_create: false,
            low: false,
            token: run.token,
            at: now(),
            attempt: None,
            fingerprint: None,
            verdict,
            rules: None,
            lane: None,
        })
    }

    fn ended(status: RunStatus, reason: Option<Reason>) -> Verdict {
        Verdict::Ended(Ending {
            status,
            reason,
            missing: Vec::new(),
            error: None,
            effect: None,
            successor: None,
            cached_from: None,
            keeps_state: false,
        })
    }

    /// Another run of the same field, which has not begun.
    const BEHIND: &str = "INSERT INTO run (id, workspace_id, case_id, case_type_id, case_type, case_type_version, field, \
         trigger, status, begun, priority, due_at, attempt, attempts_max, limited, lost, idempotency_key, depth, force, \
         overwrite, cached, created_at) SELECT $1, workspace_id, case_id, case_type_id, case_type, case_type_version, \
         field, trigger, 'queued', FALSE, priority, 0, 0, 4, 0, 0, 'k', 0, FALSE, FALSE, FALSE, 0 FROM run";

    #[tokio::test]
    async fn who_gives_way_to_nobody_goes_on() {
        for (waits, status) in [(true, "cancelled"), (false, "queued")] {
            let (_folder, store) = testing::store().await;
            let written = store.write(move |tx| {
                Box::pin(async move {
                    let run = claimed(tx).await?;
                    if waits {
                        tx.execute(sql(BEHIND, vec![uuid(Uuid::from_u128(9))])).await?;
                    }
                    let report = report(&run, ended(RunStatus::Cancelled, Some(Reason::Superseded)));
                    let rng: SharedRng = Arc::new(Zero);
                    assert_eq!(close(tx, &[report], LIMITS, &rng).await?, [Closed::Recorded]);
                    let found = sql("SELECT status, attempt FROM run WHERE id = $1", vec![uuid(run.id.0)]);
                    let row = tx.one(found).await?.unwrap();
                    Ok::<(String, i64), StoreError>((row.try_get_by_index(0)?, row.try_get_by_index(1)?))
                })
            });
            assert_eq!(written.await.unwrap(), (status.to_owned(), 0));
        }
    }

    #[tokio::test]
    async fn of_two_reports_of_one_run_in_a_batch_the_first_counts() {
        let (_folder, store) = testing::store().await;
        let ended = ended(RunStatus::Skipped, None);
        let given_back = Verdict::Again {
            due_at: now(),
            not_before: None,
            waiting_for: WaitingFor::Worker,
            free: true,
            limited: false,
            error: None,
        };
        let written = store.write(move |tx| {
            Box::pin(async move {
                let run = claimed(tx).await?;
                let reports = [report(&run, ended), report(&run, given_back)];
                let rng: SharedRng = Arc::new(Zero);
                let closed = close(tx, &reports, LIMITS, &rng).await?;
                let row = tx.one(sql("SELECT status FROM run", Vec::new())).await?.unwrap();
                Ok::<(Vec<Closed>, String), StoreError>((closed, row.try_get_by_index(0)?))
            })
        });
        assert_eq!(written.await.unwrap(), (vec![Closed::Recorded, Closed::Lost], "skipped".to_owned()));
    }

    #[tokio::test]
    async fn a_late_report_makes_no_lane_for_a_connection_that_is_gone() {
        const CONNECTION: &str = "INSERT INTO connection (id, workspace_id, key, version, definition, status, changes, \
             created_at, updated_at) VALUES ($1, $1, 'vies', 1, '{}', 'active', '[]', 0, 0)";
        for (there, lanes) in [(true, 1), (false, 0)] {
            let (_folder, store) = testing::store().await;
            let written = store.write(move |tx| {
                Box::pin(async move {
                    let run = claimed(tx).await?;
                    if there {
                        tx.execute(sql(CONNECTION, vec![uuid(Uuid::from_u128(1))])).await?;
                    }
                    let lane = Some(LaneReport {
                        key: LaneKey::of_connection("vies"),
                        endpoint: None,
                        outcome: LaneOutcome::Failed,
                        counted: false,
                        credentials_epoch: 0,
                        unused: None,
                        quota: None,
                    });
                    let report = report(&run, ended(RunStatus::Failed, None));
                    let report = Arc::new(Closing { lane, ..Closing::clone(&report) });
                    let rng: SharedRng = Arc::new(Zero);
                    assert_eq!(close(tx, &[report], LIMITS, &rng).await?, [Closed::Recorded]);
                    tx.number(sql("SELECT count(*) FROM lane", Vec::new())).await
                })
            });
            assert_eq!(written.await.unwrap(), lanes);
        }
    }
}
