//! A case type: reads a definition as a whole, and shows it in its normal form.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::domain::api_call::{ApiCall, output_variable_problem};
use crate::domain::field::{Field, FieldKind};
use crate::domain::ids::{CaseTypeKey, FieldKey, KEY_RULE, is_key};
use crate::domain::problem::{Problem, code, join};

use super::context::{Context, Known};
use super::names;
use super::reader::{DEEPEST, Findings, Reader, is_shallow, refuse_nul, short};

/// Members that answers give and that mean nothing in a body.
const READ_ONLY: [&str; 6] = ["id", "version", "revision", "created_at", "updated_at", "warnings"];
/// Sizes of a case type.
const MOST_FIELDS: usize = 200;
const MOST_SECTIONS: usize = 100;
const MOST_PARAMS: usize = 500;
const LONGEST_NAME: usize = 200;
const LONGEST_DESCRIPTION: usize = 2000;

/// The template of a case, with everything compiled.
#[derive(Debug)]
pub struct CaseType {
    /// Unique in the workspace.
    pub key: CaseTypeKey,
    /// What people see.
    pub name: String,
    /// What people may read about it.
    pub description: Option<String>,
    /// The parts of a page, in order.
    pub sections: Vec<Section>,
    /// What templates read as `params`, over those of the workspace.
    pub params: Map<String, Value>,
    /// Members of `data` that no field names are accepted.
    pub additional_data: bool,
    /// The fields, in order; their keys are unique.
    pub fields: Vec<Field>,
    /// Members of `data` that fields fill by mapping: the first words of all targets.
    pub(super) mapped: BTreeSet<String>,
    /// Members of `data` that keep whole answers.
    pub(super) outputs: BTreeSet<String>,
}

/// A part of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// A key or a UUID.
    pub key: String,
    /// What people see.
    pub name: String,
}

/// A definition that holds together.
#[derive(Debug)]
pub struct Parsed {
    /// The case type.
    pub case_type: CaseType,
    /// What is doubtful in it.
    pub warnings: Vec<Problem>,
}

impl CaseType {
    /// Reads a definition. All problems come at once, each with its pointer into `body`; at most
    /// a hundred are listed.
    pub fn parse(body: &Value, known: &Known) -> Result<Parsed, Vec<Problem>> {
        let mut findings = Findings::default();
        refuse_nul(body, "", &mut findings);
        let case_type = read(body, known, &mut findings);
        match case_type {
            Some(case_type) if findings.problems.is_empty() => {
                Ok(Parsed { case_type, warnings: findings.warnings })
            }
            _ => Err(findings.problems),
        }
    }

    /// The definition with defaults filled in, as rows and answers hold it. Reading it again
    /// gives the same case type.
    pub fn normal_form(&self) -> Value {
        let mut form = Map::new();
        form.insert("key".into(), self.key.as_str().into());
        form.insert("name".into(), self.name.as_str().into());
        if let Some(description) = &self.description {
            form.insert("description".into(), description.as_str().into());
        }
        let section = |section: &Section| json!({"key": section.key, "name": section.name});
        form.insert("sections".into(), self.sections.iter().map(section).collect());
        form.insert("params".into(), self.params.clone().into());
        form.insert("fields".into(), self.fields.iter().map(Field::normal_form).collect());
        form.insert("additional_data".into(), self.additional_data.into());
        Value::Object(form)
    }

    /// The field with this key.
    pub fn field(&self, key: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.key.as_str() == key)
    }

    /// The fields that fetch, in order.
    pub fn api_calls(&self) -> impl Iterator<Item = (&FieldKey, &ApiCall)> {
        self.fields.iter().filter_map(|field| match &field.kind {
            FieldKind::ApiCall(call) => Some((&field.key, &**call)),
            FieldKind::Plain(_) => None,
        })
    }

    /// The members of `data` that keep whole answers; each is also a root of templates.
    pub fn outputs(&self) -> &BTreeSet<String> {
        &self.outputs
    }
}

fn read(body: &Value, known: &Known, findings: &mut Findings) -> Option<CaseType> {
    let mut reader = Reader::open(body, "", findings)?;
    reader.ignore(&READ_ONLY);
    let key = read_key(&mut reader);
    let name = reader.text("name", LONGEST_NAME);
    let description = reader.any_text("description", LONGEST_DESCRIPTION);
    let sections = read_sections(&mut reader);
    let params = read_params(&mut reader);
    let definitions = reader.list("fields", MOST_FIELDS).unwrap_or_default();
    let additional_data = reader.flag("additional_data").unwrap_or(true);
    let at = reader.at("fields");
    reader.finish(|_| None);

    let context = context(known, &sections, &params, definitions);
    let fields = read_fields(definitions, &at, &context, findings);
    names::compare(definitions, &at, findings);
    let key = key?;
    let mut case_type = CaseType {
        name: name.unwrap_or(key.as_str()).to_owned(),
        key,
        description: description.map(str::to_owned),
        sections,
        params,
        additional_data,
        fields,
        mapped: BTreeSet::new(),
        outputs: BTreeSet::new(),
    };
    case_type.mapped = mapped(&case_type);
    case_type.outputs = case_type.api_calls().filter_map(|(_, call)| call.output_variable.clone()).collect();
    Some(case_type)
}

fn read_key(reader: &mut Reader<'_, '_>) -> Option<CaseTypeKey> {
    let Some(value) = reader.get("key") else {
        reader.missing("key", KEY_RULE);
        return None;
    };
    let Value::String(text) = value else {
        reader.wrong_type("key", "a text", value);
        return None;
    };
    let key = CaseTypeKey::try_from(text.clone());
    if key.is_err() {
        reader.problem("key", code::INVALID, format!("is not a valid key: {KEY_RULE}"));
    }
    key.ok()
}

fn read_sections(reader: &mut Reader<'_, '_>) -> Vec<Section> {
    let at = reader.at("sections");
    let items = reader.list("sections", MOST_SECTIONS).unwrap_or_default();
    let mut sections: Vec<Section> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Some(mut section) = Reader::open(item, join(&at, index), reader.findings) else { continue };
        if section.get("key").is_none() {
            section.missing("key", "a key or a UUID");
        }
        let key = section.text("key", LONGEST_NAME);
        let name = section.text("name", LONGEST_NAME);
        if let Some(key) = key {
            if !is_key(key) && Uuid::parse_str(key).is_err() {
                section.problem(
                    "key",
                    code::INVALID,
                    format!("is neither a UUID nor a valid key: {KEY_RULE}"),
                );
            } else if sections.iter().any(|other| other.key == key) {
                section.problem("key", code::DUPLICATE, "another section has the same key: choose another");
            }
            sections.push(Section { key: key.to_owned(), name: name.unwrap_or(key).to_owned() });
        }
        section.finish(|_| None);
    }
    sections
}

fn read_params(reader: &mut Reader<'_, '_>) -> Map<String, Value> {
    let Some(params) = reader.object("params") else { return Map::new() };
    if params.len() > MOST_PARAMS {
        reader.problem("params", code::OUT_OF_RANGE, format!("has too many members: at most {MOST_PARAMS}"));
        return Map::new();
    }
    let at = reader.at("params");
    for (name, value) in params {
        let pointer = join(&at, short(name));
        if !is_key(name) {
            reader.findings.problem(pointer, code::INVALID, format!("is not a valid name: {KEY_RULE}"));
        } else if !is_shallow(value, DEEPEST) {
            let message = format!("is nested too deep: at most {DEEPEST} levels");
            reader.findings.problem(pointer, code::OUT_OF_RANGE, message);
        }
    }
    params.clone()
}

fn read_fields(
    definitions: &[Value],
    at: &str,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Vec<Field> {
    let mut keys: BTreeMap<&str, usize> = BTreeMap::new();
    let mut fields = Vec::new();
    for (index, definition) in definitions.iter().enumerate() {
        if findings.is_full() {
            break;
        }
        let pointer = join(at, index);
        if let Some(key) = definition.get("key").and_then(Value::as_str)
            && let Some(first) = keys.insert(key, index)
        {
            let message = format!("`{}` has the same key: choose another", join(at, first));
            findings.problem(join(&pointer, "key"), code::DUPLICATE, message);
        }
        if let Some(reader) = Reader::open(definition, pointer, findings) {
            fields.extend(Field::read(reader, context));
        }
    }
    fields
}

/// What fields may refer to. Output variables are taken from the raw definitions, so that one
/// broken field does not make others refer to nothing.
fn context<'k>(
    known: &'k Known,
    sections: &[Section],
    params: &Map<String, Value>,
    definitions: &[Value],
) -> Context<'k> {
    let mut all = known.params.clone();
    all.extend(params.clone());
    let outputs: BTreeSet<&str> = definitions.iter().filter_map(names::output_variable).collect();
    Context {
        known,
        params: all,
        sections: sections.iter().map(|section| section.key.clone()).collect(),
        outputs: outputs
            .into_iter()
            .filter(|name| output_variable_problem(name).is_none())
            .map(str::to_owned)
            .collect(),
    }
}

fn mapped(case_type: &CaseType) -> BTreeSet<String> {
    let targets = case_type.api_calls().flat_map(|(_, call)| call.mapping.targets());
    targets.map(|target| names::first_word(&target.path.to_string()).to_owned()).collect()
}

impl fmt::Display for CaseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key.as_str())
    }
}
