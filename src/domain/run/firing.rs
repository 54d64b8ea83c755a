//! One run: as it is queued, and as it is read back with all that its history shows.
//!
//! Both only carry what is kept. What a run may become next is decided by the engine, and what
//! stands in the case's data is not repeated here.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::words::{Priority, Reason, RunStatus, WaitingFor};
use crate::domain::api_call::ApiCall;
use crate::domain::case::Case;
use crate::domain::clock::Instant;
use crate::domain::failure::RunError;
use crate::domain::ids::{
    CaseId, CaseTypeId, CaseTypeKey, ConnectionKey, EndpointKey, FieldKey, RunId, ScheduleId, WorkspaceId,
};
use crate::domain::lane::LaneKey;
use crate::domain::trigger::Trigger;

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
    /// Key of the connection, when the field names one.
    pub connection: Option<ConnectionKey>,
    /// The endpoint of the connection, if the field takes one over.
    pub endpoint: Option<EndpointKey>,
    /// The bulkhead of its provider.
    pub lane: LaneKey,
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
    /// How many mapped writes led here.
    pub depth: u32,
    /// The run whose mapping fired this one.
    pub parent_run_id: Option<RunId>,
    /// What `when` reads as `old`.
    pub old: Option<Value>,
    /// The run that this one repeats by hand.
    pub retry_of: Option<RunId>,
    /// The key of the run that this one repeats, and the fingerprint under which it stands;
    /// none: its own id is its key.
    pub kept_key: Option<KeptKey>,
    /// The begun run whose place it takes, because the request of that one has changed.
    pub replaces: Option<RunId>,
    /// The schedule that fired it, and the tick.
    pub tick: Option<(ScheduleId, Instant)>,
    /// Who fired it.
    pub by: String,
    /// Now.
    pub created_at: Instant,
}

/// An idempotency key that a new run takes over from an old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptKey {
    /// The key.
    pub key: String,
    /// The fingerprint of the request that was sent under it: another request gets another key.
    pub fingerprint: Vec<u8>,
}

impl NewRun {
    /// A run of a field for a case, to be queued now: nothing forced, nothing given.
    pub fn new(
        id: RunId,
        case: &Case,
        under: Under<'_>,
        field: &FieldKey,
        call: &ApiCall,
        why: Fired,
    ) -> Self {
        let Fired { trigger, priority, by, at } = why;
        let Under { version, params } = under;
        Self {
            id,
            workspace: case.workspace,
            case_id: case.id,
            case_type_id: case.case_type_id,
            case_type: case.case_type.clone(),
            case_type_version: version,
            field: field.clone(),
            connection: call.connection.clone(),
            endpoint: call.endpoint.clone(),
            lane: call.lane(params, &case.case_type, field),
            trigger,
            priority,
            attempts_max: 1 + call.retry,
            input: None,
            force: false,
            overwrite: false,
            depth: 0,
            parent_run_id: None,
            old: None,
            retry_of: None,
            kept_key: None,
            replaces: None,
            tick: None,
            by,
            created_at: at,
        }
    }
}

/// The version of a case type that a run is queued under.
#[derive(Debug, Clone, Copy)]
pub struct Under<'p> {
    /// The version.
    pub version: i64,
    /// What its templates read as `params`: they may say where a call goes.
    pub params: &'p Value,
}

/// Why, how urgently, by whom and when a run is fired.
#[derive(Debug, Clone)]
pub struct Fired {
    /// Why.
    pub trigger: Trigger,
    /// How urgently.
    pub priority: Priority,
    /// By whom: `token:<name>`, `run:<id>`, `schedule`.
    pub by: String,
    /// When.
    pub at: Instant,
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
    /// Who fired it, as histories name them; none: it is older than that was kept, or its case is gone.
    pub by: Option<String>,
}
