//! Fifty providers that hang and one that is well: nobody notices the fifty.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use super::fleet::{Doors, Fleet, count, now, pause};
use crate::upstream::{Reply, Upstream, ok};

/// Milliseconds until the good one answers: a provider that takes none does not live elsewhere.
const GOOD_TAKES: u64 = 25;
/// Providers that never answer.
const HANGING: usize = 50;
/// Runs that wait for each of them: together more than a process has places.
const HANGING_RUNS: usize = 20;

async fn define(doors: &Doors, key: &str, url: &str) {
    let case_type = json!({"key": key, "fields": [{"key": "check", "type": "api_call", "timeout": 300_000, "retry": 0,
        "api_config": {"url": url, "response_mapping": {"value": "$.value"}}}]});
    let saved = doors.ask("PUT", &format!("/v1/case-types/{key}"), &[], Some(&case_type)).await;
    assert_eq!(saved.status, 201, "{}", saved.body);
}

/// Milliseconds from the request that creates a case to its answer with the value in it.
async fn good_cases(doors: &Doors, count: usize) -> Vec<f64> {
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = now();
        let body = json!({"case_type": "good"});
        let case = doors.ask("POST", "/v1/cases", &[("Prefer", "wait=30")], Some(&body)).await.body;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
        assert_eq!(case["data"]["value"], 1, "{case}");
    }
    took
}

/// The 99th percentiles at both doors, each of its quietest round. The rounds take turns, so what
/// else the machine does is done to both.
async fn p99(alone: &Doors, beside: &Doors, cases: usize) -> [f64; 2] {
    const ROUNDS: usize = 10;
    let mut best = [f64::INFINITY; 2];
    for _ in 0..ROUNDS {
        for (best, doors) in best.iter_mut().zip([alone, beside]) {
            let mut took = good_cases(doors, cases.div_ceil(ROUNDS)).await;
            took.sort_by(f64::total_cmp);
            *best = best.min(took[(took.len() - 1) * 99 / 100]);
        }
    }
    best
}

/// One that serves, with the good provider set up.
async fn serving(good: &Upstream, url: Option<&str>) -> Fleet {
    let (launch, folder) = Fleet::launch("127.0.0.1", url);
    let fleet = Fleet::of(1, launch.with("SERVER__DRAIN_SECONDS", "0"), folder).await;
    define(&fleet.doors(), "good", &good.url("/check")).await;
    good_cases(&fleet.doors(), 20).await;
    fleet
}

/// Answers each call after a while.
async fn answer(good: Arc<Upstream>) {
    let mut calls = 0;
    loop {
        calls = good.wait_for_calls(calls + 1).await.len();
        pause(GOOD_TAKES).await;
        good.release();
    }
}

async fn hang(doors: &Doors) {
    let mut people = JoinSet::new();
    for provider in 0..HANGING {
        let doors = doors.clone();
        people.spawn(async move {
            for _ in 0..HANGING_RUNS {
                let body = json!({"case_type": format!("bad_{provider}")});
                assert_eq!(doors.ask("POST", "/v1/cases", &[], Some(&body)).await.status, 201);
            }
        });
    }
    people.join_all().await;
}

/// Two processes, each on a database of its own, ask the good provider; one of them asks those that
/// hang, too. How many good cases, by `DOSSIER_GOOD`. The short form only asks that they come
/// through; with `DOSSIER_MEASURE` set, p99 beside the fifty may be at most a fifth above p99 alone.
pub async fn the_good_one_is_served(urls: [Option<&str>; 2]) {
    let cases = count("DOSSIER_GOOD", 100);
    let good = Arc::new(Upstream::start().await);
    good.otherwise(ok(json!({"value": 1})).held());
    let mut answers = JoinSet::new();
    answers.spawn(answer(good.clone()));
    let mut bad = Vec::new();
    for _ in 0..HANGING {
        let upstream = Upstream::start().await;
        upstream.otherwise(Reply::never());
        bad.push(upstream);
    }
    let [alone, beside] = [serving(&good, urls[0]).await, serving(&good, urls[1]).await];
    let doors = beside.doors();
    for (provider, upstream) in bad.iter().enumerate() {
        define(&doors, &format!("bad_{provider}"), &upstream.url("/check")).await;
    }
    hang(&doors).await;
    for upstream in &bad {
        upstream.wait_for_calls(1).await;
    }
    let [alone, beside] = p99(&alone.doors(), &doors, cases).await;
    eprintln!("p99 of {cases} good ones: alone {alone:.2} ms, beside {HANGING} that hang {beside:.2} ms");
    if count("DOSSIER_MEASURE", 0) > 0 {
        assert!(beside <= alone * 1.2, "p99 {beside:.2} ms beside, {alone:.2} ms alone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_with_fifty_providers_that_hang_serve_the_good_one() {
    the_good_one_is_served([None, None]).await;
}
