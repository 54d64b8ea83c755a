//! Where a run stands, as pages say it: the words of a field's state, and those that only a run has.

use crate::domain::clock::Instant;
use crate::domain::run::{FieldState, FieldStatus, Outcome, Reason, Run, RunStatus};
use crate::ui::state::{Badge, First, StateView, Tone};
use crate::ui::words::{runs as w, states};

/// The state of a run at `now`.
pub fn of_run(run: &Run, now: Instant) -> StateView {
    match run.status {
        RunStatus::Queued | RunStatus::Running => {
            // The sentence of the error stands beside it.
            StateView { after: String::new(), ..StateView::new(&as_field(run), now, str::to_owned) }
        }
        RunStatus::Succeeded => {
            let cached = Badge { class: "cached", word: states::CACHED };
            let badges = if run.cached { vec![cached] } else { Vec::new() };
            StateView { badges, ..plain(Tone::Good, "check", w::status(run.status)) }
        }
        RunStatus::Failed => plain(Tone::Failed, "cross", w::status(run.status)),
        RunStatus::Skipped if run.reason == Some(Reason::MissingInput) => {
            plain(Tone::Quiet, "dash", w::lacks(&states::listed(&run.missing)))
        }
        RunStatus::Skipped => plain(Tone::Quiet, "dash", with_reason(run)),
        RunStatus::Cancelled => plain(Tone::Quiet, "slash", with_reason(run)),
    }
}

/// How an attempt ended.
pub fn of_outcome(outcome: Outcome) -> StateView {
    let (tone, icon) = match outcome {
        Outcome::Ok => (Tone::Good, "check"),
        Outcome::Failed => (Tone::Failed, "cross"),
        Outcome::Unknown => (Tone::Waiting, "warn"),
    };
    plain(tone, icon, w::outcome(outcome))
}

/// A state that is an icon and words.
pub fn plain(tone: Tone, icon: &'static str, words: impl Into<String>) -> StateView {
    let (moment, after, badges, first) = (None, String::new(), Vec::new(), First::Nothing);
    StateView { tone, icon, before: words.into(), moment, after, badges, first }
}

fn with_reason(run: &Run) -> String {
    let status = w::status(run.status);
    run.reason.map_or_else(|| status.to_owned(), |reason| format!("{status}: {}", w::reason(reason)))
}

fn as_field(run: &Run) -> FieldState {
    FieldState {
        status: if run.status == RunStatus::Running { FieldStatus::Running } else { FieldStatus::Queued },
        waiting_for: run.waiting_for,
        attempt: run.attempt,
        attempts_max: run.attempts_max,
        last_attempt_at: run.started_at,
        next_attempt_at: run.due_at,
        ..FieldState::never_run()
    }
}
