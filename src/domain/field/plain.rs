//! Plain fields: a value in `data` with a type.
//!
//! A value is checked when somebody writes it, never converted. Messages say what was expected
//! and which type was found; they never quote the value, which may be personal and would
//! outlive the case in a run's error.

use serde_json::{Map, Value, json};

use crate::domain::case_type::reader::{DEEPEST, Reader, is_shallow};
use crate::domain::data::article_and_type;
use crate::domain::problem::{code, join};

use super::value::{is_date, is_datetime, is_email, is_url};

/// Choices of one `select` field.
const MOST_OPTIONS: usize = 500;
/// Characters of a choice.
const LONGEST_OPTION: usize = 200;

/// The type of a plain field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainType {
    /// A text.
    Text,
    /// Any JSON number.
    Number,
    /// A number without fraction, within 64 bits.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// An RFC 3339 full-date.
    Date,
    /// An RFC 3339 date-time.
    Datetime,
    /// One of the field's options.
    Select,
    /// An e-mail address.
    Email,
    /// An absolute http or https address.
    Url,
    /// Anything.
    Json,
}

impl PlainType {
    /// All types with their spelling in definitions.
    pub const ALL: [(&'static str, Self); 10] = [
        ("text", Self::Text),
        ("number", Self::Number),
        ("integer", Self::Integer),
        ("boolean", Self::Boolean),
        ("date", Self::Date),
        ("datetime", Self::Datetime),
        ("select", Self::Select),
        ("email", Self::Email),
        ("url", Self::Url),
        ("json", Self::Json),
    ];

    /// The spelling in definitions.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, it)| *it == self).map_or("json", |(word, _)| word)
    }

    /// What a value of the type looks like, for messages.
    const fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Integer => "a whole number within 64 bits",
            Self::Boolean => "`true` or `false`",
            Self::Date => "a date that exists, like `2026-11-21`",
            Self::Datetime => "a date and time with an offset, like `2026-11-21T09:30:00Z`",
            Self::Select => "one of the options",
            Self::Email => "an e-mail address",
            Self::Url => "an address that begins with `https://` or `http://`",
            Self::Json => "a JSON value",
        }
    }
}

/// One choice of a `select` field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectOption {
    /// What is stored.
    pub value: String,
    /// What is shown.
    pub name: String,
}

/// What a plain field says about its value.
#[derive(Debug, Clone, PartialEq)]
pub struct PlainField {
    /// The type of the value.
    pub kind: PlainType,
    /// People and the API may not leave it empty.
    pub required: bool,
    /// What a new case gets where the value is absent.
    pub default: Option<Value>,
    /// Lists may be filtered by it at any size.
    pub index: bool,
    /// The choices of a `select`, in order; empty for other types.
    pub options: Vec<SelectOption>,
}

impl PlainField {
    /// Reads the members that plain fields have beside the common ones.
    pub fn read(kind: PlainType, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let required = reader.flag("required").unwrap_or(false);
        let index = reader.flag("index").unwrap_or(false);
        let default = reader.get("default");
        let options = if kind == PlainType::Select { read_options(reader)? } else { Vec::new() };
        let field = Self { kind, required, default: default.cloned(), index, options };
        if let Some(value) = default {
            if !is_shallow(value, DEEPEST) {
                reader.problem(
                    "default",
                    code::OUT_OF_RANGE,
                    format!("is nested too deep: at most {DEEPEST} levels"),
                );
            } else if let Err(why) = field.check(value) {
                reader.problem(
                    "default",
                    code::INVALID,
                    format!("the default is not a value of the field: {why}"),
                );
            }
        }
        Some(field)
    }

    /// Checks a value that somebody writes. `null` means empty. The message says what was
    /// expected and what was found.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        if value.is_null() {
            return if self.required { Err(self.mismatch("null")) } else { Ok(()) };
        }
        let fits = match (self.kind, value) {
            (PlainType::Json, _)
            | (PlainType::Text, Value::String(_))
            | (PlainType::Number, Value::Number(_))
            | (PlainType::Boolean, Value::Bool(_)) => true,
            (PlainType::Integer, Value::Number(number)) => {
                number.is_i64() || number.is_u64() || number.as_f64().is_some_and(is_exact_whole)
            }
            (PlainType::Date, Value::String(text)) => is_date(text),
            (PlainType::Datetime, Value::String(text)) => is_datetime(text),
            (PlainType::Email, Value::String(text)) => is_email(text),
            (PlainType::Url, Value::String(text)) => is_url(text),
            (PlainType::Select, Value::String(text)) => {
                self.options.iter().any(|option| option.value == *text)
            }
            _ => return Err(self.mismatch(article_and_type(value))),
        };
        if fits { Ok(()) } else { Err(self.mismatch(self.near_miss())) }
    }

    /// Adds the members that are special to plain fields, defaults filled in.
    pub fn write(&self, form: &mut Map<String, Value>) {
        if !self.options.is_empty() {
            form.insert("options".into(), self.options.iter().map(SelectOption::normal_form).collect());
        }
        form.insert("required".into(), self.required.into());
        form.insert("index".into(), self.index.into());
        if let Some(default) = &self.default {
            form.insert("default".into(), default.clone());
        }
    }

    fn mismatch(&self, found: &str) -> String {
        if self.kind != PlainType::Select {
            return format!("expected {}, found {found}", self.kind.expected());
        }
        let options: Vec<_> =
            self.options.iter().take(20).map(|option| format!("`{}`", option.value)).collect();
        let more = if self.options.len() > options.len() { " or another option" } else { "" };
        format!("expected one of {}{more}, found {found}", options.join(", "))
    }

    /// What a value of the right JSON type and the wrong content is.
    fn near_miss(&self) -> &'static str {
        match self.kind {
            PlainType::Integer => "a number with a fraction or beyond 64 bits",
            PlainType::Select => "another text",
            _ => "a text that is none",
        }
    }
}

impl SelectOption {
    fn normal_form(&self) -> Value {
        if self.name == self.value {
            json!(self.value)
        } else {
            json!({"value": self.value, "name": self.name})
        }
    }
}

/// A float such as `3.0` that stands for one whole number only (below 2^53).
fn is_exact_whole(float: f64) -> bool {
    float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0
}

fn read_options(reader: &mut Reader<'_, '_>) -> Option<Vec<SelectOption>> {
    if reader.get("options").is_none() {
        reader.missing("options", "list the texts to choose from");
        return None;
    }
    let items = reader.list("options", MOST_OPTIONS)?;
    if items.is_empty() {
        reader.problem("options", code::OUT_OF_RANGE, "is empty: list the texts to choose from");
        return None;
    }
    let at = reader.at("options");
    let mut options: Vec<SelectOption> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let pointer = join(&at, index);
        let Some(option) = read_option(item, &pointer, reader) else { continue };
        if options.iter().any(|other| other.value == option.value) {
            reader.findings.problem(pointer, code::DUPLICATE, "the option is listed twice: remove one");
            continue;
        }
        options.push(option);
    }
    (options.len() == items.len()).then_some(options)
}

/// An option is a text, or an object with `value` and `name`.
fn read_option(item: &Value, pointer: &str, reader: &mut Reader<'_, '_>) -> Option<SelectOption> {
    if let Value::String(text) = item {
        if text.is_empty() || text.chars().count() > LONGEST_OPTION {
            let message = format!("an option has 1 to {LONGEST_OPTION} characters");
            reader.findings.problem(pointer, code::OUT_OF_RANGE, message);
            return None;
        }
        return Some(SelectOption { value: text.clone(), name: text.clone() });
    }
    if !item.is_object() {
        let message = format!(
            "expected a text, or an object with `value` and `name`, found {}",
            article_and_type(item)
        );
        reader.findings.problem(pointer, code::WRONG_TYPE, message);
        return None;
    }
    let mut option = Reader::open(item, pointer, reader.findings)?;
    let value = option.text("value", LONGEST_OPTION);
    if value.is_none() && item.get("value").is_none_or(Value::is_null) {
        option.missing("value", "it is what the case stores");
    }
    let name = option.text("name", LONGEST_OPTION);
    option.finish(|_| None);
    value.map(|value| SelectOption { value: value.to_owned(), name: name.unwrap_or(value).to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: PlainType) -> PlainField {
        let option = |value: &str| SelectOption { value: value.into(), name: value.into() };
        let options =
            if kind == PlainType::Select { vec![option("low"), option("high")] } else { Vec::new() };
        PlainField { kind, required: false, default: None, index: false, options }
    }

    #[test]
    fn each_type_takes_its_values_and_no_others() {
        use PlainType::{Boolean, Date, Datetime, Email, Integer, Json, Number, Select, Text, Url};
        let table = [
            (Text, vec![json!(""), json!("a")], vec![json!(1), json!(true), json!([]), json!({})]),
            (Number, vec![json!(1), json!(-1.5), json!(u64::MAX)], vec![json!("1"), json!(true)]),
            (
                Integer,
                vec![json!(1), json!(i64::MIN), json!(u64::MAX), json!(3.0)],
                vec![json!(1.5), json!(18_446_744_073_709_551_616.0), json!("1"), json!(1e300)],
            ),
            (Boolean, vec![json!(true)], vec![json!("true"), json!(0)]),
            (Date, vec![json!("2024-02-29")], vec![json!("2023-02-29"), json!(20_240_229)]),
            (Datetime, vec![json!("2024-02-29T10:00:00Z")], vec![json!("2024-02-29")]),
            (Select, vec![json!("low")], vec![json!("mid"), json!(["low"])]),
            (Email, vec![json!("a@b.example")], vec![json!("ab"), json!(["a@b.example"])]),
            (Url, vec![json!("https://a.example")], vec![json!("a.example")]),
            (Json, vec![json!(1), json!({"a": [1]})], vec![]),
        ];
        for (kind, good, bad) in table {
            let field = field(kind);
            assert_eq!(field.check(&Value::Null), Ok(()), "{kind:?}");
            for value in good {
                assert_eq!(field.check(&value), Ok(()), "{kind:?} {value}");
            }
            for value in bad {
                let why = field.check(&value).unwrap_err();
                assert!(why.starts_with("expected ") && why.contains(", found "), "{kind:?} {why}");
            }
        }
    }

    #[test]
    fn a_required_value_is_not_null() {
        let field = PlainField { required: true, ..field(PlainType::Json) };
        assert_eq!(field.check(&Value::Null), Err("expected a JSON value, found null".into()));
    }
}
