//! Numbers as JSON writes them, and exact decimal arithmetic for amounts.
//!
//! JSON numbers are decimals, people mean decimals, and `19.99 * 100` in binary floating point
//! is 1998.9999999999998. `times` and `round` therefore work on the digits as written.

use serde_json::{Number, Value};

/// Beyond this (2^53) a float's digits are no longer all its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A value as text: a text itself, numbers as JSON writes them but whole ones without `.0`,
/// `true`, `false`, and the JSON text of an array or object. None for null, which never becomes
/// text.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(digits_of(number)),
        Value::Array(_) | Value::Object(_) => Some(value.to_string()),
    }
}

fn digits_of(number: &Number) -> String {
    let digits = number.to_string();
    match digits.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => digits,
    }
}

/// The value with a whole float turned into an integer; everything else as it is.
pub(super) fn without_fraction(value: Value) -> Value {
    match value.as_number() {
        Some(number) if number.is_f64() => number.as_f64().and_then(from_f64).unwrap_or(value),
        _ => value,
    }
}

/// A JSON number; whole ones become integers. None for what JSON cannot hold.
pub(super) fn from_f64(number: f64) -> Option<Value> {
    if number.fract() == 0.0 && number.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        return Some(Value::from(number as i64));
    }
    Number::from_f64(number).map(Value::Number)
}

/// A JSON integer; none when it needs more than 64 bits.
pub(super) fn from_i128(number: i128) -> Option<Value> {
    i64::try_from(number).map(Value::from).or_else(|_| u64::try_from(number).map(Value::from)).ok()
}

/// `digits` × 10^`exponent`.
#[derive(Debug, Clone, Copy)]
struct Decimal {
    digits: i128,
    exponent: i32,
}

impl Decimal {
    /// From the shortest spelling, the one that JSON shows.
    fn read(number: &Number) -> Option<Self> {
        let spelled = number.to_string();
        let (mantissa, exponent) = spelled.split_once(['e', 'E']).unwrap_or((&spelled, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}").parse().ok()?;
        let places = i32::try_from(fraction.len()).ok()?;
        Some(Self { digits, exponent: exponent.parse::<i32>().ok()?.checked_sub(places)? })
    }

    /// The nearest JSON number; an integer when it is whole.
    fn value(mut self) -> Option<Value> {
        while self.exponent < 0 && self.digits % 10 == 0 && self.digits != 0 {
            self.digits /= 10;
            self.exponent += 1;
        }
        if self.digits == 0 {
            return Some(Value::from(0));
        }
        let whole = u32::try_from(self.exponent)
            .ok()
            .and_then(|exponent| self.digits.checked_mul(10_i128.checked_pow(exponent)?))
            .and_then(from_i128);
        whole.or_else(|| from_f64(format!("{}e{}", self.digits, self.exponent).parse().ok()?))
    }
}

/// The exact product; none when two integers have one beyond 64 bits.
pub(super) fn times(a: &Number, b: &Number) -> Option<Value> {
    let (x, y) = (Decimal::read(a)?, Decimal::read(b)?);
    let exponent = x.exponent.checked_add(y.exponent)?;
    fitting(a, b, Decimal { digits: x.digits.checked_mul(y.digits)?, exponent })
}

/// The exact sum where the digits allow it, else the nearest float; none when two integers have
/// one beyond 64 bits.
pub(super) fn plus(a: &Number, b: &Number) -> Option<Value> {
    let (x, y) = (Decimal::read(a)?, Decimal::read(b)?);
    let exponent = x.exponent.min(y.exponent);
    let at_exponent = |decimal: Decimal| {
        let places = u32::try_from(decimal.exponent.checked_sub(exponent)?).ok()?;
        decimal.digits.checked_mul(10_i128.checked_pow(places)?)
    };
    match at_exponent(x).zip(at_exponent(y)).and_then(|(x, y)| x.checked_add(y)) {
        Some(digits) => fitting(a, b, Decimal { digits, exponent }),
        None => from_f64(a.as_f64()? + b.as_f64()?),
    }
}

/// Integers stay integers: their result is never turned into a float silently.
fn fitting(a: &Number, b: &Number, result: Decimal) -> Option<Value> {
    let value = result.value()?;
    if value.is_f64() && !a.is_f64() && !b.is_f64() { None } else { Some(value) }
}

/// Rounded to `precision` places behind the point (before it when negative), halves away from
/// zero, as amounts are rounded.
pub(super) fn round(number: &Number, precision: i32) -> Option<Value> {
    let decimal = Decimal::read(number)?;
    let dropped = decimal.exponent.checked_add(precision)?.checked_neg()?;
    if dropped <= 0 {
        return Some(without_fraction(Value::Number(number.clone())));
    }
    let Some(unit) = u32::try_from(dropped).ok().and_then(|places| 10_i128.checked_pow(places)) else {
        return Some(Value::from(0));
    };
    let nearest = (decimal.digits.abs() + unit / 2) / unit * decimal.digits.signum();
    Decimal { digits: nearest, exponent: precision.checked_neg()? }.value()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn number(value: &Value) -> Number {
        value.as_number().unwrap().clone()
    }

    #[test]
    fn values_become_text_as_json_writes_them() {
        let cases = [
            (json!(3.0), Some("3")),
            (json!(-0.0), Some("0")),
            (json!(0.1), Some("0.1")),
            (json!(1e300), Some("1e+300")),
            (json!(u64::MAX), Some("18446744073709551615")),
            (json!(i64::MIN), Some("-9223372036854775808")),
            (json!(true), Some("true")),
            (json!("a\"b"), Some("a\"b")),
            (json!({"b": [1, null], "a": "x"}), Some(r#"{"b":[1,null],"a":"x"}"#)),
            (json!(null), None),
        ];
        for (value, expected) in cases {
            assert_eq!(text_of(&value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn times_is_exact() {
        let cases = [
            (json!(19.99), json!(100), Some(json!(1999))),
            (json!(1.15), json!(100), Some(json!(115))),
            (json!(0.1), json!(0.2), Some(json!(0.02))),
            (json!(-2.5), json!(2), Some(json!(-5))),
            (json!(u64::MAX), json!(1), Some(json!(u64::MAX))),
            (json!(u64::MAX), json!(2), None),
            (json!(1e300), json!(1e300), None),
            (json!(0.0), json!(1e300), Some(json!(0))),
            (json!(1e-7), json!(10_000_000), Some(json!(1))),
        ];
        for (a, b, expected) in cases {
            assert_eq!(times(&number(&a), &number(&b)), expected, "{a} × {b}");
        }
    }

    #[test]
    fn halves_round_away_from_zero_on_the_digits_as_written() {
        let cases = [
            (json!(2.5), 0, json!(3)),
            (json!(-2.5), 0, json!(-3)),
            (json!(1.005), 2, json!(1.01)),
            (json!(12.345), 2, json!(12.35)),
            (json!(12.0), 2, json!(12)),
            (json!(1234), -2, json!(1200)),
            (json!(1250), -2, json!(1300)),
            (json!(1e-200), 3, json!(0)),
            (json!(7), 3, json!(7)),
            (json!(u64::MAX), 0, json!(u64::MAX)),
            (json!(0.4), 0, json!(0)),
        ];
        for (value, precision, expected) in cases {
            assert_eq!(round(&number(&value), precision), Some(expected), "{value} to {precision}");
        }
    }
}
