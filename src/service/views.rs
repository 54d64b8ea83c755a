//! What a case shows: its stored parts laid over each other.

use serde_json::{Map, Value};

use super::plan::Plan;
use crate::domain::api_call::ApiCall;
use crate::domain::case::{Case, ProvenanceEntry};
use crate::domain::clock::Instant;
use crate::domain::ids::FieldKey;
use crate::domain::run::{FieldState, LiveRun};
use crate::store::{CaseSnapshot, FieldRow};

/// A case as the doors show it.
#[derive(Debug, Clone)]
pub struct CaseView {
    /// Everything but the data; `revision` counts what its live runs do, too.
    pub case: Case,
    /// The current version of its type.
    pub case_type_version: i64,
    /// Its data, output variables included.
    pub data: Map<String, Value>,
    /// The names of the output variables among it.
    pub outputs: Vec<String>,
    /// The state of every API Call field, in the order of the case type.
    pub fields: Vec<(FieldKey, FieldState)>,
    /// Where each value came from.
    pub provenance: Vec<(String, ProvenanceEntry)>,
    /// Whether no run of it is queued or running.
    pub settled: bool,
}

impl CaseView {
    /// Lays live runs over what ended ones left.
    ///
    /// A run that starts to work is a change of the case, but claiming writes no case row: the
    /// revision counts running runs on top of the stored number, and closing an attempt stores
    /// two steps. So the number only ever grows.
    pub fn new(snapshot: CaseSnapshot, plan: &Plan, now: Instant) -> Self {
        let CaseSnapshot { row, outputs, states, live } = snapshot;
        let mut case = row.case;
        case.revision += live.iter().map(|run| i64::from(run.running)).sum::<i64>();
        let mut data = row.data;
        let names = outputs.iter().map(|(name, _)| name.clone()).collect();
        data.extend(outputs);
        let provenance = row.provenance.list(&data);
        let fields = plan
            .case_type
            .api_calls()
            .map(|(key, call)| {
                let mut state = field_state(key, call, &states, &live).aged(call.fresh_for(), now);
                state.overridden = row.overrides.among(&call.targets);
                (key.clone(), state)
            })
            .collect();
        Self {
            case,
            case_type_version: row.case_type_version,
            data,
            outputs: names,
            fields,
            provenance,
            settled: live.is_empty(),
        }
    }
}

fn field_state(key: &FieldKey, call: &ApiCall, states: &[FieldRow], live: &[LiveRun]) -> FieldState {
    let ended = states.iter().find(|row| row.field == *key);
    let before = ended.map_or_else(FieldState::never_run, |row| row.state.clone());
    match live.iter().find(|run| run.field == *key) {
        _ if !call.enabled => before.switched_off(),
        Some(run) => before.overlay(run),
        None => before,
    }
}
