//! Points of the contract that somebody found missing from outside: each test is one of them.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::upstream::ok;

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_run_names_what_every_part_of_its_request_misses() {
    let app = TestApp::spawn().await;
    let config = json!({
        "method": "POST",
        "headers": {"X-A": "{data.a.b}"},
        "params": {"q": "{data.c.0}", "again": "{data.a.b}"},
        "auth": {"type": "basic", "username": "{data.user}", "password": "{data.a.b}"},
        "body": {"z": "{input.x}", "title": "{case.title}"},
    });
    app.define_one("/check", json!({}), config).await;
    let case = app.filled(json!({"a": {}})).await;
    let state = &case["fields"]["check"];
    assert_eq!((&state["status"], &state["reason"]), (&json!("skipped"), &json!("missing_input")), "{state}");
    let mut missing: Vec<&str> =
        state["missing"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    missing.sort_unstable();
    assert_eq!(missing, ["case.title", "data.a.b", "data.c.0", "data.user", "input.x"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_fit_is_quoted_to_the_builder() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": "many"})));
    let mapping = json!({"response_mapping": {"value": {"path": "$.value", "type": "integer"}}});
    app.define_one("/check", json!({}), mapping).await;
    let case = app.filled(json!({})).await;
    let error = &case["fields"]["check"]["error"];
    assert_eq!((&error["code"], &error["http_status"]), (&json!("mapping_failed"), &json!(200)), "{error}");
    assert_eq!(error["body_excerpt"], r#"{"value":"many"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_refused_in_another_order_than_its_own() {
    let app = TestApp::spawn().await;
    app.define(json!([])).await;
    for _ in 0..3 {
        app.create(json!({})).await;
    }
    let first = app.get("/v1/cases?limit=1").await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    for (sort, status) in [("-created_at", 200), ("created_at", 400), ("title", 400), ("-updated_at", 400)] {
        let answer = app.get(&format!("/v1/cases?limit=1&sort={sort}&cursor={cursor}")).await;
        assert_eq!(answer.status, status, "{sort}: {}", answer.body);
    }
}
