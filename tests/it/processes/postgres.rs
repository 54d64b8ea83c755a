//! The same on PostgreSQL, and what happens when it goes away.
//!
//! Does nothing unless a database is named. `DOSSIER_TEST_POSTGRES` is the URL of one in which
//! others may be made (`postgres://user:word@127.0.0.1:5432/postgres`); to take it down and up again,
//! `DOSSIER_TEST_POSTGRES_CTL` names a program that is called with `stop` or `start`. A harness that starts a
//! cluster of its own implements [`Cluster`] and hands it out in [`cluster`].

use std::process::Command;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Database};
use tokio::sync::watch;

use super::crowd;
use super::fleet::{Doors, Fleet, assert_unavailable, count, pause};
use super::kills::{Plan, kill_and_check};
use super::ledger::Ledger;
use super::replicas;
use super::stopped::stopped_past_its_lease;
use crate::mixture::Dice;

/// A PostgreSQL that a test may take down.
pub trait Cluster {
    /// Whether this test may take it down.
    fn is_mine(&self) -> bool;
    /// Where databases can be made.
    fn url(&self) -> String;
    /// Takes it down, cutting its connections.
    fn stop(&self);
    /// Starts it; returns when it takes connections.
    fn start(&self);
}

/// The one that the environment names.
struct Named {
    url: String,
    control: Option<String>,
}

impl Named {
    fn control(&self, word: &str) {
        let Some(program) = &self.control else { panic!("DOSSIER_TEST_POSTGRES_CTL names no program") };
        assert!(Command::new(program).arg(word).status().unwrap().success(), "{program} {word}");
    }
}

impl Cluster for Named {
    fn is_mine(&self) -> bool {
        self.control.is_some()
    }

    fn url(&self) -> String {
        self.url.clone()
    }

    fn stop(&self) {
        self.control("stop");
    }

    fn start(&self) {
        self.control("start");
    }
}

#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the product")]
fn cluster() -> Option<Box<dyn Cluster>> {
    let url = std::env::var("DOSSIER_TEST_POSTGRES").ok()?;
    Some(Box::new(Named { url, control: std::env::var("DOSSIER_TEST_POSTGRES_CTL").ok() }))
}

/// The URL of a new, empty database.
async fn database(cluster: &dyn Cluster, name: &str) -> String {
    let mut url: url::Url = cluster.url().parse().unwrap();
    if url.path().len() < 2 {
        url.set_path("postgres");
    }
    let server = Database::connect(url.as_str()).await.unwrap();
    let name = format!("dossier_{name}_{}", std::process::id());
    server.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    server.close().await.unwrap();
    url.set_path(&name);
    url.into()
}

/// The cluster and a database of the test's own; none: the environment names no cluster.
async fn prepared(name: &str) -> Option<(Box<dyn Cluster>, String)> {
    let cluster = cluster()?;
    let url = database(&*cluster, name).await;
    Some((cluster, url))
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgres_three_replicas_killed_at_random_lose_nothing() {
    let Some((_cluster, url)) = prepared("kills").await else { return };
    kill_and_check(Plan::of(3, 5, 300), Some(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgres_that_live_take_over_within_half_a_minute() {
    let Some((_cluster, url)) = prepared("takeover").await else { return };
    replicas::others_take_over(Some(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgres_that_serve_need_a_worker_beside_them() {
    let Some((_cluster, url)) = prepared("worker").await else { return };
    replicas::a_worker_beside_one_that_serves(Some(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgres_one_that_was_stopped_past_its_lease_is_refused() {
    let Some((_cluster, url)) = prepared("stopped").await else { return };
    stopped_past_its_lease(Some(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgres_go_on_with_a_tick_whose_process_was_killed() {
    let Some((_cluster, url)) = prepared("tick").await else { return };
    replicas::a_tick_survives_a_kill(count("DOSSIER_CASES", 300), Some(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs connections and lanes"]
async fn processes_on_postgres_keep_a_limit_together() {
    let Some((_cluster, url)) = prepared("limit").await else { return };
    replicas::a_limit_holds_over_all(count("DOSSIER_CALLS", 100), Some(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs connections and lanes"]
async fn processes_on_postgres_share_one_circuit() {
    let Some((_cluster, url)) = prepared("circuit").await else { return };
    replicas::a_circuit_is_one_for_all(Some(&url)).await;
}

/// Down for up to 2 s, again and again, under runs. Between two times it is up for
/// `DOSSIER_UP_MS` to eight times that long (5,000: the 5 to 40 s of the long form).
#[tokio::test(flavor = "multi_thread")]
async fn processes_outlive_a_postgres_that_comes_and_goes() {
    let Some((cluster, url)) = prepared("restarts").await else { return };
    if !cluster.is_mine() {
        return;
    }
    let (restarts, up) = (count("DOSSIER_RESTARTS", 3), count("DOSSIER_UP_MS", 300) as u64);
    let total = count("DOSSIER_ENRICHMENTS", 300) / crowd::FIELDS;
    let mut dice = Dice(count("DOSSIER_SEED", 1) as u64);
    let ledger = Ledger::moody(1).await;
    let fleet = Fleet::start(3, &ledger.upstream.authority(), Some(&url)).await;
    let doors = fleet.doors();
    crowd::define(&doors, &ledger.upstream.url("/post")).await;
    let (allow, allowed) = watch::channel(0);
    let people = crowd::create_all(&doors, total, &allowed);
    for restart in 0..restarts {
        allow.send_replace(total * (restart + 1) / restarts);
        pause(up + dice.roll(7 * up + 1)).await;
        cluster.stop();
        is_away(&doors).await;
        pause(dice.roll(2_000)).await;
        cluster.start();
        let back = tokio::time::timeout(Duration::from_secs(10), is_back(&doors));
        assert!(back.await.is_ok(), "writes did not work again within 10 s");
    }
    allow.send_replace(total);
    let cases = people.join_all().await.concat();
    crowd::check(&doors, cases, || ledger.books()).await;
    for process in fleet.members() {
        assert!(process.lives(), "a process has ended");
    }
}

/// It lives, and sends everybody else away until the database is back.
async fn is_away(doors: &Doors) {
    let alive = doors.try_once("GET", "/health/live", &[], None).await.unwrap();
    assert_eq!(alive.status, 200);
    for path in ["/health/ready", "/v1/cases"] {
        assert_unavailable(&doors.try_once("GET", path, &[], None).await.unwrap());
    }
}

async fn is_back(doors: &Doors) {
    let body = serde_json::json!({"key": "back", "fields": []});
    doors.ask("PUT", "/v1/case-types/back", &[], Some(&body)).await;
}
