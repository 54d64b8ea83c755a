//! A claimed run as its worker gets it: everything that an attempt reads, in two statements for
//! a whole claim.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::QueryResult;
use serde_json::Value;
use uuid::Uuid;

use super::claims::Claim;
use super::error::StoreError;
use super::lanes::LanePlace;
use super::rows::Columns;
use super::statement::{list, sql, uuid};
use super::tx::Tx;
use crate::domain::case::{Case, CaseStatus};
use crate::domain::clock::Instant;
use crate::domain::ids::{CaseId, CaseTypeId, CaseTypeKey, FieldKey, LeaseToken, RunId, WorkspaceId};
use crate::domain::lane::{Lane, LaneKey};
use crate::domain::overrides::Overrides;
use crate::domain::run::Priority;
use crate::domain::trigger::Trigger;

/// A run that a worker holds.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one execution")]
pub struct ClaimedRun {
    /// The run.
    pub id: RunId,
    /// Its tenant.
    pub workspace: WorkspaceId,
    /// The case's type.
    pub case_type_id: CaseTypeId,
    /// The version that the run keeps from its first attempt on.
    pub case_type_version: i64,
    /// Its field.
    pub field: FieldKey,
    /// Why it runs.
    pub trigger: Trigger,
    /// This attempt, counted from 1.
    pub attempt: u32,
    /// Attempts that it may make.
    pub attempts_max: u32,
    /// Answers 429 so far.
    pub limited: u32,
    /// Workers lost so far.
    pub lost: u32,
    /// The same over all attempts.
    pub idempotency_key: String,
    /// Of the request that it was begun with, where that is known: its own, or that of the run
    /// whose key it keeps.
    pub fingerprint: Option<Vec<u8>>,
    /// The member `input` of the refresh.
    pub input: Option<Value>,
    /// Skip the cache look-up.
    pub force: bool,
    /// Clear overrides when it succeeds.
    pub overwrite: bool,
    /// Its place in the queue.
    pub priority: Priority,
    /// How many mapped writes led here.
    pub depth: u32,
    /// The run whose mapping fired this one.
    pub parent_run_id: Option<RunId>,
    /// What `when` reads as `old`.
    pub old: Option<Arc<Value>>,
    /// The run that this one repeats by hand.
    pub retry_of: Option<RunId>,
    /// Whether the case's creation is among what fired it.
    pub on_create: bool,
    /// `now` of its templates: when its first attempt was claimed.
    pub sealed_at: Instant,
    /// When this attempt was claimed.
    pub claimed_at: Instant,
    /// Proves the hold.
    pub token: LeaseToken,
    /// Only people fired it, somebody may stand before a screen, and it has not taken the place of
    /// a run that waited.
    pub by_hand: bool,
    /// Its lane.
    pub lane: LaneKey,
    /// The endpoint of its connection, if its field takes one over.
    pub endpoint: Option<String>,
    /// How its lane stood at the claim; none: it has no row, so all is well with it.
    pub lane_state: Option<Arc<Lane>>,
    /// Its lane let it go: the permit that it holds is of this instant.
    pub permit: Option<Instant>,
    /// A failure of it has counted for its lane's circuit.
    pub counted: bool,
    /// Which change of its workspace's credentials was the last one when it was claimed.
    pub credentials_epoch: i64,
    /// Its case as it is now.
    pub case: ClaimedCase,
}

/// What an attempt reads of its case.
#[derive(Debug, Clone)]
pub struct ClaimedCase {
    /// The case.
    pub case: Case,
    /// Its data, an object without output variables; shared, since it can be large.
    pub data: Arc<Value>,
    /// Mapped values that somebody set by hand.
    pub overrides: Overrides,
}

/// What [`claimed_runs`] reads of a run.
pub(super) const CLAIMED: &str = "id, workspace_id, case_id, case_type_id, case_type_version, field, trigger, attempt, \
     attempts_max, limited, lost, idempotency_key, fingerprint, input, force, overwrite, priority, depth, parent_run_id, \
     old, retry_of, COALESCE(joined, '') LIKE '%\"on_create\"%', sealed_at, lane, permit, counted, \
     trigger = 'manual' AND priority = 0 AND batch_id IS NULL AND COALESCE(joined, '') NOT LIKE '%\"on_create\"%' AND COALESCE(joined, '') NOT LIKE \
     '%\"on_update\"%' AND COALESCE(joined, '') NOT LIKE '%\"scheduled\"%' \
     AND NOT EXISTS (SELECT 1 FROM run AS older WHERE older.case_id = run.case_id AND older.field = run.field AND \
     older.reason = 'superseded' AND older.ended_at >= run.created_at), endpoint";

/// Where the lane stands among them.
pub(super) const LANE: usize = 23;
/// … and whether it let the run go.
pub(super) const PERMIT: usize = 24;
/// The endpoint.
pub(super) const ENDPOINT: usize = 27;

/// The rows of a claim with their cases.
pub(super) async fn claimed_runs(
    tx: &Tx,
    claim: &Claim,
    rows: &[QueryResult],
    states: &HashMap<LanePlace, Arc<Lane>>,
) -> Result<Vec<ClaimedRun>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let cases = cases_of(tx, rows).await?;
    rows.iter().filter_map(|row| claimed_run(row, claim, &cases, states).transpose()).collect()
}

/// `None` when the case is gone: its deletion has cancelled the run in another transaction.
fn claimed_run(
    row: &QueryResult,
    claim: &Claim,
    cases: &HashMap<Uuid, (ClaimedCase, i64)>,
    states: &HashMap<LanePlace, Arc<Lane>>,
) -> Result<Option<ClaimedRun>, StoreError> {
    let mut columns = Columns::of("run", row)?;
    let workspace = WorkspaceId(columns.get()?);
    let Some((case, credentials_epoch)) = cases.get(&columns.get::<Uuid>()?) else { return Ok(None) };
    let (case_type_id, case_type_version) = (CaseTypeId(columns.get()?), columns.get()?);
    let field = columns.word(|text| text.parse::<FieldKey>().ok())?;
    let trigger = columns.word(Trigger::parse)?;
    let mut run = ClaimedRun {
        id: RunId(columns.id()),
        workspace,
        case_type_id,
        case_type_version,
        field,
        trigger,
        attempt: columns.count()?,
        attempts_max: columns.count()?,
        limited: columns.count()?,
        lost: columns.count()?,
        idempotency_key: columns.get()?,
        fingerprint: columns.get()?,
        input: columns.maybe_json()?,
        force: columns.get()?,
        overwrite: columns.get()?,
        priority: columns.priority()?,
        depth: columns.count()?,
        parent_run_id: columns.get::<Option<Uuid>>()?.map(RunId),
        old: columns.maybe_json()?.map(Arc::new),
        retry_of: columns.get::<Option<Uuid>>()?.map(RunId),
        on_create: columns.get::<bool>()? || trigger == Trigger::OnCreate,
        sealed_at: columns.at()?,
        claimed_at: claim.now,
        token: claim.token,
        lane: LaneKey::parse(&columns.get::<String>()?),
        lane_state: None,
        permit: columns.get::<bool>()?.then_some(claim.now),
        counted: columns.get()?,
        by_hand: columns.get()?,
        endpoint: columns.get()?,
        credentials_epoch: *credentials_epoch,
        case: case.clone(),
    };
    run.lane_state = states.get(&(workspace, run.lane.clone())).cloned();
    Ok(Some(run))
}

/// The cases, each with the epoch of its workspace's credentials.
async fn cases_of(tx: &Tx, runs: &[QueryResult]) -> Result<HashMap<Uuid, (ClaimedCase, i64)>, StoreError> {
    let mut ids = runs.iter().map(|row| row.try_get_by_index(2)).collect::<Result<Vec<Uuid>, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    let statement = format!(
        "SELECT cases.id, cases.workspace_id, case_type_id, key, reference, title, status, custom_status, assignee, \
         cases.version, revision, cases.created_at, cases.updated_at, data, overrides, \
         (SELECT credentials_epoch FROM workspace WHERE workspace.id = cases.workspace_id) FROM cases \
         JOIN case_type ON case_type.id = case_type_id WHERE cases.id IN ({})",
        list(ids.len(), 1)
    );
    let rows = tx.all(sql(statement, ids.into_iter().map(uuid).collect())).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of("cases", row)?;
            let case = case(&mut columns)?;
            let data = Arc::new(Value::Object(columns.json()?));
            let claimed = ClaimedCase { case, data, overrides: columns.json()? };
            Ok((columns.id(), (claimed, columns.get()?)))
        })
        .collect()
}

/// The columns that `cases_of` and the readers of cases begin with.
pub(super) fn case(columns: &mut Columns<'_>) -> Result<Case, StoreError> {
    Ok(Case {
        id: CaseId(columns.id()),
        workspace: WorkspaceId(columns.get()?),
        case_type_id: CaseTypeId(columns.get()?),
        case_type: columns.word(|text| text.parse::<CaseTypeKey>().ok())?,
        reference: columns.get()?,
        title: columns.get()?,
        status: columns.word(CaseStatus::parse)?,
        custom_status: columns.get()?,
        assignee: columns.get()?,
        version: columns.get()?,
        revision: columns.get()?,
        created_at: columns.at()?,
        updated_at: columns.at()?,
    })
}
