//! A form over a part of a case: which inputs it has, and what somebody changed in it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::case_address::Scope;
use super::case_inputs::{Input, Kind, Theirs, lines, open_at, print, text_of, value_of};
use super::case_values::{Room, Values, written};
use super::labels;
use super::posted::Form;
use super::words::case as w;
use super::words::values::quoted;
use crate::domain::case::CaseStatus;
use crate::domain::data::DataPath;
use crate::domain::field::Visibility;
use crate::domain::problem::Problem;

/// Inputs of one form over what no field names.
const MOST: usize = 100;
/// What the print of an input goes under; its name follows.
const WAS: &str = "was.";
/// What somebody chose in a conflict goes under.
const TAKE: &str = "take.";
/// An input's name begins so where it stands for data.
const DATA: &str = "data.";

/// A form as it is shown.
#[derive(Debug, Clone)]
pub struct FormView {
    /// What it changes.
    pub scope: Scope,
    /// What goes for all of its inputs.
    pub hint: Option<&'static str>,
    /// Its inputs.
    pub inputs: Vec<Input>,
    /// What is said above them.
    pub sentence: Option<&'static str>,
    /// What was refused of the whole.
    pub wrong: Vec<String>,
    /// It holds what somebody typed and was refused.
    pub refused: bool,
}

/// What somebody did in a form.
#[derive(Debug)]
pub struct Read {
    /// The merge patch of what they changed.
    pub patch: Map<String, Value>,
    /// Whether something typed cannot be a value.
    pub wrong: bool,
    /// Whether somebody else changed the same meanwhile.
    pub conflict: bool,
}

/// Where an input belongs: its name, what it is called, what may be typed, the value.
struct Place<'v> {
    name: String,
    label: String,
    hint: Option<String>,
    kind: Kind<'v>,
    value: Option<Value>,
}

fn places<'v>(values: &Values<'v>, scope: &Scope, typed: &[String]) -> Vec<Place<'v>> {
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
            paths.truncate(MOST);
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

fn hint(scope: &Scope) -> Option<&'static str> {
    matches!(scope, Scope::Field(_) | Scope::Additional).then_some(w::FREE_HINT)
}

/// The members of the data that no field names or fills.
pub fn additional(values: &Values<'_>) -> Vec<String> {
    let case_type = values.case_type;
    let filled: Vec<String> = case_type
        .api_calls()
        .flat_map(|(_, call)| &call.targets)
        .map(|target| target.first().to_owned())
        .collect();
    let names = values.view.data.keys().filter(|name| {
        let plain = case_type.field(name).is_some_and(|field| field.plain().is_some());
        !plain && !filled.contains(name)
    });
    names.cloned().collect()
}

impl FormView {
    /// A form that nobody has typed into; none: there is nothing to change in this scope. `at`
    /// is a path whose input the page opens at.
    pub fn fresh(values: &Values<'_>, scope: &Scope, at: Option<&str>, room: &mut Room) -> Option<Self> {
        let at = at.map(|at| at.strip_prefix(DATA).unwrap_or(at));
        let typed: Vec<String> = at.map(str::to_owned).into_iter().collect();
        let mut inputs: Vec<Input> = places(values, scope, &typed).iter().map(Place::input).collect();
        for input in &mut inputs {
            // What does not fit on the page any more is as if it were too large.
            input.locked |= !room.take(written(&input.text) + 480);
            if input.locked {
                input.text.clear();
            }
        }
        open_at(&mut inputs, |input| at.is_some() && input.name.strip_prefix(DATA) == at);
        let form = Self {
            scope: scope.clone(),
            hint: hint(scope),
            inputs,
            sentence: None,
            wrong: Vec::new(),
            refused: false,
        };
        Some(form).filter(|form| !form.inputs.is_empty())
    }

    /// What somebody typed, laid over the case as it is now.
    pub fn read(values: &Values<'_>, scope: &Scope, form: &Form) -> (Self, Read) {
        let typed: Vec<String> = form.below(DATA).map(|(path, _)| path.to_owned()).collect();
        let mut read = Read { patch: Map::new(), wrong: false, conflict: false };
        let mut inputs = Vec::new();
        for place in places(values, scope, &typed) {
            let mut input = place.input();
            if let Some(text) = form.get(&place.name) {
                place.take(&mut input, lines(text), form, values, &mut read);
            }
            inputs.push(input);
        }
        let sentence = Some(if read.conflict { w::CONFLICT } else { w::REFUSED });
        let view = Self {
            scope: scope.clone(),
            hint: hint(scope),
            inputs,
            sentence,
            wrong: Vec::new(),
            refused: true,
        };
        (view, read)
    }

    /// Puts what a service found wrong beside the inputs.
    pub fn blame(&mut self, problems: &[Problem]) {
        for problem in problems {
            let dotted = problem.pointer.trim_start_matches('/').replace('/', ".");
            let name = dotted.replace("~1", "/").replace("~0", "~");
            match self.inputs.iter_mut().find(|input| input.name == name) {
                Some(input) => input.wrong = Some(w::does_not_fit(&problem.message)),
                None => self.wrong.push(quoted(&format!("{name}: {}", problem.message))),
            }
        }
    }

    /// Its scope, as the form carries it.
    pub fn word(&self) -> String {
        self.scope.word()
    }
}

impl Place<'_> {
    fn input(&self) -> Input {
        let mut input = Input::new(self.name.clone(), self.label.clone(), self.kind, self.value.as_ref());
        input.hint = self.hint.clone().or(input.hint);
        if matches!(self.kind, Kind::Word) {
            input.look = super::case_inputs::Look::Choice;
            let all = CaseStatus::ALL.iter();
            input.choices =
                all.map(|status| (status.as_str().to_owned(), w::status(*status).to_owned())).collect();
        }
        input
    }

    /// Takes what was typed: nothing when it is what the input was filled with.
    fn take(&self, input: &mut Input, typed: String, form: &Form, values: &Values<'_>, read: &mut Read) {
        let was = form.get(&format!("{WAS}{}", self.name)).unwrap_or_default();
        if input.locked || print(&typed) == was || print(&typed) == input.was {
            return;
        }
        let choice = form.get(&format!("{TAKE}{}", self.name));
        if choice == Some("theirs") {
            return;
        }
        let changed_meanwhile = input.was != was;
        // Who has seen what it is now and saves all the same has chosen, if not by the button.
        let undecided = form.get(&format!("asked.{}", self.name)).is_some() && choice.is_none();
        if changed_meanwhile || undecided {
            read.conflict = true;
            input.theirs = Some(self.theirs(values));
        }
        match value_of(self.kind, &typed) {
            Ok(value) => self.add(value, values, &mut read.patch),
            Err(sentence) => {
                read.wrong = true;
                input.wrong = Some(sentence);
            }
        }
        input.text = typed;
    }

    fn theirs(&self, values: &Values<'_>) -> Theirs {
        let text = text_of(self.kind, self.value.as_ref());
        let mark = self.name.strip_prefix(DATA).and_then(|path| values.mark(path));
        Theirs { text: super::value::cut(&text, 500), who: mark.map(|mark| mark.exact).unwrap_or_default() }
    }

    fn add(&self, value: Value, values: &Values<'_>, patch: &mut Map<String, Value>) {
        let Some(target) = self.name.strip_prefix(DATA) else {
            patch.insert(self.name.clone(), value);
            return;
        };
        let value = replacing(values.get(target), value);
        let segments: Vec<&str> = target.split('.').collect();
        let nested = segments.into_iter().rev().fold(value, |inner, segment| json!({segment: inner}));
        merge(patch.entry("data").or_insert_with(|| json!({})), nested);
    }
}

/// The merge patch that makes `new` of `old`: what `new` does not have is removed.
fn replacing(old: Option<&Value>, new: Value) -> Value {
    match (old, new) {
        (Some(Value::Object(old)), Value::Object(new)) => {
            let mut patch: BTreeMap<String, Value> =
                old.keys().map(|name| (name.clone(), Value::Null)).collect();
            patch.extend(new.into_iter().map(|(name, value)| {
                let value = replacing(old.get(&name), value);
                (name, value)
            }));
            patch.into_iter().collect()
        }
        (_, new) => new,
    }
}

fn merge(target: &mut Value, more: Value) {
    match (target, more) {
        (Value::Object(target), Value::Object(more)) => {
            for (name, value) in more {
                merge(target.entry(name).or_insert(Value::Null), value);
            }
        }
        (target, more) => *target = more,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::case::merge_patch;

    #[test]
    fn an_edited_object_is_replaced_member_by_member() {
        let old = json!({"a": 1, "b": {"c": 1, "d": 2}, "e": [1]});
        let new = json!({"b": {"d": 3}, "e": [2], "f": "x"});
        let mut merged = old.clone();
        merge_patch(&mut merged, &replacing(Some(&old), new.clone()));
        assert_eq!(merged, new);
    }
}
