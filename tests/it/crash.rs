//! `kill -9` with calls out: nothing is lost, nothing is stuck, each run keeps its key.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::process::Process;
use crate::upstream::{Upstream, client, ok};

const CASES: usize = 200;

fn case_type(url: &str) -> Value {
    json!({"key": "test", "fields": [{
        "key": "check", "type": "api_call", "timeout": 60000,
        "api_config": {
            "url": url, "method": "POST", "body": {"n": "{data.n}"}, "response_mapping": {"value": "$.value"},
        },
    }]})
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_with_two_hundred_calls_out_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    upstream.otherwise(ok(json!({"value": "late"})).held());
    let http = client();
    let process = Process::serve(folder.path(), &upstream.authority()).await;
    let (status, saved) =
        process.call(&http, "PUT", "/v1/case-types/test", Some(&case_type(&upstream.url("/check")))).await;
    assert_eq!(status, 201, "{saved}");
    let mut ids = Vec::with_capacity(CASES);
    for n in 0..CASES {
        let body = json!({"case_type": "test", "data": {"n": n}});
        let (status, case) = process.call(&http, "POST", "/v1/cases", Some(&body)).await;
        assert_eq!(status, 201, "{case}");
        ids.push(case["id"].as_str().unwrap().to_owned());
    }
    upstream.wait_for_calls(CASES).await;
    process.kill();

    let revived = Upstream::start_on(upstream.address());
    drop(upstream);
    let upstream = revived.await;
    upstream.otherwise(ok(json!({"value": "again"})));
    let process = Process::serve(folder.path(), &upstream.authority()).await;
    for id in &ids {
        let request = http.get(format!("{}/v1/cases/{id}", process.base)).bearer_auth(crate::process::TOKEN);
        let case: Value = request.header("Prefer", "wait=30").send().await.unwrap().json().await.unwrap();
        assert_eq!(case["settled"], true, "{case}");
        assert_eq!(case["fields"]["check"]["status"], "succeeded", "{case}");
        assert_eq!(case["data"]["value"], "again");
    }
    let mut keys: HashMap<u64, String> = HashMap::new();
    for call in upstream.calls() {
        let n = call.json()["n"].as_u64().unwrap();
        let key = call.header("idempotency-key").unwrap().to_owned();
        assert_eq!(keys.entry(n).or_insert_with(|| key.clone()), &key, "two keys for {n}");
    }
    assert_eq!(keys.len(), CASES);
    let (_, runs) = process.call(&http, "GET", &format!("/v1/runs?case={}", ids[0]), None).await;
    let run = runs["items"][0]["id"].as_str().unwrap();
    let (_, run) = process.call(&http, "GET", &format!("/v1/runs/{run}"), None).await;
    assert_eq!(run["idempotency_key"], keys[&0]);
    let outcomes: Vec<_> = run["attempts"].as_array().unwrap().iter().map(|a| a["outcome"].clone()).collect();
    assert_eq!(outcomes, ["unknown", "ok"], "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polite_stop_ends_well_and_gives_calls_back() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    upstream.otherwise(ok(json!({"value": 1})).held());
    let http = client();
    let process = Process::serve(folder.path(), &upstream.authority()).await;
    process.call(&http, "PUT", "/v1/case-types/test", Some(&case_type(&upstream.url("/check")))).await;
    let body = json!({"case_type": "test", "data": {"n": 1}});
    process.call(&http, "POST", "/v1/cases", Some(&body)).await;
    upstream.wait_for_calls(1).await;
    let stopping = process.terminate();
    upstream.release();
    assert!(stopping.await);
}
