//! People who create cases whatever happens, and look in the end whether all came out right.
//!
//! Each case has two enrichments: `a` at its creation, and `b`, which the value of `a` fires.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::fleet::Doors;
use super::ledger::Books;

/// Enrichments of a case.
pub const FIELDS: usize = 2;
/// People at the doors.
const PEOPLE: usize = 8;

/// Saves the case type `test`, whose fields ask the provider at `url`.
pub async fn define(doors: &Doors, url: &str) {
    let field = |key: &str, trigger: &str, n: &str| {
        json!({"key": key, "type": "api_call", "timeout": 60000, "retry": 10, "trigger": [trigger], "api_config": {
            "url": url, "method": "POST", "body": {"key": format!("{{data.id}}/{key}"), "n": n},
            "response_mapping": {key: "$.value"},
        }})
    };
    let fields = [field("a", "on_create", "{data.n}"), field("b", "on_update", "{data.a}")];
    let body = json!({"key": "test", "fields": fields});
    let saved = doors.ask("PUT", "/v1/case-types/test", &[], Some(&body)).await;
    assert!(matches!(saved.status, 200 | 201), "{}", saved.body);
}

/// Creates one case under a key of its own, as often as it takes; answers its id.
pub async fn create(doors: &Doors, n: usize) -> String {
    let body = json!({"case_type": "test", "data": {"id": n.to_string(), "n": n}});
    let key = format!("case-{n}");
    loop {
        let created = doors.ask("POST", "/v1/cases", &[("Idempotency-Key", &key)], Some(&body)).await;
        match created.status {
            201 => return created.body["id"].as_str().unwrap().to_owned(),
            // The first request with this key is still under way.
            409 => assert_eq!(created.body["code"], "in_progress", "{}", created.body),
            _ => panic!("{}", created.body),
        }
    }
}

/// Creates cases 0 to `count` - 1, never more than `allowed` says; answers their ids in order.
pub fn create_all(
    doors: &Doors,
    count: usize,
    allowed: &watch::Receiver<usize>,
) -> JoinSet<Vec<(usize, String)>> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut people = JoinSet::new();
    for _ in 0..PEOPLE {
        let (doors, next, mut allowed) = (doors.clone(), next.clone(), allowed.clone());
        people.spawn(async move {
            let mut made = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::SeqCst);
                if n >= count {
                    return made;
                }
                allowed.wait_for(|allowed| *allowed > n).await.unwrap();
                made.push((n, create(&doors, n).await));
            }
        });
    }
    people
}

/// Waits for each case and looks at all of it: values, states, provenance, runs, and the books.
pub async fn check(doors: &Doors, cases: Vec<(usize, String)>, books: impl Fn() -> Books) {
    let total = cases.len();
    let at_once = Arc::new(Semaphore::new(16));
    let mut checks = JoinSet::new();
    for (n, id) in cases {
        let (doors, at_once) = (doors.clone(), at_once.clone());
        checks.spawn(async move {
            let _one = at_once.acquire_owned().await.unwrap();
            check_case(&doors, n, &id).await
        });
    }
    let mut shown = Books::new();
    while let Some(keys) = checks.join_next().await {
        for (about, key) in keys.unwrap() {
            shown.entry(about).or_default().insert(key);
        }
    }
    assert_eq!(shown.len(), total * FIELDS);
    // Each under one key, the key that its run shows.
    assert_eq!(books(), shown);
    let list = doors.get("/v1/cases?count=true&limit=1").await;
    assert_eq!(list["total"], total, "{list}");
}

/// Answers each business key with the idempotency key of its run.
async fn check_case(doors: &Doors, n: usize, id: &str) -> Vec<(String, String)> {
    let case = doors.settled(id).await;
    let (a, b) = (2 * n, 4 * n);
    assert_eq!((&case["data"]["a"], &case["data"]["b"]), (&json!(a), &json!(b)), "{case}");
    for field in ["a", "b"] {
        let state = &case["fields"][field];
        assert_eq!(state["status"], "succeeded", "{case}");
        assert!(state["error"].is_null() && state["fetched_at"].is_string(), "{case}");
        assert_eq!(case["provenance"][field]["source"], "run", "{case}");
        assert_eq!(case["provenance"][field]["run_id"], state["run_id"], "{case}");
    }
    let runs = doors.get(&format!("/v1/runs?case={id}")).await;
    let runs = runs["items"].as_array().unwrap();
    assert_eq!(runs.len(), FIELDS, "{runs:?}");
    let mut keys = Vec::new();
    for run in runs {
        let run = doors.get(&format!("/v1/runs/{}", run["id"].as_str().unwrap())).await;
        check_run(&run);
        let about = format!("{n}/{}", run["field"].as_str().unwrap());
        keys.push((about, run["idempotency_key"].as_str().unwrap().to_owned()));
    }
    keys
}

fn check_run(run: &Value) {
    assert_eq!(run["status"], "succeeded", "{run}");
    assert_eq!(run["written"], json!([run["field"]]), "{run}");
    let attempts = run["attempts"].as_array().unwrap();
    let last = attempts.last().unwrap();
    assert_eq!((&last["outcome"], &last["number"]), (&json!("ok"), &run["attempt"]), "{run}");
    let ended_well = attempts.iter().filter(|attempt| attempt["outcome"] == "ok").count();
    assert_eq!(ended_well, 1, "{run}");
}
