//! What every field has, and the fork between plain and fetching ones.

use serde_json::{Map, Value};

use crate::domain::api_call::{ApiCall, CONFIG_MEMBERS, FIELD_MEMBERS};
use crate::domain::case_type::Context;
use crate::domain::case_type::findings::unknown_word;
use crate::domain::case_type::reader::Reader;
use crate::domain::ids::{FieldKey, KEY_RULE};
use crate::domain::problem::code;

use super::plain::{PlainField, PlainType};

/// Characters of a display name.
pub const LONGEST_NAME: usize = 200;
/// Characters of a description.
pub const LONGEST_DESCRIPTION: usize = 2000;

/// When a page shows the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Visibility {
    /// Always.
    #[default]
    AlwaysVisible,
    /// Not while it has no value and is never run, skipped or disabled.
    HideWhenEmpty,
    /// Never.
    Hidden,
}

impl Visibility {
    const ALL: [(&'static str, Self); 3] = [
        ("always-visible", Self::AlwaysVisible),
        ("hide-when-empty", Self::HideWhenEmpty),
        ("hidden", Self::Hidden),
    ];

    /// The spelling in definitions and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AlwaysVisible => "always-visible",
            Self::HideWhenEmpty => "hide-when-empty",
            Self::Hidden => "hidden",
        }
    }
}

/// A field of a case type.
#[derive(Debug)]
pub struct Field {
    /// Unique in the case type; a plain field's value stands under it in `data`.
    pub key: FieldKey,
    /// What people see.
    pub name: String,
    /// What people may read about it.
    pub description: Option<String>,
    /// The key of the section it is shown in.
    pub section: Option<String>,
    /// When a page shows it.
    pub visibility: Visibility,
    /// What it does.
    pub kind: FieldKind,
}

/// The two kinds of fields.
#[derive(Debug)]
pub enum FieldKind {
    /// Holds a value in `data`.
    Plain(PlainField),
    /// Fetches values.
    ApiCall(Box<ApiCall>),
}

impl Field {
    /// Reads one definition; `None` when a problem was found that leaves no field.
    pub fn read(mut reader: Reader<'_, '_>, context: &Context<'_>) -> Option<Self> {
        let key = read_key(&mut reader);
        let name = reader.text("name", LONGEST_NAME);
        let description = reader.any_text("description", LONGEST_DESCRIPTION);
        let section = read_section(&mut reader, context);
        let visibility = reader.word("visibility", &Visibility::ALL).unwrap_or_default();
        let kind = match read_type(&mut reader) {
            Some(Type::ApiCall) => {
                ApiCall::read(&mut reader, context).map(|call| FieldKind::ApiCall(Box::new(call)))
            }
            Some(Type::Plain(kind)) => PlainField::read(kind, &mut reader).map(FieldKind::Plain),
            // Which members it may have is unknown then: only the type is reported.
            None => return None,
        };
        let plain = !matches!(reader.get("type"), Some(Value::String(word)) if word == API_CALL);
        reader.finish(|name| misplaced(name, plain));
        let (key, kind) = (key?, kind?);
        Some(Self {
            name: name.unwrap_or(key.as_str()).to_owned(),
            key,
            description: description.map(str::to_owned),
            section,
            visibility,
            kind,
        })
    }

    /// The definition with defaults filled in.
    pub fn normal_form(&self) -> Value {
        let mut form = Map::new();
        form.insert("key".into(), self.key.as_str().into());
        form.insert("type".into(), self.type_name().into());
        form.insert("name".into(), self.name.as_str().into());
        if let Some(description) = &self.description {
            form.insert("description".into(), description.as_str().into());
        }
        if let Some(section) = &self.section {
            form.insert("section".into(), section.as_str().into());
        }
        form.insert("visibility".into(), self.visibility.as_str().into());
        match &self.kind {
            FieldKind::Plain(plain) => plain.write(&mut form),
            FieldKind::ApiCall(call) => call.write(&mut form),
        }
        Value::Object(form)
    }

    /// The spelling of its type in definitions.
    pub fn type_name(&self) -> &'static str {
        match &self.kind {
            FieldKind::Plain(plain) => plain.kind.as_str(),
            FieldKind::ApiCall(_) => API_CALL,
        }
    }

    /// The plain part, if it is a plain field.
    pub fn plain(&self) -> Option<&PlainField> {
        if let FieldKind::Plain(plain) = &self.kind { Some(plain) } else { None }
    }

    /// The fetching part, if it is an API Call field.
    pub fn api_call(&self) -> Option<&ApiCall> {
        if let FieldKind::ApiCall(call) = &self.kind { Some(call) } else { None }
    }
}

const API_CALL: &str = "api_call";

enum Type {
    ApiCall,
    Plain(PlainType),
}

fn read_type(reader: &mut Reader<'_, '_>) -> Option<Type> {
    let Some(value) = reader.get("type") else {
        reader.missing("type", "`api_call`, or the type of a value such as `text`");
        return None;
    };
    let Value::String(word) = value else {
        reader.wrong_type("type", "a text", value);
        return None;
    };
    if word == API_CALL {
        return Some(Type::ApiCall);
    }
    let hit = PlainType::ALL.iter().find(|(known, _)| known == word).map(|(_, kind)| Type::Plain(*kind));
    if hit.is_none() {
        let known: Vec<_> = PlainType::ALL.iter().map(|(known, _)| *known).chain([API_CALL]).collect();
        reader.problem("type", code::INVALID, unknown_word(word, "a type of fields", &known));
    }
    hit
}

fn read_key(reader: &mut Reader<'_, '_>) -> Option<FieldKey> {
    let Some(value) = reader.get("key") else {
        reader.missing("key", KEY_RULE);
        return None;
    };
    let Value::String(text) = value else {
        reader.wrong_type("key", "a text", value);
        return None;
    };
    let key = FieldKey::try_from(text.clone());
    if key.is_err() {
        reader.problem("key", code::INVALID, format!("is not a valid key: {KEY_RULE}"));
    }
    key.ok()
}

fn read_section(reader: &mut Reader<'_, '_>, context: &Context<'_>) -> Option<String> {
    let section = reader.text("section", LONGEST_NAME)?;
    if !context.sections.contains(section) {
        let known: Vec<_> = context.sections.iter().map(String::as_str).collect();
        reader.problem(
            "section",
            code::UNKNOWN_REFERENCE,
            unknown_word(section, "a section of this case type", &known),
        );
    }
    Some(section.to_owned())
}

/// Where a member stands that is known, but not at this field.
fn misplaced(name: &str, plain: bool) -> Option<&'static str> {
    const PLAIN: [&str; 4] = ["required", "default", "index", "options"];
    match (plain, name) {
        (false, name) if CONFIG_MEMBERS.contains(&name) => Some("move it into `api_config`"),
        (false, name) if PLAIN.contains(&name) => {
            Some("it belongs to fields that hold a value, not to `api_call`")
        }
        (true, name)
            if name == "api_config" || FIELD_MEMBERS.contains(&name) || CONFIG_MEMBERS.contains(&name) =>
        {
            Some("it belongs to fields of the type `api_call`")
        }
        (true, "options") => Some("it belongs to fields of the type `select`"),
        _ => None,
    }
}
