//! The history of runs, and each run with its attempts, as pages show them.

use serde_json::{Value, json};

use crate::app::{MARKER, TestApp, secs};
use crate::upstream::{Reply, json as reply, ok, status};
use crate::visitor::{HOSTILE, Visitor, harmless};

async fn case(app: &TestApp, reference: &str, data: Value) -> String {
    let body = json!({"case_type": "test", "reference": reference, "title": "Acme SA", "data": data});
    let made = app.post("/v1/cases", &body).await.expect(201);
    app.drain().await;
    made["id"].as_str().unwrap().to_owned()
}

async fn run_of(app: &TestApp, case: &str) -> String {
    format!("/runs/{}", app.runs(case).await[0]["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_empty_first_then_filtered_and_paged() {
    let app = TestApp::spawn().await;
    let viewer = Visitor::of(&app, "viewer").await;
    viewer.get("/runs").await.says(200, &["Nothing has run yet", r#"href="/cases""#]);

    app.define_one("/a", json!({"retry": 0}), json!({})).await;
    app.upstream.on("GET", "/a", reply(404, json!({"error": {"description": "no such company"}})));
    let failed = case(&app, "KYB-1", json!({})).await;
    app.upstream.on("GET", "/a", ok(json!({"value": 5})));
    for number in 2..=60 {
        case(&app, &format!("KYB-{number}"), json!({})).await;
    }
    let first = viewer.get("/runs").await.says(200, &["KYB-60", "Succeeded", "Acme SA", "Older runs"]);
    assert!(!first.contains("KYB-1<") && !first.contains("Run again"), "{first}");
    let (_, rest) = first.split_once(r#"rel="next" href=""#).unwrap();
    let next = rest.split_once('"').unwrap().0.replace("&#38;", "&");
    let second = viewer.get(&next).await.says(200, &["KYB-1<", "Newest runs", "no such company"]);
    assert!(!second.contains("KYB-60<") && !second.contains("Older runs"), "{second}");

    let filtered = viewer.get("/runs?status=failed&error=http_status&since=2026-11-21").await;
    let filtered =
        filtered.says(200, &["KYB-1<", r#"<option value="failed" selected>"#, "remove the filter Status"]);
    assert!(!filtered.contains("KYB-2<"), "{filtered}");
    viewer
        .get(&format!("/runs?case={failed}&trigger=scheduled"))
        .await
        .says(200, &["No run fits these filters"]);
    for (wrong, why) in [
        ("status=done", "Choose one from the list."),
        ("case=1", "This is not an id"),
        ("since=yesterday", "Write a day like"),
        ("field=%3Cscript%3Ealert", "A name here"),
    ] {
        let page = viewer.get(&format!("/runs?{wrong}")).await.says(422, &[why]);
        assert!(!page.contains("KYB-"), "a wrong filter shows nothing: {page}");
        harmless(&page);
    }
    viewer.get("/runs?cursor=nonsense").await.says(400, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_shows_each_attempt_with_what_was_masked_in_it() {
    let app = TestApp::spawn().await;
    let secret = json!({"value": MARKER, "hosts": [app.upstream.authority()]});
    app.put("/v1/secrets/vies_token", &secret).await.expect(201);
    let config = json!({
        "auth": {"type": "bearer", "token": "{secret.vies_token}"}, "method": "POST",
        "body": {"vat": "{data.vat}"}, "headers": {"Idempotency-Key": "k"},
        "response_mapping": {"value": "$.value", "kept": {"path": "$.none", "on_missing": "keep"}},
    });
    app.define_one("/a", json!({"retry": 2}), config).await;
    let answer = json!({"value": 12_345_678_901_234_567_u64, "echo": MARKER, "deep": [{"a": HOSTILE}]});
    app.upstream.answers([status(503), ok(answer)]).await;
    let id = case(&app, "KYB-1", json!({"vat": HOSTILE})).await;
    app.advance(secs(60)).await;
    let url = run_of(&app, &id).await;

    let viewer = Visitor::of(&app, "viewer").await;
    let page = viewer.get(&url).await.says(
        200,
        &[
            "Attempt 1",
            "Attempt 2",
            "Succeeded",
            "503",
            "Next attempt",
            r#"<span class="hidden-part">[secret vies_token]</span>"#,
            "12345678901234567",
            "Where the time went",
            "KYB-1",
            "2 of 3",
            "$.value",
            "written",
            "left as it was",
            r#"href="/runs?secret=vies_token""#,
        ],
    );
    harmless(&page);
    assert!(!page.contains("/retry") && !page.contains("data-events"), "{page}");
    let file = viewer.get(&format!("{url}/attempts/2/response")).await.says(200, &["[secret vies_token]"]);
    assert!(file.starts_with('{'), "{file}");
    for wrong in ["/attempts/9/response", "/attempts/1/response", "/attempts/2/both"] {
        viewer.get(&format!("{url}{wrong}")).await.says(404, &[]);
    }
    for wrong in ["/runs/1", "/runs/0193e0a0-0000-7000-8000-000000000000"] {
        viewer.get(wrong).await.says(404, &["There is nothing here"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_failed_says_why_and_what_is_long_is_cut() {
    let app = TestApp::spawn().await;
    app.define_one(
        "/a",
        json!({"retry": 0}),
        json!({"response_mapping": {"value": {"path": "$.value", "type": "integer"}}}),
    )
    .await;
    let rows: Vec<Value> = (0..20_000).map(|_| json!({"html": "<b>&</b>"})).collect();
    let body = json!({"value": HOSTILE, "rows": rows}).to_string();
    let headers = (0..50).fold(Reply::of("application/json", body.clone()), |reply, number| {
        reply.header(&format!("x-{number}"), &"<".repeat(500))
    });
    app.upstream.answers([headers]).await;
    let id = case(&app, HOSTILE, json!({})).await;
    let url = run_of(&app, &id).await;
    let viewer = Visitor::of(&app, "viewer").await;
    let page = viewer.get(&url).await.says(
        200,
        &[
            "mapping_failed",
            "does not fit the fields of this case",
            "This is the beginning of it.",
            "expected integer",
        ],
    );
    harmless(&page);
    assert!(page.len() < 200_000, "{} bytes", page.len());
    let file = viewer.get(&format!("{url}/attempts/1/response")).await.says(200, &[]);
    assert_eq!(file, body);
    harmless(&viewer.get("/runs").await.says(200, &["Failed"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_repeated_and_cancelled_by_forms_of_ours_only() {
    let app = TestApp::spawn().await;
    app.define_one("/a", json!({"retry": 3}), json!({})).await;
    app.upstream.otherwise(status(503));
    let id = case(&app, "KYB-1", json!({})).await;
    let url = run_of(&app, &id).await;
    let (viewer, operator) = (Visitor::of(&app, "viewer").await, Visitor::of(&app, "operator").await);

    let waiting = viewer.get(&url).await.says(200, &["Try 2 of 4", "data-events"]);
    assert!(!waiting.contains("<form method=\"post\" action=\"/runs"), "{waiting}");
    operator.get(&url).await.says(200, &[&format!("action=\"{url}/cancel\"")]);

    viewer.post(&format!("{url}/cancel"), &[]).await.says(403, &["It needs the role operator"]);
    operator.bare(&format!("{url}/cancel"), &[], None).await.says(403, &["not sent from a page of ours"]);
    let csrf = [("csrf", operator.csrf.as_str())];
    operator.bare(&format!("{url}/cancel"), &csrf, Some("https://evil.example")).await.says(403, &[]);
    operator.post(&format!("{url}/retry"), &[]).await.says(409, &["has not ended"]);

    let back = [("back", "/runs?status=queued#row")];
    operator.post(&format!("{url}/cancel"), &back).await.goes_to("/runs?status=queued&done=cancelled#row");
    operator.get(&format!("{url}?done=cancelled")).await.says(200, &["The run was cancelled.", "Cancelled"]);
    operator.post(&format!("{url}/cancel"), &back).await.says(409, &["nothing to cancel"]);

    for back in ["//evil.example", "/\\evil.example", "https://evil.example"] {
        let repeated = operator.post(&format!("{url}/retry"), &[("back", back), ("new_key", "true")]).await;
        assert!(repeated.location.starts_with("/runs/") && repeated.location.ends_with("?done=retried"));
        let again = repeated.location.trim_end_matches("?done=retried").to_owned();
        operator.get(&repeated.location).await.says(200, &["A new run was queued.", "an earlier run", &url]);
        operator.post(&format!("{again}/cancel"), &[]).await.goes_to(&format!("{again}?done=cancelled"));
    }
    app.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_who_fired_it() {
    let app = TestApp::spawn().await;
    app.define_one("/a", json!({"retry": 0}), json!({})).await;
    app.upstream.otherwise(ok(json!({"value": 5})));
    let id = case(&app, "KYB-1", json!({})).await;
    let operator = Visitor::of(&app, "operator").await;
    let made = operator.post(&format!("/cases/{id}/fields/check/refresh"), &[]).await;
    assert_eq!(made.status, 303, "{}", made.html);
    app.drain().await;
    operator.get(&run_of(&app, &id).await).await.says(200, &["Refreshed by operator"]);
    let list = operator.get("/runs").await.says(200, &["By hand", ">by operator<", ">by configured admin<"]);
    harmless(&list);
    // Whoever is deleted with a case is forgotten with it.
    app.delete(&format!("/v1/cases/{id}")).await;
    let list = operator.get("/runs").await.says(200, &["a deleted case", "By hand", "Case made"]);
    assert!(!list.contains(">by "), "{list}");
}
