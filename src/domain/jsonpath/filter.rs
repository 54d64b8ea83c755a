//! Logical expressions of filters (RFC 9535, section 2.3.5) for one child at a time.
//!
//! Numbers are compared by value and exactly, 64-bit integers too; what compares long texts
//! or deep values pays for it from the budget.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::budget::{Budget, Exhausted};
use super::plan::{Comparison, Operand, Query, Test};
use super::walk::walk;

/// True when `test` holds for `current`.
pub(super) fn holds(
    test: &Test,
    current: &Value,
    root: &Value,
    budget: &mut Budget,
) -> Result<bool, Exhausted> {
    budget.spend(1)?;
    match test {
        Test::Not(inner) => Ok(!holds(inner, current, root, budget)?),
        Test::Any(parts) => {
            for part in parts {
                if holds(part, current, root, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Test::All(parts) => {
            for part in parts {
                if !holds(part, current, root, budget)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Test::Exists(query) => Ok(!find(query, current, root, budget)?.is_empty()),
        Test::Matches(subject, pattern) => match evaluate(subject, current, root, budget)?.as_deref() {
            Some(Value::String(found)) => {
                budget.spend(16 + found.len())?;
                Ok(pattern.is_match(found))
            }
            _ => Ok(false),
        },
        Test::Compare(left, comparison, right) => {
            let left = evaluate(left, current, root, budget)?;
            let right = evaluate(right, current, root, budget)?;
            compare(left.as_deref(), *comparison, right.as_deref(), budget)
        }
    }
}

fn find<'a>(
    query: &Query,
    current: &'a Value,
    root: &'a Value,
    budget: &mut Budget,
) -> Result<Vec<&'a Value>, Exhausted> {
    walk(&query.steps, if query.absolute { root } else { current }, root, budget)
}

/// The value of an operand, or `None` for what the standard calls Nothing.
fn evaluate<'a>(
    operand: &'a Operand,
    current: &'a Value,
    root: &'a Value,
    budget: &mut Budget,
) -> Result<Option<Cow<'a, Value>>, Exhausted> {
    Ok(match operand {
        Operand::Literal(value) => Some(Cow::Borrowed(value)),
        Operand::Value(query) => {
            find(query, current, root, budget)?.first().map(|value| Cow::Borrowed(*value))
        }
        Operand::Count(query) => Some(Cow::Owned(find(query, current, root, budget)?.len().into())),
        Operand::Length(inner) => match evaluate(inner, current, root, budget)?.as_deref() {
            Some(Value::String(text)) => {
                budget.spend(text.len() / 16)?;
                Some(Cow::Owned(text.chars().count().into()))
            }
            Some(Value::Array(items)) => Some(Cow::Owned(items.len().into())),
            Some(Value::Object(members)) => Some(Cow::Owned(members.len().into())),
            _ => None,
        },
    })
}

fn compare(
    left: Option<&Value>,
    comparison: Comparison,
    right: Option<&Value>,
    budget: &mut Budget,
) -> Result<bool, Exhausted> {
    match comparison {
        Comparison::Equal => same(left, right, budget),
        Comparison::Unequal => Ok(!same(left, right, budget)?),
        Comparison::Less => less(left, right, budget),
        Comparison::Greater => less(right, left, budget),
        Comparison::LessOrEqual => Ok(less(left, right, budget)? || same(left, right, budget)?),
        Comparison::GreaterOrEqual => Ok(less(right, left, budget)? || same(left, right, budget)?),
    }
}

fn same(left: Option<&Value>, right: Option<&Value>, budget: &mut Budget) -> Result<bool, Exhausted> {
    match (left, right) {
        (Some(left), Some(right)) => equal(left, right, budget),
        (left, right) => Ok(left.is_none() && right.is_none()),
    }
}

fn equal(left: &Value, right: &Value, budget: &mut Budget) -> Result<bool, Exhausted> {
    budget.spend(1)?;
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Ok(order(left, right) == Some(Ordering::Equal)),
        (Value::String(left), Value::String(right)) if left.len() == right.len() => {
            budget.spend(left.len() / 64)?;
            Ok(left == right)
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (left, right) in left.iter().zip(right) {
                if !equal(left, right, budget)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Object(left), Value::Object(right)) if left.len() == right.len() => {
            for (name, left) in left {
                match right.get(name) {
                    Some(right) if equal(left, right, budget)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        (Value::Null, Value::Null) => Ok(true),
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        _ => Ok(false),
    }
}

/// Only numbers and texts have an order; everything else is not less than anything.
fn less(left: Option<&Value>, right: Option<&Value>, budget: &mut Budget) -> Result<bool, Exhausted> {
    match (left, right) {
        (Some(Value::Number(left)), Some(Value::Number(right))) => {
            Ok(order(left, right) == Some(Ordering::Less))
        }
        (Some(Value::String(left)), Some(Value::String(right))) => {
            budget.spend(left.len().min(right.len()) / 64)?;
            Ok(left < right)
        }
        _ => Ok(false),
    }
}

fn order(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i128(), right.as_i128()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}
