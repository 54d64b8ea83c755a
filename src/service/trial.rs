//! A case type as it would be with another field, or with one more: compiled, and kept nowhere.
//!
//! What is tried goes the way of a save: read as a whole, its credentials sealed (`[hidden]` stands
//! for the stored one), the result compiled. So whatever a save refuses is refused here, with the
//! pointers of a body that holds the field alone as `field`.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::compiled::compile;
use super::credentials::{self, Described, Home};
use super::endpoint_uses::Leaned;
use super::error::ServiceError;
use super::known::known;
use super::plan::Plan;
use super::plans::Plans;
use crate::domain::case_type::{CaseType, Known};
use crate::domain::ids::{CaseTypeKey, FieldKey, WorkspaceId};
use crate::domain::problem::{Problem, code};
use crate::store::{CaseTypeRow, StoreError};

/// Where the field stands in the body that was sent.
const AT: &str = "/field";

impl Plans {
    /// The current version of a case type with this definition in place of, or beside, its fields.
    pub async fn with_field(
        &self,
        workspace: WorkspaceId,
        case_type: &CaseTypeKey,
        field: &FieldKey,
        definition: &Map<String, Value>,
    ) -> Result<Arc<Plan>, ServiceError> {
        let tx = self.store.read().await?;
        let row = tx.find_case_type(workspace, case_type).await?;
        let row = row.ok_or(ServiceError::NotFound("case type"))?;
        let known = known(&tx, workspace).await?;
        let (body, index) = body(&row, field, definition)?;
        let moved = |problems| ServiceError::Invalid(at_field(problems, index));
        let parsed = CaseType::parse(&body, &known).map_err(moved)?.case_type;
        if parsed.field(field.as_str()).is_none_or(|field| field.api_call().is_none()) {
            let message = "only fields of the type `api_call` can be tested";
            return Err(ServiceError::invalid(&format!("{AT}/type"), code::INVALID, message));
        }
        let before = Leaned::load(&tx, workspace, &row.definition).await?;
        let definition =
            self.sealed((&row, &before), (&parsed, &known), &body).map_err(|error| match error {
                ServiceError::Invalid(problems) => moved(problems),
                error => error,
            })?;
        let leaned = Leaned::load(&tx, workspace, &definition).await?;
        let (case_type, typed) = compile(&CaseTypeRow { definition, ..row.clone() }, &leaned, &self.vault)?;
        let mut params = known.params;
        params.extend(case_type.params.clone());
        let params = Arc::new(Value::Object(params));
        let CaseTypeRow { id, workspace, key, version, .. } = row;
        Ok(Arc::new(Plan {
            id,
            workspace,
            key,
            version,
            case_type: Arc::new(case_type),
            params,
            // It is made for this test alone: nothing newer is put in their place.
            params_version: i64::MAX,
            typed: Arc::new(typed),
            leans_on: leaned.versions,
        }))
    }

    fn sealed(
        &self,
        (row, leaned): (&CaseTypeRow, &Leaned),
        (parsed, known): (&CaseType, &Known),
        body: &Value,
    ) -> Result<Value, ServiceError> {
        let mut form = parsed.normal_form();
        if !credentials::any(&mut form) {
            return Ok(form);
        }
        let (before, _) = compile(row, leaned, &self.vault)?;
        let before = Described { definition: &row.definition, case_type: &before };
        let home = Home { vault: &self.vault, workspace: row.workspace, case_type: &row.key };
        let new = Described { definition: &form, case_type: parsed };
        credentials::seal(new, Some(before), &known.connections, body, home)
    }
}

/// The case type as somebody would send it, and where the field stands among its fields.
fn body(
    row: &CaseTypeRow,
    field: &FieldKey,
    definition: &Map<String, Value>,
) -> Result<(Value, usize), ServiceError> {
    if definition.get("key").is_some_and(|key| !key.is_null() && key != field.as_str()) {
        let message =
            format!("is not the key in the path, `{field}`: leave it out, or test it under its own");
        return Err(ServiceError::invalid(&format!("{AT}/key"), code::INVALID, message));
    }
    let mut with_key = definition.clone();
    with_key.insert("key".to_owned(), field.as_str().into());
    let mut body = row.definition.clone();
    credentials::hide(&mut body);
    let Some(fields) = body.get_mut("fields").and_then(Value::as_array_mut) else {
        let reason = "its definition has no `fields`".to_owned();
        return Err(StoreError::Corrupt { table: "case_type", id: row.id.0, reason }.into());
    };
    let known = fields.iter().position(|other| other["key"] == field.as_str());
    let index = known.unwrap_or(fields.len());
    match fields.get_mut(index) {
        Some(place) => *place = Value::Object(with_key),
        None => fields.push(Value::Object(with_key)),
    }
    Ok((body, index))
}

/// Problems of the whole as problems of the field that brings them.
fn at_field(problems: Vec<Problem>, index: usize) -> Vec<Problem> {
    let own = format!("/fields/{index}");
    let moved = |problem: Problem| match problem.pointer.strip_prefix(&own) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            Problem { pointer: format!("{AT}{rest}"), ..problem }
        }
        _ => {
            let Problem { pointer, message, .. } = problem;
            let message =
                format!("with this field the case type does not hold together, at `{pointer}`: {message}");
            Problem { pointer: AT.to_owned(), message, ..problem }
        }
    };
    problems.into_iter().map(moved).collect()
}
