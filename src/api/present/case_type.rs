//! A case type as answers show it: its definition in normal form, and the facts around it.

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::words::Time;
use crate::domain::problem::Problem;
use crate::service::{CaseTypeVersionView, CaseTypeView};

/// What is wrong or doubtful at one place of a body.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemView {
    /// JSON pointer (RFC 6901) into the body; `""` is the whole of it.
    pointer: String,
    /// Stable name of the rule.
    code: String,
    /// What is wrong and how to mend it.
    message: String,
}

/// The definition's members and, around them, what only answers say.
pub fn view(found: CaseTypeView) -> Value {
    let Value::Object(definition) = found.definition else { return Value::Null };
    let row = found.row;
    let mut members = Map::new();
    members.insert("id".to_owned(), json!(row.id));
    members.extend(definition);
    members.insert("version".to_owned(), json!(row.version));
    members.insert("created_at".to_owned(), json!(Time(row.created_at)));
    members.insert("updated_at".to_owned(), json!(Time(row.updated_at)));
    members.insert("warnings".to_owned(), json!(problems(&found.warnings)));
    Value::Object(members)
}

/// The definition's members as one version said them, and who made that version when.
pub fn version(found: CaseTypeVersionView) -> Value {
    let Value::Object(definition) = found.definition else { return Value::Null };
    let row = found.row;
    let mut members = Map::new();
    members.insert("id".to_owned(), json!(row.id));
    members.extend(definition);
    members.insert("version".to_owned(), json!(row.version));
    members.insert("created_at".to_owned(), json!(Time(row.updated_at)));
    members.insert("created_by".to_owned(), json!(found.by));
    Value::Object(members)
}

pub(super) fn problems(problems: &[Problem]) -> Vec<ProblemView> {
    let view = |problem: &Problem| ProblemView {
        pointer: problem.pointer.clone(),
        code: problem.code.to_owned(),
        message: problem.message.clone(),
    };
    problems.iter().map(view).collect()
}
