//! What becomes of a run after an attempt, as a value: decided here, written by the store.

use std::time::Duration;

use super::context::{Engine, Trace};
use crate::domain::clock::Instant;
use crate::domain::failure::{Failure, FailureCode, Follow, RunError};
use crate::domain::lane::{Because, Refused};
use crate::domain::retry::{self, Budget, Failed, Next};
use crate::domain::run::{NewRun, Reason, RunStatus, WaitingFor};
use crate::store::{ClaimedRun, Ending, Verdict};

/// When asking again is worth it while somebody else finds out whether a provider is back.
const SOON: Duration = Duration::from_secs(5);

/// It is not wanted any more.
pub(super) fn cancelled(run: &ClaimedRun, reason: Reason, at: Instant) -> Verdict {
    let sentence = match reason {
        Reason::Disabled => "The field was switched off before this run began.",
        _ => "The field is no longer part of the case type.",
    };
    let error = Some(RunError::cancelled(sentence, run.attempt, at));
    Verdict::Ended(Ending { reason: Some(reason), error, ..ending(RunStatus::Cancelled) })
}

/// A newer run takes its place.
pub(super) fn superseded(run: &ClaimedRun, successor: Option<Box<NewRun>>, at: Instant) -> Verdict {
    let error = Some(RunError::superseded(successor.is_some(), run.attempt, at));
    let reason = Some(Reason::Superseded);
    Verdict::Ended(Ending { reason, error, successor, ..ending(RunStatus::Cancelled) })
}

/// A run that its lane refuses waits; a manual one ends, so that whoever stands before the screen
/// knows. What its field shows stays.
pub(super) fn refused_by_lane(run: &ClaimedRun, trace: &Trace, refused: Refused, at: Instant) -> Verdict {
    let first = run.attempt == 1;
    let code = match refused.because {
        Because::Circuit | Because::Stopped => FailureCode::CircuitOpen,
        Because::Disabled => FailureCode::ConnectionDisabled,
        Because::Held | Because::Limit => FailureCode::RateLimited,
    };
    let ends = matches!(refused.because, Because::Circuit | Because::Stopped | Because::Disabled);
    if !(ends && first && run.by_hand) {
        let (waiting_for, opens_at) = (refused.because.waiting_for(), refused.opens_at);
        return Verdict::Park { waiting_for, opens_at, unbegin: first };
    }
    let detail = format!("no call was made: the lane `{}` lets none go now", run.lane);
    let follow = match refused.because {
        Because::Disabled => Follow::Over,
        // While a probe is under way nobody knows, but soon.
        _ => Follow::NotBefore(refused.opens_at.filter(|opens| *opens > at).unwrap_or(at + SOON)),
    };
    // Without any call it was no attempt.
    let attempt = if trace.calls.is_empty() { 0 } else { run.attempt };
    let failure = Failure { by_hand: refused.because == Because::Stopped, ..Failure::new(code, detail) };
    let error = Some(RunError::new(failure, trace.provider(), attempt, at, follow));
    Verdict::Ended(Ending { error, keeps_state: true, ..ending(RunStatus::Failed) })
}

/// Our own trouble, which repeating does not mend.
pub(super) fn internal(run: &ClaimedRun, detail: &str, at: Instant) -> Verdict {
    let failure = Failure::new(FailureCode::Internal, detail);
    let error = Some(RunError::new(failure, "Dossier", run.attempt, at, Follow::Over));
    Verdict::Ended(Ending { error, ..ending(RunStatus::Failed) })
}

/// Another attempt later, or the end.
pub(super) fn failed(
    engine: &Engine,
    run: &ClaimedRun,
    trace: &Trace,
    failure: Failure,
    at: Instant,
) -> Verdict {
    let is_limited = failure.retryable && failure.is_limited();
    let limited = run.limited + u32::from(is_limited);
    let used = run.attempt.saturating_sub(limited + run.lost);
    let retries = run.attempts_max.saturating_sub(1 + run.limited + run.lost);
    let seen = Failed { retryable: failure.retryable, limited: is_limited, asked: failure.asked };
    let error =
        |failure: Failure, follow| Some(RunError::new(failure, trace.provider(), run.attempt, at, follow));
    match retry::next(seen, Budget { retries, used, limited }, engine.rng.fraction()) {
        Next::Again(wait) => {
            let due_at = at + wait;
            Verdict::Again {
                due_at,
                not_before: failure.asked.map(|asked| at + asked),
                waiting_for: if is_limited { WaitingFor::RateLimit } else { WaitingFor::Retry },
                free: is_limited,
                limited: is_limited,
                error: error(failure, Follow::Retry(due_at)),
            }
        }
        Next::Over => {
            Verdict::Ended(Ending { error: error(failure, Follow::Over), ..ending(RunStatus::Failed) })
        }
        Next::TooLong(asked) => {
            let failure = renamed(failure, is_limited);
            let follow = Follow::NotBefore(at + asked);
            Verdict::Ended(Ending { error: error(failure, follow), ..ending(RunStatus::Failed) })
        }
        Next::LimitedTooOften => {
            let failure = renamed(failure, true);
            Verdict::Ended(Ending { error: error(failure, Follow::Over), ..ending(RunStatus::Failed) })
        }
    }
}

fn renamed(failure: Failure, limited: bool) -> Failure {
    if limited { Failure { code: FailureCode::RateLimited, ..failure } } else { failure }
}

/// The run waits again under the same key and has used up no retry.
pub(super) const fn given_back(at: Instant) -> Verdict {
    Verdict::Again {
        due_at: at,
        not_before: None,
        waiting_for: WaitingFor::Worker,
        free: true,
        limited: false,
        error: None,
    }
}

/// An end without anything to say.
pub(super) const fn ending(status: RunStatus) -> Ending {
    Ending {
        status,
        reason: None,
        missing: Vec::new(),
        error: None,
        effect: None,
        successor: None,
        cached_from: None,
        keeps_state: false,
    }
}
