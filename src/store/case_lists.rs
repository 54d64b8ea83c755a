//! Pages of cases: filters, order and keyset.
//!
//! A page begins after the last row of the one before it (by sort value, then id), so it stays
//! put while rows arrive. Filters on field states read what ended runs left and what live runs
//! lay over it, as the case itself does.

use sea_orm::Value;

use super::cases::{CASE_COLUMNS, CaseSnapshot, case_row};
use super::error::StoreError;
use super::shown::WAITING_FOR;
use super::statement::{int, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::case::{Case, CaseStatus};
use crate::domain::clock::Instant;
use crate::domain::ids::{CaseId, CaseTypeId, WorkspaceId};

/// What a field filter asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldWord {
    /// Fields that no run has touched.
    NeverRun,
    /// Fields with a run that waits, for this if given.
    Queued(Option<&'static str>),
    /// Fields with a run that works.
    Running,
    /// Fields whose last run ended so (`succeeded`, `failed`, `skipped`), for this reason or
    /// with this error code if given.
    Ended(&'static str, Option<&'static str>),
    /// Fields that are switched off.
    Disabled,
    /// Fields whose data came from the cache.
    Cached,
    /// Fields whose data has expired, or was made from values that are now others.
    Stale,
}

/// A condition on one field of a case.
#[derive(Debug, Clone)]
pub struct FieldFilter {
    /// The field.
    pub field: String,
    /// What it must show.
    pub word: FieldWord,
    /// The case types that have this field switched on.
    pub enabled_in: Vec<CaseTypeId>,
    /// The case types that have it switched off.
    pub disabled_in: Vec<CaseTypeId>,
    /// Case types where data of this age or older has expired.
    pub expired: Vec<(CaseTypeId, Instant)>,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CaseSort {
    /// By creation.
    #[default]
    CreatedAt,
    /// By last change.
    UpdatedAt,
    /// By reference; cases without one come first.
    Reference,
    /// By title; cases without one come first.
    Title,
}

impl CaseSort {
    const fn column(self) -> &'static str {
        match self {
            Self::CreatedAt => "cases.created_at",
            Self::UpdatedAt => "cases.updated_at",
            Self::Reference => "COALESCE(reference, '')",
            Self::Title => "COALESCE(title, '')",
        }
    }
}

/// Which cases to list; everything given must hold.
#[derive(Debug, Clone, Default)]
pub struct CaseFilter {
    /// Key of the case type.
    pub case_type: Option<String>,
    /// How far they have come.
    pub status: Option<CaseStatus>,
    /// … in the workspace's own words.
    pub custom_status: Option<String>,
    /// Who works on them.
    pub assignee: Option<String>,
    /// The one with this reference.
    pub reference: Option<String>,
    /// Changed at this time or later.
    pub updated_since: Option<Instant>,
    /// Conditions on fields.
    pub fields: Vec<FieldFilter>,
    /// The order.
    pub sort: CaseSort,
    /// Greatest first.
    pub descending: bool,
}

/// Collects parts of a condition and binds their values.
struct Condition {
    parts: Vec<String>,
    values: Vec<Value>,
}

impl Condition {
    fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn add(&mut self, column: &str, operator: &str, value: Value) {
        let bound = self.bind(value);
        self.parts.push(format!("{column} {operator} {bound}"));
    }

    /// Of no types there is no case; PostgreSQL reads no empty list.
    fn types(&mut self, types: &[CaseTypeId]) -> String {
        if types.is_empty() {
            return "FALSE".to_owned();
        }
        let bound: Vec<_> = types.iter().map(|id| self.bind(uuid(id.0))).collect();
        format!("case_type_id IN ({})", bound.join(", "))
    }

    fn field(&mut self, filter: &FieldFilter) {
        if filter.word == FieldWord::Disabled {
            let types = self.types(&filter.disabled_in);
            return self.parts.push(types);
        }
        let types = self.types(&filter.enabled_in);
        let field = self.bind(text(filter.field.as_str()));
        let live = |more: &str| {
            format!(
                "EXISTS (SELECT 1 FROM run WHERE run.case_id = cases.id AND run.field = {field} \
                 AND run.status IN ('queued', 'running'){more})"
            )
        };
        let state = |more: &str| {
            format!(
                "EXISTS (SELECT 1 FROM field_state AS state WHERE state.case_id = cases.id \
                 AND state.field = {field}{more})"
            )
        };
        let part = match filter.word {
            FieldWord::NeverRun => format!("NOT {} AND NOT {}", live(""), state("")),
            FieldWord::Running => live(" AND run.status = 'running'"),
            FieldWord::Queued(None) => {
                format!(
                    "{} AND NOT {}",
                    live(" AND run.status = 'queued'"),
                    live(" AND run.status = 'running'")
                )
            }
            FieldWord::Queued(Some(waiting)) => {
                let waiting = self.bind(text(waiting));
                let waits = format!(" AND run.status = 'queued' AND {WAITING_FOR} = {waiting}");
                // The begun run is what the field shows, not the one that waits behind it.
                let (begun, behind) = (format!("{waits} AND run.begun"), live(" AND run.begun"));
                format!(
                    "({} OR {} AND NOT {behind}) AND NOT {}",
                    live(&begun),
                    live(&waits),
                    live(" AND run.status = 'running'")
                )
            }
            FieldWord::Ended(status, reason) => {
                let status = self.bind(text(status));
                let mut more = format!(" AND state.status = {status}");
                if let Some(reason) = reason {
                    let reason = self.bind(text(reason));
                    more = format!(
                        "{more} AND (state.reason = {reason} OR json_extract(state.error, '$.code') = {reason})"
                    );
                }
                format!("NOT {} AND {}", live(""), state(&more))
            }
            FieldWord::Cached => state(" AND state.cached"),
            FieldWord::Stale => {
                let expired = filter.expired.iter().map(|(case_type, at)| {
                    let (case_type, at) = (self.bind(uuid(case_type.0)), self.bind(ms(*at)));
                    format!(" OR case_type_id = {case_type} AND state.fetched_at <= {at}")
                });
                let expired: String = expired.collect();
                state(&format!(" AND (state.inputs_changed{expired})"))
            }
            FieldWord::Disabled => return,
        };
        self.parts.push(format!("{types} AND {part}"));
    }
}

impl CaseFilter {
    fn condition(&self, workspace: WorkspaceId) -> Condition {
        let mut condition = Condition { parts: Vec::new(), values: Vec::new() };
        condition.add("cases.workspace_id", "=", uuid(workspace.0));
        let texts = [
            ("key", self.case_type.as_deref()),
            ("status", self.status.map(CaseStatus::as_str)),
            ("custom_status", self.custom_status.as_deref()),
            ("assignee", self.assignee.as_deref()),
            ("reference", self.reference.as_deref()),
        ];
        for (column, value) in texts {
            if let Some(value) = value {
                condition.add(column, "=", text(value));
            }
        }
        if let Some(since) = self.updated_since {
            condition.add("cases.updated_at", ">=", ms(since));
        }
        for field in &self.fields {
            condition.field(field);
        }
        condition
    }

    /// The order in a word: a cursor is of use in the order that it was made in only.
    pub fn order(&self) -> String {
        let word = match self.sort {
            CaseSort::CreatedAt => "created",
            CaseSort::UpdatedAt => "updated",
            CaseSort::Reference => "reference",
            CaseSort::Title => "title",
        };
        format!("{}{word}", if self.descending { "-" } else { "" })
    }

    /// The sort value of a case, for the cursor.
    pub fn sort_value(&self, case: &Case) -> serde_json::Value {
        match self.sort {
            CaseSort::CreatedAt => case.created_at.timestamp_millis().into(),
            CaseSort::UpdatedAt => case.updated_at.timestamp_millis().into(),
            CaseSort::Reference => case.reference.clone().unwrap_or_default().into(),
            CaseSort::Title => case.title.clone().unwrap_or_default().into(),
        }
    }
}

const FROM: &str = "FROM cases JOIN case_type ON case_type.id = case_type_id";

impl Tx {
    /// A page of cases, those after `after` (sort value and id).
    pub async fn list_cases(
        &self,
        workspace: WorkspaceId,
        filter: &CaseFilter,
        after: Option<(serde_json::Value, CaseId)>,
        limit: u64,
    ) -> Result<Vec<CaseSnapshot>, StoreError> {
        let mut condition = filter.condition(workspace);
        let (column, operator, direction) = if filter.descending {
            (filter.sort.column(), "<", "DESC")
        } else {
            (filter.sort.column(), ">", "ASC")
        };
        if let Some((value, id)) = after {
            let value = value.as_i64().map_or_else(|| text(value.as_str().unwrap_or_default()), int);
            let (value, id) = (condition.bind(value), condition.bind(uuid(id.0)));
            condition.parts.push(format!("({column}, cases.id) {operator} ({value}, {id})"));
        }
        let limit = condition.bind(int(i64::try_from(limit).unwrap_or(i64::MAX)));
        let statement = format!(
            "SELECT {CASE_COLUMNS} {FROM} WHERE {} ORDER BY {column} {direction}, cases.id {direction} LIMIT {limit}",
            condition.parts.join(" AND ")
        );
        let mut found = Vec::new();
        for row in self.all(sql(statement, condition.values)).await? {
            found.push(self.snapshot(case_row(&row)?).await?);
        }
        Ok(found)
    }

    /// How many cases match, counted up to `most`.
    pub async fn count_cases(
        &self,
        workspace: WorkspaceId,
        filter: &CaseFilter,
        most: u64,
    ) -> Result<u64, StoreError> {
        let mut condition = filter.condition(workspace);
        let most = condition.bind(int(i64::try_from(most).unwrap_or(i64::MAX)));
        let statement = format!(
            "SELECT COUNT(*) FROM (SELECT 1 {FROM} WHERE {} LIMIT {most}) AS found",
            condition.parts.join(" AND ")
        );
        let row = self.one(sql(statement, condition.values)).await?;
        let count: i64 = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0);
        Ok(u64::try_from(count).unwrap_or(0))
    }
}
