//! The card of an API Call field: what it fetched, how it stands, and what to do now.

use super::case_address::{Asked, Here, Scope, card_anchor};
use super::case_first::{FirstAction, live};
use super::case_form::FormView;
use super::case_trouble::{Trouble, trouble};
use super::case_values::{LEAST, Room, ValueView, Values, name_apart, written};
use super::state::StateView;
use super::value::cut;
use super::words::case as w;
use crate::domain::api_call::ApiCall;
use crate::domain::field::{Field, Visibility};
use crate::domain::mapping::is_empty;
use crate::domain::run::{FieldState, FieldStatus, Reason};

/// Values on one card, unless it was asked for by name.
const MOST_VALUES: usize = 40;
const MOST_VALUES_OPEN: usize = 200;
/// What a card costs beside its values, and what a short one does.
const AROUND: usize = 4_200;
pub const SHORT: usize = 900;

/// Someone's value over a mapped one.
#[derive(Debug, Clone)]
pub struct Override {
    /// What it is called.
    pub word: String,
    /// Where clearing it is sent.
    pub url: String,
}

/// A form that runs the field with input.
#[derive(Debug, Clone, Default)]
pub struct InputForm {
    /// What was typed.
    pub text: String,
    /// Whether the box is ticked.
    pub force: bool,
    /// Why it was refused.
    pub wrong: Option<String>,
}

/// A card.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each says on its own whether a part of the card is shown")]
pub struct CardView {
    /// Its id on the page.
    pub anchor: String,
    /// The field's key and name.
    pub key: String,
    pub name: String,
    pub description: Option<String>,
    /// Nothing of it is shown.
    pub hidden: bool,
    /// There was no room: where it is shown whole.
    pub short: Option<String>,
    pub state: StateView,
    /// What the live region says when it changes.
    pub says: String,
    pub values: Vec<ValueView>,
    /// How many values there was no room for.
    pub more: usize,
    /// The values are those of an older answer.
    pub kept: bool,
    /// Whether none was ever fetched.
    pub bare: bool,
    pub answer: Option<ValueView>,
    pub trouble: Option<Trouble>,
    /// The condition under which it runs, when that is why it did not.
    pub why: Option<String>,
    pub enabled: bool,
    pub first: Option<FirstAction>,
    /// Where a refresh is sent.
    pub refresh: String,
    /// The run that may be cancelled.
    pub cancel: Option<String>,
    pub overrides: Vec<Override>,
    pub with_input: String,
    pub type_over: Option<String>,
    pub history: String,
    pub run: Option<String>,
    pub input: Option<InputForm>,
    pub form: Option<FormView>,
}

/// What is to stand on the cards.
pub struct Cards<'c> {
    pub values: &'c Values<'c>,
    pub here: &'c Here,
    pub asked: &'c Asked,
    /// Whether whoever looks may work on cases.
    pub works: bool,
}

impl Cards<'_> {
    /// The card of a field; short when there is no room for it.
    pub fn card(&self, field: &Field, call: &ApiCall, room: &mut Room) -> Option<CardView> {
        if field.visibility == Visibility::Hidden {
            return None;
        }
        let state = &self.values.view.fields.iter().find(|(key, _)| *key == field.key)?.1;
        let mut card = self.bare(field, call, state);
        if field.visibility == Visibility::HideWhenEmpty && self.is_idle(call, state) {
            card.hidden = true;
            return Some(card);
        }
        let asked = self.asked.open.as_deref() == Some(field.key.as_str());
        if !room.has(AROUND + self.cost(call)) && !asked {
            room.spend(SHORT);
            card.short = Some(self.here.page(&[("open", field.key.as_str())], &card.anchor));
            card.name = cut(&card.name, 80);
            card.says = card.name.clone();
            return Some(card);
        }
        room.spend(AROUND);
        let most = if asked { MOST_VALUES_OPEN } else { MOST_VALUES };
        self.fill(&mut card, (field, call, state), most, room);
        Some(card)
    }

    /// Nothing to show and nothing under way.
    fn is_idle(&self, call: &ApiCall, state: &FieldState) -> bool {
        let quiet = [FieldStatus::NeverRun, FieldStatus::Skipped, FieldStatus::Disabled];
        quiet.contains(&state.status)
            && call.targets.iter().all(|target| is_empty(self.values.get(&target.to_string())))
    }

    /// About what the values take, so that a card is whole or short.
    fn cost(&self, call: &ApiCall) -> usize {
        let targets = call.mapping.targets().iter().take(MOST_VALUES);
        targets.map(|target| 560 + self.values.get(&target.path.to_string()).map_or(0, rough)).sum()
    }

    fn bare(&self, field: &Field, call: &ApiCall, state: &FieldState) -> CardView {
        let key = field.key.to_string();
        let mut view = StateView::new(state, self.values.now, |path| self.values.named(path));
        // What went wrong has a place of its own on the card.
        view.after.clear();
        let moment = view.moment.map(|moment| format!(" {}", moment.text())).unwrap_or_default();
        CardView {
            anchor: card_anchor(&key),
            says: format!("{}: {}{moment}", field.name, view.before),
            name: field.name.clone(),
            description: field.description.as_deref().map(|text| cut(text, 400)),
            hidden: false,
            short: None,
            values: Vec::new(),
            more: 0,
            kept: false,
            bare: false,
            answer: None,
            trouble: None,
            why: None,
            enabled: call.enabled,
            first: self.first(field, state, view.first),
            refresh: self.here.below(&format!("/fields/{key}/refresh")),
            cancel: live(state).map(|run| format!("/runs/{run}/cancel")),
            overrides: Vec::new(),
            with_input: self.here.page(&[("input", &key)], ""),
            type_over: None,
            history: format!("/runs?case={}&field={key}", self.here.id),
            run: state.run_id.map(|run| format!("/runs/{run}")),
            input: None,
            form: None,
            state: view,
            key,
        }
    }

    fn fill(
        &self,
        card: &mut CardView,
        (field, call, state): (&Field, &ApiCall, &FieldState),
        most: usize,
        room: &mut Room,
    ) {
        let targets = call.mapping.targets();
        let show = |path: &str, room: &mut Room| {
            let mut value = self.values.show(path, room);
            if let (Some(mark), Some(entry)) = (&mut value.mark, self.values.entry(path)) {
                // The line of the state says it for all values of the last answer.
                mark.quiet = entry.field.as_deref() == Some(field.key.as_str())
                    && entry.fetched_at == state.fetched_at;
            }
            value
        };
        for target in targets.iter().take(most) {
            if room.has(LEAST) {
                card.values.push(show(&target.path.to_string(), room));
            }
        }
        name_apart(&mut card.values, self.values.case_type);
        card.more = targets.len().saturating_sub(card.values.len());
        card.answer = call.output_variable.as_deref().and_then(|name| {
            self.values.get(name)?;
            Some(show(name, room))
        });
        let has_values = card.values.iter().any(|value| !value.nothing) || card.answer.is_some();
        card.bare = !has_values;
        card.kept = has_values && (state.status == FieldStatus::Failed || is_kept(state));
        card.trouble = state.error.as_ref().map(|error| trouble(error, state, has_values, self.values.now));
        card.why = call
            .when
            .as_ref()
            .filter(|_| state.reason == Some(Reason::Condition))
            .map(|when| cut(when.source(), 600));
        if !card.kept && card.values.first().is_some_and(|value| value.holds == Some(false)) {
            card.state.says_no();
        }
        card.overrides = state.overridden.iter().map(|path| self.over(path)).collect();
        if self.works {
            let scope = Scope::Field(field.key.clone());
            card.type_over = (!targets.is_empty()).then(|| self.here.edit(&scope));
            card.input = (self.asked.input.as_ref() == Some(&field.key)).then(InputForm::default);
            if self.asked.edit.as_ref() == Some(&scope) {
                card.form = FormView::fresh(self.values, &scope, self.asked.at.as_deref(), room);
            }
        }
    }

    fn over(&self, path: &str) -> Override {
        let encoded: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
        let url = self.here.below(&format!("/overrides/{}/clear", encoded.replace('+', "%20")));
        Override { word: w::clear_override(&self.values.named(path)), url }
    }
}

/// Whether a run failed that left the state as it was: the provider was paused.
fn is_kept(state: &FieldState) -> bool {
    state.status == FieldStatus::Succeeded && state.error.is_some()
}

/// About the bytes that a value takes on the page.
fn rough(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::String(text) => written(text).min(1_000),
        serde_json::Value::Array(_) | serde_json::Value::Object(_) => value.to_string().len().min(8_000),
        _ => 16,
    }
}

impl CardView {
    /// The refresh of the menu has the key unless the first button is one.
    pub fn key_of_refresh(&self) -> &'static str {
        if self.first.as_ref().is_some_and(|first| first.key == "r") { "" } else { "r" }
    }
}
