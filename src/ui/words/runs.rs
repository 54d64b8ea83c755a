//! The history of runs, and one run.

use crate::domain::failure::FailureCode;
use crate::domain::run::{Outcome, Reason, RunStatus};
use crate::domain::trigger::Trigger;

pub const TITLE: &str = "Runs";
pub const NONE_TITLE: &str = "Nothing has run yet";
pub const NONE: &str = "A run begins when a case is made, when a value that a field watches changes, by schedule, or when \
     somebody refreshes a field. Open a case and refresh one of its fields to see the first.";
pub const NONE_FOUND_TITLE: &str = "No run fits these filters";
pub const NONE_FOUND: &str = "Remove a filter, or start again without any.";
pub const TO_CASES: &str = "Open the cases";
pub const ALL: &str = "All runs";

pub const FILTERS: &str = "Filters";
pub const CHOSEN: &str = "Shown are runs with";
pub const ANY: &str = "any";
pub const SHOW: &str = "Show";
pub const CASE: &str = "Case";
pub const CASE_TYPE: &str = "Case type";
pub const FIELD: &str = "Field";
pub const CONNECTION: &str = "Connection";
pub const STATUS: &str = "Status";
pub const TRIGGER: &str = "Trigger";
pub const ERROR: &str = "Error";
pub const SINCE: &str = "Since (UTC)";
pub const UNTIL: &str = "Until (UTC)";
pub const BATCH: &str = "Batch";
pub const SECRET: &str = "Secret";

pub const WHEN: &str = "When";
pub const ATTEMPTS: &str = "Attempts";
pub const TOOK: &str = "Took";
pub const ACTIONS: &str = "Actions";
pub const NEXT: &str = "Older runs";
pub const NEWEST: &str = "Newest runs";
pub const PAGES: &str = "Pages of the list";
pub const DELETED_CASE: &str = "a deleted case";
pub const UNNAMED_CASE: &str = "Case without a name";

pub const NOT_AN_ID: &str = "This is not an id. Copy it from a page or an address.";
pub const NOT_A_KEY: &str = "A name here is a letter, then up to 63 of a-z, 0-9 and _.";
pub const NOT_A_WORD: &str = "Choose one from the list.";
pub const NOT_A_TIME: &str = "Write a day like 2026-11-21, or a time like 2026-11-21T14:00:00Z.";
pub const NOT_A_SECRET: &str = "Write the name of a secret, or name:version.";

pub const RETRY: &str = "Run again";
pub const RETRY_HINT: &str = "Makes a new run with the same input.";
pub const NEW_KEY: &str = "under a new key";
pub const NEW_KEY_HINT: &str = "Otherwise the new run keeps the idempotency key where nobody knows whether the provider \
     acted upon the last request, so that it cannot act twice.";
pub const CANCEL: &str = "Cancel";

pub const RUN_OF: &str = "of";
pub const VERSION: &str = "version";
pub const JOINED: &str = "Joined by";
pub const KEY: &str = "Idempotency key";
pub const PARENT: &str = "Set off by";
pub const PARENT_RUN: &str = "the run before it in the chain";
pub const RETRY_OF: &str = "Repeats";
pub const OTHER_RUN: &str = "an earlier run";
pub const CACHED_FROM: &str = "Answer from the cache, fetched by";
pub const INPUT: &str = "Input";
pub const FORCED: &str = "past the cache";
pub const OVERWRITES: &str = "clears what was typed over";
pub const OPTIONS: &str = "Options";
pub const SECRETS: &str = "Secrets sent";
pub const QUEUED_AT: &str = "Queued";
pub const STARTED_AT: &str = "Started";
pub const ENDED_AT: &str = "Ended";
pub const DUE_AT: &str = "Due";
pub const FACTS: &str = "About this run";
pub const RUN_ID: &str = "Run";

pub const TIME_LINE: &str = "Attempts";
pub const NO_ATTEMPTS: &str = "No request has gone out.";
pub const NO_ATTEMPTS_YET: &str = "No request has gone out yet.";
pub const REQUEST: &str = "Request";
pub const ANSWER: &str = "Answer";
pub const NO_REQUEST: &str = "What was sent is no longer stored.";
pub const NO_ANSWER: &str = "No complete answer came.";
pub const HEADERS: &str = "Headers";
pub const BODY: &str = "Body";
pub const NO_BODY: &str = "No text: it is empty, binary or no longer stored.";
pub const CUT: &str = "This is the beginning of it.";
pub const TRUNCATED: &str = "Only the beginning was kept.";
pub const WHOLE: &str = "Download what is kept";
pub const OF_THIS_FIELD: &str = "All runs of this field of this case";
pub const DETAIL_SAYS: &str = "Exactly";
pub const DETAIL: &str = "For the builder";
pub const HTTP_STATUS: &str = "Status";
pub const PROVIDER_SAYS: &str = "The provider says";
pub const EXCERPT: &str = "Beginning of the answer";
pub const CODE: &str = "Code";
pub const PHASES: &str = "Where the time went";
pub const PHASE_NAMES: [&str; 5] =
    ["Name look-up", "Connect", "Wait for the first byte", "Read the answer", "Our own work"];
pub const NOTHING: &str = "–";
pub const TOTAL: &str = "Total";
pub const NEXT_ATTEMPT: &str = "Next attempt";

pub const WROTE: &str = "What it wrote";
pub const TARGET: &str = "Target";
pub const FROM: &str = "From";
pub const VALUE: &str = "Value";
pub const BECAME: &str = "What became of it";
pub const WRITTEN: &str = "written";
pub const KEPT_MANUAL: &str = "kept as typed by hand";
pub const LEFT: &str = "left as it was";
pub const OUTPUT: &str = "the whole answer";
pub const MAPPED_AGAIN: &str = "Values are read from the kept answer by the mapping of that version.";
pub const NOT_MAPPED_AGAIN: &str = "The answer is no longer kept as a whole, so its values are not shown.";
pub const WROTE_NOTHING: &str = "It wrote nothing.";

/// What a form has done, by the code in the address.
pub fn done(code: &str) -> Option<&'static str> {
    match code {
        "retried" => Some("A new run was queued."),
        "cancelled" => Some("The run was cancelled."),
        _ => None,
    }
}

/// Where a run stands, in a word.
pub const fn status(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Queued => "Waiting",
        RunStatus::Running => "Running",
        RunStatus::Succeeded => "Succeeded",
        RunStatus::Failed => "Failed",
        RunStatus::Skipped => "Skipped",
        RunStatus::Cancelled => "Cancelled",
    }
}

/// Why a field runs.
pub const fn trigger(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::OnCreate => "Case made",
        Trigger::OnUpdate => "Value changed",
        Trigger::Manual => "By hand",
        Trigger::Scheduled => "By schedule",
    }
}

/// Why a field runs, and who set that off: `Refreshed by Ada`.
pub fn fired(trigger: Trigger, who: Option<&str>) -> String {
    let Some(who) = who.filter(|_| trigger != Trigger::Scheduled) else {
        return self::trigger(trigger).to_owned();
    };
    let done = match trigger {
        Trigger::Manual => "Refreshed",
        other => self::trigger(other),
    };
    format!("{done} by {}", by(who))
}

/// Why a run was skipped or cancelled.
pub const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Condition => "not needed here",
        Reason::MissingInput => "a value is missing",
        Reason::Superseded => "another run took its place",
        Reason::FieldRemoved => "the field is gone",
        Reason::Disabled => "the field was switched off",
        Reason::CaseDeleted => "the case was deleted",
        Reason::Requested => "somebody cancelled it",
    }
}

/// How an attempt ended.
pub const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "Answered",
        Outcome::Failed => "Failed",
        Outcome::Unknown => "Nobody knows whether it was acted upon",
    }
}

/// What went wrong, in a few words.
pub const fn error(code: FailureCode) -> &'static str {
    match code {
        FailureCode::Timeout => "No answer in time",
        FailureCode::ConnectFailed => "Could not be reached",
        FailureCode::DnsFailed => "Address not found",
        FailureCode::TlsFailed => "No secure connection",
        FailureCode::BlockedAddress => "Address not allowed",
        FailureCode::RedirectRefused => "Redirect refused",
        FailureCode::HttpStatus => "Refused by the provider",
        FailureCode::Unsuccessful => "Unsuccessful answer",
        FailureCode::InvalidResponse => "Answer unreadable",
        FailureCode::ResponseTooLarge => "Answer too large",
        FailureCode::MappingFailed => "Answer does not fit",
        FailureCode::TemplateFailed => "Request not possible",
        FailureCode::SecretMissing => "Credential missing",
        FailureCode::SecretNotAllowed => "Credential not allowed",
        FailureCode::AuthFailed => "Sign-in failed",
        FailureCode::CircuitOpen => "Provider paused",
        FailureCode::RateLimited => "Limit reached",
        FailureCode::BudgetExceeded => "Budget used up",
        FailureCode::ConnectionDisabled => "Connection switched off",
        FailureCode::ChainTooDeep => "Chain too deep",
        FailureCode::Cancelled => "Cancelled",
        FailureCode::Internal => "Fault of ours",
    }
}

/// Removes a filter.
pub fn take_out(label: &str) -> String {
    format!("(remove the filter {label})")
}

/// `2 of 4`.
pub fn attempts(made: u32, of: u32) -> String {
    format!("{made} of {of}")
}

/// `Attempt 2`.
pub fn attempt(number: u32) -> String {
    format!("Attempt {number}")
}

/// Who fired: a run's id, a token, a schedule.
pub fn by(by: &str) -> String {
    match by.split_once(':') {
        Some(("token", name)) => format!("the token {name}"),
        Some(("person", name)) => name.rsplit_once(" <").map_or(name, |(name, _)| name).to_owned(),
        Some(("run", _)) => PARENT_RUN.to_owned(),
        _ if by == "schedule" => "its schedule".to_owned(),
        _ => by.to_owned(),
    }
}

/// The same in a table: `by Ada`.
pub fn by_short(who: &str) -> String {
    match who.split_once(':') {
        Some(("token", name)) => format!("by {name}"),
        Some(("run", _)) => "by an earlier run".to_owned(),
        _ => format!("by {}", by(who)),
    }
}

/// `Skipped: VAT number is missing`.
pub fn lacks(names: &str) -> String {
    format!("Skipped: waits for {names}")
}

/// A size: `1.9 MB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        ..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{}.{} kB", bytes / 1_000, bytes % 1_000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// What a bar of phases says to those who cannot see it.
pub fn bar(phases: &[(&str, String)], total: &str) -> String {
    let phases: Vec<_> = phases.iter().map(|(name, took)| format!("{name} {took}")).collect();
    format!("{}; {TOTAL} {total}", phases.join(", "))
}

/// How long the next attempt waits.
pub fn waits(span: &str) -> String {
    format!("waits {span}:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_who_fired_a_run() {
        let cases = [
            (Trigger::Manual, Some("person:Ada <ada@example.com>"), "Refreshed by Ada"),
            (Trigger::Manual, Some("token:ops"), "Refreshed by the token ops"),
            (Trigger::Manual, None, "By hand"),
            (Trigger::OnCreate, Some("person:Ada <a@b.example>"), "Case made by Ada"),
            (Trigger::OnUpdate, Some("run:0193"), "Value changed by the run before it in the chain"),
            (Trigger::Scheduled, Some("schedule"), "By schedule"),
        ];
        for (trigger, by, says) in cases {
            assert_eq!(fired(trigger, by), says);
        }
        assert_eq!(by_short("person:Ada <ada@example.com>"), "by Ada");
        assert_eq!(by_short("token:ops"), "by ops");
    }
}
