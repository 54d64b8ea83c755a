//! A change of a case by a person or the API, inside the writer's transaction.

use serde_json::{Map, Value};

use super::actor::Actor;
use super::case_body::CaseBody;
use super::cases::Cases;
use super::error::ServiceError;
use super::plan::Plan;
use super::precondition;
use crate::domain::case::{
    Case, LeafChange, Provenance, ProvenanceEntry, changed_paths, leaf_changes, merge_patch,
};
use crate::domain::case_type::Origin;
use crate::domain::clock::Instant;
use crate::domain::data::DataPath;
use crate::domain::ids::{CaseId, RunId};
use crate::domain::run::{Fired, NewRun, Priority};
use crate::domain::watch::Sight;
use crate::store::{CaseRow, CaseUpdate, CommitLimits, Tx};

/// A merge patch on its way into a case.
#[derive(Clone)]
pub(super) struct Patch {
    pub(super) actor: Actor,
    pub(super) case: CaseId,
    pub(super) body: CaseBody,
    /// Whether changed targets become overrides.
    pub(super) pins: bool,
    /// The data that the patch was made of; none: whatever there is.
    pub(super) seen: Option<Map<String, Value>>,
}

/// Applies a patch to the case as it is now, and fires the fields that the change fires.
pub(super) async fn patch(tx: &Tx, cases: &Cases, patch: Patch) -> Result<(), ServiceError> {
    let Patch { actor, case: id, body, pins, seen } = patch;
    let row = tx.find_case(actor.workspace, id).await?.ok_or(ServiceError::NotFound("case"))?;
    let plan = cases.plans.version_in(tx, row.case.case_type_id, row.case_type_version).await?;
    let plan = plan.ok_or(ServiceError::NotFound("case"))?;
    let kept = tx.outputs(id).await?;
    let names: Vec<String> = kept.iter().map(|(name, _)| name.clone()).collect();
    let mut old = row.data.clone();
    old.extend(kept);
    if let (Some(seen), Some(patch)) = (&seen, &body.data) {
        precondition::check_seen(seen, &old, patch)?;
    }
    let new = patched_data(&old, body.data.as_ref(), &plan)?;
    let case = patched_case(&row.case, &body);

    let after = Value::Object(new.clone());
    let mut overrides = row.overrides.clone();
    if let Some(patch) = &body.data {
        overrides.patch(&plan.case_type, patch, (&old, &after), pins);
    }
    // By value: who reads `5.0` may send back `5`.
    if case == row.case && overrides == row.overrides && leaf_changes(&old, &new).is_empty() {
        return Ok(());
    }
    let now = cases.clock.now();
    let case = Case { version: case.version + 1, revision: case.revision + 1, updated_at: now, ..case };
    let mut provenance = row.provenance.clone();
    trace(&mut provenance, &old, &new, &ProvenanceEntry::by(actor.source(), &actor.by(), now));
    let paths = changed_paths((&row.case, &old), (&case, &new));
    let removed_outputs = names.iter().filter(|name| !new.contains_key(*name)).cloned().collect();
    let (mut set_outputs, data) = split_outputs(new, &plan, &names);
    set_outputs.retain(|(name, value)| old.get(name) != Some(value));
    check_sizes(&data, &set_outputs, cases.limits)?;
    let update = CaseUpdate { case: case.clone(), data, provenance, overrides, set_outputs, removed_outputs };
    tx.note_change(&case, &actor.by(), &paths).await?;
    tx.update_case(&row, &update).await?;
    let change = Change { before: (&row.case, &Value::Object(old)), after: (&case, &after) };
    fire(tx, cases, &plan, &actor, &change).await
}

/// Takes one override away; the value stays until a run writes it again.
pub(super) async fn clear_override(
    tx: &Tx,
    actor: &Actor,
    id: CaseId,
    path: &DataPath,
    now: Instant,
) -> Result<(), ServiceError> {
    let row = tx.find_case(actor.workspace, id).await?.ok_or(ServiceError::NotFound("case"))?;
    let CaseRow { case, data, provenance, mut overrides, .. } = row.clone();
    if !overrides.clear(path) {
        return Err(ServiceError::NotFound("override"));
    }
    let case = Case { version: case.version + 1, revision: case.revision + 1, updated_at: now, ..case };
    let (set_outputs, removed_outputs) = (Vec::new(), Vec::new());
    tx.note_change(&case, &actor.by(), &[format!("data.{path}")]).await?;
    let update = CaseUpdate { case, data, provenance, overrides, set_outputs, removed_outputs };
    tx.update_case(&row, &update).await?;
    Ok(())
}

fn patched_case(case: &Case, body: &CaseBody) -> Case {
    let mut case = case.clone();
    case.reference = body.reference.clone().unwrap_or(case.reference);
    case.title = body.title.clone().unwrap_or(case.title);
    case.status = body.status.unwrap_or(case.status);
    case.custom_status = body.custom_status.clone().unwrap_or(case.custom_status);
    case.assignee = body.assignee.clone().unwrap_or(case.assignee);
    case
}

/// A case and its data before and after.
struct Change<'c> {
    before: (&'c Case, &'c Value),
    after: (&'c Case, &'c Value),
}

/// Fires what the change fires, and notes where data was made from values that are now others.
async fn fire(
    tx: &Tx,
    cases: &Cases,
    plan: &Plan,
    actor: &Actor,
    change: &Change<'_>,
) -> Result<(), ServiceError> {
    let (case, data) = change.after;
    let roots = (change.before.0.root(), case.root());
    let before = Sight { data: change.before.1, case: &roots.0, params: &plan.params };
    let after = Sight { data, case: &roots.1, params: &plan.params };
    let inputs = tx.field_inputs(&[case.id]).await?.remove(&case.id).unwrap_or_default();
    for (field, changed) in plan.case_type.turned(&inputs, &after) {
        tx.mark_inputs(case.id, field, changed).await?;
    }
    let at = case.updated_at;
    let fired = plan.case_type.fired(&before, &after, &inputs, None);
    let runs: Vec<NewRun> = fired
        .into_iter()
        .map(|fired| {
            let why = Fired { trigger: fired.trigger, priority: Priority::Triggered, by: actor.by(), at };
            let id = RunId(cases.rng.uuid(at));
            NewRun { old: fired.old, ..NewRun::new(id, case, plan.under(), fired.field, fired.call, why) }
        })
        .collect();
    tx.fire(&runs).await?;
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
