//! What the states of fields say about their inputs: what they wait for, what they saw.

use std::collections::HashMap;

use sea_orm::QueryResult;

use super::error::StoreError;
use super::rows::Columns;
use super::statement::{CHUNK, list, sql, text, uuid};
use super::tx::Tx;
use crate::domain::firing::FieldInputs;
use crate::domain::ids::{CaseId, CaseTypeId, FieldKey};

impl Tx {
    /// The inputs of the fields of these cases, as far as a run of theirs has ended.
    pub async fn field_inputs(
        &self,
        cases: &[CaseId],
    ) -> Result<HashMap<CaseId, Vec<FieldInputs>>, StoreError> {
        let mut found: HashMap<CaseId, Vec<FieldInputs>> = HashMap::new();
        for chunk in cases.chunks(CHUNK) {
            let statement = format!(
                "SELECT case_id, field, owed, missing, inputs, inputs_changed FROM field_state WHERE case_id IN ({})",
                list(chunk.len(), 1)
            );
            for row in self.all(sql(statement, chunk.iter().map(|case| uuid(case.0)).collect())).await? {
                let (case, inputs) = read(&row)?;
                found.entry(case).or_default().push(inputs);
            }
        }
        Ok(found)
    }

    /// Notes whether a watched value of a field differs from what its data was made from.
    pub async fn mark_inputs(&self, case: CaseId, field: &FieldKey, changed: bool) -> Result<(), StoreError> {
        let statement = "UPDATE field_state SET inputs_changed = $1 WHERE case_id = $2 AND field = $3";
        let values = vec![sea_orm::Value::from(changed), uuid(case.0), text(field.as_str())];
        self.execute(sql(statement, values)).await?;
        Ok(())
    }

    /// Marks the fields of a case type whose data was made from another value at this watch path
    /// than the one with this hash.
    pub async fn mark_inputs_of_type(
        &self,
        case_type: CaseTypeId,
        field: &FieldKey,
        path: &str,
        hash: &str,
    ) -> Result<(), StoreError> {
        let statement = "UPDATE field_state SET inputs_changed = TRUE WHERE field = $1 AND EXISTS \
             (SELECT 1 FROM json_each(inputs) AS seen WHERE seen.key = $2 AND seen.value <> $3) \
             AND case_id IN (SELECT id FROM cases WHERE case_type_id = $4)";
        let values = vec![text(field.as_str()), text(path), text(hash), uuid(case_type.0)];
        self.execute(sql(statement, values)).await?;
        Ok(())
    }
}

fn read(row: &QueryResult) -> Result<(CaseId, FieldInputs), StoreError> {
    let mut columns = Columns::of("field_state", row)?;
    let case = CaseId(columns.id());
    let field = columns.get()?;
    let owed: bool = columns.get()?;
    let missing: Vec<String> = columns.maybe_json()?.unwrap_or_default();
    let seen = columns.maybe_json()?.unwrap_or_default();
    let owed = owed.then_some(missing);
    Ok((case, FieldInputs { field, owed, seen, changed: columns.get()? }))
}
