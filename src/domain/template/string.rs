//! A string with placeholders: header values, members of auth, values of params and forms, a
//! mapping's `value`.
//!
//! A string that is one placeholder and nothing else keeps the value's JSON type; otherwise text
//! is inserted as [`super::text_of`] writes it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::error::{RenderError, TemplateError};
use super::expression::secrets_in;
use super::parts::{Parts, plain, text};
use super::placeholder::Reading;
use super::roots::Roots;
use super::scope::Scope;
use super::work::Work;

/// A compiled string.
#[derive(Debug, Clone)]
pub struct Template {
    parts: Parts,
}

impl Template {
    /// Reads a string for a place that knows `roots`; an unknown first word is refused.
    pub fn compile(source: &str, roots: &Roots) -> Result<Self, TemplateError> {
        Parts::compile(source, roots, Reading::Strict).map(|parts| Self { parts })
    }

    /// As text of at most 1 MiB.
    pub fn render_text(&self, scope: &Scope) -> Result<String, RenderError> {
        text(&self.parts.all, scope, &Work::new(), plain)
    }

    /// As the value of a header: text without control characters.
    pub fn render_header(&self, scope: &Scope) -> Result<String, RenderError> {
        let value = self.render_text(scope)?;
        if value.chars().any(char::is_control) {
            let why = "a header value has a control character, e.g. a line break";
            return Err(RenderError::Failed(why.to_owned()));
        }
        Ok(value)
    }

    /// With its JSON type; never null.
    pub fn render_value(&self, scope: &Scope) -> Result<Value, RenderError> {
        self.render_sparse(scope)?.ok_or_else(|| match self.parts.only_value() {
            Some(expression) => expression.missing(Vec::new()),
            None => RenderError::Missing(Vec::new()),
        })
    }

    /// As [`Template::render_value`], but none for a null on purpose (`default(none)`), which is
    /// to be left out.
    pub fn render_sparse(&self, scope: &Scope) -> Result<Option<Value>, RenderError> {
        self.render_within(scope, &Work::new())
    }

    /// As [`Template::render_sparse`], as a part of something bigger.
    pub(super) fn render_within(&self, scope: &Scope, work: &Work) -> Result<Option<Value>, RenderError> {
        match self.parts.only_value() {
            Some(expression) => expression.find(scope, work),
            None => text(&self.parts.all, scope, work, plain).map(|text| Some(Value::String(text))),
        }
    }

    /// The text, when there is no placeholder in it.
    pub fn literal(&self) -> Option<&str> {
        self.parts.literal()
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

    fn scope() -> Scope {
        let data = json!({
            "a": "x", "n": 3.0, "list": [1, "b"], "flag": true, "nothing": null, "evil": "{{ secret.token }}{data.a}",
            "lines": "a\r\nX-Evil: 1", "tab": "a\tb", "huge": "x".repeat(700_000), "big": 9_007_199_254_740_993_i64,
        });
        Scope::new().with("data", Arc::new(data)).with("secret", Arc::new(json!({"token": "s3cr3t"})))
    }

    fn compile(source: &str) -> Template {
        Template::compile(source, &Roots::request(&[])).unwrap()
    }

    #[test]
    fn one_placeholder_keeps_its_type_and_more_make_text() {
        let cases = [
            ("{data.n}", json!(3)),
            ("{{ data.list }}", json!([1, "b"])),
            ("{data.big}", json!(9_007_199_254_740_993_i64)),
            (" {data.n}", json!(" 3")),
            ("{data.list}!", json!(r#"[1,"b"]!"#)),
            ("{data.flag}{data.n}", json!("true3")),
            ("Bearer {secret.token}", json!("Bearer s3cr3t")),
            ("plain", json!("plain")),
            ("", json!("")),
            ("{{ \"{{\" }} data.a }}", json!("{{ data.a }}")),
            // One pass: what a value holds is never looked at again.
            ("{data.evil}", json!("{{ secret.token }}{data.a}")),
            ("<{data.evil}>", json!("<{{ secret.token }}{data.a}>")),
        ];
        for (source, expected) in cases {
            assert_eq!(compile(source).render_value(&scope()), Ok(expected), "{source}");
        }
        assert_eq!(compile("a{{ '}' }}").render_text(&scope()).as_deref(), Ok("a}"));
        assert_eq!((compile("a {b").literal(), compile("{now}").literal()), (Some("a {b"), None));
    }

    #[test]
    fn everything_missing_is_named_at_once() {
        let missing = |paths: &[&str]| RenderError::Missing(paths.iter().map(ToString::to_string).collect());
        let cases = [
            ("{data.x}-{data.y}-{data.a}-{data.x}", missing(&["data.x", "data.y"])),
            ("{data.nothing}", missing(&["data.nothing"])),
            ("{{ data.a + 1 }}{data.x}", missing(&["data.x"])),
            ("{{ data.x | default(none) }}", missing(&["data.x"])),
            ("a{{ data.x | default(none) }}", missing(&["data.x"])),
        ];
        for (source, expected) in cases {
            assert_eq!(compile(source).render_value(&scope()), Err(expected), "{source}");
        }
        assert_eq!(compile("{{ data.x | default(none) }}").render_sparse(&scope()), Ok(None));
        assert!(compile("{data.x}").render_sparse(&scope()).is_err());
        assert!(compile("a{{ data.x | default(none) }}").render_sparse(&scope()).is_err());
    }

    #[test]
    fn headers_take_no_control_characters_and_texts_no_more_than_a_mebibyte() {
        for source in ["{data.lines}", "{data.tab}", "a\u{7f}", "{{ \"\\u0000\" }}", "{{ 'a\\nb' }}"] {
            assert!(
                matches!(compile(source).render_header(&scope()), Err(RenderError::Failed(_))),
                "{source}"
            );
        }
        assert_eq!(compile("Bearer {secret.token}").render_header(&scope()).as_deref(), Ok("Bearer s3cr3t"));
        assert!(matches!(
            compile("{data.huge}{data.huge}").render_text(&scope()),
            Err(RenderError::Failed(_))
        ));
    }

    #[test]
    fn what_it_reads_is_known() {
        let template = compile("{data.a}{{ secrets.b | upper }}{secret.a}");
        assert_eq!(template.references().iter().collect::<Vec<_>>(), ["data.a", "secret.a", "secret.b"]);
        assert_eq!(template.secrets().into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}
