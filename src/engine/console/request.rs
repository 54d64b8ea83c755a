//! Reads what a test asks for. All problems come at once, each with its pointer.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::recorded::Recorded;
use crate::domain::case_type::findings::Findings;
use crate::domain::case_type::reader::{Reader, refuse_nul};
use crate::domain::ids::CaseId;
use crate::domain::problem::code;
use crate::service::ServiceError;

/// What a test asks for.
#[derive(Debug, PartialEq)]
pub(super) struct Wanted {
    /// A definition, for a field that is not saved like this.
    pub(super) field: Option<Map<String, Value>>,
    /// What it is tried on.
    pub(super) sample: Sample,
    /// The root `input`.
    pub(super) input: Option<Value>,
    /// Whether the request goes out.
    pub(super) send: bool,
    /// Somebody knows that it may change something at the provider.
    pub(super) confirm: bool,
    /// The answer, in place of the provider's.
    pub(super) response: Option<Recorded>,
}

/// What a field is tried on.
#[derive(Debug, PartialEq)]
pub(in crate::engine) enum Sample {
    /// A case, as it is now.
    Case(CaseId),
    /// Data of no case.
    Data(Map<String, Value>),
}

impl Wanted {
    /// Reads a body.
    pub(super) fn read(body: &Value) -> Result<Self, ServiceError> {
        let mut findings = Findings::default();
        refuse_nul(body, "", &mut findings);
        let wanted = Reader::open(body, "", &mut findings).map(|mut reader| {
            let wanted = Self {
                field: reader.object("field").cloned(),
                sample: sample(&mut reader),
                input: reader.object("input").cloned().map(Value::Object),
                send: reader.flag("send").unwrap_or(false),
                confirm: reader.flag("confirm").unwrap_or(false),
                response: response(&mut reader),
            };
            if body.get("field").is_some_and(Value::is_null) {
                let message =
                    "is null: give the definition of a field, or leave it out to try the one that is saved";
                reader.problem("field", code::WRONG_TYPE, message);
            }
            if wanted.send && wanted.response.is_some() {
                let message = "stands in place of the provider's answer: leave it out, or do not `send`";
                reader.problem("response", code::INVALID, message);
            }
            reader.finish(|_| None);
            wanted
        });
        match wanted {
            Some(wanted) if findings.problems.is_empty() => Ok(wanted),
            _ => Err(ServiceError::Invalid(findings.problems)),
        }
    }
}

fn sample(reader: &mut Reader<'_, '_>) -> Sample {
    let case = reader.text("case_id", 64).and_then(|text| {
        let id = Uuid::parse_str(text).ok();
        if id.is_none() {
            reader.problem("case_id", code::INVALID, "is not the id of a case: give a UUID");
        }
        id
    });
    let data = reader.object("data").cloned();
    match (case, data) {
        (Some(id), None) => Sample::Case(CaseId(id)),
        (Some(_), Some(_)) => {
            let message = "cannot be laid over a case: give `case_id` or `data`, not both";
            reader.problem("data", code::INVALID, message);
            Sample::Data(Map::new())
        }
        (None, data) => Sample::Data(data.unwrap_or_default()),
    }
}

fn response(reader: &mut Reader<'_, '_>) -> Option<Recorded> {
    let value = reader.get("response")?;
    let at = reader.at("response");
    Recorded::read(Reader::open(value, at, reader.findings)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_test_may_ask_for_next_to_nothing() {
        let wanted = Wanted::read(&json!({"send": null, "data": null})).unwrap();
        assert_eq!(wanted.sample, Sample::Data(Map::new()));
        assert!(!wanted.send && !wanted.confirm && wanted.field.is_none() && wanted.response.is_none());
    }

    #[test]
    fn what_cannot_be_meant_is_refused_at_its_place() {
        use code::{INVALID, OUT_OF_RANGE, UNKNOWN_MEMBER, WRONG_TYPE};
        let id = "019aa5b8-5f62-7d41-9c0e-50fc2f8da666";
        for (body, pointer, code) in [
            (json!([]), "", WRONG_TYPE),
            (json!({"sned": true}), "/sned", UNKNOWN_MEMBER),
            (json!({"field": "check"}), "/field", WRONG_TYPE),
            (json!({"field": null}), "/field", WRONG_TYPE),
            (json!({"case_id": "x"}), "/case_id", INVALID),
            (json!({"case_id": 1}), "/case_id", WRONG_TYPE),
            (json!({"case_id": id, "data": {}}), "/data", INVALID),
            (json!({"data": []}), "/data", WRONG_TYPE),
            (json!({"data": {"a": "x\0"}}), "/data/a", INVALID),
            (json!({"input": 1}), "/input", WRONG_TYPE),
            (json!({"send": "yes"}), "/send", WRONG_TYPE),
            (json!({"confirm": 1}), "/confirm", WRONG_TYPE),
            (json!({"send": true, "response": {"status": 200}}), "/response", INVALID),
            (json!({"response": "ok"}), "/response", WRONG_TYPE),
            (json!({"response": {"status": 99}}), "/response/status", OUT_OF_RANGE),
            (json!({"response": {"status": "200"}}), "/response/status", WRONG_TYPE),
            (json!({"response": {"headers": []}}), "/response/headers", WRONG_TYPE),
            (json!({"response": {"headers": {"a": 1}}}), "/response/headers/a", WRONG_TYPE),
            (json!({"response": {"bdy": 1}}), "/response/bdy", UNKNOWN_MEMBER),
        ] {
            let Err(ServiceError::Invalid(problems)) = Wanted::read(&body) else { panic!("{body}") };
            let found: Vec<_> = problems.iter().map(|it| (it.pointer.as_str(), it.code)).collect();
            assert_eq!(found, [(pointer, code)], "{body}");
        }
    }
}
