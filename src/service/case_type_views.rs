//! Case types as they are shown: current ones, and what older versions said.

use serde_json::Value;

use super::actor::Actor;
use super::case_types::CaseTypes;
use super::credentials::{self, Home};
use super::error::ServiceError;
use super::known::known;
use super::page::{Page, PageRequest};
use crate::domain::case_type::CaseType;
use crate::domain::ids::CaseTypeKey;
use crate::domain::problem::Problem;
use crate::store::{CaseTypeRow, CaseTypeVersion};

/// A case type as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseTypeView {
    /// What is kept of it; its definition is not for showing.
    pub row: CaseTypeRow,
    /// The definition with credentials as `[hidden]`.
    pub definition: Value,
    /// What is doubtful in it; only a save looks.
    pub warnings: Vec<Problem>,
}

/// A case type as one of its versions said it.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseTypeVersionView {
    /// What is kept of that version; its definition is not for showing.
    pub row: CaseTypeRow,
    /// The definition with credentials as `[hidden]`.
    pub definition: Value,
    /// Who made it, e.g. `token:ops`.
    pub by: String,
}

impl CaseTypes {
    /// The case types of the workspace, by key.
    pub async fn list(&self, actor: &Actor, page: PageRequest) -> Result<Page<CaseTypeView>, ServiceError> {
        let after = page.after::<CaseTypeKey>()?;
        let tx = self.store.read().await?;
        let mut rows = tx.list_case_types(actor.workspace, after.as_ref(), page.limit + 1).await?;
        let counted = if page.count {
            Some(tx.count_case_types_in(actor.workspace, page.most_counted()).await?)
        } else {
            None
        };
        let next = page.cut(&mut rows, |row| row.key.clone());
        let views = rows.into_iter().map(|row| view(row, Vec::new())).collect();
        Ok(Page::new(views, next, counted))
    }

    /// The case type with this key.
    pub async fn get(&self, actor: &Actor, key: &CaseTypeKey) -> Result<CaseTypeView, ServiceError> {
        let row = self.store.read().await?.find_case_type(actor.workspace, key).await?;
        row.map(|row| view(row, Vec::new())).ok_or(ServiceError::NotFound("case type"))
    }

    /// What is doubtful, or wrong by now, in the case type with this key: judged by the secrets and
    /// connections that there are.
    pub async fn doubts(&self, actor: &Actor, key: &CaseTypeKey) -> Result<Vec<Problem>, ServiceError> {
        let tx = self.store.read().await?;
        let row = tx.find_case_type(actor.workspace, key).await?;
        let row = row.ok_or(ServiceError::NotFound("case type"))?;
        let mut definition = row.definition.clone();
        let home = Home { vault: &self.vault, workspace: row.workspace, case_type: &row.key };
        credentials::open(&mut definition, home)?;
        let parsed = CaseType::parse(&definition, &known(&tx, row.workspace).await?);
        Ok(parsed.map_or_else(|problems| problems, |parsed| parsed.warnings))
    }

    /// The versions of the case type with this key, newest first.
    pub async fn versions(
        &self,
        actor: &Actor,
        key: &CaseTypeKey,
        page: PageRequest,
    ) -> Result<Page<CaseTypeVersionView>, ServiceError> {
        let before = page.after::<i64>()?;
        let tx = self.store.read().await?;
        let current = tx.find_case_type(actor.workspace, key).await?;
        let id = current.ok_or(ServiceError::NotFound("case type"))?.id;
        let mut found = tx.list_versions(id, before, page.limit + 1).await?;
        let counted = if page.count { Some(tx.count_versions(id, page.most_counted()).await?) } else { None };
        let next = page.cut(&mut found, |version| version.row.version);
        let view = |version: CaseTypeVersion| {
            let definition = shown(&version.row);
            CaseTypeVersionView { row: version.row, definition, by: version.by }
        };
        Ok(Page::new(found.into_iter().map(view).collect(), next, counted))
    }
}

/// A saved version as it is shown.
pub(super) fn view(row: CaseTypeRow, warnings: Vec<Problem>) -> CaseTypeView {
    CaseTypeView { definition: shown(&row), row, warnings }
}

fn shown(row: &CaseTypeRow) -> Value {
    let mut definition = row.definition.clone();
    credentials::hide(&mut definition);
    definition
}
