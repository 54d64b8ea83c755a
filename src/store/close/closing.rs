//! What a worker reports of an attempt, and what becomes of its run.
//!
//! A report is whole: the store looks nothing up to understand it, beside who holds the run and
//! the case as it is now.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::domain::case_type::CaseType;
use crate::domain::clock::Instant;
use crate::domain::data::DataPath;
use crate::domain::failure::RunError;
use crate::domain::ids::{CaseId, FieldKey, LeaseToken, RunId};
use crate::domain::lane::{LaneKey, LaneOutcome, Quota};
use crate::domain::mapping::Write;
use crate::domain::run::{Attempt, NewRun, Reason, RunStatus, WaitingFor};
use crate::store::claimed::ClaimedCase;

/// What a commit checks, in bytes of JSON text.
#[derive(Debug, Clone, Copy)]
pub struct CommitLimits {
    /// `data` without output variables.
    pub case_bytes: usize,
    /// One output variable.
    pub output_bytes: usize,
}

impl CommitLimits {
    /// Refuses data, without output variables, that is too large; the error is a fragment.
    pub fn check_data(self, data: &Value) -> Result<(), String> {
        check_size(data, self.case_bytes, "the data of the case")
    }

    /// Refuses an output variable that is too large; the error is a fragment.
    pub fn check_output(self, name: &str, value: &Value) -> Result<(), String> {
        check_size(value, self.output_bytes, &format!("the output variable `{name}`"))
    }
}

fn check_size(value: &Value, limit: usize, what: &str) -> Result<(), String> {
    let bytes = serde_json::to_string(value).map_or(usize::MAX, |text| text.len());
    if bytes > limit {
        return Err(format!("{what} would take {bytes} bytes; at most {limit} are kept"));
    }
    Ok(())
}

/// What a worker reports of one attempt.
#[derive(Debug, Clone)]
pub struct Closing {
    /// The run.
    pub run_id: RunId,
    /// Its case as the attempt saw it.
    pub seen: ClaimedCase,
    /// The version of the case type that it keeps.
    pub case_type_version: i64,
    /// The attempts that this version grants, and those that used up none.
    pub attempts_max: u32,
    /// Its field.
    pub field: FieldKey,
    /// How many mapped writes led to it.
    pub depth: u32,
    /// Whether the case's creation fired it.
    pub on_create: bool,
    /// Whether the run has no hurry: a batch, a schedule.
    pub low: bool,
    /// Proves that the worker still holds it.
    pub token: LeaseToken,
    /// When the attempt was over.
    pub at: Instant,
    /// The exchange, if there was one.
    pub attempt: Option<Attempt>,
    /// The fingerprint of its request, kept where the run has none yet.
    pub fingerprint: Option<Vec<u8>>,
    /// What becomes of the run.
    pub verdict: Verdict,
    /// What its success fires. Must be of the version that is current at the commit.
    pub rules: Option<Rules>,
    /// What it says about its lane; none: nothing.
    pub lane: Option<LaneReport>,
}

/// What an attempt says about its lane.
#[derive(Debug, Clone)]
pub struct LaneReport {
    /// The lane.
    pub key: LaneKey,
    /// The endpoint of the call, if it has one.
    pub endpoint: Option<String>,
    /// What came of the exchange.
    pub outcome: LaneOutcome,
    /// A failure of the run has counted before.
    pub counted: bool,
    /// The permit of this instant was not used.
    pub unused: Option<Instant>,
    /// Which change of the workspace's credentials was the last one that the call knew of.
    pub credentials_epoch: i64,
    /// What the provider says is left.
    pub quota: Option<Quota>,
}

impl Closing {
    /// Its case.
    pub const fn case_id(&self) -> CaseId {
        self.seen.case.id
    }
}

/// The case type that decides what a change fires.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Its version.
    pub version: i64,
    /// The case type.
    pub case_type: Arc<CaseType>,
    /// What templates read as `params`.
    pub params: Arc<Value>,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// It is recorded.
    Recorded,
    /// The worker did not hold the run any more; nothing was written.
    Lost,
    /// The case type has another version than the report's rules; nothing was written.
    OldRules,
}

/// What becomes of a run after an attempt.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a report lies behind an Arc, one per attempt")]
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
    /// Its lane lets no call go: it is claimed again when the lane lets it go. The attempt does not
    /// count.
    Park {
        /// What it waits for.
        waiting_for: WaitingFor,
        /// When its lane opens, as far as that is known; shown, not obeyed.
        opens_at: Option<Instant>,
        /// No exchange of it has left, so it is unbegun again: firings join it, or it joins the
        /// run that waits behind it.
        unbegin: bool,
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
    /// The run that takes its place, queued in the same transaction.
    pub successor: Option<Box<NewRun>>,
    /// The run that fetched the answer, when it was not this one.
    pub cached_from: Option<RunId>,
    /// The field keeps the status and data that it shows, and shows the error beside them.
    pub keeps_state: bool,
}

/// What a run writes into its case.
#[derive(Debug, Clone)]
pub struct CaseEffect {
    /// Mapped values by target.
    pub writes: Vec<Write>,
    /// Overridden targets for which the answer has nothing that fits.
    pub kept: Vec<DataPath>,
    /// Targets whose overrides the success clears, as far as they are those that the attempt saw.
    pub clears: Vec<DataPath>,
    /// Hashes of the watched values that the request was made from.
    pub inputs: BTreeMap<String, String>,
    /// The whole answer, under the field's output variable.
    pub output: Option<(String, Value)>,
    /// When the provider gave the answer.
    pub fetched_at: Instant,
    /// Names the provider in sentences.
    pub provider: String,
}

impl CaseEffect {
    /// Every place in the case's data that it may write.
    pub(super) fn targets(&self) -> impl Iterator<Item = DataPath> + '_ {
        let output = self.output.as_ref().and_then(|(name, _)| DataPath::parse_exact(name).ok());
        self.writes.iter().map(|write| write.target.clone()).chain(output)
    }
}
