//! What went wrong on a card: the sentence for the case manager, what it means for the values
//! shown, and what a builder reads of it one click away.

use super::case_room::written;
use super::moment::Moment;
use super::value::cut;
use super::words::case as w;
use super::words::values::quoted;
use crate::domain::clock::Instant;
use crate::domain::failure::RunError;
use crate::domain::run::FieldState;

/// What went wrong.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// What happened and what to do.
    pub sentence: String,
    /// What it means for the values shown.
    pub meaning: Option<&'static str>,
    /// How old they are.
    pub since: Option<Moment>,
    /// Attempts.
    pub attempts: Option<String>,
    /// For the builder: name, value.
    pub facts: Vec<(&'static str, String)>,
    /// How the answer began.
    pub excerpt: Option<String>,
}

impl Trouble {
    /// Bytes that it takes on the page.
    pub fn weight(&self) -> usize {
        let facts: usize = self.facts.iter().map(|(_, text)| 100 + written(text)).sum();
        600 + written(&self.sentence) + facts + self.excerpt.as_deref().map_or(0, written)
    }
}

/// The trouble of a field whose values, if it has any, are those of an older answer.
pub fn trouble(error: &RunError, state: &FieldState, has_values: bool, now: Instant) -> Trouble {
    let provider = error.provider.as_ref();
    let facts = [
        (w::CODE, Some(error.code.as_str().to_owned())),
        (w::HTTP_STATUS, error.http_status.map(|status| status.to_string())),
        (w::PROVIDER_CODE, provider.and_then(|provider| provider.code.clone())),
        (w::PROVIDER_SAYS, provider.and_then(|provider| provider.description.clone())),
        (w::DETAIL, error.detail.clone()),
        (w::CONNECTION, state.connection.clone()),
    ];
    let facts = facts.into_iter().filter_map(|(name, text)| Some((name, cut(&text?, 1_000)))).collect();
    let since = state.fetched_at.or(state.last_success_at).filter(|_| has_values);
    Trouble {
        sentence: cut(&quoted(error.happened()), 1_000),
        meaning: match (has_values, since) {
            (true, Some(_)) => Some(w::FROM_LAST_GOOD),
            (true, None) => Some(w::SHOWN_STAYS),
            (false, _) => Some(w::NO_ANSWER_YET),
        },
        since: since.map(|at| Moment::age(at, now)),
        attempts: (state.attempts_max > 1 && error.attempt > 0)
            .then(|| w::attempt(error.attempt, state.attempts_max)),
        facts,
        excerpt: error.body_excerpt.as_deref().filter(|text| !text.is_empty()).map(|text| cut(text, 2_048)),
    }
}
