//! Numbers as they are typed: whether every digit is kept.
//!
//! Data keeps whole numbers within 64 bits exactly and all others as double precision floating
//! point (RFC 8259, section 6). What would become another number is refused, never rounded.

use serde_json::{Number, Value};

/// What was typed, as digits without zeros around them and a power of ten: `-12.50` is −125 · 10⁻².
#[derive(Debug, PartialEq, Eq)]
struct Digits {
    negative: bool,
    written: String,
    power: i64,
}

/// None: the exponent is beyond all numbers.
fn digits(number: &str) -> Option<Digits> {
    let (negative, number) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let written = all.trim_matches('0').to_owned();
    if written.is_empty() {
        return Some(Digits { negative: false, written, power: 0 });
    }
    let zeros = all.len() - all.trim_end_matches('0').len();
    let shift = i64::try_from(zeros).ok()? - i64::try_from(fraction.len()).ok()?;
    let power = exponent.parse::<i64>().ok()?.checked_add(shift)?;
    Some(Digits { negative, written, power })
}

/// Whether a JSON number is kept with every digit.
pub fn is_exact(typed: &str) -> bool {
    let kept = serde_json::from_str::<Number>(typed).ok().and_then(|kept| digits(&kept.to_string()));
    kept.is_some() && kept == digits(typed)
}

/// The whole number that a JSON number is, however it is written: `1e3` and `1000.0` are 1000.
/// None: it has a fraction, or is beyond 64 bits.
pub fn whole(typed: &str) -> Option<Value> {
    let Digits { negative, written, power } = digits(typed)?;
    if written.is_empty() {
        return Some(0.into());
    }
    let zeros = usize::try_from(power).ok().filter(|zeros| *zeros <= 20)?;
    let sign = if negative { "-" } else { "" };
    let written = format!("{sign}{written}{}", "0".repeat(zeros));
    let signed = written.parse::<i64>().ok().map(Value::from);
    signed.or_else(|| written.parse::<u64>().ok().map(Value::from))
}

/// The first number in a JSON text that would not be kept with every digit.
pub fn inexact(json: &str) -> Option<&str> {
    let mut rest = json;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        rest = &rest[at..];
        let length = if rest.starts_with('"') { text_length(rest) } else { number_length(rest) };
        let (token, behind) = rest.split_at(length);
        if !token.starts_with('"') && !is_exact(token) {
            return Some(token);
        }
        rest = behind;
    }
    None
}

fn number_length(json: &str) -> usize {
    let part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
    json.find(|c| !part(c)).unwrap_or(json.len())
}

fn text_length(json: &str) -> usize {
    let mut escaped = true;
    let end = json.char_indices().find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        // The quote that it begins with does not end it.
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(json.len(), |(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_exact_or_not() {
        for typed in [
            "0",
            "-0",
            "0.0",
            "1",
            "0.1",
            "-12.50",
            "1e3",
            "1E+3",
            "1.5e-7",
            "100000000000000000000",
            "1e22",
            "9007199254740993",
            "18446744073709551615",
            "-9223372036854775808",
            "0.30000000000000004",
            "1e308",
        ] {
            assert!(is_exact(typed), "{typed}");
        }
        for typed in [
            "123456789012345678901234567890",
            "9007199254740993.123",
            "0.12345678901234567890",
            "18446744073709551617",
            "1e400",
            "1e-400",
            "1e99999999999999999999",
        ] {
            assert!(!is_exact(typed), "{typed}");
        }
    }

    #[test]
    fn a_whole_number_is_whole_however_it_is_written() {
        for (typed, expected) in [
            ("1e3", Some(json!(1000))),
            ("1000.0", Some(json!(1000))),
            ("-12e0", Some(json!(-12))),
            ("0.5e1", Some(json!(5))),
            ("-0.0", Some(json!(0))),
            ("18446744073709551615", Some(json!(u64::MAX))),
            ("18446744073709551616", None),
            ("1e30", None),
            ("1.5", None),
        ] {
            assert_eq!(whole(typed), expected, "{typed}");
        }
    }

    #[test]
    fn numbers_are_found_in_json_and_not_in_its_texts() {
        for (json, expected) in [
            (r#"{"b": 12345678901234567890123}"#, Some("12345678901234567890123")),
            (r#"[1, 2.5, {"12345678901234567890123": "12345678901234567890123"}]"#, None),
            (r#""a \" 12345678901234567890123""#, None),
            (r#"["\\", 9007199254740993.5]"#, Some("9007199254740993.5")),
            ("[true, null, -0.1e-7]", None),
            ("", None),
        ] {
            assert_eq!(inexact(json), expected, "{json}");
        }
    }
}
