//! The order in which a batch of reports is written.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::closing::{Closed, Closing, CommitLimits};
use super::follow::{self, Follow, Surroundings};
use super::merge::{Merging, settle};
use super::{attempt_rows, case_rows, lane_rows, run_rows};
use crate::domain::clock::SharedRng;
use crate::domain::ids::CaseId;
use crate::store::cases;
use crate::store::database::Tx;
use crate::store::error::StoreError;
use crate::store::rows::Columns;
use crate::store::statement::{CHUNK, list, sql, uuid};

/// Who holds each run, and whether its lane has a row.
pub(super) type Held = HashMap<Uuid, (Uuid, bool)>;

/// Records the reports and answers, one by one, what became of them.
pub(crate) async fn close(
    tx: &Tx,
    closings: &[Arc<Closing>],
    limits: CommitLimits,
    rng: &SharedRng,
) -> Result<Vec<Closed>, StoreError> {
    let (held, mut merging) = held_runs(tx, closings).await?;
    let results: Vec<Closed> = closings.iter().map(|closing| check(closing, &held, &merging)).collect();
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

fn check(closing: &Closing, held: &Held, cases: &HashMap<Uuid, Merging>) -> Closed {
    if held.get(&closing.run_id.0).map(|(token, _)| token) != Some(&closing.token.0) {
        return Closed::Lost;
    }
    let current = cases.get(&closing.case_id().0).map(|case| case.version);
    match &closing.rules {
        Some(rules) if Some(rules.version) != current => Closed::OldRules,
        _ => Closed::Recorded,
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
         cases.revision, cases.updated_at, lane.key IS NOT NULL \
         FROM run LEFT JOIN lane ON lane.workspace_id = run.workspace_id AND lane.key = run.lane JOIN cases ON cases.id = run.case_id JOIN case_type ON case_type.id = cases.case_type_id \
         WHERE run.status = 'running' AND run.id IN ({})",
        list(ids.len(), 1)
    );
    let mut held = HashMap::new();
    let mut cases = HashMap::new();
    for row in tx.all(sql(statement, ids)).await? {
        let mut columns = Columns::of("run", &row)?;
        let has_lane = row.try_get_by_index::<bool>(9)?;
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
    Ok(Merging {
        data: Value::Object(columns.json::<Map<String, Value>>()?),
        provenance: columns.json()?,
        overrides: columns.json()?,
        version: columns.get()?,
        revision: columns.get()?,
        at: columns.at()?,
        changed: false,
        steps: 0,
    })
}
