//! Filters on texts. Numbers and booleans count as the text that JSON writes for them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::arguments::Arguments;
use crate::domain::template::number::text_of;
use crate::domain::template::work::check_length;
use crate::domain::template::{jinja, work};

type Filtered = Result<Value, String>;

/// Most items that a text may be split into.
const MOST_ITEMS: usize = 100_000;

/// As minijinja has it: a slash stays.
const URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

pub(super) fn trim(input: &Value, arguments: &Arguments) -> Filtered {
    let text = Value::String(arguments.as_text(input)?);
    let chars = arguments.get(0).map(|_| arguments.text(0).map(Value::String)).transpose()?;
    lent("trim", &text, &chars.iter().collect::<Vec<_>>())
}

pub(super) fn upper(input: &Value, arguments: &Arguments) -> Filtered {
    cased("upper", input, arguments)
}

pub(super) fn lower(input: &Value, arguments: &Arguments) -> Filtered {
    cased("lower", input, arguments)
}

pub(super) fn title(input: &Value, arguments: &Arguments) -> Filtered {
    cased("title", input, arguments)
}

pub(super) fn capitalize(input: &Value, arguments: &Arguments) -> Filtered {
    cased("capitalize", input, arguments)
}

pub(super) fn replace(input: &Value, arguments: &Arguments) -> Filtered {
    let (text, old, new) = (arguments.as_text(input)?, arguments.text(0)?, arguments.text(1)?);
    let found = text.matches(old.as_str()).count();
    check_length((text.len() - found * old.len()).saturating_add(found.saturating_mul(new.len())))?;
    Ok(Value::String(text.replace(&old, &new)))
}

/// Takes every one of a set of characters out.
pub(super) fn remove(input: &Value, arguments: &Arguments) -> Filtered {
    let characters: std::collections::HashSet<char> = arguments.text(0)?.chars().collect();
    let text = arguments.as_text(input)?;
    Ok(Value::String(text.chars().filter(|c| !characters.contains(c)).collect()))
}

pub(super) fn prefix(input: &Value, arguments: &Arguments) -> Filtered {
    glue(&arguments.text(0)?, &arguments.as_text(input)?)
}

pub(super) fn suffix(input: &Value, arguments: &Arguments) -> Filtered {
    glue(&arguments.as_text(input)?, &arguments.text(0)?)
}

/// ASCII digits only: what registers and banks accept.
pub(super) fn digits(input: &Value, arguments: &Arguments) -> Filtered {
    let text = arguments.as_text(input)?;
    Ok(Value::String(text.chars().filter(char::is_ascii_digit).collect()))
}

/// At a separator, or without one at white space; `most` counts the cuts.
pub(super) fn split(input: &Value, arguments: &Arguments) -> Filtered {
    let text = arguments.as_text(input)?;
    let most =
        arguments.whole(1)?.and_then(|most| usize::try_from(most).ok()).map_or(usize::MAX, |most| most + 1);
    let Some(separator) = arguments.get(0) else {
        return collected(text.split_whitespace());
    };
    let separator = arguments.as_text(separator)?;
    collected(text.splitn(most, separator.as_str()))
}

pub(super) fn lines(input: &Value, arguments: &Arguments) -> Filtered {
    collected(arguments.as_text(input)?.lines())
}

pub(super) fn string(input: &Value, arguments: &Arguments) -> Filtered {
    let text = text_of(input).ok_or_else(|| arguments.refuse(input, "a value"))?;
    check_length(text.len())?;
    Ok(Value::String(text))
}

pub(super) fn tojson(input: &Value, _: &Arguments) -> Filtered {
    let text = input.to_string();
    check_length(text.len())?;
    Ok(Value::String(text))
}

pub(super) fn urlencode(input: &Value, arguments: &Arguments) -> Filtered {
    let encoded = utf8_percent_encode(&arguments.as_text(input)?, URL).to_string();
    check_length(encoded.len())?;
    Ok(Value::String(encoded))
}

fn cased(name: &'static str, input: &Value, arguments: &Arguments) -> Filtered {
    lent(name, &Value::String(arguments.as_text(input)?), &[])
}

/// A filter of minijinja's that gives a text at most three times as long.
fn lent(name: &'static str, input: &Value, arguments: &[&Value]) -> Filtered {
    let result =
        jinja::filter(name, input, arguments).ok_or_else(|| format!("`{name}` cannot be applied here"))?;
    check_length(work::weight(&result).saturating_sub(2))?;
    Ok(result)
}

fn glue(front: &str, back: &str) -> Filtered {
    check_length(front.len() + back.len())?;
    Ok(Value::String(format!("{front}{back}")))
}

pub(super) fn collected<'t>(parts: impl Iterator<Item = &'t str>) -> Filtered {
    let items: Vec<Value> = parts.take(MOST_ITEMS + 1).map(Value::from).collect();
    if items.len() > MOST_ITEMS {
        return Err(format!("the text falls into more than {MOST_ITEMS} pieces"));
    }
    Ok(Value::Array(items))
}
