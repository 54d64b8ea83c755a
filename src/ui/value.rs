//! Values of cases and answers, as people read them: every digit of a number, yes and no, and
//! lists in one line. What is large is cut where there is little room, and says so.

use serde_json::Value;

use crate::ui::labels;
use crate::ui::words::values as w;

/// Members of an object that a line tells, and characters of each.
const PARTS: usize = 4;
const LONGEST_PART: usize = 40;

/// A value on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What is read.
    pub text: String,
    /// Whether it is a number, which stands on the right.
    pub number: bool,
    /// Whether it is an object or a list of such, which is written as JSON over several lines.
    pub block: bool,
    /// Whether there is nothing.
    pub nothing: bool,
}

impl Shown {
    /// The whole value; none: it is absent.
    pub fn whole(value: Option<&Value>) -> Self {
        let plain = |text: String| Self { text, number: false, block: false, nothing: false };
        match value {
            None | Some(Value::Null) => Self { nothing: true, ..plain(w::NOTHING.to_owned()) },
            Some(Value::Bool(holds)) => plain(if *holds { w::YES } else { w::NO }.to_owned()),
            Some(Value::Number(number)) => Self { number: true, ..plain(number.to_string()) },
            Some(Value::String(text)) => plain(text.clone()),
            Some(Value::Array(items)) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
                let items: Vec<String> = items.iter().map(|item| Self::whole(Some(item)).text).collect();
                plain(items.join(", "))
            }
            Some(other) => {
                let text = serde_json::to_string_pretty(other).unwrap_or_default();
                Self { block: true, ..plain(text) }
            }
        }
    }

    /// In one line of at most so many characters, for a cell of a table that builders read: what is
    /// large stands there as JSON.
    pub fn line(value: Option<&Value>, most: usize) -> Self {
        Self::flat(value, most, Value::to_string)
    }

    /// The same for a cell that everybody reads: of what is large, what it begins with, in words.
    pub fn told(value: Option<&Value>, most: usize) -> Self {
        Self::flat(value, most, told)
    }

    fn flat(value: Option<&Value>, most: usize, large: fn(&Value) -> String) -> Self {
        let whole = Self::whole(value);
        let whole = match value {
            Some(value) if whole.block => Self { text: large(value), block: false, ..whole },
            _ => whole,
        };
        let text = whole.text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { text: cut(&text, most), ..whole }
    }
}

/// A large value in words: its first members that are no objects or lists, else how many it has.
fn told(value: &Value) -> String {
    let Value::Object(members) = value else {
        return w::entries(value.as_array().map_or(0, Vec::len));
    };
    let plain =
        members.iter().filter(|(_, value)| !value.is_object() && !value.is_array() && !value.is_null());
    let told = plain.take(PARTS).map(|(name, value)| {
        w::member(&labels::words(name), &cut(&Shown::whole(Some(value)).text, LONGEST_PART))
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { w::members(members.len()) } else { told.join(", ") }
}

/// A text of at most so many characters; what is longer ends in an ellipsis.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_value_reads_like_speech() {
        for (value, text, number, block) in [
            (json!(9_007_199_254_740_993_i64), "9007199254740993", true, false),
            (json!(1.5), "1.5", true, false),
            (json!(true), "yes", false, false),
            (json!(["a", 2, false]), "a, 2, no", false, false),
            (json!([]), "", false, false),
            (json!({"a": 1}), "{\n  \"a\": 1\n}", false, true),
        ] {
            let shown = Shown::whole(Some(&value));
            assert_eq!((shown.text.as_str(), shown.number, shown.block), (text, number, block));
        }
        assert!(Shown::whole(None).nothing && Shown::whole(Some(&Value::Null)).nothing);
    }

    #[test]
    fn a_cell_holds_one_line() {
        let value = json!("Acme\n  Société   anonyme");
        assert_eq!(Shown::line(Some(&value), 12).text, "Acme Sociét…");
        assert_eq!(Shown::line(Some(&json!({"a": [1]})), 40).text, r#"{"a":[1]}"#);
        for (value, line) in [
            (
                json!({"rate": 1.08, "date": "2026-11-20", "of": {"a": 1}, "x": null}),
                "rate 1.08, date 2026-11-20",
            ),
            (json!({"legal_form": "SA", "USD": 1.0}), "legal form SA, USD 1.0"),
            (json!({"a": {}, "b": [1]}), "2 values"),
            (json!([{"a": 1}]), "1 entry"),
        ] {
            let shown = Shown::told(Some(&value), 40);
            assert_eq!((shown.text.as_str(), shown.block), (line, false));
        }
        assert_eq!(cut("äöü", 3), "äöü");
    }
}
