//! Answers are kept and calls shared where a field asks for it: never for another request, never
//! after a purge, and every value says that it came from there.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::app::{Answer, MARKER, TestApp, secs};
use crate::hostile::stranger;
use crate::upstream::{Call, Reply, client, ok, status};

/// Answers each call with its number: 1, 2, …
fn numbered(app: &TestApp, path: &str) {
    let calls = AtomicUsize::new(0);
    app.upstream.on_with("*", path, move |_| ok(json!({"value": calls.fetch_add(1, Ordering::SeqCst) + 1})));
}

/// An hour's cache, beside what else the field shall say.
fn hour() -> Value {
    json!({"cache_duration": 3600})
}

/// The case type `test` with one field that is cached for an hour.
async fn cached(config: Value) -> TestApp {
    let app = TestApp::spawn().await;
    numbered(&app, "/check");
    app.define_one("/check", hour(), config).await;
    app
}

/// What a new case has in `data.value`.
async fn value(app: &TestApp, data: Value) -> Value {
    let mut case = app.filled(data).await;
    assert_eq!(case["fields"]["check"]["status"], "succeeded", "{}", case["fields"]);
    case["data"]["value"].take()
}

async fn run(app: &TestApp, case: &Value) -> Value {
    app.runs(case["id"].as_str().unwrap()).await.remove(0)
}

async fn purge(app: &TestApp, query: &str) -> Answer {
    app.delete(&format!("/v1/cache{query}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_equal_requests_make_one_call() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": 7})).held());
    app.define_one("/check", hour(), json!({})).await;
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(app.create(json!({})).await);
    }
    app.upstream.wait_for_calls(1).await;
    app.upstream.release();
    app.drain().await;
    assert_eq!(app.upstream.calls().len(), 1);
    let (mut askers, mut sources) = (Vec::new(), Vec::new());
    for id in ids {
        let run = app.runs(&id).await.remove(0);
        assert_eq!((&run["status"], &app.case(&id).await["data"]["value"]), (&json!("succeeded"), &json!(7)));
        if run["cached"] == true {
            assert_eq!((&run["attempts"], &run["attempt"]), (&json!([]), &json!(0)));
            sources.push(run["cached_from"].clone());
        } else {
            askers.push(run["id"].clone());
        }
    }
    assert_eq!((askers.len(), sources.len()), (1, 99));
    assert!(sources.iter().all(|source| *source == askers[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_equal_requests_without_a_cache_make_a_hundred_calls() {
    let app = TestApp::spawn().await;
    numbered(&app, "/check");
    app.define_one("/check", json!({}), json!({"method": "POST", "body": {"same": true}})).await;
    for _ in 0..100 {
        app.create(json!({})).await;
    }
    app.drain().await;
    let calls = app.upstream.calls();
    assert_eq!(calls.len(), 100);
    let mut keys: Vec<_> = calls.iter().filter_map(|call| call.header("idempotency-key")).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cached_answer_says_so_everywhere() {
    let app = cached(json!({"output_variable": "answer"})).await;
    let first = app.filled(json!({})).await;
    let asked = run(&app, &first).await;
    assert_eq!((&asked["cached"], &asked["cached_from"]), (&json!(false), &Value::Null));
    assert_eq!(first["fields"]["check"]["cached"], false);
    app.advance(secs(60)).await;
    let second = app.filled(json!({})).await;
    assert_eq!(app.upstream.calls().len(), 1);
    assert_eq!(second["data"], first["data"]);
    let run = run(&app, &second).await;
    assert_eq!(run["status"], "succeeded");
    assert_eq!((&run["cached"], &run["cached_from"]), (&json!(true), &asked["id"]));
    assert_eq!((&run["attempt"], &run["attempts"]), (&json!(0), &json!([])));
    assert_eq!(run["written"], json!(["value", "answer"]));
    let (state, before) = (&second["fields"]["check"], &first["fields"]["check"]);
    assert_eq!(state["cached"], true);
    assert_eq!(state["fetched_at"], before["fetched_at"], "the original call's time");
    assert_eq!((&state["attempt"], &state["last_attempt_at"]), (&json!(0), &Value::Null));
    assert_ne!(state["last_success_at"], before["last_success_at"]);
    for path in ["value", "answer"] {
        let entry = &second["provenance"][path];
        assert_eq!((&entry["cached"], &entry["source"]), (&json!(true), &json!("run")), "{entry}");
        assert_eq!((&entry["fetched_at"], &entry["run_id"]), (&state["fetched_at"], &run["id"]));
        assert_eq!(entry["at"], state["last_success_at"], "{entry}");
        assert_eq!(first["provenance"][path]["cached"], false);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_kept_until_its_time_is_over() {
    let app = cached(json!({})).await;
    let first = app.filled(json!({})).await;
    let id = first["id"].as_str().unwrap();
    app.advance(secs(3599)).await;
    app.post(&format!("/v1/cases/{id}/fields/check/refresh"), &json!({})).await.expect(202);
    app.drain().await;
    let state = &app.case(id).await["fields"]["check"];
    assert_eq!(state["last_attempt_at"], first["fields"]["check"]["last_attempt_at"], "nobody was asked");
    assert_ne!(state["last_success_at"], first["fields"]["check"]["last_success_at"]);
    assert_eq!(state["cached"], true);
    app.advance(secs(1)).await;
    assert_eq!(value(&app, json!({})).await, 2);
    assert_eq!(value(&app, json!({})).await, 2, "the new one is kept in turn");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_takes_no_answer_older_than_it_likes() {
    let app = TestApp::spawn().await;
    numbered(&app, "/check");
    let field = |key: &str, seconds: u64| {
        let mapping = json!({"response_mapping": {key: "$.value"}});
        let own = json!({"key": key, "cache_duration": seconds, "trigger": "manual"});
        app.field("/check", own, mapping)
    };
    app.define(json!([field("long", 3600), field("short", 10)])).await;
    let id = app.create(json!({})).await;
    for (wait, key, expected) in
        [(0, "long", 1), (9, "short", 1), (1, "short", 2), (5, "long", 2), (5, "long", 3), (60, "long", 3)]
    {
        app.advance(secs(wait)).await;
        app.post(&format!("/v1/cases/{id}/fields/{key}/refresh"), &json!({})).await.expect(202);
        app.drain().await;
        assert_eq!(app.case(&id).await["data"][key], expected, "{key} after {wait} s more");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_credentials_on_one_url_never_share() {
    let app = TestApp::spawn().await;
    let hosts = json!([app.upstream.authority()]);
    for name in ["one", "two", "same_as_one"] {
        let value = format!("value-of-{}", if name == "two" { "two" } else { "one" });
        app.put(&format!("/v1/secrets/{name}"), &json!({"value": value, "hosts": hosts})).await.expect(201);
    }
    let header = |value: &str| json!({"type": "api_key", "key": "X-Key", "value": value, "in": "header"});
    let requests = [
        json!({}),
        json!({"auth": {"type": "none"}, "headers": {"X-Key": "typed-in-one"}}),
        json!({"auth": header("typed-in-one")}),
        json!({"auth": header("typed-in-two")}),
        json!({"auth": {"type": "bearer", "token": "typed-in-one"}}),
        json!({"auth": {"type": "bearer", "token": "{secret.one}"}}),
        json!({"auth": {"type": "bearer", "token": "{secret.two}"}}),
        json!({"auth": {"type": "bearer", "token": "{secret.same_as_one}"}}),
        json!({"auth": {"type": "basic", "username": "ab", "password": "c"}}),
        json!({"auth": {"type": "basic", "username": "a", "password": "bc"}}),
        json!({"headers": {"X-Key": "{secret.one}"}}),
        json!({"headers": {"X-Key": "{secret.two}"}}),
        json!({"headers": {"X-Key": "{secret.same_as_one}"}}),
        json!({"headers": {"Authorization": "Bearer {data.token}"}}),
    ];
    numbered(&app, "/check");
    let fields = |requests: &[Value]| -> Value {
        let make = |(n, config): (usize, &Value)| {
            let mut config = config.clone();
            config["response_mapping"] = json!({format!("got.f{n}"): "$.value"});
            app.field("/check", json!({"key": format!("f{n}"), "cache_duration": 3600}), config)
        };
        requests.iter().enumerate().map(make).collect()
    };
    app.define(fields(&requests)).await;
    app.filled(json!({"token": "a"})).await;
    assert_eq!(app.upstream.calls().len(), requests.len());
    app.filled(json!({"token": "a"})).await;
    assert_eq!(app.upstream.calls().len(), requests.len(), "each is kept for itself");
    app.filled(json!({"token": "b"})).await;
    assert_eq!(app.upstream.calls().len(), requests.len() + 1, "the typed header alone is another one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_secret_never_gets_an_old_answer() {
    let app = TestApp::spawn().await;
    let put = async |value: &str, hosts: Value| {
        app.put("/v1/secrets/marker", &json!({"value": value, "hosts": hosts})).await
    };
    let here = json!([app.upstream.authority()]);
    put(MARKER, here.clone()).await.expect(201);
    app.upstream.on_with("GET", "/check", |call: &Call| {
        let key = call.header("x-key").unwrap().to_owned();
        ok(json!({"value": {"echo": key, "key": key.len()}}))
    });
    app.define_one("/check", hour(), json!({"headers": {"X-Key": "{secret.marker}"}})).await;
    let shown = json!({"echo": "[secret marker]", "key": MARKER.len()});
    assert_eq!(value(&app, json!({})).await, shown);
    assert_eq!(value(&app, json!({})).await, shown, "redacted in the cache as well");
    assert_eq!(app.upstream.calls().len(), 1);
    put("another-value", here).await.expect(200);
    assert_eq!(value(&app, json!({})).await["key"], "another-value".len());
    put("another-value", json!(["elsewhere.example"])).await.expect(200);
    let refused = app.filled(json!({})).await;
    assert_eq!(refused["fields"]["check"]["error"]["code"], "secret_not_allowed");
    assert_eq!(app.upstream.calls().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_request_makes_a_call_and_an_equal_one_does_not() {
    let app = cached(json!({
        "method": "POST",
        "headers": {"X-One": "{data.header}", "Accept": "application/json"},
        "params": {"q": "{data.query}"},
        "body": {"x": "{data.body}"},
    }))
    .await;
    let data =
        |header: &str, query: &str, body: Value| json!({"header": header, "query": query, "body": body});
    for (header, query, body, expected) in [
        ("a", "b", json!("c"), 1),
        ("a", "b", json!("c"), 1),
        ("x", "b", json!("c"), 2),
        ("a", "x", json!("c"), 3),
        ("a", "b", json!("x"), 4),
        ("a", "b", json!(1), 5),
        ("a", "b", json!("1"), 6),
        ("x", "b", json!("c"), 2),
        ("a", "b", json!("c"), 1),
    ] {
        assert_eq!(value(&app, data(header, query, body.clone())).await, expected, "{header} {query} {body}");
    }
    // Written in another way, it is the same request; another method or address is none.
    let request = |method: &str, path: &str| {
        json!({
            "url": app.upstream.url(path), "method": method,
            "headers": {"accept": "application/json", "x-one": "{data.header}"},
            "params": {"q": "{data.query}"}, "body": {"x": "{data.body}"},
        })
    };
    numbered(&app, "/other");
    for (method, path, expected) in [("POST", "/check", 1), ("PUT", "/check", 7), ("POST", "/other", 1)] {
        app.define_one(path, hour(), request(method, path)).await;
        assert_eq!(value(&app, data("a", "b", json!("c"))).await, expected, "{method} {path}");
    }
    assert_eq!(app.upstream.calls().len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_idempotency_key_is_no_part_of_a_request() {
    let app = cached(json!({"method": "POST", "body": {"a": 1}})).await;
    assert_eq!(value(&app, json!({})).await, 1);
    assert_eq!(value(&app, json!({})).await, 1);
    let own = json!({"method": "POST", "body": {"a": 2}, "headers": {"x-Idempotency-Key": "{run.id}"}});
    app.define_one("/check", hour(), own).await;
    assert_eq!(value(&app, json!({})).await, 2);
    assert_eq!(value(&app, json!({})).await, 2);
    let sent = app.upstream.calls();
    assert!(sent[0].header("idempotency-key").is_some() && sent[1].header("x-idempotency-key").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_reaches_what_it_names_and_nothing_else() {
    let app = TestApp::spawn().await;
    numbered(&app, "/a");
    numbered(&app, "/b");
    let field = |key: &str| {
        let mapping = json!({"response_mapping": {key: "$.value"}});
        app.field(&format!("/{key}"), json!({"key": key, "cache_duration": 3600}), mapping)
    };
    app.define(json!([{"key": "note", "type": "text"}, field("a"), field("b")])).await;
    let other = json!({"key": "other", "fields": [field("a")]});
    app.put("/v1/case-types/other", &other).await.expect(201);
    let seen = async |case_type: &str| {
        let body = json!({"case_type": case_type, "data": {}});
        let id = app.post("/v1/cases", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
        app.drain().await;
        app.case(&id).await["data"].clone()
    };
    assert_eq!(seen("test").await, json!({"a": 1, "b": 1}));
    assert_eq!(seen("other").await, json!({"a": 1}), "two case types share one answer");
    for (query, test, other) in [
        ("?case_type=test&field=a", json!({"a": 2, "b": 1}), json!({"a": 1})),
        ("?case_type=test", json!({"a": 3, "b": 2}), json!({"a": 1})),
        ("?case_type=other&field=a", json!({"a": 3, "b": 2}), json!({"a": 4})),
        ("", json!({"a": 5, "b": 3}), json!({"a": 5})),
    ] {
        purge(&app, query).await.expect(204);
        assert_eq!((seen("test").await, seen("other").await), (test.clone(), other.clone()), "{query}");
        assert_eq!((seen("test").await, seen("other").await), (test, other), "{query}, kept again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_of_what_is_not_there_is_refused() {
    let app = TestApp::spawn().await;
    app.define(json!([{"key": "note", "type": "text"}, app.field("/check", hour(), json!({}))])).await;
    for (query, status, code) in [
        ("?field=check", 400, "malformed_request"),
        ("?case_type=Test", 400, "malformed_request"),
        ("?case=test", 400, "malformed_request"),
        ("?case_type=none", 404, "not_found"),
        ("?case_type=test&field=none", 404, "not_found"),
        ("?case_type=test&field=note", 404, "not_found"),
        ("?connection=vies", 404, "not_found"),
    ] {
        let answer = purge(&app, query).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{query}: {}", answer.body);
    }
    for (role, status) in [("viewer", 403), ("operator", 403), ("builder", 204)] {
        let made = app.post("/v1/tokens", &json!({"name": role, "role": role})).await.expect(201);
        let request = client().delete(app.url("/v1/cache")).bearer_auth(made["token"].as_str().unwrap());
        assert_eq!(app.send(request).await.status, status, "{role}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn force_asks_and_keeps_the_new_answer() {
    let app = cached(json!({})).await;
    let case = app.filled(json!({})).await;
    let id = case["id"].as_str().unwrap();
    let path = format!("/v1/cases/{id}/fields/check/refresh");
    app.advance(secs(1)).await;
    app.post(&path, &json!({"force": true})).await.expect(202);
    app.drain().await;
    let forced = app.case(id).await;
    assert_eq!((&forced["data"]["value"], &forced["fields"]["check"]["cached"]), (&json!(2), &json!(false)));
    assert_eq!(value(&app, json!({})).await, 2);
    assert_eq!(run(&app, &app.filled(json!({})).await).await["cached_from"], run(&app, &case).await["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_call_fails_all_who_waited_for_it_and_is_not_kept() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(status(503).held());
    app.define_one("/check", json!({"cache_duration": 3600, "retry": 2}), json!({"method": "POST"})).await;
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(app.create(json!({})).await);
    }
    app.upstream.wait_for_calls(1).await;
    loop {
        let running = app.get("/v1/runs?status=running&count=true").await.expect(200);
        if running["total"] == 50 {
            break;
        }
    }
    app.upstream.otherwise(status(503));
    app.upstream.release();
    app.drain().await;
    let (mut callers, mut followers) = (Vec::new(), Vec::new());
    for id in &ids {
        let run = app.runs(id).await.remove(0);
        assert_eq!((&run["status"], &run["waiting_for"]), (&json!("queued"), &json!("retry")), "{run}");
        let attempts = run["attempts"].as_array().unwrap();
        assert_eq!((&run["attempt"], &run["attempts_max"], attempts.len()), (&json!(1), &json!(3), 1));
        let attempt = &attempts[0];
        assert_eq!(
            (&attempt["outcome"], &attempt["error"]["code"]),
            (&json!("failed"), &json!("http_status"))
        );
        assert_eq!(attempt["error"]["http_status"], 503);
        if attempt["request"].is_null() {
            followers.push(attempt["error"]["detail"].as_str().unwrap().to_owned());
        } else {
            callers.push(run["id"].as_str().unwrap().to_owned());
        }
    }
    // A run that came too late for the first call made one of its own; hardly any does.
    assert_eq!(callers.len(), app.upstream.calls().len());
    assert!(callers.len() < 25, "{} calls", callers.len());
    assert!(followers.iter().all(|detail| callers.iter().any(|run| detail.contains(run))), "{followers:?}");
    app.upstream.otherwise(ok(json!({"value": 1})));
    app.advance(secs(2)).await;
    assert_eq!(app.upstream.calls().len(), callers.len() + 1, "one of the retries asks for all");
    for id in ids {
        assert_eq!(app.case(&id).await["data"]["value"], 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_may_find_the_answer_that_another_run_has_fetched() {
    let app = TestApp::spawn().await;
    app.upstream.answers([status(503), ok(json!({"value": 1}))]).await;
    app.define_one("/check", hour(), json!({})).await;
    let first = app.create(json!({})).await;
    app.drain().await;
    let second = app.filled(json!({})).await;
    app.advance(secs(2)).await;
    assert_eq!(app.upstream.calls().len(), 2);
    let run = app.runs(&first).await.remove(0);
    assert_eq!((&run["status"], &run["cached"]), (&json!("succeeded"), &json!(true)));
    assert_eq!(run["cached_from"], second["fields"]["check"]["run_id"]);
    assert_eq!((&run["attempt"], run["attempts"].as_array().unwrap().len()), (&json!(1), 1));
    assert_eq!(run["error"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_successes_are_kept() {
    let app = TestApp::spawn().await;
    numbered(&app, "/check");
    let never = json!({"success_when": "body.value > 100"});
    app.define_one("/check", hour(), never).await;
    for _ in 0..2 {
        let case = app.filled(json!({})).await;
        assert_eq!(case["fields"]["check"]["error"]["code"], "unsuccessful");
    }
    app.define_one("/check", hour(), json!({})).await;
    assert_eq!(value(&app, json!({})).await, 3);
    // What is a success for one field need not be one for the next.
    app.define_one("/check", hour(), json!({"success_when": "body.value > 3"})).await;
    assert_eq!(value(&app, json!({})).await, 4);
    for code in [404, 302, 500] {
        app.upstream.on("GET", "/bad", status(code));
        app.define_one("/bad", json!({"cache_duration": 3600, "retry": 0}), json!({})).await;
        let before = app.upstream.calls().len();
        app.filled(json!({})).await;
        app.filled(json!({})).await;
        assert_eq!(app.upstream.calls().len(), before + 2, "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_fit_one_field_serves_the_other() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": "many"})));
    let number = json!({"response_mapping": {"number": {"path": "$.value", "type": "integer"}}});
    let trigger = |key: &str| json!({"key": key, "cache_duration": 3600, "trigger": "manual"});
    app.define(json!([
        app.field("/check", trigger("number"), number),
        app.field("/check", trigger("check"), json!({})),
    ]))
    .await;
    let id = app.create(json!({})).await;
    for key in ["number", "check", "number"] {
        app.post(&format!("/v1/cases/{id}/fields/{key}/refresh"), &json!({})).await.expect(202);
        app.advance(secs(1)).await;
    }
    assert_eq!(app.upstream.calls().len(), 1);
    let case = app.case(&id).await;
    assert_eq!(
        (&case["data"], &case["fields"]["check"]["cached"]),
        (&json!({"value": "many"}), &json!(true))
    );
    assert_eq!(case["fields"]["number"]["error"]["code"], "mapping_failed");
    let runs = app.runs(&id).await;
    assert_eq!((&runs[0]["cached"], &runs[0]["cached_from"]), (&json!(true), &runs[2]["id"]));
    assert_eq!(runs[0]["error"]["body_excerpt"], r#"{"value":"many"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_beyond_the_limit_is_used_and_not_kept() {
    for (limit, size) in [("4 KiB", 5_000), ("0", 1)] {
        let app = TestApp::spawn_with(&[("CACHE__MAX_BYTES", limit)]).await;
        app.upstream.on("GET", "/check", ok(json!({"value": "x".repeat(size)})));
        app.define_one("/check", hour(), json!({})).await;
        for calls in 1..=2 {
            assert_eq!(value(&app, json!({})).await.as_str().unwrap().len(), size);
            assert_eq!(app.upstream.calls().len(), calls, "{limit}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_keeps_its_status_and_headers() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", Reply::of("text/plain", "a text").header("x-quota", "9"));
    let mapping =
        json!({"value": "$", "s": {"from": "status"}, "q": {"from": "headers", "path": "$['x-quota']"}});
    app.define_one("/check", hour(), json!({"response_mapping": mapping})).await;
    for _ in 0..2 {
        assert_eq!(app.filled(json!({})).await["data"], json!({"value": "a text", "s": 200, "q": "9"}));
    }
    assert_eq!(app.upstream.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn workspaces_share_nothing() {
    let app = cached(json!({})).await;
    assert_eq!(value(&app, json!({})).await, 1);
    let token = Box::pin(stranger(&app)).await;
    let ask = async |method: &str, path: &str, body: &Value| {
        let method = method.parse().unwrap();
        app.send(client().request(method, app.url(path)).bearer_auth(&token).json(body)).await
    };
    let body = json!({"key": "test", "fields": [app.field("/check", hour(), json!({}))]});
    ask("PUT", "/v1/case-types/test", &body).await.expect(201);
    let new = json!({"case_type": "test", "data": {}});
    let theirs = async || {
        let id = ask("POST", "/v1/cases", &new).await.expect(201)["id"].as_str().unwrap().to_owned();
        app.drain().await;
        ask("GET", &format!("/v1/cases/{id}"), &json!({})).await.expect(200)["data"]["value"].clone()
    };
    assert_eq!((theirs().await, theirs().await), (json!(2), json!(2)));
    ask("DELETE", "/v1/cache", &json!({})).await.expect(204);
    assert_eq!(theirs().await, 3);
    assert_eq!(value(&app, json!({})).await, 1, "a purge is its own workspace's affair");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_empties_it() {
    let mut app = cached(json!({})).await;
    assert_eq!(value(&app, json!({})).await, 1);
    app.restart().await;
    assert_eq!(value(&app, json!({})).await, 2);
    assert_eq!(value(&app, json!({})).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_share_a_call_when_the_process_stops_go_on_after_it() {
    let mut app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": 1})).held());
    app.define_one("/check", hour(), json!({})).await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(app.create(json!({})).await);
    }
    app.upstream.wait_for_calls(1).await;
    app.upstream.on("GET", "/check", ok(json!({"value": 2})));
    app.restart().await;
    app.drain().await;
    for id in ids {
        let case = app.case(&id).await;
        assert_eq!((&case["data"]["value"], &case["settled"]), (&json!(2), &json!(true)), "{case}");
    }
    app.upstream.release();
}

/// Two fields that ask for the same: `patient` waits five minutes for an answer, `hasty` a second.
async fn patient_and_hasty() -> (TestApp, String) {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": 1})).held());
    let field = |key: &str, timeout: u64| {
        let field =
            json!({"key": key, "trigger": "manual", "cache_duration": 60, "retry": 0, "timeout": timeout});
        app.field("/check", field, json!({"response_mapping": {key: "$.value"}}))
    };
    app.define(json!([field("patient", 300_000), field("hasty", 1000)])).await;
    let id = app.create(json!({})).await;
    (app, id)
}

/// Refreshes the first, which makes the call, then the other, and returns when both are running.
async fn one_after_the_other(app: &TestApp, id: &str, keys: [&str; 2]) {
    for (n, key) in keys.into_iter().enumerate() {
        app.post(&format!("/v1/cases/{id}/fields/{key}/refresh"), &json!({})).await.expect(202);
        app.upstream.wait_for_calls(1).await;
        while app.get("/v1/runs?status=running&count=true").await.expect(200)["total"] != n + 1 {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_given_up_sooner_does_not_fail_a_field_that_waits_longer() {
    let (app, id) = patient_and_hasty().await;
    one_after_the_other(&app, &id, ["hasty", "patient"]).await;
    // Whether a run has begun to wait is not seen from here; of many, most have.
    let mut ids = vec![id.clone()];
    for _ in 0..30 {
        let id = app.create(json!({})).await;
        app.post(&format!("/v1/cases/{id}/fields/patient/refresh"), &json!({})).await.expect(202);
        ids.push(id);
    }
    while app.get("/v1/runs?status=running&count=true").await.expect(200)["total"] != 32 {}
    app.upstream.on("GET", "/check", ok(json!({"value": 2})));
    app.advance(secs(1)).await;
    assert_eq!(app.case(&id).await["fields"]["hasty"]["error"]["code"], "timeout");
    for id in ids {
        let case = app.case(&id).await;
        assert_eq!(case["fields"]["patient"]["error"], Value::Null);
        assert_eq!(case["data"], json!({"patient": 2}));
    }
    assert_eq!(app.upstream.calls().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_call_of_another_does_so_no_longer_than_its_own_timeout() {
    let (app, id) = patient_and_hasty().await;
    one_after_the_other(&app, &id, ["patient", "hasty"]).await;
    // It counts from when it began to wait, which nobody sees from here.
    for _ in 0..200 {
        app.move_clock(secs(1));
        if app.case(&id).await["fields"]["hasty"]["status"] != "running" {
            break;
        }
    }
    let case = app.case(&id).await;
    assert_eq!(case["fields"]["hasty"]["error"]["code"], "timeout", "{case}");
    assert_eq!(case["fields"]["patient"]["status"], "running");
    let attempts = app.runs(&id).await.remove(0)["attempts"].take();
    assert_eq!(
        (&attempts[0]["outcome"], &attempts[0]["request"]),
        (&json!("failed"), &Value::Null),
        "{attempts}"
    );
    app.upstream.release();
    app.drain().await;
    let case = app.case(&id).await;
    assert_eq!((&case["data"], app.upstream.calls().len()), (&json!({"patient": 1}), 1));
}
