//! A form over a part of a case: which inputs it has, and what somebody changed in it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::case_address::Scope;
use super::case_inputs::{Input, Theirs, lines, open_at, print, text_of, value_of};
use super::case_places::{DATA, Place, fitting, places};
use super::case_room::{Room, SHORT_WRONG, within, written};
use super::case_values::Values;
use super::posted::Form;
use super::value::cut;
use super::words::case as w;
use super::words::values::quoted;
use crate::domain::problem::Problem;

/// Bytes of the links to inputs that a form has no room for, of one beside its name and address,
/// and of the name.
const LINKS: usize = 25_000;
const LINK: usize = 80;
const LINK_NAME: usize = 100;
/// Characters of another's value in a form that is too large.
const SHORT_THEIRS: usize = 40;
/// Problems that are listed where the form itself cannot be shown.
const MOST_PROBLEMS: usize = 100;
/// What the print of an input goes under; its name follows.
const WAS: &str = "was.";
/// What somebody chose in a conflict goes under.
const TAKE: &str = "take.";

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
    /// Inputs that there is no room for: what each is called, and the path at which a form with
    /// it begins.
    pub others: Vec<(String, String)>,
    /// How many more there are.
    pub more: usize,
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

fn hint(scope: &Scope) -> Option<&'static str> {
    matches!(scope, Scope::Field(_) | Scope::Additional).then_some(w::FREE_HINT)
}

impl FormView {
    /// A form that nobody has typed into; none: there is nothing to change in this scope. `at`
    /// is a path whose input the page opens at. It has as many inputs as fit on a page even if all
    /// of them are refused, and links to forms with the others.
    pub fn fresh(values: &Values<'_>, scope: &Scope, at: Option<&str>) -> Option<Self> {
        let at = at.map(|at| at.strip_prefix(DATA).unwrap_or(at));
        let typed: Vec<String> = at.map(str::to_owned).into_iter().collect();
        let places = places(values, scope, &typed);
        let wanted = at.and_then(|at| places.iter().position(|place| place.path() == at));
        let (mut from, mut inputs) = (0, fitting(&places));
        if let Some(wanted) = wanted.filter(|wanted| *wanted >= inputs.len()) {
            (from, inputs) = (wanted, fitting(&places[wanted..]));
        }
        open_at(&mut inputs, |input| at.is_some() && input.name.strip_prefix(DATA) == at);
        let others = places[from + inputs.len()..].iter().chain(&places[..from]);
        let mut form = Self { refused: false, sentence: None, ..Self::of(scope, inputs) };
        let mut room = Room::new(LINKS, 0);
        for place in others {
            let (label, path) = (within(&place.label, LINK_NAME), place.path().to_owned());
            // An address spells other letters with three bytes each.
            if form.more == 0 && room.take(LINK + written(&label) + 3 * path.len()) {
                form.others.push((label, path));
            } else {
                form.more += 1;
            }
        }
        Some(form).filter(|form| !form.inputs.is_empty())
    }

    fn of(scope: &Scope, inputs: Vec<Input>) -> Self {
        Self {
            scope: scope.clone(),
            hint: hint(scope),
            inputs,
            sentence: None,
            wrong: Vec::new(),
            refused: true,
            others: Vec::new(),
            more: 0,
        }
    }

    /// Bytes that it takes on the page.
    pub fn weight(&self) -> usize {
        let inputs: usize = self.inputs.iter().map(Input::weight).sum();
        let wrong: usize = self.wrong.iter().map(|text| 10 + written(text)).sum();
        let links = self.others.iter().map(|(name, path)| LINK + written(name) + 3 * path.len());
        2_000 + inputs + wrong + links.sum::<usize>()
    }

    /// Leaves what nobody typed into out, which is not saved either, and cuts what others wrote.
    pub fn shrink(&mut self) {
        self.inputs.retain(|input| input.wrong.is_some() || print(&input.text) != input.was);
        for input in &mut self.inputs {
            input.wrong = input.wrong.take().map(|why| within(&why, SHORT_WRONG));
            if let Some(theirs) = &mut input.theirs {
                theirs.text = cut(&theirs.text, SHORT_THEIRS);
            }
        }
    }

    /// What is to be mended, without what was typed.
    pub fn problems(&self) -> Vec<Problem> {
        let said = |input: &Input, why: &str| format!("{}: {why}", cut(&input.label, LINK_NAME));
        let wrong = self.inputs.iter().filter_map(|input| Some(said(input, input.wrong.as_ref()?)));
        let newer = self.inputs.iter().filter(|input| input.wrong.is_none() && input.theirs.is_some());
        let all =
            wrong.chain(self.wrong.iter().cloned()).chain(newer.map(|input| said(input, w::OTHERS_NEWER)));
        let all = all.take(MOST_PROBLEMS);
        all.map(|why| Problem::new("", "refused", why)).collect()
    }

    /// What somebody typed, laid over the case as it is now.
    pub fn read(values: &Values<'_>, scope: &Scope, form: &Form) -> (Self, Read) {
        let typed: Vec<String> = form.below(DATA).map(|(path, _)| path.to_owned()).collect();
        let mut read = Read { patch: Map::new(), wrong: false, conflict: false };
        let mut inputs = Vec::new();
        for place in places(values, scope, &typed) {
            // The form of a large case has some of the inputs only.
            let Some(text) = form.get(&place.name) else { continue };
            let mut input = place.input();
            place.take(&mut input, lines(text), form, values, &mut read);
            inputs.push(input);
        }
        let sentence = Some(if read.conflict { w::CONFLICT } else { w::REFUSED });
        (Self { sentence, ..Self::of(scope, inputs) }, read)
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
            // All that is wrong is told at once.
            Ok(Value::Null) if input.required => {
                read.wrong = true;
                input.wrong = Some(w::NEEDED.to_owned());
            }
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
