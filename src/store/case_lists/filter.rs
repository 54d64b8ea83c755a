//! What a list of cases is asked for, and the order of its rows.
//!
//! Filters on field states mean what a case shows: what ended runs left and what live runs lay
//! over it.

use std::collections::BTreeSet;

use crate::domain::case::{Case, CaseStatus};
use crate::domain::clock::Instant;
use crate::domain::data::DataPath;
use crate::domain::ids::CaseTypeId;

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

/// A condition on one value of a case's data.
#[derive(Debug, Clone)]
pub struct DataFilter {
    /// Where the value lies.
    pub path: DataPath,
    /// The keys of the values that will do.
    pub keys: BTreeSet<String>,
}

/// A data filter that too many cases would have to be looked at for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooWide {
    /// Its path.
    pub path: DataPath,
    /// The field is indexed, but older cases are still being looked through.
    pub filling: bool,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
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
    /// What rows are compared by.
    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::CreatedAt => "cases.created_at",
            Self::UpdatedAt => "cases.updated_at",
            Self::Reference => "COALESCE(cases.reference, '')",
            Self::Title => "COALESCE(cases.title, '')",
        }
    }

    /// The index in this order.
    pub(super) const fn index(self) -> &'static str {
        match self {
            Self::CreatedAt => "cases_created",
            Self::UpdatedAt => "cases_updated",
            Self::Reference => "cases_by_reference",
            Self::Title => "cases_by_title",
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
    /// Prefixes of words of reference and title, folded; all must be there.
    pub words: BTreeSet<String>,
    /// Conditions on values.
    pub data: Vec<DataFilter>,
    /// The order.
    pub sort: CaseSort,
    /// Greatest first.
    pub descending: bool,
}

impl CaseFilter {
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
