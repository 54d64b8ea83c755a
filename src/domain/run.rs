//! Runs, attempts and field states: what is kept of each execution of a field.
//!
//! A run is durable from queued to its end; an attempt is one HTTP exchange inside it; a field
//! state is what a case shows of a field. The state is not stored as one row: the outcome of
//! the last ended run lies in `field_state`, and a run that still waits or works is laid over
//! it ([`FieldState::overlay`]). So cancelling a run shows again what was shown before it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::clock::Instant;
use super::failure::RunError;
use super::ids::{CaseId, CaseTypeId, CaseTypeKey, FieldKey, RunId, WorkspaceId};
use super::trigger::Trigger;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All words, in the order of the contract.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The spelling in rows and answers.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The word with this spelling.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Where a run stands.
    RunStatus {
        /// Waits: see `waiting_for`.
        Queued = "queued",
        /// A worker holds it.
        Running = "running",
        /// The answer was mapped into the case.
        Succeeded = "succeeded",
        /// It ended without data: see `error`.
        Failed = "failed",
        /// It was not needed or could not be made: see `reason`.
        Skipped = "skipped",
        /// It was stopped: see `reason`.
        Cancelled = "cancelled",
    }
}

impl RunStatus {
    /// Whether the run is over.
    pub const fn is_ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

words! {
    /// What a queued run waits for.
    WaitingFor {
        /// A free worker.
        Worker = "worker",
        /// The run of the same field before it.
        Predecessor = "predecessor",
        /// The time of its next attempt.
        Retry = "retry",
        /// The provider's limit.
        RateLimit = "rate_limit",
        /// A closed circuit.
        Circuit = "circuit",
        /// A connection that is on hold or switched off.
        Connection = "connection",
        /// Money.
        Budget = "budget",
    }
}

words! {
    /// Why a run was skipped or cancelled.
    Reason {
        /// Its `when` does not hold.
        Condition = "condition",
        /// A value that the request needs is not there.
        MissingInput = "missing_input",
        /// Another run took its place.
        Superseded = "superseded",
        /// The field is no longer part of the case type.
        FieldRemoved = "field_removed",
        /// The field was switched off.
        Disabled = "disabled",
        /// The case was deleted.
        CaseDeleted = "case_deleted",
        /// Somebody cancelled it.
        Requested = "requested",
    }
}

words! {
    /// In which order due runs are claimed.
    Priority {
        /// Somebody waits for it.
        Manual = "manual",
        /// A change fired it.
        Triggered = "triggered",
        /// Batches and schedules.
        Low = "low",
    }
}

impl Priority {
    /// The rank in rows: lower is claimed first.
    pub const fn rank(self) -> i32 {
        self as i32
    }

    /// The priority with this rank.
    pub fn from_rank(rank: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|priority| priority.rank() == rank)
    }
}

/// A firing that joined a run which had not begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    /// Why it fired.
    pub trigger: Trigger,
    /// When.
    pub at: Instant,
    /// Who: `token:<name>`, `case`, …
    pub by: String,
}

/// A run as it is read back, with everything that the history shows.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one execution")]
pub struct Run {
    /// The run.
    pub id: RunId,
    /// Its tenant.
    pub workspace: WorkspaceId,
    /// Its case.
    pub case_id: CaseId,
    /// Key of the case's type.
    pub case_type: CaseTypeKey,
    /// Version of the case type that the run took at its first attempt.
    pub case_type_version: i64,
    /// Its field.
    pub field: FieldKey,
    /// Key of the connection, when the field names one.
    pub connection: Option<String>,
    /// Why it runs.
    pub trigger: Trigger,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether its first attempt was claimed.
    pub begun: bool,
    /// Why it was skipped or cancelled.
    pub reason: Option<Reason>,
    /// Dotted paths of the input that it lacked.
    pub missing: Vec<String>,
    /// What it waits for, while queued.
    pub waiting_for: Option<WaitingFor>,
    /// Its place in the queue.
    pub priority: Priority,
    /// When it may be claimed, while queued.
    pub due_at: Option<Instant>,
    /// Attempts claimed so far.
    pub attempt: u32,
    /// Attempts that it may make.
    pub attempts_max: u32,
    /// Sent with every attempt of a request that is not safe to repeat.
    pub idempotency_key: String,
    /// The run that this one repeats.
    pub retry_of: Option<RunId>,
    /// The batch that it belongs to.
    pub batch_id: Option<uuid::Uuid>,
    /// How many mapped writes led here.
    pub depth: u32,
    /// The run whose mapping fired this one.
    pub parent_run_id: Option<RunId>,
    /// Firings that joined before it began.
    pub joined: Vec<Joined>,
    /// The member `input` of the refresh.
    pub input: Option<Value>,
    /// Skip the cache look-up.
    pub force: bool,
    /// Clear overrides when it succeeds.
    pub overwrite: bool,
    /// Whether the answer came from the cache.
    pub cached: bool,
    /// The run that fetched the cached answer.
    pub cached_from: Option<RunId>,
    /// Data paths that it wrote.
    pub written: Vec<String>,
    /// Data paths that it left to the person who set them.
    pub kept_manual: Vec<String>,
    /// What went wrong, last.
    pub error: Option<RunError>,
    /// When it was queued.
    pub created_at: Instant,
    /// When its first attempt was claimed.
    pub started_at: Option<Instant>,
    /// When it ended.
    pub ended_at: Option<Instant>,
    /// From first claim to end, in ms.
    pub duration_ms: Option<i64>,
}

words! {
    /// How one exchange ended.
    Outcome {
        /// A complete answer that counts as a success.
        Ok = "ok",
        /// It failed, and we know how.
        Failed = "failed",
        /// Some of the request left and no complete answer came.
        Unknown = "unknown",
    }
}

/// The request of an attempt, redacted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SentRequest {
    /// HTTP method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// Lower-case names; repeated ones joined by `, `.
    pub headers: Map<String, Value>,
    /// Text of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// The answer of an attempt, redacted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReceivedResponse {
    /// HTTP status.
    pub status: u16,
    /// Lower-case names; repeated ones joined by `, `.
    pub headers: Map<String, Value>,
    /// Decoded text; absent when there was none or it was binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Bytes received, after decompression.
    pub bytes: u64,
    /// Whether `body` is only the beginning.
    pub truncated: bool,
}

/// Where the time of an exchange went, in ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseTimes {
    /// Name look-up; absent when a kept connection was used.
    pub dns_ms: Option<u64>,
    /// TCP and TLS; absent when a kept connection was used.
    pub connect_ms: Option<u64>,
    /// From the start to the answer's head.
    pub first_byte_ms: Option<u64>,
    /// From the start to the end.
    pub total_ms: u64,
}

/// When and why the next attempt follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NextAttempt {
    /// When it is due.
    pub at: Instant,
    /// Why it waits until then.
    pub because: String,
}

/// One HTTP exchange inside a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// When it was claimed.
    pub started_at: Instant,
    /// When it was over.
    pub ended_at: Instant,
    /// How it ended.
    pub outcome: Outcome,
    /// What was sent.
    pub request: Option<SentRequest>,
    /// What came back.
    pub response: Option<ReceivedResponse>,
    /// Where the time went.
    pub phases: Option<PhaseTimes>,
    /// What went wrong.
    pub error: Option<RunError>,
    /// When the next one follows.
    pub next: Option<NextAttempt>,
}

words! {
    /// What a case shows of a field.
    FieldStatus {
        /// No run of it has ended.
        NeverRun = "never_run",
        /// A run waits.
        Queued = "queued",
        /// A run works.
        Running = "running",
        /// The data is what the provider gave last.
        Succeeded = "succeeded",
        /// The last run ended without data.
        Failed = "failed",
        /// The last run was not needed or could not be made.
        Skipped = "skipped",
        /// The field is switched off.
        Disabled = "disabled",
    }
}

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
    /// When a run last succeeded.
    pub last_success_at: Option<Instant>,
    /// When the next attempt is due.
    pub next_attempt_at: Option<Instant>,
    /// When the provider gave the data now shown.
    pub fetched_at: Option<Instant>,
    /// Whether that data came from the cache.
    pub cached: bool,
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
            last_success_at: None,
            next_attempt_at: None,
            fetched_at: None,
            cached: false,
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
            next_attempt_at: live.due_at,
            duration_ms: None,
            error: live.error.clone(),
            ..self
        }
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
    /// What it waits for.
    pub waiting_for: Option<WaitingFor>,
    /// When it is due, while queued.
    pub due_at: Option<Instant>,
    /// Attempts so far.
    pub attempt: u32,
    /// Attempts that it may make.
    pub attempts_max: u32,
    /// When its last attempt started.
    pub last_attempt_at: Option<Instant>,
    /// What went wrong at its last attempt.
    pub error: Option<RunError>,
}

/// A run that is to be queued.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// Its tenant.
    pub workspace: WorkspaceId,
    /// Its case.
    pub case_id: CaseId,
    /// The case's type.
    pub case_type_id: CaseTypeId,
    /// That type's key.
    pub case_type: CaseTypeKey,
    /// That type's version now.
    pub case_type_version: i64,
    /// Its field.
    pub field: FieldKey,
    /// Why it runs.
    pub trigger: Trigger,
    /// Its place in the queue.
    pub priority: Priority,
    /// Attempts that it may make.
    pub attempts_max: u32,
    /// The member `input` of the refresh.
    pub input: Option<Value>,
    /// Skip the cache look-up.
    pub force: bool,
    /// Clear overrides when it succeeds.
    pub overwrite: bool,
    /// Who fired it.
    pub by: String,
    /// Now.
    pub created_at: Instant,
}
