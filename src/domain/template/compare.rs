//! Equality, order and containment of JSON values, as expressions mean them.
//!
//! Numbers compare by value whatever their spelling (`1` equals `1.0`), integers exactly. Values
//! of different types are never equal and have no order.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// Deep equality.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => order_numbers(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

/// Order of two numbers, texts or booleans; none for anything else.
pub(super) fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => order_numbers(a, b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Is `item` an item of the array, a member name of the object, a part of the text? None when
/// the container is none of these.
pub(super) fn contains(container: &Value, item: &Value) -> Option<bool> {
    match (container, item) {
        (Value::Array(items), _) => Some(items.iter().any(|held| equal(held, item))),
        (Value::Object(members), Value::String(name)) => Some(members.contains_key(name)),
        (Value::String(text), Value::String(part)) => Some(text.contains(part.as_str())),
        _ => None,
    }
}

/// Truth as Jinja has it: zero and everything empty is false.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// What a value is called in messages.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn order_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// A number without a fraction, exactly, however it is spelled; none for one with a fraction, or
/// a float far beyond every integer that JSON numbers keep.
fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)).or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 1e30)?;
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^127")]
        Some(float as i128)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equality_is_by_value() {
        let equals = [
            (json!(1), json!(1.0)),
            (json!({"a": 1, "b": [2]}), json!({"b": [2.0], "a": 1})),
            (json!("x"), json!("x")),
            (json!(9_007_199_254_740_992_i64), json!(9_007_199_254_740_992.0)),
            (json!(0), json!(-0.0)),
        ];
        for (a, b) in equals {
            assert!(equal(&a, &b), "{a} {b}");
        }
        let differ = [
            (json!(1), json!("1")),
            (json!(true), json!(1)),
            (json!(u64::MAX), json!(u64::MAX - 1)),
            (json!(9_007_199_254_740_993_i64), json!(9_007_199_254_740_992.0)),
            (json!(u64::MAX), json!(18_446_744_073_709_551_616.0)),
            (json!(9_007_199_254_740_993_i64), json!(0.5)),
            (json!([1]), json!([1, 2])),
        ];
        for (a, b) in differ {
            assert!(!equal(&a, &b), "{a} {b}");
        }
    }

    #[test]
    fn order_and_containment_stay_within_types() {
        assert_eq!(order(&json!(2), &json!(10)), Some(Ordering::Less));
        assert_eq!(order(&json!("2"), &json!("10")), Some(Ordering::Greater));
        assert_eq!(order(&json!("2"), &json!(10)), None);
        assert_eq!(
            order(&json!(9_007_199_254_740_993_i64), &json!(9_007_199_254_740_992_i64)),
            Some(Ordering::Greater)
        );
        assert_eq!(contains(&json!(["BE", "FR"]), &json!("BE")), Some(true));
        assert_eq!(contains(&json!([200, 201]), &json!(201.0)), Some(true));
        assert_eq!(contains(&json!({"a": 1}), &json!("b")), Some(false));
        assert_eq!(contains(&json!("abc"), &json!("bc")), Some(true));
        assert_eq!(contains(&json!(5), &json!(5)), None);
    }
}
