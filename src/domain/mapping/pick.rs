//! What the source of a target gives: matches of a path, a header, the status, a template.
//!
//! One reading is shared by all targets of a mapping, and so is its budget: what is spent is spent
//! for those that follow, too.

use std::cell::OnceCell;
use std::sync::Arc;

use serde_json::Value;

use crate::domain::answer::{Answer, Body};
use crate::domain::jsonpath::{Budget, JsonPath, MAX_RESULTS};
use crate::domain::template::{RenderError, Scope};

use super::error::MappingError;
use super::rules::{Pick, Source, Target};

/// What the targets of one mapping share.
pub(super) struct Reading<'a> {
    answer: &'a Answer,
    outer: &'a Scope,
    body: Arc<Value>,
    headers: OnceCell<Arc<Value>>,
    scope: OnceCell<Scope>,
    budget: Budget,
}

/// What a source gave.
pub(super) enum Picked {
    Found(Value),
    /// Nothing; what stands for it unless there is a default.
    Nothing(Value),
}

impl<'a> Reading<'a> {
    /// Nothing of it is looked at yet.
    pub(super) fn new(answer: &'a Answer, outer: &'a Scope) -> Self {
        let (headers, scope) = (OnceCell::new(), OnceCell::new());
        Self { answer, outer, body: answer.body_value(), headers, scope, budget: Budget::default() }
    }

    /// What the target's source gives.
    pub(super) fn pick(&mut self, target: &Target) -> Result<Picked, MappingError> {
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

/// A target that did not get its value.
pub(super) fn failed(
    target: &Target,
    expected: &str,
    found: &str,
    message: impl Into<String>,
) -> MappingError {
    MappingError::Mapping {
        target: target.path.to_string(),
        path: target.origin().to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
        message: message.into(),
    }
}
