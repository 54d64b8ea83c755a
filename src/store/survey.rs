//! Which lanes have runs that a claim could take, and how many each of them gets.
//!
//! The lanes are found by jumping from one to the next in the indexes of waiting runs, so that a
//! lane with a hundred thousand runs costs no more than one with a few. Places are dealt one at a
//! time around the lanes: a lane takes a further one only while it holds fewer than are free.

use sea_orm::QueryResult;

use super::claims::Claim;
use super::error::StoreError;
use super::lanes::{self, LanePlace};
use super::rows::Columns;
use super::statement::{int, list, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::WorkspaceId;
use crate::domain::lane::{Ask, Lane, LaneKey, Release};

/// Most lanes that one claim looks at; the next one begins behind them.
const LANES: usize = 64;

/// A lane in which runs wait.
pub(super) struct Found {
    pub(super) place: LanePlace,
    /// Its row, if it has one.
    pub(super) lane: Option<Lane>,
    /// Due runs, as far as they were counted.
    pub(super) due: u32,
    /// Parked runs, as far as they were counted.
    pub(super) parked: u32,
    /// How many parked runs it lets go.
    pub(super) released: u32,
    /// Whether what it lets go is a probe.
    pub(super) probe: bool,
    /// Where endpoints have circuits of their own and not all are closed.
    pub(super) apart: Option<Apart>,
    /// Places that were dealt to it.
    pub(super) dealt: u32,
}

/// The circuits of a lane that are not closed, by endpoint; none: that of calls without one.
pub(super) struct Apart {
    /// All of them: no other run of them goes.
    pub(super) barred: Vec<Option<String>>,
    /// Those of which one run may probe.
    pub(super) probes: Vec<Option<String>>,
}

impl Found {
    /// How many of the dealt places go to parked runs: they have waited longer.
    pub(super) fn dealt_parked(&self) -> u32 {
        self.dealt.min(self.released)
    }

    /// … and how many to due ones.
    pub(super) fn dealt_due(&self) -> u32 {
        self.dealt - self.dealt_parked()
    }
}

/// The lanes in which runs wait, from behind `claim.after` on, and whether there are more.
pub(super) async fn survey(tx: &Tx, claim: &Claim) -> Result<(Vec<Found>, bool), StoreError> {
    let (workspace, key) = match &claim.after {
        Some((workspace, key)) => (workspace.0, key.as_str()),
        None => (uuid::Uuid::nil(), ""),
    };
    let values = vec![ms(claim.now), int(claim.limit), uuid(workspace), text(key)];
    let rows = tx.all(sql(statement(), values)).await?;
    let more = rows.len() == 2 * LANES;
    let mut lanes: Vec<Found> = Vec::new();
    for row in &rows {
        let next = found(row)?;
        match lanes.last_mut().filter(|last| last.place == next.place) {
            Some(last) => {
                last.due += next.due;
                last.parked += next.parked;
            }
            None => lanes.push(next),
        }
    }
    Ok((lanes, more))
}

fn found(row: &QueryResult) -> Result<Found, StoreError> {
    let mut columns = Columns::of("run", row)?;
    let place = (WorkspaceId(columns.id()), LaneKey::parse(&columns.get::<String>()?));
    let (due, parked) = (columns.count()?, columns.count()?);
    let lane = match columns.get::<Option<String>>()? {
        Some(_) => Some(lanes::from_columns(&mut columns)?),
        None => None,
    };
    Ok(Found { place, lane, due, parked, released: 0, probe: false, apart: None, dealt: 0 })
}

fn statement() -> String {
    // Workspaces, then lanes of each, by seeks. NULL ends a walk.
    let walk = |name: &str, condition: &str| {
        let waits = format!("run.status = 'queued' AND {condition}");
        format!(
            "{name}_home (workspace_id) AS (SELECT * FROM (SELECT run.workspace_id FROM run WHERE {waits} \
               ORDER BY run.workspace_id LIMIT 1) AS first_home \
             UNION ALL SELECT (SELECT run.workspace_id FROM run WHERE {waits} \
               AND run.workspace_id > {name}_home.workspace_id ORDER BY run.workspace_id LIMIT 1) \
               FROM {name}_home WHERE {name}_home.workspace_id IS NOT NULL), \
             {name}_lane (workspace_id, lane) AS (SELECT {name}_home.workspace_id, (SELECT run.lane FROM run WHERE {waits} \
               AND run.workspace_id = {name}_home.workspace_id ORDER BY run.lane LIMIT 1) \
               FROM {name}_home WHERE {name}_home.workspace_id IS NOT NULL \
             UNION ALL SELECT {name}_lane.workspace_id, (SELECT run.lane FROM run WHERE {waits} \
               AND run.workspace_id = {name}_lane.workspace_id AND run.lane > {name}_lane.lane ORDER BY run.lane LIMIT 1) \
               FROM {name}_lane WHERE {name}_lane.lane IS NOT NULL)"
        )
    };
    let count = |name: &str, condition: &str| {
        format!(
            "(SELECT count(*) FROM (SELECT 1 FROM run WHERE run.workspace_id = {name}_lane.workspace_id \
             AND run.lane = {name}_lane.lane AND run.status = 'queued' AND {condition} LIMIT $2) AS counted)"
        )
    };
    format!(
        "WITH RECURSIVE {}, {} SELECT found.workspace_id, found.lane, found.due, found.parked, {} FROM ( \
           SELECT workspace_id, lane, {} AS due, 0 AS parked FROM due_lane WHERE lane IS NOT NULL \
           UNION ALL SELECT workspace_id, lane, 0, {} FROM parked_lane WHERE lane IS NOT NULL) AS found \
         LEFT JOIN lane ON lane.workspace_id = found.workspace_id AND lane.key = found.lane \
         WHERE found.due > 0 OR found.parked > 0 \
         ORDER BY (found.workspace_id, found.lane) <= ($3, $4), found.workspace_id, found.lane LIMIT {}",
        walk("due", "NOT run.parked"),
        walk("parked", "run.parked"),
        lanes::COLUMNS.trim_start_matches("lane.workspace_id, "),
        count("due", "NOT run.parked AND run.priority IN (0, 1, 2) AND run.due_at <= $1"),
        count("parked", "run.parked"),
        2 * LANES,
    )
}

/// Asks the lanes in which runs are parked how many they let go; answers when the next of those
/// that let none go will, as far as that is known. Their rows are held from here on.
pub(super) async fn ask(tx: &Tx, lanes: &mut [Found], now: Instant) -> Result<Option<Instant>, StoreError> {
    let waiting = || lanes.iter().filter(|found| found.parked > 0 && found.lane.is_some());
    let mut held = lanes::read(tx, waiting().map(|found| &found.place), true).await?;
    let mut next: Option<Instant> = None;
    for found in lanes.iter_mut().filter(|found| found.parked > 0) {
        if found.lane.is_some() {
            found.lane = held.remove(&found.place);
        }
        let Some(lane) = &mut found.lane else {
            found.released = found.parked;
            continue;
        };
        lane.tidy(now);
        let in_flight = lanes::in_flight(tx, &found.place, lane).await?;
        if lane.apart().next().is_some() {
            let opens_at = ask_apart(tx, found, now, in_flight).await?;
            next = [next, opens_at].into_iter().flatten().min();
            continue;
        }
        let probing = lanes::probing(tx, &lane.circuit).await?;
        match lane.release(now, Ask { in_flight, probing, ..Ask::default() }) {
            Release::Calls(calls) => found.released = calls.min(found.parked),
            Release::Probe => (found.released, found.probe) = (1, true),
            Release::Refused(refused) => {
                let opens_at = refused.opens_at.filter(|at| *at > now);
                next = [next, opens_at].into_iter().flatten().min();
            }
        }
    }
    Ok(next)
}

/// As [`ask`], of a lane in which some circuits are not closed: what is left of the others goes, and
/// a probe of each whose time has come.
async fn ask_apart(
    tx: &Tx,
    found: &mut Found,
    now: Instant,
    in_flight: u32,
) -> Result<Option<Instant>, StoreError> {
    let Some(lane) = &found.lane else { return Ok(None) };
    let room = match lane.room(now, in_flight) {
        Ok(room) => room,
        Err(refused) => return Ok(refused.opens_at.filter(|at| *at > now)),
    };
    let (mut apart, mut next) = (Apart { barred: Vec::new(), probes: Vec::new() }, None);
    for (endpoint, circuit) in lane.apart() {
        let endpoint = endpoint.map(str::to_owned);
        let opens_at = circuit.open_until.filter(|at| *at > now);
        if opens_at.is_some() {
            next = [next, opens_at].into_iter().flatten().min();
        } else if !lanes::probing(tx, circuit).await?
            && parked(tx, &found.place, (true, std::slice::from_ref(&endpoint)), 1).await? > 0
        {
            apart.probes.push(endpoint.clone());
        }
        apart.barred.push(endpoint);
    }
    apart.probes.truncate(room as usize);
    let probes = u32::try_from(apart.probes.len()).unwrap_or(u32::MAX);
    let others = parked(tx, &found.place, (false, &apart.barred), found.parked).await?;
    found.released = probes + others.min(room - probes);
    found.apart = Some(apart);
    Ok(next)
}

/// Parked runs of these endpoints, or of all others, counted up to `most`.
async fn parked(
    tx: &Tx,
    place: &LanePlace,
    (of, endpoints): (bool, &[Option<String>]),
    most: u32,
) -> Result<u32, StoreError> {
    let mut values = vec![uuid(place.0.0), text(place.1.as_str()), int(most)];
    values.extend(endpoints.iter().map(|endpoint| text(endpoint.as_deref().unwrap_or_default())));
    let word = if of { "IN" } else { "NOT IN" };
    let statement = format!(
        "SELECT count(*) FROM (SELECT 1 FROM run WHERE workspace_id = $1 AND lane = $2 AND status = 'queued' \
         AND parked AND COALESCE(endpoint, '') {word} ({}) LIMIT $3) AS counted",
        list(endpoints.len(), 4)
    );
    Ok(u32::try_from(tx.number(sql(statement, values)).await?).unwrap_or(u32::MAX))
}

/// Deals places to the lanes; answers how many.
pub(super) fn deal(lanes: &mut [Found], claim: &Claim) -> u32 {
    let held: Vec<u32> =
        lanes.iter().map(|found| claim.held.get(&found.place).copied().unwrap_or(0)).collect();
    let (mut free, mut dealt) = (claim.free, 0);
    loop {
        let before = dealt;
        for (found, held) in lanes.iter_mut().zip(&held) {
            let wants = found.dealt < found.released + found.due;
            if dealt < claim.limit && wants && held + found.dealt < free {
                found.dealt += 1;
                dealt += 1;
                free -= 1;
            }
        }
        if dealt == before {
            return dealt;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::{LeaseToken, WorkerId};

    fn claim(free: u32, limit: u32, held: &[(&str, u32)]) -> Claim {
        let place = |name: &str| (WorkspaceId(Uuid::nil()), LaneKey::parse(name));
        Claim {
            worker: WorkerId(Uuid::nil()),
            token: LeaseToken(Uuid::nil()),
            now: Instant::default(),
            until: Instant::default(),
            limit,
            free,
            held: held.iter().map(|(name, count)| (place(name), *count)).collect(),
            after: None,
        }
    }

    fn lanes(due: &[(&str, u32, u32)]) -> Vec<Found> {
        let found = |(name, parked, due): &(&str, u32, u32)| Found {
            place: (WorkspaceId(Uuid::nil()), LaneKey::parse(name)),
            lane: None,
            due: *due,
            parked: *parked,
            released: *parked,
            probe: false,
            apart: None,
            dealt: 0,
        };
        due.iter().map(found).collect()
    }

    #[test]
    fn a_lane_takes_a_place_only_while_it_holds_fewer_than_are_free() {
        for (free, limit, held, waiting, expected) in [
            (512, 32, &[][..], &[("a", 0, 100)][..], &[32][..]),
            (512, 600, &[], &[("a", 0, 600)], &[256]),
            (512, 600, &[], &[("a", 0, 600), ("b", 0, 600)], &[171, 171]),
            (1, 32, &[], &[("a", 0, 5)], &[1]),
            (2, 32, &[], &[("a", 0, 5)], &[1]),
            (0, 32, &[], &[("a", 0, 5)], &[0]),
            (10, 32, &[("a", 10)], &[("a", 0, 5), ("good", 0, 9)], &[0, 5]),
            (10, 32, &[("a", 9)], &[("a", 0, 5), ("good", 0, 2)], &[1, 2]),
            (512, 4, &[], &[("a", 0, 100), ("b", 0, 100), ("c", 0, 1)], &[2, 1, 1]),
            (512, 3, &[], &[("a", 2, 100)], &[3]),
        ] {
            let mut found = lanes(waiting);
            let dealt = deal(&mut found, &claim(free, limit, held));
            let each: Vec<u32> = found.iter().map(|found| found.dealt).collect();
            assert_eq!(each, expected, "{free} {limit} {held:?} {waiting:?}");
            assert_eq!(dealt, expected.iter().sum::<u32>());
        }
    }

    #[test]
    fn parked_runs_go_before_due_ones() {
        let mut found = lanes(&[("a", 2, 100)]);
        deal(&mut found, &claim(512, 3, &[]));
        assert_eq!((found[0].dealt_parked(), found[0].dealt_due()), (2, 1));
        let hanging: HashMap<String, u32> = (0..50).map(|n| (format!("h{n}"), 600)).collect();
        let mut names: Vec<(&str, u32, u32)> =
            hanging.iter().map(|(name, n)| (name.as_str(), 0, *n)).collect();
        let mut first = lanes(&names);
        let all = deal(&mut first, &claim(512, 600, &[]));
        let held: Vec<(&str, u32)> = names.iter().map(|(name, ..)| (*name, all / 50)).collect();
        names.push(("good", 0, 5));
        let mut then = lanes(&names);
        deal(&mut then, &claim(512 - all, 32, &held));
        assert_eq!(then.last().unwrap().dealt, 5, "the good one finds places");
    }
}
