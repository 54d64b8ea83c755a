//! The metadata on one API Call field of a case.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::run_error::RunErrorView;
use super::words::{self, Time};
use crate::domain::run::{FieldState, FieldStatus, Reason, WaitingFor};

/// Where a field stands, how old its data is and where it came from.
#[derive(Serialize, ToSchema)]
#[schema(as = FieldState)]
pub struct FieldStateView {
    /// Where it stands.
    #[schema(value_type = words::FieldStatus)]
    status: FieldStatus,
    /// What its run waits for, while queued.
    #[schema(value_type = Option<words::WaitingFor>)]
    waiting_for: Option<WaitingFor>,
    /// Why its last run was skipped.
    #[schema(value_type = Option<words::Reason>)]
    reason: Option<Reason>,
    /// Dotted paths of the input that was missing.
    missing: Vec<String>,
    /// The run that this state comes from.
    run_id: Option<Uuid>,
    /// Attempts of that run so far.
    attempt: u32,
    /// Attempts that it may make.
    attempts_max: u32,
    /// When the provider was last asked.
    last_attempt_at: Option<Time>,
    /// When a run last succeeded.
    last_success_at: Option<Time>,
    /// When the next attempt is due.
    next_attempt_at: Option<Time>,
    /// When the provider gave the data now shown.
    fetched_at: Option<Time>,
    /// Whether that data came from the cache.
    cached: bool,
    /// Until when that data counts as fresh.
    expires_at: Option<Time>,
    /// Whether a value that the field looks at differs from what that data was made from.
    inputs_changed: bool,
    /// Whether that data has expired, or its inputs have changed.
    stale: bool,
    /// How long the run took.
    duration_ms: Option<i64>,
    /// Key of the field's connection.
    connection: Option<String>,
    /// Dotted paths of targets that were set by hand.
    overridden: Vec<String>,
    /// What went wrong, last.
    error: Option<RunErrorView>,
}

impl From<&FieldState> for FieldStateView {
    fn from(state: &FieldState) -> Self {
        Self {
            status: state.status,
            waiting_for: state.waiting_for,
            reason: state.reason,
            missing: state.missing.clone(),
            run_id: state.run_id.map(|id| id.0),
            attempt: state.attempt,
            attempts_max: state.attempts_max,
            last_attempt_at: state.last_attempt_at.map(Time),
            last_success_at: state.last_success_at.map(Time),
            next_attempt_at: state.next_attempt_at.map(Time),
            fetched_at: state.fetched_at.map(Time),
            cached: state.cached,
            expires_at: state.expires_at.map(Time),
            inputs_changed: state.inputs_changed,
            stale: state.stale,
            duration_ms: state.duration_ms,
            connection: state.connection.clone(),
            overridden: state.overridden.clone(),
            error: state.error.as_ref().map(RunErrorView::from),
        }
    }
}
