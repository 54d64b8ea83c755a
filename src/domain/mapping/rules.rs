//! A mapping as it was read: targets and the rule for each.
//!
//! Two targets never overlap, and none lies in an output variable: the reader saw to it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::domain::data::DataPath;
use crate::domain::jsonpath::JsonPath;
use crate::domain::template::{Expression, Template};

use super::convert::ValueType;

/// The response mapping of a field.
#[derive(Debug)]
pub struct Mapping {
    pub(super) targets: Vec<Target>,
    pub(super) written: Value,
}

impl Mapping {
    /// The targets, in the order in which they were written.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// What a builder wrote; reading it again gives the same mapping. Nothing is filled in, so
    /// that a short mapping stays short.
    pub fn normal_form(&self) -> Value {
        self.written.clone()
    }

    /// True when applying it to a large answer may take long enough to belong on a thread of
    /// its own (`match()` and `search()` in paths).
    pub fn needs_thread(&self) -> bool {
        self.targets.iter().any(|target| match &target.source {
            Source::Body(path) | Source::Headers(path) => path.needs_thread(),
            Source::Status | Source::Template { .. } => false,
        })
    }
}

/// One target and where its value comes from.
#[derive(Debug)]
pub struct Target {
    /// Where the value goes in `data`.
    pub path: DataPath,
    /// What its template reads beside the answer, e.g. `data.country`; empty for paths.
    pub needs: BTreeSet<String>,
    pub(super) source: Source,
    pub(super) pick: Pick,
    pub(super) kind: ValueType,
    pub(super) transform: Option<Expression>,
    pub(super) default: Option<Value>,
    pub(super) on_missing: OnMissing,
    pub(super) if_empty: bool,
}

impl Target {
    /// Where the value comes from, for messages.
    pub(super) fn origin(&self) -> &str {
        match &self.source {
            Source::Body(path) | Source::Headers(path) => path.source(),
            Source::Status => "status",
            Source::Template { source, .. } => source,
        }
    }

    /// True when what is picked is an array, even of nothing.
    pub(super) fn gives_array(&self) -> bool {
        match (self.pick, &self.source) {
            (Pick::All, _) => true,
            (Pick::Auto, Source::Body(path) | Source::Headers(path)) => !path.singular(),
            _ => false,
        }
    }
}

/// Where a value is read.
#[derive(Debug)]
pub(super) enum Source {
    Body(JsonPath),
    Headers(JsonPath),
    Status,
    Template { template: Template, source: String },
}

/// Which of the matches is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pick {
    Auto,
    First,
    Last,
    All,
    Count,
}

/// What happens when nothing was found and there is no default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnMissing {
    Null,
    Keep,
    Fail,
}
