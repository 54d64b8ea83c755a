//! Endpoints of connections from outside: what fields take over, what a change of them does to
//! those fields, and who is told before it.

use serde_json::{Value, json};

use crate::app::{TestApp, secs};
use crate::upstream::ok;

/// Saves the connection `registry` of the provider with these endpoints.
async fn connect(app: &TestApp, endpoints: Value) -> Value {
    let saved = try_connect(app, endpoints).await;
    assert!(matches!(saved.status, 200 | 201), "{}", saved.body);
    saved.body
}

async fn try_connect(app: &TestApp, endpoints: Value) -> crate::app::Answer {
    let body = json!({"base_url": app.upstream.url("/api"), "endpoints": endpoints});
    app.put("/v1/connections/registry", &body).await
}

/// Saves the case type `test` with one field over it.
async fn define(app: &TestApp, field: Value, config: Value) -> crate::app::Answer {
    let mut all = json!({"connection": "registry"});
    for (name, value) in config.as_object().unwrap() {
        all[name] = value.clone();
    }
    let mut check = json!({"key": "check", "type": "api_call", "api_config": all});
    for (name, value) in field.as_object().unwrap() {
        check[name] = value.clone();
    }
    app.put("/v1/case-types/test", &json!({"key": "test", "fields": [check]})).await
}

fn lookup() -> Value {
    json!({
        "description": "One company", "method": "POST", "path": "/companies/{data.number}",
        "headers": {"X-Kind": "endpoint", "X-Env": "live"}, "params": {"lang": "en", "depth": 2},
        "body": {"want": ["{data.wanted}"]}, "response_mapping": {"company": "$.name"},
        "success_when": "body.ok == true",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_needs_only_connection_and_endpoint() {
    let app = TestApp::spawn().await;
    let saved = connect(&app, json!({"lookup": lookup(), "ping": {"path": "/ping"}})).await;
    assert_eq!(saved["endpoints"]["ping"], json!({"method": "GET", "path": "/ping"}));
    assert_eq!(saved["endpoints"]["lookup"]["body_type"], "json");
    assert_eq!(saved["used_by"], json!([]));
    let made =
        define(&app, json!({"trigger": ["on_create", "on_update"]}), json!({"endpoint": "lookup"})).await;
    let made = made.expect(201);
    let shown = &made["fields"][0]["api_config"];
    assert_eq!(
        *shown,
        json!({"connection": "registry", "endpoint": "lookup"}),
        "what is inherited stays absent"
    );
    app.upstream
        .answers([ok(json!({"ok": true, "name": "Acme"})), ok(json!({"ok": true, "name": "Acme 2"}))])
        .await;
    // `data.wanted` is missing, and the field waits for it although only the endpoint reads it.
    let case = app.filled(json!({"number": 7})).await;
    assert_eq!(case["fields"]["check"]["reason"], "missing_input", "{case}");
    assert_eq!(case["fields"]["check"]["missing"], json!(["data.wanted"]));
    let id = case["id"].as_str().unwrap();
    app.patch(&format!("/v1/cases/{id}"), &json!({"data": {"wanted": "name"}})).await.expect(200);
    app.drain().await;
    let case = app.case(id).await;
    assert_eq!(case["data"]["company"], "Acme", "{case}");
    // The watch set is inferred from the endpoint, too.
    app.patch(&format!("/v1/cases/{id}"), &json!({"data": {"number": 8}})).await.expect(200);
    app.drain().await;
    let calls = app.upstream.calls();
    assert_eq!(
        (calls.len(), calls[0].method.as_str(), calls[0].path.as_str()),
        (2, "POST", "/api/companies/7")
    );
    assert_eq!(calls[1].path, "/api/companies/8");
    assert_eq!((calls[0].header("x-kind"), calls[0].header("x-env")), (Some("endpoint"), Some("live")));
    assert_eq!(calls[0].json(), json!({"want": ["name"]}));
    assert_eq!((calls[0].query("lang"), calls[0].query("depth")), (Some("en"), Some("2")));
    let used = json!([{"case_type": "test", "field": "check", "endpoint": "lookup"}]);
    assert_eq!(app.get("/v1/connections/registry").await.expect(200)["used_by"], used);
    assert_eq!(app.get("/v1/connections").await.expect(200)["items"][0]["used_by"], used);
    assert_eq!(connect(&app, json!({"lookup": lookup()})).await["used_by"], used);
    // What was read can be written back.
    let again = app.put("/v1/case-types/test", &made).await.expect(200);
    assert_eq!(again["version"], made["version"]);
    let read = app.get("/v1/connections/registry").await.expect(200);
    assert_eq!(app.put("/v1/connections/registry", &read).await.expect(200)["version"], read["version"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_field_says_itself_goes_before_the_endpoint() {
    let app = TestApp::spawn().await;
    connect(&app, json!({"lookup": lookup()})).await;
    let own = json!({
        "endpoint": "lookup", "method": "PUT", "url": "/other", "headers": {"x-kind": "field"},
        "params": {"lang": "fr"}, "body": {"mine": 1}, "response_mapping": {"name": "$.name"},
        "success_when": "status == 200",
    });
    let made = define(&app, json!({}), own.clone()).await.expect(201);
    let shown = &made["fields"][0]["api_config"];
    for (name, value) in own.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name}");
    }
    assert_eq!(shown.get("body_type"), None, "{shown}");
    app.upstream.answers([ok(json!({"name": "Acme"}))]).await;
    let case = app.filled(json!({})).await;
    assert_eq!(case["data"], json!({"name": "Acme"}), "{case}");
    let call = app.upstream.calls().remove(0);
    assert_eq!((call.method.as_str(), call.path.as_str()), ("PUT", "/api/other"));
    assert_eq!((call.header("x-kind"), call.header("x-env")), (Some("field"), Some("live")));
    assert_eq!((call.query("lang"), call.query("depth")), (Some("fr"), Some("2")));
    assert_eq!(call.json(), json!({"mine": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_hold_together_is_refused_where_the_builder_wrote_it() {
    let app = TestApp::spawn().await;
    connect(&app, json!({"lookup": lookup(), "bare": {"path": "/bare"}})).await;
    let at = |member: &str| format!("/fields/0/api_config/{member}");
    for (field, config, pointer, code, part) in [
        (
            json!({}),
            json!({"endpoint": "lokup"}),
            at("endpoint"),
            "unknown_reference",
            "did you mean `lookup`?",
        ),
        (
            json!({}),
            json!({"endpoint": "zzz"}),
            at("endpoint"),
            "unknown_reference",
            "PUT /v1/connections/registry",
        ),
        (json!({}), json!({"endpoint": 5}), at("endpoint"), "wrong_type", "a text"),
        (
            json!({}),
            json!({"endpoint": "lookup", "connection": null}),
            at("connection"),
            "required",
            "an endpoint",
        ),
        (json!({}), json!({"endpoint": "bare"}), at("response_mapping"), "required", "`bare`"),
        (
            json!({}),
            json!({"endpoint": "bare", "response_mapping": {}}),
            at("response_mapping"),
            "required",
            "`bare`",
        ),
        (
            json!({}),
            json!({"endpoint": "lookup", "output_variable": "company"}),
            at("output_variable"),
            "duplicate",
            "",
        ),
        (json!({}), json!({"endpoint": "lookup", "headers": 5}), at("headers"), "wrong_type", "an object"),
    ] {
        let refused = define(&app, field, config.clone()).await.expect(422);
        let errors = refused["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{config}: {refused}");
        assert_eq!(
            (&errors[0]["pointer"], &errors[0]["code"]),
            (&json!(pointer), &json!(code)),
            "{config}: {refused}"
        );
        assert!(errors[0]["message"].as_str().unwrap().contains(part), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_does_not_hold_together_is_refused_with_its_place() {
    let app = TestApp::spawn().await;
    connect(&app, json!({"lookup": lookup()})).await;
    for (endpoint, pointer, code) in [
        (json!({}), "/endpoints/x/path", "required"),
        (json!({"path": "https://other.example/x"}), "/endpoints/x/path", "invalid"),
        (json!({"path": "/{dta.x}"}), "/endpoints/x/path", "unknown_root"),
        (json!({"path": "/", "method": "GTE"}), "/endpoints/x/method", "invalid"),
        (json!({"path": "/", "headers": {"Host": "x"}}), "/endpoints/x/headers/Host", "invalid"),
        (
            json!({"path": "/", "headers": {"A": "{secret.nope}"}}),
            "/endpoints/x/headers/A",
            "unknown_reference",
        ),
        (
            json!({"path": "/", "response_mapping": {"a": "$["}}),
            "/endpoints/x/response_mapping/a",
            "invalid_path",
        ),
        (json!({"path": "/", "url": "/x"}), "/endpoints/x/url", "unknown_member"),
        (json!({"path": "/", "auth": {}}), "/endpoints/x/auth", "unknown_member"),
        (json!("/x"), "/endpoints/x", "wrong_type"),
    ] {
        let refused = try_connect(&app, json!({"x": endpoint, "lookup": lookup()})).await.expect(422);
        let found = &refused["errors"][0];
        assert_eq!(
            (&found["pointer"], &found["code"]),
            (&json!(pointer), &json!(code)),
            "{endpoint}: {refused}"
        );
    }
    assert_eq!(
        try_connect(&app, json!({"X": {"path": "/"}})).await.body["errors"][0]["pointer"],
        "/endpoints/X"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_endpoint_counts_at_once_and_everywhere() {
    let app = TestApp::spawn().await;
    connect(&app, json!({"lookup": {"path": "/one", "response_mapping": {"a": "$.v"}}})).await;
    let version = define(&app, json!({}), json!({"endpoint": "lookup"})).await.expect(201)["version"].clone();
    app.upstream.otherwise(ok(json!({"v": 1, "w": 2})));
    assert_eq!(app.filled(json!({})).await["data"], json!({"a": 1}));
    // Another process has the old plan in memory by now, too.
    let other = app.another_process().await;
    let saved = connect(&app, json!({"lookup": {"path": "/two", "response_mapping": {"b": "$.w"}}})).await;
    assert_eq!(saved["version"], 2);
    assert_eq!(app.filled(json!({})).await["data"], json!({"b": 2}));
    assert_eq!(
        app.get("/v1/case-types/test").await.expect(200)["version"],
        version,
        "the case type is as it was"
    );
    let key = "test".parse().unwrap();
    let workspace = app.services().store.read().await.unwrap();
    let workspace = workspace.find_workspace(&"default".parse().unwrap()).await.unwrap().unwrap().id;
    let plan = other.services.plans.current(workspace, &key).await.unwrap().unwrap();
    let call = plan.case_type.field("check").unwrap().api_call().unwrap();
    assert_eq!(call.request.url.source(), "/two");
    connect(&app, json!({"lookup": {"path": "/three", "response_mapping": {"b": "$.w"}}})).await;
    let plan = other.services.plans.current(workspace, &key).await.unwrap().unwrap();
    assert_eq!(plan.case_type.field("check").unwrap().api_call().unwrap().request.url.source(), "/three");
    other.stop(std::time::Duration::ZERO).await;
    let paths: Vec<_> = app.upstream.calls().iter().map(|call| call.path.clone()).collect();
    assert_eq!(paths, ["/api/one", "/api/two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_would_break_a_field_is_refused_with_its_users() {
    let app = TestApp::spawn().await;
    connect(&app, json!({"lookup": lookup(), "spare": {"path": "/spare"}})).await;
    let config = json!({"endpoint": "lookup", "output_variable": "answer"});
    define(&app, json!({"trigger": "on_update"}), config).await.expect(201);
    let gone = try_connect(&app, json!({"spare": {"path": "/spare"}})).await;
    assert_eq!((gone.status, gone.code()), (409, "in_use"), "{}", gone.body);
    assert!(gone.body.to_string().contains("test.check"), "{}", gone.body);
    assert_eq!(app.delete("/v1/connections/registry").await.code(), "in_use");
    // A computed key needs `watch`; a target may not lie where the field keeps the whole answer.
    for (member, value) in
        [("path", json!("/x/{{ data[data.which] }}")), ("response_mapping", json!({"answer.name": "$.name"}))]
    {
        let mut changed = lookup();
        changed[member] = value;
        let refused =
            try_connect(&app, json!({"lookup": changed, "spare": {"path": "/spare"}})).await.expect(422);
        let found = &refused["errors"][0];
        assert_eq!(found["pointer"], "/endpoints/lookup", "{refused}");
        assert!(found["message"].as_str().unwrap().contains("`test`"), "{refused}");
    }
    assert_eq!(app.get("/v1/connections/registry").await.expect(200)["version"], 1);
    // What nobody uses may go, and what is used may change.
    let mut changed = lookup();
    changed["path"] = json!("/firms/{data.number}");
    assert_eq!(connect(&app, json!({"lookup": changed})).await["version"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_under_way_keeps_its_endpoint_from_being_deleted() {
    let app = TestApp::spawn().await;
    connect(&app, json!({"lookup": {"path": "/x", "response_mapping": {"a": "$.v"}}})).await;
    define(&app, json!({"retry": 1}), json!({"endpoint": "lookup"})).await.expect(201);
    app.upstream.answers([crate::upstream::status(500)]).await;
    let case = app.filled(json!({})).await;
    assert_eq!(case["fields"]["check"]["waiting_for"], "retry", "{case}");
    define(&app, json!({}), json!({"url": "/y", "response_mapping": {"a": "$.v"}})).await.expect(200);
    assert_eq!(
        try_connect(&app, json!({})).await.code(),
        "in_use",
        "the retry keeps the version that it began with"
    );
    app.upstream.answers([ok(json!({"v": 1}))]).await;
    app.advance(secs(2)).await;
    connect(&app, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_an_endpoint_is_sent_and_counts_as_used() {
    let app = TestApp::spawn().await;
    app.put("/v1/secrets/marker", &json!({"value": crate::app::MARKER, "hosts": []})).await.expect(201);
    let endpoint =
        json!({"path": "/x", "headers": {"X-Key": "{secret.marker}"}, "response_mapping": {"a": "$.v"}});
    connect(&app, json!({"lookup": endpoint})).await;
    assert_eq!(
        app.delete("/v1/secrets/marker").await.code(),
        "in_use",
        "an endpoint that nobody uses names it"
    );
    define(&app, json!({}), json!({"endpoint": "lookup"})).await.expect(201);
    app.upstream.answers([ok(json!({"v": 1}))]).await;
    assert_eq!(app.filled(json!({})).await["data"], json!({"a": 1}));
    assert_eq!(app.upstream.calls()[0].header("x-key"), Some(crate::app::MARKER));
    let users = app.get("/v1/secrets").await.expect(200)["items"][0]["used_by"].clone();
    assert_eq!(users, json!(["test", "connection:registry"]));
}

/// Two fields over two endpoints with a circuit each, which opens at the first failure.
async fn two_circuits(app: &TestApp, more: Value) {
    let mut body = json!({
        "base_url": app.upstream.url(""), "breaker": {"failures": 1, "scope": "endpoint"},
        "endpoints": {
            "bad": {"path": "/bad", "response_mapping": {"bad": "$.v"}},
            "good": {"path": "/good", "response_mapping": {"good": "$.v"}},
        },
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let saved = app.put("/v1/connections/registry", &body).await;
    assert!(matches!(saved.status, 200 | 201), "{}", saved.body);
    let field = |key: &str| json!({"key": key, "type": "api_call", "retry": 5, "api_config": {"connection": "registry", "endpoint": key}});
    app.define(json!([field("bad"), field("good")])).await;
}

fn waits(case: &Value, field: &str) -> Value {
    case["fields"][field]["waiting_for"].clone()
}

async fn breaker(app: &TestApp) -> Value {
    app.get("/v1/connections/registry/health").await.expect(200)["breaker"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_endpoint_has_a_circuit_of_its_own() {
    let app = TestApp::spawn().await;
    two_circuits(&app, json!({})).await;
    app.upstream.on("GET", "/bad", crate::upstream::status(500));
    app.upstream.on("GET", "/good", ok(json!({"v": 1})));
    let first = app.filled(json!({})).await;
    assert_eq!(first["data"], json!({"good": 1}));
    let second = app.filled(json!({})).await;
    assert_eq!(
        (second["data"].clone(), waits(&second, "bad")),
        (json!({"good": 1}), json!("circuit")),
        "{second}"
    );
    let next = second["fields"]["bad"]["next_attempt_at"].clone();
    let shown = breaker(&app).await;
    assert_eq!(
        (&shown["state"], &shown["endpoints"]["bad"]["state"]),
        (&json!("open"), &json!("open")),
        "{shown}"
    );
    assert_eq!(shown["endpoints"]["good"], json!({"state": "closed", "failures": 0, "open_until": null}));
    assert_eq!(shown["endpoints"]["bad"]["open_until"], next);
    let calls = app.upstream.calls_so_far();
    // Four more wait; after its time one probes, fails, and all go on waiting.
    for _ in 0..4 {
        app.filled(json!({})).await;
    }
    assert_eq!(app.upstream.calls_so_far(), calls + 4, "only the good ones");
    app.advance(secs(31)).await;
    assert_eq!(app.upstream.calls_so_far(), calls + 5, "one probe");
    // The provider mends it: the probe closes the circuit and everybody goes.
    app.upstream.on("GET", "/bad", ok(json!({"v": 2})));
    app.advance(secs(31)).await;
    app.advance(secs(31)).await;
    for case in [&first, &second] {
        let case = app.case(case["id"].as_str().unwrap()).await;
        assert_eq!(case["data"], json!({"good": 1, "bad": 2}), "{case}");
    }
    assert_eq!(breaker(&app).await["state"], "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_waiting_in_turn_are_the_lane_s_in_either_case() {
    let app = TestApp::spawn().await;
    two_circuits(&app, json!({"rate_limit": {"limit": 2, "period": 10}})).await;
    app.upstream.on("GET", "/bad", crate::upstream::status(500));
    app.upstream.on("GET", "/good", ok(json!({"v": 1})));
    let mut cases = Vec::new();
    for _ in 0..3 {
        cases.push(app.filled(json!({})).await["id"].as_str().unwrap().to_owned());
    }
    // Both calls of the window are used; the circuit of `bad` is open, `good` waits for the limit.
    assert_eq!(app.upstream.calls_so_far(), 2);
    for case in &cases[1..] {
        assert_eq!(waits(&app.case(case).await, "good"), "rate_limit");
    }
    app.advance(secs(11)).await;
    for case in &cases {
        let case = app.case(case).await;
        assert_eq!((&case["data"], waits(&case, "bad")), (&json!({"good": 1}), json!("circuit")), "{case}");
    }
    assert_eq!(app.upstream.calls_so_far(), 4, "runs of the open circuit take nothing of the limit");
}

#[tokio::test(flavor = "multi_thread")]
async fn circuits_are_opened_and_closed_by_hand_alone_or_together() {
    let app = TestApp::spawn().await;
    two_circuits(&app, json!({})).await;
    app.upstream.otherwise(ok(json!({"v": 1})));
    let at = |what: &str| format!("/v1/connections/registry/breaker/{what}");
    app.post(&at("open?endpoint=bad"), &json!({})).await.expect(200);
    let case = app.filled(json!({})).await;
    assert_eq!((&case["data"], waits(&case, "bad")), (&json!({"good": 1}), json!("circuit")), "{case}");
    app.post(&at("close?endpoint=bad"), &json!({})).await.expect(200);
    app.drain().await;
    let case = app.case(case["id"].as_str().unwrap()).await;
    assert_eq!(case["data"], json!({"good": 1, "bad": 1}));
    app.post(&at("open"), &json!({})).await.expect(200);
    let case = app.filled(json!({})).await;
    assert_eq!((waits(&case, "bad"), waits(&case, "good")), (json!("circuit"), json!("circuit")));
    app.post(&at("close"), &json!({})).await.expect(200);
    app.drain().await;
    assert_eq!(app.case(case["id"].as_str().unwrap()).await["settled"], true);
    let unknown = app.post(&at("open?endpoint=goood"), &json!({})).await.expect(422);
    assert!(unknown["errors"][0]["message"].as_str().unwrap().contains("did you mean `good`?"), "{unknown}");
    assert_eq!(app.post(&at("open?endpoints=good"), &json!({})).await.code(), "malformed_request");
    // One circuit for all again: what was open for an endpoint is forgotten.
    app.post(&at("open?endpoint=bad"), &json!({})).await.expect(200);
    two_circuits(&app, json!({"breaker": {"failures": 1}})).await;
    assert_eq!(breaker(&app).await, json!({"state": "closed", "failures": 0, "open_until": null}));
    assert_eq!(app.post(&at("open?endpoint=bad"), &json!({})).await.status, 422);
}
