//! The test console: what a field would send, get and write, and that trying it out leaves no
//! trace.

use serde_json::{Value, json};

use crate::app::{Answer, MARKER, TestApp, secs};
use crate::hostile::stranger;
use crate::upstream::{Reply, client, ok, status};

const PATH: &str = "/v1/case-types/test/fields/check/test";

async fn test(app: &TestApp, body: Value) -> Value {
    app.post(PATH, &body).await.expect(200)
}

/// The pointers and codes of a refusal.
fn problems(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.status, 422, "{}", answer.body);
    let errors = answer.body["errors"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    errors.iter().map(|it| (text(&it["pointer"]), text(&it["code"]))).collect()
}

/// One target of the mapping, by its path.
fn target<'v>(tested: &'v Value, path: &str) -> &'v Value {
    let targets = tested["mapping"]["targets"].as_array().unwrap();
    targets.iter().find(|it| it["target"] == path).unwrap_or_else(|| panic!("{path} is not in {targets:?}"))
}

fn verdicts(tested: &Value) -> Vec<(String, String)> {
    let targets = tested["mapping"]["targets"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    targets.iter().map(|it| (text(&it["target"]), text(&it["verdict"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_rendered_without_being_sent() {
    let app = TestApp::spawn().await;
    let config = json!({
        "method": "POST",
        "headers": {"X-Run": "{run.id}", "X-Trigger": "{run.trigger}", "X-Type": "{case.type}"},
        "params": {"q": "{data.name}", "own": "{input.own}"},
        "body": {"key": "{workflow_run_id}"},
    });
    app.define_one("/check", json!({}), config).await;
    let tested = test(&app, json!({"data": {"name": "a b"}, "input": {"own": 7}})).await;
    let request = &tested["request"];
    assert_eq!(request["method"], "POST");
    assert_eq!(request["url"], app.upstream.url("/check?q=a+b&own=7"));
    let headers = &request["headers"];
    assert_eq!((&headers["x-trigger"], &headers["x-type"]), (&json!("manual"), &json!("test")));
    // An id that no run has.
    let id = headers["x-run"].as_str().unwrap();
    assert!(id.starts_with("00000000-0000-7"), "{id}");
    assert_eq!(headers["idempotency-key"], id);
    assert_eq!(request["body"], format!("{{\"key\":\"{id}\"}}"));
    for nothing in ["response", "phases", "skipped", "error", "mapping"] {
        assert_eq!(tested[nothing], Value::Null, "{nothing}");
    }
    assert_eq!(tested["calls"], json!([]));
    assert_eq!(app.upstream.calls_so_far(), 0);
    let again = test(&app, json!({"data": {"name": "a"}, "input": {"own": 7}})).await;
    assert_ne!(again["request"]["headers"]["x-run"], id, "each test has an id of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_not_needed_is_told() {
    let app = TestApp::spawn().await;
    let field = json!({"when": "data.country in ['BE']"});
    app.define_one("/c/{data.vat}", field, json!({"params": {"n": "{input.n}"}})).await;
    let tested = test(&app, json!({})).await;
    assert_eq!(tested["skipped"], json!({"reason": "missing_input", "missing": ["data.country"]}));
    let tested = test(&app, json!({"send": true, "data": {"country": "BE"}})).await;
    assert_eq!(tested["skipped"], json!({"reason": "missing_input", "missing": ["data.vat", "input.n"]}));
    assert_eq!(tested["request"], Value::Null);
    let tested = test(&app, json!({"data": {"country": "NL"}})).await;
    assert_eq!(tested["skipped"], json!({"reason": "condition", "missing": []}));
    // A recorded answer needs no request: both are told.
    let tested = test(&app, json!({"response": {"body": {"value": 1}}})).await;
    assert_eq!(tested["skipped"]["reason"], "missing_input");
    assert_eq!(tested["mapping"]["values"], json!({"value": 1}));
    // No body at all is a test on empty data.
    let bare = app.send(app.request("POST", PATH)).await.expect(200);
    assert_eq!(bare["skipped"]["missing"], json!(["data.country"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sent_test_leaves_no_trace() {
    let app = TestApp::spawn().await;
    app.put("/v1/connections/vies", &json!({"base_url": app.upstream.url("/api")})).await.expect(201);
    app.upstream.on("GET", "/api/check", ok(json!({"value": 1})));
    let config = json!({"connection": "vies", "url": "/check", "output_variable": "answer"});
    let field = json!({"cache_duration": 3600, "trigger": "manual"});
    app.define_one("/unused", field, config).await;
    let id = app.create(json!({"value": 0})).await;
    app.drain().await;
    let seen = async || {
        let metrics = client().get(app.url("/metrics")).send().await.unwrap().text().await.unwrap();
        let ours = |line: &&str| line.starts_with("dossier_") && !line.starts_with("dossier_http_server");
        let metrics: Vec<String> = metrics.lines().filter(ours).map(str::to_owned).collect();
        let case = app.get(&format!("/v1/cases/{id}")).await;
        let etag = case.header("etag").unwrap().to_owned();
        let runs = app.get("/v1/runs").await.expect(200);
        let health = app.get("/v1/connections/vies/health").await.expect(200);
        let connection = app.get("/v1/connections/vies").await.expect(200);
        (metrics, case.body, etag, runs, health, connection, app.get("/v1/case-types/test").await.body)
    };
    let before = seen().await;
    for _ in 0..2 {
        let tested = test(&app, json!({"case_id": id, "send": true})).await;
        assert_eq!(tested["error"], Value::Null);
        assert_eq!(tested["response"]["status"], 200);
        assert_eq!(tested["response"]["body"], r#"{"value":1}"#);
        assert!(tested["phases"]["total_ms"].is_u64(), "{tested}");
        let expected =
            json!({"target": "value", "found": true, "value": 1, "verdict": "set", "old": 0, "error": null});
        assert_eq!(tested["mapping"]["targets"], json!([expected]));
    }
    assert_eq!(app.upstream.calls_so_far(), 2, "a test neither reads nor fills the cache");
    app.drain().await;
    assert_eq!(seen().await, before);

    // Failures do not count for the circuit, and an open one stops no test; nor does `disabled`.
    app.upstream.on("GET", "/api/check", status(503));
    for _ in 0..6 {
        let tested = test(&app, json!({"case_id": id, "send": true})).await;
        assert_eq!(tested["error"]["code"], "http_status");
        assert_eq!((&tested["error"]["http_status"], &tested["mapping"]), (&json!(503), &Value::Null));
    }
    assert_eq!(seen().await, before);
    app.post("/v1/connections/vies/breaker/open", &json!({})).await.expect(200);
    app.post("/v1/connections/vies/disable", &json!({})).await.expect(200);
    app.upstream.on("GET", "/api/check", ok(json!({"value": 2})));
    let tested = test(&app, json!({"case_id": id, "send": true})).await;
    assert_eq!(tested["mapping"]["values"], json!({"value": 2}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_change_something_is_sent_only_when_confirmed() {
    let app = TestApp::spawn().await;
    app.upstream.on("POST", "/check", ok(json!({"value": 1})));
    app.define_one("/check", json!({}), json!({"method": "POST", "body": {"a": 1}})).await;
    let refused = app.post(PATH, &json!({"send": true})).await;
    assert_eq!(problems(&refused), [("/confirm".into(), "required".into())]);
    assert!(refused.body["errors"][0]["message"].as_str().unwrap().contains("`POST`"), "{}", refused.body);
    assert_eq!(app.upstream.calls_so_far(), 0);
    let tested = test(&app, json!({"send": true, "confirm": true})).await;
    assert_eq!(tested["mapping"]["values"], json!({"value": 1}));
    let key = app.upstream.calls()[0].header("idempotency-key").unwrap().to_owned();
    assert_eq!(tested["request"]["headers"]["idempotency-key"], key);
    test(&app, json!({"send": true, "confirm": true})).await;
    assert_ne!(app.upstream.calls()[1].header("idempotency-key").unwrap(), key);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsaved_field_is_checked_as_a_save_would() {
    let app = TestApp::spawn().await;
    let other = app.field("/other", json!({"key": "other"}), json!({"response_mapping": {"taken": "$.x"}}));
    app.define(json!([{"key": "age", "type": "integer"}, other])).await;
    let field = |members: Value| {
        let mut field = app.field("/check", json!({}), json!({}));
        for (name, value) in members.as_object().unwrap() {
            field["api_config"][name] = value.clone();
        }
        json!({"field": field})
    };
    for (config, pointer, code) in [
        (json!({"response_mapping": {"a": "$["}}), "/field/api_config/response_mapping/a", "invalid_path"),
        (json!({"headers": {"X": "{dta.x}"}}), "/field/api_config/headers/X", "unknown_root"),
        (
            json!({"auth": {"type": "bearer", "token": "{secret.none}"}}),
            "/field/api_config/auth/token",
            "unknown_reference",
        ),
        (
            json!({"response_mapping": {"taken": "$.x"}}),
            "/field/api_config/response_mapping/taken",
            "duplicate",
        ),
        (json!({"bdy": {}}), "/field/api_config/bdy", "unknown_member"),
    ] {
        let refused = app.post(PATH, &field(config.clone())).await;
        assert_eq!(problems(&refused), [(pointer.into(), code.into())], "{config}");
    }
    let named = json!({"field": {"key": "chekc", "type": "text"}});
    assert_eq!(problems(&app.post(PATH, &named).await), [("/field/key".into(), "invalid".into())]);
    let plain = json!({"field": {"type": "text"}});
    assert_eq!(problems(&app.post(PATH, &plain).await), [("/field/type".into(), "invalid".into())]);

    let tested = test(&app, field(json!({"url": app.upstream.url("/new/{data.age}")}))).await;
    assert_eq!(tested["skipped"]["missing"], json!(["data.age"]));
    let mut body = field(json!({"response_mapping": {"age": "$.age"}}));
    body["response"] = json!({"body": {"age": "old"}});
    let tested = test(&app, body).await;
    assert_eq!(tested["error"]["code"], "mapping_failed");
    // Nothing of it was saved.
    assert_eq!(app.post(PATH, &json!({})).await.status, 404);
    assert_eq!(app.get("/v1/case-types/test").await.expect(200)["version"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_saved_field_is_tried_with_its_stored_credential() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": MARKER, "other": 2})));
    let auth = json!({"type": "bearer", "token": MARKER});
    app.define_one("/check", json!({"trigger": "manual"}), json!({"auth": auth})).await;
    let mut field =
        app.field("/check", json!({}), json!({"response_mapping": {"value": "$.value", "more": "$.other"}}));
    field["api_config"]["auth"] = json!({"type": "bearer", "token": "[hidden]"});
    let tested = test(&app, json!({"field": field, "send": true})).await;
    assert_eq!(app.upstream.calls()[0].header("authorization").unwrap(), format!("Bearer {MARKER}"));
    assert_eq!(tested["mapping"]["values"], json!({"value": "[hidden]", "more": 2}));
    // To another address it does not go along unseen.
    field["api_config"]["url"] = json!("http://elsewhere.example/check");
    let refused = app.post(PATH, &json!({"field": field, "send": true})).await;
    assert_eq!(problems(&refused), [("/field/api_config/auth/token".into(), "invalid".into())]);
    assert!(!app.database_bytes().windows(MARKER.len()).any(|part| part == MARKER.as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_answer_has_headers_that_could_have_come() {
    let app = TestApp::spawn().await;
    app.define_one("/check", json!({}), json!({})).await;
    for (name, value) in [
        ("a b\n", "x"),
        ("", "x"),
        ("größe", "x"),
        ("x:y", "x"),
        ("x-line", "a\r\nset-cookie: b"),
        ("x-bell", "a\u{7}"),
        ("x-del", "\u{7f}"),
    ] {
        let response =
            json!({"status": 200, "headers": {name: value, "x-fine": "a\tb ü"}, "body": {"value": 1}});
        let refused = app.post(PATH, &json!({"response": response})).await;
        let at = format!("/response/headers/{name}");
        assert_eq!(problems(&refused), [(at, "invalid".into())], "{name:?}: {value:?}");
    }
    let response = json!({"headers": {"X-Fine": "a\tb ü", "content-length": "1"}, "body": {"value": 1}});
    let tested = test(&app, json!({"response": response})).await;
    assert_eq!(tested["response"]["headers"]["x-fine"], "a\tb ü");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_masked_in_what_is_sent_and_in_what_comes_back() {
    let app = TestApp::spawn().await;
    let secret = json!({"value": MARKER, "hosts": [app.upstream.authority()]});
    app.put("/v1/secrets/marker", &secret).await.expect(201);
    app.upstream.on_with("GET", "/check", |call| {
        ok(json!({"value": call.header("x-key"), "auth": call.header("authorization")}))
            .header("x-echo", MARKER)
    });
    let config = json!({
        "headers": {"X-Key": "{secret.marker}"},
        "params": {"k": "{secret.marker}"},
        "auth": {"type": "basic", "username": "u", "password": "{secret.marker}"},
        "response_mapping": {"value": "$.value", "auth": "$.auth", "echo": {"from": "headers", "path": "$['x-echo']"}},
    });
    app.define_one("/check", json!({}), config).await;
    let rendered = test(&app, json!({})).await;
    let sent = test(&app, json!({"send": true})).await;
    assert_eq!(rendered["request"], sent["request"]);
    assert_eq!(rendered["request"]["headers"]["x-key"], "[secret marker]");
    assert_eq!(sent["mapping"]["values"]["value"], "[secret marker]");
    assert_eq!(sent["mapping"]["values"]["echo"], "[secret marker]");
    // A secret that a pasted answer holds is no safer there.
    let pasted = json!({"response": {"headers": {"X-Echo": MARKER}, "body": {"value": MARKER}}});
    let pasted = test(&app, pasted).await;
    assert_eq!(pasted["mapping"]["values"]["value"], "[secret marker]");
    assert_eq!(pasted["response"]["headers"]["x-echo"], "[secret marker]");
    // Nor does it go where it may not.
    app.put("/v1/secrets/marker", &json!({"value": MARKER, "hosts": []})).await.expect(200);
    let refused = test(&app, json!({"send": true})).await;
    assert_eq!(refused["error"]["code"], "secret_not_allowed");
    assert_eq!(refused["request"]["headers"]["x-key"], "[secret marker]");
    assert_eq!(app.upstream.calls_so_far(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempts_answer_can_be_pasted() {
    let app = TestApp::spawn().await;
    let reply = Reply::of("text/plain; charset=iso-8859-1", b"caf\xe9".to_vec()).header("x-page", "2");
    app.upstream.on("GET", "/check", reply);
    let mapping = json!({"whole": "$", "page": {"from": "headers", "path": "$['x-page']", "type": "integer"}, "code": {"from": "status"}});
    app.define_one("/check", json!({}), json!({"response_mapping": mapping})).await;
    let id = app.create(json!({})).await;
    app.drain().await;
    let response = app.runs(&id).await[0]["attempts"][0]["response"].clone();
    let tested = test(&app, json!({"case_id": id, "response": response})).await;
    assert_eq!(tested["response"], response);
    assert_eq!(tested["mapping"]["values"], json!({"whole": "café", "page": 2, "code": 200}));
    let all = ["whole", "page", "code"].map(|it| (it.to_owned(), "unchanged".to_owned()));
    assert_eq!(verdicts(&tested), all);
    assert_eq!(tested["phases"], Value::Null);
    // A recorded failure is told as a run tells it.
    let failed = json!({"status": 404, "headers": {"content-type": "application/json"}, "body": {"error": {"code": 7}}});
    let tested = test(&app, json!({"response": failed})).await;
    assert_eq!(
        (&tested["error"]["code"], &tested["error"]["provider"]["code"]),
        (&json!("http_status"), &json!("7"))
    );
    assert_eq!(tested["mapping"], Value::Null);
    let broken = json!({"headers": {"content-type": "application/json"}, "body": "{"});
    assert_eq!(test(&app, json!({"response": broken})).await["error"]["code"], "invalid_response");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_target_has_its_verdict_whatever_the_others_have() {
    let app = TestApp::spawn().await;
    let mapping = json!({
        "new": "$.new", "same": "$.same", "pinned": "$.pinned", "pinned_wrong": {"path": "$.text", "type": "integer"},
        "full": {"path": "$.full", "overwrite": "if_empty"}, "empty": {"path": "$.full", "overwrite": "if_empty"},
        "stays": {"path": "$.absent", "on_missing": "keep"}, "stand_in": {"path": "$.absent", "default": "d"},
        "nothing": "$.absent", "needed": {"path": "$.absent", "required": true},
        "typed": {"path": "$.text", "type": "integer"}, "age": "$.text", "text.below": "$.new",
    });
    let field = app.field("/check", json!({"trigger": "manual"}), json!({"response_mapping": mapping}));
    app.define(json!([{"key": "age", "type": "integer"}, field])).await;
    let id = app.create(json!({"same": {"a": 1}, "full": "x", "empty": "", "stays": 5, "text": "t"})).await;
    app.patch(&format!("/v1/cases/{id}"), &json!({"data": {"pinned": "mine", "pinned_wrong": 3}}))
        .await
        .expect(200);
    let body = json!({"new": 1, "same": {"a": 1.0}, "pinned": "theirs", "full": "y", "text": "many"});
    let tested = test(&app, json!({"case_id": id, "response": {"body": body}})).await;
    for (path, verdict, found, value, old) in [
        ("new", "set", true, json!(1), Value::Null),
        ("pinned", "keep", true, json!("theirs"), json!("mine")),
        ("pinned_wrong", "keep", true, Value::Null, json!(3)),
        ("full", "keep", true, json!("y"), json!("x")),
        ("empty", "set", true, json!("y"), json!("")),
        ("stays", "keep", false, Value::Null, json!(5)),
        ("stand_in", "set", false, json!("d"), Value::Null),
        ("nothing", "unchanged", false, Value::Null, Value::Null),
        ("needed", "failed", false, Value::Null, Value::Null),
        ("typed", "failed", true, Value::Null, Value::Null),
        ("age", "failed", true, Value::Null, Value::Null),
        ("text.below", "failed", true, Value::Null, Value::Null),
    ] {
        let found = json!({"target": path, "found": found, "value": value, "verdict": verdict, "old": old});
        let mut seen = target(&tested, path).clone();
        let error = seen.as_object_mut().unwrap().remove("error").unwrap();
        assert_eq!(seen, found);
        assert_eq!(error.is_string(), verdict == "failed" || path == "pinned_wrong", "{path}: {error}");
    }
    assert_eq!(target(&tested, "same")["verdict"], "unchanged", "compared by value");
    let error = &tested["error"];
    assert_eq!((&error["code"], &error["http_status"]), (&json!("mapping_failed"), &json!(200)));
    assert!(error["detail"].as_str().unwrap().contains("`needed`"), "{error}");
    assert!(target(&tested, "age")["error"].as_str().unwrap().contains("whole number"), "{tested}");
}

#[tokio::test(flavor = "multi_thread")]
async fn output_variables_are_read_and_kept_within_their_limit() {
    let app = TestApp::spawn_with(&[("LIMITS__OUTPUT_BYTES", "64")]).await;
    let maker = app.field(
        "/a",
        json!({"key": "maker", "trigger": "manual"}),
        json!({"response_mapping": {}, "output_variable": "made"}),
    );
    let reader =
        app.field("/{made.id}", json!({"trigger": "manual"}), json!({"params": {"d": "{data.made.id}"}}));
    app.define(json!([maker, reader])).await;
    let tested = test(&app, json!({"data": {"made": {"id": 7}}})).await;
    assert_eq!(tested["request"]["url"], app.upstream.url("/7?d=7"));
    let path = "/v1/case-types/test/fields/maker/test";
    let fits = app.post(path, &json!({"response": {"body": {"a": "x"}}})).await.expect(200);
    assert_eq!((&fits["error"], &fits["mapping"]["targets"]), (&Value::Null, &json!([])));
    let large = app.post(path, &json!({"response": {"body": {"a": "x".repeat(64)}}})).await.expect(200);
    assert_eq!(large["error"]["code"], "mapping_failed");
    assert!(large["error"]["detail"].as_str().unwrap().contains("`made`"), "{large}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_provider_times_out_and_the_network_stays_guarded() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", Reply::never());
    app.define_one("/check", json!({"timeout": 1000}), json!({})).await;
    let body = json!({"send": true});
    let sent = test(&app, body.clone());
    let time = async {
        app.upstream.wait_for_calls(1).await;
        app.move_clock(secs(1));
    };
    let (tested, ()) = tokio::join!(sent, time);
    assert_eq!(tested["error"]["code"], "timeout");
    assert_eq!((&tested["error"]["retryable"], &tested["error"]["attempt"]), (&json!(true), &json!(1)));
    assert_eq!(tested["error"]["retry_at"], Value::Null);
    assert!(tested["request"].is_object() && tested["response"].is_null(), "{tested}");
    app.define_one("/check", json!({}), json!({"url": "http://127.0.0.1:1/x"})).await;
    assert_eq!(test(&app, body).await["error"]["code"], "blocked_address");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_tests_run_at_once() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": 1})).held());
    app.define_one("/check", json!({}), json!({})).await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..4 {
        waiting.spawn(app.request("POST", PATH).json(&json!({"send": true})).send());
    }
    app.upstream.wait_for_calls(4).await;
    let refused = app.post(PATH, &json!({"send": true})).await;
    assert_eq!((refused.status, refused.code()), (429, "too_many_requests"));
    assert!(refused.header("retry-after").is_some());
    // What sends nothing waits for nobody, …
    assert_eq!(app.post(PATH, &json!({})).await.status, 200);
    let recorded = json!({"response": {"status": 200, "body": {"value": 2}}});
    assert_eq!(app.post(PATH, &recorded).await.status, 200);
    // … and another workspace has places of its own.
    let token = Box::pin(stranger(&app)).await;
    let as_stranger = |method: &str, path: &str| {
        client().request(method.parse().unwrap(), app.url(path)).bearer_auth(&token)
    };
    let case_type = json!({"key": "test", "fields": [app.field("/own", json!({}), json!({}))]});
    app.send(as_stranger("PUT", "/v1/case-types/test").json(&case_type)).await.expect(201);
    app.upstream.on("GET", "/own", ok(json!({"value": 3})));
    let own = app.send(as_stranger("POST", PATH).json(&json!({"send": true}))).await.expect(200);
    assert_eq!(own["response"]["status"], 200, "{own}");
    app.upstream.release();
    for answer in waiting.join_all().await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    assert_eq!(app.post(PATH, &json!({})).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_builder_of_the_workspace_tests() {
    let app = TestApp::spawn().await;
    app.define_one("/check", json!({}), json!({"url": "http://127.0.0.1:1/x"})).await;
    let id = app.create(json!({})).await;
    for (role, status) in [("viewer", 403), ("operator", 403), ("builder", 200)] {
        let made = app.post("/v1/tokens", &json!({"name": role, "role": role})).await.expect(201);
        let request =
            client().post(app.url(PATH)).bearer_auth(made["token"].as_str().unwrap()).json(&json!({}));
        assert_eq!(app.send(request).await.status, status, "{role}");
    }
    let token = Box::pin(stranger(&app)).await;
    let ask = async |path: &str, body: Value| {
        app.send(client().post(app.url(path)).bearer_auth(&token).json(&body)).await
    };
    assert_eq!(ask(PATH, json!({})).await.status, 404);
    assert_eq!(ask(PATH, json!({"field": app.field("/x", json!({}), json!({}))})).await.status, 404);
    let create = client().put(app.url("/v1/case-types/test")).bearer_auth(&token);
    let theirs = json!({"fields": [app.field("/x", json!({}), json!({}))]});
    assert_eq!(app.send(create.json(&theirs)).await.status, 201);
    assert_eq!(ask(PATH, json!({"case_id": id})).await.status, 404, "a case of another workspace");
    assert_eq!(app.post(PATH, &json!({"case_id": "00000000-0000-7000-8000-000000000001"})).await.status, 404);
    for path in ["/v1/case-types/none/fields/check/test", "/v1/case-types/test/fields/none/test"] {
        assert_eq!(app.post(path, &json!({})).await.code(), "not_found", "{path}");
    }
    let other =
        app.put("/v1/case-types/other", &json!({"fields": [app.field("/x", json!({}), json!({}))]})).await;
    assert_eq!(other.status, 201);
    let refused = app.post("/v1/case-types/other/fields/check/test", &json!({"case_id": id})).await;
    assert_eq!(problems(&refused), [("/case_id".into(), "invalid".into())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_meant_is_refused() {
    let app = TestApp::spawn().await;
    app.define_one("/check", json!({}), json!({})).await;
    let wrong = app.post(PATH, &json!({"sned": true, "data": [], "response": {"status": 1}})).await;
    let expected =
        [("/data", "wrong_type"), ("/response/status", "out_of_range"), ("/sned", "unknown_member")];
    assert_eq!(problems(&wrong), expected.map(|(at, code)| (at.to_owned(), code.to_owned())));
    let huge = json!({"data": {"a": "x".repeat(1024 * 1024)}});
    assert_eq!(app.post(PATH, &huge).await.code(), "too_large");
    let request = app.request("POST", PATH).header("content-type", "application/json").body("{");
    assert_eq!(app.send(request).await.code(), "malformed_json");
    assert_eq!(app.get(PATH).await.status, 405);
}
