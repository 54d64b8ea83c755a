//! Filters on numbers. A text is not taken for a number: `int` and `float` convert it.

use serde_json::Value;

use super::arguments::Arguments;
use crate::domain::template::compare::is_true;
use crate::domain::template::{jinja, number};

type Filtered = Result<Value, String>;

/// Places that `round` may be asked for, before and behind the point.
const MOST_PLACES: i32 = 15;

/// The exact decimal product, so that `19.99 | times(100)` is 1999.
pub(super) fn times(input: &Value, arguments: &Arguments) -> Filtered {
    let factor = arguments.get(0).ok_or("`times` needs its factor")?;
    number::times(arguments.as_number(input)?, arguments.as_number(factor)?)
        .ok_or_else(|| out_of_range("times"))
}

pub(super) fn round(input: &Value, arguments: &Arguments) -> Filtered {
    let precision = arguments.whole(0)?.unwrap_or(0);
    if !(-MOST_PLACES..=MOST_PLACES).contains(&precision) {
        return Err(format!("`round` rounds to at most {MOST_PLACES} places"));
    }
    number::round(arguments.as_number(input)?, precision).ok_or_else(|| out_of_range("round"))
}

pub(super) fn abs(input: &Value, arguments: &Arguments) -> Filtered {
    arguments.as_number(input)?;
    jinja::filter("abs", input, &[]).ok_or_else(|| out_of_range("abs"))
}

pub(super) fn int(input: &Value, arguments: &Arguments) -> Filtered {
    convert("int", input, arguments)
}

pub(super) fn float(input: &Value, arguments: &Arguments) -> Filtered {
    convert("float", input, arguments)
}

#[expect(clippy::unnecessary_wraps, reason = "all filters have this shape")]
pub(super) fn bool(input: &Value, _: &Arguments) -> Filtered {
    Ok(Value::Bool(is_true(input)))
}

fn convert(name: &str, input: &Value, arguments: &Arguments) -> Filtered {
    match (jinja::filter(name, input, &[]), arguments.get(0)) {
        (Some(number), _) => Ok(number),
        (None, Some(default)) => Ok(default.clone()),
        (None, None) => Err(format!("`{name}` cannot make a number of this value that JSON can hold")),
    }
}

fn out_of_range(name: &str) -> String {
    format!("the result of `{name}` does not fit into a JSON number (integers have 64 bits)")
}
