//! Filters on arrays and objects; a few take a text apart as minijinja does.
//!
//! Texts are sorted and told apart without regard to case unless `case_sensitive=true`, as Jinja
//! has it. Sorting is ours because minijinja's order is not total over mixed numbers, which the
//! standard library may answer with a panic.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::Value;

use super::arguments::Arguments;
use super::texts::collected;
use crate::domain::template::number::{self, text_of, without_fraction};
use crate::domain::template::tree::Step;
use crate::domain::template::work::check_length;

type Filtered = Result<Value, String>;

pub(super) fn length(input: &Value, arguments: &Arguments) -> Filtered {
    match input {
        Value::String(text) => Ok(Value::from(text.chars().count())),
        Value::Array(items) => Ok(Value::from(items.len())),
        Value::Object(members) => Ok(Value::from(members.len())),
        _ => Err(arguments.refuse(input, "an array, an object or a text")),
    }
}

pub(super) fn first(input: &Value, arguments: &Arguments) -> Filtered {
    match input {
        Value::String(text) => Ok(text.chars().next().map_or(Value::Null, |c| Value::String(c.to_string()))),
        _ => Ok(arguments.as_array(input)?.first().cloned().unwrap_or_default()),
    }
}

pub(super) fn last(input: &Value, arguments: &Arguments) -> Filtered {
    match input {
        Value::String(text) => {
            Ok(text.chars().next_back().map_or(Value::Null, |c| Value::String(c.to_string())))
        }
        _ => Ok(arguments.as_array(input)?.last().cloned().unwrap_or_default()),
    }
}

/// Items as texts, nulls left out, with a separator between them.
pub(super) fn join(input: &Value, arguments: &Arguments) -> Filtered {
    let separator = arguments.text(0)?;
    let texts: Vec<String> = picked(input, arguments, 1)?.iter().filter_map(text_of).collect();
    let between = separator.len().saturating_mul(texts.len().saturating_sub(1));
    check_length(texts.iter().map(String::len).sum::<usize>().saturating_add(between))?;
    Ok(Value::String(texts.join(&separator)))
}

pub(super) fn sort(input: &Value, arguments: &Arguments) -> Filtered {
    let mut keyed = keyed(input, arguments, arguments.flag(1), 2)?;
    keyed.sort_by(|(a, _), (b, _)| a.order(b));
    if arguments.flag(0) {
        keyed.reverse();
    }
    Ok(keyed.into_iter().map(|(_, item)| item.clone()).collect())
}

/// Each item once, at its first place.
pub(super) fn unique(input: &Value, arguments: &Arguments) -> Filtered {
    let keys = picked(input, arguments, 1)?;
    let mut seen = HashSet::new();
    let items = arguments.as_array(input)?.iter().zip(keys);
    let kept = items.filter(|(_, key)| {
        let key = without_fraction(key.clone()).to_string();
        seen.insert(if arguments.flag(0) { key } else { key.to_lowercase() })
    });
    Ok(kept.map(|(item, _)| item.clone()).collect())
}

pub(super) fn min(input: &Value, arguments: &Arguments) -> Filtered {
    let keyed = keyed(input, arguments, arguments.flag(0), 1)?;
    let least = keyed.into_iter().min_by(|(a, _), (b, _)| a.order(b));
    Ok(least.map_or(Value::Null, |(_, item)| item.clone()))
}

pub(super) fn max(input: &Value, arguments: &Arguments) -> Filtered {
    let keyed = keyed(input, arguments, arguments.flag(0), 1)?;
    let greatest = keyed.into_iter().max_by(|(a, _), (b, _)| a.order(b));
    Ok(greatest.map_or(Value::Null, |(_, item)| item.clone()))
}

/// The exact sum of the numbers; items that lack the attribute, and nulls, are left out.
pub(super) fn sum(input: &Value, arguments: &Arguments) -> Filtered {
    let mut total = Value::from(0);
    for item in picked(input, arguments, 0)?.iter().filter(|item| !item.is_null()) {
        total = number::plus(arguments.as_number(&total)?, arguments.as_number(item)?)
            .ok_or("the result of `sum` does not fit into a JSON number (integers have 64 bits)")?;
    }
    Ok(total)
}

/// One member of every item, by a dotted path; null where it is not there.
pub(super) fn map(input: &Value, arguments: &Arguments) -> Filtered {
    Ok(Value::Array(picked(input, arguments, 0)?))
}

pub(super) fn reverse(input: &Value, arguments: &Arguments) -> Filtered {
    match input {
        Value::String(text) => Ok(Value::String(text.chars().rev().collect())),
        _ => Ok(arguments.as_array(input)?.iter().rev().cloned().collect()),
    }
}

/// An array as it is, the member names of an object, the characters of a text.
pub(super) fn list(input: &Value, arguments: &Arguments) -> Filtered {
    match input {
        Value::Object(_) => keys(input, arguments),
        Value::String(text) => collected(text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()])),
        _ => arguments.as_array(input).cloned().map(Value::Array),
    }
}

pub(super) fn items(input: &Value, arguments: &Arguments) -> Filtered {
    let members = input.as_object().ok_or_else(|| arguments.refuse(input, "an object"))?;
    Ok(members
        .iter()
        .map(|(name, value)| Value::Array(vec![Value::from(name.as_str()), value.clone()]))
        .collect())
}

pub(super) fn keys(input: &Value, arguments: &Arguments) -> Filtered {
    let members = input.as_object().ok_or_else(|| arguments.refuse(input, "an object"))?;
    Ok(members.keys().map(|name| Value::from(name.as_str())).collect())
}

pub(super) fn values(input: &Value, arguments: &Arguments) -> Filtered {
    let members = input.as_object().ok_or_else(|| arguments.refuse(input, "an object"))?;
    Ok(members.values().cloned().collect())
}

/// The array without its nulls.
pub(super) fn compact(input: &Value, arguments: &Arguments) -> Filtered {
    Ok(arguments.as_array(input)?.iter().filter(|item| !item.is_null()).cloned().collect())
}

/// The items, or what the dotted path in an argument finds in each of them.
fn picked(input: &Value, arguments: &Arguments, place: usize) -> Result<Vec<Value>, String> {
    let items = arguments.as_array(input)?;
    if arguments.get(place).is_none() {
        return Ok(items.clone());
    }
    let path = arguments.text(place)?;
    let steps: Vec<Step> = path.split('.').map(Step::from_word).collect();
    let find = |item| steps.iter().try_fold(item, |value, step| step.of(value));
    Ok(items.iter().map(|item| find(item).cloned().unwrap_or_default()).collect())
}

/// What items are ordered by: all numbers or all texts.
enum Key {
    Whole(i128),
    Float(f64),
    Text(String),
}

impl Key {
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            // `keyed` makes all keys of one kind.
            _ => Ordering::Equal,
        }
    }
}

fn keyed<'v>(
    input: &'v Value,
    arguments: &Arguments,
    case_sensitive: bool,
    attribute: usize,
) -> Result<Vec<(Key, &'v Value)>, String> {
    let values = picked(input, arguments, attribute)?;
    let floats = values.iter().any(Value::is_f64);
    let texts = values.iter().all(Value::is_string);
    let key = |value: &Value| match value {
        Value::String(text) if texts && case_sensitive => Some(Key::Text(text.clone())),
        Value::String(text) if texts => Some(Key::Text(text.to_lowercase())),
        Value::Number(number) if floats => number.as_f64().map(Key::Float),
        Value::Number(number) => {
            number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)).map(Key::Whole)
        }
        _ => None,
    };
    let keys: Option<Vec<Key>> = values.iter().map(key).collect();
    let keys =
        keys.ok_or_else(|| format!("`{}` needs an array of numbers or of texts only", arguments.filter()))?;
    Ok(keys.into_iter().zip(arguments.as_array(input)?).collect())
}
