//! Operators on two values that are there. Numbers are minijinja's; texts are capped.

use serde_json::Value;

use crate::domain::template::compare::kind;
use crate::domain::template::jinja;
use crate::domain::template::number::text_of;
use crate::domain::template::tree::Operator;
use crate::domain::template::work::check_length;

/// The result, or in words why there is none.
pub(super) fn operate(operator: Operator, a: &Value, b: &Value) -> Result<Value, String> {
    let does_not_fit = || format!("`{}` cannot be applied to {} and {}", operator.symbol(), kind(a), kind(b));
    match (operator, a, b) {
        (Operator::Join, ..) => {
            let (a, b) = text_of(a).zip(text_of(b)).ok_or_else(does_not_fit)?;
            glued(&a, &b)
        }
        (_, Value::Number(x), Value::Number(y)) => jinja::calculate(operator, x, y).ok_or_else(|| {
            format!("`{}` has no result for these numbers that fits into a JSON number", operator.symbol())
        }),
        (Operator::Add, Value::String(a), Value::String(b)) => glued(a, b),
        (Operator::Add, Value::Array(a), Value::Array(b)) => Ok(a.iter().chain(b).cloned().collect()),
        (Operator::Multiply, Value::String(text), Value::Number(times))
        | (Operator::Multiply, Value::Number(times), Value::String(text)) => {
            let times =
                times.as_u64().and_then(|times| usize::try_from(times).ok()).ok_or_else(does_not_fit)?;
            check_length(text.len().saturating_mul(times))?;
            Ok(Value::String(if text.is_empty() { String::new() } else { text.repeat(times) }))
        }
        _ => Err(does_not_fit()),
    }
}

fn glued(a: &str, b: &str) -> Result<Value, String> {
    check_length(a.len() + b.len())?;
    Ok(Value::String(format!("{a}{b}")))
}
