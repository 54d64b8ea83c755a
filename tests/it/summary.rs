//! How the fields of a case type stand over all of its cases, and over those that filters leave.

use serde_json::{Value, json};

use crate::app::{TestApp, secs};
use crate::upstream::{ok, status};

const ALL: &str = "/v1/case-types/test/summary";

/// The counts of a field that are not zero, as `status: n`.
fn counts(summary: &Value, field: &str) -> Vec<String> {
    let counts = summary["fields"][field].as_object().unwrap();
    assert_eq!(counts.len(), 9, "{counts:?}");
    let mut counts: Vec<_> = counts
        .iter()
        .filter(|(_, count)| **count != 0)
        .map(|(status, count)| format!("{status}: {count}"))
        .collect();
    counts.sort();
    counts
}

#[actix_web::test]
async fn every_case_counts_once_in_what_it_shows() {
    let app = TestApp::spawn().await;
    app.define_one("/v/{data.n}", json!({"retry": 0, "when": "data.n != 'no'"}), json!({})).await;
    app.upstream.answers([ok(json!({"value": 1})), status(404), ok(json!({"value": 3}))]).await;
    for n in ["1", "2", "3", "no"] {
        app.filled(json!({"n": n})).await;
    }
    let summary = app.get(ALL).await.expect(200);
    assert_eq!((&summary["total"], summary.get("partial")), (&json!(4), None));
    assert_eq!(counts(&summary, "check"), ["failed: 1", "skipped: 1", "succeeded: 2"]);
    // It agrees with the lists.
    for (status, expected) in [("failed", 1), ("skipped", 1), ("succeeded", 2), ("never_run", 0)] {
        let list = app.get(&format!("/v1/cases?case_type=test&field.check={status}")).await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), expected, "{status}");
    }
    let part = app.get(&format!("{ALL}?field.check=failed")).await.expect(200);
    assert_eq!((&part["total"], &part["partial"]), (&json!(1), &json!(true)));
    assert_eq!(counts(&part, "check"), ["failed: 1"]);
    let part = app.get(&format!("{ALL}?data.n=3")).await.expect(200);
    assert_eq!(counts(&part, "check"), ["succeeded: 1"]);
    app.get("/v1/case-types/nothing/summary").await.expect(404);
    app.get(&format!("{ALL}?case_type=test")).await.expect(400);
}

#[actix_web::test]
async fn a_live_run_is_laid_over_what_the_last_one_left() {
    let app = TestApp::spawn().await;
    app.define_one("/v", json!({"retry": 1}), json!({})).await;
    app.upstream.answers([ok(json!({"value": 1})), status(503), ok(json!({"value": 2}))]).await;
    let case = app.filled(json!({})).await;
    assert_eq!(counts(&app.get(ALL).await.expect(200), "check"), ["succeeded: 1"]);
    let refresh = format!("/v1/cases/{}/fields/check/refresh", case["id"].as_str().unwrap());
    app.post(&refresh, &json!({})).await.expect(202);
    app.drain().await;
    for query in ["", "?status=in_progress"] {
        let summary = app.get(&format!("{ALL}{query}")).await.expect(200);
        assert_eq!(counts(&summary, "check"), ["queued: 1"], "{query}");
    }
    app.advance(secs(60)).await;
    assert_eq!(counts(&app.get(ALL).await.expect(200), "check"), ["succeeded: 1"]);
}

#[actix_web::test]
async fn cached_stale_never_run_and_disabled_are_told() {
    let app = TestApp::spawn().await;
    let cached = json!({"cache_duration": 60});
    app.define_one("/v", cached.clone(), json!({})).await;
    app.upstream.answers([ok(json!({"value": 1}))]).await;
    app.filled(json!({})).await;
    app.filled(json!({})).await;
    let summary = app.get(ALL).await.expect(200);
    assert_eq!(counts(&summary, "check"), ["cached: 1", "succeeded: 2"]);
    app.advance(secs(61)).await;
    for query in ["", "?q=&updated_since=2020-01-01T00:00:00Z"] {
        let summary = app.get(&format!("{ALL}{query}")).await.expect(200);
        assert_eq!(counts(&summary, "check"), ["cached: 1", "stale: 2", "succeeded: 2"], "{query}");
    }
    let list = app.get("/v1/cases?field.check=stale").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let mut later = app.field("/w", json!({"key": "later"}), json!({}));
    later["api_config"]["response_mapping"] = json!({"other": "$.value"});
    let mut off = app.field("/v", cached, json!({}));
    off["enabled"] = json!(false);
    app.define(json!([off, later])).await;
    let summary = app.get(ALL).await.expect(200);
    assert_eq!(counts(&summary, "check"), ["disabled: 2"]);
    assert_eq!(counts(&summary, "later"), ["never_run: 2"]);
}
