//! The tests that may follow `is` and `is not`.
//!
//! `defined`, `undefined` and `none` ask for presence and so have an answer when the value is
//! missing; undefined and null are one thing here. All others look at a value that is there.

use serde_json::Value;

use super::compare::{contains, equal, order};
use super::error::TemplateError;
use crate::domain::problem::nearest;

/// One test.
#[derive(Debug)]
pub(super) struct Test {
    pub name: &'static str,
    pub takes_argument: bool,
    pub asks: Asks,
}

/// What a test looks at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asks {
    /// Holds when the value is there (true) or missing (false).
    Presence(bool),
    /// Holds for values of a kind.
    Kind(fn(&Value) -> bool),
    /// Holds for a value and the argument; none when they do not go together.
    Pair(fn(&Value, &Value) -> Option<bool>),
}

use Asks::{Kind, Pair, Presence};

static TESTS: [Test; 28] = [
    test("defined", Presence(true)),
    test("undefined", Presence(false)),
    test("none", Presence(false)),
    test("boolean", Kind(Value::is_boolean)),
    test("true", Kind(|value| *value == Value::Bool(true))),
    test("false", Kind(|value| *value == Value::Bool(false))),
    test("number", Kind(Value::is_number)),
    test("integer", Kind(|value| value.is_i64() || value.is_u64())),
    test("int", Kind(|value| value.is_i64() || value.is_u64())),
    test("float", Kind(Value::is_f64)),
    test("string", Kind(Value::is_string)),
    test("sequence", Kind(Value::is_array)),
    test("iterable", Kind(|value| value.is_array() || value.is_object() || value.is_string())),
    test("mapping", Kind(Value::is_object)),
    test("odd", Kind(|value| remainder(value, 2).is_some_and(|rest| rest != 0))),
    test("even", Kind(|value| remainder(value, 2) == Some(0))),
    test("lower", Kind(|value| cased(value, char::is_uppercase, char::is_lowercase))),
    test("upper", Kind(|value| cased(value, char::is_lowercase, char::is_uppercase))),
    test("divisibleby", Pair(|a, b| Some(remainder(a, whole(b)?)? == 0))),
    test("startingwith", Pair(|a, b| Some(a.as_str()?.starts_with(b.as_str()?)))),
    test("endingwith", Pair(|a, b| Some(a.as_str()?.ends_with(b.as_str()?)))),
    test("eq", Pair(|a, b| Some(equal(a, b)))),
    test("equalto", Pair(|a, b| Some(equal(a, b)))),
    test("ne", Pair(|a, b| Some(!equal(a, b)))),
    test("lt", Pair(|a, b| Some(order(a, b)?.is_lt()))),
    test("gt", Pair(|a, b| Some(order(a, b)?.is_gt()))),
    test("in", Pair(|a, b| contains(b, a))),
    test("containing", Pair(contains)),
];

const fn test(name: &'static str, asks: Asks) -> Test {
    Test { name, takes_argument: matches!(asks, Pair(_)), asks }
}

/// The test of that name, or an error with the nearest one.
pub(super) fn find(name: &str) -> Result<&'static Test, TemplateError> {
    TESTS.iter().find(|test| test.name == name).ok_or_else(|| {
        let shown: String = name.chars().take(64).collect();
        let names = || TESTS.iter().map(|test| test.name);
        TemplateError::invalid(match nearest(name, names()) {
            Some(near) => format!("there is no test `{shown}`: did you mean `{near}`?"),
            None => {
                format!("there is no test `{shown}`: use one of {}", names().collect::<Vec<_>>().join(", "))
            }
        })
    })
}

fn whole(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
}

fn remainder(value: &Value, divisor: i128) -> Option<i128> {
    whole(value)?.checked_rem(divisor)
}

/// A text with at least one letter of the wanted case and none of the other.
fn cased(value: &Value, other: fn(char) -> bool, wanted: fn(char) -> bool) -> bool {
    value.as_str().is_some_and(|text| !text.chars().any(other) && text.chars().any(wanted))
}
