//! `/metrics` tells what happened in names and numbers, and never of whom.

use serde_json::json;

use crate::app::{MARKER, TestApp, secs};
use crate::upstream::{client, ok, status};

/// All series, read as Prometheus reads them: without a token.
async fn series(app: &TestApp) -> String {
    let answer = client().get(app.url("/metrics")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.headers()["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let text = answer.text().await.unwrap();
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    text
}

/// The number of the series with this name and these labels.
#[track_caller]
fn value<'t>(text: &'t str, series: &str) -> &'t str {
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("{series} is not in\n{text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_retries_are_counted_by_how_they_ended() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/good", ok(json!({"value": 1})));
    app.upstream.on("GET", "/bad", status(404));
    app.upstream.on("GET", "/busy", status(503));
    let secret = json!({"value": MARKER, "hosts": [app.upstream.authority()]});
    app.put("/v1/secrets/key", &secret).await.expect(201);
    let field = |key: &str, path: &str| {
        let mapping = json!({key: "$.value"});
        let config = json!({"params": {"key": "{secret.key}"}, "response_mapping": mapping});
        app.field(path, json!({"key": key, "retry": 1}), config)
    };
    let hopeless =
        app.field("/{data.nothing}", json!({"key": "hopeless"}), json!({"response_mapping": {"d": "$.d"}}));
    app.define(json!([field("good", "/good"), field("bad", "/bad"), field("busy", "/busy"), hopeless])).await;
    let case = app.filled(json!({"customer": "Zyxwvut Ltd"})).await;
    app.advance(secs(60)).await;

    let text = series(&app).await;
    let calls = |labels: &str| value(&text, &format!("dossier_calls_total{{connection=\"none\",{labels}}}"));
    assert_eq!(calls("outcome=\"ok\",code=\"none\""), "1");
    // 404 once; 503 twice, as its one retry was used.
    assert_eq!(calls("outcome=\"failed\",code=\"http_status\""), "3");
    assert_eq!(value(&text, "dossier_retries_total{connection=\"none\",code=\"http_status\"}"), "1");
    for (outcome, count) in [("ok", "1"), ("failed", "3")] {
        let labels = format!("{{connection=\"none\",outcome=\"{outcome}\"}}");
        assert_eq!(value(&text, &format!("dossier_call_duration_seconds_count{labels}")), count);
    }
    let id = case["id"].as_str().unwrap();
    for private in [MARKER, "Zyxwvut", id, &app.upstream.authority(), "/good", "test"] {
        assert!(!text.contains(private), "{private} is in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_for_tokens_are_counted_by_what_they_brought() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": 1})));
    app.upstream.on("POST", "/good", ok(json!({"access_token": "t0ken-1", "expires_in": 3600})));
    app.upstream.on("POST", "/bad", status(400));
    for name in ["good", "bad"] {
        let auth = json!({"type": "oauth2_client_credentials", "token_url": format!("/{name}"), "client_id": "c",
            "client_secret": MARKER});
        let body = json!({"base_url": app.upstream.url(""), "auth": auth});
        app.put(&format!("/v1/connections/{name}"), &body).await.expect(201);
        app.define_one("/", json!({"retry": 0}), json!({"connection": name, "url": "/check"})).await;
        app.filled(json!({})).await;
        app.filled(json!({})).await;
        app.post("/v1/case-types/test/fields/check/test", &json!({"send": true})).await.expect(200);
    }
    let text = series(&app).await;
    let calls =
        |labels: &str| value(&text, &format!("dossier_calls_total{{connection={labels}}}")).to_owned();
    assert_eq!(calls("\"good\",outcome=\"ok\",code=\"token\""), "1", "one token for two runs");
    assert_eq!(calls("\"good\",outcome=\"ok\",code=\"none\""), "2");
    assert_eq!(calls("\"bad\",outcome=\"failed\",code=\"auth_failed\""), "2");
    assert!(!text.contains("\"bad\",outcome=\"ok\""), "{text}");
    for (labels, count) in [("\"good\",outcome=\"ok\"", "3"), ("\"bad\",outcome=\"failed\"", "2")] {
        let series = format!("dossier_call_duration_seconds_count{{connection={labels}}}");
        assert_eq!(value(&text, &series), count);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_read_from_the_database() {
    let app = TestApp::spawn_with(&[("WORKERS__CONCURRENCY", "1")]).await;
    app.upstream.on("GET", "/slow", ok(json!({"value": 1})).held());
    app.define_one("/slow", json!({}), json!({})).await;
    let text = series(&app).await;
    for priority in ["manual", "triggered", "low"] {
        assert_eq!(value(&text, &format!("dossier_queue_depth{{priority=\"{priority}\"}}")), "0");
    }
    assert_eq!(value(&text, "dossier_queue_oldest_seconds"), "0.0");

    app.create(json!({})).await;
    app.upstream.wait_for_calls(1).await;
    app.create(json!({})).await;
    app.move_clock(secs(7));
    app.create(json!({})).await;
    let text = series(&app).await;
    assert_eq!(value(&text, "dossier_queue_depth{priority=\"triggered\"}"), "2");
    assert_eq!(value(&text, "dossier_queue_oldest_seconds"), "7.0");

    app.upstream.on("GET", "/slow", ok(json!({"value": 1})));
    app.upstream.release();
    app.drain().await;
    assert_eq!(value(&series(&app).await, "dossier_queue_depth{priority=\"triggered\"}"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_by_route_not_by_url() {
    let app = TestApp::spawn().await;
    for id in ["0193aaaa-0000-7000-8000-000000000000", "0193aaaa-0000-7000-8000-000000000001", "nonsense"] {
        app.get(&format!("/v1/cases/{id}")).await.expect(404);
    }
    app.get("/v1/cases?limit=5").await.expect(200);
    app.get("/v1/no/such/thing").await.expect(404);
    app.get("/nor/this").await.expect(404);
    app.send(app.request("PURGE", "/v1/cases")).await.expect(405);

    let text = series(&app).await;
    let count = |method: &str, route: &str, status: &str| {
        let name = "dossier_http_server_request_duration_seconds_count";
        value(&text, &format!("{name}{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}"))
    };
    assert_eq!(count("GET", "/v1/cases/{id}", "4xx"), "3");
    assert_eq!(count("GET", "/v1/cases", "2xx"), "1");
    assert_eq!(count("GET", "none", "4xx"), "2");
    assert_eq!(count("other", "/v1/cases", "4xx"), "1");
    for private in ["0193aaaa", "nonsense", "such", "PURGE"] {
        assert!(!text.contains(private), "{private} is in\n{text}");
    }
}
