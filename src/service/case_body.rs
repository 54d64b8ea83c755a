//! The body of a case creation or patch, read with all its problems at once.

use serde_json::{Map, Value};

use super::error::ServiceError;
use crate::domain::case::CaseStatus;
use crate::domain::case_type::findings::Findings;
use crate::domain::case_type::reader::{Reader, refuse_nul};

/// Members that answers carry and bodies may bring back.
const READ_ONLY: [&str; 10] = [
    "id",
    "version",
    "revision",
    "created_at",
    "updated_at",
    "warnings",
    "case_type_version",
    "settled",
    "fields",
    "provenance",
];
const LONGEST_REFERENCE: usize = 200;
const LONGEST_TITLE: usize = 500;
const LONGEST_WORD: usize = 200;

/// What a body says. The outer `Option` is whether the member is there, the inner one whether
/// it is null.
#[derive(Debug, Clone, Default)]
pub(super) struct CaseBody {
    pub(super) case_type: Option<String>,
    pub(super) reference: Option<Option<String>>,
    pub(super) title: Option<Option<String>>,
    pub(super) status: Option<CaseStatus>,
    pub(super) custom_status: Option<Option<String>>,
    pub(super) assignee: Option<Option<String>>,
    pub(super) data: Option<Map<String, Value>>,
}

impl CaseBody {
    pub(super) fn read(body: &Value) -> Result<Self, ServiceError> {
        let mut findings = Findings::default();
        let read = Reader::open(body, "", &mut findings).map(|mut reader| {
            let read = Self {
                case_type: reader.text("case_type", LONGEST_WORD).map(str::to_owned),
                reference: nullable(body, &mut reader, "reference", LONGEST_REFERENCE),
                title: nullable(body, &mut reader, "title", LONGEST_TITLE),
                status: reader
                    .word("status", &CaseStatus::ALL.iter().map(|s| (s.as_str(), *s)).collect::<Vec<_>>()),
                custom_status: nullable(body, &mut reader, "custom_status", LONGEST_WORD),
                assignee: nullable(body, &mut reader, "assignee", LONGEST_WORD),
                data: reader.object("data").cloned(),
            };
            reader.ignore(&READ_ONLY);
            reader.finish(|_| None);
            read
        });
        for name in ["reference", "title", "custom_status", "assignee"] {
            if let Some(value) = body.get(name) {
                refuse_nul(value, &format!("/{name}"), &mut findings);
            }
        }
        match read {
            Some(read) if findings.problems.is_empty() => Ok(read),
            _ => Err(ServiceError::Invalid(findings.problems)),
        }
    }
}

fn nullable(
    body: &Value,
    reader: &mut Reader<'_, '_>,
    name: &'static str,
    longest: usize,
) -> Option<Option<String>> {
    let text = reader.text(name, longest).map(str::to_owned);
    match body.get(name) {
        Some(Value::Null) => Some(None),
        _ => text.map(Some),
    }
}
