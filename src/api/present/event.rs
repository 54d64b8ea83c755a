//! An event as answers show it: as an item of a list, and as a server-sent event.

use std::fmt::Write as _;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::words::{EventKind, Time};
use crate::domain::event::Event;

/// Something that happened to a case.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView {
    /// Opaque; a stream goes on behind it.
    id: String,
    #[schema(value_type = EventKind)]
    kind: &'static str,
    #[serde(flatten)]
    rest: EventRest,
}

/// What the `data` of a server-sent event holds.
#[derive(Serialize, ToSchema)]
struct EventRest {
    case_id: Uuid,
    at: Time,
    /// `token:<name>`; null: the engine.
    by: Option<String>,
    field: Option<String>,
    run_id: Option<Uuid>,
    /// What it touched: `title`, `data.vat_number`.
    paths: Vec<String>,
}

impl From<&Event> for EventView {
    fn from(event: &Event) -> Self {
        Self { id: event.id(), kind: event.kind.as_str(), rest: event.into() }
    }
}

impl From<&Event> for EventRest {
    fn from(event: &Event) -> Self {
        Self {
            case_id: event.case_id.0,
            at: Time(event.at),
            by: event.by.clone(),
            field: event.field.as_ref().map(ToString::to_string),
            run_id: event.run_id.map(|run| run.0),
            paths: event.paths.clone(),
        }
    }
}

/// The event on the wire (HTML, section 9.2). JSON in one line holds no line break.
pub fn sent(event: &Event) -> String {
    let mut text = String::with_capacity(320);
    let data = serde_json::to_string(&EventRest::from(event)).unwrap_or_default();
    // Writing to a String does not fail.
    let _ = write!(text, "id: {}\nevent: {}\ndata: {data}\n\n", event.id(), event.kind.as_str());
    text
}
