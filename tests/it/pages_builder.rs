//! Case types, connections, schedules and secrets, as pages show them to those who build.

use serde_json::{Value, json};

use crate::app::{MARKER, TestApp};
use crate::upstream::{ok, status};
use crate::visitor::{HOSTILE, Visitor, harmless};

async fn connect(app: &TestApp, key: &str, members: Value) {
    let mut body = json!({"name": "Registry", "base_url": app.upstream.url("/base")});
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    let saved = app.put(&format!("/v1/connections/{key}"), &body).await;
    assert!(matches!(saved.status, 200 | 201), "{}", saved.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_without_anything_say_what_to_do_first() {
    let app = TestApp::spawn().await;
    let (viewer, builder) = (Visitor::of(&app, "viewer").await, Visitor::of(&app, "builder").await);
    viewer.get("/case-types").await.says(200, &["No case type yet", r#"href="/docs""#]);
    viewer.get("/connections").await.says(200, &["No connection yet"]);
    viewer.get("/schedules").await.says(200, &["Nothing runs by schedule"]);
    let secrets = viewer.get("/secrets").await.says(200, &["A builder of your workspace"]);
    assert!(!secrets.contains("type=\"password\""), "{secrets}");
    builder.get("/secrets").await.says(200, &["Add the first one", "type=\"password\""]);
    for nothing in ["/case-types/none", "/connections/none", "/case-types/NONE", "/connections/%3Cb%3E"] {
        viewer.get(nothing).await.says(404, &["There is nothing here"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_type_is_read_in_words() {
    let app = TestApp::spawn().await;
    connect(&app, "registry", json!({})).await;
    let call = json!({
        "key": "check", "type": "api_call", "name": HOSTILE, "trigger": ["on_create", "on_update", "scheduled"],
        "schedule": {"cron": "0 6 * * 1", "timezone": "Europe/Brussels", "older_than": 604_800},
        "when": "data.country == 'BE'", "cache_duration": 3600, "section": "identity",
        "api_config": {
            "connection": "registry", "url": "/check", "params": {"vat": "{data.vat}"},
            "auth": {"type": "bearer", "token": MARKER},
            "response_mapping": {"name": {"path": "$.name", "transform": "value | trim"}},
        },
    });
    let body = json!({
        "name": "Onboarding", "description": HOSTILE, "sections": [{"key": "identity", "name": "Who it is"}],
        "fields": [{"key": "vat", "type": "text", "required": true, "index": true}, call],
    });
    app.put("/v1/case-types/test", &body).await.expect(201);
    app.put(
        "/v1/case-types/test",
        &json!({"name": "Onboarding 2", "fields": body["fields"], "sections": body["sections"]}),
    )
    .await
    .expect(200);
    let viewer = Visitor::of(&app, "viewer").await;
    viewer.get("/case-types").await.says(200, &["Onboarding 2", "1 plain, 1 fetch"]);
    let page = viewer.get("/case-types/test").await.says(
        200,
        &[
            "when a case is made, when a watched value changes, by schedule",
            "<code>vat</code>",
            "inferred from what it reads",
            "every Monday at 06:00",
            "only where the data is older than 7 days",
            "23 Nov 2026, 05:00",
            "data.country == &#39;BE&#39;",
            r#"href="/connections/registry""#,
            "a bearer token",
            "3, so 4 attempts at most",
            "$.name",
            "transform: value | trim",
            "required; quick to filter by",
            r#"<span class="hidden-part">[hidden]</span>"#,
            "the token configured admin",
            "data-copies=\"definition\"",
        ],
    );
    harmless(&page);
    assert!(page.len() < 200_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_doubtful_by_now_is_told() {
    let app = TestApp::spawn().await;
    let secret = json!({"value": MARKER, "hosts": ["elsewhere.example"]});
    app.put("/v1/secrets/token", &secret).await.expect(201);
    app.define_one("/a", json!({}), json!({"headers": {"X-Key": "{secret.token}"}})).await;
    let viewer = Visitor::of(&app, "viewer").await;
    viewer.get("/case-types/test").await.says(200, &["What is doubtful", "/fields/0/api_config"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_great_case_type_is_cut_and_says_so() {
    let app = TestApp::spawn().await;
    let mapping: Value = (0..100)
        .map(|n| (format!("a.target_number_{n}"), json!("$.a")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let field = |n: usize| {
        let mapping: serde_json::Map<_, _> = mapping
            .as_object()
            .unwrap()
            .keys()
            .map(|key| (key.replacen("a.", &format!("f{n}."), 1), json!("$.a")))
            .collect();
        let mut field = app.field("/a", json!({"key": format!("f{n}"), "trigger": "manual"}), json!({}));
        field["api_config"]["response_mapping"] = mapping.into();
        field
    };
    app.define((0..60).map(field).collect()).await;
    let viewer = Visitor::of(&app, "viewer").await;
    let page = viewer.get("/case-types/test").await.says(200, &["Further fields stand in the JSON only"]);
    assert!(page.len() < 200_000, "{} bytes", page.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_switched_by_builders_and_tested_as_a_checklist() {
    let app = TestApp::spawn().await;
    connect(&app, "registry", json!({"description": HOSTILE, "auth": {"type": "bearer", "token": MARKER}}))
        .await;
    app.define_one("/check", json!({"retry": 0}), json!({"connection": "registry", "url": "/check"})).await;
    app.upstream.on("GET", "/base/check", status(404));
    app.filled(json!({})).await;
    let (operator, builder) = (Visitor::of(&app, "operator").await, Visitor::of(&app, "builder").await);
    operator.get("/connections").await.says(200, &["Registry", "Set up, not tried yet", "1 field"]);
    let url = "/connections/registry";
    let read = operator.get(url).await.says(
        200,
        &[
            "Closed: calls go",
            "after 5 failures in a row, for 30 s",
            "a bearer token",
            "test.check",
            "Last runs",
            "0 %",
        ],
    );
    assert!(!read.contains("/disable") && !read.contains("/test\""), "{read}");
    harmless(&read);

    operator.post("/connections/registry/disable", &[]).await.says(403, &["It needs the role builder"]);
    builder
        .bare("/connections/registry/disable", &[], None)
        .await
        .says(403, &["not sent from a page of ours"]);
    for (action, done, says) in [
        ("disable", "disabled", "Switched off"),
        ("enable", "enabled", "Active"),
        ("breaker/open", "opened", "Open: no call goes"),
        ("breaker/close", "closed", "Closed: calls go"),
        ("resume", "resumed", "The connection goes on."),
    ] {
        let place = format!("{url}?done={done}");
        builder.post(&format!("{url}/{action}"), &[]).await.goes_to(&place);
        builder.get(&place).await.says(200, &[says, "role=\"status\""]);
    }
    builder.post("/connections/none/enable", &[]).await.says(404, &[]);

    app.upstream.on("GET", "/base", ok(json!({"echo": MARKER, "html": HOSTILE})));
    operator.post(&format!("{url}/test"), &[]).await.says(403, &[]);
    let tested = builder.post(&format!("{url}/test"), &[]).await.says(
        200,
        &[
            "Is there a way to the provider?",
            "May they go there?".to_lowercase().as_str(),
            "Name look-up",
            "Mapping",
            "200",
            "[hidden]",
        ],
    );
    assert_eq!(tested.matches("<li><strong>").count(), 11, "{tested}");
    harmless(&tested);
    builder.post(&format!("{url}/test"), &[("endpoint", "none")]).await.says(422, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_are_run_by_operators_and_held_by_builders() {
    let app = TestApp::spawn().await;
    let schedule = json!({"trigger": ["scheduled"], "schedule": {"cron": "*/15 * * * *"}});
    app.define_one("/a", schedule, json!({})).await;
    let list = app.get("/v1/schedules").await.expect(200);
    let url = format!("/schedules/{}", list["items"][0]["id"].as_str().unwrap());
    let (viewer, operator) = (Visitor::of(&app, "viewer").await, Visitor::of(&app, "operator").await);
    let builder = Visitor::of(&app, "builder").await;
    let read = viewer.get("/schedules").await.says(200, &["every 15 minutes", "UTC", "Active", "in 15 min"]);
    assert!(!read.contains("/run\""), "{read}");
    viewer.post(&format!("{url}/run"), &[]).await.says(403, &["operator"]);
    operator.post(&format!("{url}/run"), &[]).await.goes_to("/schedules?done=begun");
    app.tick().await;
    app.drain().await;
    assert!(!operator.get("/schedules").await.html.contains("/pause\""));
    operator.post(&format!("{url}/pause"), &[]).await.says(403, &["builder"]);
    builder.post(&format!("{url}/pause"), &[]).await.goes_to("/schedules?done=paused");
    builder
        .get("/schedules?done=paused")
        .await
        .says(200, &["Paused", "none to come", "/resume\"", "The schedule is paused."]);
    builder.post(&format!("{url}/resume"), &[]).await.goes_to("/schedules?done=resumed");
    builder.post(&format!("{url}/delete"), &[]).await.says(404, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_goes_in_and_never_comes_out() {
    let app = TestApp::spawn().await;
    let (operator, builder) = (Visitor::of(&app, "operator").await, Visitor::of(&app, "builder").await);
    let form = |name, value, hosts| [("name", name), ("value", value), ("hosts", hosts), ("redact", "true")];
    operator.post("/secrets", &form("token", MARKER, "")).await.says(403, &["builder"]);
    builder.bare("/secrets", &form("token", MARKER, ""), None).await.says(403, &[]);

    // `Visitor` refuses every page that holds the marker.
    let wrong = builder.post("/secrets", &form("No name", MARKER, HOSTILE)).await;
    harmless(&wrong.says(422, &["value=\"No name\"", "is not a valid name"]));
    builder
        .post("/secrets", &form("token", "short", ""))
        .await
        .says(422, &["value=\"token\"", "aria-invalid"]);
    builder.post("/secrets", &form("token", MARKER, "https://a/b")).await.says(422, &["is not a host"]);
    let host = app.upstream.authority();
    let hosts = format!("{host}\r\nb.example");
    builder.post("/secrets", &form("token", MARKER, &hosts)).await.goes_to("/secrets?done=saved");
    builder
        .get("/secrets?done=saved")
        .await
        .says(200, &["The secret is saved.", "b.example", "nobody", "/secrets/token/delete"]);
    builder
        .post("/secrets", &form("token", MARKER, ""))
        .await
        .says(422, &["There is a secret with this name already"]);

    builder
        .get("/secrets?replace=token")
        .await
        .says(200, &["Replace the value of", "b.example", "name=\"replaces\""]);
    let replaced = [&form("token", MARKER, &host)[..], &[("replaces", "true")]].concat();
    builder.post("/secrets", &replaced).await.goes_to("/secrets?done=replaced");
    app.define_one("/a", json!({}), json!({"headers": {"X-Key": "{secret.token}"}})).await;
    let used = builder.get("/secrets").await.says(200, &["test.check", "version 2"]);
    assert!(!used.contains("/secrets/token/delete") && !used.contains("b.example"), "{used}");
    builder.post("/secrets/token/delete", &[]).await.says(409, &["is used by test"]);
    app.define_one("/a", json!({}), json!({})).await;
    operator.post("/secrets/token/delete", &[]).await.says(403, &[]);
    builder.post("/secrets/token/delete", &[]).await.goes_to("/secrets?done=deleted");
    builder.get("/secrets").await.says(200, &["No secret yet"]);
}
