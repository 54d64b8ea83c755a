//! The body of a case creation or patch, read with all its problems at once.

use serde_json::{Map, Value};

use super::error::ServiceError;
use crate::domain::case::CaseStatus;
use crate::domain::case_type::findings::Findings;
use crate::domain::case_type::reader::{Reader, refuse_nul};
use crate::domain::case_type::{CaseType, Origin};
use crate::domain::problem::Problem;

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

/// A member that may be null: the outer `Option` is whether it is there, the inner one whether
/// it is not null.
type Nullable<T> = Option<Option<T>>;

/// What a body says; a member that is not there says nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct CaseBody {
    pub(super) case_type: Option<String>,
    pub(super) reference: Nullable<String>,
    pub(super) title: Nullable<String>,
    pub(super) status: Option<CaseStatus>,
    pub(super) custom_status: Nullable<String>,
    pub(super) assignee: Nullable<String>,
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

/// All that would be refused in the body of a creation, so that a form tells it at once.
pub fn problems_of_new(case_type: &CaseType, body: &Value) -> Vec<Problem> {
    let common = match CaseBody::read(body) {
        Err(ServiceError::Invalid(problems)) => problems,
        _ => Vec::new(),
    };
    let none = Map::new();
    let data = body.get("data").and_then(Value::as_object).unwrap_or(&none);
    common.into_iter().chain(case_type.check_data(data, Origin::Creation).err().unwrap_or_default()).collect()
}

fn nullable(
    body: &Value,
    reader: &mut Reader<'_, '_>,
    name: &'static str,
    longest: usize,
) -> Nullable<String> {
    let text = reader.text(name, longest).map(str::to_owned);
    match body.get(name) {
        Some(Value::Null) => Some(None),
        _ => text.map(Some),
    }
}
