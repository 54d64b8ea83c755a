//! What fields take over from the endpoints of their connections.
//!
//! Before the fields are read, each one that names an `endpoint` is filled in with what it leaves
//! out, so that everything behind sees whole definitions: names, watch sets, missing input. The
//! normal form takes it out again, and what is found wrong in it points at the field's `endpoint`,
//! since that is what the builder wrote.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::context::{Known, KnownConnection};
use super::findings::{Findings, unknown_word};
use crate::domain::ids::is_key;
use crate::domain::problem::{Problem, code, join};

/// Members that are taken over whole.
const WHOLE: [&str; 8] = [
    "method",
    "body",
    "body_type",
    "response_mapping",
    "error_mapping",
    "success_when",
    "retry_when",
    "redact",
];
/// Members that are taken over name by name.
const BY_NAME: [&str; 2] = ["headers", "params"];

/// What one field takes over.
#[derive(Debug)]
struct Taken {
    /// Index of the field.
    field: usize,
    /// Pointer of its `api_config`.
    at: String,
    /// The members, each with a name inside of it where only that is taken over.
    members: Vec<Member>,
}

/// What the fields of a case type take over.
#[derive(Debug, Default)]
pub struct Inherited(Vec<Taken>);

impl Inherited {
    /// Takes out of a normal form what is not the fields' own.
    pub fn take_out(&self, form: &mut Map<String, Value>) {
        let Some(Value::Array(fields)) = form.get_mut("fields") else { return };
        for taken in &self.0 {
            let config = fields.get_mut(taken.field).and_then(|field| field.get_mut("api_config"));
            let Some(config) = config.and_then(Value::as_object_mut) else { continue };
            for (member, name) in &taken.members {
                let names = config.get_mut(*member).and_then(Value::as_object_mut);
                let left = name.as_ref().zip(names).map(|(name, names)| {
                    names.shift_remove(name);
                    names.len()
                });
                if left.is_none_or(|left| left == 0) {
                    config.shift_remove(*member);
                }
            }
        }
    }

    /// Leads what was found in taken-over members to the `endpoint` that gave them.
    pub fn point_at_endpoints(&self, findings: &mut Findings) {
        if self.0.is_empty() {
            return;
        }
        for problem in findings.problems.iter_mut().chain(&mut findings.warnings) {
            self.point_at_endpoint(problem);
        }
    }

    fn point_at_endpoint(&self, problem: &mut Problem) {
        for Taken { at, members, .. } in &self.0 {
            let Some(rest) = problem.pointer.strip_prefix(at.as_str()) else { continue };
            let taken = members.iter().any(|(member, name)| {
                let place = join("", member);
                let place = name.as_ref().map_or_else(|| place.clone(), |name| join(&place, name));
                rest.strip_prefix(&place).is_some_and(|deeper| deeper.is_empty() || deeper.starts_with('/'))
            });
            if taken {
                problem.message = format!("in what the endpoint gives, at `{rest}`: {}", problem.message);
                problem.pointer = join(at, "endpoint");
                return;
            }
        }
    }
}

/// Fills in what endpoints give. An endpoint that is not there is a problem, and nothing is filled
/// in for it.
pub fn fill<'d>(
    definitions: &'d [Value],
    at: &str,
    known: &Known,
    findings: &mut Findings,
) -> (Cow<'d, [Value]>, Inherited) {
    let mut filled = Cow::Borrowed(definitions);
    let mut inherited = Inherited::default();
    for (field, definition) in definitions.iter().enumerate() {
        let Some(config) = definition.get("api_config").and_then(Value::as_object) else { continue };
        if config.get("endpoint").is_none_or(Value::is_null) {
            continue;
        }
        let at = join(&join(at, field), "api_config");
        let Some((key, endpoint)) = find(config, &at, known, findings) else { continue };
        let (whole, members) = lay_over(config, endpoint);
        if maps_nothing(&whole) {
            let message = format!(
                "`response_mapping` is missing here and at the endpoint `{key}`: say which values of the answer go \
                 where, or give `{{}}` and an `output_variable`"
            );
            findings.problem(join(&at, "response_mapping"), code::REQUIRED, message);
        }
        filled.to_mut()[field]["api_config"] = Value::Object(whole);
        inherited.0.push(Taken { field, at, members });
    }
    (filled, inherited)
}

/// Whether neither the field nor its endpoint says what is kept of an answer.
fn maps_nothing(config: &Map<String, Value>) -> bool {
    let given = |name: &str| config.get(name).filter(|value| !value.is_null());
    match given("response_mapping") {
        None => true,
        Some(mapping) => mapping.as_object().is_some_and(Map::is_empty) && given("output_variable").is_none(),
    }
}

/// The endpoint that a field names.
fn find<'k>(
    config: &'k Map<String, Value>,
    at: &str,
    known: &'k Known,
    findings: &mut Findings,
) -> Option<(&'k str, &'k Map<String, Value>)> {
    let given = |name: &str| config.get(name).filter(|value| !value.is_null());
    let Some(connection) = given("connection") else {
        let message = "`connection` is missing: an endpoint belongs to one";
        findings.problem(join(at, "connection"), code::REQUIRED, message);
        return None;
    };
    // What is no text, or no connection, is reported where the member is read.
    let (connection, key) = (connection.as_str()?, given("endpoint")?.as_str()?);
    let KnownConnection { endpoints, .. } = known.connections.get(connection)?;
    let endpoint = endpoints.get(key);
    if endpoint.is_none() {
        let names: Vec<&str> = endpoints.keys().map(String::as_str).collect();
        let mut message = unknown_word(key, &format!("an endpoint of the connection `{connection}`"), &names);
        if is_key(key) {
            message = format!("{message}: add it with `PUT /v1/connections/{connection}`");
        }
        findings.problem(join(at, "endpoint"), code::UNKNOWN_REFERENCE, message);
    }
    Some((key, endpoint?))
}

/// What came from the endpoint: a member, or of one that holds several the one of this name.
type Member = (&'static str, Option<String>);

/// The field's own members over the endpoint's, and what came from the endpoint.
fn lay_over(own: &Map<String, Value>, endpoint: &Map<String, Value>) -> (Map<String, Value>, Vec<Member>) {
    let mut whole = own.clone();
    let mut taken = Vec::new();
    let mut take = |member: &'static str, value: Option<&Value>| {
        if let Some(value) = value
            && own.get(member).is_none_or(Value::is_null)
        {
            whole.insert(member.to_owned(), value.clone());
            taken.push((member, None));
        }
    };
    take("url", endpoint.get("path"));
    for member in WHOLE {
        take(member, endpoint.get(member));
    }
    for member in BY_NAME {
        let given = endpoint.get(member).and_then(Value::as_object);
        let mine = match own.get(member) {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(mine)) => mine.clone(),
            // Reported where the member is read.
            Some(_) => continue,
        };
        let same = |name: &str, other: &str| {
            if member == "headers" { name.eq_ignore_ascii_case(other) } else { name == other }
        };
        let foreign = given.into_iter().flatten();
        let foreign = foreign.filter(|(name, _)| !mine.keys().any(|own| same(own, name)));
        let foreign: Vec<_> = foreign.map(|(name, value)| (name.clone(), value.clone())).collect();
        if foreign.is_empty() {
            continue;
        }
        taken.extend(foreign.iter().map(|(name, _)| (member, Some(name.clone()))));
        whole.insert(member.to_owned(), foreign.into_iter().chain(mine).collect());
    }
    (whole, taken)
}
