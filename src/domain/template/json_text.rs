//! A body that is written as a JSON text: only known roots are placeholders, and whatever a value
//! holds, the result stays the JSON that was written.
//!
//! Inside quotes a value becomes escaped string content (numbers and objects as their JSON text);
//! outside it becomes a JSON value. Since each kind of placeholder always yields one kind of
//! token, it is enough to read the text once when compiling, with stand-ins for the values.

use std::collections::BTreeSet;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::error::{RenderError, TemplateError};
use super::expression::secrets_in;
use super::parts::{Parts, Piece, pieces, plain, push};
use super::placeholder::{Part, Reading};
use super::roots::Roots;
use super::scope::Scope;
use super::work::Work;

/// A compiled JSON text.
#[derive(Debug, Clone)]
pub struct JsonTextTemplate {
    parts: Parts,
    /// For each part whether it starts inside quotes.
    inside: Vec<bool>,
}

impl JsonTextTemplate {
    /// Reads a JSON text for a place that knows `roots`; what is no JSON is refused.
    pub fn compile(source: &str, roots: &Roots) -> Result<Self, TemplateError> {
        let parts = Parts::compile(source, roots, Reading::Loose)?;
        let inside = quoted(&parts.all)?;
        let stand_in = |part: &Part, inside: bool| match part {
            Part::Literal(text) => text.clone(),
            // An empty string can stand wherever a value or the name of a member can.
            Part::Value(_) => if inside { "" } else { "\"\"" }.to_owned(),
        };
        let sample: String =
            parts.all.iter().zip(&inside).map(|(part, inside)| stand_in(part, *inside)).collect();
        match serde_json::from_str::<IgnoredAny>(&sample) {
            Ok(_) => Ok(Self { parts, inside }),
            Err(error) => Err(TemplateError::invalid(format!(
                "the body is no JSON, with placeholders read as empty texts: {}",
                without_place(&error)
            ))),
        }
    }

    /// The JSON text with its values, at most 1 MiB.
    pub fn render(&self, scope: &Scope) -> Result<String, RenderError> {
        let mut text = String::new();
        for (piece, inside) in pieces(&self.parts.all, scope, &Work::new())?.iter().zip(&self.inside) {
            match piece {
                Piece::Literal(literal) => push(&mut text, literal)?,
                Piece::Value(value) if *inside => {
                    let quoted = Value::String(plain(value)).to_string();
                    push(&mut text, &quoted[1..quoted.len() - 1])?;
                }
                Piece::Value(value) => push(&mut text, &value.to_string())?,
            }
        }
        match serde_json::from_str::<IgnoredAny>(&text) {
            Ok(_) => Ok(text),
            // A number as the name of a member, for example.
            Err(_) => Err(RenderError::Failed("the body is no JSON with these values".to_owned())),
        }
    }

    /// The dotted paths it reads, as far as they are static.
    pub fn references(&self) -> &BTreeSet<String> {
        &self.parts.references
    }

    /// Names of the secrets it reads.
    pub fn secrets(&self) -> BTreeSet<String> {
        secrets_in(&self.parts.references)
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.parts.source
    }
}

/// Whether each part starts inside quotes.
fn quoted(parts: &[Part]) -> Result<Vec<bool>, TemplateError> {
    let mut inside = false;
    let mut escaped = false;
    let mut starts = Vec::with_capacity(parts.len());
    for part in parts {
        starts.push(inside);
        let Part::Literal(text) = part else {
            // Else the value's first character would be taken for the escaped one.
            if escaped {
                return Err(TemplateError::invalid("a placeholder cannot follow a `\\` directly"));
            }
            continue;
        };
        for byte in text.bytes() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if inside => escaped = true,
                b'"' => inside = !inside,
                _ => {}
            }
        }
    }
    Ok(starts)
}

/// The parser's complaint without its line and column, which count in the sample.
fn without_place(error: &serde_json::Error) -> String {
    let whole = error.to_string();
    whole.split(" at line").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn scope() -> Scope {
        let data = json!({
            "t": "a\"b\\c\n{data.n}", "n": 3.0, "o": {"k": "\""}, "l": [1, null], "f": false, "key": "name", "nothing": null,
        });
        Scope::new().with("data", Arc::new(data))
    }

    fn compile(source: &str) -> Result<JsonTextTemplate, TemplateError> {
        JsonTextTemplate::compile(source, &Roots::request(&[]))
    }

    #[test]
    fn values_stay_inside_their_place() {
        let cases = [
            (r#"{"a": "{data.t}"}"#, json!({"a": "a\"b\\c\n{data.n}"})),
            (r#"{"a": {data.t}}"#, json!({"a": "a\"b\\c\n{data.n}"})),
            (r#"{"a": {{ data.n }}, "b": "{data.n}"}"#, json!({"a": 3, "b": "3"})),
            (r#"{"a": {data.o}, "b": "{data.o}"}"#, json!({"a": {"k": "\""}, "b": r#"{"k":"\""}"#})),
            (r#"[{data.l},"x {data.f} \"{data.n}\""]"#, json!([[1, null], "x false \"3\""])),
            (r#"{"{data.key}": {"{name}": {}}}"#, json!({"name": {"{name}": {}}})),
            (r"{ {{ data.key }}: 1}", json!({"name": 1})),
            (r#"{"a": "{{ data.t | default("x") | length }}"}"#, json!({"a": "14"})),
            (r#"{"query": "query{company{name}}"}"#, json!({"query": "query{company{name}}"})),
            (r"{data.n}", json!(3)),
            (r#""\\{data.n}""#, json!("\\3")),
        ];
        for (source, expected) in cases {
            let rendered =
                compile(source).unwrap_or_else(|e| panic!("{source}: {e}")).render(&scope()).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&rendered).unwrap(), expected, "{source}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused_when_compiling() {
        let cases = [
            "",
            "{",
            r#"{"a": 1{data.n}}"#,
            r#"{"a": {data.n}{data.n}}"#,
            r#"{"a": "\{data.t}"}"#,
            r#"{"a": "\u00{data.n}"}"#,
            r#"{"a": "{data.t}}"#,
            r#"{"a": {unknown.x}}"#,
            r#"{"a": {data.n}"#,
        ];
        for source in cases {
            assert!(compile(source).is_err(), "{source}");
        }
    }

    #[test]
    fn what_fails_with_values_says_so() {
        let template = compile(r#"{ {data.n}: 1, "x": {data.f} }"#).unwrap();
        assert!(matches!(template.render(&scope()), Err(RenderError::Failed(_))));
        let template = compile(r#"{"a": {data.x}, "b": "{data.nothing}"}"#).unwrap();
        let missing = vec!["data.x".to_owned(), "data.nothing".to_owned()];
        assert_eq!(template.render(&scope()), Err(RenderError::Missing(missing)));
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_quotes(value in any::<String>()) {
            let scope = Scope::new().with("data", Arc::new(json!({"a": value})));
            let template = compile(r#"{"in": "<{data.a}>", "out": {data.a}, "end": 1}"#).unwrap();
            let rendered: Value = serde_json::from_str(&template.render(&scope).unwrap()).unwrap();
            prop_assert_eq!(rendered, json!({"in": format!("<{value}>"), "out": value, "end": 1}));
        }
    }
}
