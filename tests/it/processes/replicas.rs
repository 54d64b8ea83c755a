//! Several processes on one database: what they promise together.
//!
//! The stories take the database's URL; none means one SQLite file, which several processes may
//! share, too. `postgres` tells them again on PostgreSQL.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::crowd;
use super::fleet::{Doors, Fleet, count, now, pause};
use super::ledger::Ledger;
use crate::mixture::Dice;
use crate::upstream::{Upstream, ok, status};

/// What the contract allows for taking over the runs of a process that is gone.
const TAKEOVER: Duration = Duration::from_secs(30);

/// One of three is killed with its calls out: the others make them within 30 s, under the same keys.
pub async fn others_take_over(url: Option<&str>) {
    const CASES: usize = 30;
    let seen = Mutex::new(std::collections::BTreeSet::new());
    let ledger = Ledger::with(move |call, reply| {
        let first = seen.lock().unwrap().insert(call.json()["key"].to_string());
        if first && call.json()["key"].as_str().unwrap().ends_with("/a") { reply.held() } else { reply }
    })
    .await;
    let mut fleet = Fleet::start(3, &ledger.upstream.authority(), url).await;
    let doors = fleet.doors();
    crowd::define(&doors, &ledger.upstream.url("/post")).await;
    let mut cases = Vec::new();
    for n in 0..CASES {
        cases.push((n, crowd::create(&doors, n).await));
    }
    ledger.upstream.wait_for_calls(CASES).await;
    fleet.kill(0);
    let all = tokio::time::timeout(TAKEOVER, async {
        for (_, id) in &cases {
            // Also those that were put back to be called by one of the living.
            ledger.upstream.release();
            doors.settled(id).await;
        }
    });
    assert!(all.await.is_ok(), "the runs of a dead process were not taken over within 30 s");
    crowd::check(&doors, cases, || ledger.books()).await;
}

/// A tick over `cases` cases, one of three killed in the middle: each case is asked for once.
pub async fn a_tick_survives_a_kill(cases: usize, url: Option<&str>) {
    let ledger = Ledger::with(|_, reply| reply).await;
    let mut fleet = Fleet::start(3, &ledger.upstream.authority(), url).await;
    let doors = fleet.doors();
    let case_type = json!({"key": "test", "fields": [{"key": "check", "type": "api_call", "trigger": "scheduled",
        "schedule": {"cron": "0 6 1 1 *", "timezone": "Europe/Brussels"},
        "api_config": {"url": ledger.upstream.url("/post"), "method": "POST",
            "body": {"key": "{data.id}", "n": "{data.n}"}, "response_mapping": {"value": "$.value"}}}]});
    doors.ask("PUT", "/v1/case-types/test", &[], Some(&case_type)).await;
    let (_, allowed) = tokio::sync::watch::channel(cases);
    let made = crowd::create_all(&doors, cases, &allowed).join_all().await.concat();
    let schedules = doors.get("/v1/schedules").await;
    let id = schedules["items"][0]["id"].as_str().unwrap().to_owned();
    let ran =
        doors.ask("POST", &format!("/v1/schedules/{id}/run"), &[("Idempotency-Key", "tick")], None).await;
    assert_eq!(ran.status, 202, "{}", ran.body);
    let mut dice = Dice(count("DOSSIER_SEED", 1) as u64);
    let middle = cases / 4 + usize::try_from(dice.roll(cases.max(2) as u64 / 2)).unwrap();
    ledger.upstream.wait_for_calls(middle).await;
    fleet.kill(usize::try_from(dice.roll(3)).unwrap());

    ledger.upstream.wait_for_calls(cases).await;
    for (_, id) in &made {
        doors.settled(id).await;
    }
    let runs = runs_by_case(&doors).await;
    assert_eq!(runs.len(), cases);
    assert!(runs.values().all(|runs| *runs == 1), "a case was fired twice");
    let books = ledger.books();
    assert_eq!(books.len(), cases);
    assert!(books.values().all(|keys| keys.len() == 1), "a case was asked for under two keys");
}

async fn runs_by_case(doors: &Doors) -> BTreeMap<String, usize> {
    let mut runs = BTreeMap::new();
    let mut path = "/v1/runs?limit=200".to_owned();
    loop {
        let page = doors.get(&path).await;
        for run in page["items"].as_array().unwrap() {
            assert_eq!(run["status"], "succeeded", "{run}");
            *runs.entry(run["case_id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        let Some(cursor) = page["next_cursor"].as_str() else { return runs };
        path = format!("/v1/runs?limit=200&cursor={cursor}");
    }
}

/// Saves a connection to the provider and a case type whose field goes over it.
async fn connect(doors: &Doors, upstream: &Upstream, settings: Value) {
    let mut connection = json!({"base_url": upstream.url("")});
    connection.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let saved = doors.ask("PUT", "/v1/connections/provider", &[], Some(&connection)).await;
    assert_eq!(saved.status, 201, "{}", saved.body);
    let case_type = json!({"key": "test", "fields": [{"key": "check", "type": "api_call", "retry": 0, "api_config": {
        "connection": "provider", "url": "/check", "response_mapping": {"value": "$.value"}}}]});
    let saved = doors.ask("PUT", "/v1/case-types/test", &[], Some(&case_type)).await;
    assert_eq!(saved.status, 201, "{}", saved.body);
}

async fn create(doors: &Doors) -> String {
    let case = doors.ask("POST", "/v1/cases", &[], Some(&json!({"case_type": "test"}))).await;
    assert_eq!(case.status, 201, "{}", case.body);
    case.body["id"].as_str().unwrap().to_owned()
}

/// 20 calls per second over three replicas: in no second more than 20 at the provider.
pub async fn a_limit_holds_over_all(cases: usize, url: Option<&str>) {
    const LIMIT: usize = 20;
    let upstream = Upstream::start().await;
    let arrivals = Arc::new(Mutex::new(Vec::new()));
    let kept = arrivals.clone();
    upstream.otherwise_with(move |_| {
        kept.lock().unwrap().push(now());
        ok(json!({"value": 1}))
    });
    let fleet = Fleet::start(3, &upstream.authority(), url).await;
    let doors = fleet.doors();
    connect(&doors, &upstream, json!({"rate_limit": {"limit": LIMIT, "period": 1}})).await;
    let mut ids = Vec::new();
    for _ in 0..cases {
        ids.push(create(&doors).await);
    }
    for id in &ids {
        let case = doors.settled(id).await;
        assert_eq!(case["data"]["value"], 1, "{case}");
    }
    let arrivals: Vec<Instant> = arrivals.lock().unwrap().clone();
    assert_eq!(arrivals.len(), cases);
    for span in arrivals.windows(LIMIT + 1) {
        let took = span[LIMIT] - span[0];
        assert!(took >= Duration::from_secs(1), "{} calls within {took:?}", LIMIT + 1);
    }
}

/// Five failures, whoever saw them, open the circuit for all; then one probe at a time, never the
/// same run twice in a row; when the provider is well all that waited is done.
pub async fn a_circuit_is_one_for_all(url: Option<&str>) {
    const FAILURES: usize = 5;
    const WAITING: usize = 10;
    let upstream = Upstream::start().await;
    upstream.otherwise(status(503));
    let fleet = Fleet::start(3, &upstream.authority(), url).await;
    let doors = fleet.doors();
    connect(&doors, &upstream, json!({"breaker": {"failures": FAILURES, "open_seconds": 2}})).await;
    for _ in 0..FAILURES {
        let case = create(&doors).await;
        assert_eq!(doors.settled(&case).await["fields"]["check"]["status"], "failed");
    }
    assert_eq!(upstream.calls_so_far(), FAILURES);
    // The probe is held, so that a second one would be seen.
    upstream.otherwise(status(503).held());
    let mut waiting = Vec::new();
    for _ in 0..WAITING {
        waiting.push(create(&doors).await);
    }
    upstream.wait_for_calls(FAILURES + 1).await;
    for id in &waiting {
        loop {
            let field = doors.get(&format!("/v1/cases/{id}")).await["fields"]["check"].clone();
            assert!(["queued", "running"].contains(&field["status"].as_str().unwrap()), "{field}");
            if field["waiting_for"] == "circuit" || id == &waiting[0] {
                break;
            }
            pause(20).await;
        }
    }
    pause(1_000).await;
    assert_eq!(upstream.calls_so_far(), FAILURES + 1, "one probe at a time");
    upstream.otherwise(ok(json!({"value": 1})));
    upstream.release();
    // The probe has failed: it opens again, and the next one is another run.
    for id in &waiting[1..] {
        let case = doors.settled(id).await;
        assert_eq!(case["data"]["value"], 1, "{case}");
    }
    assert_eq!(doors.settled(&waiting[0]).await["fields"]["check"]["status"], "failed");
    assert_eq!(upstream.calls_so_far(), FAILURES + WAITING);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_live_take_over_within_half_a_minute() {
    others_take_over(None).await;
}

/// One process serves and makes no calls, another makes them.
pub async fn a_worker_beside_one_that_serves(url: Option<&str>) {
    let ledger = Ledger::with(|_, reply| reply).await;
    let (serves, folder) = Fleet::launch(&ledger.upstream.authority(), url);
    let works = serves.clone().worker();
    let mut fleet = Fleet::of(1, serves.with("WORKERS__CONCURRENCY", "0"), folder).await;
    let doors = fleet.doors();
    crowd::define(&doors, &ledger.upstream.url("/post")).await;
    let first = crowd::create(&doors, 0).await;
    let worker = works.start().await;
    let second = crowd::create(&doors, 1).await;
    doors.settled(&second).await;
    // A new one that serves has nothing to take over while the worker lives.
    fleet.kill(0);
    fleet.add().await;
    let third = crowd::create(&doors, 2).await;
    crowd::check(&doors, vec![(0, first), (1, second), (2, third)], || ledger.books()).await;
    assert_eq!(ledger.upstream.calls_so_far(), 3 * crowd::FIELDS);
    assert!(worker.terminate().await && fleet.members()[0].lives());
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_serve_need_a_worker_beside_them() {
    a_worker_beside_one_that_serves(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_go_on_with_a_tick_whose_process_was_killed() {
    a_tick_survives_a_kill(count("DOSSIER_CASES", 300), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_keep_a_limit_together() {
    a_limit_holds_over_all(count("DOSSIER_CALLS", 100), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_one_circuit() {
    a_circuit_is_one_for_all(None).await;
}
