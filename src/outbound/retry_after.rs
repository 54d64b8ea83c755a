//! When the provider wants to be asked again: `Retry-After`, RFC 9110, section 10.2.3.
//!
//! Pure. Says how long to wait, not whether: that is the engine's rule.

use std::time::Duration;

use crate::domain::clock::Instant;

/// Longest wait that is told, ten years: a longer one means "never" and would only overflow dates.
const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);

/// The wait that `retry-after` asks for, as whole seconds or as an HTTP date; zero for a date that
/// has passed, at most ten years. `None` when it is absent or says neither.
pub fn retry_after(headers: &[(String, String)], now: Instant) -> Option<Duration> {
    let values = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
    values.map(|(_, value)| value.trim()).find_map(|value| seconds(value).or_else(|| until(value, now)))
}

fn seconds(value: &str) -> Option<Duration> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Only digits: what does not fit is too large.
    let seconds = value.parse().unwrap_or(u64::MAX);
    Some(Duration::from_secs(seconds).min(LONGEST))
}

fn until(value: &str, now: Instant) -> Option<Duration> {
    let at = Instant::from(httpdate::parse_http_date(value).ok()?);
    Some((at - now).to_std().unwrap_or_default().min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_nonsense_is_not() {
        let now: Instant = "2026-11-21T09:30:00Z".parse().unwrap();
        let secs = Duration::from_secs;
        let cases = [
            ("0", Some(secs(0))),
            ("120", Some(secs(120))),
            (" 120 ", Some(secs(120))),
            ("100000000000", Some(LONGEST)),
            ("999999999999999999999999999999", Some(LONGEST)),
            ("Sat, 21 Nov 2026 09:31:30 GMT", Some(secs(90))),
            ("Saturday, 21-Nov-26 09:31:30 GMT", Some(secs(90))),
            ("Sat Nov 21 09:31:30 2026", Some(secs(90))),
            ("Sat, 21 Nov 2026 09:30:00 GMT", Some(secs(0))),
            ("Sat, 21 Nov 2020 09:30:00 GMT", Some(secs(0))),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(LONGEST)),
            ("-5", None),
            ("+5", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
            ("0x10", None),
            ("Sat, 32 Nov 2026 09:31:30 GMT", None),
        ];
        for (value, wait) in cases {
            let headers = [("retry-after".to_owned(), value.to_owned())];
            assert_eq!(retry_after(&headers, now), wait, "{value}");
        }
        assert_eq!(retry_after(&[], now), None);
        assert_eq!(retry_after(&[("retry".to_owned(), "1".to_owned())], now), None);
    }

    #[test]
    fn the_first_readable_one_counts() {
        let now = Instant::default();
        let headers = ["soon", "7", "9"].map(|value| ("Retry-After".to_owned(), value.to_owned()));
        assert_eq!(retry_after(&headers, now), Some(Duration::from_secs(7)));
    }
}
