//! The body of a request: JSON, form or text.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::domain::case_type::reader::Reader;
use crate::domain::template::{JsonTextTemplate, TextTemplate, ValueTemplate};

use super::compiler::{Compiler, is_flat_enough};

/// The body of a request, by the way it is encoded.
#[derive(Debug)]
pub enum BodyTemplate {
    /// A JSON object or array with templates in its texts.
    Json(ValueTemplate),
    /// A JSON text with placeholders.
    JsonText(JsonTextTemplate),
    /// An object that is sent urlencoded.
    Form(ValueTemplate),
    /// Any text.
    Text(TextTemplate),
}

impl BodyTemplate {
    /// The dotted paths it reads, as far as they are static.
    pub fn references(&self) -> &BTreeSet<String> {
        match self {
            Self::Json(tree) | Self::Form(tree) => tree.references(),
            Self::JsonText(text) => text.references(),
            Self::Text(text) => text.references(),
        }
    }

    /// Names of the secrets it reads.
    pub fn secrets(&self) -> BTreeSet<String> {
        match self {
            Self::Json(tree) | Self::Form(tree) => tree.secrets(),
            Self::JsonText(text) => text.secrets(),
            Self::Text(text) => text.secrets(),
        }
    }

    /// The `body_type` in definitions.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Json(_) | Self::JsonText(_) => "json",
            Self::Form(_) => "form",
            Self::Text(_) => "text",
        }
    }
}

#[derive(Clone, Copy)]
enum BodyType {
    Json,
    Form,
    Text,
}

/// Reads `body` and `body_type`.
pub fn read_body(
    config: &mut Reader<'_, '_>,
    compiler: &mut Compiler<'_>,
    normal: &mut Map<String, Value>,
) -> Option<Option<BodyTemplate>> {
    const TYPES: [(&str, BodyType); 3] =
        [("json", BodyType::Json), ("form", BodyType::Form), ("text", BodyType::Text)];
    let value = config.get("body");
    let given = config.get("body_type").is_some();
    let kind = config.word("body_type", &TYPES);
    if given && kind.is_none() {
        return None;
    }
    let kind = kind.unwrap_or(BodyType::Json);
    let Some(value) = value else { return Some(None) };
    if !is_flat_enough("body", value, config) {
        return None;
    }
    let at = config.at("body");
    let findings = &mut *config.findings;
    let body = match (kind, value) {
        (BodyType::Json, Value::Object(_) | Value::Array(_)) => {
            BodyTemplate::Json(compiler.tree(value, &at, findings)?)
        }
        (BodyType::Json, Value::String(text)) => {
            BodyTemplate::JsonText(compiler.json_text(text, &at, findings)?)
        }
        (BodyType::Form, Value::Object(_)) => BodyTemplate::Form(compiler.tree(value, &at, findings)?),
        (BodyType::Text, Value::String(text)) => BodyTemplate::Text(compiler.text(text, &at, findings)?),
        (kind, _) => {
            config.wrong_type("body", expected_body(kind), value);
            return None;
        }
    };
    normal.insert("body".into(), value.clone());
    normal.insert("body_type".into(), body.kind().into());
    Some(Some(body))
}

const fn expected_body(kind: BodyType) -> &'static str {
    match kind {
        BodyType::Json => "an object, an array, or a JSON text (`body_type` is `json`)",
        BodyType::Form => "an object (`body_type` is `form`)",
        BodyType::Text => "a text (`body_type` is `text`)",
    }
}
