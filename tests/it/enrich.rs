//! The main job: a case that fills itself in, whatever the provider does.

use serde_json::{Value, json};

use crate::app::{TestApp, secs};
use crate::upstream::{Reply, ok, status};

#[tokio::test(flavor = "multi_thread")]
async fn a_case_fills_itself_in_on_creation() {
    let app = TestApp::spawn().await;
    app.upstream.on(
        "GET",
        "/check",
        ok(json!({"name": "Acme SA", "address": {"city": "gent"}, "valid": true})),
    );
    app.define(json!([
        {"key": "vat", "type": "text"},
        app.field("/check", json!({}), json!({
            "params": {"vat": "{data.vat}"},
            "headers": {"X-Case": "{case.id}"},
            "response_mapping": {
                "company_name": "$.name",
                "address.city": {"path": "$.address.city", "transform": "value | title"},
                "valid": {"path": "$.valid", "type": "boolean", "required": true},
            },
            "output_variable": "answer",
        })),
    ]))
    .await;
    let case = app.filled(json!({"vat": "BE 0123"})).await;
    assert_eq!(case["data"]["company_name"], "Acme SA");
    assert_eq!(case["data"]["address"]["city"], "Gent");
    assert_eq!(case["data"]["valid"], true);
    assert_eq!(case["data"]["answer"]["name"], "Acme SA");
    let state = &case["fields"]["check"];
    assert_eq!(state["status"], "succeeded", "{state}");
    assert_eq!(state["attempt"], 1);
    assert_eq!(case["settled"], true);
    assert_eq!(case["provenance"]["company_name"]["source"], "run");
    assert_eq!(case["provenance"]["company_name"]["run_id"], state["run_id"]);
    assert_eq!(case["provenance"]["vat"]["source"], "initial");
    let calls = app.upstream.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].query("vat"), Some("BE 0123"));
    assert_eq!(calls[0].header("x-case"), case["id"].as_str());
    let run = app.runs(case["id"].as_str().unwrap()).await.remove(0);
    assert_eq!(run["attempts"][0]["outcome"], "ok");
    assert_eq!(run["attempts"][0]["response"]["status"], 200);
    assert_eq!(run["written"], json!(["company_name", "address.city", "valid", "answer"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn creation_answers_before_the_provider_does() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": 1})).held());
    app.define_one("/check", json!({}), json!({})).await;
    let id = app.create(json!({})).await;
    app.upstream.wait_for_calls(1).await;
    let case = app.case(&id).await;
    assert_eq!(case["fields"]["check"]["status"], "running");
    let etag_running = case["revision"].as_i64().unwrap();
    let patched = app.patch(&format!("/v1/cases/{id}"), &json!({"title": "meanwhile"})).await.expect(200);
    assert_eq!(patched["version"], 2);
    app.upstream.release();
    app.drain().await;
    let case = app.case(&id).await;
    assert_eq!(case["data"]["value"], 1);
    assert_eq!(case["title"], "meanwhile");
    assert!(case["revision"].as_i64().unwrap() > etag_running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_recovers_after_two_bad_answers_under_one_key() {
    let app = TestApp::spawn().await;
    app.upstream.answers([status(503), status(503), ok(json!({"value": 712}))]).await;
    app.define_one("/check", json!({}), json!({"method": "POST", "body": {"a": 1}})).await;
    let id = app.create(json!({})).await;
    app.drain().await;
    let waiting = app.case(&id).await;
    let state = &waiting["fields"]["check"];
    assert_eq!((&state["status"], &state["waiting_for"]), (&json!("queued"), &json!("retry")), "{state}");
    assert_eq!(state["error"]["http_status"], 503);
    assert_eq!(state["error"]["code"], "http_status");
    assert!(state["error"]["message"].as_str().unwrap().contains("We will try again at"), "{state}");
    app.advance(secs(60)).await;
    app.advance(secs(60)).await;
    let case = app.case(&id).await;
    assert_eq!(case["data"]["value"], 712);
    assert_eq!(case["fields"]["check"]["attempt"], 3);
    assert_eq!(case["fields"]["check"]["attempts_max"], 4);
    let keys: Vec<_> =
        app.upstream.calls().iter().map(|call| call.header("idempotency-key").unwrap().to_owned()).collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    let run = app.runs(&id).await.remove(0);
    let outcomes: Vec<_> = run["attempts"].as_array().unwrap().iter().map(|a| a["outcome"].clone()).collect();
    assert_eq!(outcomes, ["failed", "failed", "ok"]);
    assert!(run["attempts"][0]["next"]["at"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_gives_up_after_its_retries_and_keeps_the_last_good_data() {
    let app = TestApp::spawn().await;
    app.upstream.answers([ok(json!({"value": "good"})), status(500), status(500)]).await;
    app.define_one("/check", json!({"retry": 1}), json!({})).await;
    let case = app.filled(json!({})).await;
    let id = case["id"].as_str().unwrap();
    app.post(&format!("/v1/cases/{id}/fields/check/refresh"), &json!({})).await.expect(202);
    app.drain().await;
    app.advance(secs(60)).await;
    let case = app.case(id).await;
    let state = &case["fields"]["check"];
    assert_eq!(state["status"], "failed");
    assert_eq!(case["data"]["value"], "good");
    assert!(state["last_success_at"].is_string() && state["fetched_at"].is_string(), "{state}");
    assert_eq!(state["error"]["retryable"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_input_and_conditions_skip_without_a_call() {
    let app = TestApp::spawn().await;
    let conditional = app.field(
        "/b",
        json!({"key": "conditional", "when": "data.country in ['BE', 'FR']"}),
        json!({"response_mapping": {"b": "$.b"}}),
    );
    app.define(json!([app.field("/a/{data.vat}", json!({}), json!({})), conditional])).await;
    let case = app.filled(json!({"country": "DE"})).await;
    let check = &case["fields"]["check"];
    assert_eq!((&check["status"], &check["reason"]), (&json!("skipped"), &json!("missing_input")));
    assert_eq!(check["missing"], json!(["data.vat"]));
    assert_eq!(check["attempt"], 0, "nobody was asked");
    let conditional = &case["fields"]["conditional"];
    assert_eq!((&conditional["status"], &conditional["reason"]), (&json!("skipped"), &json!("condition")));
    assert_eq!(app.upstream.calls().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_waits_as_long_as_it_is_asked_to_and_uses_up_no_retry() {
    let app = TestApp::spawn().await;
    app.upstream.answers([status(429).header("Retry-After", "120"), ok(json!({"value": 1}))]).await;
    app.define_one("/check", json!({"retry": 0}), json!({})).await;
    let id = app.create(json!({})).await;
    app.drain().await;
    app.advance(secs(119)).await;
    let state = app.case(&id).await["fields"]["check"].clone();
    assert_eq!(
        (&state["status"], &state["waiting_for"]),
        (&json!("queued"), &json!("rate_limit")),
        "{state}"
    );
    app.advance(secs(2)).await;
    let state = app.case(&id).await["fields"]["check"].clone();
    assert_eq!(state["status"], "succeeded", "{state}");
    assert_eq!((&state["attempt"], &state["attempts_max"]), (&json!(2), &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_over_an_hour_ends_the_run_and_says_when_to_come_back() {
    let app = TestApp::spawn().await;
    app.upstream
        .answers([status(429).header("Retry-After", "7200"), status(503).header("Retry-After", "7200")])
        .await;
    app.define_one("/check", json!({}), json!({})).await;
    let case = app.filled(json!({})).await;
    let error = &case["fields"]["check"]["error"];
    assert_eq!((&error["code"], &error["http_status"]), (&json!("rate_limited"), &json!(429)));
    assert_eq!(error["retry_at"], "2026-11-21T11:00:00.000Z");
    // The provider is left alone meanwhile, for an hour at most.
    let id = app.create(json!({})).await;
    app.advance(secs(3599)).await;
    assert_eq!(app.case(&id).await["fields"]["check"]["waiting_for"], "rate_limit");
    app.advance(secs(1)).await;
    let case = app.case(&id).await;
    assert_eq!(case["fields"]["check"]["error"]["code"], "http_status");
    assert!(case["fields"]["check"]["error"]["message"].as_str().unwrap().contains("after 2026-11-21 12:00"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_provider_times_out_by_the_clock() {
    let app = TestApp::spawn().await;
    app.upstream.answers([Reply::never(), ok(json!({"value": 1}))]).await;
    app.define_one("/check", json!({"timeout": 5000}), json!({})).await;
    let id = app.create(json!({})).await;
    app.upstream.wait_for_calls(1).await;
    app.advance(secs(5)).await;
    let state = app.case(&id).await["fields"]["check"].clone();
    assert_eq!((&state["status"], &state["error"]["code"]), (&json!("queued"), &json!("timeout")), "{state}");
    let run = app.runs(&id).await.remove(0);
    assert_eq!(run["attempts"][0]["outcome"], "unknown");
    app.advance(secs(60)).await;
    assert_eq!(app.case(&id).await["data"]["value"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_has_a_code_a_sentence_and_the_providers_words() {
    let app = TestApp::spawn().await;
    let html = Reply::of("text/html", "<p>no</p>");
    let broken = Reply::of("application/json", "{\"a\":");
    let moved = status(302).header("Location", "http://elsewhere.example/x");
    let told = crate::upstream::json(404, json!({"error": {"code": 17, "description": "No such company"}}));
    let wrong = ok(json!({"value": "abc"}));
    let table: [(Reply, Value, &str); 5] = [
        (html, json!({}), "invalid_response"),
        (broken, json!({}), "invalid_response"),
        (moved, json!({}), "redirect_refused"),
        (told, json!({}), "http_status"),
        (
            wrong,
            json!({"response_mapping": {"value": {"path": "$.value", "type": "integer"}}}),
            "mapping_failed",
        ),
    ];
    for (reply, config, code) in table {
        app.upstream.answers([reply]).await;
        app.define_one("/check", json!({"retry": 0}), config).await;
        let case = app.filled(json!({})).await;
        let state = &case["fields"]["check"];
        assert_eq!((&state["status"], &state["error"]["code"]), (&json!("failed"), &json!(code)), "{state}");
        assert!(case["data"].get("value").is_none());
        if code == "http_status" {
            assert_eq!(state["error"]["provider"], json!({"code": "17", "description": "No such company"}));
            assert!(state["error"]["body_excerpt"].as_str().unwrap().contains("No such company"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_fields_that_end_together_both_stand() {
    let app = TestApp::spawn().await;
    let fields: Vec<Value> = (0..8)
        .map(|n| {
            let path = format!("/f{n}");
            app.upstream.on("GET", &path, ok(json!({"v": n})).held());
            let mapping = json!({"response_mapping": {format!("shared.v{n}"): "$.v"}});
            app.field(&path, json!({"key": format!("f{n}")}), mapping)
        })
        .collect();
    app.define(Value::Array(fields)).await;
    let id = app.create(json!({})).await;
    app.upstream.wait_for_calls(8).await;
    app.upstream.release();
    app.drain().await;
    let case = app.case(&id).await;
    let values: Vec<_> = (0..8).map(|n| case["data"]["shared"][format!("v{n}")].clone()).collect();
    assert_eq!(values, (0..8).map(|n| json!(n)).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn success_and_retry_rules_replace_the_status_rules() {
    let app = TestApp::spawn().await;
    app.upstream
        .answers([ok(json!({"ok": false, "message": "busy"})), ok(json!({"ok": true, "value": 5}))])
        .await;
    let rules = json!({"success_when": "body.ok == true", "retry_when": "body.message == 'busy'"});
    app.define_one("/check", json!({}), rules).await;
    let id = app.create(json!({})).await;
    app.drain().await;
    let state = app.case(&id).await["fields"]["check"].clone();
    assert_eq!(
        (&state["status"], &state["error"]["code"]),
        (&json!("queued"), &json!("unsuccessful")),
        "{state}"
    );
    app.advance(secs(60)).await;
    assert_eq!(app.case(&id).await["data"]["value"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_cases_never_change_where_a_call_goes() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise_with(|call| ok(json!({"value": call.path})));
    app.define_one("/a/{data.id}/b", json!({}), json!({})).await;
    for (id, path) in [
        ("x/../../etc", "/a/x%2F..%2F..%2Fetc/b"),
        ("{{ 1 + 1 }}", "/a/%7B%7B%201%20+%201%20%7D%7D/b"),
        ("a?b#c@d:8", "/a/a%3Fb%23c%40d%3A8/b"),
    ] {
        let case = app.filled(json!({"id": id})).await;
        let seen = case["data"]["value"].as_str().unwrap_or_else(|| panic!("{}", case["fields"]));
        assert_eq!(seen.matches('/').count(), 3, "{seen}");
        assert_eq!(seen.to_lowercase().replace("%2b", "+"), path.to_lowercase(), "{id}");
    }
    for id in ["..", "."] {
        let case = app.filled(json!({"id": id})).await;
        assert_eq!(case["fields"]["check"]["error"]["code"], "template_failed", "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refresh_button_makes_a_waiting_retry_due_and_joins_what_has_not_begun() {
    let app = TestApp::spawn().await;
    app.upstream.answers([status(503), status(503), ok(json!({"value": 1})), ok(json!({"value": 2}))]).await;
    let url = app.upstream.url("/check?n={{ input.n | default('none') }}");
    app.define_one("/check", json!({}), json!({"url": url, "method": "POST"})).await;
    let id = app.create(json!({})).await;
    app.drain().await;
    let path = format!("/v1/cases/{id}/fields/check/refresh");
    let begun = app.post(&path, &json!({})).await.expect(202);
    assert_eq!((&begun["trigger"], &begun["attempt"]), (&json!("on_create"), &json!(1)), "{begun}");
    assert_eq!(begun["joined"][0]["trigger"], "manual");
    app.drain().await;
    assert_eq!(app.upstream.calls().len(), 2, "the retry went out without waiting");

    let behind = app.post(&path, &json!({"input": {"n": "a"}})).await.expect(202);
    assert_ne!(behind["id"], begun["id"]);
    app.drain().await;
    let case = app.case(&id).await;
    assert_eq!(case["data"]["value"], 2, "the run behind it ran after it");
    let calls = app.upstream.calls();
    let asked: Vec<_> = calls.iter().map(|call| call.query("n").unwrap()).collect();
    assert_eq!(asked, ["none", "none", "none", "a"]);
    assert_eq!(app.runs(&id).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_too_large_to_keep_fails_the_run_and_writes_nothing() {
    let app = TestApp::spawn_with(&[("LIMITS__OUTPUT_BYTES", "1024")]).await;
    app.upstream.on("GET", "/check", ok(json!({"value": "x".repeat(2000)})));
    app.define_one("/check", json!({}), json!({"output_variable": "answer"})).await;
    let case = app.filled(json!({})).await;
    let error = &case["fields"]["check"]["error"];
    assert_eq!((&error["code"], &error["http_status"]), (&json!("mapping_failed"), &json!(200)), "{error}");
    assert!(error["detail"].as_str().unwrap().contains("at most 1024"), "{error}");
    assert_eq!(case["data"], json!({}));
}
