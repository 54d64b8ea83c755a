//! A schedule as pages show it.

use crate::domain::clock::Instant;
use crate::service::ScheduleView;
use crate::ui::history::state::plain;
use crate::ui::moment::Moment;
use crate::ui::state::{StateView, Tone};
use crate::ui::words::{cron, schedules as w};

/// A schedule.
pub struct ScheduleShown {
    pub url: String,
    pub case_type: String,
    pub field: String,
    /// The line in words, where there are some.
    pub words: Option<String>,
    pub cron: String,
    pub timezone: String,
    pub state: StateView,
    pub paused: bool,
    pub ticking: bool,
    pub next: Vec<Moment>,
    pub soon: Option<Moment>,
    pub last: Option<Moment>,
    pub queued: String,
}

impl ScheduleShown {
    /// At `now`.
    pub fn new(view: &ScheduleView, now: Instant) -> Self {
        let row = &view.row;
        let state = match (row.paused, row.ticking) {
            (_, true) => plain(Tone::Running, "ring", w::TICKING),
            (true, _) => plain(Tone::Quiet, "slash", w::PAUSED),
            _ => plain(Tone::Good, "check", w::GOES),
        };
        Self {
            url: format!("/schedules/{}", row.id),
            case_type: row.case_type.to_string(),
            field: row.field.to_string(),
            words: cron::line(&row.cron),
            cron: row.cron.clone(),
            timezone: row.timezone.clone(),
            state,
            paused: row.paused,
            ticking: row.ticking,
            next: view.next.iter().map(|at| Moment::full(*at, now)).collect(),
            soon: view.next.first().map(|at| Moment::age(*at, now)),
            last: row.last_tick_at.map(|at| Moment::age(at, now)),
            queued: w::queued(row.last_runs),
        }
    }
}
