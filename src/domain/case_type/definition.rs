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
use super::cycles;
use super::findings::{Findings, short};
use super::inherit::{self, Inherited};
use super::names;
use super::reader::{DEEPEST, Reader, is_shallow, refuse_nul};

/// Members that answers give and that mean nothing in a body.
const READ_ONLY: [&str; 7] =
    ["id", "version", "revision", "created_at", "created_by", "updated_at", "warnings"];
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
    /// What its fields take over from endpoints.
    inherited: Inherited,
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
        self.inherited.take_out(&mut form);
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

    let (filled, inherited) = inherit::fill(definitions, &at, known, findings);
    let definitions = &*filled;
    let context = Context {
        named: (!additional_data).then(|| names::named(definitions)),
        ..context(known, &sections, &params, definitions)
    };
    let fields = read_fields(definitions, &at, &context, findings);
    names::compare(definitions, &at, findings);
    inherited.point_at_endpoints(findings);
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
        inherited,
    };
    case_type.mapped = mapped(&case_type);
    case_type.outputs = case_type.api_calls().filter_map(|(_, call)| call.output_variable.clone()).collect();
    if findings.problems.is_empty() {
        cycles::doubt(&case_type.fields, &at, findings);
    }
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
    let at = reader.at("params");
    if check_params(params, &at, reader.findings) { params.clone() } else { Map::new() }
}

/// Checks the names and depth of params that stand at a pointer; `false`: there are too many.
pub fn check_params(params: &Map<String, Value>, at: &str, findings: &mut Findings) -> bool {
    if params.len() > MOST_PARAMS {
        let message = format!("has too many members: at most {MOST_PARAMS}");
        findings.problem(at.to_owned(), code::OUT_OF_RANGE, message);
        return false;
    }
    for (name, value) in params {
        let pointer = join(at, short(name));
        if !is_key(name) {
            findings.problem(pointer, code::INVALID, format!("is not a valid name: {KEY_RULE}"));
        } else if !is_shallow(value, DEEPEST) {
            let message = format!("is nested too deep: at most {DEEPEST} levels");
            findings.problem(pointer, code::OUT_OF_RANGE, message);
        }
    }
    true
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
        named: None,
        outputs: outputs
            .into_iter()
            .filter(|name| output_variable_problem(name).is_none())
            .map(str::to_owned)
            .collect(),
    }
}

fn mapped(case_type: &CaseType) -> BTreeSet<String> {
    let targets = case_type.api_calls().flat_map(|(_, call)| call.mapping.targets());
    targets.map(|target| target.path.first().to_owned()).collect()
}

impl fmt::Display for CaseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::case_type::context::KnownConnection;

    fn known() -> Known {
        let secrets = [("vies_token", vec!["vies.example"]), ("other", vec![])];
        let secrets =
            secrets.map(|(name, hosts)| (name.into(), hosts.into_iter().map(str::to_owned).collect()));
        Known {
            secrets: secrets.into(),
            connections: [
                ("vies".to_owned(), KnownConnection::of(&json!({"base_url": "https://vies.example/rest"}))),
                ("empty".to_owned(), KnownConnection::default()),
            ]
            .into(),
            params: json!({"base": "https://vies.example"}).as_object().unwrap().clone(),
        }
    }

    fn parse(body: &Value) -> Result<Parsed, Vec<Problem>> {
        CaseType::parse(body, &known())
    }

    fn problems(body: &Value) -> Vec<(String, &'static str)> {
        let problems = parse(body).map(|_| ()).unwrap_err();
        problems.into_iter().map(|problem| (problem.pointer, problem.code)).collect()
    }

    fn with_field(field: &Value) -> Value {
        json!({"key": "company", "fields": [field]})
    }

    /// An API Call field that holds together, with `config` and `field` members laid over it;
    /// null takes a member away.
    fn call(field: &Value, config: &Value) -> Value {
        let mut whole = json!({
            "key": "check", "type": "api_call",
            "api_config": {"url": "https://vies.example/check", "response_mapping": {"valid": "$.valid"}}
        });
        for (name, value) in config.as_object().unwrap() {
            whole["api_config"][name] = value.clone();
        }
        for (name, value) in field.as_object().unwrap() {
            whole[name] = value.clone();
        }
        whole
    }

    /// The example of the contract, less what comes with later versions.
    fn example() -> Value {
        json!({
            "key": "company_onboarding", "name": "Company onboarding", "description": "Know your business",
            "sections": [{"key": "identity", "name": "Identity"}, {"key": "0193a2b4-0000-7000-8000-000000000000"}],
            "params": {"region": {"code": "eu"}},
            "fields": [
                {"key": "vat_number", "type": "text", "required": true, "index": true, "section": "identity"},
                {"key": "risk", "type": "select", "options": ["low", {"value": "high", "name": "High risk"}], "default": "low"},
                {"key": "vat_check", "type": "api_call", "name": "VAT check", "description": "Fetched from VIES",
                 "section": "identity", "visibility": "hide-when-empty", "trigger": ["on_create", "on_update", "scheduled", "on_create"],
                 "watch": ["vat_number"],
                 "schedule": {"cron": "0 6 * * 1", "timezone": "Europe/Brussels", "older_than": 604_800},
                 "when": "data.country in ['BE', 'FR']", "retry": 2, "timeout": 30000, "cache_duration": 3600,
                 "api_config": {
                    "url": "{params.base}/check", "method": "get", "headers": {"Accept": "application/json"},
                    "params": {"vat": "{data.vat_number}"}, "auth": {"type": "bearer", "token": "{secret.vies_token}"},
                    "response_mapping": {
                        "company_name": "$.name",
                        "address.city": {"path": "$.address.city", "transform": "value | trim | title"},
                        "vat_valid": {"path": "$.valid", "type": "boolean", "required": true}
                    },
                    "error_mapping": {"code": "$.error.code", "message": "$.error.description"},
                    "success_when": "status == 200", "retry_when": "status == 503",
                    "output_variable": "vat_response"
                 }},
                {"key": "score", "type": "api_call", "trigger": "manual", "enabled": false, "api_config": {
                    "url": "https://score.example", "method": "PUT", "body": {"vat": "{vat_response.id}"},
                    "auth": {"type": "api_key", "config": {"key": "X-Key", "value": "literal-key", "location": "query"}},
                    "response_mapping": {}, "output_variable": "score_response"
                }}
            ],
            "additional_data": false,
            "id": "x", "version": 3, "warnings": []
        })
    }

    #[test]
    fn the_example_of_the_contract_is_read() {
        let Parsed { case_type, warnings } = parse(&example()).unwrap();
        assert_eq!(warnings, []);
        let call = case_type.field("vat_check").unwrap().api_call().unwrap();
        assert_eq!((call.retry, call.timeout_ms, call.triggers.len()), (2, Some(30000), 3));
        assert_eq!(
            call.schedule.as_ref().map(|it| (it.timezone.as_str(), it.older_than)),
            Some(("Europe/Brussels", Some(604_800)))
        );
        for path in ["data.vat_number", "data.country", "params.base", "secret.vies_token"] {
            assert!(call.references.contains(path), "{path}: {:?}", call.references);
        }
        assert!(call.secrets.contains("vies_token"));
        assert_eq!(case_type.outputs.len(), 2);
        let score = case_type.field("score").unwrap().api_call().unwrap();
        assert!(score.references.contains("vat_response.id"), "{:?}", score.references);
    }

    #[test]
    fn the_normal_form_fills_in_defaults_and_reads_back_the_same() {
        let form = parse(&example()).unwrap().case_type.normal_form();
        let again = parse(&form).unwrap().case_type.normal_form();
        assert_eq!(form.to_string(), again.to_string());
        assert_eq!(form["fields"][2]["trigger"], json!(["on_create", "on_update", "scheduled"]));
        assert_eq!(form["fields"][2]["api_config"]["method"], "GET");
        let score = &form["fields"][3];
        assert_eq!(
            (&score["retry"], &score["name"], &score["visibility"]),
            (&json!(3), &json!("score"), &json!("always-visible"))
        );
        assert_eq!(score["api_config"]["body_type"], "json");
        assert_eq!(
            score["api_config"]["auth"],
            json!({"type": "api_key", "key": "X-Key", "value": "literal-key", "in": "query"})
        );
        assert_eq!(score.get("timeout"), None);
        let smallest = parse(&json!({"key": "a"})).unwrap().case_type.normal_form();
        let expected = json!({"key": "a", "name": "a", "sections": [], "params": {}, "fields": [], "additional_data": true});
        assert_eq!(smallest, expected);
    }

    #[test]
    fn a_case_type_that_does_not_hold_together_is_refused_where_it_breaks() {
        use code::{
            DUPLICATE, INVALID, OUT_OF_RANGE, REQUIRED, UNKNOWN_MEMBER, UNKNOWN_REFERENCE, WRONG_TYPE,
        };
        let table = [
            (json!(null), "", WRONG_TYPE),
            (json!([]), "", WRONG_TYPE),
            (json!({}), "/key", REQUIRED),
            (json!({"key": "Bad"}), "/key", INVALID),
            (json!({"key": 5}), "/key", WRONG_TYPE),
            (json!({"key": "a", "nmae": "x"}), "/nmae", UNKNOWN_MEMBER),
            (json!({"key": "a", "name": "x".repeat(201)}), "/name", OUT_OF_RANGE),
            (json!({"key": "a", "name": "x\0"}), "/name", INVALID),
            (json!({"key": "a", "sections": {}}), "/sections", WRONG_TYPE),
            (json!({"key": "a", "sections": [{"key": "A"}]}), "/sections/0/key", INVALID),
            (json!({"key": "a", "sections": [{"key": "s"}, {"key": "s"}]}), "/sections/1/key", DUPLICATE),
            (json!({"key": "a", "sections": [{}]}), "/sections/0/key", REQUIRED),
            (json!({"key": "a", "params": []}), "/params", WRONG_TYPE),
            (json!({"key": "a", "params": {"A b": 1}}), "/params/A b", INVALID),
            (json!({"key": "a", "fields": vec![json!({}); 10_000]}), "/fields", OUT_OF_RANGE),
            (json!({"key": "a", "fields": [1]}), "/fields/0", WRONG_TYPE),
            (json!({"key": "a", "additional_data": "no"}), "/additional_data", WRONG_TYPE),
            (with_field(&json!({"type": "text"})), "/fields/0/key", REQUIRED),
            (with_field(&json!({"key": "a"})), "/fields/0/type", REQUIRED),
            (with_field(&json!({"key": "a", "type": "txt"})), "/fields/0/type", INVALID),
            (
                with_field(&json!({"key": "a", "type": "text", "section": "nowhere"})),
                "/fields/0/section",
                UNKNOWN_REFERENCE,
            ),
            (with_field(&json!({"key": "a", "type": "text", "retry": 1})), "/fields/0/retry", UNKNOWN_MEMBER),
            (
                with_field(&json!({"key": "a", "type": "text", "visibility": "never"})),
                "/fields/0/visibility",
                INVALID,
            ),
            (
                with_field(&json!({"key": "a", "type": "integer", "default": 1.5})),
                "/fields/0/default",
                INVALID,
            ),
            (
                with_field(&json!({"key": "a", "type": "text", "options": ["a"]})),
                "/fields/0/options",
                UNKNOWN_MEMBER,
            ),
            (with_field(&json!({"key": "a", "type": "select"})), "/fields/0/options", REQUIRED),
            (
                with_field(&json!({"key": "a", "type": "select", "options": []})),
                "/fields/0/options",
                OUT_OF_RANGE,
            ),
            (
                with_field(&json!({"key": "a", "type": "select", "options": ["a", "a"]})),
                "/fields/0/options/1",
                DUPLICATE,
            ),
            (
                with_field(&json!({"key": "a", "type": "select", "options": [1]})),
                "/fields/0/options/0",
                WRONG_TYPE,
            ),
            (
                with_field(&json!({"key": "a", "type": "select", "options": [{"name": "x"}]})),
                "/fields/0/options/0/value",
                REQUIRED,
            ),
            (
                json!({"key": "a", "fields": [{"key": "x", "type": "text"}, {"key": "x", "type": "date"}]}),
                "/fields/1/key",
                DUPLICATE,
            ),
        ];
        for (body, pointer, code) in table {
            assert_eq!(problems(&body), [(pointer.to_owned(), code)], "{body}");
        }
    }

    #[test]
    fn an_api_call_that_does_not_hold_together_is_refused_where_it_breaks() {
        use code::{
            INVALID, NOT_SUPPORTED_YET, OUT_OF_RANGE, REQUIRED, SECRET_NOT_ALLOWED, UNKNOWN_MEMBER,
            UNKNOWN_ROOT, WRONG_TYPE,
        };
        let table = [
            (json!({"trigger": "on_updat"}), "/trigger", INVALID),
            (json!({"trigger": []}), "/trigger", OUT_OF_RANGE),
            (json!({"trigger": 5}), "/trigger", WRONG_TYPE),
            (json!({"trigger": ["on_create", 5]}), "/trigger/1", WRONG_TYPE),
            (json!({"trigger": "webhook"}), "/trigger", NOT_SUPPORTED_YET),
            (json!({"trigger": ["manual", "workflow"]}), "/trigger/1", NOT_SUPPORTED_YET),
            (json!({"cache_duration": -1}), "/cache_duration", OUT_OF_RANGE),
            (json!({"cache_duration": "60"}), "/cache_duration", WRONG_TYPE),
            (json!({"retry": 11}), "/retry", OUT_OF_RANGE),
            (json!({"retry": 1.5}), "/retry", OUT_OF_RANGE),
            (json!({"retry": "3"}), "/retry", WRONG_TYPE),
            (json!({"timeout": 0}), "/timeout", OUT_OF_RANGE),
            (json!({"timeout": 300_001}), "/timeout", OUT_OF_RANGE),
            (json!({"enabled": 1}), "/enabled", WRONG_TYPE),
            (json!({"when": 1}), "/when", WRONG_TYPE),
            (json!({"when": "dta.x == 1"}), "/when", UNKNOWN_ROOT),
            (json!({"when": "secret.vies_token == 'x'"}), "/when", SECRET_NOT_ALLOWED),
            (json!({"url": "https://a.example"}), "/url", UNKNOWN_MEMBER),
            (json!({"required": true}), "/required", UNKNOWN_MEMBER),
            (json!({"timout": 5}), "/timout", UNKNOWN_MEMBER),
            (json!({"api_config": null}), "/api_config", REQUIRED),
            (json!({"api_config": []}), "/api_config", WRONG_TYPE),
        ];
        for (over, pointer, code) in table {
            let body = with_field(&call(&over, &json!({})));
            assert_eq!(problems(&body), [(format!("/fields/0{pointer}"), code)], "{over}");
        }
    }

    #[test]
    fn what_is_watched_must_be_values_of_a_case() {
        use code::{INVALID, OUT_OF_RANGE, REQUIRED, UNKNOWN_REFERENCE, WRONG_TYPE};
        let table = [
            (json!({"watch": "vat"}), "/watch", WRONG_TYPE),
            (json!({"watch": {}}), "/watch", WRONG_TYPE),
            (json!({"watch": []}), "/watch", OUT_OF_RANGE),
            (json!({"watch": vec!["a"; 201]}), "/watch", OUT_OF_RANGE),
            (json!({"watch": ["vat", 5]}), "/watch/1", WRONG_TYPE),
            (json!({"watch": [null]}), "/watch/0", WRONG_TYPE),
            (json!({"watch": [""]}), "/watch/0", INVALID),
            (json!({"watch": ["vat", "a..b"]}), "/watch/1", INVALID),
            (json!({"watch": ["data"]}), "/watch/0", INVALID),
            (json!({"watch": ["case"]}), "/watch/0", INVALID),
            (json!({"watch": ["params"]}), "/watch/0", INVALID),
            (json!({"watch": ["secret.x"]}), "/watch/0", INVALID),
            (json!({"watch": ["$.vat"]}), "/watch/0", INVALID),
            (json!({"watch": ["items[0]"]}), "/watch/0", INVALID),
            (json!({"watch": ["items.*.name"]}), "/watch/0", INVALID),
            (json!({"watch": ["{data.vat}"]}), "/watch/0", INVALID),
            (json!({"watch": ["case.stauts"]}), "/watch/0", UNKNOWN_REFERENCE),
            (json!({"trigger": "on_update", "when": "data is defined"}), "/watch", REQUIRED),
            (json!({"trigger": ["manual", "on_update"], "when": "data[data.key]"}), "/watch", REQUIRED),
        ];
        for (over, pointer, code) in table {
            let body = with_field(&call(&over, &json!({})));
            assert_eq!(problems(&body), [(format!("/fields/0{pointer}"), code)], "{over}");
        }
        // A bad path is not reported as a missing one on top.
        let body = json!({"trigger": "on_update", "when": "data is defined", "watch": ["data"]});
        assert_eq!(
            problems(&with_field(&call(&body, &json!({})))),
            [("/fields/0/watch/0".to_owned(), INVALID)]
        );
        for good in [
            json!({"when": "data is defined"}),
            json!({"trigger": "on_update", "when": "data is defined", "watch": ["vat"]}),
            json!({"watch": ["vat", "data.address.city", "items.0.name", "case.status", "vat"]}),
        ] {
            assert!(parse(&with_field(&call(&good, &json!({})))).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_nobody_names_cannot_be_watched_where_it_is_refused() {
        let watching = |path: &str, additional: bool| {
            let config = json!({"output_variable": "answer"});
            let fields =
                [json!({"key": "vat_number", "type": "text"}), call(&json!({"watch": [path]}), &config)];
            parse(&json!({"key": "a", "additional_data": additional, "fields": fields}))
        };
        for path in ["vat_number", "valid", "answer.id", "case.status", "data.vat_number"] {
            assert!(watching(path, false).is_ok(), "{path}");
        }
        assert!(watching("vat_nubmer", true).is_ok());
        let problems = watching("vat_nubmer", false).map(|_| ()).unwrap_err();
        assert_eq!(
            (problems[0].pointer.as_str(), problems[0].code),
            ("/fields/1/watch/0", code::UNKNOWN_REFERENCE)
        );
        assert!(problems[0].message.contains("did you mean `vat_number`?"), "{}", problems[0].message);
    }

    #[test]
    fn a_schedule_goes_with_its_trigger_and_holds_together() {
        use code::{INVALID, OUT_OF_RANGE, REQUIRED, UNKNOWN_MEMBER, WRONG_TYPE};
        let table = [
            (json!("0 6 * * 1"), "", WRONG_TYPE),
            (json!([]), "", WRONG_TYPE),
            (json!(null), "", REQUIRED),
            (json!({}), "/cron", REQUIRED),
            (json!({"cron": null}), "/cron", REQUIRED),
            (json!({"cron": 5}), "/cron", WRONG_TYPE),
            (json!({"cron": ""}), "/cron", OUT_OF_RANGE),
            (json!({"cron": "* * * *"}), "/cron", INVALID),
            (json!({"cron": "61 * * * *"}), "/cron", INVALID),
            (json!({"cron": "*/10 * * * * *"}), "/cron", INVALID),
            (json!({"cron": "0 0 30 2 *"}), "/cron", INVALID),
            (json!({"cron": "0 6 * * 1", "timezone": "Europe/Brusels"}), "/timezone", INVALID),
            (json!({"cron": "0 6 * * 1", "timezone": "+02:00"}), "/timezone", INVALID),
            (json!({"cron": "0 6 * * 1", "timezone": 2}), "/timezone", WRONG_TYPE),
            (json!({"cron": "0 6 * * 1", "older_than": 0}), "/older_than", OUT_OF_RANGE),
            (json!({"cron": "0 6 * * 1", "older_than": 1.5}), "/older_than", OUT_OF_RANGE),
            (json!({"cron": "0 6 * * 1", "older_than": "1d"}), "/older_than", WRONG_TYPE),
            (json!({"cron": "0 6 * * 1", "include_closed": 1}), "/include_closed", WRONG_TYPE),
            (json!({"cron": "0 6 * * 1", "tz": "UTC"}), "/tz", UNKNOWN_MEMBER),
        ];
        for (schedule, pointer, code) in table {
            let field = json!({"trigger": ["manual", "scheduled"], "schedule": schedule});
            let found = problems(&with_field(&call(&field, &json!({}))));
            assert_eq!(found, [(format!("/fields/0/schedule{pointer}"), code)], "{schedule}");
        }
        let good = json!({"cron": "0 6 * * 1"});
        for field in
            [json!({"schedule": good}), json!({"trigger": ["on_create", "manual"], "schedule": good})]
        {
            let found = parse(&with_field(&call(&field, &json!({})))).map(|_| ()).unwrap_err();
            assert_eq!((found[0].pointer.as_str(), found[0].code), ("/fields/0/schedule", INVALID));
            assert!(found[0].message.contains("add `scheduled` to `trigger`"), "{}", found[0].message);
        }
        // All that is wrong in one comes at once; a bad trigger is not blamed on the schedule.
        let field =
            json!({"trigger": "schedule", "schedule": {"cron": "x", "timezone": "y", "older_than": 0}});
        let pointers: Vec<_> =
            problems(&with_field(&call(&field, &json!({})))).into_iter().map(|it| it.0).collect();
        let expected = ["trigger", "schedule/cron", "schedule/timezone", "schedule/older_than"];
        assert_eq!(pointers, expected.map(|at| format!("/fields/0/{at}")));
    }

    #[test]
    fn two_hundred_lines_that_never_fire_are_refused_like_one() {
        let schedule = json!({"cron": "0 0 31W 2,4,6,9,11 *"});
        let field = |n| {
            call(
                &json!({"key": format!("f{n}"), "trigger": "scheduled", "schedule": schedule}),
                &json!({
                    "response_mapping": {format!("t{n}"): "$.x"}
                }),
            )
        };
        let fields: Vec<_> = (0..200).map(field).collect();
        assert_eq!(problems(&json!({"key": "a", "fields": fields})).len(), 100);
    }

    #[test]
    fn triggers_in_normal_form_show_what_was_given_and_the_defaults() {
        let form = |field: Value| {
            let form = parse(&with_field(&call(&field, &json!({})))).unwrap().case_type.normal_form();
            assert_eq!(parse(&form).unwrap().case_type.normal_form(), form);
            form["fields"][0].clone()
        };
        let plain = form(json!({"trigger": "on_update", "when": "data.vat == 'x'"}));
        assert_eq!((plain.get("watch"), plain.get("schedule")), (None, None));
        assert_eq!(plain["trigger"], json!(["on_update"]));
        let given = form(json!({
            "trigger": ["scheduled", "on_update"], "watch": ["data.vat", "case.title", "vat", "address"],
            "schedule": {"cron": " 0  6 * * 1 ", "older_than": 604_800.0}, "cache_duration": 3600
        }));
        assert_eq!(given["watch"], json!(["vat", "case.title", "address"]));
        let schedule =
            json!({"cron": "0 6 * * 1", "timezone": "UTC", "older_than": 604_800, "include_closed": false});
        assert_eq!((&given["schedule"], &given["cache_duration"]), (&schedule, &json!(3600)));
        let whole = json!({"cron": "30 0 6 * * MON", "timezone": "Europe/Brussels", "include_closed": true});
        let again = form(json!({"trigger": "scheduled", "schedule": whole}));
        assert_eq!(again["schedule"], whole);
    }

    #[test]
    fn a_given_watch_takes_the_place_of_the_inferred_one() {
        let watched = |field: Value, config: Value| {
            let case_type = parse(&with_field(&call(&field, &config))).unwrap().case_type;
            let paths = case_type.field("check").unwrap().api_call().unwrap().watch.paths().to_vec();
            paths.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let reads = json!({"params": {"a": "{data.vat}", "b": "{data.valid}", "c": "{case.title}"}});
        assert_eq!(watched(json!({}), reads.clone()), ["vat"]);
        assert_eq!(watched(json!({"when": "data.items[0].x"}), reads.clone()), ["items.0.x", "vat"]);
        assert_eq!(watched(json!({"watch": ["case.title", "valid"]}), reads), ["valid", "case.title"]);
    }

    /// Lays each over a good `api_config` and expects the one problem below it.
    fn refuse_configs(table: impl IntoIterator<Item = (Value, &'static str, &'static str)>) {
        for (over, pointer, code) in table {
            let body = with_field(&call(&json!({}), &over));
            assert_eq!(problems(&body), [(format!("/fields/0/api_config{pointer}"), code)], "{over}");
        }
    }

    #[test]
    fn a_request_that_does_not_hold_together_is_refused_where_it_breaks() {
        use code::{
            DUPLICATE, INVALID, INVALID_TEMPLATE, OUT_OF_RANGE, REQUIRED, UNKNOWN_REFERENCE, UNKNOWN_ROOT,
            WRONG_TYPE,
        };
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!([deep]);
        }
        refuse_configs([
            (json!({"url": null}), "/url", REQUIRED),
            (json!({"url": "/check"}), "/url", INVALID),
            (json!({"url": "a.example/check"}), "/url", INVALID),
            (json!({"url": "ftp://a.example"}), "/url", INVALID_TEMPLATE),
            (json!({"url": "https://"}), "/url", INVALID_TEMPLATE),
            (json!({"url": "https://u:p@a.example"}), "/url", INVALID_TEMPLATE),
            (json!({"url": "{data.base}/check"}), "/url", INVALID_TEMPLATE),
            (json!({"url": "https://a.example/{{ data.x"}), "/url", INVALID_TEMPLATE),
            (json!({"url": "https://a.example/{dta.x}"}), "/url", UNKNOWN_ROOT),
            (json!({"method": "FETCH"}), "/method", INVALID),
            (json!({"headers": []}), "/headers", WRONG_TYPE),
            (json!({"headers": {"X": 1}}), "/headers/X", WRONG_TYPE),
            (json!({"headers": {"A b": "x"}}), "/headers/A b", INVALID),
            (json!({"headers": {"Host": "x"}}), "/headers/Host", INVALID),
            (json!({"headers": {"Connection": "x"}}), "/headers/Connection", INVALID),
            (json!({"headers": {"X": "a\nb"}}), "/headers/X", INVALID),
            (json!({"headers": {"X": "1", "x": "2"}}), "/headers/x", DUPLICATE),
            (json!({"headers": {"X": "{secret.vies_tokn}"}}), "/headers/X", UNKNOWN_REFERENCE),
            (json!({"params": "a=b"}), "/params", WRONG_TYPE),
            (json!({"params": {"a": {"b": ["{secret.nope}"]}}}), "/params/a/b/0", UNKNOWN_REFERENCE),
            (json!({"params": {"a": deep.clone()}}), "/params", OUT_OF_RANGE),
            (json!({"method": "POST", "body": deep}), "/body", OUT_OF_RANGE),
            (json!({"method": "POST", "body": 5}), "/body", WRONG_TYPE),
            (json!({"method": "POST", "body": [], "body_type": "form"}), "/body", WRONG_TYPE),
            (json!({"method": "POST", "body": {}, "body_type": "text"}), "/body", WRONG_TYPE),
            (json!({"method": "POST", "body": {}, "body_type": "xml"}), "/body_type", INVALID),
            (json!({"connection": "veis", "url": "/check"}), "/connection", UNKNOWN_REFERENCE),
            (json!({"connection": 5, "url": "/check"}), "/connection", WRONG_TYPE),
            (json!({"connection": "vies", "url": null}), "/url", REQUIRED),
            (json!({"connection": "vies", "url": "{data.x}/check"}), "/url", INVALID_TEMPLATE),
            (json!({"endpoint": "check", "url": null, "response_mapping": null}), "/connection", REQUIRED),
        ]);
    }

    #[test]
    fn auth_and_answer_that_do_not_hold_together_are_refused_where_they_break() {
        use code::{
            DUPLICATE, INVALID, OUT_OF_RANGE, REQUIRED, SECRET_NOT_ALLOWED, UNKNOWN_MEMBER, UNKNOWN_ROOT,
            WRONG_TYPE,
        };
        refuse_configs([
            (json!({"auth": "token"}), "/auth", WRONG_TYPE),
            (json!({"auth": {}}), "/auth/type", REQUIRED),
            (json!({"auth": {"type": "baerer", "token": "x"}}), "/auth/type", INVALID),
            (json!({"auth": {"type": "oauth2_pasword", "token_url": "x"}}), "/auth/type", INVALID),
            (json!({"auth": {"type": "bearer"}}), "/auth/token", REQUIRED),
            (json!({"auth": {"type": "bearer", "token": ""}}), "/auth/token", OUT_OF_RANGE),
            (json!({"auth": {"type": "bearer", "tokn": "x", "token": "y"}}), "/auth/tokn", UNKNOWN_MEMBER),
            (json!({"auth": {"type": "bearer", "config": {"token": 1}}}), "/auth/config/token", WRONG_TYPE),
            (
                json!({"auth": {"type": "bearer", "token": "x", "config": {"token": "y"}}}),
                "/auth/token",
                UNKNOWN_MEMBER,
            ),
            (json!({"auth": {"type": "basic", "username": "a:b"}}), "/auth/username", INVALID),
            (json!({"auth": {"type": "basic"}}), "/auth/username", REQUIRED),
            (json!({"auth": {"type": "api_key", "value": "x"}}), "/auth/key", REQUIRED),
            (json!({"auth": {"type": "api_key", "key": "Host", "value": "x"}}), "/auth/key", INVALID),
            (
                json!({"auth": {"type": "api_key", "key": "k", "value": "x", "in": "cookie"}}),
                "/auth/in",
                INVALID,
            ),
            (json!({"auth": {"type": "api_key", "keys": []}}), "/auth/keys", OUT_OF_RANGE),
            (
                json!({"auth": {"type": "api_key", "keys": [{"key": "k", "value": "v"}], "key": "k"}}),
                "/auth/key",
                DUPLICATE,
            ),
            (json!({"response_mapping": null}), "/response_mapping", REQUIRED),
            (json!({"response_mapping": {}}), "/response_mapping", REQUIRED),
            (json!({"output_variable": "case"}), "/output_variable", INVALID),
            (json!({"output_variable": "None"}), "/output_variable", INVALID),
            (json!({"output_variable": "valid"}), "/output_variable", DUPLICATE),
            (json!({"success_when": "data.x"}), "/success_when", UNKNOWN_ROOT),
            (json!({"retry_when": "secret.vies_token"}), "/retry_when", SECRET_NOT_ALLOWED),
            (json!({"retry": 5}), "/retry", UNKNOWN_MEMBER),
            (json!({"output_variable": "own", "params": {"a": "{own.x}"}}), "/params/a", UNKNOWN_ROOT),
        ]);
    }

    #[test]
    fn two_fields_may_not_write_to_one_place() {
        let two = |first: Value, second: Value| {
            let first = call(&json!({"key": "one"}), &first);
            json!({"key": "a", "fields": [first, call(&json!({"key": "two"}), &second)]})
        };
        let mapping = |target: &str| json!({"response_mapping": {target: "$.x"}});
        let table = [
            (mapping("x"), mapping("x"), "response_mapping/x"),
            (mapping("x"), mapping("data.x"), "response_mapping/data.x"),
            (mapping("x"), mapping("x.y"), "response_mapping/x.y"),
            (mapping("x.y.z"), mapping("x.y"), "response_mapping/x.y"),
            (mapping("x"), json!({"response_mapping": {}, "output_variable": "x"}), "output_variable"),
            (mapping("x.y"), json!({"response_mapping": {}, "output_variable": "x"}), "output_variable"),
            (
                json!({"output_variable": "v"}),
                json!({"response_mapping": {}, "output_variable": "v"}),
                "output_variable",
            ),
        ];
        for (first, second, place) in table {
            let body = two(first, second);
            let pointer = format!("/fields/1/api_config/{place}");
            let found = problems(&body);
            assert!(found.contains(&(pointer, code::DUPLICATE)), "{body}: {found:?}");
            assert!(found.iter().all(|(_, code)| *code == code::DUPLICATE), "{body}: {found:?}");
        }
        assert!(parse(&two(mapping("x.y"), mapping("x.z"))).is_ok());
        assert!(parse(&two(mapping("xy"), mapping("x"))).is_ok());
        let beside = json!({"key": "a", "fields": [
            {"key": "v", "type": "text"}, call(&json!({}), &json!({"output_variable": "v"}))
        ]});
        assert_eq!(problems(&beside), [("/fields/1/api_config/output_variable".to_owned(), code::DUPLICATE)]);
    }

    #[test]
    fn all_problems_come_at_once_and_say_what_to_do() {
        let body = json!({"key": "a", "fields": [
            call(&json!({"timout": 5, "url": "x"}), &json!({"method": "GTE", "headers": {"X": "{secret.vies_tokn}"}})),
            {"key": "b", "type": "texts"},
            call(&json!({"key": "c", "trigger": "webhook"}), &json!({"retry": 1, "response_mapping": {"c": "$.c"}})),
        ]});
        let found = parse(&body).map(|_| ()).unwrap_err();
        let text: Vec<_> =
            found.iter().map(|problem| format!("{} {}", problem.pointer, problem.message)).collect();
        let text = text.join("\n");
        for part in [
            "did you mean `timeout`?",
            "move it into `api_config`",
            "did you mean `GET`?",
            "did you mean `vies_token`?",
            "did you mean `text`?",
            "comes with a later version",
            "move it out of `api_config`",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert_eq!(found.len(), 7, "{text}");
    }

    #[test]
    fn what_is_doubtful_is_saved_with_a_warning() {
        let table = [
            (json!({}), json!({"method": "POST"}), vec!["method"]),
            (json!({"retry": 0}), json!({"method": "POST"}), vec![]),
            (json!({}), json!({"method": "PUT"}), vec![]),
            (json!({}), json!({"method": "POST", "headers": {"Idempotency-Key": "{run.id}"}}), vec![]),
            (json!({}), json!({"body": {"a": 1}}), vec!["body"]),
            (
                json!({}),
                json!({"headers": {"authorization": "x"}, "auth": {"type": "bearer", "token": "y"}}),
                vec!["headers/authorization"],
            ),
            (json!({}), json!({"headers": {"X": "{secret.vies_token}"}}), vec![]),
            (json!({}), json!({"headers": {"X": "{secret.other}"}}), vec!["headers/X"]),
            (
                json!({}),
                json!({"url": "{params.base}/x", "params": {"a": "{secret.other}"}}),
                vec!["params/a"],
            ),
            (
                json!({}),
                json!({"url": "https://a.example", "auth": {"type": "bearer", "token": "{secret.vies_token}"}}),
                vec!["auth/token"],
            ),
            (json!({}), json!({"params": {"a": "{params.nope}"}}), vec!["params"]),
            (json!({}), json!({"connection": "vies", "url": "/check"}), vec![]),
            (
                json!({}),
                json!({"connection": "vies", "url": "/x", "headers": {"X": "{secret.other}"}}),
                vec![],
            ),
            (
                json!({}),
                json!({"connection": "vies", "url": "https://vies.example/x", "headers": {"X": "{secret.other}"}}),
                vec![],
            ),
            (
                json!({}),
                json!({"connection": "vies", "url": "https://a.example/x", "headers": {"X": "{secret.other}"}}),
                vec!["url", "headers/X"],
            ),
            (json!({}), json!({"connection": "empty", "url": "/check"}), vec!["connection"]),
            (json!({}), json!({"connection": "empty", "url": "https://a.example"}), vec![]),
        ];
        for (field, config, expected) in table {
            let warnings = parse(&with_field(&call(&field, &config))).unwrap().warnings;
            let pointers: Vec<_> = warnings.iter().map(|warning| warning.pointer.as_str()).collect();
            let expected: Vec<_> =
                expected.into_iter().map(|at| format!("/fields/0/api_config/{at}")).collect();
            assert_eq!(pointers, expected, "{config}");
            assert!(warnings.iter().all(|warning| warning.code == code::DOUBTFUL));
        }
    }

    #[test]
    fn doubtful_triggers_are_saved_with_a_warning() {
        let schedule = json!({"cron": "0 6 * * 1"});
        let reads = json!({"params": {"a": "{data.vat}"}});
        let table = [
            (json!({"trigger": "on_update"}), json!({}), vec![("trigger", "nothing to watch")]),
            (json!({"trigger": "on_update"}), reads.clone(), vec![]),
            (json!({"trigger": "on_update", "watch": ["vat"]}), json!({}), vec![]),
            (json!({"watch": ["vat"]}), json!({}), vec![]),
            (json!({"watch": ["vat", "params.base"]}), reads.clone(), vec![("watch/1", "fires nothing")]),
            (json!({"when": "old.vat == 'x'"}), json!({}), vec![("when", "`on_update`")]),
            (json!({"when": "old.vat == 'x'", "trigger": ["on_update"]}), reads, vec![]),
            (json!({"trigger": "scheduled", "schedule": schedule}), json!({}), vec![]),
            (json!({"cache_duration": 60}), json!({}), vec![]),
            (json!({"cache_duration": 60}), json!({"method": "HEAD"}), vec![]),
            (json!({"cache_duration": 60}), json!({"method": "PUT"}), vec![("cache_duration", "PUT")]),
            (
                json!({"cache_duration": 60, "retry": 0}),
                json!({"method": "POST"}),
                vec![("cache_duration", "POST")],
            ),
            (json!({"cache_duration": 0, "retry": 0}), json!({"method": "POST"}), vec![]),
            (
                json!({}),
                json!({"headers": {"authorization": "Bearer x"}}),
                vec![("api_config/headers/authorization", "make it a secret")],
            ),
            (json!({}), json!({"headers": {"Authorization": "Bearer {secret.vies_token}"}}), vec![]),
        ];
        for (field, config, expected) in table {
            let warnings = parse(&with_field(&call(&field, &config))).unwrap().warnings;
            assert_eq!(warnings.len(), expected.len(), "{field} {config}: {warnings:?}");
            for (warning, (at, part)) in warnings.iter().zip(expected) {
                assert_eq!(warning.pointer, format!("/fields/0/{at}"), "{field} {config}");
                assert!(
                    warning.message.contains(part) && warning.code == code::DOUBTFUL,
                    "{}",
                    warning.message
                );
            }
        }
    }

    #[test]
    fn other_spellings_of_auth_are_accepted() {
        for (auth, expected) in [
            (json!({"type": "none"}), json!({"type": "none"})),
            (
                json!({"type": "header", "key": "X-Key", "value": "v"}),
                json!({"type": "api_key", "key": "X-Key", "value": "v", "in": "header"}),
            ),
            (
                json!({"type": "api_key", "key": "k", "value": "v", "location": "query"}),
                json!({"type": "api_key", "key": "k", "value": "v", "in": "query"}),
            ),
            (
                json!({"type": "basic", "config": {"username": "sk_live", "password": ""}}),
                json!({"type": "basic", "username": "sk_live"}),
            ),
        ] {
            let form = parse(&with_field(&call(&json!({}), &json!({"auth": auth}))))
                .unwrap()
                .case_type
                .normal_form();
            assert_eq!(form["fields"][0]["api_config"]["auth"], expected);
        }
    }

    #[test]
    fn debug_output_shows_no_literal_credential() {
        let body = with_field(&call(&json!({}), &json!({"auth": {"type": "bearer", "token": "MARKER"}})));
        assert!(!format!("{:?}", parse(&body).unwrap()).contains("MARKER"));
    }

    #[test]
    fn no_more_than_a_hundred_problems_are_listed() {
        let texts: Vec<_> = (0..20_000).map(|n| json!(format!("{{secret.s{n}}}{{params.p{n}}}"))).collect();
        let body = with_field(&call(&json!({}), &json!({"params": {"a": texts}})));
        assert_eq!(problems(&body).len(), 100);
    }

    #[test]
    fn wrong_types_everywhere_are_problems_and_never_a_panic() {
        let wrong = [
            json!(null),
            json!(1),
            json!("x"),
            json!([]),
            json!({}),
            json!([[]]),
            json!({"": null}),
            json!(1e300),
        ];
        let example = example();
        for value in &wrong {
            for pointer in pointers(&example, "") {
                let mut body = example.clone();
                *body.pointer_mut(&pointer).unwrap() = value.clone();
                let Err(problems) = parse(&body) else { continue };
                assert!(!problems.is_empty() && problems.len() <= 100, "{pointer} {value}");
                // One broken member must not make its neighbours unknown.
                for problem in problems.iter().filter(|problem| problem.code == code::UNKNOWN_MEMBER) {
                    assert!(problem.pointer.starts_with(&pointer), "{pointer} {value}: {problem:?}");
                }
            }
        }
    }

    fn pointers(value: &Value, at: &str) -> Vec<String> {
        let mut all = vec![at.to_owned()];
        match value {
            Value::Array(items) => {
                all.extend(items.iter().enumerate().flat_map(|(n, item)| pointers(item, &join(at, n))));
            }
            Value::Object(members) => {
                all.extend(members.iter().flat_map(|(name, member)| pointers(member, &join(at, name))));
            }
            _ => {}
        }
        all
    }
}
