//! Reads `api_config`: the request, what its answer must look like, and what is kept of it.

use serde_json::{Map, Value};

use crate::domain::case_type::Known;
use crate::domain::case_type::findings::unknown_word;
use crate::domain::case_type::reader::Reader;
use crate::domain::ids::{ConnectionKey, EndpointKey, KEY_RULE, is_key};
use crate::domain::mapping::{ErrorMapping, Mapping};
use crate::domain::problem::code;
use crate::domain::redact::HiddenPaths;
use crate::domain::template::{Expression, Roots};

use super::compiler::{Compiler, expression};
use super::definition::FIELD_MEMBERS;
use super::request::{Base, Request};

/// Members that stand inside `api_config`.
pub const CONFIG_MEMBERS: [&str; 15] = [
    "connection",
    "endpoint",
    "method",
    "url",
    "headers",
    "params",
    "body",
    "body_type",
    "auth",
    "response_mapping",
    "error_mapping",
    "success_when",
    "retry_when",
    "redact",
    "output_variable",
];

/// Names that an output variable may not bear: the roots of templates, now and later, and the
/// words of the expression language.
pub const RESERVED_NAMES: [&str; 27] = [
    "data",
    "case",
    "input",
    "params",
    "secret",
    "secrets",
    "run",
    "workflow_run_id",
    "now",
    "now_unix",
    "old",
    "body",
    "status",
    "headers",
    "value",
    "workflow",
    "true",
    "false",
    "none",
    "null",
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
];

/// What `api_config` says, compiled.
#[derive(Debug)]
pub struct Config {
    /// The provider that it goes to, where that is set up once.
    pub connection: Option<ConnectionKey>,
    /// The endpoint of it that gives what the field leaves out.
    pub endpoint: Option<EndpointKey>,
    pub request: Request,
    pub mapping: Mapping,
    pub error_mapping: ErrorMapping,
    pub success_when: Option<Expression>,
    pub retry_when: Option<Expression>,
    pub redact: HiddenPaths,
    pub output_variable: Option<String>,
    /// The members after the request as they are shown.
    pub normal: Map<String, Value>,
}

/// Reads the member `api_config` of a field.
pub fn read(field: &mut Reader<'_, '_>, compiler: &mut Compiler<'_>, outputs: &[String]) -> Option<Config> {
    let at = field.at("api_config");
    let Some(value) = field.get("api_config") else {
        field.missing("api_config", "it says which request the field sends");
        return None;
    };
    let mut config = Reader::open(value, at, field.findings)?;
    let connection = read_connection(&mut config, compiler.known());
    let endpoint = config.get("endpoint").is_some();
    let named = config.text("endpoint", 1000).and_then(|name| name.parse().ok());
    let mut normal = Map::new();
    let base = if config.get("connection").is_some() { Base::Connection } else { Base::None };
    if base == Base::Connection {
        compiler.lean_on_connection();
    }
    let request = Request::read(&mut config, compiler, if endpoint { Base::Endpoint } else { base });
    let output_variable = read_output_variable(&mut config);
    let mapping = read_mapping(&mut config, outputs, endpoint, &mut normal);
    let error_mapping = read_error_mapping(&mut config, &mut normal);
    let success_when = read_expression(&mut config, "success_when", &mut normal);
    let retry_when = read_expression(&mut config, "retry_when", &mut normal);
    let redact = HiddenPaths::read(&mut config, &mut normal);
    if let Some(name) = &output_variable {
        normal.insert("output_variable".into(), name.as_str().into());
    }
    config.finish(|name| {
        FIELD_MEMBERS.contains(&name).then_some("move it out of `api_config`, to the field itself")
    });
    Some(Config {
        connection: connection?,
        endpoint: named,
        request: request?,
        mapping: mapping?,
        error_mapping: error_mapping?,
        success_when,
        retry_when,
        redact,
        output_variable,
        normal,
    })
}

/// Reads `connection`: the key of one that is there.
#[expect(clippy::option_option, reason = "outer: is it well-formed; inner: is it there")]
fn read_connection(config: &mut Reader<'_, '_>, known: &Known) -> Option<Option<ConnectionKey>> {
    if config.get("connection").is_none() {
        return Some(None);
    }
    let name = config.text("connection", 1000)?;
    if let (true, Ok(key)) = (known.connections.contains_key(name), name.parse()) {
        return Some(Some(key));
    }
    let names: Vec<_> = known.connections.keys().map(String::as_str).collect();
    let mut message = unknown_word(name, "a connection of this workspace", &names);
    if is_key(name) {
        message = format!("{message}: create it with `PUT /v1/connections/{name}`");
    }
    config.problem("connection", code::UNKNOWN_REFERENCE, message);
    None
}

/// Why an output variable may not have this name.
pub fn output_variable_problem(name: &str) -> Option<String> {
    if !is_key(name) {
        return Some(format!("is not a valid name: {KEY_RULE}"));
    }
    RESERVED_NAMES
        .contains(&name)
        .then(|| format!("`{name}` already means something in templates: choose another name"))
}

fn read_output_variable(config: &mut Reader<'_, '_>) -> Option<String> {
    let name = config.text("output_variable", 1000)?;
    if let Some(why) = output_variable_problem(name) {
        config.problem("output_variable", code::INVALID, why);
        return None;
    }
    Some(name.to_owned())
}

pub(super) fn read_mapping(
    config: &mut Reader<'_, '_>,
    outputs: &[String],
    endpoint: bool,
    normal: &mut Map<String, Value>,
) -> Option<Mapping> {
    let at = config.at("response_mapping");
    let keeps_all = config.get("output_variable").is_some();
    let Some(value) = config.get("response_mapping") else {
        if !endpoint {
            let remedy = "say which values of the answer go where, or give `{}` and an `output_variable`";
            config.missing("response_mapping", remedy);
        }
        return None;
    };
    if value.as_object().is_some_and(Map::is_empty) && !keeps_all && !endpoint {
        let message = "maps nothing: add a target, or an `output_variable` that keeps the whole answer";
        config.problem("response_mapping", code::REQUIRED, message);
    }
    let (mapping, warnings) = config.findings.keep(Mapping::parse(value, &at, outputs))?;
    config.findings.keep_doubts(warnings);
    normal.insert("response_mapping".into(), mapping.normal_form());
    Some(mapping)
}

pub(super) fn read_error_mapping(
    config: &mut Reader<'_, '_>,
    normal: &mut Map<String, Value>,
) -> Option<ErrorMapping> {
    let at = config.at("error_mapping");
    let value = config.get("error_mapping");
    let mapping = config.findings.keep(ErrorMapping::parse(value, &at))?;
    if let Some(form) = mapping.normal_form() {
        normal.insert("error_mapping".into(), form);
    }
    Some(mapping)
}

pub(super) fn read_expression(
    config: &mut Reader<'_, '_>,
    name: &'static str,
    normal: &mut Map<String, Value>,
) -> Option<Expression> {
    let expression = expression(config, name, &Roots::answer())?;
    normal.insert(name.into(), expression.source().into());
    Some(expression)
}
