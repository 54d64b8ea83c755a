//! How the fields of a case type stand, as answers show it.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::run::FieldStatus;
use crate::service::{FieldSummary, Summary};

/// Counts per field and status.
#[derive(Serialize, ToSchema)]
#[schema(as = Summary)]
pub struct SummaryView {
    /// Cases that were counted.
    #[schema(minimum = 0)]
    total: u64,
    /// Filters leave more than these, which were not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    total_at_least: Option<u64>,
    /// `true`: filters were given, so these are counts of a part of the cases.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
    /// Each API Call field.
    fields: BTreeMap<String, FieldSummaryView>,
}

/// How many cases show a field like this; each case counts in one of the statuses.
#[derive(Serialize, ToSchema)]
#[schema(as = FieldSummary)]
struct FieldSummaryView {
    #[schema(minimum = 0)]
    never_run: u64,
    #[schema(minimum = 0)]
    queued: u64,
    #[schema(minimum = 0)]
    running: u64,
    #[schema(minimum = 0)]
    succeeded: u64,
    #[schema(minimum = 0)]
    failed: u64,
    #[schema(minimum = 0)]
    skipped: u64,
    #[schema(minimum = 0)]
    disabled: u64,
    /// With data that came from the cache, whatever the status.
    #[schema(minimum = 0)]
    cached: u64,
    /// With data that is out of date, whatever the status.
    #[schema(minimum = 0)]
    stale: u64,
}

impl From<&Summary> for SummaryView {
    fn from(summary: &Summary) -> Self {
        let fields = summary.fields.iter().map(|(key, field)| (key.to_string(), field.into()));
        Self {
            total: summary.total,
            total_at_least: summary.more.then_some(summary.total),
            partial: summary.partial,
            fields: fields.collect(),
        }
    }
}

impl From<&FieldSummary> for FieldSummaryView {
    fn from(field: &FieldSummary) -> Self {
        Self {
            never_run: field.of(FieldStatus::NeverRun),
            queued: field.of(FieldStatus::Queued),
            running: field.of(FieldStatus::Running),
            succeeded: field.of(FieldStatus::Succeeded),
            failed: field.of(FieldStatus::Failed),
            skipped: field.of(FieldStatus::Skipped),
            disabled: field.of(FieldStatus::Disabled),
            cached: field.cached,
            stale: field.stale,
        }
    }
}
