//! The `type` of a target: what converts to what, and nothing else does.
//!
//! Never loses a digit silently: a number that the answer held beyond 64 bits arrives here as a
//! float, and a float is an `integer` only as far as floats count one by one (2^53).

use chrono::{DateTime, NaiveDate};
use serde_json::{Number, Value};

/// The type that a value gets before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// Whatever was found.
    Any,
    /// A text; numbers and booleans as JSON writes them.
    Text,
    /// A number; texts that are one.
    Number,
    /// A whole number of 64 bits; texts that are one.
    Integer,
    /// True or false; the texts `true` and `false` in any case, 0 and 1.
    Boolean,
    /// `2026-11-21`; the date part of a datetime, as written.
    Date,
    /// RFC 3339, as written; a date at midnight UTC.
    Datetime,
    /// Any JSON value.
    Json,
}

impl ValueType {
    /// All types with their spelling.
    pub(super) const NAMES: [(&str, Self); 8] = [
        ("any", Self::Any),
        ("text", Self::Text),
        ("number", Self::Number),
        ("integer", Self::Integer),
        ("boolean", Self::Boolean),
        ("date", Self::Date),
        ("datetime", Self::Datetime),
        ("json", Self::Json),
    ];

    /// The spelling in mappings.
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("any", |(name, _)| name)
    }

    /// The value in this type, or `None` when it does not convert. Null stays null: a provider
    /// that does not know a value sends null whatever its type.
    pub(super) fn convert(self, value: &Value) -> Option<Value> {
        match (self, value) {
            (Self::Any | Self::Json, _) | (_, Value::Null) | (Self::Text, Value::String(_)) => {
                Some(value.clone())
            }
            (Self::Text, Value::Number(number)) => Some(Value::from(number.to_string())),
            (Self::Text, Value::Bool(truth)) => Some(Value::from(truth.to_string())),
            (Self::Number, Value::Number(_)) => Some(value.clone()),
            (Self::Number, Value::String(text)) => number(text).map(Value::Number),
            (Self::Integer, Value::Number(number)) => integer(number),
            (Self::Integer, Value::String(text)) => integer(&number(text)?),
            (Self::Boolean, value) => boolean(value).map(Value::Bool),
            (Self::Date, Value::String(text)) => date(text).map(Value::from),
            (Self::Datetime, Value::String(text)) => datetime(text).map(Value::from),
            _ => None,
        }
    }
}

/// A text that is a JSON number and nothing else.
fn number(text: &str) -> Option<Number> {
    let bare = text.bytes().all(|byte| !byte.is_ascii_whitespace());
    if bare { serde_json::from_str(text).ok() } else { None }
}

fn integer(number: &Number) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if !number.is_f64() {
        return Some(Value::Number(number.clone()));
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT)?;
    // Printing is the one conversion without a cast: whole floats up to 2^53 print all digits.
    format!("{float:.0}").parse::<i64>().ok().map(Value::from)
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(false),
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(true),
        _ => None,
    }
}

fn date(text: &str) -> Option<&str> {
    if is_date(text) {
        return Some(text);
    }
    DateTime::parse_from_rfc3339(text).ok()?;
    text.get(..10)
}

fn datetime(text: &str) -> Option<String> {
    if is_date(text) {
        return Some(format!("{text}T00:00:00Z"));
    }
    DateTime::parse_from_rfc3339(text).ok().map(|_| text.to_owned())
}

/// RFC 3339 `full-date`: the shape is checked apart, because chrono also takes `2026-1-2`.
fn is_date(text: &str) -> bool {
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    shaped && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

/// The type of a value and the beginning of it, for messages: `text "abc"`.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => format!("boolean {truth}"),
        Value::Number(number) => format!("number {number}"),
        Value::String(text) if excerpt(text) == text => format!("text {text:?}"),
        Value::String(text) => format!("text {:?} and more", excerpt(text)),
        Value::Array(items) => format!("array of {}", items.len()),
        Value::Object(members) if members.is_empty() => "empty object".to_owned(),
        Value::Object(members) => {
            let names: Vec<_> = members.keys().map(String::as_str).take(5).collect();
            format!("object with {}", excerpt(&names.join(", ")))
        }
    }
}

/// The first 80 characters.
fn excerpt(text: &str) -> &str {
    text.char_indices().nth(80).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_type_converts_what_the_contract_lists_and_nothing_else() {
        use ValueType::{Any, Boolean, Date, Datetime, Integer, Json, Number, Text};
        for (kind, value, expected) in [
            (Any, json!({"a": [1]}), Some(json!({"a": [1]}))),
            (Json, json!([1]), Some(json!([1]))),
            (Json, json!("{}"), Some(json!("{}"))),
            (Text, json!("x"), Some(json!("x"))),
            (Text, json!(12), Some(json!("12"))),
            (Text, json!(18_446_744_073_709_551_615_u64), Some(json!("18446744073709551615"))),
            (Text, json!(1.5), Some(json!("1.5"))),
            (Text, json!(true), Some(json!("true"))),
            (Text, json!([1]), None),
            (Text, json!({}), None),
            (Number, json!(1.5), Some(json!(1.5))),
            (Number, json!("1.5"), Some(json!(1.5))),
            (Number, json!("-12"), Some(json!(-12))),
            (Number, json!("1e3"), Some(json!(1000.0))),
            (Number, json!("+1"), None),
            (Number, json!("01"), None),
            (Number, json!("1."), None),
            (Number, json!(" 1"), None),
            (Number, json!("1 "), None),
            (Number, json!(""), None),
            (Number, json!("NaN"), None),
            (Number, json!("1e400"), None),
            (Number, json!("1,5"), None),
            (Number, json!(true), None),
            (Integer, json!(7), Some(json!(7))),
            (Integer, json!(7.0), Some(json!(7))),
            (Integer, json!(-0.0), Some(json!(0))),
            (Integer, json!("7"), Some(json!(7))),
            (Integer, json!("7.0"), Some(json!(7))),
            (Integer, json!("9223372036854775808"), Some(json!(9_223_372_036_854_775_808_u64))),
            (Integer, json!(7.5), None),
            (Integer, json!("7.5"), None),
            (Integer, json!(18_446_744_073_709_551_616.0), None),
            (Integer, json!("18446744073709551616"), None),
            (Integer, json!(1e300), None),
            (Integer, json!(false), None),
            (Boolean, json!(false), Some(json!(false))),
            (Boolean, json!("TRUE"), Some(json!(true))),
            (Boolean, json!("False"), Some(json!(false))),
            (Boolean, json!(0), Some(json!(false))),
            (Boolean, json!(1), Some(json!(true))),
            (Boolean, json!(2), None),
            (Boolean, json!("yes"), None),
            (Boolean, json!("1"), None),
            (Boolean, json!([]), None),
            (Date, json!("2026-02-28"), Some(json!("2026-02-28"))),
            (Date, json!("2026-02-28T23:30:00-05:00"), Some(json!("2026-02-28"))),
            (Date, json!("2026-02-30"), None),
            (Date, json!("2026-2-3"), None),
            (Date, json!("28.02.2026"), None),
            (Date, json!("2026-02-28T23:30"), None),
            (Date, json!(20_260_228), None),
            (Datetime, json!("2026-02-28T23:30:00.5+01:00"), Some(json!("2026-02-28T23:30:00.5+01:00"))),
            (Datetime, json!("2026-02-28"), Some(json!("2026-02-28T00:00:00Z"))),
            (Datetime, json!("2026-02-28T23:30:00"), None),
            (Datetime, json!("now"), None),
            (Datetime, json!(1_700_000_000), None),
            (Integer, json!(null), Some(json!(null))),
            (Date, json!(null), Some(json!(null))),
        ] {
            assert_eq!(kind.convert(&value), expected, "{} of {value}", kind.as_str());
        }
    }

    #[test]
    fn a_long_text_is_described_by_its_beginning() {
        assert_eq!(describe(&json!("ab")), "text \"ab\"");
        assert!(describe(&json!("ä".repeat(1000))).chars().count() < 110);
        assert!(describe(&json!({"ä".repeat(1000): 1})).chars().count() < 110);
    }

    proptest! {
        #[test]
        fn integers_of_64_bits_survive_every_type(signed: i64, unsigned: u64) {
            for number in [json!(signed), json!(unsigned)] {
                let text = ValueType::Text.convert(&number).unwrap();
                prop_assert_eq!(ValueType::Integer.convert(&number).unwrap(), number.clone());
                prop_assert_eq!(ValueType::Integer.convert(&text).unwrap(), number.clone());
                prop_assert_eq!(ValueType::Number.convert(&text).unwrap(), number);
            }
        }
    }
}
