//! The same on PostgreSQL, and what happens when it goes away.
//!
//! Does nothing unless a database is named. `DOSSIER_TEST_POSTGRES` is the URL of one in which
//! others may be made (`postgres://user:word@127.0.0.1:5432/postgres`). What takes PostgreSQL down
//! does it to a [`Cluster`] of its own, where `DOSSIER_TEST_POSTGRES_BIN` says that there are programs
//! for one; `tests/postgres` sets both.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Database};
use tokio::sync::watch;

use super::fleet::{Doors, Fleet, MASTER_KEY, assert_unavailable, count, pause};
use super::hanging::the_good_one_is_served;
use super::kills::{Plan, kill_and_check};
use super::ledger::Ledger;
use super::replicas;
use super::stopped::stopped_past_its_lease;
use super::{copying, crowd};
use crate::mixture::Dice;

/// A PostgreSQL of one test's own; gone when dropped, and when the test is killed.
struct Cluster {
    keeper: Child,
    answers: BufReader<ChildStdout>,
    url: String,
}

impl Cluster {
    /// A new one that takes connections; kept by `tests/postgres` for as long as it is told things.
    fn start() -> Self {
        const KEEP: &str = r#"echo "$DOSSIER_TEST_POSTGRES"
            while read -r word; do "$DOSSIER_TEST_POSTGRES_CTL" "$word" && echo "$word"; done"#;
        let mut keeper = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres"))
            .args(["bash", "-c", KEEP])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(keeper.stdout.take().unwrap());
        let mut cluster = Self { keeper, answers, url: String::new() };
        cluster.url = cluster.answer();
        cluster
    }

    /// Takes it down at once, cutting its connections.
    fn down(&mut self) {
        self.tell("stop");
    }

    /// Starts it; returns when it takes connections.
    fn up(&mut self) {
        self.tell("start");
    }

    fn tell(&mut self, word: &str) {
        writeln!(self.keeper.stdin.as_mut().unwrap(), "{word}").unwrap();
        assert_eq!(self.answer(), word);
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the product")]
fn named(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

/// The URL of a new, empty database on the server at `server`.
async fn database(server: &str, name: &str) -> String {
    let mut url: url::Url = server.parse().unwrap();
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

/// The URL of a database of the test's own; none: the environment names no server.
async fn prepared(name: &str) -> Option<String> {
    Some(database(&named("DOSSIER_TEST_POSTGRES")?, name).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgres_three_replicas_killed_at_random_lose_nothing() {
    let Some(url) = prepared("kills").await else { return };
    kill_and_check(Plan::of(3, 5, 300), Some(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgres_go_on_with_what_was_in_a_file() {
    let Some(url) = prepared("copy").await else { return };
    copying::everything_comes_along(&url, MASTER_KEY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgres_that_live_take_over_within_half_a_minute() {
    let Some(url) = prepared("takeover").await else { return };
    replicas::others_take_over(Some(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgres_that_serve_need_a_worker_beside_them() {
    let Some(url) = prepared("worker").await else { return };
    replicas::a_worker_beside_one_that_serves(Some(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgres_one_that_was_stopped_past_its_lease_is_refused() {
    let Some(url) = prepared("stopped").await else { return };
    stopped_past_its_lease(Some(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgres_go_on_with_a_tick_whose_process_was_killed() {
    let Some(url) = prepared("tick").await else { return };
    replicas::a_tick_survives_a_kill(count("DOSSIER_CASES", 300), Some(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgres_keep_a_limit_together() {
    let Some(url) = prepared("limit").await else { return };
    replicas::a_limit_holds_over_all(count("DOSSIER_CALLS", 100), Some(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgres_share_one_circuit() {
    let Some(url) = prepared("circuit").await else { return };
    replicas::a_circuit_is_one_for_all(Some(&url)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgres_with_fifty_providers_that_hang_serve_the_good_one() {
    let Some(alone) = prepared("alone").await else { return };
    let Some(beside) = prepared("beside").await else { return };
    the_good_one_is_served([Some(&alone), Some(&beside)]).await;
}

/// Down for up to 2 s, again and again, under runs. Between two times it is up for
/// `DOSSIER_UP_MS` to eight times that long (5,000: the 5 to 40 s of the long form).
#[tokio::test(flavor = "multi_thread")]
async fn processes_outlive_a_postgres_that_comes_and_goes() {
    if named("DOSSIER_TEST_POSTGRES_BIN").is_none() {
        return;
    }
    let mut cluster = Cluster::start();
    let url = database(&cluster.url, "restarts").await;
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
        cluster.down();
        // Whoever asks waits some seconds for it to come back, so most times nobody is sent away.
        if restart + 1 == restarts {
            is_away(&doors).await;
        } else {
            pause(dice.roll(2_000)).await;
        }
        cluster.up();
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
    let (ready, cases) = tokio::join!(
        doors.try_once("GET", "/health/ready", &[], None),
        doors.try_once("GET", "/v1/cases", &[], None),
    );
    assert_unavailable(&ready.unwrap());
    assert_unavailable(&cases.unwrap());
}

async fn is_back(doors: &Doors) {
    let body = serde_json::json!({"key": "back", "fields": []});
    doors.ask("PUT", "/v1/case-types/back", &[], Some(&body)).await;
}
