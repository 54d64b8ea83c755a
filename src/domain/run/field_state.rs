//! What a case shows of one of its fields.
//!
//! The state is not stored as one row: the outcome of the last ended run lies in
//! `field_state`, and a run that still waits or works is laid over it
//! ([`FieldState::overlay`]). So cancelling a run shows again what was shown before it.

use chrono::TimeDelta;

use super::words::{FieldStatus, Reason, WaitingFor};
use crate::domain::clock::Instant;
use crate::domain::failure::RunError;
use crate::domain::ids::{FieldKey, RunId};

/// The metadata on a field of a case.
#[derive(Debug, Clone)]
pub struct FieldState {
    /// Where it stands.
    pub status: FieldStatus,
    /// What its run waits for.
    pub waiting_for: Option<WaitingFor>,
    /// Why it was skipped.
    pub reason: Option<Reason>,
    /// Dotted paths of the input that it lacked.
    pub missing: Vec<String>,
    /// The run that this state comes from.
    pub run_id: Option<RunId>,
    /// Attempts of that run.
    pub attempt: u32,
    /// Attempts that it may make.
    pub attempts_max: u32,
    /// When a provider was last asked.
    pub last_attempt_at: Option<Instant>,
    /// When the run that works now began; pages show it.
    pub running_since: Option<Instant>,
    /// When a run last succeeded.
    pub last_success_at: Option<Instant>,
    /// When the next attempt is due.
    pub next_attempt_at: Option<Instant>,
    /// When the provider gave the data now shown.
    pub fetched_at: Option<Instant>,
    /// Whether that data came from the cache.
    pub cached: bool,
    /// Whether a value that the field looks at differs from what that data was made from.
    pub inputs_changed: bool,
    /// Until when that data counts as fresh.
    pub expires_at: Option<Instant>,
    /// Whether it has expired, or was made from values that are now others.
    pub stale: bool,
    /// Dotted paths of targets that somebody set by hand.
    pub overridden: Vec<String>,
    /// How long the run took, in ms.
    pub duration_ms: Option<i64>,
    /// Key of its connection.
    pub connection: Option<String>,
    /// What went wrong, last.
    pub error: Option<RunError>,
}

impl FieldState {
    /// The state of a field that no run has touched.
    pub const fn never_run() -> Self {
        Self {
            status: FieldStatus::NeverRun,
            waiting_for: None,
            reason: None,
            missing: Vec::new(),
            run_id: None,
            attempt: 0,
            attempts_max: 0,
            last_attempt_at: None,
            running_since: None,
            last_success_at: None,
            next_attempt_at: None,
            fetched_at: None,
            cached: false,
            inputs_changed: false,
            expires_at: None,
            stale: false,
            overridden: Vec::new(),
            duration_ms: None,
            connection: None,
            error: None,
        }
    }

    /// Lays a live run over what the field showed before it.
    #[must_use]
    pub fn overlay(self, live: &LiveRun) -> Self {
        Self {
            status: if live.running { FieldStatus::Running } else { FieldStatus::Queued },
            waiting_for: live.waiting_for,
            reason: None,
            missing: Vec::new(),
            run_id: Some(live.run_id),
            attempt: live.attempt,
            attempts_max: live.attempts_max,
            last_attempt_at: live.last_attempt_at.or(self.last_attempt_at),
            running_since: live.started_at.filter(|_| live.running),
            next_attempt_at: live.due_at,
            duration_ms: None,
            connection: live.connection.clone(),
            error: live.error.clone(),
            ..self
        }
    }

    /// Says how long the data counts as fresh, and whether it still does.
    #[must_use]
    pub fn aged(self, fresh_for: Option<TimeDelta>, now: Instant) -> Self {
        let expires_at = self.fetched_at.zip(fresh_for).map(|(at, fresh)| at + fresh);
        let stale = self.inputs_changed || expires_at.is_some_and(|at| at <= now);
        Self { expires_at, stale, ..self }
    }

    /// The state of a field that its case type has switched off.
    #[must_use]
    pub fn switched_off(self) -> Self {
        Self { status: FieldStatus::Disabled, waiting_for: None, next_attempt_at: None, ..self }
    }
}

/// What a field shows of a run that waits or works.
#[derive(Debug, Clone)]
pub struct LiveRun {
    /// The run.
    pub run_id: RunId,
    /// Its field.
    pub field: FieldKey,
    /// Whether a worker holds it.
    pub running: bool,
    /// Whether its first attempt was claimed.
    pub begun: bool,
    /// Key of its connection.
    pub connection: Option<String>,
    /// What it waits for.
    pub waiting_for: Option<WaitingFor>,
    /// When it is due, while queued.
    pub due_at: Option<Instant>,
    /// Attempts so far.
    pub attempt: u32,
    /// Attempts that it may make.
    pub attempts_max: u32,
    /// When its first attempt was claimed.
    pub started_at: Option<Instant>,
    /// When its last attempt that has ended started.
    pub last_attempt_at: Option<Instant>,
    /// What went wrong at its last attempt.
    pub error: Option<RunError>,
}
