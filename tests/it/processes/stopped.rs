//! A worker that is stopped past its lease and goes on: its result comes too late and is refused.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait as _, Database};
use serde_json::json;

use super::fleet::{Fleet, pause};
use crate::process::Process;
use crate::upstream::{Upstream, client, ok};

const CASES: usize = 3;

/// The first call about each case is answered late.
fn late_and_new(upstream: &Upstream) {
    let seen = std::sync::Mutex::new(BTreeSet::new());
    upstream.otherwise_with(move |call| {
        let first = seen.lock().unwrap().insert(call.json()["n"].as_u64().unwrap());
        if first { ok(json!({"value": "late"})).held() } else { ok(json!({"value": "new"})) }
    });
}

/// Stops it at a moment when it does not write: a stopped writer would hold up all others on
/// a SQLite file, and that is not what is looked at here.
async fn stop(process: &Process, fleet: &Fleet) {
    loop {
        process.signal("STOP");
        if !fleet.file().exists() {
            return;
        }
        let file = format!("sqlite://{}", fleet.file().display());
        let database = Database::connect(file).await.unwrap();
        let free = database.execute_unprepared("BEGIN IMMEDIATE; ROLLBACK").await;
        database.close().await.unwrap();
        if free.is_ok() {
            return;
        }
        process.signal("CONT");
        pause(5).await;
    }
}

/// Two replicas on one database; the first is the one that is stopped.
pub async fn stopped_past_its_lease(url: Option<&str>) {
    let upstream = Upstream::start().await;
    late_and_new(&upstream);
    let (launch, folder) = Fleet::launch(&upstream.authority(), url);
    let mut fleet = Fleet::of(1, launch.with("LOG__LEVEL", "debug"), folder).await;
    let (doors, http) = (fleet.doors(), client());
    let case_type = json!({"key": "test", "fields": [{"key": "check", "type": "api_call", "timeout": 300_000, "retry": 0,
        "api_config": {"url": upstream.url("/post"), "method": "POST", "body": {"n": "{data.n}"},
            "response_mapping": {"value": "$.value"}}}]});
    doors.ask("PUT", "/v1/case-types/test", &[], Some(&case_type)).await;
    let mut ids = Vec::new();
    for n in 0..CASES {
        let body = json!({"case_type": "test", "data": {"n": n}});
        let case = doors.ask("POST", "/v1/cases", &[], Some(&body)).await.body;
        ids.push(case["id"].as_str().unwrap().to_owned());
    }
    upstream.wait_for_calls(CASES).await;
    stop(&fleet.members()[0], &fleet).await;
    // The late answers have come when it goes on.
    upstream.release();

    fleet.add().await;
    upstream.wait_for_calls(2 * CASES).await;
    let path = |id: &String| format!("/v1/cases/{id}");
    let second = &fleet.members()[1];
    for id in &ids {
        while second.call(&http, "GET", &path(id), None).await.1["settled"] != true {
            pause(20).await;
        }
    }
    let first = &fleet.members()[0];
    first.signal("CONT");
    first.logged("is no longer ours", CASES).await;

    for id in &ids {
        let case = doors.settled(id).await;
        assert_eq!(case["data"]["value"], "new", "{case}");
        let runs = doors.get(&format!("/v1/runs?case={id}")).await;
        assert_eq!(runs["items"].as_array().unwrap().len(), 1, "{runs}");
        let run = doors.get(&format!("/v1/runs/{}", runs["items"][0]["id"].as_str().unwrap())).await;
        let attempts = run["attempts"].as_array().unwrap();
        let outcomes: Vec<_> = attempts.iter().map(|attempt| &attempt["outcome"]).collect();
        assert_eq!(outcomes, ["unknown", "ok"], "{run}");
    }
    let calls = upstream.calls();
    let keys: BTreeSet<_> = calls.iter().map(|call| call.header("idempotency-key").unwrap()).collect();
    assert_eq!((calls.len(), keys.len()), (2 * CASES, CASES));
    // It is as good a worker as before.
    fleet.kill(1);
    let body = json!({"case_type": "test", "data": {"n": 0}});
    let case = doors.ask("POST", "/v1/cases", &[], Some(&body)).await.body;
    assert_eq!(doors.settled(case["id"].as_str().unwrap()).await["data"]["value"], "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_one_that_was_stopped_past_its_lease_is_refused() {
    stopped_past_its_lease(None).await;
}
