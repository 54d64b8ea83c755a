//! A run as answers show it, and its attempts.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::run_error::RunErrorView;
use super::words::{self, Time};
use crate::domain::run::{
    Attempt, Joined, NextAttempt, Outcome, PhaseTimes, Priority, Reason, ReceivedResponse, Run, RunStatus,
    SentRequest, WaitingFor,
};
use crate::domain::trigger::Trigger;

/// One execution of one field on one case.
#[derive(Serialize, ToSchema)]
#[schema(as = Run)]
pub struct RunView {
    id: Uuid,
    case_id: Uuid,
    /// Key of the case's type.
    case_type: String,
    /// Version of the type that the run took at its first attempt.
    case_type_version: i64,
    /// Key of its field.
    field: String,
    /// Key of the field's connection.
    connection: Option<String>,
    /// Why it runs.
    #[schema(value_type = words::Trigger)]
    trigger: Trigger,
    #[schema(value_type = words::RunStatus)]
    status: RunStatus,
    /// Why it was skipped or cancelled.
    #[schema(value_type = Option<words::Reason>)]
    reason: Option<Reason>,
    /// Dotted paths of the input that was missing.
    missing: Vec<String>,
    /// What it waits for, while queued.
    #[schema(value_type = Option<words::WaitingFor>)]
    waiting_for: Option<WaitingFor>,
    #[schema(value_type = words::Priority)]
    priority: Priority,
    /// When it may start, while queued.
    due_at: Option<Time>,
    /// Attempts so far.
    attempt: u32,
    /// Attempts that it may make.
    attempts_max: u32,
    /// The same over all attempts.
    idempotency_key: String,
    /// The run that this one repeats.
    retry_of: Option<Uuid>,
    batch_id: Option<Uuid>,
    chain: ChainView,
    /// Firings that joined it before it began.
    joined: Vec<JoinedView>,
    /// The `input` of a refresh.
    input: Option<Value>,
    /// Whether it skips the cache look-up.
    force: bool,
    /// Whether it clears overrides when it succeeds.
    overwrite: bool,
    /// Whether its answer came from the cache.
    cached: bool,
    /// The run that fetched the cached answer.
    cached_from: Option<Uuid>,
    /// Dotted paths that it wrote.
    written: Vec<String>,
    /// Dotted paths that it left to whoever set them by hand.
    kept_manual: Vec<String>,
    /// What went wrong, last.
    error: Option<RunErrorView>,
    created_at: Time,
    started_at: Option<Time>,
    ended_at: Option<Time>,
    duration_ms: Option<i64>,
}

/// Which runs led to this one.
#[derive(Serialize, ToSchema)]
#[schema(as = Chain)]
pub struct ChainView {
    /// How many mapped writes led here.
    depth: u32,
    /// The run whose mapping fired this one.
    parent_run_id: Option<Uuid>,
}

/// A firing that joined the run.
#[derive(Serialize, ToSchema)]
#[schema(as = Joined)]
pub struct JoinedView {
    #[schema(value_type = words::Trigger)]
    trigger: Trigger,
    at: Time,
    /// Who fired it.
    by: String,
}

/// A run with its attempts.
#[derive(Serialize, ToSchema)]
#[schema(as = RunWithAttempts)]
pub struct RunDetail {
    #[serde(flatten)]
    run: RunView,
    /// The secrets that its attempts sent, and in which versions.
    secrets: Vec<SentSecretView>,
    attempts: Vec<AttemptView>,
}

/// A secret that a run sent.
#[derive(Serialize, ToSchema, PartialEq, Eq, PartialOrd, Ord)]
#[schema(as = SentSecret)]
pub struct SentSecretView {
    name: String,
    version: i64,
}

/// One HTTP exchange inside a run. Credentials in it are replaced.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptView {
    /// Counts from 1.
    number: u32,
    started_at: Time,
    ended_at: Time,
    /// `unknown`: some of the request left and no complete answer came.
    #[schema(value_type = words::Outcome)]
    outcome: Outcome,
    request: Option<RequestView>,
    response: Option<ResponseView>,
    phases: Option<PhasesView>,
    error: Option<RunErrorView>,
    /// When and why another attempt follows.
    next: Option<NextView>,
}

/// What was sent.
#[derive(Serialize, ToSchema)]
#[schema(as = SentRequest)]
pub struct RequestView {
    method: String,
    url: String,
    /// Lower-case names; repeated ones joined by `, `.
    headers: Map<String, Value>,
    /// Text of the body; null when there was none.
    body: Option<String>,
}

/// What came back.
#[derive(Serialize, ToSchema)]
#[schema(as = ReceivedResponse)]
pub struct ResponseView {
    status: u16,
    /// Lower-case names; repeated ones joined by `, `.
    headers: Map<String, Value>,
    /// Decoded text; null when there was none or it was binary.
    body: Option<String>,
    /// Bytes received, after decompression.
    bytes: u64,
    /// Whether `body` is only the beginning.
    truncated: bool,
}

/// Where the time went.
#[derive(Serialize, ToSchema)]
#[schema(as = Phases)]
#[expect(clippy::struct_field_names, reason = "the unit is part of the member's name")]
pub struct PhasesView {
    /// Null when a kept connection was used.
    dns_ms: Option<u64>,
    /// Null when a kept connection was used.
    connect_ms: Option<u64>,
    first_byte_ms: Option<u64>,
    total_ms: u64,
}

/// When the next attempt follows.
#[derive(Serialize, ToSchema)]
#[schema(as = NextAttempt)]
pub struct NextView {
    at: Time,
    /// Why it waits until then.
    because: String,
}

impl From<&Run> for RunView {
    fn from(run: &Run) -> Self {
        Self {
            id: run.id.0,
            case_id: run.case_id.0,
            case_type: run.case_type.to_string(),
            case_type_version: run.case_type_version,
            field: run.field.to_string(),
            connection: run.connection.clone(),
            trigger: run.trigger,
            status: run.status,
            reason: run.reason,
            missing: run.missing.clone(),
            waiting_for: run.waiting_for,
            priority: run.priority,
            due_at: run.due_at.map(Time),
            attempt: run.attempt,
            attempts_max: run.attempts_max,
            idempotency_key: run.idempotency_key.clone(),
            retry_of: run.retry_of.map(|id| id.0),
            batch_id: run.batch_id,
            chain: ChainView { depth: run.depth, parent_run_id: run.parent_run_id.map(|id| id.0) },
            joined: run.joined.iter().map(JoinedView::from).collect(),
            input: run.input.clone(),
            force: run.force,
            overwrite: run.overwrite,
            cached: run.cached,
            cached_from: run.cached_from.map(|id| id.0),
            written: run.written.clone(),
            kept_manual: run.kept_manual.clone(),
            error: run.error.as_ref().map(RunErrorView::from),
            created_at: Time(run.created_at),
            started_at: run.started_at.map(Time),
            ended_at: run.ended_at.map(Time),
            duration_ms: run.duration_ms,
        }
    }
}

impl From<&Joined> for JoinedView {
    fn from(joined: &Joined) -> Self {
        Self { trigger: joined.trigger, at: Time(joined.at), by: joined.by.clone() }
    }
}

impl RunDetail {
    /// A run and its attempts, oldest first.
    pub fn new(run: &Run, attempts: Vec<Attempt>) -> Self {
        let sent = attempts.iter().flat_map(|attempt| &attempt.secrets);
        let sent = sent.map(|(name, version)| SentSecretView { name: name.clone(), version: *version });
        let secrets: BTreeSet<SentSecretView> = sent.collect();
        Self {
            run: RunView::from(run),
            secrets: secrets.into_iter().collect(),
            attempts: attempts.into_iter().map(AttemptView::from).collect(),
        }
    }
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        Self {
            number: attempt.number,
            started_at: Time(attempt.started_at),
            ended_at: Time(attempt.ended_at),
            outcome: attempt.outcome,
            request: attempt.request.map(RequestView::from),
            response: attempt.response.map(ResponseView::from),
            phases: attempt.phases.map(PhasesView::from),
            error: attempt.error.as_ref().map(RunErrorView::from),
            next: attempt.next.map(NextView::from),
        }
    }
}

impl From<SentRequest> for RequestView {
    fn from(request: SentRequest) -> Self {
        let SentRequest { method, url, headers, body } = request;
        Self { method, url, headers, body }
    }
}

impl From<ReceivedResponse> for ResponseView {
    fn from(response: ReceivedResponse) -> Self {
        let ReceivedResponse { status, headers, body, bytes, truncated } = response;
        Self { status, headers, body, bytes, truncated }
    }
}

impl From<PhaseTimes> for PhasesView {
    fn from(phases: PhaseTimes) -> Self {
        let PhaseTimes { dns_ms, connect_ms, first_byte_ms, total_ms } = phases;
        Self { dns_ms, connect_ms, first_byte_ms, total_ms }
    }
}

impl From<NextAttempt> for NextView {
    fn from(next: NextAttempt) -> Self {
        Self { at: Time(next.at), because: next.because }
    }
}
