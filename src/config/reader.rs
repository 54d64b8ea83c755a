//! Turns raw values into checked ones, key by key, and keeps the account of it.
//!
//! A bad value is noted and a stand-in returned, so that reading goes on and all problems are
//! found; the stand-ins never leave, because with a problem there are no settings. What is left
//! over at the end is an unknown key.

use std::ops::RangeInclusive;

use config::ValueKind;

use super::problem::SettingProblem;
use super::size;
use super::sources::{Origin, Raw, Sources, variable};
use crate::domain::problem::nearest;
use crate::domain::secret::{HIDDEN, SecretText};

/// One line of `dossier config`.
#[derive(Debug, Clone)]
pub struct Effective {
    pub key: &'static str,
    /// As TOML would have it; none when the setting is not set.
    pub shown: Option<String>,
    pub origin: Origin,
}

/// Takes values out of the sources.
pub struct Reader {
    sources: Sources,
    pub effective: Vec<Effective>,
}

impl Reader {
    pub fn new(sources: Sources) -> Self {
        Self { sources, effective: Vec::new() }
    }

    /// A whole number.
    pub fn number(&mut self, key: &'static str, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = (*range.start(), *range.end());
        let rule = format!("use a whole number from {low} to {high}");
        self.read(key, &rule, |text| text.trim().parse().ok().filter(|n| range.contains(n)), u64::to_string)
    }

    /// A number of bytes.
    pub fn size(&mut self, key: &'static str, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = (size::show(*range.start()), size::show(*range.end()));
        let rule = format!("use a size from {low} to {high}, as a number of bytes or a text like \"2 MiB\"");
        self.read(key, &rule, |text| size::parse(text).filter(|n| range.contains(n)), u64::to_string)
    }

    /// A text that `parse` understands; `rule` says what to write.
    pub fn text<T: Default>(
        &mut self,
        key: &'static str,
        rule: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        show: impl FnOnce(&T) -> String,
    ) -> T {
        self.read(key, rule, parse, |value| quoted(&show(value)))
    }

    /// A credential; empty is not set. `check` says what is wrong with it, without quoting it.
    pub fn secret(
        &mut self,
        key: &'static str,
        check: impl FnOnce(&str) -> Result<(), String>,
    ) -> Option<SecretText> {
        let raw = self.sources.values.remove(key);
        let origin = raw.as_ref().map_or(Origin::Default, |raw| raw.origin.clone());
        let text = match raw.map(|raw| raw.value) {
            None | Some(ValueKind::Nil) => None,
            Some(ValueKind::String(text)) => Some(text).filter(|text| !text.is_empty()),
            Some(_) => {
                self.problem(key, &origin, "is not a text; put it in quotation marks");
                None
            }
        };
        if let Some(Err(message)) = text.as_deref().map(check) {
            self.problem(key, &origin, &message);
        }
        let shown = text.as_ref().map(|_| quoted(HIDDEN));
        self.effective.push(Effective { key, shown, origin });
        text.map(SecretText::from)
    }

    /// A list of texts, comma-separated in the environment, each read by `parse`, which says what is
    /// wrong with one.
    pub fn list<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let Some(Raw { value, origin }) = self.sources.values.remove(key) else { return Vec::new() };
        let items = match value {
            ValueKind::String(text) => Ok(text.split(',').map(str::to_owned).collect()),
            ValueKind::Array(items) => items
                .into_iter()
                .map(|item| match item.kind {
                    ValueKind::String(text) => Ok(text),
                    _ => Err("holds something that is not a text; use [\"one\", \"two\"]"),
                })
                .collect(),
            _ => Err("is not a list; use [\"one\", \"two\"]"),
        };
        let items: Vec<String> = items.unwrap_or_else(|message| {
            self.problem(key, &origin, message);
            Vec::new()
        });
        let items: Vec<String> =
            items.iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect();
        let mut parsed = Vec::with_capacity(items.len());
        for item in &items {
            match parse(item) {
                Ok(item) => parsed.push(item),
                Err(message) => self.problem(key, &origin, &message),
            }
        }
        let shown = items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", ");
        self.effective.push(Effective { key, shown: Some(format!("[{shown}]")), origin });
        parsed
    }

    /// All problems; what nobody has taken is unknown.
    pub fn finish(mut self) -> Result<Vec<Effective>, Vec<SettingProblem>> {
        for (key, raw) in std::mem::take(&mut self.sources.values) {
            let known: Vec<&str> = self.effective.iter().map(|line| line.key).collect();
            let message = unknown(&key, &raw, &known);
            self.problem(&key, &raw.origin, &message);
        }
        if self.sources.problems.is_empty() { Ok(self.effective) } else { Err(self.sources.problems) }
    }

    fn read<T: Default>(
        &mut self,
        key: &'static str,
        rule: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        show: impl FnOnce(&T) -> String,
    ) -> T {
        let Some(Raw { value, origin }) = self.sources.values.remove(key) else {
            // Every key that is read this way has a default, which a test makes sure of.
            self.problem(key, &Origin::Default, "has no value");
            return T::default();
        };
        let text = plain(&value);
        let parsed =
            text.as_deref().filter(|text| !text.contains(char::REPLACEMENT_CHARACTER)).and_then(parse);
        let shown = parsed.as_ref().map(show);
        if parsed.is_none() {
            let found = text.map_or("this kind of value".to_owned(), |text| format!("`{}`", excerpt(&text)));
            self.problem(key, &origin, &format!("{found} cannot be used; {rule}"));
        }
        self.effective.push(Effective { key, shown, origin });
        parsed.unwrap_or_default()
    }

    /// Notes a problem with a key that was read already, e.g. one that concerns two keys.
    pub fn problem(&mut self, key: &str, origin: &Origin, message: &str) {
        let (key, message) = (key.to_owned(), message.to_owned());
        self.sources.problems.push(SettingProblem { key, origin: origin.clone(), message });
    }

    /// Looks at a value before it is read.
    pub fn peek(&self, key: &str) -> Option<(String, Origin)> {
        let raw = self.sources.values.get(key)?;
        Some((plain(&raw.value)?, raw.origin.clone()))
    }

    /// Puts the default in place of a value that was refused with a reason of its own.
    pub fn refuse(&mut self, key: &'static str, message: &str) {
        if let Some(raw) = self.sources.values.remove(key) {
            self.problem(key, &raw.origin, message);
            self.effective.push(Effective { key, shown: None, origin: raw.origin });
        }
    }
}

fn plain(value: &ValueKind) -> Option<String> {
    match value {
        ValueKind::String(text) => Some(text.clone()),
        ValueKind::I64(number) => Some(number.to_string()),
        ValueKind::Float(number) => Some(number.to_string()),
        ValueKind::Boolean(value) => Some(value.to_string()),
        _ => None,
    }
}

fn unknown(key: &str, raw: &Raw, known: &[&str]) -> String {
    let section = |known: &&str| known.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
    if known.iter().any(section) {
        return match raw.origin {
            Origin::Environment(_) => {
                format!("is a section; name a key of it, like {}", variable("server.listen"))
            }
            _ => format!("is a section; write [{key}] and its keys below"),
        };
    }
    let last = key.rsplit('.').next().unwrap_or(key);
    let by_last_word = || known.iter().copied().find(|known| known.rsplit('.').next() == Some(last));
    match nearest(key, known.iter().copied()).or_else(by_last_word) {
        Some(near) => match raw.origin {
            Origin::Environment(_) => format!("is not a setting; did you mean {}?", variable(near)),
            _ => format!("is not a setting; did you mean {near}?"),
        },
        None => "is not a setting; `config/default.toml` lists all of them".to_owned(),
    }
}

/// As a TOML basic string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn excerpt(text: &str) -> String {
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if chars.next().is_some() { start + "…" } else { start }
}
