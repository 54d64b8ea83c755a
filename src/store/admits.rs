//! Admission: may these calls go to their providers now? In batches, each lane asked once, under
//! its row's lock.
//!
//! What is refused takes nothing; its worker parks the run with its report. A run that its worker
//! does not hold any more is not admitted.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::error::StoreError;
use super::lanes::{self, LanePlace};
use super::statement::{list, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::{Instant, SharedClock};
use crate::domain::ids::{LeaseToken, RunId};
use crate::domain::lane::{Admission, Ask, Circuit, Lane, Refused};
use crate::domain::run::Priority;

/// A run that wants to make its call.
#[derive(Clone)]
pub struct Admit {
    /// The run.
    pub run_id: RunId,
    /// Proves that the worker still holds it.
    pub token: LeaseToken,
    /// Its lane.
    pub place: LanePlace,
    /// The endpoint of its call, if it has one.
    pub endpoint: Option<String>,
    /// Who waits before it: parked runs of the same rank or a better one.
    pub priority: Priority,
    /// The permit that it holds and that is too old, or that another exchange of it has used.
    pub replaces: Option<Replaced>,
    /// A permit is of the time at which the lane is asked, not of that of this request.
    pub clock: SharedClock,
}

/// A permit that is handed in for a new one.
#[derive(Debug, Clone, Copy)]
pub struct Replaced {
    /// When it was granted.
    pub at: Instant,
    /// An exchange was made with it, so it counts.
    pub used: bool,
}

/// The answer to one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// It may go at once.
    Granted {
        /// The permit's time.
        at: Instant,
    },
    /// It may not go now.
    Refused(Refused),
    /// Another worker has the run.
    Lost,
}

/// Admits runs; answers one by one, in the order of `asks`.
pub(super) async fn admit(tx: &Tx, asks: &[Admit]) -> Result<Vec<Admitted>, StoreError> {
    let ours = held(tx, asks).await?;
    let mut answers = vec![Admitted::Lost; asks.len()];
    let mut by_lane: BTreeMap<&LanePlace, Vec<usize>> = BTreeMap::new();
    for (at, ask) in asks.iter().enumerate() {
        if ours.get(&ask.run_id.0) == Some(&ask.token.0) {
            by_lane.entry(&ask.place).or_default().push(at);
        }
    }
    let places: BTreeSet<&LanePlace> = by_lane.keys().copied().collect();
    let mut lanes = lanes::read(tx, places, true).await?;
    for (place, mut members) in by_lane {
        let Some(lane) = lanes.get_mut(place) else {
            for at in members {
                answers[at] = Admitted::Granted { at: asks[at].clock.now() };
            }
            continue;
        };
        // The oldest probes, and who failed last does not while another one asks.
        members.sort_by_key(|at| {
            let circuit = lane.circuit_of(asks[*at].endpoint.as_deref());
            let rank = if circuit.is_closed() { asks[*at].priority.rank() } else { 0 };
            (circuit.last_failed == Some(asks[*at].run_id), rank, asks[*at].run_id)
        });
        let members: Vec<(usize, &Admit)> = members.into_iter().map(|at| (at, &asks[at])).collect();
        admit_lane(tx, place, lane, &members, &mut answers).await?;
    }
    Ok(answers)
}

async fn admit_lane(
    tx: &Tx,
    place: &LanePlace,
    lane: &mut Lane,
    members: &[(usize, &Admit)],
    answers: &mut [Admitted],
) -> Result<(), StoreError> {
    let before = lane.clone();
    let Some(now) = members.first().map(|(_, ask)| ask.clock.now()) else { return Ok(()) };
    lane.tidy(now);
    let mut in_flight = lanes::in_flight(tx, place, lane, now).await?;
    let mut waiting: BTreeMap<Option<&str>, Parked> = BTreeMap::new();
    let mut granted = Vec::new();
    for (at, ask) in members {
        if let Some(old) = ask.replaces {
            in_flight = in_flight.saturating_sub(1);
            if !old.used {
                lane.give_back(old.at);
            }
        }
        // Where all endpoints share one circuit, or all are closed, all wait in one row.
        let endpoint = ask.endpoint.as_deref();
        let row = endpoint.filter(|_| before.apart().next().is_some());
        if let Entry::Vacant(first) = waiting.entry(row) {
            first.insert(parked(tx, place, &before, row).await?);
        }
        let probing = lanes::probing(tx, lane.circuit_of(endpoint)).await?;
        let circuit = before.circuit_of(endpoint);
        let behind = ask.replaces.is_none()
            && waiting.get(&row).is_some_and(|parked| parked.come_before(ask, circuit));
        answers[*at] = match lane.admit(now, ask.run_id, Ask { endpoint, in_flight, probing, behind }) {
            Admission::Granted => {
                in_flight = in_flight.saturating_add(1);
                granted.push(uuid(ask.run_id.0));
                Admitted::Granted { at: now }
            }
            Admission::Refused(refused) => Admitted::Refused(refused),
        };
    }
    if lane.limits.concurrency.is_some() && !granted.is_empty() {
        let statement = format!("UPDATE run SET permit = TRUE WHERE id IN ({})", list(granted.len(), 1));
        tx.execute(sql(statement, granted)).await?;
    }
    if *lane != before {
        lanes::save(tx, place, lane, now).await?;
    }
    Ok(())
}

/// Who waits in a lane.
struct Parked {
    /// The best rank.
    rank: Option<i64>,
    /// Whether one waits that was not the last to fail.
    other: bool,
}

impl Parked {
    fn come_before(&self, ask: &Admit, circuit: &Circuit) -> bool {
        if circuit.is_closed() {
            return self.rank.is_some_and(|rank| rank <= ask.priority.rank().into());
        }
        self.other || (self.rank.is_some() && circuit.last_failed == Some(ask.run_id))
    }
}

/// Who waits in a lane. Where some circuits of endpoints are not closed: who waits for the same one,
/// or with it for none.
async fn parked(
    tx: &Tx,
    place: &LanePlace,
    lane: &Lane,
    endpoint: Option<&str>,
) -> Result<Parked, StoreError> {
    let circuit = lane.circuit_of(endpoint);
    let barred: Vec<&str> = lane.apart().map(|(endpoint, _)| endpoint.unwrap_or_default()).collect();
    let (word, endpoints) = match (barred.is_empty(), circuit.is_closed()) {
        (true, _) => ("", Vec::new()),
        (false, true) => ("NOT IN", barred),
        (false, false) => ("IN", vec![endpoint.unwrap_or_default()]),
    };
    let mut values = vec![uuid(place.0.0), text(place.1.as_str())];
    values.extend(endpoints.iter().map(|endpoint| text(*endpoint)));
    let mut of = "FROM run WHERE workspace_id = $1 AND lane = $2 AND status = 'queued' AND parked".to_owned();
    if !endpoints.is_empty() {
        of = format!("{of} AND COALESCE(endpoint, '') {word} ({})", list(endpoints.len(), 3));
    }
    let row = tx.one(sql(format!("SELECT priority {of} ORDER BY priority LIMIT 1"), values.clone())).await?;
    let rank = row.map(|row| row.try_get_by_index(0)).transpose()?;
    let mut other = rank.is_some();
    if let (true, false, Some(failed)) = (other, circuit.is_closed(), circuit.last_failed) {
        let statement = format!("SELECT 1 {of} AND id <> ${} LIMIT 1", values.len() + 1);
        other = tx.one(sql(statement, [values, vec![uuid(failed.0)]].concat())).await?.is_some();
    }
    Ok(Parked { rank, other })
}

/// Who holds each run.
async fn held(tx: &Tx, asks: &[Admit]) -> Result<HashMap<Uuid, Uuid>, StoreError> {
    let ids: Vec<_> = asks.iter().map(|ask| uuid(ask.run_id.0)).collect();
    // Cases come before lanes, as in a report: `permit` is written to runs.
    let cases = format!("id IN (SELECT case_id FROM run WHERE id IN ({}))", list(ids.len(), 1));
    tx.hold_cases_where(&cases, ids.clone()).await?;
    let statement = format!(
        "SELECT id, lease_token FROM run WHERE status = 'running' AND id IN ({})",
        list(ids.len(), 1)
    );
    let mut held = HashMap::with_capacity(asks.len());
    for row in tx.all(sql(statement, ids)).await? {
        if let Some(token) = row.try_get_by_index::<Option<Uuid>>(1)? {
            held.insert(row.try_get_by_index(0)?, token);
        }
    }
    Ok(held)
}
