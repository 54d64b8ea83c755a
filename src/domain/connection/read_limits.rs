//! Reads what a provider bears: `rate_limit` and `breaker`.

use serde_json::Value;

use crate::domain::case_type::reader::Reader;
use crate::domain::problem::{code, join};

use super::limits::{BreakerScope, BreakerSettings, RateLimit, Window};

/// Calls of one window, and in flight.
const MOST_CALLS: u64 = 1_000_000;
/// Seconds of a window: 31 days, for limits by the month.
const LONGEST_PERIOD: u64 = 31 * 86_400;
const MOST_WINDOWS: usize = 10;
/// Failures in a row, and seconds: a day.
const MOST_FAILURES: u64 = 1_000;
const LONGEST_OPEN: u64 = 86_400;

/// Reads `rate_limit`; a single window may be written without its list.
pub(super) fn read_rate_limit(connection: &mut Reader<'_, '_>) -> Option<RateLimit> {
    let value = connection.get("rate_limit")?;
    let at = connection.at("rate_limit");
    let mut limits = Reader::open(value, at, connection.findings)?;
    // Both are asked for, so that neither counts as unknown beside the other.
    let short = ["limit", "period"].map(|name| limits.get(name).is_some()).contains(&true);
    let listed = limits.get("windows").is_some();
    let empty = limits.get("windows").and_then(Value::as_array).is_some_and(Vec::is_empty);
    let concurrency = limits.whole("concurrency", 1..=MOST_CALLS).and_then(|calls| u32::try_from(calls).ok());
    let windows = match (short, listed) {
        (true, true) => {
            limits.problem("limit", code::DUPLICATE, "stands beside `windows`: put it into the list");
            Vec::new()
        }
        (true, false) => read_window(&mut limits).into_iter().collect(),
        (false, _) => read_windows(&mut limits),
    };
    if !short && limits.get("concurrency").is_none() {
        let remedy = "`[{\"limit\": 10, \"period\": 1}]` means 10 calls in any second; or give `concurrency`";
        if empty {
            limits.problem("windows", code::OUT_OF_RANGE, format!("is empty: {remedy}"));
        } else if !listed {
            limits.missing("windows", remedy);
        }
    }
    limits.finish(|_| None);
    Some(RateLimit { windows, concurrency })
}

fn read_windows(limits: &mut Reader<'_, '_>) -> Vec<Window> {
    let at = limits.at("windows");
    let items = limits.list("windows", MOST_WINDOWS).unwrap_or_default();
    let mut windows = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let Some(mut window) = Reader::open(item, join(&at, index), limits.findings) else { continue };
        windows.extend(read_window(&mut window));
        window.finish(|_| None);
    }
    windows
}

fn read_window(window: &mut Reader<'_, '_>) -> Option<Window> {
    let mut number = |name, most, meaning: &str| {
        if window.get(name).is_none() {
            window.missing(name, meaning);
        }
        window.whole(name, 1..=most).and_then(|number| u32::try_from(number).ok())
    };
    let limit = number("limit", MOST_CALLS, "at most how many calls");
    let period = number("period", LONGEST_PERIOD, "in how many seconds");
    Some(Window { limit: limit?, period: period? })
}

/// Reads `breaker`; what is left out has its default.
pub(super) fn read_breaker(connection: &mut Reader<'_, '_>) -> BreakerSettings {
    const SCOPES: [(&str, BreakerScope); 2] =
        [("connection", BreakerScope::Connection), ("endpoint", BreakerScope::Endpoint)];
    let mut settings = BreakerSettings::default();
    let Some(value) = connection.get("breaker") else { return settings };
    let at = connection.at("breaker");
    let Some(mut breaker) = Reader::open(value, at, connection.findings) else { return settings };
    let mut number = |name, most| breaker.whole(name, 1..=most).and_then(|number| u32::try_from(number).ok());
    if let Some(failures) = number("failures", MOST_FAILURES) {
        settings.failures = failures;
    }
    if let Some(seconds) = number("open_seconds", LONGEST_OPEN) {
        settings.open_seconds = seconds;
    }
    if let Some(scope) = breaker.word("scope", &SCOPES) {
        settings.scope = scope;
    }
    breaker.finish(|_| None);
    settings
}

/// As rows and answers hold it.
pub(super) fn form(settings: &impl serde::Serialize) -> Value {
    serde_json::to_value(settings).unwrap_or_default()
}
