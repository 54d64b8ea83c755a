//! Who holds what while several processes write.
//!
//! Whoever writes anything of a case (its data, states or runs) holds the case's row, from the
//! start of the transaction to its end; several are taken in the order of their ids. Edits that
//! rest on more than one row hold a name. What was read before something was held may be out of
//! date. SQLite has one writer: there these do nothing.

use std::collections::BTreeSet;
use std::fmt;

use sea_orm::Value;

use super::dialect::Dialect;
use super::error::StoreError;
use super::statement::{list, sql, text, uuid};
use super::tx::Tx;
use crate::domain::ids::{CaseId, WorkspaceId};

/// Rows held by one statement.
const HELD: usize = 256;

/// What only one transaction at a time may edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// Case types, secrets and connections of a workspace, which refer to one another.
    Definitions(WorkspaceId),
    /// Workspaces and the tokens that the program makes by itself.
    Access,
    /// People of a workspace, one of whom must stay its admin.
    People(WorkspaceId),
}

impl fmt::Display for Edited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Definitions(workspace) => write!(f, "dossier definitions {workspace}"),
            Self::Access => f.write_str("dossier access"),
            Self::People(workspace) => write!(f, "dossier people {workspace}"),
        }
    }
}

impl Tx {
    /// Holds these cases until the transaction ends; answers those that are held, which are all
    /// but those that another process has deleted. Call it before anything of them is read that
    /// the writing rests on.
    pub async fn hold_cases(
        &self,
        cases: impl IntoIterator<Item = CaseId>,
    ) -> Result<BTreeSet<CaseId>, StoreError> {
        let cases: BTreeSet<CaseId> = cases.into_iter().collect();
        if self.dialect() == Dialect::Sqlite {
            return Ok(cases);
        }
        let cases: Vec<CaseId> = cases.into_iter().collect();
        let mut held = BTreeSet::new();
        for chunk in cases.chunks(HELD) {
            let condition = format!("id IN ({})", list(chunk.len(), 1));
            held.extend(
                self.hold_cases_where(&condition, chunk.iter().map(|case| uuid(case.0)).collect()).await?,
            );
        }
        Ok(held)
    }

    /// Holds the cases that meet a condition on `cases`; answers them, where holding means anything.
    pub(super) async fn hold_cases_where(
        &self,
        condition: &str,
        values: Vec<Value>,
    ) -> Result<Vec<CaseId>, StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(Vec::new());
        }
        let statement = format!("SELECT id FROM cases WHERE {condition} ORDER BY id FOR UPDATE");
        self.all(sql(statement, values))
            .await?
            .iter()
            .map(|row| Ok(CaseId(row.try_get_by_index(0)?)))
            .collect()
    }

    /// Holds a name until the transaction ends. Call it first.
    pub async fn hold(&self, edited: Edited) -> Result<(), StoreError> {
        self.hold_name(edited.to_string()).await
    }

    pub(super) async fn hold_name(&self, name: String) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Postgres {
            let statement = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) IS NULL";
            self.all(sql(statement, vec![text(name)])).await?;
        }
        Ok(())
    }
}
