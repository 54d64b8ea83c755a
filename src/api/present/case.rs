//! A case as answers show it: its data, the state of its fields, where each value came from.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::field_state::FieldStateView;
use super::words::{self, Time};
use crate::domain::case::{CaseStatus, ProvenanceEntry, Source};
use crate::service::CaseView;

/// A case.
#[derive(Serialize, ToSchema)]
#[schema(as = Case)]
pub struct CaseAnswer {
    id: Uuid,
    /// Key of its type.
    case_type: String,
    /// Current version of its type.
    case_type_version: i64,
    /// The caller's own name for it, unique in the workspace.
    reference: Option<String>,
    title: Option<String>,
    #[schema(value_type = words::CaseStatus)]
    status: CaseStatus,
    /// A status in the caller's own words.
    custom_status: Option<String>,
    assignee: Option<String>,
    /// The values: typed, mapped, and output variables.
    data: Map<String, Value>,
    /// Whether no run of it is queued or running.
    settled: bool,
    /// State of each API Call field, by key, in the order of the type.
    #[serde(serialize_with = "in_order")]
    #[schema(value_type = BTreeMap<String, FieldStateView>)]
    fields: Vec<(String, FieldStateView)>,
    /// Where each value came from, by dotted path. In lists only with `include=provenance`.
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<BTreeMap<String, ProvenanceView>>,
    /// Counts changes by people and the API.
    version: i64,
    /// Counts every change.
    revision: i64,
    created_at: Time,
    updated_at: Time,
}

/// An object whose members keep their order.
fn in_order<S: Serializer>(members: &[(String, FieldStateView)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(members.iter().map(|(name, member)| (name, member)))
}

/// Where a value came from.
#[derive(Serialize, ToSchema)]
#[schema(as = Provenance)]
pub struct ProvenanceView {
    #[schema(value_type = words::Source)]
    source: Source,
    /// Who put it there, e.g. `token:ops`.
    by: Option<String>,
    /// The run that put it there.
    run_id: Option<Uuid>,
    /// Key of the field whose run put it there.
    field: Option<String>,
    /// When it was put there.
    at: Time,
    /// When the provider gave it.
    fetched_at: Option<Time>,
    /// Whether it came from the cache.
    cached: Option<bool>,
}

/// What items of a list show beside the usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Includes {
    /// Output variables, among `data`.
    pub outputs: bool,
    /// Where each value came from.
    pub provenance: bool,
}

impl CaseAnswer {
    /// The case as lists show it.
    pub fn in_list(mut view: CaseView, includes: Includes) -> Self {
        if !includes.outputs {
            for name in &view.outputs {
                view.data.shift_remove(name);
            }
        }
        let case = Self::from(view);
        if includes.provenance { case } else { Self { provenance: None, ..case } }
    }
}

impl From<CaseView> for CaseAnswer {
    fn from(view: CaseView) -> Self {
        let case = view.case;
        let fields = view.fields.iter().map(|(key, state)| (key.to_string(), FieldStateView::from(state)));
        let provenance =
            view.provenance.iter().map(|(path, entry)| (path.clone(), ProvenanceView::from(entry)));
        Self {
            id: case.id.0,
            case_type: case.case_type.into(),
            case_type_version: view.case_type_version,
            reference: case.reference,
            title: case.title,
            status: case.status,
            custom_status: case.custom_status,
            assignee: case.assignee,
            data: view.data,
            settled: view.settled,
            fields: fields.collect(),
            provenance: Some(provenance.collect()),
            version: case.version,
            revision: case.revision,
            created_at: Time(case.created_at),
            updated_at: Time(case.updated_at),
        }
    }
}

impl From<&ProvenanceEntry> for ProvenanceView {
    fn from(entry: &ProvenanceEntry) -> Self {
        Self {
            source: entry.source,
            by: entry.by.clone(),
            run_id: entry.run_id.map(|id| id.0),
            field: entry.field.clone(),
            at: Time(entry.at),
            fetched_at: entry.fetched_at.map(Time),
            cached: entry.cached,
        }
    }
}
