//! The card of an API Call field: what it fetched, how it stands, and what to do now.

use super::case_address::{Asked, Here, Scope, card_anchor};
use super::case_first::{FirstAction, live};
use super::case_form::FormView;
use super::case_room::{Room, within, written};
use super::case_trouble::{Trouble, trouble};
use super::case_values::{LEAST, ValueView, Values, name_apart};
use super::state::StateView;
use super::value::cut;
use super::words::case as w;
use crate::domain::api_call::ApiCall;
use crate::domain::field::{Field, Visibility};
use crate::domain::ids::FieldKey;
use crate::domain::mapping::is_empty;
use crate::domain::run::{FieldState, FieldStatus, Reason};

/// Values on one card, unless it was asked for by name.
const MOST_VALUES: usize = 40;
const MOST_VALUES_OPEN: usize = 200;
/// Overrides that a card's menu clears.
const MOST_OVERRIDES: usize = 20;
/// Bytes of the values of one card, of what is on it beside its texts, and of a short one.
const VALUES: usize = 60_000;
const AROUND: usize = 4_200;
pub const SHORT: usize = 900;
/// Bytes of a button that is a form, beside what every link carries along.
const BUTTON: usize = 420;

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
    /// The form that is open on the page.
    pub open: Option<&'c Open>,
}

/// What somebody types into.
#[derive(Debug)]
pub enum Open {
    /// A form over a part of the case.
    Form(FormView),
    /// A run of a field with input.
    Input(FieldKey, InputForm),
}

impl Cards<'_> {
    /// The card of a field; short when there is no room for it.
    pub fn card(&self, field: &Field, call: &ApiCall, room: &mut Room) -> Option<CardView> {
        if field.visibility == Visibility::Hidden {
            return None;
        }
        let state = &self.values.view.fields.iter().find(|(key, _)| *key == field.key)?.1;
        let mut card = self.bare(field, call, state);
        if field.visibility == Visibility::HideWhenEmpty && self.is_idle(call, state) && !self.is_open(field)
        {
            card.hidden = true;
            return Some(card);
        }
        let asked = self.asked.open.as_deref() == Some(field.key.as_str()) || self.is_open(field);
        let most = if asked { MOST_VALUES_OPEN } else { MOST_VALUES };
        self.fill(&mut card, (field, call, state), most);
        let weight = card.weight(self.here.view.as_deref().map_or(0, written));
        if asked {
            room.spend(weight);
        } else if !room.take(weight) {
            room.spend(SHORT);
            return Some(self.short(field, self.bare(field, call, state)));
        }
        Some(card)
    }

    /// What is left of a card when there is no room for it.
    fn short(&self, field: &Field, card: CardView) -> CardView {
        let name = within(&card.name, 80);
        let state = StateView { before: within(&card.state.before, 160), badges: Vec::new(), ..card.state };
        CardView {
            short: Some(self.here.page(&[("open", field.key.as_str())], &card.anchor)),
            says: name.clone(),
            name,
            state,
            ..card
        }
    }

    /// Whether somebody types into something on this card.
    fn is_open(&self, field: &Field) -> bool {
        match self.open {
            Some(Open::Form(form)) => form.scope == Scope::Field(field.key.clone()),
            Some(Open::Input(key, _)) => *key == field.key,
            None => false,
        }
    }

    /// Nothing to show and nothing under way.
    fn is_idle(&self, call: &ApiCall, state: &FieldState) -> bool {
        let quiet = [FieldStatus::NeverRun, FieldStatus::Skipped, FieldStatus::Disabled];
        quiet.contains(&state.status)
            && call.targets.iter().all(|target| is_empty(self.values.get(&target.to_string())))
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

    fn fill(&self, card: &mut CardView, (field, call, state): (&Field, &ApiCall, &FieldState), most: usize) {
        let mut room = Room::new(VALUES, 0);
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
                card.values.push(show(&target.path.to_string(), &mut room));
            }
        }
        name_apart(&mut card.values, self.values.case_type);
        card.more = targets.len().saturating_sub(card.values.len());
        card.answer = call.output_variable.as_deref().and_then(|name| {
            self.values.get(name)?;
            Some(show(name, &mut room))
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
        card.overrides = state.overridden.iter().take(MOST_OVERRIDES).map(|path| self.over(path)).collect();
        if self.works {
            let scope = Scope::Field(field.key.clone());
            card.type_over = (!targets.is_empty()).then(|| self.here.edit(&scope));
        }
        match self.open {
            Some(Open::Form(form)) if self.is_open(field) => card.form = Some(form.clone()),
            Some(Open::Input(_, input)) if self.is_open(field) => card.input = Some(input.clone()),
            _ => {}
        }
    }

    fn over(&self, path: &str) -> Override {
        let encoded: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
        let url = self.here.below(&format!("/overrides/{}/clear", encoded.replace('+', "%20")));
        Override { word: w::clear_override(&cut(&self.values.named(path), 80)), url }
    }
}

/// Whether a run failed that left the state as it was: the provider was paused.
fn is_kept(state: &FieldState) -> bool {
    state.status == FieldStatus::Succeeded && state.error.is_some()
}

impl CardView {
    /// Bytes that it takes on the page; `view` are those that every link of it carries along.
    fn weight(&self, view: usize) -> usize {
        let texts =
            [Some(&self.name), self.description.as_ref(), self.why.as_ref(), Some(&self.state.before)];
        let texts: usize = texts.into_iter().flatten().map(|text| written(text)).sum();
        let buttons = self.overrides.len() + 5;
        let overrides: usize = self.overrides.iter().map(|over| BUTTON + written(&over.word)).sum();
        let values: usize = self.values.iter().chain(&self.answer).map(ValueView::weight).sum();
        let form = self.form.as_ref().map_or(0, FormView::weight);
        let input = self.input.as_ref().map_or(0, |input| written(&input.text));
        let trouble = self.trouble.as_ref().map_or(0, Trouble::weight);
        AROUND + 3 * texts + overrides + (2 * buttons + 2) * view + values + form + input + trouble
    }

    /// The refresh of the menu has the key unless the first button is one.
    pub fn key_of_refresh(&self) -> &'static str {
        if self.first.as_ref().is_some_and(|first| first.key == "r") { "" } else { "r" }
    }
}
