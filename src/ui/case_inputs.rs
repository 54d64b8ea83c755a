//! The inputs of a case's forms: a value as it is typed, and read back.
//!
//! Each input carries a print of the text that it was filled with. So only what somebody typed is
//! sent on, and a value that became another meanwhile is noticed, whoever changed it: a person, a
//! program or a run.

use serde_json::Value;

use super::case_room::written;
use super::digits;
use super::words::case as w;
use super::words::values;
use crate::domain::field::{PlainField, PlainType};

/// Characters that are edited in a page.
const LONGEST: usize = 20_000;
/// Characters that fit into one line.
const LINE: usize = 90;
/// Bytes of the choices of one list; of more somebody types the one that they mean.
const CHOICES: usize = 20_000;
/// Characters of what people may read about an input.
pub const LONGEST_HINT: usize = 300;

/// How an input looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// One line; the word is its `inputmode`.
    Line(&'static str),
    /// The browser's own choice of a day.
    Date,
    /// Several lines.
    Long,
    /// A list to choose from.
    Choice,
}

/// What may be typed.
#[derive(Debug, Clone, Copy)]
pub enum Kind<'f> {
    /// A value of a plain field.
    Plain(&'f PlainField),
    /// Text.
    Text,
    /// One of a closed list of words, which is never empty.
    Word,
    /// Anything: JSON is kept as such, all else as text.
    Free,
}

/// Somebody changed the value while another typed.
#[derive(Debug, Clone)]
pub struct Theirs {
    /// What it is now.
    pub text: String,
    /// Who made it that.
    pub who: String,
}

/// An input as it is shown.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its name in the form: `data.vat_number`, `title`.
    pub name: String,
    /// What it is called.
    pub label: String,
    /// What people may read about it.
    pub hint: Option<String>,
    /// How it looks.
    pub look: Look,
    /// What stands in it.
    pub text: String,
    /// The print of what it was filled with.
    pub was: String,
    /// The choices: value, name.
    pub choices: Vec<(String, String)>,
    /// Whether it may not be left empty.
    pub required: bool,
    /// Why what stands in it was refused.
    pub wrong: Option<String>,
    /// What became of the value meanwhile.
    pub theirs: Option<Theirs>,
    /// Whether the page opens at it.
    pub first: bool,
    /// Too large to be edited here.
    pub locked: bool,
}

impl Input {
    /// An input that is filled with a value.
    pub fn new(name: String, label: String, kind: Kind<'_>, value: Option<&Value>) -> Self {
        let text = text_of(kind, value);
        let (mut look, mut choices) = look(kind, &text);
        let mut hint = hint(kind);
        if choices.iter().map(choice_weight).sum::<usize>() > CHOICES {
            (look, hint) = (Look::Line("text"), Some(w::CHOICE_HINT));
            choices.clear();
        }
        let required = matches!(kind, Kind::Plain(field) if field.required);
        Self {
            name,
            label,
            hint: hint.map(str::to_owned),
            look,
            was: print(&text),
            choices,
            required,
            wrong: None,
            theirs: None,
            first: false,
            locked: text.len() > LONGEST,
            text,
        }
    }

    /// Bytes that it takes on the page.
    pub fn weight(&self) -> usize {
        let around = 480 + 8 * written(&self.name) + written(&self.label);
        let says = [&self.hint, &self.wrong].map(|text| text.as_deref().map_or(0, written));
        let choices: usize = self.choices.iter().map(choice_weight).sum();
        let theirs = self.theirs.as_ref().map_or(0, |it| 600 + written(&it.text) + written(&it.who));
        let text = if self.locked || self.look == Look::Choice { 0 } else { written(&self.text) };
        around + says.iter().sum::<usize>() + choices + theirs + text
    }

    /// The id of it on the page.
    pub fn id(&self) -> String {
        format!("in-{}", self.name)
    }
}

/// Opens the page at the input that is looked for, else at the first that may be typed into.
pub fn open_at(inputs: &mut [Input], wanted: impl Fn(&Input) -> bool) {
    let found = inputs.iter().position(wanted).or_else(|| inputs.iter().position(|input| !input.locked));
    if let Some(input) = found.and_then(|index| inputs.get_mut(index)) {
        input.first = true;
    }
}

/// A value as it is typed.
pub fn text_of(kind: Kind<'_>, value: Option<&Value>) -> String {
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default();
    match (value, kind) {
        (None | Some(Value::Null), _) => String::new(),
        (Some(value), Kind::Plain(PlainField { kind: PlainType::Json, .. })) => pretty(value),
        (Some(Value::String(text)), Kind::Free) => match serde_json::from_str::<Value>(text) {
            Ok(_) => Value::String(text.clone()).to_string(),
            Err(_) => text.clone(),
        },
        (Some(Value::String(text)), _) => text.clone(),
        (Some(value), _) => pretty(value),
    }
}

/// What was typed as a value; nothing typed is null. The error is a sentence.
pub fn value_of(kind: Kind<'_>, typed: &str) -> Result<Value, String> {
    let trimmed = typed.trim();
    if trimmed.is_empty() {
        return Ok(Value::Null);
    }
    let Kind::Plain(field) = kind else {
        return Ok(match kind {
            Kind::Free => match serde_json::from_str(trimmed) {
                Ok(value) => exact(trimmed, value)?,
                Err(_) => trimmed.into(),
            },
            _ => trimmed.into(),
        });
    };
    let value = match field.kind {
        PlainType::Number | PlainType::Integer => number(field.kind, trimmed)?,
        PlainType::Boolean => match trimmed {
            "true" => true.into(),
            "false" => false.into(),
            other => other.into(),
        },
        PlainType::Json => {
            let read = serde_json::from_str(trimmed);
            exact(trimmed, read.map_err(|wrong| w::not_json(&wrong.to_string()))?)?
        }
        PlainType::Select => {
            let named = field.options.iter().find(|option| option.name == trimmed);
            let known = field.options.iter().any(|option| option.value == trimmed);
            named.filter(|_| !known).map_or(trimmed, |option| option.value.as_str()).into()
        }
        PlainType::Text if typed.contains('\n') => typed.into(),
        _ => trimmed.into(),
    };
    field.check(&value).map_err(|why| w::does_not_fit(&why)).map(|()| value)
}

/// A number that was typed, if every digit of it is kept.
fn number(kind: PlainType, typed: &str) -> Result<Value, String> {
    if let Some(whole) = digits::whole(typed).filter(|_| kind == PlainType::Integer && is_number(typed)) {
        return Ok(whole);
    }
    match serde_json::from_str::<Value>(typed) {
        Ok(value @ Value::Number(_)) => exact(typed, value),
        // A number all the same, beyond all that are kept.
        _ if is_number(typed) => Err(w::not_exact(typed)),
        _ => Err(w::NOT_A_NUMBER.to_owned()),
    }
}

/// Whether this is spelled as JSON spells a number.
fn is_number(typed: &str) -> bool {
    serde_json::from_str::<&serde_json::value::RawValue>(typed).is_ok()
        && typed.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// What was read, unless it is not what was typed.
fn exact(typed: &str, read: Value) -> Result<Value, String> {
    digits::inexact(typed).map_or(Ok(read), |lost| Err(w::not_exact(lost)))
}

/// A short print of a text; line ends do not count, since browsers write their own.
pub fn print(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, lines(text).as_bytes());
    hex::encode(digest.as_ref().get(..8).unwrap_or_default())
}

/// A text as it was typed, with our line ends.
pub fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

fn look(kind: Kind<'_>, text: &str) -> (Look, Vec<(String, String)>) {
    let long = text.contains(['\n', '\r']) || text.chars().count() > LINE;
    let Kind::Plain(field) = kind else {
        return (if long { Look::Long } else { Look::Line("text") }, Vec::new());
    };
    let look = match field.kind {
        PlainType::Select => return (Look::Choice, choices(field, text)),
        PlainType::Boolean => return (Look::Choice, yes_no(text)),
        PlainType::Json => Look::Long,
        // What is no day (it was stored before the field had this type) would not be shown.
        PlainType::Date if text.is_empty() || field.check(&text.into()).is_ok() => Look::Date,
        _ if long => Look::Long,
        PlainType::Number => Look::Line("decimal"),
        PlainType::Integer => Look::Line("numeric"),
        PlainType::Email => Look::Line("email"),
        PlainType::Url => Look::Line("url"),
        _ => Look::Line("text"),
    };
    (look, Vec::new())
}

fn choice_weight((value, name): &(String, String)) -> usize {
    40 + written(value) + written(name)
}

fn choices(field: &PlainField, text: &str) -> Vec<(String, String)> {
    let mut choices: Vec<_> =
        field.options.iter().map(|option| (option.value.clone(), option.name.clone())).collect();
    if !text.is_empty() && !choices.iter().any(|(value, _)| value == text) {
        choices.insert(0, (text.to_owned(), text.to_owned()));
    }
    if !field.required || text.is_empty() {
        choices.insert(0, (String::new(), w::CHOOSE.to_owned()));
    }
    choices
}

fn yes_no(text: &str) -> Vec<(String, String)> {
    let all = [("", w::CHOOSE), ("true", values::YES), ("false", values::NO)];
    let mut choices: Vec<_> = all.map(|(value, name)| (value.to_owned(), name.to_owned())).into();
    if !choices.iter().any(|(value, _)| value == text) {
        choices.push((text.to_owned(), text.to_owned()));
    }
    choices
}

fn hint(kind: Kind<'_>) -> Option<&'static str> {
    match kind {
        Kind::Plain(PlainField { kind: PlainType::Datetime, .. }) => Some(w::DATETIME_HINT),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(kind: PlainType) -> PlainField {
        PlainField { kind, required: false, default: None, index: false, options: Vec::new() }
    }

    #[test]
    fn what_is_shown_is_read_back_the_same() {
        let table = [
            (PlainType::Text, json!("12")),
            (PlainType::Text, json!("two\nlines ")),
            (PlainType::Number, json!(1.5)),
            (PlainType::Integer, json!(9_007_199_254_740_993_i64)),
            (PlainType::Boolean, json!(false)),
            (PlainType::Date, json!("2026-11-21")),
            (PlainType::Json, json!({"a": [1, "x"]})),
            (PlainType::Json, json!("text")),
            (PlainType::Email, json!("a@b.example")),
        ];
        for (kind, value) in table {
            let field = plain(kind);
            let kind = Kind::Plain(&field);
            assert_eq!(value_of(kind, &text_of(kind, Some(&value))), Ok(value));
        }
        for value in
            [json!("12"), json!("true"), json!("\"x\""), json!("a, b"), json!(12), json!([1]), json!(true)]
        {
            assert_eq!(value_of(Kind::Free, &text_of(Kind::Free, Some(&value))), Ok(value));
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (kind, typed) in [
            (PlainType::Number, "12,5"),
            (PlainType::Integer, "1.5"),
            (PlainType::Date, "tomorrow"),
            (PlainType::Json, "{"),
            (PlainType::Email, "nobody"),
            (PlainType::Url, "javascript:alert(1)"),
        ] {
            assert!(value_of(Kind::Plain(&plain(kind)), typed).is_err(), "{typed}");
            assert_eq!(value_of(Kind::Plain(&plain(kind)), "  "), Ok(Value::Null));
        }
    }

    #[test]
    fn a_browser_s_line_ends_are_no_change() {
        assert_eq!(print("a\r\nb"), print("a\nb"));
        assert_ne!(print("a"), print("a "));
    }

    #[test]
    fn what_is_stored_is_always_among_the_choices() {
        let field = plain(PlainType::Date);
        let odd = Input::new("data.d".into(), "D".into(), Kind::Plain(&field), Some(&json!("21/11/2026")));
        assert_eq!(odd.look, Look::Line("text"));
        let field = plain(PlainType::Boolean);
        let odd = Input::new("data.b".into(), "B".into(), Kind::Plain(&field), Some(&json!("maybe")));
        assert!(odd.choices.iter().any(|(value, _)| value == "maybe"));
    }
}
