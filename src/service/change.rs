//! A change of a case by a person or the API, inside the writer's transaction.

use serde_json::{Map, Value};

use super::actor::Actor;
use super::case_body::CaseBody;
use super::error::ServiceError;
use super::plans::Plan;
use crate::domain::case::{
    LeafChange, Provenance, ProvenanceEntry, Source, changed_paths, leaf_changes, merge_patch,
};
use crate::domain::case_type::Origin;
use crate::domain::clock::Instant;
use crate::domain::ids::CaseId;
use crate::store::{CaseUpdate, CommitLimits, Tx};

/// Applies a patch to the case as it is now.
pub(super) async fn patch(
    tx: &Tx,
    actor: &Actor,
    id: CaseId,
    plan: &Plan,
    body: CaseBody,
    now: Instant,
    limits: CommitLimits,
) -> Result<(), ServiceError> {
    let row = tx.find_case(actor.workspace, id).await?.ok_or(ServiceError::NotFound("case"))?;
    let kept = tx.outputs(id).await?;
    let names: Vec<String> = kept.iter().map(|(name, _)| name.clone()).collect();
    let mut old = row.data;
    old.extend(kept);
    let new = patched_data(&old, body.data.as_ref(), plan)?;

    let mut case = row.case.clone();
    case.reference = body.reference.unwrap_or(case.reference);
    case.title = body.title.unwrap_or(case.title);
    case.status = body.status.unwrap_or(case.status);
    case.custom_status = body.custom_status.unwrap_or(case.custom_status);
    case.assignee = body.assignee.unwrap_or(case.assignee);
    if case == row.case && new == old {
        return Ok(());
    }
    case.version += 1;
    case.revision += 1;
    case.updated_at = now;

    let mut provenance = row.provenance;
    trace(&mut provenance, &old, &new, &ProvenanceEntry::by(Source::Api, &actor.by(), now));
    let paths = changed_paths((&row.case, &old), (&case, &new));
    let removed_outputs = names.iter().filter(|name| !new.contains_key(*name)).cloned().collect();
    let (mut set_outputs, data) = split_outputs(new, plan, &names);
    set_outputs.retain(|(name, value)| old.get(name) != Some(value));
    check_sizes(&data, &set_outputs, limits)?;
    tx.note_change(&case, &actor.by(), &paths).await?;
    tx.update_case(&CaseUpdate { case, data, provenance, set_outputs, removed_outputs }).await?;
    Ok(())
}

fn patched_data(
    old: &Map<String, Value>,
    patch: Option<&Map<String, Value>>,
    plan: &Plan,
) -> Result<Map<String, Value>, ServiceError> {
    let Some(patch) = patch else { return Ok(old.clone()) };
    let mut merged = Value::Object(old.clone());
    merge_patch(&mut merged, &Value::Object(patch.clone()));
    let Value::Object(merged) = merged else { return Ok(old.clone()) };
    plan.case_type.check_data(&merged, Origin::Patch { old }).map_err(ServiceError::Invalid)
}

/// Notes who changed which leaf.
fn trace(
    provenance: &mut Provenance,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    entry: &ProvenanceEntry,
) {
    for change in leaf_changes(old, new) {
        match change {
            LeafChange::Set(path) => provenance.set(&path, entry.clone()),
            LeafChange::Removed(path) => provenance.forget(&path),
        }
    }
}

/// Output variables lie in rows of their own: those of the case type, and those that the case
/// still has from an older version of it.
pub(super) fn split_outputs(
    data: Map<String, Value>,
    plan: &Plan,
    kept: &[String],
) -> (Vec<(String, Value)>, Map<String, Value>) {
    data.into_iter().fold((Vec::new(), Map::new()), |(mut outputs, mut rest), (name, value)| {
        if plan.case_type.outputs().contains(&name) || kept.contains(&name) {
            outputs.push((name, value));
        } else {
            rest.insert(name, value);
        }
        (outputs, rest)
    })
}

/// Refuses what is larger than a case may be.
pub(super) fn check_sizes(
    data: &Map<String, Value>,
    outputs: &[(String, Value)],
    limits: CommitLimits,
) -> Result<(), ServiceError> {
    let bytes = serde_json::to_string(data).map_or(usize::MAX, |text| text.len());
    if bytes > limits.case_bytes {
        let most = limits.case_bytes;
        return Err(ServiceError::TooLarge(format!(
            "the data of the case would take {bytes} bytes; at most {most} are kept"
        )));
    }
    for (name, value) in outputs {
        let bytes = serde_json::to_string(value).map_or(usize::MAX, |text| text.len());
        if bytes > limits.output_bytes {
            let most = limits.output_bytes;
            return Err(ServiceError::TooLarge(format!(
                "`{name}` would take {bytes} bytes; at most {most} are kept"
            )));
        }
    }
    Ok(())
}
