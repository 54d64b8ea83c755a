//! Taking due runs into the hands of a worker, lane by lane, and keeping them there.
//!
//! Within a lane the order is that of priority. Parked runs go only as their lane lets them go,
//! and each of them holds a permit then; the others are claimed whatever their lane says, since
//! only the call itself needs one. Where nothing but a limit can stand in the way and it has room
//! for all of them, they get theirs at once, too; who does not use it gives it back.
//!
//! A claim begins an attempt: it counts it, fixes the case type version at the first one, and
//! gives the worker everything that the attempt reads. A run whose predecessor of the same
//! field still lives is passed over.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::QueryResult;
use uuid::Uuid;

use super::claimed::{CLAIMED, ClaimedRun, ENDPOINT, LANE, PERMIT, claimed_runs};
use super::dialect::Dialect;
use super::error::StoreError;
use super::lanes::{self, LanePlace};
use super::statement::{CHUNK, int, list, ms, sql, text, uuid};
use super::survey::{self, Apart, Found, Survey};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{LeaseToken, RunId, WorkerId, WorkspaceId};
use crate::domain::lane::{Lane, LaneKey};

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

/// Lanes in one statement.
const LANES: usize = 8;

/// A run whose predecessor of the same field lives is not claimed.
const FREE: &str = "(due.begun OR NOT EXISTS (SELECT 1 FROM run AS before WHERE before.case_id = due.case_id \
     AND before.field = due.field AND before.begun AND before.status IN ('queued', 'running')))";

pub(super) async fn claim(tx: &Tx, claim: &Claim) -> Result<Claimed, StoreError> {
    let Survey { mut lanes, more: more_lanes, after_parked } = survey::survey(tx, claim).await?;
    let opens_at = survey::ask(tx, &mut lanes, claim.now).await?;
    let dealt = survey::deal(&mut lanes, claim);
    if dealt == 0 {
        return Ok(Claimed { opens_at, after: after_parked, ..Claimed::default() });
    }
    let picked: Vec<&Found> = lanes.iter().filter(|found| found.dealt > 0).collect();
    let mut rows = Vec::with_capacity(dealt as usize);
    for chunk in picked.chunks(LANES) {
        rows.extend(take(tx, claim, chunk).await?);
    }
    let after = after_parked.or_else(|| picked.last().map(|found| found.place.clone()));
    let states = settle_lanes(tx, claim, lanes, &rows).await?;
    let runs = claimed_runs(tx, claim, &rows, &states).await?;
    // What a lane could not use may be of use to another one.
    let unused = u32::try_from(rows.len()).is_ok_and(|count| count < dealt);
    let more = !rows.is_empty() && (dealt == claim.limit || unused || more_lanes);
    Ok(Claimed { runs, opens_at, more, after })
}

/// Parts of the statement that says which runs are taken, with their values.
struct Picks {
    dialect: Dialect,
    parts: Vec<String>,
    values: Vec<sea_orm::Value>,
}

impl Picks {
    fn add(&mut self, place: &LanePlace, condition: &str, order: &str, count: u32) {
        self.add_with(place, condition, order, count, "due.parked");
    }

    fn add_with(&mut self, place: &LanePlace, condition: &str, order: &str, count: u32, permit: &str) {
        if count == 0 {
            return;
        }
        self.values.extend([uuid(place.0.0), text(place.1.as_str()), int(count)]);
        let n = self.values.len();
        let (cases, lock) = self.dialect.claiming();
        self.parts.push(format!(
            "SELECT id, permit FROM (SELECT due.id, {permit} AS permit FROM run AS due{cases} WHERE due.workspace_id = ${} AND due.lane = ${} \
             AND due.status = 'queued' AND {condition} AND {FREE} ORDER BY {order} LIMIT ${n}{lock}) AS picked",
            n - 2,
            n - 1,
        ));
    }

    fn of(&mut self, found: &Found) {
        let due = "NOT due.parked AND due.priority IN (0, 1, 2) AND due.due_at <= $4";
        let permit = if found.permits_due() { "TRUE" } else { "FALSE" };
        self.add_with(&found.place, due, "due.priority, due.due_at", found.dealt_due(), permit);
        if let Some(apart) = &found.apart {
            return self.of_circuits(found, apart);
        }
        if !found.probe {
            return self.add(&found.place, "due.parked", "due.priority, due.id", found.dealt_parked());
        }
        let failed = found.lane.as_ref().and_then(|lane| lane.circuit.last_failed);
        self.probe(found, "due.parked", failed, found.dealt_parked());
    }

    /// The oldest; the one that failed last only when no other waits.
    fn probe(&mut self, found: &Found, condition: &str, failed: Option<RunId>, count: u32) {
        // PostgreSQL takes no value that nothing refers to.
        if count == 0 {
            return;
        }
        self.values.push(uuid(failed.map_or(Uuid::nil(), |run| run.0)));
        let order = format!("due.id = ${}, due.id", self.values.len());
        self.add(&found.place, condition, &order, count);
    }

    /// Of a lane in which some circuits are not closed: their probes, then runs of the others.
    fn of_circuits(&mut self, found: &Found, apart: &Apart) {
        let mut left = found.dealt_parked();
        for endpoint in &apart.probes {
            let Some(lane) = found.lane.as_ref().filter(|_| left > 0) else { break };
            let condition = self.one_of("IN", std::slice::from_ref(endpoint));
            self.probe(found, &condition, lane.circuit_of(endpoint.as_deref()).last_failed, 1);
            left -= 1;
        }
        if left > 0 {
            let condition = self.one_of("NOT IN", &apart.barred);
            self.add(&found.place, &condition, "due.priority, due.id", left);
        }
    }

    fn one_of(&mut self, word: &str, endpoints: &[Option<String>]) -> String {
        let first = self.values.len() + 1;
        self.values.extend(endpoints.iter().map(|endpoint| text(endpoint.as_deref().unwrap_or_default())));
        format!("due.parked AND COALESCE(due.endpoint, '') {word} ({})", list(endpoints.len(), first))
    }
}

/// Claims what was dealt to these lanes. A parked run comes with a permit in hand.
async fn take(tx: &Tx, claim: &Claim, lanes: &[&Found]) -> Result<Vec<QueryResult>, StoreError> {
    let values = vec![uuid(claim.worker.0), uuid(claim.token.0), ms(claim.until), ms(claim.now)];
    let mut picks = Picks { dialect: tx.dialect(), parts: Vec::with_capacity(lanes.len()), values };
    for found in lanes {
        picks.of(found);
    }
    let statement = format!(
        "WITH picked (id, permit) AS MATERIALIZED ({}) \
         UPDATE run SET status = 'running', waiting_for = NULL, due_at = NULL, not_before = NULL, \
           case_type_version = CASE WHEN begun THEN case_type_version ELSE \
             COALESCE((SELECT version FROM case_type WHERE case_type.id = run.case_type_id), case_type_version) END, \
           begun = TRUE, attempt = attempt + 1, worker_id = $1, lease_token = $2, lease_until = $3, \
           started_at = COALESCE(started_at, $4), sealed_at = COALESCE(sealed_at, $4), \
           permit = id IN (SELECT picked.id FROM picked WHERE picked.permit), parked = FALSE \
         WHERE id IN (SELECT id FROM picked) RETURNING {CLAIMED}",
        picks.parts.join(" UNION ALL ")
    );
    tx.all(sql(statement, picks.values)).await
}

/// Takes the permits of what was claimed; answers how the lanes stand.
async fn settle_lanes(
    tx: &Tx,
    claim: &Claim,
    lanes: Vec<Found>,
    rows: &[QueryResult],
) -> Result<HashMap<LanePlace, Arc<Lane>>, StoreError> {
    let mut permits: HashMap<LanePlace, Vec<(RunId, Option<String>)>> = HashMap::new();
    for row in rows {
        if row.try_get_by_index::<bool>(PERMIT)? {
            let place = (
                WorkspaceId(row.try_get_by_index(1)?),
                LaneKey::parse(&row.try_get_by_index::<String>(LANE)?),
            );
            let run = (RunId(row.try_get_by_index(0)?), row.try_get_by_index(ENDPOINT)?);
            permits.entry(place).or_default().push(run);
        }
    }
    let mut states = HashMap::with_capacity(lanes.len());
    for Found { place, lane, probe, apart, .. } in lanes {
        let Some(mut lane) = lane else { continue };
        if let Some(runs) = permits.get(&place) {
            lane.take(claim.now, u32::try_from(runs.len()).unwrap_or(u32::MAX));
            if probe {
                lane.circuit.probe = runs.first().map(|(run, _)| *run);
            }
            let probes = apart.map(|apart| apart.probes).unwrap_or_default();
            for (run, endpoint) in runs.iter().filter(|(_, endpoint)| probes.contains(endpoint)) {
                lane.circuit_of_mut(endpoint.as_deref()).probe = Some(*run);
            }
            lanes::save(tx, &place, &lane, claim.now).await?;
        }
        states.insert(place, Arc::new(lane));
    }
    Ok(states)
}

impl Tx {
    /// Renews what a worker holds; answers the runs that it does not hold any more. A run of its
    /// name that it does not work on is left to the sweep.
    pub async fn renew_leases(
        &self,
        worker: WorkerId,
        held: &[RunId],
        until: Instant,
    ) -> Result<Vec<RunId>, StoreError> {
        let mut renewed = Vec::with_capacity(held.len());
        for chunk in held.chunks(CHUNK) {
            let statement = format!(
                "UPDATE run SET lease_until = $1 WHERE worker_id = $2 AND status = 'running' AND id IN ({}) RETURNING id",
                list(chunk.len(), 3)
            );
            let values = [ms(until), uuid(worker.0)].into_iter().chain(chunk.iter().map(|run| uuid(run.0)));
            for row in self.all(sql(statement, values.collect())).await? {
                renewed.push(row.try_get_by_index::<Uuid>(0)?);
            }
        }
        Ok(held.iter().filter(|run| !renewed.contains(&run.0)).copied().collect())
    }
}
