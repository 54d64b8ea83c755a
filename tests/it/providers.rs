//! What is set on a connection holds for its calls: limits, circuit, hold, the switch.

use serde_json::{Value, json};

use crate::app::{TestApp, secs};
use crate::upstream::{ok, status};

const HOUR: u64 = 3600;

/// Saves the connection `vies` of the provider, and the case type `test` with one field over it.
async fn set_up(app: &TestApp, members: Value) {
    let mut body = json!({"base_url": app.upstream.url("")});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    app.put("/v1/connections/vies", &body).await.expect(201);
    let config = json!({"connection": "vies", "url": "/check"});
    app.define_one("/unused", json!({"retry": 0}), config).await;
    app.upstream.otherwise(ok(json!({"value": 1})));
}

async fn act(app: &TestApp, action: &str) -> Value {
    app.post(&format!("/v1/connections/vies/{action}"), &json!({})).await.expect(200)
}

async fn health(app: &TestApp) -> Value {
    app.get("/v1/connections/vies/health").await.expect(200)
}

/// A case, and its field when all has been done that can be done now.
async fn created(app: &TestApp) -> (String, Value) {
    let id = app.create(json!({})).await;
    app.drain().await;
    let field = field(app, &id).await;
    (id, field)
}

async fn field(app: &TestApp, id: &str) -> Value {
    app.case(id).await["fields"]["check"].clone()
}

async fn refreshed(app: &TestApp, id: &str) -> Value {
    app.post(&format!("/v1/cases/{id}/fields/check/refresh"), &json!({})).await.expect(202);
    app.drain().await;
    field(app, id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_the_switch_automatic_runs_wait_and_manual_ones_fail() {
    let app = TestApp::spawn().await;
    set_up(&app, json!({})).await;
    let (good, _) = created(&app).await;
    assert_eq!(act(&app, "disable").await["status"], "disabled");
    let (waits, state) = created(&app).await;
    assert_eq!((&state["status"], &state["waiting_for"]), (&json!("queued"), &json!("connection")));
    let refused = refreshed(&app, &good).await;
    assert_eq!(
        (&refused["status"], &refused["error"]["code"]),
        (&json!("succeeded"), &json!("connection_disabled"))
    );
    assert_eq!(app.case(&good).await["data"]["value"], 1, "the data stays");
    let queue = health(&app).await;
    assert_eq!((&queue["status"], &queue["queue_depth"]), (&json!("disabled"), &json!(1)));
    assert_eq!(app.upstream.calls().len(), 1);

    act(&app, "enable").await;
    app.drain().await;
    assert_eq!(field(&app, &waits).await["status"], "succeeded");
    let again = refreshed(&app, &good).await;
    assert_eq!((&again["status"], &again["error"]), (&json!("succeeded"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_breaker_opens_after_as_many_failures_as_it_says_and_for_as_long() {
    let app = TestApp::spawn().await;
    set_up(&app, json!({"breaker": {"failures": 2, "open_seconds": 60}})).await;
    app.upstream.otherwise(status(503));
    for failures in 1..=2 {
        created(&app).await;
        assert_eq!(health(&app).await["breaker"]["failures"], failures);
    }
    let breaker = health(&app).await["breaker"].clone();
    assert_eq!(breaker["state"], "open");
    let (_, state) = created(&app).await;
    assert_eq!(
        (&state["waiting_for"], &state["next_attempt_at"]),
        (&json!("circuit"), &breaker["open_until"])
    );
    assert_eq!(app.upstream.calls().len(), 2);
    let series = reqwest::get(app.url("/metrics")).await.unwrap().text().await.unwrap();
    assert!(series.contains("dossier_circuit_state{connection=\"vies\"} 1"), "{series}");

    app.upstream.otherwise(ok(json!({"value": 1})));
    app.advance(secs(59)).await;
    assert_eq!(app.upstream.calls().len(), 2);
    app.advance(secs(1)).await;
    assert_eq!((app.upstream.calls().len(), &health(&app).await["breaker"]["state"]), (3, &json!("closed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_circuit_is_opened_and_closed_by_hand() {
    let app = TestApp::spawn().await;
    set_up(&app, json!({})).await;
    let (good, _) = created(&app).await;
    act(&app, "breaker/open").await;
    let breaker = health(&app).await["breaker"].clone();
    assert_eq!(breaker["state"], "open");
    let (waits, state) = created(&app).await;
    assert_eq!(state["waiting_for"], "circuit");
    let refused = refreshed(&app, &good).await;
    let error = &refused["error"];
    assert_eq!((&refused["status"], &error["code"]), (&json!("succeeded"), &json!("circuit_open")));
    assert_eq!(error["retry_at"], breaker["open_until"]);
    let said = error["message"].as_str().unwrap();
    assert!(
        said.starts_with("Somebody has stopped all calls to ") && said.contains(" after 2026-"),
        "{said}"
    );
    act(&app, "breaker/close").await;
    app.drain().await;
    assert_eq!(field(&app, &waits).await["status"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_hold_it_until_they_change_or_somebody_resumes_it() {
    let app = TestApp::spawn().await;
    let key = |value: &str| json!({"value": value, "hosts": []});
    app.put("/v1/secrets/vies_key", &key("first-credential")).await.expect(201);
    let auth = json!({"auth": {"type": "bearer", "token": "{secret.vies_key}"}});
    set_up(&app, auth.clone()).await;
    let saved = json!({"base_url": app.upstream.url(""), "auth": auth["auth"], "timeout": 5000});
    for mend in ["resume", "secret", "save"] {
        app.upstream.otherwise(status(401));
        for _ in 0..5 {
            created(&app).await;
        }
        let calls = app.upstream.calls().len();
        let (waits, state) = created(&app).await;
        assert_eq!(state["waiting_for"], "connection", "{mend}");
        app.advance(secs(HOUR)).await;
        assert_eq!(app.upstream.calls().len(), calls, "{mend}: nothing goes by itself");

        app.upstream.otherwise(ok(json!({"value": 1})));
        match mend {
            "resume" => drop(act(&app, "resume").await),
            "secret" => drop(app.put("/v1/secrets/vies_key", &key("second-credential")).await.expect(200)),
            _ => drop(app.put("/v1/connections/vies", &saved).await.expect(200)),
        }
        app.drain().await;
        assert_eq!(field(&app, &waits).await["status"], "succeeded", "{mend}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_limit_holds_and_is_lifted_with_the_next_version() {
    let app = TestApp::spawn().await;
    set_up(&app, json!({"rate_limit": {"limit": 1, "period": 600}})).await;
    created(&app).await;
    let (waits, state) = created(&app).await;
    assert_eq!((&state["status"], &state["waiting_for"]), (&json!("queued"), &json!("rate_limit")));
    assert_eq!(app.upstream.calls().len(), 1);
    app.put("/v1/connections/vies", &json!({"base_url": app.upstream.url("")})).await.expect(200);
    app.drain().await;
    assert_eq!(field(&app, &waits).await["status"], "succeeded");
}
