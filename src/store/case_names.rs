//! What cases are called, many at once, for lists of other things.

use std::collections::{BTreeMap, BTreeSet};

use super::error::StoreError;
use super::rows::Columns;
use super::statement::{list, sql, uuid};
use super::tx::Tx;
use crate::domain::ids::{CaseId, WorkspaceId};

/// What a case is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseName {
    /// The caller's own name for it.
    pub reference: Option<String>,
    /// What people read.
    pub title: Option<String>,
}

impl Tx {
    /// The names of these cases, as far as they are there.
    pub async fn case_names(
        &self,
        workspace: WorkspaceId,
        cases: &BTreeSet<CaseId>,
    ) -> Result<BTreeMap<CaseId, CaseName>, StoreError> {
        let statement = format!(
            "SELECT id, reference, title FROM cases WHERE workspace_id = $1 AND id IN ({})",
            list(cases.len(), 2)
        );
        let values = std::iter::once(uuid(workspace.0)).chain(cases.iter().map(|case| uuid(case.0)));
        let rows = self.all(sql(statement, values.collect())).await?;
        let name = |row| {
            let mut columns = Columns::of("cases", row)?;
            Ok((CaseId(columns.id()), CaseName { reference: columns.get()?, title: columns.get()? }))
        };
        rows.iter().map(name).collect()
    }
}
