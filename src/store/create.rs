//! Creating cases: a batch of them, with their first runs, in three statements.

use std::collections::HashSet;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::database::Tx;
use super::error::StoreError;
use super::run_inserts;
use super::statement::{CHUNK, int, json, maybe_text, ms, sql, text, tuples, uuid};
use crate::domain::case::{Case, Provenance};
use crate::domain::run::NewRun;

/// A case to create.
#[derive(Debug, Clone)]
pub struct NewCase {
    /// The case.
    pub case: Case,
    /// Its data, without output variables.
    pub data: Map<String, Value>,
    /// Output variables that were given at creation.
    pub outputs: Vec<(String, Value)>,
    /// Where the data came from.
    pub provenance: Provenance,
    /// The runs that its creation fires.
    pub runs: Vec<NewRun>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateOutcome {
    /// It is there, and its runs wait.
    Created,
    /// Another case of the workspace has that reference; nothing was written.
    ReferenceTaken,
}

pub(super) async fn create(tx: &Tx, cases: &[Box<NewCase>]) -> Result<Vec<CreateOutcome>, StoreError> {
    let mut created = HashSet::with_capacity(cases.len());
    for chunk in cases.chunks(CHUNK) {
        created.extend(insert_cases(tx, chunk).await?);
    }
    let accepted = || cases.iter().filter(|new| created.contains(&new.case.id.0));
    let first_runs: Vec<&NewRun> = accepted().flat_map(|new| &new.runs).collect();
    run_inserts::insert(tx, &first_runs).await?;
    for new in accepted() {
        for (name, value) in &new.outputs {
            super::cases::put_output(tx, new.case.id, name, value).await?;
        }
    }
    Ok(cases
        .iter()
        .map(|new| {
            if created.contains(&new.case.id.0) {
                CreateOutcome::Created
            } else {
                CreateOutcome::ReferenceTaken
            }
        })
        .collect())
}

async fn insert_cases(tx: &Tx, cases: &[Box<NewCase>]) -> Result<Vec<Uuid>, StoreError> {
    let mut values = Vec::with_capacity(cases.len() * 14);
    for new in cases {
        let case = &new.case;
        values.extend([
            uuid(case.id.0),
            uuid(case.workspace.0),
            uuid(case.case_type_id.0),
            maybe_text(case.reference.clone()),
            maybe_text(case.title.clone()),
            text(case.status.as_str()),
            maybe_text(case.custom_status.clone()),
            maybe_text(case.assignee.clone()),
            json(&new.data),
            json(&new.provenance),
            int(case.version),
            int(case.revision),
            ms(case.created_at),
            ms(case.updated_at),
        ]);
    }
    let statement = format!(
        "INSERT INTO cases (id, workspace_id, case_type_id, reference, title, status, custom_status, assignee, \
         data, provenance, version, revision, created_at, updated_at) VALUES {} \
         ON CONFLICT DO NOTHING RETURNING id",
        tuples(cases.len(), 14, 1)
    );
    let rows = tx.all(sql(statement, values)).await?;
    rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}
