//! The order in which a batch of reports is written.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::closing::{Closing, CommitLimits};
use super::merge::{Merging, settle};
use super::{attempt_rows, case_rows, run_rows};
use crate::store::cases;
use crate::store::database::Tx;
use crate::store::error::StoreError;
use crate::store::rows::Columns;
use crate::store::statement::{CHUNK, list, sql, uuid};

/// Records the reports and answers, one by one, whether the worker still held the run.
pub(crate) async fn close(
    tx: &Tx,
    closings: &[Arc<Closing>],
    limits: CommitLimits,
) -> Result<Vec<bool>, StoreError> {
    let (held, mut merging) = held_runs(tx, closings).await?;
    let ours: Vec<bool> = closings.iter().map(|c| held.get(&c.run_id.0) == Some(&c.token.0)).collect();
    let mut finished = Vec::with_capacity(closings.len());
    let mut outputs = Vec::new();
    for (closing, _) in closings.iter().zip(&ours).filter(|(_, ours)| **ours) {
        let Some(case) = merging.get_mut(&closing.case_id.0) else { continue };
        let done = settle(closing, case, limits);
        outputs.extend(done.output.clone().map(|output| (closing.case_id, output)));
        finished.push(done);
    }
    case_rows::update(tx, &merging).await?;
    for (case, (name, value)) in outputs {
        cases::put_output(tx, case, &name, &value).await?;
    }
    for chunk in finished.chunks(CHUNK) {
        run_rows::update(tx, chunk).await?;
        run_rows::show(tx, chunk).await?;
        attempt_rows::insert(tx, chunk).await?;
        attempt_rows::insert_bodies(tx, chunk).await?;
    }
    let successors: Vec<_> =
        finished.iter().filter_map(|done| done.ending.as_ref()?.successor.as_deref().cloned()).collect();
    tx.fire(&successors).await?;
    Ok(ours)
}

/// Who holds each run, and the cases of all of them.
async fn held_runs(
    tx: &Tx,
    closings: &[Arc<Closing>],
) -> Result<(HashMap<Uuid, Uuid>, HashMap<Uuid, Merging>), StoreError> {
    let ids: Vec<_> = closings.iter().map(|closing| uuid(closing.run_id.0)).collect();
    let statement = format!(
        "SELECT run.id, run.lease_token, cases.id, cases.data, cases.provenance, cases.updated_at \
         FROM run JOIN cases ON cases.id = run.case_id WHERE run.status = 'running' AND run.id IN ({})",
        list(ids.len(), 1)
    );
    let mut held = HashMap::new();
    let mut cases = HashMap::new();
    for row in tx.all(sql(statement, ids)).await? {
        let mut columns = Columns::of("run", &row)?;
        if let Some(token) = columns.get::<Option<Uuid>>()? {
            held.insert(columns.id(), token);
        }
        let case: Uuid = columns.get()?;
        if let Entry::Vacant(entry) = cases.entry(case) {
            let data = Value::Object(columns.json::<Map<String, Value>>()?);
            entry.insert(Merging::of(data, columns.json()?, columns.at()?));
        }
    }
    Ok((held, cases))
}
