//! Which lanes have runs that a claim could take, and how many each of them gets.
//!
//! The lanes are found by jumping from one to the next in the indexes of waiting runs, so that a
//! lane with a hundred thousand runs costs no more than one with a few. Places are dealt one at a
//! time around the lanes: a lane takes a further one only while it holds fewer than are free. One
//! that holds as many from the start could take none, so nothing of it is counted, read or asked.

use sea_orm::QueryResult;

use super::claims::Claim;
use super::error::StoreError;
use super::lanes::{self, LanePlace};
use super::rows::Columns;
use super::statement::{int, json, list, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::WorkspaceId;
use crate::domain::lane::{Ask, Lane, LaneKey, Release};

/// Most lanes with due runs, and most with parked ones, that one claim looks at.
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
    /// Permits that due runs may have at once, since only limits stand in their way.
    pub(super) permits: u32,
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

    /// Whether the due runs that were dealt places come with a permit.
    pub(super) fn permits_due(&self) -> bool {
        self.permits > 0 && self.dealt_due() <= self.permits
    }
}

/// What a claim has to choose from.
pub(super) struct Survey {
    /// The lanes in which runs wait and that could take a place, from behind `claim.after` on.
    pub(super) lanes: Vec<Found>,
    /// There may be more of them.
    pub(super) more: bool,
    /// Behind which lane the next claim must begin, so that all lanes with parked runs have their
    /// turn; none: all were looked at.
    pub(super) after_parked: Option<LanePlace>,
}

pub(super) async fn survey(tx: &Tx, claim: &Claim) -> Result<Survey, StoreError> {
    let (workspace, key) = match &claim.after {
        Some((workspace, key)) => (workspace.0, key.as_str()),
        None => (uuid::Uuid::nil(), ""),
    };
    // Each place that a lane takes is one that is free no more.
    let most = claim.limit.min(claim.free.div_ceil(2));
    let values = vec![ms(claim.now), int(most), uuid(workspace), text(key), json(&full(claim))];
    let rows = tx.all(sql(statement(), values)).await?;
    let found = rows.iter().map(found).collect::<Result<Vec<_>, _>>()?;
    let cut = |waits: fn(&Found) -> bool| found.iter().filter(|found| waits(found)).count() == LANES;
    let (cut_due, cut_parked) = (cut(|found| found.due > 0), cut(|found| found.parked > 0));
    let last = found.iter().rfind(|found| found.parked > 0).filter(|_| cut_parked && !cut_due);
    let (more, after_parked) = (cut_due || cut_parked, last.map(|found| found.place.clone()));
    let mut lanes: Vec<Found> = Vec::with_capacity(found.len());
    for next in found {
        match lanes.last_mut().filter(|last| last.place == next.place) {
            Some(last) => {
                last.due += next.due;
                last.parked += next.parked;
            }
            None => lanes.push(next),
        }
    }
    Ok(Survey { lanes, more, after_parked })
}

/// The lanes that hold as many places as are free, as the statement reads them. Whatever makes room
/// for one of them also wakes the worker.
fn full(claim: &Claim) -> Vec<String> {
    let full = claim.held.iter().filter(|(_, held)| **held >= claim.free);
    full.map(|((workspace, key), _)| format!("{:X}{}", workspace.0.simple(), key.as_str())).collect()
}

fn found(row: &QueryResult) -> Result<Found, StoreError> {
    let mut columns = Columns::of("run", row)?;
    let place = (WorkspaceId(columns.id()), LaneKey::parse(&columns.get::<String>()?));
    let (due, parked) = (columns.count()?, columns.count()?);
    let lane = match columns.get::<Option<String>>()? {
        Some(_) => Some(lanes::from_columns(&mut columns)?),
        None => None,
    };
    Ok(Found { place, lane, due, parked, released: 0, probe: false, apart: None, permits: 0, dealt: 0 })
}

/// Lanes with their counts and rows; `$5`: those that are left out.
fn statement() -> String {
    format!(
        "WITH RECURSIVE {}, {}, {}, {} SELECT found.workspace_id, found.lane, found.due, found.parked, {} \
         FROM (SELECT workspace_id, lane, waiting AS due, 0 AS parked FROM due \
           UNION ALL SELECT workspace_id, lane, 0, waiting FROM parked) AS found \
         LEFT JOIN lane ON lane.workspace_id = found.workspace_id AND lane.key = found.lane \
         ORDER BY (found.workspace_id, found.lane) <= ($3, $4), found.workspace_id, found.lane",
        walk("due", "NOT run.parked"),
        walk("parked", "run.parked"),
        count("due", "NOT run.parked AND run.priority IN (0, 1, 2) AND run.due_at <= $1"),
        count("parked", "run.parked"),
        lanes::COLUMNS.trim_start_matches("lane.workspace_id, "),
    )
}

/// Workspaces, then lanes of each, by seeks. NULL ends a walk.
fn walk(name: &str, condition: &str) -> String {
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
}

/// The first lanes of a walk in which something waits, with how much, as far as it matters. The
/// lanes are put in order first, so that no more are counted than are looked at.
///
/// The LIMIT of a million cuts nothing off: it makes the planners count each lane once, in a step of
/// its own. `(SELECT $2)` keeps PostgreSQL from making a new plan for each value.
fn count(name: &str, condition: &str) -> String {
    format!(
        "{name} (workspace_id, lane, waiting) AS (SELECT * FROM (SELECT workspace_id, lane, \
           (SELECT count(*) FROM (SELECT 1 FROM run WHERE run.workspace_id = walked.workspace_id \
             AND run.lane = walked.lane AND run.status = 'queued' AND {condition} LIMIT (SELECT $2)) AS counted) \
             AS waiting \
           FROM (SELECT workspace_id, lane FROM {name}_lane WHERE lane IS NOT NULL \
             AND hex(workspace_id) || lane NOT IN (SELECT value FROM json_each($5)) \
             ORDER BY (workspace_id, lane) <= ($3, $4), workspace_id, lane) AS walked LIMIT 1000000) AS counts \
         WHERE waiting > 0 LIMIT {LANES})"
    )
}

/// Asks the lanes in which runs are parked how many they let go; answers when the next of those
/// that let none go will, as far as that is known. Lanes that have limits and nobody waiting for them
/// say how many due runs get their permit with the claim, which saves them a question each. The
/// rows of both are held from here on.
pub(super) async fn ask(tx: &Tx, lanes: &mut [Found], now: Instant) -> Result<Option<Instant>, StoreError> {
    let waiting = |found: &&Found| found.parked > 0 && found.lane.is_some();
    let limited = |found: &Found| found.parked == 0 && found.lane.as_ref().is_some_and(Lane::is_only_limited);
    let asked = lanes.iter().filter(|found| waiting(found) || limited(found));
    let mut held = lanes::read(tx, asked.map(|found| &found.place), true).await?;
    let mut next: Option<Instant> = None;
    for found in lanes.iter_mut().filter(|found| limited(found)) {
        found.lane = held.remove(&found.place);
        let Some(lane) = found.lane.as_mut().filter(|lane| lane.is_only_limited()) else { continue };
        lane.tidy(now);
        let in_flight = lanes::in_flight(tx, &found.place, lane, now).await?;
        found.permits = lane.room(now, in_flight).unwrap_or(0);
    }
    for found in lanes.iter_mut().filter(|found| found.parked > 0) {
        if found.lane.is_some() {
            found.lane = held.remove(&found.place);
        }
        let Some(lane) = &mut found.lane else {
            found.released = found.parked;
            continue;
        };
        lane.tidy(now);
        let in_flight = lanes::in_flight(tx, &found.place, lane, now).await?;
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
    use crate::store::database::Store;
    use crate::store::testing;

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
            permits: 0,
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

    const RUNS: [&str; 4] = [
        "PRAGMA defer_foreign_keys = ON",
        "INSERT INTO workspace (id, key, name, params, created_at, updated_at) VALUES (zeroblob(16), 'w', 'w', '{}', 0, 0)",
        "INSERT INTO case_type (id, workspace_id, key, version, created_at, updated_at) \
         VALUES (zeroblob(16), zeroblob(16), 't', 1, 0, 0)",
        "INSERT INTO cases (id, workspace_id, case_type_id, status, data, provenance, version, revision, created_at, \
         updated_at) VALUES (zeroblob(16), zeroblob(16), zeroblob(16), 'draft', '{}', '{}', 1, 1, 0, 0)",
    ];

    /// In each of the lanes `l000` up to `l139` and in `z` one run, parked or not; lanes in a store
    /// that refuse everything, but for `z`.
    async fn store(parked: bool) -> (tempfile::TempDir, Store) {
        let (folder, store) = testing::store().await;
        let filled = store.write(move |tx| {
            Box::pin(async move {
                for statement in RUNS {
                    tx.execute(sql(statement, Vec::new())).await?;
                }
                for n in 0..=140_u128 {
                    let lane = if n == 140 { "z".to_owned() } else { format!("l{n:03}") };
                    let run = "INSERT INTO run (id, workspace_id, case_id, case_type_id, case_type, case_type_version, \
                         field, lane, trigger, status, begun, priority, attempt, attempts_max, limited, lost, \
                         idempotency_key, depth, force, overwrite, cached, created_at, parked, due_at) VALUES ($1, \
                         zeroblob(16), zeroblob(16), zeroblob(16), 't', 1, $2, $2, 'on_create', 'queued', FALSE, 1, 0, 4, \
                         0, 0, 'k', 0, FALSE, FALSE, FALSE, 0, $3, 0)";
                    let values = vec![uuid(Uuid::from_u128(n + 1)), text(lane.as_str()), parked.into()];
                    tx.execute(sql(run, values)).await?;
                    let held = "INSERT INTO lane (workspace_id, key, disabled, failures, refusals, held, updated_at) \
                         SELECT zeroblob(16), $1, FALSE, 0, 0, TRUE, 0 WHERE $1 <> 'z'";
                    tx.execute(sql(held, vec![text(lane)])).await?;
                }
                Ok::<_, StoreError>(())
            })
        });
        filled.await.unwrap();
        (folder, store)
    }

    /// The lanes of the runs that were claimed, and where the next claim begins.
    async fn claimed(store: &Store, claim: Claim) -> (Vec<String>, Option<LanePlace>) {
        let claimed = store.claim(claim).await.unwrap();
        (claimed.runs.iter().map(|run| run.lane.as_str().to_owned()).collect(), claimed.after)
    }

    #[tokio::test]
    async fn lanes_that_hold_as_many_places_as_are_free_are_not_in_the_way_of_others() {
        let (_folder, store) = store(false).await;
        let names: Vec<String> = (0..140).map(|n| format!("l{n:03}")).collect();
        let mut held: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 3)).collect();
        held[139].1 = 2;
        let (lanes, _) = claimed(&store, claim(3, 3, &held)).await;
        assert_eq!(lanes, ["l139", "z"], "and the one that holds fewer takes one place");
    }

    #[tokio::test]
    async fn many_lanes_that_let_nothing_go_are_not_in_the_way_of_others() {
        let (_folder, store) = store(true).await;
        let mut asks = claim(512, 32, &[]);
        for last in ["l063", "l127"] {
            let (lanes, after) = claimed(&store, asks.clone()).await;
            assert!(lanes.is_empty(), "{lanes:?}");
            assert_eq!(after.as_ref().unwrap().1.as_str(), last);
            asks.after = after;
        }
        assert_eq!(claimed(&store, asks).await.0, ["z"]);
    }

    #[tokio::test]
    async fn each_step_is_a_seek_and_each_lane_is_counted_once() {
        let (_folder, store) = testing::store().await;
        let tx = store.read().await.unwrap();
        let values = vec![int(0), int(1), uuid(Uuid::nil()), text(""), text("[]")];
        let plan = tx.all(sql(format!("EXPLAIN QUERY PLAN {}", statement()), values)).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|row| row.try_get_by_index(3).unwrap()).collect();
        let of_runs: Vec<&String> = steps.iter().filter(|step| step.contains(" run ")).collect();
        let all = steps.join("\n");
        assert!(of_runs.iter().all(|step| step.contains(" USING ") && step.contains("INDEX run_")), "{all}");
        for seek in [
            "INDEX run_due (workspace_id=? AND lane>?)",
            "INDEX run_due (workspace_id=? AND lane=? AND priority=? AND due_at<?)",
            "INDEX run_parked (workspace_id=? AND lane>?)",
            "INDEX run_parked (workspace_id=? AND lane=?)",
        ] {
            assert_eq!(of_runs.iter().filter(|step| step.ends_with(seek)).count(), 1, "{seek}\n{all}");
        }
    }
}
