//! Which texts are a date, an instant, an address.
//!
//! These are checks, not conversions: a value is stored as it was written. Each is strict about
//! the spelling, so that what is stored can be sorted, compared and sent on.

use chrono::{DateTime, NaiveDate};
use url::Url;

/// An RFC 3339 full-date (section 5.6) that exists: `2024-02-29`.
pub fn is_date(text: &str) -> bool {
    let shape = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    shape && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

/// An RFC 3339 date-time with an offset: `2026-11-21T09:30:00Z`.
pub fn is_datetime(text: &str) -> bool {
    DateTime::parse_from_rfc3339(text).is_ok()
}

/// One `@`, something on both sides, no spaces, at most 254 characters (RFC 5321, 4.5.3.1.3,
/// less its brackets). Whether it can be reached, only a letter can tell.
pub fn is_email(text: &str) -> bool {
    let clean = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let parts = text.split_once('@');
    clean
        && text.chars().count() <= 254
        && parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
}

/// An absolute http or https address.
pub fn is_url(text: &str) -> bool {
    let clean = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    // The parser would mend `http:example.org`; what is stored should need no mending.
    let spelt = text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
    });
    clean && spelt && Url::parse(text).is_ok_and(|url| url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A check, what it takes and what it refuses.
    type Row<'a> = (fn(&str) -> bool, &'a [&'a str], &'a [&'a str]);

    #[test]
    fn texts_are_told_apart() {
        let table: [Row<'_>; 4] = [
            (
                is_date,
                &["2024-02-29", "0000-01-01", "2026-12-31"],
                &[
                    "2023-02-29",
                    "2026-1-05",
                    "2026-13-01",
                    "+026-01-01",
                    "2026-01-01T00:00:00Z",
                    "",
                    "2026/01/01",
                    "２026-01-0",
                ],
            ),
            (
                is_datetime,
                &["2026-11-21T09:30:00Z", "2026-11-21T09:30:00.123+02:00", "2024-02-29t00:00:00z"],
                &["2026-11-21", "2026-11-21T09:30:00", "2026-02-30T00:00:00Z", "now"],
            ),
            (is_email, &["a@b.example", "ü@b.example"], &["a", "@b", "a@", "a@b@c", "a b@c", "a@b\n", ""]),
            (
                is_url,
                &["https://a.example", "HTTP://a.example/x?y=1#z", "http://[::1]:80/"],
                &[
                    "a.example",
                    "ftp://a.example",
                    "http:a.example",
                    "https://",
                    " https://a.example",
                    "/x",
                    "https://a b/",
                ],
            ),
        ];
        for (check, good, bad) in table {
            for text in good {
                assert!(check(text), "{text}");
            }
            for text in bad {
                assert!(!check(text), "{text}");
            }
        }
        assert!(!is_email(&format!("{}@b.example", "a".repeat(250))));
    }
}
