//! Connections from outside: what is refused, what their fields send, and what they do not send
//! elsewhere.

use serde_json::{Value, json};

use crate::app::{MARKER, TestApp, secs};
use crate::upstream::{Call, Upstream, ok, status};

/// Saves the connection `vies` of the provider, with members set or replaced.
async fn connect(app: &TestApp, members: Value) -> Value {
    let mut body = json!({"base_url": app.upstream.url("/api")});
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    let saved = app.put("/v1/connections/vies", &body).await;
    assert!(matches!(saved.status, 200 | 201), "{}", saved.body);
    saved.body
}

/// Saves the case type `test` with one field over it, which asks for `/check`.
async fn define(app: &TestApp, field: Value, config: Value) {
    let mut all = json!({"connection": "vies", "url": "/check"});
    for (name, value) in config.as_object().unwrap() {
        all[name] = value.clone();
    }
    app.define_one("/unused", field, all).await;
}

async fn put_secret(app: &TestApp, hosts: Value) {
    app.put("/v1/secrets/marker", &json!({"value": MARKER, "hosts": hosts})).await.expect(201);
}

fn headers(call: &Call, name: &str) -> Vec<String> {
    call.headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, it)| it.clone())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_hold_together_is_refused_with_all_its_places() {
    let app = TestApp::spawn().await;
    put_secret(&app, json!([])).await;
    for (members, pointer, code, part) in [
        (json!({"base_url": "htps://vies.example"}), "/base_url", "invalid", "did you mean `https`?"),
        (json!({"base_url": "https://u:p@vies.example"}), "/base_url", "invalid", "`auth`"),
        (json!({"base_url": "https://vies.example?x=1"}), "/base_url", "invalid", "query"),
        (json!({"base_url": "https://vies.example/v1/../x"}), "/base_url", "invalid", "`..`"),
        (json!({"base_url": "https://vies.example/v1/%2e%2E"}), "/base_url", "invalid", "`..`"),
        (json!({"headers": {"X": "{data.x}"}}), "/headers/X", "unknown_root", "params, secret"),
        (json!({"headers": {"X": "{secret.markr}"}}), "/headers/X", "unknown_reference", "`marker`"),
        (json!({"rate_limits": {}}), "/rate_limits", "unknown_member", "`rate_limit`"),
        (json!({"breaker": {"failures": 0}}), "/breaker/failures", "out_of_range", "from 1"),
        (json!({"timeout": 300_001}), "/timeout", "out_of_range", "300000"),
        (json!({"auth": {"type": "bearer", "token": "[hidden]"}}), "/auth/token", "invalid", "type it in"),
    ] {
        let refused = app.put("/v1/connections/vies", &members).await.expect(422);
        assert_eq!(refused["code"], "invalid", "{members}");
        let found = &refused["errors"][0];
        assert_eq!((&found["pointer"], &found["code"]), (&json!(pointer), &json!(code)), "{members}");
        assert!(found["message"].as_str().unwrap().contains(part), "{found}");
    }
    for later in [json!({"price_per_call": 1}), json!({"budget": 1})] {
        let refused = app.put("/v1/connections/vies", &later).await;
        assert_eq!((refused.status, refused.code()), (422, "not_supported_yet"), "{later}");
    }
    let several = json!({"key": "other", "base_url": "x", "timeout": 0, "nope": 1});
    let refused = app.put("/v1/connections/vies", &several).await.expect(422);
    assert_eq!(refused["errors"].as_array().unwrap().len(), 4, "{refused}");
    assert_eq!(app.put("/v1/connections/Vies", &json!({})).await.status, 422);
    assert_eq!(app.post("/v1/connections", &json!({"name": "no key"})).await.status, 422);
    assert_eq!(app.get("/v1/connections/vies").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_kept_in_versions_and_listed_by_key() {
    let app = TestApp::spawn().await;
    let body = json!({"key": "vies", "name": "VIES", "rate_limit": {"limit": 20, "period": 1}});
    let made = app.post("/v1/connections", &body).await;
    assert_eq!(made.header("location"), Some("/v1/connections/vies"));
    assert_eq!(made.header("etag"), Some("\"1\""));
    let made = made.expect(201);
    assert_eq!((&made["status"], &made["version"]), (&json!("unconfigured"), &json!(1)));
    assert_eq!(made["rate_limit"], json!({"windows": [{"limit": 20, "period": 1}]}));
    assert_eq!(made["breaker"], json!({"failures": 5, "open_seconds": 30, "scope": "connection"}));
    assert_eq!(app.post("/v1/connections", &body).await.code(), "already_exists");

    // What was read can be written back, and is the same version.
    assert_eq!(app.put("/v1/connections/vies", &made).await.expect(200)["version"], 1);
    let mut changed = made.clone();
    changed["base_url"] = app.upstream.url("/api/").into();
    changed["metadata"] = json!({"owner": "kyb"});
    let put = |body: Value, tag: &'static str| {
        app.send(app.request("PUT", "/v1/connections/vies").header("If-Match", tag).json(&body))
    };
    let saved = put(changed.clone(), "\"1\"").await.expect(200);
    assert_eq!((&saved["status"], &saved["version"]), (&json!("configured"), &json!(2)));
    assert_eq!(saved["base_url"], app.upstream.url("/api/"));
    let refused = put(made.clone(), "\"1\"").await;
    assert_eq!((refused.status, refused.code()), (412, "version_mismatch"));
    assert_eq!(refused.body["changed"], json!(["base_url", "metadata.owner"]));
    let gone = app.send(app.request("PUT", "/v1/connections/none").header("If-Match", "*").json(&json!({})));
    assert_eq!(gone.await.status, 412);

    app.put("/v1/connections/acme", &json!({})).await.expect(201);
    let list = app.get("/v1/connections?count=true&limit=1").await.expect(200);
    assert_eq!((&list["items"][0]["key"], &list["total"]), (&json!("acme"), &json!(2)));
    let next = format!("/v1/connections?cursor={}", list["next_cursor"].as_str().unwrap());
    assert_eq!(app.get(&next).await.expect(200)["items"][0]["key"], "vies");

    // A repeated POST has its effect once, and answers what is there now.
    let twice = |path: &str, body: Value| {
        app.send(app.request("POST", path).header("Idempotency-Key", "k").json(&body))
    };
    twice("/v1/connections", json!({"key": "once"})).await.expect(201);
    let replayed = twice("/v1/connections", json!({"key": "once"})).await;
    assert_eq!((replayed.status, replayed.header("idempotent-replayed")), (201, Some("true")));
    twice("/v1/connections/once/disable", json!({})).await.expect(200);
    app.post("/v1/connections/once/enable", &json!({})).await.expect(200);
    let replayed = twice("/v1/connections/once/disable", json!({})).await;
    assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
    assert_eq!(replayed.expect(200)["status"], "unconfigured");
    app.delete("/v1/connections/once").await.expect(204);
    assert_eq!(app.get("/v1/connections/once").await.code(), "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_paths_of_fields_follow_its_base_url() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    for (base, url, expected) in [
        ("/api", "/check", "/api/check"),
        ("/api/", "/check", "/api/check"),
        ("/api/v1/", "check/{data.id}", "/api/v1/check/7%2F8"),
        ("", "/check", "/check"),
        ("/api", "?a=1", "/api"),
        ("/api", "{params.below}/x", "/api/v2/x"),
        ("/api", &app.upstream.url("/elsewhere"), "/elsewhere"),
    ] {
        connect(&app, json!({"base_url": app.upstream.url(base)})).await;
        let field = app.field("/unused", json!({}), json!({"connection": "vies", "url": url}));
        let body = json!({"params": {"below": "/v2"}, "fields": [field]});
        let saved = app.put("/v1/case-types/test", &body).await;
        assert!(saved.status < 300, "{}", saved.body);
        let case = app.filled(json!({"id": "7/8"})).await;
        assert_eq!(case["fields"]["check"]["status"], "succeeded", "{base} {url}: {case}");
        assert_eq!(app.upstream.calls().last().unwrap().path, expected, "{base} {url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_auth_and_timeout_are_the_fields_or_else_its_own() {
    let app = TestApp::spawn().await;
    put_secret(&app, json!([])).await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    let common = json!({"X-Both": "connection", "X-Base": "{params.env}", "X-Secret": "{secret.marker}"});
    let auth = json!({"type": "basic", "username": "ann", "password": "{secret.marker}"});
    connect(&app, json!({"headers": common, "auth": auth, "timeout": 5000})).await;
    let fields = json!([
        app.field("/x", json!({"key": "inherits"}), json!({
            "connection": "vies", "url": "/a", "headers": {"x-both": "field", "X-Own": "1"},
            "response_mapping": {"a": "$.value"},
        })),
        app.field("/x", json!({"key": "own"}), json!({
            "connection": "vies", "url": "/b", "auth": {"type": "bearer", "token": "typed-in-here"},
            "response_mapping": {"b": "$.value"},
        })),
        app.field("/x", json!({"key": "bare"}), json!({
            "connection": "vies", "url": "/c", "auth": {"type": "none"}, "response_mapping": {"c": "$.value"},
        })),
    ]);
    let body = json!({"params": {"env": "test"}, "fields": fields});
    assert_eq!(app.put("/v1/case-types/test", &body).await.expect(201)["warnings"], json!([]));
    let case = app.filled(json!({})).await;
    assert_eq!(case["data"], json!({"a": 1, "b": 1, "c": 1}));
    let calls = app.upstream.calls();
    let call = |path: &str| calls.iter().find(|call| call.path == path).unwrap();
    let inherits = call("/api/a");
    for (name, expected) in [
        ("x-both", vec!["field"]),
        ("x-base", vec!["test"]),
        ("x-own", vec!["1"]),
        ("x-secret", vec![MARKER]),
    ] {
        assert_eq!(headers(inherits, name), expected, "{name}");
    }
    assert!(headers(inherits, "authorization")[0].starts_with("Basic "));
    assert_eq!(headers(call("/api/b"), "authorization"), ["Bearer typed-in-here"]);
    assert_eq!(headers(call("/api/b"), "x-both"), ["connection"]);
    assert!(headers(call("/api/c"), "authorization").is_empty());
    // Nothing of it is shown.
    for run in app.runs(case["id"].as_str().unwrap()).await {
        assert_eq!(run["connection"], "vies");
        let shown = run["attempts"][0]["request"].to_string();
        assert!(shown.contains("[secret marker]"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_timeout_holds_unless_the_field_has_one() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1})).held());
    connect(&app, json!({"timeout": 5000})).await;
    for (field, early, late) in [(json!({"retry": 0}), 4, 1), (json!({"retry": 0, "timeout": 9000}), 8, 1)] {
        define(&app, field, json!({})).await;
        let before = app.upstream.calls().len();
        let id = app.create(json!({})).await;
        app.upstream.wait_for_calls(before + 1).await;
        app.move_clock(secs(early));
        assert_eq!(app.case(&id).await["fields"]["check"]["status"], "running");
        app.move_clock(secs(late));
        app.drain().await;
        assert_eq!(app.case(&id).await["fields"]["check"]["error"]["code"], "timeout");
    }
    app.upstream.release();
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_go_to_its_origin_and_to_no_other() {
    let app = TestApp::spawn().await;
    let other = Upstream::start().await;
    other.otherwise(ok(json!({"value": 2})));
    let both = format!("{},{}", app.upstream.authority(), other.authority());
    let app = {
        drop(app);
        TestApp::spawn_with(&[("NETWORK__ALLOW", &format!("{both},127.0.0.1"))]).await
    };
    put_secret(&app, json!([])).await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    let auth = json!({"type": "bearer", "token": "{secret.marker}"});
    connect(&app, json!({"auth": auth, "headers": {"X-Key": "{secret.marker}", "X-Plain": "1"}})).await;
    define(&app, json!({}), json!({})).await;
    let case = app.filled(json!({})).await;
    assert_eq!(case["fields"]["check"]["status"], "succeeded", "{case}");
    assert_eq!(headers(&app.upstream.calls()[0], "authorization"), [format!("Bearer {MARKER}")]);

    // A whole address elsewhere: nothing of the connection goes there.
    let field = app.field("/x", json!({}), json!({"connection": "vies", "url": other.url("/y")}));
    let saved = app.put("/v1/case-types/test", &json!({"fields": [field]})).await.expect(200);
    assert_eq!(saved["warnings"][0]["pointer"], "/fields/0/api_config/url", "{saved}");
    let case = app.filled(json!({})).await;
    assert_eq!(case["data"]["value"], 2, "{case}");
    for name in ["authorization", "x-key", "x-plain"] {
        assert!(headers(&other.calls()[0], name).is_empty(), "{name}");
    }
    // The field's own secret needs a host that lists it, as without a connection.
    let own = json!({"connection": "vies", "url": other.url("/y"), "params": {"k": "{secret.marker}"}});
    app.define(json!([app.field("/x", json!({"retry": 0}), own)])).await;
    let case = app.filled(json!({})).await;
    assert_eq!(case["fields"]["check"]["error"]["code"], "secret_not_allowed", "{case}");
    assert_eq!(other.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_credential_is_sealed_hidden_and_dropped_with_its_origin() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise_with(|call| ok(json!({"value": headers(call, "authorization")})));
    let saved = connect(&app, json!({"auth": {"type": "bearer", "config": {"token": MARKER}}})).await;
    assert_eq!(saved["auth"], json!({"type": "bearer", "token": "[hidden]"}));
    define(&app, json!({}), json!({})).await;
    let case = app.filled(json!({})).await;
    assert_eq!(case["data"]["value"], json!(["Bearer [hidden]"]), "what the provider echoes is hidden");
    assert_eq!(headers(&app.upstream.calls()[0], "authorization"), [format!("Bearer {MARKER}")]);
    assert!(!app.database_bytes().windows(MARKER.len()).any(|part| part == MARKER.as_bytes()));

    // Written back, it stays; also below another path of the same origin.
    let mut back = app.get("/v1/connections/vies").await.expect(200);
    assert_eq!((&back["status"], &back["version"]), (&json!("active"), &json!(1)));
    back["base_url"] = app.upstream.url("/other").into();
    let saved = app.put("/v1/connections/vies", &back).await.expect(200);
    assert_eq!((&saved["auth"]["token"], &saved["status"]), (&json!("[hidden]"), &json!("active")));
    app.filled(json!({})).await;
    assert_eq!(headers(&app.upstream.calls()[1], "authorization"), [format!("Bearer {MARKER}")]);

    // Whoever adds the address later need not be who typed the credential.
    let early = json!({"auth": {"type": "bearer", "token": MARKER}});
    let mut early = app.put("/v1/connections/early", &early).await.expect(201);
    assert_eq!(early["warnings"][0]["pointer"], "/auth", "{early}");
    early["base_url"] = "https://early.example".into();
    let early = app.put("/v1/connections/early", &early).await.expect(200);
    assert_eq!((&early["auth"], &early["warnings"][0]["pointer"]), (&Value::Null, &json!("/auth/token")));

    // Another origin gets nothing that was typed for this one.
    back["base_url"] = format!("http://localhost:{}", app.upstream.address().port()).into();
    let moved = app.put("/v1/connections/vies", &back).await.expect(200);
    assert_eq!((&moved["auth"], &moved["status"]), (&Value::Null, &json!("configured")));
    assert_eq!(moved["warnings"][0]["pointer"], "/auth/token");
    back["base_url"] = app.upstream.url("/api").into();
    let refused = app.put("/v1/connections/vies", &back).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/auth/token", "it is gone for good: {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_base_url_nothing_that_was_typed_leaves() {
    let app = TestApp::spawn().await;
    let pair = rcgen::generate_simple_self_signed(vec!["client".to_owned()]).unwrap();
    let client = json!({"certificate": pair.cert.pem(), "key": pair.signing_key.serialize_pem()});
    let token = json!({"url": app.upstream.url("/token"), "headers": {"X-Key": MARKER}});
    for (pointer, members) in [
        ("/auth", json!({"auth": {"type": "bearer", "token": MARKER}})),
        ("/auth", json!({"auth": {"type": "basic", "username": "u", "password": MARKER}})),
        ("/auth", json!({"auth": {"type": "token_request", "token_path": "$.t", "request": token}})),
        ("/tls", json!({"tls": {"client_certificate": client}})),
    ] {
        let saved = app.put("/v1/connections/nowhere", &members).await;
        assert!(saved.status < 300, "{}", saved.body);
        assert_eq!(saved.body["warnings"][0]["pointer"], pointer, "{}", saved.body);
        let config = json!({"connection": "nowhere", "url": app.upstream.url("/check")});
        app.define(json!([app.field("/x", json!({"retry": 0}), config)])).await;
        let case = app.filled(json!({})).await;
        let error = &case["fields"]["check"]["error"];
        assert_eq!(error["code"], "secret_not_allowed", "{members}: {case}");
        assert!(error["detail"].as_str().unwrap().contains("base_url"), "{error}");
    }
    assert_eq!(app.upstream.calls().len(), 0);
    // What the field says itself is its own business.
    app.put("/v1/connections/nowhere", &json!({"auth": {"type": "bearer", "token": MARKER}}))
        .await
        .expect(200);
    app.upstream.otherwise(ok(json!({"value": 1})));
    let config =
        json!({"connection": "nowhere", "url": app.upstream.url("/check"), "auth": {"type": "none"}});
    app.define(json!([app.field("/x", json!({"retry": 0}), config)])).await;
    assert_eq!(app.filled(json!({})).await["data"]["value"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_into_a_field_stays_with_the_origin_too() {
    let app = TestApp::spawn().await;
    let elsewhere = json!({"base_url": "http://localhost:1/api"});
    connect(&app, json!({})).await;
    app.put("/v1/connections/other", &elsewhere).await.expect(201);
    define(&app, json!({}), json!({"auth": {"type": "bearer", "token": MARKER}})).await;
    let refused = app.put("/v1/connections/vies", &elsewhere).await;
    assert_eq!((refused.status, refused.code()), (409, "in_use"), "{}", refused.body);
    assert_eq!(refused.body["users"], json!(["test"]));
    connect(&app, json!({"base_url": app.upstream.url("/v2")})).await;
    // The same field over another connection: the stored credential does not come along.
    let auth = json!({"type": "bearer", "token": "[hidden]"});
    let field = |connection: &str| {
        let config = json!({"connection": connection, "url": "/check", "auth": auth});
        json!({"fields": [app.field("/x", json!({}), config)]})
    };
    app.put("/v1/case-types/test", &field("vies")).await.expect(200);
    let refused = app.put("/v1/case-types/test", &field("other")).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/fields/0/api_config/auth/token");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_into_a_field_stays_wherever_the_origin_is_the_same() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise_with(|call| ok(json!({"value": headers(call, "authorization")})));
    let find = json!({"path": "/found", "response_mapping": {"value": "$.value"}});
    connect(&app, json!({"endpoints": {"find": find}})).await;
    let same = json!({"base_url": app.upstream.url("/same")});
    app.put("/v1/connections/same", &same).await.expect(201);
    app.put("/v1/connections/other", &json!({"base_url": "http://localhost:1/api"})).await.expect(201);
    app.put("/v1/connections/nowhere", &json!({})).await.expect(201);
    define(&app, json!({}), json!({"auth": {"type": "bearer", "token": MARKER}})).await;
    let auth = json!({"type": "bearer", "token": "[hidden]"});
    let field = |config: &Value| {
        let mut field = app.field("/x", json!({}), json!({"auth": auth}));
        field["api_config"].as_object_mut().unwrap().shift_remove("url");
        field["api_config"].as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        field
    };
    let (way, place) = ("/v1/case-types/test/fields/check/test", "/field/api_config/auth/token");
    let mut expected = Vec::new();
    for (config, path) in [
        (json!({"connection": "vies", "url": "/other/path?x=1"}), "/api/other/path"),
        (json!({"connection": "vies", "endpoint": "find"}), "/api/found"),
        (json!({"connection": "vies", "endpoint": "find", "url": "/own"}), "/api/own"),
        (json!({"connection": "vies", "url": app.upstream.url("/whole")}), "/whole"),
        (json!({"connection": "same", "url": "/check"}), "/same/check"),
        (json!({"url": app.upstream.url("/alone")}), "/alone"),
        (json!({"connection": "vies", "url": "/check"}), "/api/check"),
    ] {
        let unsaved = json!({"field": field(&config), "send": true});
        let tested = app.post(way, &unsaved).await.expect(200);
        assert_eq!(tested["mapping"]["values"]["value"], json!(["Bearer [hidden]"]), "{config}: {tested}");
        app.define(json!([field(&config)])).await;
        let case = app.filled(json!({})).await;
        assert_eq!(case["data"]["value"], json!(["Bearer [hidden]"]), "{config}: {case}");
        expected.extend([path; 2]);
    }
    let calls = app.upstream.calls();
    assert_eq!(calls.iter().map(|call| call.path.as_str()).collect::<Vec<_>>(), expected);
    assert!(calls.iter().all(|call| headers(call, "authorization") == [format!("Bearer {MARKER}")]));

    for config in [
        json!({"connection": "other", "url": "/check"}),
        json!({"connection": "nowhere", "url": "/check"}),
        json!({"connection": "vies", "url": "http://localhost:1/check"}),
        json!({"connection": "vies", "url": "{params.base}/check"}),
        json!({"url": "https://{params.host}/check"}),
    ] {
        let refused = app.post(way, &json!({"field": field(&config)})).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], place, "{config}: {refused}");
        let refused = app.put("/v1/case-types/test", &json!({"fields": [field(&config)]})).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], "/fields/0/api_config/auth/token", "{config}: {refused}");
    }
    assert_eq!(app.upstream.calls().len(), expected.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_for_a_token_stays_with_the_connection_that_it_follows() {
    let app = TestApp::spawn().await;
    connect(&app, json!({})).await;
    app.put("/v1/connections/other", &json!({"base_url": "http://localhost:1/api"})).await.expect(201);
    let whole = app.upstream.url("/check");
    let field = |connection: &str, secret: &str| {
        let auth = json!({"type": "oauth2_client_credentials", "token_url": "/token", "client_id": "c",
            "client_secret": secret});
        let config = json!({"connection": connection, "url": whole, "auth": auth});
        json!({"fields": [app.field("/x", json!({}), config)]})
    };
    app.put("/v1/case-types/test", &field("vies", MARKER)).await.expect(201);
    app.put("/v1/case-types/test", &field("vies", "[hidden]")).await.expect(200);
    let refused = app.put("/v1/case-types/test", &field("other", "[hidden]")).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/fields/0/api_config/auth/client_secret");
    let refused = app.put("/v1/connections/vies", &json!({"base_url": "http://localhost:1/api"})).await;
    assert_eq!((refused.status, refused.code()), (409, "in_use"), "{}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_in_headers_do_not_follow_to_another_origin() {
    let app = TestApp::spawn().await;
    let endpoint = json!({"path": "/f", "headers": {"X-Auth-Token": "typed-for-a-2"}});
    let headers = json!({"Authorization": "Bearer typed-for-a-1", "X-Api-Key": "{params.key}", "Cookie": "a=b",
        "Accept": "x/y"});
    let a = connect(&app, json!({"headers": headers, "endpoints": {"find": endpoint}})).await;
    // Below the same origin all stays.
    let mut back = a.clone();
    back["base_url"] = app.upstream.url("/other").into();
    let back = app.put("/v1/connections/vies", &back).await.expect(200);
    assert_eq!((&back["headers"], &back["endpoints"]), (&a["headers"], &a["endpoints"]));

    let there = crate::upstream::Upstream::start().await;
    let mut moved = back.clone();
    moved["base_url"] = format!("http://localhost:{}/api", there.address().port()).into();
    moved["headers"]["Cookie"] = "typed=for-b".into();
    // The same credential under another name is the same.
    moved["endpoints"]["find"]["headers"] = json!({"X-Api-Token": "typed-for-a-2"});
    let saved = app.put("/v1/connections/vies", &moved).await.expect(200);
    assert_eq!(
        saved["headers"],
        json!({"X-Api-Key": "{params.key}", "Cookie": "typed=for-b", "Accept": "x/y"})
    );
    assert_eq!(saved["endpoints"]["find"]["headers"], Value::Null, "{saved}");
    assert_eq!(saved["status"], "configured");
    let doubts = saved["warnings"].as_array().unwrap().iter();
    let doubts: Vec<_> =
        doubts.map(|it| (it["pointer"].as_str().unwrap(), it["message"].as_str().unwrap())).collect();
    let dropped: Vec<_> =
        doubts.iter().filter(|(_, why)| why.contains("dropped")).map(|(at, _)| *at).collect();
    assert_eq!(dropped, ["/headers/Authorization", "/endpoints/find/headers/X-Api-Token"], "{doubts:?}");
    assert_eq!(doubts.iter().filter(|(at, _)| *at == "/headers/Authorization").count(), 1, "{doubts:?}");
    assert!(!app.get("/v1/connections/vies").await.body.to_string().contains("typed-for-a"));
    // Whoever means it says it again.
    moved["headers"] = json!({"Authorization": "Bearer typed-for-a-1"});
    let saved = app.put("/v1/connections/vies", &moved).await.expect(200);
    assert_eq!(saved["headers"], json!({"Authorization": "Bearer typed-for-a-1"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_in_headers_of_fields_hold_a_connection_to_its_origin() {
    let app = TestApp::spawn().await;
    connect(&app, json!({})).await;
    let elsewhere = json!({"base_url": "http://localhost:1/api"});
    for (headers, url, status) in [
        (json!({"X-Api-Key": "typed-key"}), "/check".to_owned(), 409),
        (json!({"Authorization": "Bearer typed-key"}), "/check".to_owned(), 409),
        (json!({"X-Api-Key": "typed-key"}), app.upstream.url("/check"), 200),
        (json!({"X-Other": "typed-key", "X-Api-Key": "{params.key}"}), "/check".to_owned(), 200),
    ] {
        let config = json!({"connection": "vies", "url": url, "headers": headers});
        app.define(json!([app.field("/x", json!({}), config)])).await;
        let moved = app.put("/v1/connections/vies", &elsewhere).await;
        assert_eq!(moved.status, status, "{headers}: {}", moved.body);
        connect(&app, json!({})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_base_url_a_token_goes_where_the_secrets_that_it_was_had_with_may_go() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise_with(|call| match call.path.as_str() {
        "/token" => ok(json!({"access_token": "t0ken-1", "token_type": "Bearer", "expires_in": 3600})),
        _ => ok(json!({"value": headers(call, "authorization").len()})),
    });
    let secret =
        |name: &str, hosts: Value| (format!("/v1/secrets/{name}"), json!({"value": MARKER, "hosts": hosts}));
    let here = app.upstream.authority();
    for (path, body) in [secret("one", json!([here])), secret("two", json!(["idp.example"]))] {
        app.put(&path, &body).await.expect(201);
    }
    let auth = json!({"type": "oauth2_client_credentials", "token_url": app.upstream.url("/token"),
        "client_id": "{secret.one}", "client_secret": "{secret.two}"});
    app.put("/v1/connections/nowhere", &json!({"auth": auth})).await.expect(201);
    let config = json!({"connection": "nowhere", "url": app.upstream.url("/check")});
    app.define(json!([app.field("/x", json!({"retry": 0}), config)])).await;
    let error = app.filled(json!({})).await["fields"]["check"]["error"].clone();
    assert_eq!(error["code"], "secret_not_allowed", "{error}");
    assert!(error["detail"].as_str().unwrap().contains("`two`"), "{error}");
    assert!(app.upstream.calls().iter().all(|call| call.path != "/check"));
    let (path, body) = secret("two", json!(["idp.example", here]));
    app.put(&path, &body).await.expect(200);
    assert_eq!(app.filled(json!({})).await["data"]["value"], 1);
    // With a base URL the connection says where its token goes.
    let (path, body) = secret("two", json!([]));
    app.put(&path, &body).await.expect(200);
    app.put("/v1/connections/nowhere", &json!({"auth": auth, "base_url": app.upstream.url("")}))
        .await
        .expect(200);
    assert_eq!(app.filled(json!({})).await["data"]["value"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_with_braces_is_not_quoted_where_it_is_refused() {
    let app = TestApp::spawn().await;
    let key = "Zq{xyzzy}17";
    let token = json!({"url": "https://a.example/t", "headers": {"X-Login": key}, "body": {"pass": key}});
    let oauth = |members: Value| {
        let mut auth = json!({"type": "oauth2_client_credentials", "token_url": "https://a.example/t",
            "client_id": "c", "client_secret": "s"});
        auth.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        auth
    };
    let auth = |auth: Value| json!({"auth": auth});
    for (members, places, code) in [
        (auth(json!({"type": "bearer", "token": key})), &["/auth/token"][..], "unknown_root"),
        (auth(json!({"type": "bearer", "config": {"token": key}})), &["/auth/config/token"], "unknown_root"),
        (auth(json!({"type": "bearer", "token": "Zq{{ xyzzy }}"})), &["/auth/token"], "unknown_root"),
        (auth(json!({"type": "bearer", "token": "Zq{{xyzzy€}}"})), &["/auth/token"], "invalid_template"),
        (
            auth(json!({"type": "bearer", "token": "{{ params.a | xyzzy }}"})),
            &["/auth/token"],
            "invalid_template",
        ),
        (
            auth(json!({"type": "basic", "username": key, "password": key})),
            &["/auth/username", "/auth/password"],
            "unknown_root",
        ),
        (
            auth(json!({"type": "api_key", "keys": [{"key": "k", "value": key}]})),
            &["/auth/keys/0/value"],
            "unknown_root",
        ),
        (auth(oauth(json!({"client_secret": key}))), &["/auth/client_secret"], "unknown_root"),
        (auth(oauth(json!({"extra": {"pin": key}}))), &["/auth/extra/pin"], "unknown_root"),
        (
            auth(json!({"type": "token_request", "token_path": "$.t", "request": token})),
            &["/auth/request/headers/X-Login", "/auth/request/body/pass"],
            "unknown_root",
        ),
        (json!({"headers": {"X-Api-Key": key}}), &["/headers/X-Api-Key"], "unknown_root"),
        (
            json!({"endpoints": {"e": {"path": "/", "headers": {"Authorization": key}}}}),
            &["/endpoints/e/headers/Authorization"],
            "unknown_root",
        ),
    ] {
        let mut body = json!({"base_url": "https://a.example"});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let mut tried = vec![(app.put("/v1/connections/wrong", &body).await, "")];
        if members.get("endpoints").is_none() {
            let field = app.field("/x", json!({}), members.clone());
            let body = json!({"fields": [field]});
            tried.push((app.put("/v1/case-types/wrong", &body).await, "/fields/0/api_config"));
        }
        for (refused, at) in tried {
            assert_eq!(refused.status, 422, "{members}: {}", refused.body);
            let errors = refused.body["errors"].as_array().unwrap();
            let found: Vec<_> = errors
                .iter()
                .map(|it| (it["pointer"].as_str().unwrap(), it["code"].as_str().unwrap()))
                .collect();
            let expected: Vec<_> = places.iter().map(|place| format!("{at}{place}")).collect();
            assert_eq!(
                found,
                expected.iter().map(|place| (place.as_str(), code)).collect::<Vec<_>>(),
                "{members}"
            );
            let said = refused.body.to_string();
            assert!(said.contains("/v1/secrets/") && !said.contains("xyzzy"), "{said}");
        }
    }
    // The nearest word is ours, and told; what is no credential is quoted as before.
    let body =
        json!({"auth": {"type": "bearer", "token": "{scret.key}"}, "headers": {"X-Env": "{parms.env}"}});
    let errors = app.put("/v1/connections/wrong", &body).await.expect(422)["errors"].to_string();
    assert!(errors.contains("did you mean `secret`") && !errors.contains("scret."), "{errors}");
    assert!(errors.contains("`parms` is not known here: did you mean `params`?"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_status_tells_how_far_it_has_come() {
    let app = TestApp::spawn().await;
    app.upstream.answers([status(500), ok(json!({"value": 1}))]).await;
    connect(&app, json!({})).await;
    let status = async || app.get("/v1/connections/vies").await.expect(200)["status"].clone();
    define(&app, json!({"retry": 0}), json!({})).await;
    app.filled(json!({})).await;
    assert_eq!(status().await, "configured", "a failure proves nothing");
    app.filled(json!({})).await;
    assert_eq!(status().await, "active");
    for (action, expected) in [
        ("disable", "disabled"),
        ("disable", "disabled"),
        ("resume", "disabled"),
        ("enable", "active"),
        ("breaker/open", "active"),
        ("breaker/close", "active"),
    ] {
        let done = app.post(&format!("/v1/connections/vies/{action}"), &json!({})).await.expect(200);
        assert_eq!((&done["status"], &done["version"]), (&json!(expected), &json!(1)), "{action}");
        assert_eq!(app.post(&format!("/v1/connections/none/{action}"), &json!({})).await.status, 404);
    }
    app.post("/v1/connections/vies/disable", &json!({})).await.expect(200);
    assert_eq!(
        connect(&app, json!({"name": "VIES"})).await["status"],
        "disabled",
        "a save switches nothing on"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_used_is_not_deleted() {
    let app = TestApp::spawn().await;
    put_secret(&app, json!([])).await;
    connect(&app, json!({"headers": {"X": "{secret.marker}"}})).await;
    let refused = app.delete("/v1/secrets/marker").await;
    assert_eq!((refused.status, refused.code()), (409, "in_use"));
    assert_eq!(refused.body["users"], json!(["connection:vies"]));
    let list = app.get("/v1/secrets").await.expect(200);
    assert_eq!(list["items"][0]["used_by"], json!(["connection:vies"]));
    define(&app, json!({}), json!({})).await;
    let refused = app.delete("/v1/connections/vies").await;
    assert_eq!((refused.status, refused.code()), (409, "in_use"));
    assert_eq!(refused.body["users"], json!(["test"]));

    // A begun run keeps its version, and with it the connection.
    app.upstream.answers([status(503), ok(json!({"value": 1}))]).await;
    let id = app.create(json!({})).await;
    app.drain().await;
    app.define_one("/elsewhere", json!({}), json!({})).await;
    let refused = app.delete("/v1/connections/vies").await;
    assert_eq!((refused.status, refused.code()), (409, "in_use"), "{}", refused.body);
    app.advance(secs(60)).await;
    assert_eq!(app.runs(&id).await[0]["status"], "succeeded");
    app.delete("/v1/connections/vies").await.expect(204);
    assert_eq!(app.delete("/v1/connections/vies").await.status, 404);
    app.delete("/v1/secrets/marker").await.expect(204);
    let unknown = json!({"fields": [app.field("/x", json!({}), json!({"connection": "vies", "url": "/x"}))]});
    let refused = app.put("/v1/case-types/test", &unknown).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/fields/0/api_config/connection");
    assert_eq!(refused["errors"][0]["code"], "unknown_reference");
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_answers_are_of_its_version() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    connect(&app, json!({"headers": {"X-A": "1"}})).await;
    define(&app, json!({"cache_duration": 3600}), json!({})).await;
    let calls = async || {
        app.filled(json!({})).await;
        app.upstream.calls().len()
    };
    assert_eq!((calls().await, calls().await), (1, 1));
    // Nothing that is sent has changed, but what is made of it may have.
    connect(&app, json!({"headers": {"X-A": "1"}, "metadata": {"n": 1}})).await;
    assert_eq!((calls().await, calls().await), (2, 2));
    app.delete("/v1/cache?connection=vies").await.expect(204);
    assert_eq!((calls().await, calls().await), (3, 3));
    assert_eq!(app.delete("/v1/cache?connection=none").await.status, 404);
    assert_eq!(app.delete("/v1/cache?connection=vies&case_type=test").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_takes_it_as_it_is_now() {
    let app = TestApp::spawn().await;
    app.upstream.answers([status(503), ok(json!({"value": 1}))]).await;
    connect(&app, json!({"headers": {"X-A": "1"}})).await;
    define(&app, json!({}), json!({"method": "POST"})).await;
    let id = app.create(json!({})).await;
    app.drain().await;
    // Another request never goes out under the old key: a new run takes its place.
    connect(&app, json!({"headers": {"X-A": "2"}})).await;
    app.advance(secs(60)).await;
    let runs = app.runs(&id).await;
    assert_eq!(
        (&runs[0]["status"], &runs[1]["status"]),
        (&json!("succeeded"), &json!("cancelled")),
        "{runs:?}"
    );
    assert_ne!(runs[0]["idempotency_key"], runs[1]["idempotency_key"]);
    assert_eq!(headers(&app.upstream.calls()[1], "x-a"), ["2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_provider_says_is_left_is_shown() {
    let app = TestApp::spawn().await;
    let left = |remaining| {
        ok(json!({"value": 1})).header("x-ratelimit-limit", "100").header("x-ratelimit-remaining", remaining)
    };
    app.upstream.answers([left("8"), left("7"), ok(json!({"value": 1}))]).await;
    connect(&app, json!({})).await;
    define(&app, json!({}), json!({})).await;
    // It is a connection like any other: nothing is limited, nothing went wrong.
    for remaining in [8, 7, 7] {
        assert_eq!(app.filled(json!({})).await["fields"]["check"]["status"], "succeeded");
        let health = app.get("/v1/connections/vies/health").await.expect(200);
        let quota = &health["quota"];
        assert_eq!((&quota["limit"], &quota["remaining"]), (&json!(100), &json!(remaining)), "{health}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_params_end_its_hold_too() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(status(401));
    connect(&app, json!({"auth": {"type": "bearer", "token": "{params.token}"}})).await;
    let field = app.field("/unused", json!({"retry": 0}), json!({"connection": "vies", "url": "/check"}));
    let save = async |token: &str| {
        let body = json!({"key": "test", "params": {"token": token}, "fields": [field.clone()]});
        assert!(matches!(app.put("/v1/case-types/test", &body).await.status, 200 | 201));
    };
    save("old").await;
    for _ in 0..5 {
        app.filled(json!({})).await;
    }
    let id = app.create(json!({})).await;
    app.drain().await;
    let waits = &app.case(&id).await["fields"]["check"]["waiting_for"];
    assert_eq!(waits, "connection", "five refused credentials hold it");
    app.upstream.otherwise(ok(json!({"value": 1})));
    save("new").await;
    app.drain().await;
    assert_eq!(app.case(&id).await["fields"]["check"]["status"], "succeeded");
    assert_eq!(headers(app.upstream.calls().last().unwrap(), "authorization"), ["Bearer new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_know_what_a_run_waits_for_now() {
    let app = TestApp::spawn().await;
    connect(&app, json!({})).await;
    define(&app, json!({}), json!({})).await;
    app.post("/v1/connections/vies/breaker/open", &json!({})).await.expect(200);
    let id = app.create(json!({})).await;
    app.drain().await;
    for (action, waits, not) in [("enable", "circuit", "connection"), ("disable", "connection", "circuit")] {
        app.post(&format!("/v1/connections/vies/{action}"), &json!({})).await.expect(200);
        assert_eq!(app.case(&id).await["fields"]["check"]["waiting_for"], waits);
        for (word, count) in [(waits, 1), (not, 0)] {
            let list = app.get(&format!("/v1/cases?count=true&field.check=queued:{word}")).await.expect(200);
            assert_eq!(list["total"], count, "{action}: {word}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_fields_and_numbers_name_it() {
    let app = TestApp::spawn().await;
    app.upstream.answers([ok(json!({"value": 1})), status(404)]).await;
    connect(&app, json!({})).await;
    define(&app, json!({"retry": 0}), json!({})).await;
    let never = app.get("/v1/connections/vies/health").await.expect(200);
    assert_eq!(
        never,
        json!({
            "status": "configured", "breaker": {"state": "closed", "failures": 0, "open_until": null},
            "queue_depth": 0, "oldest_waiting_seconds": null, "success_rate": null, "p50_ms": null, "p95_ms": null,
            "quota": null, "held": false, "paused_until": null,
        })
    );
    let case = app.filled(json!({})).await;
    assert_eq!(case["fields"]["check"]["connection"], "vies");
    app.filled(json!({})).await;
    for (query, count) in [("connection=vies", 2), ("connection=other", 0)] {
        let list = app.get(&format!("/v1/runs?count=true&{query}")).await.expect(200);
        assert_eq!(list["total"], count, "{query}");
    }
    let health = app.get("/v1/connections/vies/health").await.expect(200);
    assert_eq!((&health["success_rate"], &health["status"]), (&json!(0.5), &json!("active")));
    assert!(health["p50_ms"].is_u64() && health["p95_ms"].is_u64(), "{health}");
    let metrics = app.get("/metrics").await.body;
    let metrics = metrics.as_str().unwrap();
    assert!(
        metrics.contains("dossier_calls_total{connection=\"vies\",outcome=\"ok\",code=\"none\"} 1"),
        "{metrics}"
    );

    // A queued run that has not begun follows its field to another connection.
    define(&app, json!({"retry": 1}), json!({})).await;
    app.upstream.answers([status(503).header("retry-after", "600")]).await;
    let id = app.create(json!({})).await;
    app.drain().await;
    let refresh = json!({"input": {"n": 1}});
    app.post(&format!("/v1/cases/{id}/fields/check/refresh"), &refresh).await.expect(202);
    assert_eq!(app.get("/v1/connections/vies/health").await.expect(200)["queue_depth"], 2);
    app.move_clock(secs(5));
    assert_eq!(app.get("/v1/connections/vies/health").await.expect(200)["oldest_waiting_seconds"], 5);
    app.define_one("/plain", json!({"retry": 0}), json!({})).await;
    let runs = app.runs(&id).await;
    assert_eq!((&runs[0]["connection"], &runs[1]["connection"]), (&Value::Null, &json!("vies")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_one_of_an_old_key_begins_without_its_figures() {
    let app = TestApp::spawn().await;
    connect(&app, json!({})).await;
    define(&app, json!({"retry": 0}), json!({})).await;
    app.upstream.answers([status(500), ok(json!({"value": 1}))]).await;
    app.filled(json!({})).await;
    let rate = async || app.get("/v1/connections/vies/health").await.expect(200)["success_rate"].clone();
    assert_eq!(rate().await, 0.0);
    app.define(json!([])).await;
    app.move_clock(secs(1));
    app.delete("/v1/connections/vies").await.expect(204);
    connect(&app, json!({})).await;
    assert_eq!(rate().await, Value::Null);
    define(&app, json!({}), json!({})).await;
    app.filled(json!({})).await;
    assert_eq!(rate().await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_without_a_base_url_says_what_is_missing() {
    let app = TestApp::spawn().await;
    app.put("/v1/connections/vies", &json!({})).await.expect(201);
    define(&app, json!({"retry": 0}), json!({})).await;
    let case = app.filled(json!({})).await;
    let error = &case["fields"]["check"]["error"];
    assert_eq!(error["code"], "template_failed", "{case}");
    assert!(error["detail"].as_str().unwrap().contains("`base_url`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_ends_a_hold_and_no_pause() {
    let app = TestApp::spawn().await;
    connect(&app, json!({})).await;
    define(&app, json!({"retry": 0}), json!({})).await;
    let health = async || app.get("/v1/connections/vies/health").await.expect(200);
    let field = async |id: &str| app.case(id).await["fields"]["check"].clone();
    assert_eq!((&health().await["held"], &health().await["paused_until"]), (&json!(false), &Value::Null));

    // Each of these says that credentials may be right by now.
    let enable = async || drop(app.post("/v1/connections/vies/enable", &json!({})).await.expect(200));
    let resume = async || drop(app.post("/v1/connections/vies/resume", &json!({})).await.expect(200));
    for way in ["save", "enable", "resume"] {
        app.upstream.answers((0..5).map(|_| status(401))).await;
        for _ in 0..5 {
            app.filled(json!({})).await;
        }
        assert_eq!(health().await["held"], true, "{way}");
        let id = app.create(json!({})).await;
        app.drain().await;
        assert_eq!(field(&id).await["waiting_for"], "connection", "{way}");
        app.upstream.answers([ok(json!({"value": 1}))]).await;
        match way {
            "save" => drop(connect(&app, json!({"timeout": 4000})).await),
            "enable" => enable().await,
            _ => resume().await,
        }
        app.drain().await;
        assert_eq!(field(&id).await["status"], "succeeded", "{way}");
        assert_eq!(health().await["held"], false, "{way}");
    }

    app.upstream.answers([status(429).header("Retry-After", "120")]).await;
    let limited = app.create(json!({})).await;
    app.drain().await;
    let waits = app.create(json!({})).await;
    app.drain().await;
    connect(&app, json!({"timeout": 5000})).await;
    enable().await;
    app.drain().await;
    assert_eq!(health().await["paused_until"], "2026-11-21T09:02:00.000Z");
    let calls = app.upstream.calls().len();
    assert_eq!(field(&waits).await["waiting_for"], "rate_limit");

    // A person's word ends the pause; the run that got the 429 waits for its own delay only.
    app.upstream.otherwise(ok(json!({"value": 1})));
    resume().await;
    app.drain().await;
    assert_eq!(health().await["paused_until"], Value::Null);
    assert_eq!(
        (app.upstream.calls().len(), &field(&waits).await["status"]),
        (calls + 1, &json!("succeeded"))
    );
    assert_eq!(field(&limited).await["next_attempt_at"], "2026-11-21T09:00:01.000Z");
    app.advance(secs(1)).await;
    assert_eq!(field(&limited).await["status"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_refuse_a_body_that_says_something() {
    let app = TestApp::spawn().await;
    connect(&app, json!({})).await;
    for action in ["enable", "disable", "resume", "breaker/open", "breaker/close"] {
        let path = format!("/v1/connections/vies/{action}");
        let sent = async |body: &str| {
            let request = app.request("POST", &path).header("Content-Type", "application/json");
            app.send(request.body(body.to_owned())).await
        };
        for (body, status, code) in [
            ("{\"force\":", 400, "malformed_json"),
            ("nope", 400, "malformed_json"),
            ("[]", 422, "invalid"),
            ("null", 422, "invalid"),
            ("{\"force\": true}", 422, "invalid"),
        ] {
            let refused = sent(body).await;
            assert_eq!((refused.status, refused.code()), (status, code), "{action} {body}: {}", refused.body);
        }
        assert_eq!(
            app.get("/v1/connections/vies").await.body["status"],
            match action {
                "enable" => "configured",
                "disable" => "active",
                _ => "disabled",
            }
        );
        sent("").await.expect(200);
        sent("{}").await.expect(200);
    }
}
