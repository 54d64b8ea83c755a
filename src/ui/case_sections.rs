//! The left of a case's page: the sections of its type in reading order, each with its plain
//! fields and the cards of its API Call fields, and last what no field names.

use super::case_address::Scope;
use super::case_cards::{CardView, Cards, Open, SHORT};
use super::case_form::FormView;
use super::case_places::additional;
use super::case_room::{Room, within, written};
use super::case_values::{LEAST, ValueView};
use super::words::case as w;
use crate::domain::case_type::CaseType;
use crate::domain::field::{Field, Visibility};
use crate::domain::mapping::is_empty;

/// Values of the additional data that are shown.
const MOST: usize = 60;
/// Bytes of a section's heading beside its name, which stands there three times, and of a name
/// when there is no room.
const HEADING: usize = 600;
const SHORT_NAME: usize = 60;

/// A section.
#[derive(Debug, Clone)]
pub struct SectionView {
    /// Its id on the page.
    pub anchor: String,
    pub name: String,
    pub hint: Option<&'static str>,
    /// Its plain fields, those apart that a card of the section shows.
    pub values: Vec<ValueView>,
    /// How many there was no room for.
    pub more: usize,
    /// Where its form is.
    pub edit: Option<String>,
    pub form: Option<FormView>,
    pub cards: Vec<CardView>,
}

impl SectionView {
    /// Whether all that it has is out of sight.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.form.is_none() && self.cards.iter().all(|card| card.hidden)
    }
}

/// Leaves nothing but what somebody types into.
pub fn leave_alone(sections: &mut Vec<SectionView>) {
    for section in sections.iter_mut() {
        section.values.clear();
        section.more = 0;
        section.cards.retain(|card| card.form.is_some() || card.input.is_some());
    }
    sections.retain(|section| section.form.is_some() || !section.cards.is_empty());
}

/// What the fields of a case type take on a page at the least.
pub fn least(case_type: &CaseType) -> usize {
    let cards = case_type.api_calls().count();
    cards * SHORT + (case_type.fields.len() - cards) * LEAST
}

impl Cards<'_> {
    /// All sections that have something to show.
    pub fn sections(&self, room: &mut Room) -> Vec<SectionView> {
        let case_type = self.values.case_type;
        let named =
            case_type.sections.iter().map(|section| (Some(section.key.clone()), section.name.clone()));
        let other = if case_type.sections.is_empty() { w::DETAILS } else { w::OTHER };
        let all = named.chain([(None, other.to_owned())]);
        let mut sections = Vec::new();
        for (key, name) in all {
            let fields: Vec<&Field> = case_type.fields.iter().filter(|field| field.section == key).collect();
            if !fields.is_empty() {
                sections.push(self.section(&Scope::Section(key), name, &fields, room));
            }
        }
        sections.extend(self.additional(room));
        sections
    }

    fn section(&self, scope: &Scope, name: String, fields: &[&Field], room: &mut Room) -> SectionView {
        let plain: Vec<&&Field> = fields.iter().filter(|field| field.plain().is_some()).collect();
        let mut values = Vec::new();
        let form = self.form(scope);
        if form.is_some() {
            room.free(plain.len() * LEAST);
        }
        let heading = HEADING + 3 * written(&name);
        let name = if room.take(heading) { name } else { within(&name, SHORT_NAME) };
        for field in plain.iter().filter(|_| form.is_none()) {
            room.free(LEAST);
            if self.is_shown(field, fields) {
                values.push(self.values.show(field.key.as_str(), room));
            }
        }
        let mut cards = Vec::new();
        for field in fields {
            if let Some(call) = field.api_call() {
                room.free(SHORT);
                cards.extend(self.card(field, call, room));
            }
        }
        let editable = plain.iter().any(|field| field.visibility != Visibility::Hidden);
        SectionView {
            anchor: scope.anchor(),
            name,
            hint: None,
            values,
            more: 0,
            edit: Some(self.here.edit(scope)).filter(|_| self.works && editable && form.is_none()),
            form,
            cards,
        }
    }

    /// A plain field that a card of the same section shows is not shown twice.
    fn is_shown(&self, field: &Field, fields: &[&Field]) -> bool {
        let key = field.key.as_str();
        let on_card =
            fields.iter().filter(|other| other.visibility == Visibility::AlwaysVisible).any(|other| {
                let call = other.api_call();
                call.is_some_and(|call| {
                    call.mapping.targets().iter().any(|target| target.path.to_string() == key)
                })
            });
        let wanted = match field.visibility {
            Visibility::AlwaysVisible => true,
            Visibility::HideWhenEmpty => !is_empty(self.values.get(key)),
            Visibility::Hidden => false,
        };
        wanted && !on_card
    }

    fn form(&self, scope: &Scope) -> Option<FormView> {
        match self.open {
            Some(Open::Form(form)) if form.scope == *scope => Some(form.clone()),
            _ => None,
        }
    }

    fn additional(&self, room: &mut Room) -> Option<SectionView> {
        let scope = Scope::Additional;
        let form = self.form(&scope);
        let names = additional(self.values);
        if names.is_empty() && form.is_none() {
            return None;
        }
        let most = if form.is_none() { MOST } else { 0 };
        let mut values = Vec::new();
        for name in names.iter().take(most) {
            if room.has(LEAST) {
                values.push(self.values.show(name, room));
            }
        }
        Some(SectionView {
            anchor: scope.anchor(),
            name: w::ADDITIONAL.to_owned(),
            hint: Some(w::ADDITIONAL_HINT),
            more: if form.is_none() { names.len() - values.len() } else { 0 },
            values,
            edit: Some(self.here.edit(&scope)).filter(|_| self.works && form.is_none()),
            form,
            cards: Vec::new(),
        })
    }
}
