//! The list of cases.

use crate::domain::failure::FailureCode;
use crate::domain::run::FieldStatus;

pub const TITLE: &str = "Cases";
pub const TYPES: &str = "Case types";
pub const ALL_TYPES: &str = "All types";
pub const NEW_CASE: &str = "New case";
pub const DONE_REFRESHED: &str = "What had failed or was out of date runs again.";
pub const DONE_NOTHING: &str =
    "There was nothing to refresh: nothing had failed, and nothing is out of date.";

pub const SEARCH: &str = "Search";
pub const SEARCH_HINT: &str = "Reference or title";
pub const STATUS: &str = "Status";
pub const ANY: &str = "Any";
pub const ASSIGNEE: &str = "Assignee";
pub const ANYBODY: &str = "Anybody";
pub const SHOW: &str = "Show";
pub const FILTERS: &str = "Filters";
pub const FILTERS_SET: &str = "Filters that are set";
pub const TAKE_OFF: &str = "Remove filter";
pub const CLEAR: &str = "Clear all filters";

pub const COLUMNS: &str = "Columns";
pub const COLUMNS_OF_CASES: &str = "Case";
pub const COLUMNS_OF_DATA: &str = "Data";
pub const COLUMNS_OF_FIELDS: &str = "Fetched from providers";
pub const COLUMNS_SHOW: &str = "Show";
pub const COLUMNS_USUAL: &str = "Use the standard columns";

pub const REFERENCE: &str = "Reference";
pub const CASE_TITLE: &str = "Title";
pub const TYPE: &str = "Type";
pub const CREATED: &str = "Created";
pub const CHANGED: &str = "Changed";
pub const FIELDS: &str = "Fields";
pub const ACTIONS: &str = "Actions";
pub const REFRESH: &str = "Refresh what failed or is out of date";

pub const BARS: &str = "State of the fields over all matching cases";
pub const SUCCEEDED: &str = "up to date";
pub const CACHED: &str = "cached";
pub const STALE: &str = "stale";
pub const QUEUED: &str = "waiting";
pub const RUNNING: &str = "running";
pub const FAILED: &str = "failed";
pub const SKIPPED: &str = "skipped";
pub const NEVER_RUN: &str = "not run yet";
pub const DISABLED: &str = "switched off";

pub const PAGES: &str = "Pages of the list";
pub const FIRST_PAGE: &str = "First page";
pub const PREVIOUS: &str = "Previous";
pub const NEXT: &str = "Next";
pub const END_TITLE: &str = "Nothing more";
pub const END: &str = "The list ends here. The cases of this page were deleted or no longer match.";

pub const NO_TYPES_TITLE: &str = "No case type yet";
pub const NO_TYPES_BUILDER: &str = "A case type says which data a case has and which providers fill it in. Save one through the API: the guide shows how, in five calls.";
pub const NO_TYPES_GUIDE: &str = "Read the API";
pub const NO_TYPES_OTHERS: &str = "A case type says which data a case has and which providers fill it in. Ask a builder of your workspace to make the first one.";
pub const NO_CASES_TITLE: &str = "No case yet";
pub const NO_CASES: &str = "Create the first one here or through the API; its fields fill themselves in.";
pub const NO_CASES_VIEWER: &str = "New cases appear here as soon as somebody creates them.";
pub const NO_MATCH_TITLE: &str = "No case matches";
pub const NO_MATCH: &str = "Remove a filter, or search for something else.";

pub const UNREADABLE: &str = "This address asks for a status or an order that does not exist.";
pub const TOO_LONG: &str = "This address is too long. Remove some of its filters or columns.";

/// How a field stands, in one word.
pub const fn field_status(status: FieldStatus) -> &'static str {
    match status {
        FieldStatus::Succeeded => SUCCEEDED,
        FieldStatus::Queued => QUEUED,
        FieldStatus::Running => RUNNING,
        FieldStatus::Failed => FAILED,
        FieldStatus::Skipped => SKIPPED,
        FieldStatus::NeverRun => NEVER_RUN,
        FieldStatus::Disabled => DISABLED,
    }
}

/// Why a field has no values, in the few words that a cell has room for.
pub const fn failure(code: FailureCode, http_status: Option<u16>) -> &'static str {
    match (code, http_status) {
        (FailureCode::HttpStatus, Some(404 | 410)) => "Nothing found",
        (FailureCode::HttpStatus, Some(401 | 403)) => "Access refused",
        (FailureCode::HttpStatus, Some(429)) => "Limit reached",
        (FailureCode::HttpStatus, Some(500..)) => "Provider has trouble",
        (FailureCode::HttpStatus, _) => "Request refused",
        (code, _) => super::runs::error(code),
    }
}

/// What fields are filtered by: a status, or what is said beside it.
pub fn field_word(word: &str) -> &str {
    match word {
        "cached" => CACHED,
        "stale" => STALE,
        word => match FieldStatus::parse(word) {
            Some(status) => field_status(status),
            None => word,
        },
    }
}

/// A reason of a state, as the API spells it: `missing_input`.
pub fn reason(reason: &str) -> String {
    reason.replace('_', " ")
}

/// How many columns fit.
pub fn most_columns(most: usize) -> String {
    format!("At most {most} columns are shown.")
}

/// A state with its reason.
pub fn because(word: &str, why: &str) -> String {
    format!("{word} ({why})")
}

/// A case that has neither reference nor title, by the end of its id.
pub fn unnamed(end: &str) -> String {
    format!("Case …{end}")
}

/// `1,234`.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut written = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            written.push(',');
        }
        written.push(digit);
    }
    written
}

/// `1–50 of 1,234`; the place is not known where the links of the list were not followed.
pub fn range(from: Option<u64>, rows: u64, total: Option<&str>) -> String {
    let range = match from.filter(|_| rows > 0) {
        Some(from) => format!("{}–{}", number(from), number(from + rows - 1)),
        None => number(rows),
    };
    match total {
        Some(total) if rows == 0 => total.to_owned(),
        Some(total) => format!("{range} of {total}"),
        None => range,
    }
}

/// `1,234 cases`, `at least 10,000 cases`.
pub fn total(total: u64, at_least: bool) -> String {
    let cases = if total == 1 && !at_least { "case" } else { "cases" };
    format!("{}{} {cases}", if at_least { "at least " } else { "" }, number(total))
}

/// Why the bars count less than there is.
pub fn partial(counted: u64) -> String {
    format!("Counted over the first {} matching cases only; there are more.", number(counted))
}

/// While the bars are counted.
pub const COUNTING: &str = "Counting…";

/// Leads to the same view with its bars, without script.
pub const COUNT: &str = "Show the counts";

/// Bars that have no room.
pub fn more_bars(more: usize) -> String {
    let fields = if more == 1 { "field" } else { "fields" };
    format!("{more} more {fields} have no bar here. Choose them as columns to see theirs.")
}

/// Bars that a page with long names and many filters has no room for.
pub const NO_ROOM_FOR_BARS: &str = "There is no room for more bars: take away a filter or a column.";

/// A mapped value that is only yes or no, with its name.
pub fn named(name: &str, value: &str) -> String {
    format!("{name}: {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (value, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(value), text);
        }
        assert_eq!(range(Some(51), 50, Some("1,234 cases")), "51–100 of 1,234 cases");
        assert_eq!(range(Some(51), 50, None), "51–100");
        assert_eq!(range(Some(1), 0, Some("0 cases")), "0 cases");
        assert_eq!(total(1, false), "1 case");
        assert_eq!(total(10_000, true), "at least 10,000 cases");
    }
}
