//! What a filter is given besides its input, and how input and arguments are read.

use serde_json::{Number, Value};

use crate::domain::template::compare::{is_true, kind};
use crate::domain::template::number::text_of;

/// The arguments of one filter, all present ones evaluated.
pub(crate) struct Arguments {
    filter: &'static str,
    values: Vec<Option<Value>>,
}

impl Arguments {
    /// One place per parameter of the filter; trailing ones may be left out.
    pub(crate) fn new(filter: &'static str, values: Vec<Option<Value>>) -> Self {
        Self { filter, values }
    }

    /// The filter's name, for messages.
    pub(super) fn filter(&self) -> &'static str {
        self.filter
    }

    pub(super) fn get(&self, place: usize) -> Option<&Value> {
        self.values.get(place)?.as_ref()
    }

    /// A text argument; `""` when it was left out.
    pub(super) fn text(&self, place: usize) -> Result<String, String> {
        self.get(place).map_or_else(|| Ok(String::new()), |value| self.as_text(value))
    }

    /// True when the argument is given and true.
    pub(super) fn flag(&self, place: usize) -> bool {
        self.get(place).is_some_and(is_true)
    }

    /// A whole number that is not huge.
    pub(super) fn whole(&self, place: usize) -> Result<Option<i32>, String> {
        let Some(value) = self.get(place) else {
            return Ok(None);
        };
        let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
        number
            .map(Some)
            .ok_or_else(|| format!("`{}` needs a small whole number as its argument", self.filter))
    }

    /// A scalar as text; arrays and objects are refused.
    pub(super) fn as_text(&self, value: &Value) -> Result<String, String> {
        match value {
            Value::Array(_) | Value::Object(_) => Err(self.refuse(value, "a text")),
            _ => text_of(value).ok_or_else(|| self.refuse(value, "a text")),
        }
    }

    pub(super) fn as_number<'v>(&self, value: &'v Value) -> Result<&'v Number, String> {
        value.as_number().ok_or_else(|| {
            let hint = if value.is_string() { " (`| float` makes a number of a text)" } else { "" };
            format!("{}{hint}", self.refuse(value, "a number"))
        })
    }

    pub(super) fn as_array<'v>(&self, value: &'v Value) -> Result<&'v Vec<Value>, String> {
        value.as_array().ok_or_else(|| self.refuse(value, "an array"))
    }

    /// Why a value does not fit.
    pub(super) fn refuse(&self, value: &Value, needed: &str) -> String {
        format!("`{}` needs {needed}, not {}", self.filter, kind(value))
    }
}
