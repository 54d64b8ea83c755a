//! How the fields of a case type stand over all of its cases, and over those that filters leave.

use serde_json::{Value, json};

use crate::app::{TestApp, secs};
use crate::audit::tamper;
use crate::database::cluster;
use crate::upstream::{ok, status};
use crate::visitor::Visitor;

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

/// Adds so many newer cases beside one, past Dossier, in which its field has run as in that one.
async fn copy_case(app: &TestApp, reference: &str, copies: u32) {
    let (id, numbers) = match cluster() {
        Some(_) => ("gen_random_uuid()", format!("(SELECT generate_series(1, {copies}) AS n) AS numbers")),
        None => (
            "randomblob(16)",
            format!(
                "(WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {copies}) \
                 SELECT n FROM counted) AS numbers"
            ),
        ),
    };
    tamper(
        app,
        &format!(
            "INSERT INTO cases (id, workspace_id, case_type_id, status, data, provenance, version, revision, \
             created_at, updated_at) SELECT {id}, workspace_id, case_type_id, status, data, provenance, 1, 1, \
             created_at + n, updated_at + n FROM cases, {numbers} WHERE reference = '{reference}'"
        ),
    )
    .await;
    let columns = "field, status, run_id, attempt, attempts_max, cached, fetched_at, case_type_id";
    let ran = columns.split(", ").map(|column| format!("ran.{column}")).collect::<Vec<_>>().join(", ");
    tamper(
        app,
        &format!(
            "INSERT INTO field_state (case_id, {columns}) SELECT cases.id, {ran} FROM cases, field_state AS ran \
             WHERE cases.reference IS NULL AND ran.case_id = (SELECT id FROM cases WHERE reference = '{reference}')"
        ),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_few_cases_in_which_a_field_never_ran_are_found_behind_thousands_of_others() {
    let app = TestApp::spawn().await;
    app.define_one("/v", json!({"trigger": "manual"}), json!({})).await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    let mut ids = Vec::new();
    for reference in ["NEVER-1", "NEVER-2", "NEVER-3", "RAN"] {
        let body = json!({"case_type": "test", "reference": reference});
        let made = app.post("/v1/cases", &body).await.expect(201);
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    app.post(&format!("/v1/cases/{}/fields/check/refresh", ids[3]), &json!({})).await.expect(202);
    app.drain().await;
    // More than a list walks along its order, and more than a part of a summary counts.
    copy_case(&app, "RAN", 10_500).await;

    let references = |list: &Value| {
        let names = list["items"].as_array().unwrap().iter();
        names.map(|case| case["reference"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let list = "/v1/cases?case_type=test&field.check=never_run";
    for sort in ["-created_at", "created_at", "reference", "-updated_at"] {
        let found = app.get(&format!("{list}&sort={sort}&count=true")).await.expect(200);
        let mut names = references(&found);
        names.sort();
        assert_eq!(names, ["NEVER-1", "NEVER-2", "NEVER-3"], "{sort}");
        assert_eq!((&found["total"], &found["next_cursor"]), (&json!(3), &Value::Null), "{sort}");
    }
    let first = app.get(&format!("{list}&sort=reference&limit=2")).await.expect(200);
    let next = first["next_cursor"].as_str().unwrap();
    let second = app.get(&format!("{list}&sort=reference&limit=2&cursor={next}")).await.expect(200);
    assert_eq!([references(&first), references(&second)].concat(), ["NEVER-1", "NEVER-2", "NEVER-3"]);

    // A run that waits or works is no run that has ended, but the case is not one of those any more.
    app.upstream.otherwise(ok(json!({"value": 1})).held());
    app.post(&format!("/v1/cases/{}/fields/check/refresh", ids[0]), &json!({})).await.expect(202);
    app.upstream.wait_for_calls(2).await;
    assert_eq!(
        references(&app.get(&format!("{list}&sort=reference")).await.expect(200)),
        ["NEVER-2", "NEVER-3"]
    );
    let all = app.get(ALL).await.expect(200);
    assert_eq!(counts(&all, "check"), ["never_run: 2", "running: 1", "succeeded: 10501"]);
    let part = app.get(&format!("{ALL}?field.check=never_run")).await.expect(200);
    assert_eq!(
        (&part["total"], &part["partial"], part.get("total_at_least")),
        (&json!(2), &json!(true), None)
    );
    assert_eq!(counts(&part, "check"), ["never_run: 2"]);

    let page = Visitor::of(&app, "viewer").await;
    let page = page.get("/cases?type=test&field.check=never_run").await.says(200, &["NEVER-2", "NEVER-3"]);
    assert!(!page.contains("NEVER-1") && !page.contains(">RAN<"), "{page}");
    app.upstream.release();
    app.drain().await;
}
