//! When a failed attempt is repeated: pure, with the dice handed in.
//!
//! Waiting time before retry *n*: exponential backoff with jitter over its upper half,
//! `min(300 s, 1 s × 2^(n-1))`, and never less than what the provider asked for by
//! `Retry-After` (RFC 9110, section 10.2.3). The wait is a `due_at` in a row; nothing sleeps.

use std::time::Duration;

/// First delay.
const BASE: Duration = Duration::from_secs(1);
/// Longest delay of our own choosing.
const CAP: Duration = Duration::from_mins(5);
/// A provider that asks for more than this ends the run, which then says when to come back.
pub const LONGEST_ASKED: Duration = Duration::from_hours(1);
/// How often one run waits for a provider that answers 429.
pub const MAX_LIMITED: u32 = 20;
/// How often one run may lose its worker.
pub const MAX_LOST: u32 = 20;

/// Our own delay before retry `n` (from 1). `jitter` is in `0.0..1.0`.
pub fn delay(n: u32, jitter: f64) -> Duration {
    let doublings = n.saturating_sub(1).min(20);
    let full = BASE.saturating_mul(1 << doublings).min(CAP);
    full.mul_f64(0.5 + jitter / 2.0)
}

/// What is known when an attempt has failed.
#[derive(Debug, Clone, Copy)]
pub struct Failed {
    /// Whether repeating it can help at all.
    pub retryable: bool,
    /// Whether the provider answered 429, which uses up no retry.
    pub limited: bool,
    /// The provider's `Retry-After`.
    pub asked: Option<Duration>,
}

/// How far a run has come with its retries.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Retries that the field allows after the first attempt.
    pub retries: u32,
    /// Failed attempts so far that count, this one included unless it was limited.
    pub used: u32,
    /// Answers 429 so far, this one included.
    pub limited: u32,
}

/// What happens after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The same run is due again after this long.
    Again(Duration),
    /// The run is over.
    Over,
    /// The run is over because the provider asked for a longer wait than we hold a run.
    TooLong(Duration),
    /// The run is over because the provider kept answering 429.
    LimitedTooOften,
}

/// Decides on the next attempt.
pub fn next(failed: Failed, budget: Budget, jitter: f64) -> Next {
    if !failed.retryable {
        return Next::Over;
    }
    let spent = if failed.limited { budget.limited > MAX_LIMITED } else { budget.used > budget.retries };
    match failed.asked {
        Some(asked) if asked > LONGEST_ASKED => Next::TooLong(asked),
        _ if spent && failed.limited => Next::LimitedTooOften,
        _ if spent => Next::Over,
        asked => {
            let n = if failed.limited { budget.limited } else { budget.used };
            Next::Again(delay(n, jitter).max(asked.unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn failed(limited: bool, asked: Option<u64>) -> Failed {
        Failed {
            retryable: true,
            limited,
            asked: match asked {
                Some(s) => Some(Duration::from_secs(s)),
                None => None,
            },
        }
    }

    const fn budget(used: u32, limited: u32) -> Budget {
        Budget { retries: 3, used, limited }
    }

    #[test]
    fn delays_double_up_to_five_minutes_and_jitter_takes_off_at_most_half() {
        let full: Vec<u64> = (1..=11).map(|n| delay(n, 1.0).as_secs()).collect();
        assert_eq!(full, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(delay(3, 0.0), Duration::from_secs(2));
        assert_eq!(delay(u32::MAX, 0.0), Duration::from_secs(150));
    }

    #[test]
    fn three_retries_follow_the_first_attempt() {
        assert_eq!(next(failed(false, None), budget(3, 0), 1.0), Next::Again(Duration::from_secs(4)));
        assert_eq!(next(failed(false, None), budget(4, 0), 1.0), Next::Over);
    }

    #[test]
    fn the_longer_of_ours_and_theirs_holds() {
        assert_eq!(next(failed(false, Some(60)), budget(1, 0), 1.0), Next::Again(Duration::from_mins(1)));
        assert_eq!(next(failed(false, Some(0)), budget(2, 0), 1.0), Next::Again(Duration::from_secs(2)));
    }

    #[test]
    fn over_an_hour_ends_the_run() {
        assert_eq!(next(failed(false, Some(3600)), budget(1, 0), 1.0), Next::Again(Duration::from_hours(1)));
        let asked = Duration::from_secs(3601);
        assert_eq!(next(failed(false, Some(3601)), budget(1, 0), 1.0), Next::TooLong(asked));
        // Also when the retries are used up: the person is told when asking is worth it.
        assert_eq!(next(failed(false, Some(3601)), budget(4, 0), 1.0), Next::TooLong(asked));
    }

    #[test]
    fn a_429_waits_twenty_times_without_using_up_a_retry() {
        assert_eq!(next(failed(true, None), budget(9, 20), 1.0), Next::Again(Duration::from_mins(5)));
        assert_eq!(next(failed(true, None), budget(0, 21), 1.0), Next::LimitedTooOften);
    }

    #[test]
    fn what_cannot_be_mended_by_repeating_is_over() {
        let hopeless = Failed { retryable: false, limited: false, asked: None };
        assert_eq!(next(hopeless, budget(1, 0), 0.5), Next::Over);
    }
}
