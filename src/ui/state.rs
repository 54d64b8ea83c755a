//! Where a field stands, as every page says it: an icon, a sentence with its time, badges, and
//! what to do first. One table for all pages, so that list and case never say different things.

use crate::domain::clock::Instant;
use crate::domain::run::{FieldState, FieldStatus, Reason, WaitingFor};
use crate::ui::moment::Moment;
use crate::ui::words::states as w;

/// The colour of a state, which an icon and a word always go with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It worked.
    Good,
    /// It waits, and nothing is wrong.
    Waiting,
    /// A worker is at it.
    Running,
    /// It failed.
    Failed,
    /// Nothing happens, and nothing has to.
    Quiet,
}

impl Tone {
    /// The class of it.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Quiet => "quiet",
        }
    }
}

/// What a person would do first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// Run it; the word says how the button reads.
    Refresh(&'static str),
    /// Stop its run.
    Cancel,
    /// Look at its run or connection.
    Details,
    /// Go to the input that is missing.
    Input,
    /// Nothing.
    Nothing,
}

/// A word beside a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Badge {
    /// The class of it.
    pub class: &'static str,
    /// What is read.
    pub word: &'static str,
}

/// A state as it is shown: `icon before moment after`, and badges beside it.
#[derive(Debug, Clone)]
pub struct StateView {
    /// Its colour.
    pub tone: Tone,
    /// The id of its icon.
    pub icon: &'static str,
    /// The words, up to the time.
    pub before: String,
    /// The time.
    pub moment: Option<Moment>,
    /// The words after the time.
    pub after: String,
    /// `cached`, `stale` …
    pub badges: Vec<Badge>,
    /// What to do first.
    pub first: First,
}

impl StateView {
    /// The state at `now`; `named` says how people name a path.
    pub fn new(state: &FieldState, now: Instant, named: impl Fn(&str) -> String) -> Self {
        let view = match state.status {
            FieldStatus::NeverRun => Self::of(Tone::Quiet, "hollow", w::NOT_RUN, First::Refresh(w::RUN)),
            FieldStatus::Skipped => skipped(state, named),
            FieldStatus::Queued => queued(state, now),
            FieldStatus::Running => running(state, now),
            FieldStatus::Succeeded => succeeded(state, now),
            FieldStatus::Failed => failed(state, now),
            FieldStatus::Disabled => Self::of(Tone::Quiet, "slash", w::SWITCHED_OFF, First::Nothing),
        };
        Self { badges: badges(state), ..view }
    }

    /// The call went well, and what it answered is no: said in words, and not in green.
    pub fn says_no(&mut self) {
        if self.tone == Tone::Good {
            self.tone = Tone::Quiet;
            self.badges.insert(0, Badge { class: "answer", word: w::ANSWER_NO });
        }
    }

    fn of(tone: Tone, icon: &'static str, words: impl Into<String>, first: First) -> Self {
        let before = words.into();
        Self { tone, icon, before, moment: None, after: String::new(), badges: Vec::new(), first }
    }

    fn at(self, moment: Moment) -> Self {
        Self { moment: Some(moment), ..self }
    }
}

fn skipped(state: &FieldState, named: impl Fn(&str) -> String) -> StateView {
    if state.reason == Some(Reason::MissingInput) {
        let missing: Vec<String> = state.missing.iter().map(|path| named(path)).collect();
        let words = format!("{} {}", w::WAITS_FOR, w::listed(&missing));
        return StateView::of(Tone::Quiet, "dash", words, First::Input);
    }
    StateView::of(Tone::Quiet, "dash", w::NOT_NEEDED, First::Details)
}

fn queued(state: &FieldState, now: Instant) -> StateView {
    let due = state.next_attempt_at.filter(|at| *at > now).map(|at| Moment::clock(at, now));
    let timed = |icon, with: &str, without: &str, first| match due {
        Some(due) => StateView::of(Tone::Waiting, icon, with, first).at(due),
        None => StateView::of(Tone::Waiting, icon, without, first),
    };
    match state.waiting_for {
        Some(WaitingFor::Retry) => {
            let words = w::next_try(state.attempt + 1, state.attempts_max);
            let view = timed("retry", &words, w::WAITING_TURN, First::Refresh(w::TRY_NOW));
            let after =
                state.error.as_ref().map(|error| format!(". {}", error.happened())).unwrap_or_default();
            StateView { after, ..view }
        }
        Some(WaitingFor::RateLimit) => timed("gauge", w::LIMIT, w::LIMIT_SOME_TIME, First::Cancel),
        Some(WaitingFor::Circuit) => timed("open", w::PAUSED, w::PAUSED_SOME_TIME, First::Details),
        Some(WaitingFor::Connection) => StateView::of(Tone::Waiting, "open", w::ON_HOLD, First::Details),
        Some(WaitingFor::Budget) => StateView::of(Tone::Waiting, "gauge", w::NO_BUDGET, First::Details),
        Some(WaitingFor::Predecessor) => {
            StateView::of(Tone::Waiting, "clock", w::AFTER_PREDECESSOR, First::Cancel)
        }
        Some(WaitingFor::Worker) | None => {
            StateView::of(Tone::Waiting, "clock", w::WAITING_TURN, First::Cancel)
        }
    }
}

fn running(state: &FieldState, now: Instant) -> StateView {
    match state.running_since {
        Some(at) => {
            StateView::of(Tone::Running, "ring", w::RUNNING_SINCE, First::Cancel).at(Moment::age(at, now))
        }
        None => StateView::of(Tone::Running, "ring", w::RUNNING, First::Cancel),
    }
}

fn succeeded(state: &FieldState, now: Instant) -> StateView {
    match state.fetched_at.or(state.last_success_at) {
        Some(at) => {
            let words = if state.stale { w::FETCHED } else { w::UP_TO_DATE };
            StateView::of(Tone::Good, "check", words, First::Refresh(w::REFRESH)).at(Moment::age(at, now))
        }
        None => StateView::of(Tone::Good, "check", w::UP_TO_DATE_ALONE, First::Refresh(w::REFRESH)),
    }
}

fn failed(state: &FieldState, now: Instant) -> StateView {
    let view = StateView::of(Tone::Failed, "cross", w::FAILED, First::Refresh(w::RUN_AGAIN));
    match state.error.as_ref().map(|error| error.at) {
        Some(at) => StateView { before: w::FAILED_AT.to_owned(), ..view }.at(Moment::age(at, now)),
        None => view,
    }
}

fn badges(state: &FieldState) -> Vec<Badge> {
    let shows_data = state.fetched_at.is_some();
    let all = [
        (state.cached && shows_data, "cached", w::CACHED),
        (state.inputs_changed, "stale", w::INPUTS_CHANGED),
        (state.stale && !state.inputs_changed, "stale", w::STALE),
        (!state.overridden.is_empty(), "quiet", w::TYPED_OVER),
    ];
    all.into_iter().filter(|(holds, ..)| *holds).map(|(_, class, word)| Badge { class, word }).collect()
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone as _, Utc};

    use super::*;

    fn said(state: &FieldState) -> String {
        let now = Utc.with_ymd_and_hms(2026, 11, 21, 14, 0, 0).unwrap();
        let view = StateView::new(state, now, |path| format!("“{path}”"));
        let moment = view.moment.map(|moment| format!(" {}", moment.text())).unwrap_or_default();
        let badges: Vec<&str> = view.badges.iter().map(|badge| badge.word).collect();
        format!("{} {}: {}{moment}{} {badges:?}", view.tone.class(), view.icon, view.before, view.after)
    }

    #[test]
    fn every_state_is_said_in_the_words_of_the_table() {
        let never = FieldState::never_run();
        let now = Utc.with_ymd_and_hms(2026, 11, 21, 14, 0, 0).unwrap();
        let soon = Some(now + TimeDelta::seconds(200));
        let queued = |waiting_for| FieldState {
            status: FieldStatus::Queued,
            waiting_for: Some(waiting_for),
            next_attempt_at: soon,
            attempt: 1,
            attempts_max: 4,
            ..never.clone()
        };
        let missing = FieldState {
            status: FieldStatus::Skipped,
            reason: Some(Reason::MissingInput),
            missing: vec!["a".into(), "b".into()],
            ..never.clone()
        };
        let good = FieldState {
            status: FieldStatus::Succeeded,
            fetched_at: Some(now - TimeDelta::seconds(120)),
            cached: true,
            stale: true,
            ..never.clone()
        };
        for (state, expected) in [
            (never.clone(), "quiet hollow: Not run yet []"),
            (missing, "quiet dash: Waits for “a” and “b” []"),
            (FieldState { status: FieldStatus::Skipped, ..never.clone() }, "quiet dash: Not needed here []"),
            (queued(WaitingFor::Worker), "waiting clock: Waiting its turn []"),
            (queued(WaitingFor::Retry), "waiting retry: Try 2 of 4 at 14:03:20 UTC []"),
            (queued(WaitingFor::RateLimit), "waiting gauge: Provider’s limit reached, about 14:03:20 UTC []"),
            (queued(WaitingFor::Circuit), "waiting open: Provider paused until 14:03:20 UTC []"),
            (queued(WaitingFor::Connection), "waiting open: Connection on hold or switched off []"),
            (queued(WaitingFor::Predecessor), "waiting clock: Waits for the run before it []"),
            (FieldState { status: FieldStatus::Running, ..never.clone() }, "running ring: Running []"),
            (FieldState { stale: false, ..good.clone() }, "good check: Up to date, 2 min ago [\"cached\"]"),
            (good, "good check: Fetched 2 min ago [\"cached\", \"stale\"]"),
            (FieldState { status: FieldStatus::Failed, ..never.clone() }, "failed cross: Failed []"),
            (never.switched_off(), "quiet slash: Switched off []"),
        ] {
            assert_eq!(said(&state), expected);
        }
    }
}
