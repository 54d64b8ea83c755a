//! Applies a mapping to an answer: pick, default or transform, type, overwrite.
//!
//! All or nothing: the first target that fails stops it. A JSON null in the answer is found,
//! and a value: no default takes its place, filters and types leave it alone, and only a
//! required target refuses it. One budget is shared by all targets.

use std::cell::OnceCell;
use std::sync::Arc;

use serde_json::Value;

use crate::domain::answer::{Answer, Body};
use crate::domain::data::{self, DataPath};
use crate::domain::jsonpath::{Budget, JsonPath, MAX_RESULTS};
use crate::domain::overrides::Overrides;
use crate::domain::template::{RenderError, Scope};

use super::convert::{ValueType, describe};
use super::error::MappingError;
use super::rules::{Mapping, OnMissing, Pick, Source, Target};

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
        let mut reading = Reading {
            answer,
            outer: scope,
            body: answer.body_value(),
            headers: OnceCell::new(),
            scope: OnceCell::new(),
            budget: Budget::default(),
        };
        let mut mapped = Mapped::default();
        for target in &self.targets {
            let full = target.if_empty && !is_empty(data::get(data, &target.path));
            let path = target.path.clone();
            let value = reading.value(target).and_then(|value| {
                let value = value.filter(|_| !full);
                value.as_ref().map_or(Ok(()), |value| check_place(target, value, data))?;
                Ok(value)
            });
            match value {
                Ok(value) => {
                    let write = |value| Write { target: path, value, if_empty: target.if_empty };
                    mapped.writes.extend(value.map(write));
                }
                Err(_) if overrides.holds(&path) => mapped.kept.extend((!full).then_some(path)),
                Err(error) => return Err(error),
            }
        }
        Ok(mapped)
    }
}

/// What the targets of one mapping share.
struct Reading<'a> {
    answer: &'a Answer,
    outer: &'a Scope,
    body: Arc<Value>,
    headers: OnceCell<Arc<Value>>,
    scope: OnceCell<Scope>,
    budget: Budget,
}

/// What a source gave.
enum Picked {
    Found(Value),
    /// Nothing; what stands for it unless there is a default.
    Nothing(Value),
}

impl Reading<'_> {
    /// The value to be written, `None` when the target is to be kept as it is.
    fn value(&mut self, target: &Target) -> Result<Option<Value>, MappingError> {
        let picked = match (self.pick(target)?, &target.default, target.on_missing) {
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

    fn pick(&mut self, target: &Target) -> Result<Picked, MappingError> {
        match &target.source {
            Source::Body(path) => {
                if matches!(self.answer.body, Body::Text(_)) && !path.is_root() {
                    return Err(MappingError::InvalidResponse(format!(
                        "The answer is a text, not JSON, so `{path}` (target `{}`) cannot be read from it; only `$`, \
                         the whole text, can.",
                        target.path
                    )));
                }
                let body = Arc::clone(&self.body);
                self.find(target, path, &body)
            }
            Source::Headers(path) => {
                let made = || Arc::new(Value::Object(self.answer.headers.clone()));
                let headers = Arc::clone(self.headers.get_or_init(made));
                self.find(target, path, &headers)
            }
            Source::Status => self.choose(target, &[&self.answer.status.into()]),
            Source::Template { template, .. } => {
                let scope = self.scope.get_or_init(|| self.answer.add_to(self.outer.clone()));
                match template.render_value(scope) {
                    Ok(value) => self.choose(target, &[&value]),
                    Err(RenderError::Missing(_)) => self.choose(target, &[]),
                    Err(RenderError::Failed(why)) => {
                        Err(failed(target, "a value", "none", format!("The template failed: {why}.")))
                    }
                }
            }
        }
    }

    fn find(&mut self, target: &Target, path: &JsonPath, document: &Value) -> Result<Picked, MappingError> {
        match path.find(document, &mut self.budget) {
            Ok(nodes) => self.choose(target, &nodes),
            Err(spent) => Err(failed(
                target,
                "a smaller answer",
                "a very large one",
                format!("Too much work: {spent}."),
            )),
        }
    }

    fn choose(&mut self, target: &Target, nodes: &[&Value]) -> Result<Picked, MappingError> {
        if target.pick == Pick::Count {
            let count = Value::from(nodes.len());
            return Ok(if nodes.is_empty() { Picked::Nothing(count) } else { Picked::Found(count) });
        }
        if target.gives_array() {
            return self.all(target, nodes);
        }
        let chosen = if target.pick == Pick::Last { nodes.last() } else { nodes.first() };
        match chosen {
            Some(node) => self.copy(target, node).map(Picked::Found),
            None => Ok(Picked::Nothing(Value::Null)),
        }
    }

    fn all(&mut self, target: &Target, nodes: &[&Value]) -> Result<Picked, MappingError> {
        if nodes.len() > MAX_RESULTS {
            let expected = format!("at most {MAX_RESULTS} values");
            let found = nodes.len().to_string();
            return Err(failed(target, &expected, &found, "Use a narrower path, or `pick`."));
        }
        let values = nodes.iter().map(|node| self.copy(target, node)).collect::<Result<Vec<_>, _>>()?;
        let none = values.is_empty();
        let values = Value::Array(values);
        Ok(if none { Picked::Nothing(values) } else { Picked::Found(values) })
    }

    fn copy(&mut self, target: &Target, node: &Value) -> Result<Value, MappingError> {
        self.budget.copy(node).map_err(|spent| {
            failed(target, "a smaller value", "a very large one", format!("Too much work: {spent}."))
        })?;
        Ok(node.clone())
    }
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

fn failed(target: &Target, expected: &str, found: &str, message: impl Into<String>) -> MappingError {
    MappingError::Mapping {
        target: target.path.to_string(),
        path: target.origin().to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
        message: message.into(),
    }
}
