//! Case types: one row each, and one row per version with its definition.
//!
//! A definition is kept as it was in force, credentials sealed, because runs name the version
//! that they took.

use sea_orm::QueryResult;
use serde_json::Value;

use super::error::StoreError;
use super::rows::Columns;
use super::statement::{int, json, maybe_text, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{CaseTypeId, CaseTypeKey, WorkspaceId};

/// A case type in one version.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseTypeRow {
    /// Its id, over all versions.
    pub id: CaseTypeId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Unique in the workspace.
    pub key: CaseTypeKey,
    /// The version of the definition.
    pub version: i64,
    /// The normal form, with literal credentials sealed.
    pub definition: Value,
    /// When the case type was made.
    pub created_at: Instant,
    /// When this version was made.
    pub updated_at: Instant,
}

/// A version to be added.
#[derive(Debug, Clone)]
pub struct NewCaseTypeVersion {
    /// The case type in this version.
    pub row: CaseTypeRow,
    /// Who made it, e.g. `token:ops`.
    pub by: String,
}

/// A version of a case type, as it was saved.
#[derive(Debug, Clone)]
pub struct CaseTypeVersion {
    /// The case type in this version.
    pub row: CaseTypeRow,
    /// Who made it, e.g. `token:ops`.
    pub by: String,
}

const SELECT: &str = "SELECT t.id, t.workspace_id, t.key, v.version, v.definition, t.created_at, v.created_at \
                      FROM case_type t JOIN case_type_version v ON v.case_type_id = t.id";
const CURRENT: &str = "v.version = t.version";

fn case_type(row: &QueryResult) -> Result<CaseTypeRow, StoreError> {
    read(&mut Columns::of("case_type", row)?)
}

fn read(columns: &mut Columns<'_>) -> Result<CaseTypeRow, StoreError> {
    Ok(CaseTypeRow {
        id: CaseTypeId(columns.id()),
        workspace: WorkspaceId(columns.get()?),
        key: columns.word(|text| text.parse().ok())?,
        version: columns.get()?,
        definition: columns.json()?,
        created_at: columns.at()?,
        updated_at: columns.at()?,
    })
}

impl Tx {
    pub(super) async fn case_types_where(
        &self,
        tail: &str,
        values: Vec<sea_orm::Value>,
    ) -> Result<Vec<CaseTypeRow>, StoreError> {
        self.all(sql(format!("{SELECT} {tail}"), values)).await?.iter().map(case_type).collect()
    }

    /// The case type with this key, in its current version.
    pub async fn find_case_type(
        &self,
        workspace: WorkspaceId,
        key: &CaseTypeKey,
    ) -> Result<Option<CaseTypeRow>, StoreError> {
        let statement = sql(
            format!("{SELECT} WHERE t.workspace_id = $1 AND t.key = $2 AND {CURRENT}"),
            vec![uuid(workspace.0), text(key.as_str())],
        );
        self.one(statement).await?.as_ref().map(case_type).transpose()
    }

    /// The case type with this id, in its current version.
    pub async fn get_case_type(&self, id: CaseTypeId) -> Result<Option<CaseTypeRow>, StoreError> {
        let statement = sql(format!("{SELECT} WHERE t.id = $1 AND {CURRENT}"), vec![uuid(id.0)]);
        self.one(statement).await?.as_ref().map(case_type).transpose()
    }

    /// The case type with this id, in this version.
    pub async fn case_type_version(
        &self,
        id: CaseTypeId,
        version: i64,
    ) -> Result<Option<CaseTypeRow>, StoreError> {
        let statement =
            sql(format!("{SELECT} WHERE t.id = $1 AND v.version = $2"), vec![uuid(id.0), int(version)]);
        self.one(statement).await?.as_ref().map(case_type).transpose()
    }

    /// The versions of a case type, newest first, those before `before` only.
    pub async fn list_versions(
        &self,
        id: CaseTypeId,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<CaseTypeVersion>, StoreError> {
        let statement = "SELECT t.id, t.workspace_id, t.key, v.version, v.definition, t.created_at, v.created_at, \
             v.created_by FROM case_type t JOIN case_type_version v ON v.case_type_id = t.id \
             WHERE t.id = $1 AND v.version < $2 ORDER BY v.version DESC LIMIT $3";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![uuid(id.0), int(before.unwrap_or(i64::MAX)), int(limit)];
        let version = |row: &QueryResult| {
            let mut columns = Columns::of("case_type_version", row)?;
            Ok(CaseTypeVersion { row: read(&mut columns)?, by: columns.get()? })
        };
        self.all(sql(statement, values)).await?.iter().map(version).collect()
    }

    /// Versions of a case type, counted up to `most`.
    pub async fn count_versions(&self, id: CaseTypeId, most: u64) -> Result<u64, StoreError> {
        self.count_up_to("case_type_version WHERE case_type_id = $1", id.0, most).await
    }

    /// The case types of a workspace by key, in their current versions, those after `after` only.
    pub async fn list_case_types(
        &self,
        workspace: WorkspaceId,
        after: Option<&CaseTypeKey>,
        limit: u64,
    ) -> Result<Vec<CaseTypeRow>, StoreError> {
        let statement = sql(
            format!(
                "{SELECT} WHERE t.workspace_id = $1 AND {CURRENT} AND ($2 IS NULL OR t.key > $2) \
                 ORDER BY t.key LIMIT $3"
            ),
            vec![
                uuid(workspace.0),
                maybe_text(after.map(CaseTypeKey::as_str)),
                int(i64::try_from(limit).unwrap_or(i64::MAX)),
            ],
        );
        self.all(statement).await?.iter().map(case_type).collect()
    }

    /// Ids and current versions of all case types of a workspace, by key.
    pub async fn list_current_versions(
        &self,
        workspace: WorkspaceId,
    ) -> Result<Vec<(CaseTypeId, i64)>, StoreError> {
        let statement = sql(
            "SELECT id, version FROM case_type WHERE workspace_id = $1 ORDER BY key",
            vec![uuid(workspace.0)],
        );
        let current = |row: &QueryResult| {
            let mut columns = Columns::of("case_type", row)?;
            Ok((CaseTypeId(columns.id()), columns.get()?))
        };
        self.all(statement).await?.iter().map(current).collect()
    }

    /// Holds a case type until the commit: nobody adds a case of it. `false`: it is gone.
    pub async fn hold_case_type(&self, id: CaseTypeId) -> Result<bool, StoreError> {
        let lock = self.dialect().for_update();
        let statement = format!("SELECT 1 FROM case_type WHERE id = $1{lock}");
        Ok(self.one(sql(statement, vec![uuid(id.0)])).await?.is_some())
    }

    /// The current version of the case type with this id.
    pub async fn current_version(&self, id: CaseTypeId) -> Result<Option<i64>, StoreError> {
        let row = self.one(sql("SELECT version FROM case_type WHERE id = $1", vec![uuid(id.0)])).await?;
        Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
    }

    /// The versions that begun runs keep, each once.
    pub async fn versions_under_way(
        &self,
        workspace: WorkspaceId,
    ) -> Result<Vec<(CaseTypeId, i64)>, StoreError> {
        let statement = "SELECT DISTINCT case_type_id, case_type_version FROM run \
             WHERE workspace_id = $1 AND begun AND status IN ('queued', 'running')";
        let version = |row: &QueryResult| {
            let mut columns = Columns::of("run", row)?;
            Ok((CaseTypeId(columns.id()), columns.get()?))
        };
        self.all(sql(statement, vec![uuid(workspace.0)])).await?.iter().map(version).collect()
    }

    /// Case types of a workspace, counted up to `most`.
    pub async fn count_case_types_in(&self, workspace: WorkspaceId, most: u64) -> Result<u64, StoreError> {
        self.count_up_to("case_type WHERE workspace_id = $1", workspace.0, most).await
    }

    /// Cases of a case type.
    pub async fn count_cases_of_type(&self, id: CaseTypeId) -> Result<u64, StoreError> {
        self.number(sql("SELECT count(*) FROM cases WHERE case_type_id = $1", vec![uuid(id.0)])).await
    }

    /// Adds a case type with its first version; [`StoreError::Duplicate`] when its key is taken.
    pub async fn insert_case_type(&self, new: &NewCaseTypeVersion) -> Result<(), StoreError> {
        let row = &new.row;
        let values = vec![
            uuid(row.id.0),
            uuid(row.workspace.0),
            text(row.key.as_str()),
            int(row.version),
            ms(row.created_at),
            ms(row.updated_at),
        ];
        let statement = sql(
            "INSERT INTO case_type (id, workspace_id, key, version, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            values,
        );
        self.execute(statement).await?;
        self.insert_version(new).await
    }

    /// The definitions of all workspaces in which this text stands.
    pub async fn definitions_with(&self, part: &str) -> Result<Vec<Value>, StoreError> {
        let statement = sql(
            "SELECT case_type_id, definition FROM case_type_version WHERE definition LIKE $1",
            vec![text(format!("%{part}%"))],
        );
        let rows = self.all(statement).await?;
        rows.iter().map(|row| Columns::of("case_type_version", row)?.json()).collect()
    }

    /// Adds a version, which becomes the current one.
    pub async fn add_case_type_version(&self, new: &NewCaseTypeVersion) -> Result<(), StoreError> {
        let row = &new.row;
        self.insert_version(new).await?;
        let statement = sql(
            "UPDATE case_type SET version = $2, updated_at = $3 WHERE id = $1",
            vec![uuid(row.id.0), int(row.version), ms(row.updated_at)],
        );
        self.execute(statement).await.map(drop)
    }

    async fn insert_version(&self, new: &NewCaseTypeVersion) -> Result<(), StoreError> {
        let row = &new.row;
        let values = vec![
            uuid(row.id.0),
            int(row.version),
            json(&row.definition),
            ms(row.updated_at),
            text(new.by.as_str()),
        ];
        let statement = sql(
            "INSERT INTO case_type_version (case_type_id, version, definition, created_at, created_by) \
             VALUES ($1, $2, $3, $4, $5)",
            values,
        );
        self.execute(statement).await.map(drop)
    }

    /// Removes a case type with all of its versions, which must have no cases; `false`: there is
    /// none with this key here.
    pub async fn delete_case_type(
        &self,
        workspace: WorkspaceId,
        key: &CaseTypeKey,
    ) -> Result<bool, StoreError> {
        let values = vec![uuid(workspace.0), text(key.as_str())];
        let removed =
            self.execute(sql("DELETE FROM case_type WHERE workspace_id = $1 AND key = $2", values)).await?;
        Ok(removed > 0)
    }
}
