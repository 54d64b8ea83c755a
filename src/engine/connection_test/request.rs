//! Reads what a test of a connection asks for. All problems come at once, each with its pointer.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::domain::case_type::findings::Findings;
use crate::domain::case_type::reader::{Reader, refuse_nul};
use crate::domain::ids::{CaseId, CaseTypeKey, EndpointKey, FieldKey};
use crate::domain::problem::code;
use crate::engine::console::request::Sample;
use crate::service::ServiceError;

/// What a test asks for.
#[derive(Debug, PartialEq)]
pub(super) struct Wanted {
    /// What is called.
    pub(super) call: Called,
    /// What its templates read.
    pub(super) sample: Sample,
    /// The root `input`.
    pub(super) input: Option<Value>,
    /// Somebody knows that it may change something at the provider.
    pub(super) confirm: bool,
}

/// What is called.
#[derive(Debug, PartialEq)]
pub(super) enum Called {
    /// The endpoint, or else the base URL, with these params.
    Connection(Option<EndpointKey>, Map<String, Value>),
    /// A field over the connection, as it is saved.
    Field(CaseTypeKey, FieldKey),
}

impl Wanted {
    /// Reads a body.
    pub(super) fn read(body: &Value) -> Result<Self, ServiceError> {
        let mut findings = Findings::default();
        refuse_nul(body, "", &mut findings);
        let wanted = Reader::open(body, "", &mut findings).and_then(|mut reader| {
            let endpoint = reader.text("endpoint", 64).map(|text| text.parse::<EndpointKey>().ok());
            if endpoint == Some(None) {
                reader.problem("endpoint", code::INVALID, "is not the key of an endpoint");
            }
            let data = reader.object("data").cloned();
            let params = reader.object("params").cloned();
            let input = reader.object("input").cloned().map(Value::Object);
            let confirm = reader.flag("confirm").unwrap_or(false);
            let field = reader.get("field").is_some();
            let alone = [("endpoint", endpoint.is_some()), ("params", params.is_some())];
            for (name, _) in alone.into_iter().filter(|(_, given)| *given && field) {
                reader.problem(name, code::INVALID, "is the field's business: leave it out, or `field`");
            }
            let found = if field { Some(read_field(&mut reader)?) } else { None };
            let (call, case) = match found {
                Some((case_type, field, case)) => (Called::Field(case_type, field), case),
                None => (Called::Connection(endpoint.flatten(), params.unwrap_or_default()), None),
            };
            if case.is_some() && data.is_some() {
                let message = "cannot be laid over a case: give `field.case_id` or `data`, not both";
                reader.problem("data", code::INVALID, message);
            }
            reader.finish(|_| None);
            let sample = case.map_or_else(|| Sample::Data(data.unwrap_or_default()), Sample::Case);
            Some(Self { call, sample, input, confirm })
        });
        match wanted {
            Some(wanted) if findings.problems.is_empty() => Ok(wanted),
            _ => Err(ServiceError::Invalid(findings.problems)),
        }
    }
}

fn read_field(reader: &mut Reader<'_, '_>) -> Option<(CaseTypeKey, FieldKey, Option<CaseId>)> {
    let value = reader.get("field")?;
    let at = reader.at("field");
    let mut field = Reader::open(value, at, reader.findings)?;
    let case_type = read_key(&mut field, "case_type", "it says of which case type the field is");
    let key = read_key(&mut field, "key", "it says which field is tried");
    let case = field.text("case_id", 64).map(|text| Uuid::parse_str(text).ok().map(CaseId));
    if case == Some(None) {
        field.problem("case_id", code::INVALID, "is not the id of a case: give a UUID");
    }
    field.finish(|_| None);
    Some((case_type?, key?, case.flatten()))
}

fn read_key<K: std::str::FromStr>(
    reader: &mut Reader<'_, '_>,
    name: &'static str,
    remedy: &str,
) -> Option<K> {
    if reader.get(name).is_none() {
        reader.missing(name, remedy);
        return None;
    }
    let key = reader.text(name, 64)?.parse().ok();
    if key.is_none() {
        reader.problem(name, code::INVALID, "is not a key");
    }
    key
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_need_be_asked_for() {
        let wanted = Wanted::read(&json!({})).unwrap();
        assert_eq!(wanted.call, Called::Connection(None, Map::new()));
        assert_eq!((wanted.sample, wanted.confirm), (Sample::Data(Map::new()), false));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_at_its_place() {
        use code::{INVALID, REQUIRED, UNKNOWN_MEMBER, WRONG_TYPE};
        let id = "019aa5b8-5f62-7d41-9c0e-50fc2f8da666";
        for (body, pointer, code) in [
            (json!([]), "", WRONG_TYPE),
            (json!({"endpont": "x"}), "/endpont", UNKNOWN_MEMBER),
            (json!({"endpoint": 1}), "/endpoint", WRONG_TYPE),
            (json!({"endpoint": "A b"}), "/endpoint", INVALID),
            (json!({"data": []}), "/data", WRONG_TYPE),
            (json!({"input": 1}), "/input", WRONG_TYPE),
            (json!({"params": 1}), "/params", WRONG_TYPE),
            (json!({"confirm": "yes"}), "/confirm", WRONG_TYPE),
            (json!({"data": {"a": "\0"}}), "/data/a", INVALID),
            (json!({"field": "check"}), "/field", WRONG_TYPE),
            (json!({"field": {"case_type": "t"}}), "/field/key", REQUIRED),
            (json!({"field": {"key": "t"}}), "/field/case_type", REQUIRED),
            (json!({"field": {"case_type": "T T", "key": "k"}}), "/field/case_type", INVALID),
            (json!({"field": {"case_type": "t", "key": "k", "case_id": "x"}}), "/field/case_id", INVALID),
            (json!({"field": {"case_type": "t", "key": "k", "x": 1}}), "/field/x", UNKNOWN_MEMBER),
            (json!({"field": {"case_type": "t", "key": "k", "case_id": id}, "data": {}}), "/data", INVALID),
            (json!({"field": {"case_type": "t", "key": "k"}, "endpoint": "e"}), "/endpoint", INVALID),
            (json!({"field": {"case_type": "t", "key": "k"}, "params": {}}), "/params", INVALID),
        ] {
            let Err(ServiceError::Invalid(problems)) = Wanted::read(&body) else { panic!("{body}") };
            let found: Vec<_> = problems.iter().map(|it| (it.pointer.as_str(), it.code)).collect();
            assert_eq!(found, [(pointer, code)], "{body}");
        }
    }
}
