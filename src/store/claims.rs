//! Taking due runs into the hands of a worker, lane by lane, and keeping them there.
//!
//! Within a lane the order is that of priority. Parked runs go only as their lane lets them go,
//! and each of them holds a permit then; the others are claimed whatever their lane says, since
//! only the call itself needs one.
//!
//! A claim begins an attempt: it counts it, fixes the case type version at the first one, and
//! gives the worker everything that the attempt reads. A run whose predecessor of the same
//! field still lives is passed over.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::QueryResult;
use serde_json::Value;
use uuid::Uuid;

use super::database::Tx;
use super::error::StoreError;
use super::lanes::{self, LanePlace};
use super::rows::Columns;
use super::statement::{int, list, ms, sql, text, uuid};
use super::survey::{self, Found};
use crate::domain::case::{Case, CaseStatus};
use crate::domain::clock::Instant;
use crate::domain::ids::{
    CaseId, CaseTypeId, CaseTypeKey, FieldKey, LeaseToken, RunId, WorkerId, WorkspaceId,
};
use crate::domain::lane::{Lane, LaneKey};
use crate::domain::overrides::Overrides;
use crate::domain::run::Priority;
use crate::domain::trigger::Trigger;

/// What a worker asks for.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Who asks.
    pub worker: WorkerId,
    /// Proves the hold later.
    pub token: LeaseToken,
    /// Now.
    pub now: Instant,
    /// When the hold ends unless it is renewed.
    pub until: Instant,
    /// At most so many runs.
    pub limit: u32,
    /// Places that are free at this worker.
    pub free: u32,
    /// How many runs of each lane it holds.
    pub held: HashMap<LanePlace, u32>,
    /// Behind which lane it begins, so that all have their turn.
    pub after: Option<LanePlace>,
}

/// What a worker got.
#[derive(Debug, Default)]
pub struct Claimed {
    /// The runs.
    pub runs: Vec<ClaimedRun>,
    /// When the next lane with parked runs opens, as far as that is known.
    pub opens_at: Option<Instant>,
    /// There may be more for this worker at once.
    pub more: bool,
    /// Behind which lane the next claim begins.
    pub after: Option<LanePlace>,
}

/// A run that a worker holds.
#[derive(Debug, Clone)]
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
    /// Its lane.
    pub lane: LaneKey,
    /// How its lane stood at the claim; none: it has no row, so all is well with it.
    pub lane_state: Option<Arc<Lane>>,
    /// Its lane let it go: the permit that it holds is of this instant.
    pub permit: Option<Instant>,
    /// A failure of it has counted for its lane's circuit.
    pub counted: bool,
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

const RUN_COLUMNS: &str = "id, workspace_id, case_id, case_type_id, case_type_version, field, trigger, attempt, \
     attempts_max, limited, lost, idempotency_key, fingerprint, input, force, overwrite, priority, depth, parent_run_id, \
     old, retry_of, COALESCE(joined, '') LIKE '%\"on_create\"%', sealed_at, lane, permit, counted";

/// Lanes in one statement.
const LANES: usize = 8;

/// A run whose predecessor of the same field lives is not claimed.
const FREE: &str = "(due.begun OR NOT EXISTS (SELECT 1 FROM run AS before WHERE before.case_id = due.case_id \
     AND before.field = due.field AND before.begun AND before.status IN ('queued', 'running')))";

pub(super) async fn claim(tx: &Tx, claim: &Claim) -> Result<Claimed, StoreError> {
    let (mut lanes, more_lanes) = survey::survey(tx, claim).await?;
    let opens_at = survey::ask(tx, &mut lanes, claim.now).await?;
    let dealt = survey::deal(&mut lanes, claim);
    if dealt == 0 {
        return Ok(Claimed { opens_at, ..Claimed::default() });
    }
    let picked: Vec<&Found> = lanes.iter().filter(|found| found.dealt > 0).collect();
    let mut rows = Vec::with_capacity(dealt as usize);
    for chunk in picked.chunks(LANES) {
        rows.extend(take(tx, claim, chunk).await?);
    }
    let after = picked.last().map(|found| found.place.clone());
    let states = settle_lanes(tx, claim, lanes, &rows).await?;
    let cases = if rows.is_empty() { HashMap::new() } else { cases_of(tx, &rows).await? };
    let runs = rows.iter().filter_map(|row| claimed_run(row, claim, &cases, &states).transpose());
    let runs = runs.collect::<Result<Vec<_>, _>>()?;
    // What a lane could not use may be of use to another one.
    let unused = u32::try_from(rows.len()).is_ok_and(|count| count < dealt);
    let more = !rows.is_empty() && (dealt == claim.limit || unused || more_lanes);
    Ok(Claimed { runs, opens_at, more, after })
}

/// Parts of the statement that says which runs are taken, with their values.
struct Picks {
    parts: Vec<String>,
    values: Vec<sea_orm::Value>,
}

impl Picks {
    fn add(&mut self, place: &LanePlace, condition: &str, order: &str, count: u32) {
        if count == 0 {
            return;
        }
        self.values.extend([uuid(place.0.0), text(place.1.as_str()), int(count)]);
        let n = self.values.len();
        self.parts.push(format!(
            "SELECT id FROM (SELECT due.id FROM run AS due WHERE due.workspace_id = ${} AND due.lane = ${} \
             AND due.status = 'queued' AND {condition} AND {FREE} ORDER BY {order} LIMIT ${n}) AS picked",
            n - 2,
            n - 1,
        ));
    }

    fn of(&mut self, found: &Found) {
        let due = "NOT due.parked AND due.priority IN (0, 1, 2) AND due.due_at <= $4";
        self.add(&found.place, due, "due.priority, due.due_at", found.dealt_due());
        if !found.probe {
            return self.add(&found.place, "due.parked", "due.priority, due.id", found.dealt_parked());
        }
        // The oldest; the one that failed last only when no other waits.
        let failed = found.lane.as_ref().and_then(|lane| lane.circuit.last_failed);
        self.values.push(uuid(failed.map_or(Uuid::nil(), |run| run.0)));
        let order = format!("due.id = ${}, due.id", self.values.len());
        self.add(&found.place, "due.parked", &order, found.dealt_parked());
    }
}

/// Claims what was dealt to these lanes. A parked run comes with a permit in hand.
async fn take(tx: &Tx, claim: &Claim, lanes: &[&Found]) -> Result<Vec<QueryResult>, StoreError> {
    let values = vec![uuid(claim.worker.0), uuid(claim.token.0), ms(claim.until), ms(claim.now)];
    let mut picks = Picks { parts: Vec::with_capacity(lanes.len()), values };
    for found in lanes {
        picks.of(found);
    }
    let statement = format!(
        "UPDATE run SET status = 'running', waiting_for = NULL, due_at = NULL, not_before = NULL, \
           case_type_version = CASE WHEN begun THEN case_type_version ELSE \
             COALESCE((SELECT version FROM case_type WHERE case_type.id = run.case_type_id), case_type_version) END, \
           begun = TRUE, attempt = attempt + 1, worker_id = $1, lease_token = $2, lease_until = $3, \
           started_at = COALESCE(started_at, $4), sealed_at = COALESCE(sealed_at, $4), \
           permit = parked, parked = FALSE \
         WHERE id IN ({}) RETURNING {RUN_COLUMNS}",
        picks.parts.join(" UNION ALL ")
    );
    tx.all(sql(statement, picks.values)).await
}

/// Columns of a claimed run that its lane must know: see [`RUN_COLUMNS`].
const LANE: usize = 23;
const PERMIT: usize = 24;

/// Takes the permits of what was claimed; answers how the lanes stand.
async fn settle_lanes(
    tx: &Tx,
    claim: &Claim,
    lanes: Vec<Found>,
    rows: &[QueryResult],
) -> Result<HashMap<LanePlace, Arc<Lane>>, StoreError> {
    let mut permits: HashMap<LanePlace, Vec<RunId>> = HashMap::new();
    for row in rows {
        if row.try_get_by_index::<bool>(PERMIT)? {
            let place = (WorkspaceId(row.try_get_by_index(1)?), LaneKey::parse(&row.try_get_by_index::<String>(LANE)?));
            permits.entry(place).or_default().push(RunId(row.try_get_by_index(0)?));
        }
    }
    let mut states = HashMap::with_capacity(lanes.len());
    for Found { place, lane, probe, .. } in lanes {
        let Some(mut lane) = lane else { continue };
        if let Some(runs) = permits.get(&place) {
            lane.take(claim.now, u32::try_from(runs.len()).unwrap_or(u32::MAX));
            if probe {
                lane.circuit.probe = runs.first().copied();
            }
            lanes::save(tx, &place, &lane, claim.now).await?;
        }
        states.insert(place, Arc::new(lane));
    }
    Ok(states)
}

/// `None` when the case is gone: its deletion has cancelled the run in another transaction.
fn claimed_run(
    row: &QueryResult,
    claim: &Claim,
    cases: &HashMap<Uuid, ClaimedCase>,
    states: &HashMap<LanePlace, Arc<Lane>>,
) -> Result<Option<ClaimedRun>, StoreError> {
    let mut columns = Columns::of("run", row)?;
    let workspace = WorkspaceId(columns.get()?);
    let Some(case) = cases.get(&columns.get::<Uuid>()?) else { return Ok(None) };
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
        case: case.clone(),
    };
    run.lane_state = states.get(&(workspace, run.lane.clone())).cloned();
    Ok(Some(run))
}

async fn cases_of(tx: &Tx, runs: &[QueryResult]) -> Result<HashMap<Uuid, ClaimedCase>, StoreError> {
    let mut ids = runs.iter().map(|row| row.try_get_by_index(2)).collect::<Result<Vec<Uuid>, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    let statement = format!(
        "SELECT cases.id, cases.workspace_id, case_type_id, key, reference, title, status, custom_status, assignee, \
         cases.version, revision, cases.created_at, cases.updated_at, data, overrides FROM cases \
         JOIN case_type ON case_type.id = case_type_id WHERE cases.id IN ({})",
        list(ids.len(), 1)
    );
    let rows = tx.all(sql(statement, ids.into_iter().map(uuid).collect())).await?;
    rows.iter()
        .map(|row| {
            let mut columns = Columns::of("cases", row)?;
            let case = case(&mut columns)?;
            let data = Arc::new(Value::Object(columns.json()?));
            Ok((columns.id(), ClaimedCase { case, data, overrides: columns.json()? }))
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

impl Tx {
    /// Renews what a worker holds; answers the runs that it does not hold any more.
    pub async fn renew_leases(
        &self,
        worker: WorkerId,
        held: &[RunId],
        until: Instant,
    ) -> Result<Vec<RunId>, StoreError> {
        let statement =
            "UPDATE run SET lease_until = $1 WHERE worker_id = $2 AND status = 'running' RETURNING id";
        let rows = self.all(sql(statement, vec![ms(until), uuid(worker.0)])).await?;
        let renewed = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<Vec<Uuid>, _>>()?;
        Ok(held.iter().filter(|run| !renewed.contains(&run.0)).copied().collect())
    }
}
