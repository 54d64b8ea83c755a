//! Lanes as rows: what a connection's save writes, what runs report, what people do by hand.
//!
//! A row is there only where there are settings, there was trouble, or the provider of a connection
//! said what is left of its quota. Who changes a lane holds its row until the commit ([`hold`]); who
//! must hold rows of cases as well takes those first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::circuits;
use super::error::StoreError;
use super::rows::Columns;
use super::statement::{int, json, maybe_json, maybe_ms, maybe_uuid, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::connection::{BreakerSettings, RateLimit};
use crate::domain::ids::{RunId, WorkspaceId};
use crate::domain::lane::{Circuit, Lane, LaneKey};

/// A lane's name across workspaces.
pub type LanePlace = (WorkspaceId, LaneKey);

/// What a connection says about its lane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaneSettings {
    /// Calls in a span of time and at once.
    pub limits: RateLimit,
    /// When the circuit opens.
    pub breaker: BreakerSettings,
    /// Automatic runs wait, manual ones fail.
    pub disabled: bool,
}

/// What is in a lane, in runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LaneLoad {
    /// They wait for a worker, a predecessor or their next attempt.
    pub queued: u64,
    /// They wait for the lane itself.
    pub parked: u64,
    /// A worker holds them.
    pub running: u64,
}

impl Tx {
    /// A lane as it stands; none: it is as the defaults say, and all is well with it.
    pub async fn lane(&self, workspace: WorkspaceId, key: &LaneKey) -> Result<Option<Lane>, StoreError> {
        let place = (workspace, key.clone());
        Ok(read(self, [&place], false).await?.remove(&place))
    }

    /// How many runs are in a lane.
    pub async fn lane_load(&self, workspace: WorkspaceId, key: &LaneKey) -> Result<LaneLoad, StoreError> {
        let count = async |condition: &str| {
            let statement =
                format!("SELECT count(*) FROM run WHERE workspace_id = $1 AND lane = $2 AND {condition}");
            self.number(sql(statement, vec![uuid(workspace.0), text(key.as_str())])).await
        };
        Ok(LaneLoad {
            queued: count("status = 'queued' AND NOT parked").await?,
            parked: count("status = 'queued' AND parked").await?,
            running: count("status = 'running'").await?,
        })
    }

    /// Writes what a connection says about its lane, and ends a hold: credentials or provider may
    /// be others. How the lane stands otherwise, a pause among it, stays as it is.
    pub async fn put_lane(
        &self,
        workspace: WorkspaceId,
        key: &LaneKey,
        settings: &LaneSettings,
        now: Instant,
    ) -> Result<(), StoreError> {
        let LaneSettings { limits, breaker, disabled } = settings.clone();
        self.change_lane(workspace, key, now, |lane| {
            lane.limit(limits);
            lane.breaker = breaker;
            lane.disabled = disabled;
            lane.end_hold();
        })
        .await
    }

    /// Switches a lane off or on; whoever switches it on says that calls may go, so a hold ends.
    pub async fn disable_lane(
        &self,
        workspace: WorkspaceId,
        key: &LaneKey,
        disabled: bool,
        now: Instant,
    ) -> Result<(), StoreError> {
        self.change_lane(workspace, key, now, |lane| {
            lane.disabled = disabled;
            if !disabled {
                lane.end_hold();
            }
        })
        .await
    }

    /// Ends a hold: a credential that calls in this lane bear has changed.
    pub async fn end_hold(
        &self,
        workspace: WorkspaceId,
        key: &LaneKey,
        now: Instant,
    ) -> Result<(), StoreError> {
        let statement = "UPDATE lane SET held = FALSE, refusals = 0, updated_at = $3 WHERE workspace_id = $1 AND key = $2";
        self.execute(sql(statement, vec![uuid(workspace.0), text(key.as_str()), ms(now)])).await?;
        Ok(())
    }

    /// Forgets a lane whose connection is deleted.
    pub async fn remove_lane(&self, workspace: WorkspaceId, key: &LaneKey) -> Result<(), StoreError> {
        let statement = "DELETE FROM lane WHERE workspace_id = $1 AND key = $2";
        self.execute(sql(statement, vec![uuid(workspace.0), text(key.as_str())])).await?;
        Ok(())
    }

    pub(super) async fn change_lane(
        &self,
        workspace: WorkspaceId,
        key: &LaneKey,
        now: Instant,
        change: impl FnOnce(&mut Lane),
    ) -> Result<(), StoreError> {
        let place = (workspace, key.clone());
        let mut lane = hold(self, &BTreeSet::from([place.clone()]), now).await?.remove(&place);
        let lane = lane.get_or_insert_default();
        change(lane);
        save(self, &place, lane, now).await
    }

    /// The lanes that have a row, of all workspaces.
    pub async fn known_lanes(&self) -> Result<Vec<(LaneKey, Lane)>, StoreError> {
        let rows = self.all(sql(format!("SELECT {COLUMNS} FROM lane"), Vec::new())).await?;
        let mut lanes = rows.iter().map(from_row).collect::<Result<_, _>>()?;
        circuits::read(self, &mut lanes).await?;
        Ok(lanes.into_iter().map(|((_, key), lane)| (key, lane)).collect())
    }
}

/// What [`from_columns`] reads.
pub(super) const COLUMNS: &str = "lane.workspace_id, lane.key, limits, breaker, disabled, failures, open_until, probe_run, \
     last_failed_run, refusals, held, paused_until, windows, quota";

/// The lanes of these places that have a row. `lock`: nobody else changes them before the commit.
pub(super) async fn read<'p>(
    tx: &Tx,
    places: impl IntoIterator<Item = &'p LanePlace>,
    lock: bool,
) -> Result<HashMap<LanePlace, Lane>, StoreError> {
    let mut values = Vec::new();
    let mut conditions = Vec::new();
    for (workspace, key) in places {
        values.extend([uuid(workspace.0), text(key.as_str())]);
        conditions.push(format!("workspace_id = ${} AND key = ${}", values.len() - 1, values.len()));
    }
    if values.is_empty() {
        return Ok(HashMap::new());
    }
    let lock = if lock { tx.dialect().for_update() } else { "" };
    // Rows are locked in one order, so that nobody waits for each other.
    let statement = format!(
        "SELECT {COLUMNS} FROM lane WHERE {} ORDER BY workspace_id, key{lock}",
        conditions.join(" OR ")
    );
    let rows = tx.all(sql(statement, values)).await?;
    let mut lanes = rows.iter().map(from_row).collect::<Result<_, _>>()?;
    circuits::read(tx, &mut lanes).await?;
    Ok(lanes)
}

/// These lanes, held until the commit; a row is made where there is none.
pub(super) async fn hold(
    tx: &Tx,
    places: &BTreeSet<LanePlace>,
    now: Instant,
) -> Result<HashMap<LanePlace, Lane>, StoreError> {
    for (workspace, key) in places {
        let statement = "INSERT INTO lane (workspace_id, key, disabled, failures, refusals, held, updated_at) \
             VALUES ($1, $2, FALSE, 0, 0, FALSE, $3) ON CONFLICT DO NOTHING";
        tx.execute(sql(statement, vec![uuid(workspace.0), text(key.as_str()), ms(now)])).await?;
    }
    read(tx, places, true).await
}

/// Writes a lane; one that there is nothing to remember of has no row.
pub(super) async fn save(tx: &Tx, place: &LanePlace, lane: &Lane, now: Instant) -> Result<(), StoreError> {
    let (workspace, key) = place;
    if lane.is_blank() {
        return tx.remove_lane(*workspace, key).await;
    }
    let statement = "INSERT INTO lane (workspace_id, key, limits, breaker, disabled, failures, open_until, probe_run, \
         last_failed_run, refusals, held, paused_until, windows, quota, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
         ON CONFLICT (workspace_id, key) DO UPDATE SET limits = excluded.limits, breaker = excluded.breaker, \
         disabled = excluded.disabled, failures = excluded.failures, open_until = excluded.open_until, \
         probe_run = excluded.probe_run, last_failed_run = excluded.last_failed_run, refusals = excluded.refusals, \
         held = excluded.held, paused_until = excluded.paused_until, windows = excluded.windows, quota = excluded.quota, \
         updated_at = excluded.updated_at";
    let given = |set: bool, value: Value| if set { value } else { Value::from(None::<String>) };
    let values = vec![
        uuid(workspace.0),
        text(key.as_str()),
        given(lane.limits != RateLimit::default(), json(&lane.limits)),
        given(lane.breaker != BreakerSettings::default(), json(&lane.breaker)),
        Value::from(lane.disabled),
        int(lane.circuit.failures),
        maybe_ms(lane.circuit.open_until),
        maybe_uuid(lane.circuit.probe.map(|run| run.0)),
        maybe_uuid(lane.circuit.last_failed.map(|run| run.0)),
        int(lane.refusals),
        Value::from(lane.held),
        maybe_ms(lane.paused_until),
        given(!lane.grants.is_empty(), json(&lane.grants)),
        maybe_json(lane.quota.as_ref()),
        ms(now),
    ];
    tx.execute(sql(statement, values)).await?;
    circuits::save(tx, place, lane).await
}

fn from_row(row: &QueryResult) -> Result<(LanePlace, Lane), StoreError> {
    let mut columns = Columns::of("lane", row)?;
    let place = (WorkspaceId(columns.id()), LaneKey::parse(&columns.get::<String>()?));
    Ok((place, from_columns(&mut columns)?))
}

/// The columns after the key.
pub(super) fn from_columns(columns: &mut Columns<'_>) -> Result<Lane, StoreError> {
    Ok(Lane {
        limits: columns.maybe_json()?.unwrap_or_default(),
        breaker: columns.maybe_json()?.unwrap_or_default(),
        disabled: columns.get()?,
        circuit: Circuit {
            failures: columns.count()?,
            open_until: columns.maybe_at()?,
            probe: columns.get::<Option<Uuid>>()?.map(RunId),
            last_failed: columns.get::<Option<Uuid>>()?.map(RunId),
        },
        circuits: BTreeMap::new(),
        refusals: columns.count()?,
        held: columns.get()?,
        paused_until: columns.maybe_at()?,
        grants: columns.maybe_json()?.unwrap_or_default(),
        quota: columns.maybe_json()?,
    })
}

/// Calls in flight that count against the lane's `concurrency`; 0 where it has none. Those of
/// cancelled runs count until their worker has ended them, or their lease is over.
pub(super) async fn in_flight(
    tx: &Tx,
    place: &LanePlace,
    lane: &Lane,
    now: Instant,
) -> Result<u32, StoreError> {
    if lane.limits.concurrency.is_none() {
        return Ok(0);
    }
    let statement = "SELECT (SELECT count(*) FROM run WHERE workspace_id = $1 AND lane = $2 AND status = 'running' AND permit) \
         + (SELECT count(*) FROM run WHERE workspace_id = $1 AND lane = $2 AND status = 'cancelled' AND permit AND lease_until > $3)";
    let count = tx.number(sql(statement, vec![uuid(place.0.0), text(place.1.as_str()), ms(now)])).await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Whether the run that probes is at work: one whose worker was lost is not.
pub(super) async fn probing(tx: &Tx, circuit: &Circuit) -> Result<bool, StoreError> {
    let Some(probe) = circuit.probe else { return Ok(false) };
    let statement = "SELECT 1 FROM run WHERE id = $1 AND status = 'running'";
    Ok(tx.one(sql(statement, vec![uuid(probe.0)])).await?.is_some())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap as Map;
    use std::sync::Arc;

    use chrono::TimeDelta;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::domain::clock::Rng;
    use crate::domain::connection::Window;
    use crate::domain::failure::RunError;
    use crate::domain::ids::{CaseId, LeaseToken, WorkerId};
    use crate::store::claims::{Claim, Claimed};
    use crate::store::close::CommitLimits;
    use crate::store::database::{Store, StoreSettings};

    struct Zero;

    impl Rng for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    const SETUP: [&str; 4] = [
        "PRAGMA defer_foreign_keys = ON",
        "INSERT INTO workspace (id, key, name, params, created_at, updated_at) VALUES (zeroblob(16), 'w', 'w', '{}', 0, 0)",
        "INSERT INTO case_type (id, workspace_id, key, version, created_at, updated_at) \
         VALUES (zeroblob(16), zeroblob(16), 't', 1, 0, 0)",
        "INSERT INTO cases (id, workspace_id, case_type_id, status, data, provenance, version, revision, created_at, \
         updated_at) VALUES (zeroblob(16), zeroblob(16), zeroblob(16), 'draft', '{}', '{}', 1, 1, 0, 0)",
    ];

    const RUN: &str = "INSERT INTO run (id, workspace_id, case_id, case_type_id, case_type, case_type_version, field, lane, \
         trigger, status, begun, priority, attempt, attempts_max, limited, lost, idempotency_key, depth, force, overwrite, \
         cached, created_at, parked, worker_id, lease_token, lease_until, due_at) VALUES ($1, $2, $2, $2, 't', 1, $3, 'x', \
         'on_create', $4, $5, $6, 0, 4, 0, 0, 'k', 0, FALSE, FALSE, FALSE, 0, $7, $8, $8, 0, 0)";

    const HERE: WorkspaceId = WorkspaceId(Uuid::nil());

    fn at(second: i64) -> Instant {
        Instant::from_timestamp(second, 0).unwrap()
    }

    const fn run(n: u128) -> RunId {
        RunId(Uuid::from_u128(n))
    }

    /// Runs by number: rank, status, parked.
    async fn store(runs: &'static [(u128, i32, &'static str, bool)]) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let limits = CommitLimits { case_bytes: 1, output_bytes: 1 };
        let url = format!("sqlite://{}", folder.path().join("dossier.db").display());
        let settings = StoreSettings { url, wait_for_disk: false, limits };
        let store = Store::open(&settings, Arc::new(Zero), &TaskTracker::new()).await.unwrap();
        let filled = store.write(move |tx| {
            Box::pin(async move {
                for statement in SETUP {
                    tx.execute(sql(statement, Vec::new())).await?;
                }
                for (n, rank, status, parked) in runs {
                    let running = *status == "running";
                    let values = vec![
                        uuid(run(*n).0),
                        uuid(HERE.0),
                        text(format!("f{n}")),
                        text(*status),
                        Value::from(running),
                        int(*rank),
                        Value::from(*parked),
                        maybe_uuid(running.then(|| Uuid::from_u128(77))),
                    ];
                    tx.execute(sql(RUN, values)).await?;
                }
                Ok::<_, StoreError>(())
            })
        });
        filled.await.unwrap();
        (folder, store)
    }

    async fn change(store: &Store, change: impl FnOnce(&mut Lane) + Clone + Send + 'static) {
        let done = store.write(move |tx| {
            Box::pin(async move { tx.change_lane(HERE, &LaneKey::parse("x"), at(0), change).await })
        });
        done.await.unwrap();
    }

    /// The runs that were claimed, each with whether it holds a permit.
    async fn claim(store: &Store, now: Instant) -> (Vec<(u128, bool)>, Claimed) {
        let asked = Claim {
            worker: WorkerId(Uuid::from_u128(1)),
            token: LeaseToken(Uuid::from_u128(2)),
            now,
            until: now + TimeDelta::seconds(15),
            limit: 10,
            free: 32,
            held: Map::new(),
            after: None,
        };
        let claimed = store.claim(asked).await.unwrap();
        let runs = claimed.runs.iter();
        let mut got: Vec<_> = runs.map(|run| (run.id.0.as_u128(), run.permit.is_some())).collect();
        got.sort_unstable();
        (got, claimed)
    }

    #[tokio::test]
    async fn a_probe_whose_worker_is_gone_makes_room_for_another() {
        let (_folder, store) =
            store(&[(1, 1, "running", false), (2, 1, "queued", true), (3, 0, "queued", true)]).await;
        change(&store, |lane| {
            lane.circuit.open(at(0), &BreakerSettings::default());
            lane.circuit.probe = Some(run(1));
        })
        .await;
        let (got, claimed) = claim(&store, at(29)).await;
        assert_eq!((got, claimed.opens_at), (vec![], Some(at(30))));
        assert!(claim(&store, at(40)).await.0.is_empty(), "the probe is at work");
        let lost = store.write(|tx| Box::pin(async move { tx.release_lost(&[], at(40), false).await }));
        assert_eq!(lost.await.unwrap(), 1);
        let (got, _) = claim(&store, at(40)).await;
        assert_eq!(got, [(1, false), (2, true)], "the lost one is due again, the oldest parked one probes");
        assert!(claim(&store, at(41)).await.0.is_empty());
        let lane = store.read().await.unwrap().lane(HERE, &LaneKey::parse("x")).await.unwrap().unwrap();
        assert_eq!(lane.circuit.probe, Some(run(2)));
    }

    #[tokio::test]
    async fn a_cancelled_call_counts_until_it_is_over_or_its_lease_is() {
        for (token, goes_at) in [(77, 1), (78, 16)] {
            let (_folder, store) = store(&[(1, 1, "running", false), (2, 1, "queued", true)]).await;
            change(&store, |lane| lane.limits.concurrency = Some(1)).await;
            let cancel = store.write(move |tx| {
                Box::pin(async move {
                    let hold = "UPDATE run SET permit = TRUE, lease_until = 15000 WHERE status = 'running'";
                    tx.execute(sql(hold, Vec::new())).await?;
                    let error = RunError::cancelled("Cancelled.", 1, at(0));
                    tx.cancel_run(CaseId(Uuid::nil()), run(1), &error).await
                })
            });
            cancel.await.unwrap();
            assert!(claim(&store, at(1)).await.0.is_empty());
            let ended = [(run(1), LeaseToken(Uuid::from_u128(token)))];
            let ended = store.write(move |tx| Box::pin(async move { tx.hand_in_permits(&ended).await }));
            ended.await.unwrap();
            assert_eq!(claim(&store, at(1)).await.0.is_empty(), goes_at > 1, "another's token");
            if goes_at > 1 {
                assert_eq!(claim(&store, at(goes_at)).await.0, [(2, true)]);
            }
        }
    }

    #[tokio::test]
    async fn parked_runs_go_by_rank_and_age_as_far_as_the_limit_lets_them() {
        let (_folder, store) = store(&[
            (1, 2, "queued", true),
            (2, 1, "queued", true),
            (3, 1, "queued", true),
            (4, 0, "queued", true),
            (5, 0, "queued", false),
        ])
        .await;
        change(&store, |lane| lane.limits.windows = vec![Window { limit: 2, period: 10 }]).await;
        let (got, claimed) = claim(&store, at(100)).await;
        assert_eq!(got, [(2, true), (4, true), (5, false)], "what is due is claimed whatever the limit says");
        assert!(!claimed.more);
        let (got, claimed) = claim(&store, at(105)).await;
        assert_eq!((got, claimed.opens_at), (vec![], Some(at(110) + TimeDelta::milliseconds(500))));
        let (got, _) = claim(&store, at(111)).await;
        assert_eq!(got, [(1, true), (3, true)]);
    }

    #[tokio::test]
    async fn a_lane_of_which_there_is_nothing_to_say_has_no_row() {
        let (_folder, store) = store(&[(1, 1, "queued", true)]).await;
        change(&store, |lane| lane.held = true).await;
        assert!(claim(&store, at(1)).await.0.is_empty());
        change(&store, Lane::resume).await;
        let tx = store.read().await.unwrap();
        assert_eq!(tx.lane(HERE, &LaneKey::parse("x")).await.unwrap(), None);
        let load = LaneLoad { queued: 0, parked: 1, running: 0 };
        assert_eq!(tx.lane_load(HERE, &LaneKey::parse("x")).await.unwrap(), load);
        drop(tx);
        assert_eq!(claim(&store, at(1)).await.0, [(1, true)]);
    }
}
