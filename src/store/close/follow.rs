//! What the successes of a batch fire, and which data they leave made from older values.
//!
//! A mapped write is a change like any other: it fires the fields that watch it, one step
//! deeper in the chain, in the transaction that writes it. So does an input that arrived while
//! an attempt was under way that then found it missing.

use std::collections::HashMap;

use serde_json::Value;

use super::closing::{Closing, Rules, Verdict};
use super::merge::{Merging, Settled};
use crate::domain::case::Case;
use crate::domain::clock::SharedRng;
use crate::domain::data::DataPath;
use crate::domain::firing::FieldInputs;
use crate::domain::ids::{CaseId, FieldKey, RunId};
use crate::domain::run::{Fired, NewRun, Priority, Reason, RunStatus, Under};
use crate::domain::trigger::Trigger;
use crate::domain::watch::Sight;
use crate::store::cases::{CASE_COLUMNS, case_row};
use crate::store::error::StoreError;
use crate::store::rows::Columns;
use crate::store::statement::{CHUNK, list, sql, uuid};
use crate::store::tx::Tx;

/// What lies around the data of the cases that a batch changes for others to see.
#[derive(Default)]
pub(super) struct Surroundings(HashMap<CaseId, Around>);

struct Around {
    case: Case,
    outputs: Vec<(String, Value)>,
    inputs: Vec<FieldInputs>,
}

/// What follows from a batch.
#[derive(Default)]
pub(super) struct Follow {
    /// Fields that it fires.
    pub(super) firings: Vec<NewRun>,
    /// Fields whose `inputs_changed` turns.
    pub(super) turned: Vec<(CaseId, FieldKey, bool)>,
}

/// Whether other fields, or the field itself later, could see what this report does. `together`:
/// the batch reports more than one run of the case.
pub(super) fn concerns(closing: &Closing, case: &Merging, together: bool) -> bool {
    let (Some(rules), Verdict::Ended(ending)) = (&closing.rules, &closing.verdict) else { return false };
    let moved = together || case.revision != closing.seen.case.revision;
    // Its params may be others by now.
    let edited = rules.version != closing.case_type_version;
    match ending.status {
        // What it writes was decided by the version that it began with, who looks at it is by now.
        RunStatus::Succeeded => {
            let concerns = |target: &DataPath| rules.case_type.concerns_others(&closing.field, target);
            moved
                || edited
                || ending.effect.as_ref().is_some_and(|effect| effect.targets().any(|at| concerns(&at)))
        }
        RunStatus::Skipped => moved && ending.reason == Some(Reason::MissingInput),
        _ => false,
    }
}

impl Surroundings {
    pub(super) async fn load(tx: &Tx, cases: &[CaseId]) -> Result<Self, StoreError> {
        let mut found = HashMap::with_capacity(cases.len());
        let mut inputs = if cases.is_empty() { HashMap::new() } else { tx.field_inputs(cases).await? };
        for chunk in cases.chunks(CHUNK) {
            let ids = || chunk.iter().map(|case| uuid(case.0)).collect::<Vec<_>>();
            let statement = format!(
                "SELECT {CASE_COLUMNS} FROM cases JOIN case_type ON case_type.id = case_type_id WHERE cases.id IN ({})",
                list(chunk.len(), 1)
            );
            for row in tx.all(sql(statement, ids())).await? {
                let case = case_row(&row)?.case;
                let inputs = inputs.remove(&case.id).unwrap_or_default();
                found.insert(case.id, Around { case, outputs: Vec::new(), inputs });
            }
            let statement = format!(
                "SELECT case_id, name, value FROM case_output WHERE case_id IN ({})",
                list(chunk.len(), 1)
            );
            for row in tx.all(sql(statement, ids())).await? {
                let mut columns = Columns::of("case_output", &row)?;
                let output = (columns.get()?, columns.json()?);
                if let Some(around) = found.get_mut(&CaseId(columns.id())) {
                    around.outputs.push(output);
                }
            }
        }
        Ok(Self(found))
    }

    /// The data of a case with its output variables, as it is before a report is merged.
    pub(super) fn before(&self, closing: &Closing, case: &Merging) -> Option<Value> {
        Some(whole(&case.data, &self.0.get(&closing.case_id())?.outputs))
    }
}

fn whole(data: &Value, outputs: &[(String, Value)]) -> Value {
    let mut data = data.clone();
    if let Value::Object(members) = &mut data {
        members.extend(outputs.iter().cloned());
    }
    data
}

impl Follow {
    /// Adds what one settled report does, now that `case` holds it.
    pub(super) fn add(
        &mut self,
        settled: &mut Settled<'_>,
        before: &Value,
        case: &Merging,
        surroundings: &mut Surroundings,
        rng: &SharedRng,
    ) {
        let closing = settled.closing;
        let (Some(rules), Some(ending)) = (&closing.rules, &settled.ending) else { return };
        let Some(around) = surroundings.0.get_mut(&closing.case_id()) else { return };
        if let Some((name, value)) = &settled.output {
            around.outputs.retain(|(known, _)| known != name);
            around.outputs.push((name.clone(), value.clone()));
        }
        let data = whole(&case.data, &around.outputs);
        let root = around.case.root();
        let before = Sight { data: before, case: &root, params: &rules.params };
        let after = Sight { data: &data, ..before };
        match (ending.status, &ending.effect) {
            (RunStatus::Succeeded, Some(effect)) => {
                let own = rules.case_type.field(closing.field.as_str()).and_then(|field| field.api_call());
                settled.inputs_changed = own.is_some_and(|call| call.watch.differs(&effect.inputs, &after));
                self.succeeded(closing, rules, around, (&before, &after), rng);
            }
            (RunStatus::Skipped, _) => self.firings.extend(late(closing, rules, around, &after, rng)),
            _ => {}
        }
        remember(settled, around);
    }

    /// Other fields fire, or have data that was made from values which are now others.
    fn succeeded(
        &mut self,
        closing: &Closing,
        rules: &Rules,
        around: &mut Around,
        (before, after): (&Sight<'_>, &Sight<'_>),
        rng: &SharedRng,
    ) {
        let case = closing.case_id();
        // What this run saw counts, no more what an earlier report of the batch said of its field.
        self.turned.retain(|(of, field, _)| *of != case || *field != closing.field);
        for (field, changed) in rules.case_type.turned(&around.inputs, after) {
            if *field == closing.field {
                continue;
            }
            if let Some(state) = around.inputs.iter_mut().find(|state| state.field == field.as_str()) {
                state.changed = changed;
            }
            self.turned.push((case, field.clone(), changed));
        }
        for fired in rules.case_type.fired(before, after, &around.inputs, Some(&closing.field)) {
            let (depth, parent_run_id) = (closing.depth + 1, Some(closing.run_id));
            let run = new_run(closing, rules, &around.case, fired.field, fired.trigger, rng);
            self.firings.extend(run.map(|run| NewRun { old: fired.old, depth, parent_run_id, ..run }));
        }
    }
}

/// What the next report of the same case in this batch must know of this one.
fn remember(settled: &Settled<'_>, around: &mut Around) {
    let Some(ending) = &settled.ending else { return };
    let field = settled.closing.field.as_str();
    let mut state = match around.inputs.iter().position(|state| state.field == field) {
        Some(at) => around.inputs.swap_remove(at),
        None => FieldInputs { field: field.to_owned(), ..FieldInputs::default() },
    };
    let owes =
        ending.reason == Some(Reason::MissingInput) && (settled.closing.on_create || state.owed.is_some());
    state.owed = owes.then(|| ending.missing.clone());
    if let Some(effect) = &ending.effect {
        state.seen.clone_from(&effect.inputs);
        state.changed = settled.inputs_changed;
    }
    around.inputs.push(state);
}

/// The input arrived while the attempt was under way that found it missing: without this the
/// `on_create` call would never be made.
fn late(
    closing: &Closing,
    rules: &Rules,
    around: &Around,
    now: &Sight<'_>,
    rng: &SharedRng,
) -> Option<NewRun> {
    let Verdict::Ended(ending) = &closing.verdict else { return None };
    let owed =
        around.inputs.iter().any(|state| state.field == closing.field.as_str() && state.owed.is_some());
    let root = closing.seen.case.root();
    let then = Sight { data: &closing.seen.data, case: &root, params: now.params };
    let call = rules.case_type.field(closing.field.as_str())?.api_call()?;
    let fires = call.enabled && call.fires_on(Trigger::OnCreate) && (closing.on_create || owed);
    if !fires || !rules.case_type.arrived(&ending.missing, &then, now, None) {
        return None;
    }
    let run = new_run(closing, rules, &around.case, &closing.field, Trigger::OnCreate, rng)?;
    Some(NewRun { depth: closing.depth, ..run })
}

fn new_run(
    closing: &Closing,
    rules: &Rules,
    case: &Case,
    field: &FieldKey,
    trigger: Trigger,
    rng: &SharedRng,
) -> Option<NewRun> {
    let call = rules.case_type.field(field.as_str())?.api_call()?;
    let by = format!("run:{}", closing.run_id);
    let why = Fired { trigger, priority: Priority::Triggered, by, at: closing.at };
    let under = Under { version: rules.version, params: &rules.params };
    Some(NewRun::new(RunId(rng.uuid(closing.at)), case, under, field, call, why))
}
