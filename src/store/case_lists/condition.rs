//! A filter as a condition on `cases`, with its values bound.

use sea_orm::Value;

use super::filter::{CaseFilter, DataFilter, FieldFilter, FieldWord};
use crate::domain::case::CaseStatus;
use crate::domain::ids::{CaseTypeId, WorkspaceId};
use crate::store::shown::WAITING_FOR;
use crate::store::statement::{ms, text, uuid};

/// Collects parts of a condition and binds their values.
#[derive(Default)]
pub(super) struct Condition {
    pub(super) parts: Vec<String>,
    pub(super) values: Vec<Value>,
}

impl Condition {
    pub(super) fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    /// `$4, $5`; of nothing `NULL`, which nothing equals.
    pub(super) fn bind_all(&mut self, values: impl IntoIterator<Item = Value>) -> String {
        let bound: Vec<_> = values.into_iter().map(|value| self.bind(value)).collect();
        if bound.is_empty() { "NULL".to_owned() } else { bound.join(", ") }
    }

    /// All parts together.
    pub(super) fn all(&self) -> String {
        self.parts.join(" AND ")
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
        let bound = self.bind_all(types.iter().map(|id| uuid(id.0)));
        format!("cases.case_type_id IN ({bound})")
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
            FieldWord::NeverRun => {
                format!("NOT {} AND NOT {}", state(" AND state.status <> 'never_run'"), live(""))
            }
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
                // In this order: few cases have the state that is looked for.
                format!("{} AND NOT {}", state(&more), live(""))
            }
            FieldWord::Cached => state(" AND state.cached"),
            FieldWord::Stale => {
                let expired = filter.expired.iter().map(|(case_type, at)| {
                    let (case_type, at) = (self.bind(uuid(case_type.0)), self.bind(ms(*at)));
                    format!(" OR cases.case_type_id = {case_type} AND state.fetched_at <= {at}")
                });
                let expired: String = expired.collect();
                state(&format!(" AND (state.inputs_changed{expired})"))
            }
            FieldWord::Disabled => return,
        };
        self.parts.push(format!("{types} AND {part}"));
    }

    /// Words are letters and digits, so the pattern has no other meaning.
    fn word(&mut self, prefix: &str) {
        let pattern = self.bind(text(format!("% {prefix}%")));
        self.parts.push(format!("cases.words LIKE {pattern}"));
    }

    /// Cases of types without the index are left in: they must be looked at.
    fn data(&mut self, filter: &Indexed<'_>) {
        let field = self.bind(text(filter.data.path.first()));
        let keys = self.bind_all(filter.data.keys.iter().map(text));
        let found = format!(
            "EXISTS (SELECT 1 FROM case_index WHERE case_index.case_type_id = cases.case_type_id \
             AND case_index.field = {field} AND case_index.value IN ({keys}) AND case_index.case_id = cases.id)"
        );
        let types = self.types(&filter.ready);
        self.parts.push(if filter.pure {
            format!("{types} AND {found}")
        } else {
            format!("(NOT ({types}) OR {found})")
        });
    }
}

/// A data filter, and where an index answers it.
pub(super) struct Indexed<'f> {
    pub(super) data: &'f DataFilter,
    /// The case types in which it does.
    pub(super) ready: Vec<CaseTypeId>,
    /// Nothing in other case types could match.
    pub(super) pure: bool,
}

impl CaseFilter {
    /// What must hold of a case, as far as the database can say it.
    pub(super) fn condition(&self, workspace: WorkspaceId, indexed: &[Indexed<'_>]) -> Condition {
        let mut condition = Condition::default();
        condition.add("cases.workspace_id", "=", uuid(workspace.0));
        let texts = [
            ("case_type.key", self.case_type.as_deref()),
            ("cases.status", self.status.map(CaseStatus::as_str)),
            ("cases.custom_status", self.custom_status.as_deref()),
            ("cases.assignee", self.assignee.as_deref()),
            ("cases.reference", self.reference.as_deref()),
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
        for word in &self.words {
            condition.word(word);
        }
        for data in indexed.iter().filter(|data| !data.ready.is_empty()) {
            condition.data(data);
        }
        condition
    }
}
