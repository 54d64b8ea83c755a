//! What to do first about a field: the one button of its card.

use super::case_address::{Scope, card_anchor};
use super::case_cards::Cards;
use super::state::First;
use super::words::case as w;
use super::words::states;
use crate::domain::api_call::ApiCall;
use crate::domain::field::Field;
use crate::domain::ids::RunId;
use crate::domain::run::{FieldState, FieldStatus, WaitingFor};

/// What to do first.
#[derive(Debug, Clone)]
pub struct FirstAction {
    /// Where it is sent or leads.
    pub url: String,
    /// What is read.
    pub word: String,
    /// Whether it is a form that is sent.
    pub sends: bool,
    /// The key that does it.
    pub key: &'static str,
}

impl Cards<'_> {
    /// What to do first, as far as whoever looks may.
    pub fn first(&self, field: &Field, state: &FieldState, first: First) -> Option<FirstAction> {
        let link = |url: String, word: String| Some(FirstAction { url, word, sends: false, key: "" });
        let sends = |url: String, word: &str, key| {
            let action = FirstAction { url, word: word.to_owned(), sends: true, key };
            Some(action).filter(|_| self.works)
        };
        match first {
            First::Refresh(word) => {
                sends(self.here.below(&format!("/fields/{}/refresh", field.key)), word, "r")
            }
            First::Cancel => sends(format!("/runs/{}/cancel", live(state)?), states::CANCEL, ""),
            First::Details => match (state.waiting_for, &state.connection, state.run_id) {
                (Some(WaitingFor::Circuit | WaitingFor::Connection | WaitingFor::Budget), Some(key), _) => {
                    link(format!("/connections/{key}"), states::DETAILS.to_owned())
                }
                (_, _, Some(run)) => link(format!("/runs/{run}"), states::DETAILS.to_owned()),
                _ => None,
            },
            First::Input => self.input_link(state.missing.first()?),
            First::Nothing => None,
        }
    }

    /// To where a missing value comes from: its input, or the field that fetches it.
    fn input_link(&self, missing: &str) -> Option<FirstAction> {
        let path = missing.strip_prefix("data.").unwrap_or(missing);
        let case_type = self.values.case_type;
        let link = |url: String, word: String| Some(FirstAction { url, word, sends: false, key: "" });
        let name = self.values.named(missing);
        if let Some(field) = case_type.field(path).filter(|field| field.plain().is_some()) {
            let scope = Scope::Section(field.section.clone());
            let url = self.here.page(&[("edit", &scope.word()), ("at", path)], "");
            return link(url, w::fill_in(&name)).filter(|_| self.works);
        }
        if missing.starts_with("case.") {
            return link(self.here.edit(&Scope::Case), w::fill_in(&name)).filter(|_| self.works);
        }
        let writes = |call: &ApiCall| call.targets.iter().any(|target| lies_in(path, &target.to_string()));
        if let Some((key, _)) = case_type.api_calls().find(|(_, call)| writes(call)) {
            let name = self.values.field_name(key.as_str());
            return link(format!("#{}", card_anchor(key.as_str())), w::go_to(&name));
        }
        let scope = Scope::Additional.word();
        let url = self.here.page(&[("edit", &scope), ("at", path)], "");
        link(url, w::fill_in(&name)).filter(|_| self.works && case_type.additional_data)
    }
}

/// The run of a field that waits or works.
pub fn live(state: &FieldState) -> Option<RunId> {
    state.run_id.filter(|_| matches!(state.status, FieldStatus::Queued | FieldStatus::Running))
}

fn lies_in(path: &str, target: &str) -> bool {
    path == target
        || path.strip_prefix(target).is_some_and(|rest| rest.starts_with('.'))
        || target.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
}
