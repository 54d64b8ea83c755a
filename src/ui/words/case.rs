//! The page of a case.

use super::values::quoted;
use crate::domain::case::CaseStatus;
use crate::domain::run::RunStatus;
use crate::domain::trigger::Trigger;

pub const NO_TITLE: &str = "Case without a title";
pub const ALL_CASES: &str = "Cases";
pub const REFERENCE: &str = "Reference";
pub const TITLE: &str = "Title";
pub const STATUS: &str = "Status";
pub const CUSTOM_STATUS: &str = "Custom status";
pub const ASSIGNEE: &str = "Assignee";
pub const NOBODY: &str = "nobody assigned";
pub const CREATED: &str = "created";
pub const UPDATED: &str = "changed";
pub const PREVIOUS: &str = "Previous case";
pub const NEXT: &str = "Next case";
pub const EDIT: &str = "Edit";
pub const MORE: &str = "More";
pub const REFRESH_ALL: &str = "Refresh all fields";
pub const RETRY_FAILED: &str = "Retry failed fields";
pub const DELETE: &str = "Delete this case …";
pub const AS_JSON: &str = "All data as JSON";

pub const DETAILS: &str = "Details";
pub const OTHER: &str = "Other fields";
pub const ADDITIONAL: &str = "Additional data";
pub const ADDITIONAL_HINT: &str = "Values that belong to no field of this case type.";
pub const EMPTY_TITLE: &str = "This case type has no fields yet";
pub const EMPTY: &str = "Add fields to the case type; they appear in this case at once.";
pub const EMPTY_LINK: &str = "Open the case type";

pub const SHOW_ALL: &str = "show all";
pub const OPEN_CARD: &str = "Show this field";
pub const SHOW_ALL_VALUES: &str = "Show all as JSON";

pub const REFRESH: &str = "Refresh";
pub const FORCE: &str = "Refresh past the cache";
pub const WITH_INPUT: &str = "Run with input …";
pub const OVERWRITE: &str = "Refresh and discard typed values";
pub const TYPE_OVER: &str = "Type values by hand …";
pub const HISTORY: &str = "History";
pub const LAST_RUN: &str = "Last run";
pub const CANCEL_RUN: &str = "Cancel the run";
pub const WHY: &str = "Why?";
pub const RUNS_WHEN: &str = "This field runs only when:";
pub const DISABLED: &str = "This field is switched off in the case type. What it fetched before stays.";
pub const NO_ANSWER_YET: &str = "This field has no values yet. You can go on with the rest of the case.";
pub const BUILDER: &str = "For the builder";
pub const CODE: &str = "Code";
pub const HTTP_STATUS: &str = "HTTP status";
pub const PROVIDER_CODE: &str = "Provider’s code";
pub const PROVIDER_SAYS: &str = "Provider says";
pub const DETAIL: &str = "Detail";
pub const EXCERPT: &str = "Answer begins with";
pub const CONNECTION: &str = "Connection";
pub const FROM_LAST_GOOD: &str = "The values shown are from the last good answer,";
pub const SHOWN_STAYS: &str = "The values shown are from the last good answer.";

pub const INPUT_LABEL: &str = "Input, as a JSON object";
pub const INPUT_HINT: &str =
    "The field’s request can use these values, for example {\"date\": \"2026-11-20\"}.";
pub const INPUT_WRONG: &str = "This is not a JSON object. Write it like {\"date\": \"2026-11-20\"}.";
pub const PAST_CACHE: &str = "Ask the provider even when an answer is in the cache";
pub const RUN: &str = "Run";

pub const SAVE: &str = "Save";
pub const CANCEL: &str = "Cancel";
pub const CHOOSE: &str = "–";
pub const REQUIRED: &str = "required";
pub const NEEDED: &str = "Please fill this in.";
pub const NOT_A_NUMBER: &str = "This is not a number. Write it with digits and a point, like 1250.5.";
pub const DATETIME_HINT: &str = "With its time zone, like 2026-11-21T09:30:00Z";
pub const CHOICE_HINT: &str = "There are too many choices for a list: type the one that you mean.";
pub const FREE_HINT: &str = "Numbers, true, false and JSON keep their type; anything else is text.";
pub const TOO_LONG_TO_EDIT: &str = "This value is too large to edit here. Change it through the API.";
pub const OTHERS: &str =
    "There is more here than fits into one form. Save this first, then open another one at:";
pub const ALONE: &str = "There is no room on the page for the rest of the case beside this form.";
pub const WHOLE_CASE: &str = "Show the case";
pub const TYPED_TOO_LARGE: &str = "Nothing was saved: something in the form has to be corrected first, and it holds too much to be shown \
     on one page again. Go back in your browser, which usually keeps what was typed; correct what is listed here and send it once more, \
     or save the longest texts first, one at a time. Through the API there is more room.";
pub const NEWER: &str = "Somebody changed something here in the meantime.";
pub const NEWER_KEPT: &str = "What you type stays; when you save, you see both and choose.";
pub const OTHERS_NEWER: &str = "Somebody changed this in the meantime.";
pub const REFUSED: &str = "Nothing was saved yet. Correct what is marked, then save again.";
pub const CONFLICT: &str = "Somebody changed the same values while you were typing. Nothing was saved yet: choose for each one, then save again.";
pub const KEEP_THEIRS: &str = "Keep this";
pub const TAKE_YOURS: &str = "Save what you typed";
pub const GONE: &str = "nothing";
pub const UNLUCKY: &str = "Other changes to this case came in between. Nothing was saved; please save again.";

pub const ACTIVITY: &str = "Activity";
pub const ALL: &str = "All";
pub const EDITS: &str = "Edits";
pub const RUNS: &str = "Runs";
pub const OLDER: &str = "All runs of this case";
pub const NO_ACTIVITY: &str = "Nothing yet.";
pub const WAS_CREATED: &str = "created this case";
pub const CHANGED: &str = "changed";
pub const SOMEBODY: &str = "Somebody";

pub const DELETE_TITLE: &str = "Delete this case?";
pub const DELETE_WHAT: &str = "Its data, the states of its fields, its history and the stored answers are deleted for good. Waiting runs are \
     cancelled, and an answer on its way is dropped. This cannot be undone.";
pub const DELETE_YES: &str = "Delete it";
pub const DELETE_NO: &str = "Keep it";

/// What a form has done, by its code in the address.
pub fn done(code: &str) -> Option<&'static str> {
    Some(match code {
        "saved" => "Saved.",
        "unchanged" => "Nothing was changed.",
        "all-queued" => "The fields are being refreshed. Their answers appear here as they arrive.",
        "none" => "There was nothing to refresh.",
        "cleared" => "The typed value stays until the field’s next run replaces it.",
        "cancelled" => "The run was cancelled.",
        "created" => "The case was created.",
        _ => return None,
    })
}

/// How far a case has come.
pub const fn status(status: CaseStatus) -> &'static str {
    match status {
        CaseStatus::Draft => "Draft",
        CaseStatus::Pending => "Pending",
        CaseStatus::InProgress => "In progress",
        CaseStatus::Closed => "Closed",
    }
}

/// `Refresh 2 stale`.
pub fn refresh_stale(count: usize) -> String {
    format!("Refresh {count} stale")
}

/// `Fill in VAT number`.
pub fn fill_in(name: &str) -> String {
    format!("Fill in {name}")
}

/// `Go to Company registry`.
pub fn go_to(name: &str) -> String {
    format!("Go to {name}")
}

/// `Give score back to its field`.
pub fn clear_override(name: &str) -> String {
    format!("Give {name} back to its field")
}

/// `Attempt 2 of 4`.
pub fn attempt(attempt: u32, of: u32) -> String {
    format!("Attempt {attempt} of {of}")
}

/// `Edit Identity`, for who cannot see where the link stands.
pub fn edit(name: &str) -> String {
    format!("Edit {name}")
}

/// `Actions for VAT check`.
pub fn menu_of(name: &str) -> String {
    format!("More for {name}")
}

/// `and 12 more`.
pub fn more(count: usize) -> String {
    format!("and {count} more")
}

/// A size in bytes: `12 KB`.
pub fn size(bytes: usize) -> String {
    match bytes {
        ..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} KB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// What a large value begins with, and its size: `rate 1.08, date 2026-11-20 (69 bytes)`.
pub fn in_brief(told: &str, size: &str) -> String {
    format!("{told} ({size})")
}

/// Where a value came from: a run of a field.
pub fn from_run(field: &str, cached: bool) -> String {
    if cached { format!("from {field}, cached") } else { format!("from {field}") }
}

/// … a person or token, named as histories do: `person:Ada`.
pub fn typed_by(by: Option<&str>) -> String {
    format!("typed by {}", who(by))
}

/// … a program.
pub fn set_by(by: Option<&str>) -> String {
    format!("set by {}", who(by))
}

/// … it came with the case.
pub fn given_by(by: Option<&str>) -> String {
    format!("given by {}", who(by))
}

/// … the field's default.
pub const DEFAULT: &str = "default";

/// Who did something, as people read it.
pub fn who(by: Option<&str>) -> String {
    match by.map(|by| by.split_once(':').unwrap_or(("", by))) {
        // Histories name the e-mail behind the name: whoever wants to know for sure reads it there.
        Some(("person", name)) => name.rsplit_once(" <").map_or(name, |(name, _)| name).to_owned(),
        Some(("token", name)) => format!("{name} (API)"),
        Some(("run", _)) => "a field".to_owned(),
        Some((_, "schedule")) => "the schedule".to_owned(),
        Some((_, other)) => other.to_owned(),
        None => SOMEBODY.to_owned(),
    }
}

/// Where a run stands or how it ended.
pub const fn run(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Queued => "waits",
        RunStatus::Running => "is running",
        RunStatus::Succeeded => "answered",
        RunStatus::Failed => "failed",
        RunStatus::Skipped => "was not needed",
        RunStatus::Cancelled => "was cancelled",
    }
}

/// How a run ended that lacked values.
pub fn lacked(names: &[String]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("did not run: {} {verb} missing", super::states::listed(names))
}

/// Why a run was fired.
pub const fn trigger(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::OnCreate => "at creation",
        Trigger::OnUpdate => "after a change",
        Trigger::Manual => "by hand",
        Trigger::Scheduled => "on schedule",
    }
}

/// What a run did to the case.
pub fn wrote(count: usize) -> String {
    if count == 1 { "1 value".to_owned() } else { format!("{count} values") }
}

/// What was typed is no JSON; `why` is the parser's.
pub fn not_json(why: &str) -> String {
    format!("This is not valid JSON: {why}.")
}

/// A number that was typed and would become another one.
pub fn not_exact(typed: &str) -> String {
    let typed = crate::ui::value::cut(typed, 40);
    format!(
        "{typed} has more digits than a number keeps: whole numbers are exact within 64 bits, others to about 15 digits. \
         Shorten it, or keep it as a text."
    )
}

/// What was typed does not fit; `why` is a fragment of the field's type.
pub fn does_not_fit(why: &str) -> String {
    let mut letters = why.chars();
    let first: String = letters.next().map(|letter| letter.to_uppercase().collect()).unwrap_or_default();
    quoted(&format!("{first}{}.", letters.as_str().trim_end_matches('.')))
}
