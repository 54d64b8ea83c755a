//! Applies a mapping to an answer: pick, default or transform, type, overwrite.
//!
//! All or nothing: the first target that fails stops it. Who tries a mapping out asks for the
//! offers instead, one per target whatever became of the others. A JSON null in the
//! answer is found, and a value: no default takes its place, filters and types leave it alone, and
//! only a required target refuses it.

use std::sync::Arc;

use serde_json::Value;

use crate::domain::answer::Answer;
use crate::domain::data::{self, DataPath};
use crate::domain::overrides::Overrides;
use crate::domain::template::{RenderError, Scope};

use super::convert::{ValueType, describe};
use super::error::MappingError;
use super::pick::{Picked, Reading, failed};
use super::rules::{Mapping, OnMissing, Target};

/// Levels that `data` may have after a mapping, so that every JSON reader can read it back.
const MAX_DATA_DEPTH: usize = 100;

/// A value on its way to a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Where it goes.
    pub target: DataPath,
    /// The value.
    pub value: Value,
    /// Only where the target holds nothing when it is written.
    pub if_empty: bool,
}

/// What a mapping makes of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mapped {
    /// What is to be written, in the order of the mapping. What `keep` leaves alone is not
    /// among it; what is overridden is, since the override may be gone when it comes to writing.
    pub writes: Vec<Write>,
    /// Overridden targets for which the answer has nothing that fits.
    pub kept: Vec<DataPath>,
}

/// What an answer has for one target.
#[derive(Debug)]
pub struct Offer<'m> {
    /// The target.
    pub target: &'m Target,
    /// Its source gave something; a default stands where it did not.
    pub found: bool,
    /// The value as it would be written, `None` when the target is to be kept as it is; or why
    /// there is none.
    pub value: Result<Option<Value>, MappingError>,
    /// Only where it holds nothing the target is written, and it holds something.
    pub full: bool,
}

impl Mapping {
    /// The values of `answer` for all targets. `scope` holds what templates may read (the data
    /// as it was rendered, params, …; the roots of the answer are added here), `data` is what
    /// the case holds now. An overridden target cannot fail.
    pub fn apply(
        &self,
        answer: &Answer,
        scope: &Scope,
        data: &Value,
        overrides: &Overrides,
    ) -> Result<Mapped, MappingError> {
        let mut mapped = Mapped::default();
        for Offer { target, value, full, .. } in self.offers(answer, scope, data) {
            let path = target.path.clone();
            match value {
                Ok(value) => {
                    let write = |value| Write { target: path, value, if_empty: target.if_empty };
                    mapped.writes.extend(value.filter(|_| !full).map(write));
                }
                Err(_) if overrides.holds(&path) => mapped.kept.extend((!full).then_some(path)),
                Err(error) => return Err(error),
            }
        }
        Ok(mapped)
    }

    /// The same, target by target as far as somebody asks, each whatever became of the others.
    pub fn offers<'m>(
        &'m self,
        answer: &'m Answer,
        scope: &'m Scope,
        data: &'m Value,
    ) -> impl Iterator<Item = Offer<'m>> {
        let mut reading = Reading::new(answer, scope);
        self.targets.iter().map(move |target| {
            let full = target.if_empty && !is_empty(data::get(data, &target.path));
            let picked = reading.pick(target);
            let found = matches!(picked, Ok(Picked::Found(_)));
            let value = picked.and_then(|picked| value(target, picked)).and_then(|value| {
                let placed = value.as_ref().filter(|_| !full);
                placed.map_or(Ok(()), |value| check_place(target, value, data))?;
                Ok(value)
            });
            Offer { target, found, value, full }
        })
    }
}

/// The value to be written, `None` when the target is to be kept as it is.
fn value(target: &Target, picked: Picked) -> Result<Option<Value>, MappingError> {
    let picked = match (picked, &target.default, target.on_missing) {
        (Picked::Nothing(_), Some(default), _) => return Ok(Some(default.clone())),
        (Picked::Nothing(_), None, OnMissing::Keep) => return Ok(None),
        (Picked::Nothing(_), None, OnMissing::Fail) => return Err(required(target, "nothing")),
        (Picked::Nothing(value), None, OnMissing::Null) | (Picked::Found(value), ..) => value,
    };
    let value = transform(target, picked)?;
    if value.is_null() && target.on_missing == OnMissing::Fail {
        return Err(required(target, "null"));
    }
    convert(target, value).map(Some)
}

/// Filters are not run on null, and what they find missing is null.
fn transform(target: &Target, value: Value) -> Result<Value, MappingError> {
    let Some(transform) = target.transform.as_ref().filter(|_| !value.is_null()) else { return Ok(value) };
    let value = Arc::new(value);
    match transform.evaluate(&Scope::new().with("value", Arc::clone(&value))) {
        Ok(transformed) => Ok(transformed),
        Err(RenderError::Missing(_)) => Ok(Value::Null),
        Err(RenderError::Failed(why)) => {
            let message = format!("The transform `{}` failed: {why}.", transform.source());
            Err(failed(target, "a value that the transform can work on", &describe(&value), message))
        }
    }
}

fn convert(target: &Target, value: Value) -> Result<Value, MappingError> {
    if target.kind == ValueType::Any {
        return Ok(value);
    }
    target.kind.convert(&value).ok_or_else(|| {
        let message = "Change the `type` or the `path`, or convert it with a `transform`.";
        failed(target, target.kind.as_str(), &describe(&value), message)
    })
}

/// The value fits where it is to go.
fn check_place(target: &Target, value: &Value, data: &Value) -> Result<(), MappingError> {
    data::check_way(data, &target.path).map_err(|in_the_way| {
        let expected = format!("an object at `{}`", in_the_way.path);
        failed(target, &expected, in_the_way.found, "Remove that value, or map to another target.")
    })?;
    let room = MAX_DATA_DEPTH.saturating_sub(target.path.segments().len());
    if is_deeper(value, room) {
        let expected = format!("at most {MAX_DATA_DEPTH} levels in `data`");
        return Err(failed(target, &expected, "more", "Map parts of the value instead."));
    }
    Ok(())
}

fn is_deeper(value: &Value, room: usize) -> bool {
    match value {
        Value::Array(items) => room == 0 || items.iter().any(|item| is_deeper(item, room - 1)),
        Value::Object(members) => room == 0 || members.values().any(|member| is_deeper(member, room - 1)),
        _ => false,
    }
}

/// Whether a target holds nothing, so that `if_empty` may write it: missing, null, `""`, `[]` or `{}`.
pub fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(members)) => members.is_empty(),
        Some(Value::Bool(_) | Value::Number(_)) => false,
    }
}

fn required(target: &Target, found: &str) -> MappingError {
    failed(target, "a value", found, "The target is required; give it a `default`, or another `on_missing`.")
}
