//! Which fields a change of a case fires: pure, and the same whoever made the change.
//!
//! A field fires by `on_update` when a value that it watches differs, and by `on_create`, late,
//! when it still owes its first call for want of an input that has now arrived. Both at once are
//! one firing, and a run never fires its own field.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::api_call::ApiCall;
use super::case_type::CaseType;
use super::ids::FieldKey;
use super::trigger::Trigger;
use super::watch::{Sight, WatchPath};

/// Deepest chain of mapped writes that fire further fields.
pub const MAX_DEPTH: u32 = 8;

/// What a field's state says about its inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldInputs {
    /// The field.
    pub field: String,
    /// It still owes its `on_create` call, for want of these dotted paths.
    pub owed: Option<Vec<String>>,
    /// What the run that gave the data saw, by [`WatchSet::fingerprints`].
    ///
    /// [`WatchSet::fingerprints`]: super::watch::WatchSet::fingerprints
    pub seen: BTreeMap<String, String>,
    /// Whether a watched value differs from that.
    pub changed: bool,
}

/// A field that a change fires.
#[derive(Debug)]
pub struct Fired<'t> {
    /// The field.
    pub field: &'t FieldKey,
    /// Its configuration.
    pub call: &'t ApiCall,
    /// Why.
    pub trigger: Trigger,
    /// What its `when` reads as `old`.
    pub old: Option<Value>,
}

impl CaseType {
    /// The fields that a change from `before` to `after` fires. `by`: the field whose run made
    /// the change.
    pub fn fired<'t>(
        &'t self,
        before: &Sight<'_>,
        after: &Sight<'_>,
        inputs: &[FieldInputs],
        by: Option<&FieldKey>,
    ) -> Vec<Fired<'t>> {
        let others = self.api_calls().filter(|(key, call)| call.enabled && Some(*key) != by);
        others
            .filter_map(|(field, call)| {
                if call.fires_on(Trigger::OnUpdate) && call.watch.changed(before, after) {
                    let old = call.old.of(before.data);
                    return Some(Fired { field, call, trigger: Trigger::OnUpdate, old });
                }
                let state = inputs.iter().find(|state| state.field == field.as_str())?;
                let missing = state.owed.as_ref()?;
                let late = call.fires_on(Trigger::OnCreate) && self.arrived(missing, before, after, by);
                late.then_some(Fired { field, call, trigger: Trigger::OnCreate, old: None })
            })
            .collect()
    }

    /// Whether another field looks at what this one writes.
    pub fn concerns_others(&self, field: &FieldKey) -> bool {
        let Some(writer) = self.field(field.as_str()).and_then(|field| field.api_call()) else {
            return false;
        };
        let mut others = self.api_calls().filter(|(key, _)| *key != field);
        others.any(|(_, call)| {
            writer.targets.iter().any(|target| {
                call.watch.touches(target) || call.needs.iter().any(|path| path.touches(target))
            })
        })
    }

    /// The fields whose `inputs_changed` turns, with what it turns to.
    pub fn turned(&self, inputs: &[FieldInputs], after: &Sight<'_>) -> Vec<(&FieldKey, bool)> {
        self.api_calls()
            .filter_map(|(field, call)| {
                let state = inputs.iter().find(|state| state.field == field.as_str())?;
                let changed = call.watch.differs(&state.seen, after);
                (changed != state.changed).then_some((field, changed))
            })
            .collect()
    }

    /// Whether one of these inputs was missing and is there now. The output variable of a run
    /// that has just succeeded was missing, whatever `data` kept of an earlier one.
    pub fn arrived(
        &self,
        missing: &[String],
        before: &Sight<'_>,
        after: &Sight<'_>,
        by: Option<&FieldKey>,
    ) -> bool {
        let outputs: Vec<String> = self.outputs().iter().cloned().collect();
        let own = by.and_then(|by| self.field(by.as_str())?.api_call()?.output_variable.as_deref());
        missing.iter().any(|reference| {
            let renewed = own.is_some_and(|own| reference.split('.').next() == Some(own));
            WatchPath::referenced(reference, &outputs)
                .is_some_and(|path| path.value(after).is_some() && (renewed || path.value(before).is_none()))
        })
    }
}

/// Which part of the data before a change the `when` of a field reads as `old`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OldUse {
    /// None.
    #[default]
    Nothing,
    /// These members of `data`.
    Members(Vec<String>),
    /// All of it.
    Everything,
}

impl OldUse {
    /// Reads it from the dotted paths that `when` refers to. `old.data.x` means `old.x`, where
    /// the data has no member `data` of its own.
    pub fn of_references<'r>(references: impl IntoIterator<Item = &'r String>) -> Self {
        let mut members = Vec::new();
        for reference in references {
            let mut words = reference.split('.');
            if words.next() != Some("old") {
                continue;
            }
            match (words.next(), words.next()) {
                (None, _) | (Some("data"), None) => return Self::Everything,
                (Some("data"), Some(member)) | (Some(member), _) => members.push(member.to_owned()),
            }
        }
        if members.is_empty() { Self::Nothing } else { Self::Members(members) }
    }

    /// The root `old` for a change of this data.
    pub fn of(&self, data: &Value) -> Option<Value> {
        let mut old = match self {
            Self::Nothing => return None,
            Self::Everything => data.as_object()?.clone(),
            Self::Members(names) => {
                let members = names.iter().filter_map(|name| Some((name.clone(), data.get(name)?.clone())));
                members.collect::<Map<_, _>>()
            }
        };
        if data.get("data").is_none() {
            let same = Value::Object(old.clone());
            old.insert("data".to_owned(), same);
        }
        Some(Value::Object(old))
    }
}
