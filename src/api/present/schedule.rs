//! A schedule as answers show it.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::words::Time;
use crate::service::ScheduleView;

/// When a field runs by itself.
#[derive(Serialize, ToSchema)]
#[schema(as = Schedule)]
pub struct ScheduleAnswer {
    id: Uuid,
    /// Key of the case type.
    case_type: String,
    /// Key of the field.
    field: String,
    /// The cron line, of 5 or 6 fields.
    cron: String,
    /// The IANA zone in which the line is read.
    timezone: String,
    paused: bool,
    /// The next five times; none while it is paused.
    next: Vec<Time>,
    /// When the last tick began.
    last_tick_at: Option<Time>,
    /// Runs that the last tick has queued so far.
    last_runs: u32,
}

impl From<&ScheduleView> for ScheduleAnswer {
    fn from(view: &ScheduleView) -> Self {
        let row = &view.row;
        Self {
            id: row.id.0,
            case_type: row.case_type.to_string(),
            field: row.field.to_string(),
            cron: row.cron.clone(),
            timezone: row.timezone.clone(),
            paused: row.paused,
            next: view.next.iter().copied().map(Time).collect(),
            last_tick_at: row.last_tick_at.map(Time),
            last_runs: row.last_runs,
        }
    }
}
