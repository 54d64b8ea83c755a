//! What a form over a part of a case has inputs for: each place in the case, what it is called, what
//! may be typed and what is there now; and how many of them fit into one form.

use std::collections::BTreeSet;

use serde_json::Value;

use super::case_address::Scope;
use super::case_inputs::{Input, Kind, LONGEST_HINT, Look};
use super::case_room::{FORM, Room};
use super::case_values::Values;
use super::labels;
use super::value::cut;
use super::words::case as w;
use crate::domain::case::CaseStatus;
use crate::domain::data::DataPath;
use crate::domain::field::Visibility;

/// Bytes that are kept for what is said beside an input when it is refused.
const SAID: usize = 1_200;
/// An input's name begins so where it stands for data.
pub const DATA: &str = "data.";

/// Where an input belongs: its name, what it is called, what may be typed, the value.
pub struct Place<'v> {
    /// Its name in the form.
    pub name: String,
    /// What it is called.
    pub label: String,
    hint: Option<String>,
    /// What may be typed.
    pub kind: Kind<'v>,
    /// What is there now.
    pub value: Option<Value>,
}

/// All places of a scope; `typed` are paths that no field names and somebody asks for.
pub fn places<'v>(values: &Values<'v>, scope: &Scope, typed: &[String]) -> Vec<Place<'v>> {
    match scope {
        Scope::Case => of_case(values),
        Scope::Section(key) => {
            let fields = values.case_type.fields.iter();
            let here = fields.filter(|field| field.section == *key && field.visibility != Visibility::Hidden);
            let plain = here.filter_map(|field| Some((field, field.plain()?)));
            plain
                .map(|(field, plain)| Place {
                    name: format!("{DATA}{}", field.key),
                    label: field.name.clone(),
                    hint: field.description.clone(),
                    kind: Kind::Plain(plain),
                    value: values.get(field.key.as_str()).cloned(),
                })
                .collect()
        }
        Scope::Field(key) => {
            let call = values.case_type.field(key.as_str()).and_then(|field| field.api_call());
            let targets = call.map(|call| call.mapping.targets()).unwrap_or_default();
            of_paths(values, targets.iter().map(|target| target.path.to_string()).collect())
        }
        Scope::Additional => {
            let known = additional(values).into_iter().chain(typed.iter().cloned());
            let mut paths: Vec<String> = known.filter(|path| DataPath::parse_exact(path).is_ok()).collect();
            paths.sort();
            paths.dedup();
            of_paths(values, paths)
        }
    }
}

fn of_paths<'v>(values: &Values<'v>, paths: Vec<String>) -> Vec<Place<'v>> {
    let named = labels::told_apart(&paths).into_iter().zip(paths);
    named.map(|(name, path)| of_path(values, &path, name)).collect()
}

fn of_path<'v>(values: &Values<'v>, path: &str, name: String) -> Place<'v> {
    let field = values.case_type.field(path);
    let label = field.map_or(name, |field| field.name.clone());
    let kind = field.and_then(|field| field.plain()).map_or(Kind::Free, Kind::Plain);
    Place { name: format!("{DATA}{path}"), label, hint: None, kind, value: values.get(path).cloned() }
}

fn of_case(values: &Values<'_>) -> Vec<Place<'static>> {
    let case = &values.view.case;
    let place = |name: &str, label: &str, kind, value: Option<&str>| Place {
        name: name.to_owned(),
        label: label.to_owned(),
        hint: None,
        kind,
        value: value.map(Value::from),
    };
    vec![
        place("title", w::TITLE, Kind::Text, case.title.as_deref()),
        place("reference", w::REFERENCE, Kind::Text, case.reference.as_deref()),
        place("status", w::STATUS, Kind::Word, Some(case.status.as_str())),
        place("custom_status", w::CUSTOM_STATUS, Kind::Text, case.custom_status.as_deref()),
        place("assignee", w::ASSIGNEE, Kind::Text, case.assignee.as_deref()),
    ]
}

/// The members of the data that no field names or fills.
pub fn additional(values: &Values<'_>) -> Vec<String> {
    let case_type = values.case_type;
    let filled: BTreeSet<String> = case_type
        .api_calls()
        .flat_map(|(_, call)| &call.targets)
        .map(|target| target.first().to_owned())
        .collect();
    let names = values.view.data.keys().filter(|name| {
        let plain = case_type.field(name).is_some_and(|field| field.plain().is_some());
        !plain && !filled.contains(*name)
    });
    names.cloned().collect()
}

/// The first of these inputs, as many as fit into a form.
pub fn fitting(places: &[Place<'_>]) -> Vec<Input> {
    let mut room = Room::new(FORM, 0);
    let mut inputs = Vec::new();
    for place in places {
        let input = place.input();
        if !room.take(input.weight() + SAID) && !inputs.is_empty() {
            break;
        }
        inputs.push(input);
    }
    inputs
}

impl Place<'_> {
    /// The path in the data, or the name of what every case has.
    pub fn path(&self) -> &str {
        self.name.strip_prefix(DATA).unwrap_or(&self.name)
    }

    /// Its input, filled with what is there.
    pub fn input(&self) -> Input {
        let mut input = Input::new(self.name.clone(), self.label.clone(), self.kind, self.value.as_ref());
        let hints = [self.hint.as_deref().map(|hint| cut(hint, LONGEST_HINT)), input.hint.take()];
        let hints: Vec<String> = hints.into_iter().flatten().collect();
        input.hint = Some(hints.join(" ")).filter(|hint| !hint.is_empty());
        if matches!(self.kind, Kind::Word) {
            input.look = Look::Choice;
            let all = CaseStatus::ALL.iter();
            input.choices =
                all.map(|status| (status.as_str().to_owned(), w::status(*status).to_owned())).collect();
        }
        input
    }
}
