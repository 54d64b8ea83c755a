//! Reads one member of a `response_mapping`: a target and its rule.
//!
//! Goes on after a problem, so that all of a rule's problems are found at once.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::domain::data::DataPath;
use crate::domain::jsonpath::JsonPath;
use crate::domain::problem::{Problem, code, join, nearest};
use crate::domain::template::{Expression, Roots, Template, TemplateError};

use super::convert::ValueType;
use super::rules::{OnMissing, Pick, Source, Target};

/// Members of the long form.
const MEMBERS: [&str; 10] =
    ["path", "value", "from", "pick", "type", "transform", "default", "required", "on_missing", "overwrite"];

const PICKS: [(&str, Pick); 5] = [
    ("auto", Pick::Auto),
    ("first", Pick::First),
    ("last", Pick::Last),
    ("all", Pick::All),
    ("count", Pick::Count),
];

const ON_MISSING: [(&str, OnMissing); 3] =
    [("null", OnMissing::Null), ("keep", OnMissing::Keep), ("fail", OnMissing::Fail)];

/// The spelling and whether a target that has a value is left alone.
const OVERWRITE: [(&str, bool); 1] = [("if_empty", true)];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Body,
    Headers,
    Status,
}

const PLACES: [(&str, Place); 3] =
    [("body", Place::Body), ("headers", Place::Headers), ("status", Place::Status)];

/// One member of the mapping while it is read.
pub(super) struct Entry {
    pub(super) pointer: String,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl Entry {
    pub(super) fn new(pointer: String) -> Self {
        Self { pointer, problems: Vec::new(), warnings: Vec::new() }
    }

    fn problem(&mut self, member: &str, code: &'static str, message: impl Into<String>) {
        let pointer = if member.is_empty() { self.pointer.clone() } else { join(&self.pointer, member) };
        self.problems.push(Problem::new(pointer, code, message));
    }

    fn doubt(&mut self, member: &str, message: &str) {
        self.warnings.push(Problem::new(join(&self.pointer, member), code::DOUBTFUL, message));
    }

    /// The target; `None` only when there is a problem.
    pub(super) fn target(
        &mut self,
        name: &str,
        rule: &Value,
        roots: &Roots,
        outputs: &[String],
    ) -> Option<Target> {
        let path = self.path(name, outputs);
        let short;
        let (members, source) = match rule {
            Value::String(source) => {
                short = Map::new();
                (&short, self.json_path(source, Place::Body, ""))
            }
            Value::Object(members) => (members, self.source(members, roots)),
            _ => {
                self.problem(
                    "",
                    code::WRONG_TYPE,
                    "must be a JSONPath (a text) or an object with `path` or `value`",
                );
                return None;
            }
        };
        self.known(members);
        let pick = self.choice(members, "pick", &PICKS).unwrap_or(Pick::Auto);
        let kind = self.choice(members, "type", &ValueType::NAMES).unwrap_or(ValueType::Any);
        let transform = self.transform(members);
        let default = members.get("default").cloned();
        let on_missing = self.on_missing(members);
        let if_empty = self.if_empty(members);
        let source = source?;
        let needs = match &source {
            Source::Template { template, .. } => template.references().clone(),
            _ => BTreeSet::new(),
        };
        let target =
            Target { path: path?, needs, source, pick, kind, transform, default, on_missing, if_empty };
        self.look_for_doubts(&target, members);
        Some(target)
    }

    fn path(&mut self, name: &str, outputs: &[String]) -> Option<DataPath> {
        let path = match DataPath::parse(name) {
            Ok(path) => path,
            Err(why) => {
                self.problem("", code::INVALID, why);
                return None;
            }
        };
        if outputs.iter().any(|output| output == path.first()) {
            let message = format!("`{}` is an output variable; a mapping cannot write into it", path.first());
            self.problem("", code::DUPLICATE, message);
        }
        Some(path)
    }

    /// Where the value is read, by `path`, `value` and `from`.
    fn source(&mut self, members: &Map<String, Value>, roots: &Roots) -> Option<Source> {
        let from = self.choice(members, "from", &PLACES).unwrap_or(Place::Body);
        match (from, members.get("path"), members.get("value")) {
            (Place::Status, None, None) => Some(Source::Status),
            (Place::Status, ..) => {
                self.problem(
                    "from",
                    code::INVALID,
                    "`from: status` is the number alone; leave `path` and `value` out",
                );
                None
            }
            (_, Some(_), Some(_)) => {
                self.problem("", code::INVALID, "`path` and `value` exclude each other; keep one");
                None
            }
            (Place::Headers, None, Some(_)) => {
                self.problem(
                    "from",
                    code::INVALID,
                    "`from` goes with `path`; in `value` write `{headers.…}`",
                );
                None
            }
            (_, None, None) => {
                self.problem("path", code::REQUIRED, "a target needs a `path`, a `value` or `from: status`");
                None
            }
            (from, Some(path), None) => {
                let source = self.text(path, "path")?;
                self.json_path(&source, from, "path")
            }
            (Place::Body, None, Some(value)) => {
                let source = self.text(value, "value")?;
                let compiled = Template::compile(&source, roots);
                self.compiled("value", compiled).map(|template| Source::Template { template, source })
            }
        }
    }

    fn json_path(&mut self, source: &str, from: Place, member: &str) -> Option<Source> {
        let compiled = match from {
            Place::Headers => JsonPath::compile_for_headers(source).map(Source::Headers),
            _ => JsonPath::compile(source).map(Source::Body),
        };
        compiled.map_err(|why| self.problem(member, code::INVALID_PATH, why)).ok()
    }

    fn transform(&mut self, members: &Map<String, Value>) -> Option<Expression> {
        let source = self.text(members.get("transform")?, "transform")?;
        let compiled = Expression::compile(&source, &Roots::transform());
        self.compiled("transform", compiled)
    }

    fn compiled<T>(&mut self, member: &str, compiled: Result<T, TemplateError>) -> Option<T> {
        compiled.map_err(|error| self.problem(member, error.code, error.message)).ok()
    }

    fn on_missing(&mut self, members: &Map<String, Value>) -> OnMissing {
        let on_missing = self.choice(members, "on_missing", &ON_MISSING);
        match (members.get("required"), on_missing) {
            (None, on_missing) => on_missing.unwrap_or(OnMissing::Null),
            (Some(Value::Bool(true)), None | Some(OnMissing::Fail)) => OnMissing::Fail,
            (Some(Value::Bool(false)), None) => OnMissing::Null,
            (Some(Value::Bool(false)), Some(other)) if other != OnMissing::Fail => other,
            (Some(Value::Bool(_)), _) => {
                self.problem(
                    "on_missing",
                    code::INVALID,
                    "contradicts `required`: `required: true` is `on_missing: fail`; keep one of the two",
                );
                OnMissing::Null
            }
            (Some(_), _) => {
                self.problem("required", code::WRONG_TYPE, "must be true or false");
                OnMissing::Null
            }
        }
    }

    fn if_empty(&mut self, members: &Map<String, Value>) -> bool {
        match members.get("overwrite") {
            Some(Value::Bool(true)) => false,
            Some(Value::Bool(false)) => {
                self.problem("overwrite", code::INVALID, "must be true or `if_empty`");
                false
            }
            _ => self.choice(members, "overwrite", &OVERWRITE).unwrap_or(false),
        }
    }

    fn text(&mut self, value: &Value, member: &str) -> Option<String> {
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.problem(member, code::WRONG_TYPE, "must be a text");
        }
        text
    }

    fn choice<T: Copy>(
        &mut self,
        members: &Map<String, Value>,
        member: &str,
        known: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(members.get(member)?, member)?;
        let found = known.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        if found.is_none() {
            let names: Vec<_> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
            self.problem(member, code::INVALID, format!("`{text}` is none of {}", names.join(", ")));
        }
        found
    }

    fn known(&mut self, members: &Map<String, Value>) {
        for name in members.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
            let hint =
                nearest(name, MEMBERS).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            self.problem(name, code::UNKNOWN_MEMBER, format!("`{name}` is not known here{hint}"));
        }
    }

    /// What is legal, but cannot do what it looks like.
    fn look_for_doubts(&mut self, target: &Target, members: &Map<String, Value>) {
        if target.default.is_some() && (target.on_missing != OnMissing::Null) {
            self.doubt(
                "default",
                "the default takes the place of what is missing, so `required` and `on_missing` never matter",
            );
        }
        let typed = !matches!(target.kind, ValueType::Any | ValueType::Json);
        if typed && target.gives_array() && !members.contains_key("transform") {
            self.doubt("type", "this path finds an array, which converts to no such type; use `pick`: `first`, or a transform");
        }
    }
}
