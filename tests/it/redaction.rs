//! Named JSON paths from outside: what a field, an endpoint or a connection names in `redact` is in no
//! answer of ours, no row and no log, whatever became of the call.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::upstream::{Reply, json as reply, ok};

/// What stands where nobody may see it.
const PLANTED: &str = "s3nsitive-of-the-provider";
/// What stands beside it.
const SHOWN: &str = "everybody-may-see-it";

fn body() -> Value {
    json!({"token": PLANTED, "user": {"password": {"old": [PLANTED]}, "name": SHOWN}, "value": PLANTED,
        "error": {"code": PLANTED, "message": SHOWN}})
}

/// Nothing of the process holds what was hidden; what was not is there.
async fn assert_hidden(app: &TestApp, case: &Value) {
    let id = case["id"].as_str().unwrap();
    let runs = json!(app.runs(id).await).to_string();
    let list = app.get("/v1/cases?include=outputs,provenance").await.expect(200).to_string();
    let rows = String::from_utf8_lossy(&app.database_bytes()).into_owned();
    for (what, text) in [("runs", &runs), ("cases", &list), ("rows", &rows), ("logs", &app.log_lines())] {
        assert!(!text.contains(PLANTED), "{what}: {text}");
    }
    assert!(runs.contains("[redacted]"), "{runs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_typed_into_headers_are_hidden_where_a_provider_echoes_them() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise_with(|call| {
        let echo = |name: &str| call.header(name).unwrap_or_default().to_owned();
        let key = echo("x-api-key");
        ok(json!({"a": echo("authorization"), "c": echo("cookie"), "k": key, "of": format!("<{key}>"), "own": echo("x-auth-token")}))
    });
    let headers = json!({"Authorization": "Bearer typed-authz-12345", "Cookie": "lang=en; sid=typed-cookie-12345",
        "X-Api-Key": "typed-key-12345"});
    let connection = json!({"base_url": app.upstream.url(""), "headers": headers});
    let saved = app.put("/v1/connections/echo", &connection).await.expect(201);
    let doubts = saved["warnings"].as_array().unwrap().iter().map(|doubt| doubt["pointer"].clone());
    let expected = ["/headers/Authorization", "/headers/Cookie", "/headers/X-Api-Key"].map(|at| json!(at));
    assert_eq!(doubts.collect::<Vec<_>>(), expected);
    let config = json!({"connection": "echo", "url": "/echo", "headers": {"X-Auth-Token": "typed-own-12345"},
        "response_mapping": {"seen": "$.of"}, "output_variable": "out"});
    app.define_one("/unused", json!({}), config).await;
    let case = app.filled(json!({})).await;
    assert_eq!(case["data"]["seen"], "<[hidden]>", "{case}");
    let runs = json!(app.runs(case["id"].as_str().unwrap()).await);
    let run = app.get(&format!("/v1/runs/{}", runs[0]["id"].as_str().unwrap())).await.expect(200);
    let tested = app.post("/v1/case-types/test/fields/check/test", &json!({"send": true})).await.expect(200);
    for shown in [case, run, tested] {
        assert!(!shown.to_string().contains("typed-"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn named_places_of_an_answer_are_hidden_before_anything_looks_at_them() {
    let text = body().to_string();
    let twice = format!("{{\"token\": \"{PLANTED}\", {}", &text[1..]);
    for (answer, code, quoted) in [
        (ok(body()), Value::Null, true),
        (Reply::of("application/json", twice), Value::Null, true),
        (Reply::of("text/plain", text.clone()), json!("invalid_response"), true),
        (reply(400, body()), json!("http_status"), true),
        (reply(500, body()), json!("http_status"), true),
        (Reply::of("application/json", text[..text.len() - 1].to_owned()), json!("invalid_response"), false),
    ] {
        let app = TestApp::spawn().await;
        app.upstream.otherwise(answer);
        let paths = json!(["$.token", "$..password", "value", "$.error.code"]);
        let config = json!({"redact": paths, "output_variable": "out"});
        app.define_one("/check", json!({"retry": 0, "cache_duration": 60}), config).await;
        let case = app.filled(json!({})).await;
        let error = &case["fields"]["check"]["error"];
        assert_eq!(error["code"], code, "{case}");
        assert_hidden(&app, &case).await;
        let runs = json!(app.runs(case["id"].as_str().unwrap()).await).to_string();
        assert_eq!(runs.contains(SHOWN), quoted, "{runs}");
        if code.is_null() {
            assert_eq!(case["data"]["value"], "[redacted]");
            assert_eq!(case["data"]["out"]["user"], json!({"password": "[redacted]", "name": SHOWN}));
            // From the cache it is the same.
            let again = app.filled(json!({})).await;
            assert_eq!(again["fields"]["check"]["cached"], true);
            assert_eq!(again["data"]["out"], case["data"]["out"]);
        }
        for body in [json!({"send": true}), json!({"response": {"body": self::body()}})] {
            let tested = app.post("/v1/case-types/test/fields/check/test", &body).await.expect(200);
            assert!(!tested.to_string().contains(PLANTED), "{tested}");
        }
        assert!(!app.log_lines().contains(PLANTED));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_endpoint_and_field_name_places_together() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"a": PLANTED, "b": PLANTED, "c": PLANTED, "d": SHOWN})));
    let endpoint = json!({"path": "/x", "redact": ["$.b"], "response_mapping": {"got": "$"}});
    let mut connection =
        json!({"base_url": app.upstream.url("/"), "redact": ["$.a"], "endpoints": {"one": endpoint}});
    let saved = app.put("/v1/connections/vies", &connection).await.expect(201);
    assert_eq!((&saved["redact"], &saved["endpoints"]["one"]["redact"]), (&json!(["$.a"]), &json!(["$.b"])));
    assert_eq!(app.put("/v1/connections/vies", &saved).await.expect(200)["version"], saved["version"]);
    let field = |config: Value| json!([{"key": "check", "type": "api_call", "trigger": "on_create", "cache_duration": 600, "api_config": config}]);
    for (config, shown) in [
        (json!({"connection": "vies", "endpoint": "one"}), ["[redacted]", "[redacted]", PLANTED]),
        // A list of the field's own is in the place of the endpoint's; the connection's always holds.
        (
            json!({"connection": "vies", "endpoint": "one", "redact": ["$.c"]}),
            ["[redacted]", PLANTED, "[redacted]"],
        ),
        (json!({"connection": "vies", "endpoint": "one", "redact": ["$.c", "$.b"]}), ["[redacted]"; 3]),
    ] {
        let saved = app.define(field(config.clone())).await;
        assert_eq!(saved["fields"][0]["api_config"].get("redact"), config.get("redact"));
        let case = app.filled(json!({})).await;
        let got = &case["data"]["got"];
        assert_eq!([&got["a"], &got["b"], &got["c"]].map(|value| value.as_str().unwrap()), shown);
        assert_eq!((&got["d"], &case["fields"]["check"]["cached"]), (&json!(SHOWN), &json!(false)), "{case}");
    }
    // Another list of the connection counts at once, for what is cached, too.
    connection["redact"] = json!(["$.a", "$.d"]);
    app.put("/v1/connections/vies", &connection).await.expect(200);
    assert_eq!(app.filled(json!({})).await["data"]["got"]["d"], "[redacted]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_places_that_cannot_be_meant_is_refused() {
    let app = TestApp::spawn().await;
    for (redact, pointer, code) in [
        (json!("$.a"), "/redact", "wrong_type"),
        (json!(["$.a", 5]), "/redact/1", "wrong_type"),
        (json!(["$.a["]), "/redact/0", "invalid_path"),
        (json!(vec!["$.a"; 21]), "/redact", "out_of_range"),
    ] {
        let connection = json!({"redact": redact, "endpoints": {"one": {"path": "/x", "redact": redact}}});
        let field = app.field("/check", json!({}), json!({"redact": redact}));
        for (path, body, at) in [
            ("/v1/connections/vies", &connection, vec!["", "/endpoints/one"]),
            ("/v1/case-types/test", &json!({"fields": [field]}), vec!["/fields/0/api_config"]),
        ] {
            let refused = app.put(path, body).await.expect(422);
            let found: Vec<_> = refused["errors"]
                .as_array()
                .unwrap()
                .iter()
                .map(|error| (&error["pointer"], &error["code"]))
                .collect();
            for at in at {
                assert!(found.contains(&(&json!(format!("{at}{pointer}")), &json!(code))), "{refused}");
            }
        }
    }
    let near = app.put("/v1/connections/vies", &json!({"redacts": ["$.a"]})).await.expect(422);
    assert!(near["errors"][0]["message"].as_str().unwrap().contains("did you mean `redact`?"), "{near}");
}
