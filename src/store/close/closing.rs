//! What a worker reports of an attempt, and what becomes of its run.
//!
//! A report is whole: the store looks nothing up to understand it, beside who holds the run and
//! the case as it is now.

use serde_json::Value;

use crate::domain::clock::Instant;
use crate::domain::data::DataPath;
use crate::domain::failure::RunError;
use crate::domain::ids::{CaseId, FieldKey, LeaseToken, RunId};
use crate::domain::run::{Attempt, Reason, RunStatus, WaitingFor};

/// What a commit checks, in bytes of JSON text.
#[derive(Debug, Clone, Copy)]
pub struct CommitLimits {
    /// `data` without output variables.
    pub case_bytes: usize,
    /// One output variable.
    pub output_bytes: usize,
}

/// What a worker reports of one attempt.
#[derive(Debug, Clone)]
pub struct Closing {
    /// The run.
    pub run_id: RunId,
    /// Its case.
    pub case_id: CaseId,
    /// Its field.
    pub field: FieldKey,
    /// Proves that the worker still holds it.
    pub token: LeaseToken,
    /// When the attempt was over.
    pub at: Instant,
    /// The exchange, if there was one.
    pub attempt: Option<Attempt>,
    /// What becomes of the run.
    pub verdict: Verdict,
}

/// What becomes of a run after an attempt.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It is over.
    Ended(Ending),
    /// It waits for its next attempt.
    Again {
        /// When that is due.
        due_at: Instant,
        /// Not even a person makes it due before (the provider's `Retry-After`).
        not_before: Option<Instant>,
        /// Why it waits.
        waiting_for: WaitingFor,
        /// Whether this attempt used up no retry.
        free: bool,
        /// Whether the provider answered 429.
        limited: bool,
        /// What went wrong, if something did.
        error: Option<RunError>,
    },
    /// Nothing was sent, for trouble of ours: the attempt does not count.
    HandBack {
        /// When it may be claimed again.
        due_at: Instant,
    },
}

/// The end of a run.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Succeeded, failed, skipped or cancelled.
    pub status: RunStatus,
    /// Why it was skipped or cancelled.
    pub reason: Option<Reason>,
    /// Dotted paths of the input that it lacked.
    pub missing: Vec<String>,
    /// What went wrong.
    pub error: Option<RunError>,
    /// What it writes into the case.
    pub effect: Option<CaseEffect>,
    /// The run that fetched the answer, when it was not this one.
    pub cached_from: Option<RunId>,
}

/// What a run writes into its case.
#[derive(Debug, Clone)]
pub struct CaseEffect {
    /// Mapped values by target.
    pub writes: Vec<(DataPath, Value)>,
    /// The whole answer, under the field's output variable.
    pub output: Option<(String, Value)>,
    /// When the provider gave the answer.
    pub fetched_at: Instant,
    /// Names the provider in sentences.
    pub provider: String,
}
