//! What a node comes to: a value, or the paths that lack one.

use std::borrow::Cow;

use serde_json::Value;

use crate::domain::template::compare::is_true;
use crate::domain::template::error::RenderError;
use crate::domain::template::tree::Node;

/// What a node comes to.
#[derive(Debug, Clone)]
pub(crate) enum Found<'s> {
    Value(Cow<'s, Value>),
    Missing(Missing),
}

/// Nothing is there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Missing {
    /// The dotted paths that lack a value.
    pub paths: Vec<String>,
    /// The expression itself said `none`: a null on purpose, not a lack.
    pub on_purpose: bool,
}

impl Missing {
    pub(super) fn at(paths: Vec<String>) -> Self {
        Self { paths, on_purpose: false }
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        for path in other.paths {
            if !self.paths.contains(&path) {
                self.paths.push(path);
            }
        }
        Self { on_purpose: self.on_purpose && other.on_purpose, ..self }
    }
}

/// The result of walking one node.
pub(super) type Walked<'s> = Result<Found<'s>, RenderError>;

/// Whether it counts as true, or what is missing to know it. A null on purpose is false.
pub(super) fn truth_of(found: &Found, lenient: bool) -> Result<bool, Missing> {
    match found {
        Found::Value(value) => Ok(is_true(value)),
        Found::Missing(missing) if lenient || missing.on_purpose => Ok(false),
        Found::Missing(missing) => Err(missing.clone()),
    }
}

/// A part of `base`; a null part is missing too.
pub(super) fn present_or_missing<'s>(found: Option<Cow<'s, Value>>, base: &Node) -> Found<'s> {
    match found {
        Some(value) if !value.is_null() => Found::Value(value),
        _ => Found::Missing(Missing::at(base.paths())),
    }
}

/// Collects what several nodes lack.
pub(super) fn joined(first: Option<Missing>, more: Missing) -> Missing {
    match first {
        Some(first) => first.and(more),
        None => more,
    }
}

/// A value that was made here.
pub(super) fn owned<'s>(value: Value) -> Found<'s> {
    Found::Value(Cow::Owned(value))
}

/// True or false.
pub(super) fn boolean<'s>(truth: bool) -> Found<'s> {
    owned(Value::Bool(truth))
}

/// A failure, in words that quote no value.
pub(super) fn failed(why: impl Into<String>) -> RenderError {
    RenderError::Failed(why.into())
}
