//! `date_format`: a date in the spelling that a provider wants.
//!
//! The zone is the one that is written: a datetime is shown in its own offset and never moved.

use std::fmt::Write;

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde_json::Value;

use super::arguments::Arguments;

/// Longest format, in bytes; each specifier writes a few dozen at most.
const LONGEST_FORMAT: usize = 256;

/// An RFC 3339 date or datetime, or seconds since 1970 (as `now_unix`), by a strftime format.
pub(super) fn date_format(input: &Value, arguments: &Arguments) -> Result<Value, String> {
    let format = arguments.text(0)?;
    let items = parse_format(&format)?;
    let mut text = String::new();
    let written = match input {
        Value::String(spelled) => write_date(&mut text, spelled, &items),
        Value::Number(seconds) => seconds
            .as_i64()
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
            .is_some_and(|at| write!(text, "{}", at.format_with_items(items.iter())).is_ok()),
        _ => false,
    };
    if written {
        return Ok(Value::String(text));
    }
    Err("`date_format` needs a date or datetime as RFC 3339 writes it, and a format that it can fill (a plain date \
         has no zone)"
        .to_owned())
}

/// Refuses what strftime does not know.
pub(crate) fn check_format(format: &str) -> Result<(), String> {
    parse_format(format).map(drop)
}

fn parse_format(format: &str) -> Result<Vec<Item<'_>>, String> {
    if format.len() > LONGEST_FORMAT {
        return Err(format!("the format of `date_format` is longer than {LONGEST_FORMAT} bytes"));
    }
    StrftimeItems::new(format).parse().map_err(|_| {
        "the format of `date_format` has a specifier that strftime does not know (e.g. \"%d.%m.%Y\")"
            .to_owned()
    })
}

/// False when this is no date, or the format asks for what it does not have. (chrono's own
/// `to_string` would panic then.)
fn write_date(text: &mut String, spelled: &str, items: &[Item]) -> bool {
    if let Ok(at) = DateTime::parse_from_rfc3339(spelled) {
        return write!(text, "{}", at.format_with_items(items.iter())).is_ok();
    }
    let zoneless = spelled.parse::<NaiveDateTime>().ok().or_else(|| {
        // Ten characters and no more, so that `2026-1-2` is not silently read as a date.
        let date = NaiveDate::parse_from_str(spelled, "%Y-%m-%d").ok().filter(|_| spelled.len() == 10)?;
        date.and_hms_opt(0, 0, 0)
    });
    zoneless.is_some_and(|at| write!(text, "{}", at.format_with_items(items.iter())).is_ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn format(input: &Value, format: &str) -> Result<Value, String> {
        date_format(input, &Arguments::new("date_format", vec![Some(json!(format))]))
    }

    #[test]
    fn dates_keep_their_zone() {
        let cases = [
            (json!("2026-11-21"), "%d.%m.%Y", "21.11.2026"),
            (json!("2026-11-21"), "%H:%M", "00:00"),
            (json!("2026-11-21T23:30:00-05:00"), "%d.%m.%Y %H:%M %z", "21.11.2026 23:30 -0500"),
            (json!("2026-11-21T23:30:00.123Z"), "%Y%m%d", "20261121"),
            (json!("2026-11-21T23:30:00"), "%H:%M", "23:30"),
            (json!(0), "%Y-%m-%d", "1970-01-01"),
        ];
        for (input, wanted, expected) in cases {
            assert_eq!(format(&input, wanted), Ok(json!(expected)), "{input}");
        }
    }

    #[test]
    fn what_is_no_date_or_no_format_is_refused() {
        let cases = [
            (json!("21.11.2026"), "%d"),
            (json!("2026-13-01"), "%d"),
            (json!("2026-1-2"), "%d"),
            (json!("2026-11-21"), "%z"),
            (json!("2026-11-21"), "%!"),
            (json!("2026-11-21"), "%"),
            (json!(true), "%d"),
            (json!(i64::MAX), "%d"),
            (json!(1.5), "%d"),
        ];
        for (input, wanted) in cases {
            assert!(format(&input, wanted).is_err(), "{input} {wanted}");
        }
        assert!(check_format(&"%c".repeat(200)).is_err());
    }
}
