//! A `text` body: free text in which only known roots are placeholders.
//!
//! All other braces are the text's own, so that a mustache template or a GraphQL query can be
//! sent as it is.

use std::collections::BTreeSet;

use super::error::{RenderError, TemplateError};
use super::expression::secrets_in;
use super::parts::{Parts, plain, text};
use super::placeholder::Reading;
use super::roots::Roots;
use super::scope::Scope;
use super::work::Work;

/// A compiled text.
#[derive(Debug, Clone)]
pub struct TextTemplate {
    parts: Parts,
}

impl TextTemplate {
    /// Reads a text for a place that knows `roots`.
    pub fn compile(source: &str, roots: &Roots) -> Result<Self, TemplateError> {
        Parts::compile(source, roots, Reading::Loose).map(|parts| Self { parts })
    }

    /// The text with its values, at most 1 MiB.
    pub fn render(&self, scope: &Scope) -> Result<String, RenderError> {
        text(&self.parts.all, scope, &Work::new(), plain)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    #[test]
    fn only_known_roots_are_filled_in() {
        let scope =
            Scope::new().with("data", Arc::new(json!({"a": "x\n\"{data.b}", "n": 2.0, "o": {"k": [1]}})));
        let cases = [
            ("{name} {data.n} {{ name }} {{ data.n + 1 }}", "{name} 2 {{ name }} 3"),
            ("<a>{data.a}</a>", "<a>x\n\"{data.b}</a>"),
            ("{data.o}", r#"{"k":[1]}"#),
            ("", ""),
        ];
        for (source, expected) in cases {
            let template = TextTemplate::compile(source, &Roots::request(&[])).unwrap();
            assert_eq!(template.render(&scope).as_deref(), Ok(expected), "{source}");
        }
        let template = TextTemplate::compile("{data.x} {x}", &Roots::request(&[])).unwrap();
        assert_eq!(template.render(&scope), Err(RenderError::Missing(vec!["data.x".to_owned()])));
    }
}
