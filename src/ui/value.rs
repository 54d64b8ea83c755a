//! Values of cases and answers, as people read them: every digit of a number, yes and no, and
//! lists in one line. What is large is cut where there is little room, and says so.

use serde_json::Value;

use crate::ui::words::values as w;

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

    /// In one line of at most so many characters, for a cell of a table.
    pub fn line(value: Option<&Value>, most: usize) -> Self {
        let whole = match value {
            Some(value @ (Value::Object(_) | Value::Array(_))) if Self::whole(Some(value)).block => {
                Self { text: value.to_string(), number: false, block: false, nothing: false }
            }
            value => Self::whole(value),
        };
        let text = whole.text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { text: cut(&text, most), ..whole }
    }
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
        assert_eq!(cut("äöü", 3), "äöü");
    }
}
