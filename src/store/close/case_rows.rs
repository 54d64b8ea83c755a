//! Cases after a batch, in one statement for those with new data and one for the others.

use std::collections::HashMap;

use uuid::Uuid;

use super::merge::Merging;
use crate::domain::ids::CaseId;
use crate::store::case_index;
use crate::store::error::StoreError;
use crate::store::statement::{CHUNK, int, json, ms, sql, tuples, uuid};
use crate::store::tx::Tx;

/// Writes what was merged; a case of which only a run changed gets a new revision alone.
pub(super) async fn update(tx: &Tx, cases: &HashMap<Uuid, Merging>) -> Result<(), StoreError> {
    let touched = cases.iter().filter(|(_, case)| case.steps > 0);
    let (changed, stepped): (Vec<_>, Vec<_>) = touched.partition(|(_, case)| case.changed);
    for chunk in changed.chunks(CHUNK) {
        update_data(tx, chunk).await?;
    }
    for (id, case) in &changed {
        if let Some(data) = case.data.as_object().filter(|_| !case.indexed.is_empty()) {
            let after = case_index::keys(&case.indexed, data);
            case_index::change(tx, (case.case_type, CaseId(**id)), &case.keys, after).await?;
        }
    }
    for chunk in stepped.chunks(CHUNK) {
        step(tx, chunk).await?;
    }
    Ok(())
}

async fn update_data(tx: &Tx, chunk: &[(&Uuid, &Merging)]) -> Result<(), StoreError> {
    let mut values = Vec::with_capacity(chunk.len() * 6);
    for (id, case) in chunk {
        let row = [json(&case.data), json(&case.provenance), json(&case.overrides)];
        values.push(uuid(**id));
        values.extend(row);
        values.extend([int(case.steps), ms(case.at)]);
    }
    let statement = format!(
        "WITH change (id, data, provenance, overrides, steps, at) AS (VALUES {}) UPDATE cases SET data = change.data, \
         provenance = change.provenance, overrides = change.overrides, revision = revision + change.steps, updated_at = change.at \
         FROM change WHERE cases.id = change.id",
        tuples(chunk.len(), 6, 1)
    );
    tx.execute(sql(statement, values)).await?;
    Ok(())
}

async fn step(tx: &Tx, chunk: &[(&Uuid, &Merging)]) -> Result<(), StoreError> {
    let mut values = Vec::with_capacity(chunk.len() * 3);
    for (id, case) in chunk {
        values.extend([uuid(**id), int(case.steps), ms(case.at)]);
    }
    let statement = format!(
        "WITH change (id, steps, at) AS (VALUES {}) UPDATE cases SET revision = revision + change.steps, \
         updated_at = change.at FROM change WHERE cases.id = change.id",
        tuples(chunk.len(), 3, 1)
    );
    tx.execute(sql(statement, values)).await?;
    Ok(())
}
