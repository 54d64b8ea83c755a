//! States, in the same words everywhere.

pub const NOT_RUN: &str = "Not run yet";
pub const WAITS_FOR: &str = "Waits for";
pub const NOT_NEEDED: &str = "Not needed here";
pub const WAITING_TURN: &str = "Waiting its turn";
pub const AFTER_PREDECESSOR: &str = "Waits for the run before it";
pub const ON_HOLD: &str = "Connection on hold or switched off";
pub const NO_BUDGET: &str = "Budget used up";
pub const LIMIT: &str = "Provider’s limit reached, about";
pub const LIMIT_SOME_TIME: &str = "Provider’s limit reached";
pub const PAUSED: &str = "Provider paused until";
pub const PAUSED_SOME_TIME: &str = "Provider paused after failures";
pub const RUNNING: &str = "Running";
pub const RUNNING_SINCE: &str = "Running, began";
pub const UP_TO_DATE: &str = "Up to date,";
/// … and what is out of date is not said to be.
pub const FETCHED: &str = "Fetched";
pub const UP_TO_DATE_ALONE: &str = "Up to date";
pub const FAILED: &str = "Failed";
pub const FAILED_AT: &str = "Failed";
pub const SWITCHED_OFF: &str = "Switched off";

pub const CACHED: &str = "cached";
pub const STALE: &str = "stale";
pub const INPUTS_CHANGED: &str = "inputs changed since";
/// A call that went well, and whose answer is no.
pub const ANSWER_NO: &str = "answer: no";
pub const TYPED_OVER: &str = "typed by hand";

pub const RUN: &str = "Run";
pub const REFRESH: &str = "Refresh";
pub const RUN_AGAIN: &str = "Run again";
pub const TRY_NOW: &str = "Try now";
pub const CANCEL: &str = "Cancel";
pub const DETAILS: &str = "Details";

/// `Try 2 of 4 at`, before a time.
pub fn next_try(attempt: u32, of: u32) -> String {
    format!("Try {attempt} of {of} at")
}

/// Paths as people would name them: `VAT number and country`.
pub fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [name] => name.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}
