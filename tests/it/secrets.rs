//! Secrets from outside: they arrive at the provider and nowhere else, whatever it says back.

use std::sync::Arc;

use base64::prelude::{
    BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD, Engine as _,
};
use dossier::app::{App, AppOptions, SystemRng};
use dossier::telemetry::LogRedactor;
use serde_json::{Value, json};

use crate::app::{MARKER, TestApp, secs};
use crate::database::cluster;
use crate::upstream::{Call, Reply, ok, status};

/// The marker as somebody may write it.
fn spellings() -> Vec<(&'static str, String)> {
    let each = |write: fn(u8) -> String| MARKER.bytes().map(write).collect::<String>();
    let percent = each(|byte| format!("%{byte:02X}"));
    let unicode = each(|byte| format!("\\u{byte:04x}"));
    let entities = each(|byte| format!("&#{byte};"));
    vec![
        ("plain", MARKER.to_owned()),
        ("json", MARKER.replace('/', "\\/")),
        ("json_unicode", unicode),
        ("url", MARKER.replace('/', "%2F").replace('+', "%2B")),
        ("url_lower", MARKER.replace('/', "%2f").replace('+', "%2b")),
        ("url_whole", percent),
        ("base64", BASE64_STANDARD.encode(MARKER)),
        ("base64_no_pad", BASE64_STANDARD_NO_PAD.encode(MARKER)),
        ("base64_url", BASE64_URL_SAFE.encode(MARKER)),
        ("base64_url_no_pad", BASE64_URL_SAFE_NO_PAD.encode(MARKER)),
        ("base64_one_in", core(&format!("x{MARKER}"))),
        ("base64_two_in", core(&format!("xy{MARKER}"))),
        ("base64_after_a_name", core(&format!("admin:{MARKER}"))),
        ("hex", hex::encode(MARKER)),
        ("hex_upper", hex::encode_upper(MARKER)),
        ("html", entities),
    ]
}

/// Those from which somebody reads the whole of it.
fn whole_spellings() -> impl Iterator<Item = (&'static str, String)> {
    spellings().into_iter().filter(|(name, _)| !name.ends_with("_in") && !name.ends_with("a_name"))
}

/// What the secret alone decides of a longer text's base64.
fn core(text: &str) -> String {
    let prefix = text.len() - MARKER.len();
    let whole = BASE64_STANDARD_NO_PAD.encode(text);
    let from = prefix.div_ceil(3) * 4;
    let to = text.len() / 3 * 4;
    whole[from..to].to_owned()
}

/// Which spellings of the marker are in there.
fn found_in(text: &[u8]) -> Vec<&'static str> {
    spellings()
        .into_iter()
        .filter(|(_, spelling)| text.windows(spelling.len()).any(|part| part == spelling.as_bytes()))
        .map(|(name, _)| name)
        .collect()
}

#[track_caller]
fn assert_clean(what: &str, text: &[u8]) {
    let found = found_in(text);
    assert!(found.is_empty(), "{what} holds the secret as {found:?}");
}

async fn put_secret(app: &TestApp, hosts: Value) -> Value {
    app.put("/v1/secrets/marker", &json!({"value": MARKER, "hosts": hosts})).await.expect(201)
}

/// A field of its own key, target and output for each place where a secret can stand.
fn everywhere(app: &TestApp) -> Vec<Value> {
    let secret = "{secret.marker}";
    let places = [
        ("header", "/h", json!({"headers": {"X-Api": secret, "X-Long": "a {{ secret.marker }} b"}})),
        ("query", "/q", json!({"params": {"k": secret, "list": ["a", secret]}})),
        ("url_query", "/u?k={secret.marker}", json!({})),
        ("path", "/p/{secret.marker}/x", json!({})),
        ("json", "/j", json!({"method": "POST", "body": {"a": {"b": secret, "c": "x{secret.marker}y"}}})),
        ("json_text", "/t", json!({"method": "POST", "body": "{\"a\": \"{secret.marker}\"}"})),
        ("form", "/f", json!({"method": "POST", "body_type": "form", "body": {"a": {"b": secret}}})),
        ("text", "/x", json!({"method": "PUT", "body_type": "text", "body": "v={secret.marker}"})),
        ("bearer", "/b", json!({"auth": {"type": "bearer", "token": secret}})),
        ("basic", "/s", json!({"auth": {"type": "basic", "username": "admin", "password": secret}})),
        ("basic_user", "/v", json!({"auth": {"type": "basic", "username": secret, "password": "x"}})),
        (
            "key_header",
            "/k",
            json!({"auth": {"type": "api_key", "key": "X-K", "value": secret, "in": "header"}}),
        ),
        ("key_query", "/l", json!({"auth": {"type": "api_key", "key": "k", "value": secret, "in": "query"}})),
    ];
    let field = |(key, path, config): (&str, &str, Value)| {
        let mapping = json!({
            format!("got.{key}"): "$",
            format!("head.{key}"): {"from": "headers", "path": "$"},
        });
        let mut field = app.field(path, json!({"key": key, "retry": 0}), config);
        field["api_config"]["response_mapping"] = mapping;
        field["api_config"]["output_variable"] = format!("out_{key}").into();
        field
    };
    places.into_iter().map(field).collect()
}

/// All that was received, and the marker in every spelling, in body and headers.
fn echo(call: &Call, code: u16) -> Reply {
    let mut spelled = serde_json::Map::new();
    for (name, spelling) in whole_spellings() {
        spelled.insert(name.to_owned(), spelling.clone().into());
        spelled.insert(format!("inside {spelling} a name"), true.into());
    }
    let inside = ["x", "xy", "admin:"].map(|before| {
        let longer = format!("{before}{MARKER}\n");
        [BASE64_STANDARD.encode(&longer), BASE64_URL_SAFE_NO_PAD.encode(&longer)]
    });
    let body = json!({
        "path": call.path,
        "query": call.query,
        "headers": call.headers,
        "body": String::from_utf8_lossy(&call.body),
        "spelled": spelled,
        "inside": inside,
        "error": {"code": MARKER, "description": format!("bad key {MARKER} given")},
    });
    // What JSON may write differently is written so: a literal member as a text in a text.
    let mut text = body.to_string();
    text.insert_str(1, &format!("\"escaped\":\"{}\",", MARKER.replace('/', "\\/")));
    let mut reply = status(code).header("content-type", "application/json").body(text);
    for (name, spelling) in whole_spellings() {
        reply = reply.header(&format!("x-{}", name.replace('_', "-")), &format!("it is {spelling}."));
    }
    reply
}

/// Everything that can be read of a case, its history and its type, and what lies on the disk.
async fn assert_nothing_leaked(app: &TestApp, id: &str) {
    let mut paths = vec![
        format!("/v1/cases/{id}"),
        "/v1/cases?include=outputs,provenance".to_owned(),
        "/v1/runs".to_owned(),
        "/v1/case-types".to_owned(),
        "/v1/case-types/test".to_owned(),
        "/v1/secrets".to_owned(),
        "/v1/secrets?count=true".to_owned(),
    ];
    paths.extend(app.runs(id).await.iter().map(|run| format!("/v1/runs/{}", run["id"].as_str().unwrap())));
    for path in paths {
        let body = app.get(&path).await.expect(200);
        assert_clean(&path, body.to_string().as_bytes());
        // A spelling that JSON escapes again.
        for text in texts(&body) {
            assert_clean(&path, text.as_bytes());
        }
    }
    assert_clean("the log", app.log_lines().as_bytes());
    assert_clean("the database", &app.database_bytes());
}

/// Every text and name of a JSON value.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => {
            members.iter().flat_map(|(name, value)| [vec![name.clone()], texts(value)].concat()).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether a credential came with the call as it should.
type Arrived = Box<dyn Fn(&Call) -> bool>;

/// Whether the call carries the marker as a provider would read it.
fn carries(call: &Call) -> bool {
    let mut all = format!("{} {:?} {:?} ", call.path, call.query, call.headers);
    all.push_str(&String::from_utf8_lossy(&call.body));
    !found_in(all.as_bytes()).is_empty() || all.contains(&BASE64_STANDARD.encode(format!("{MARKER}:x")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_arrives_and_is_seen_nowhere_else() {
    let app = TestApp::spawn().await;
    put_secret(&app, json!([app.upstream.authority()])).await;
    let fields = everywhere(&app);
    let answer = app.define(Value::Array(fields.clone())).await;
    assert_eq!(answer["warnings"].as_array().map_or(0, Vec::len), 0, "{}", answer["warnings"]);
    app.upstream.otherwise_with(|call| echo(call, 200));
    let case = app.filled(json!({})).await;
    for (key, state) in case["fields"].as_object().unwrap() {
        assert_eq!(state["status"], "succeeded", "{key}: {state}");
        let got = case["data"]["got"][key].to_string();
        assert!(got.contains("[secret marker]"), "{key}: {got}");
    }
    let calls = app.upstream.calls();
    assert_eq!(calls.len(), fields.len());
    for call in &calls {
        assert!(carries(call), "{} came without the secret", call.path);
    }
    assert_nothing_leaked(&app, case["id"].as_str().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_quotes_a_secret_is_shown_without_it() {
    let app = TestApp::spawn().await;
    put_secret(&app, json!([app.upstream.authority()])).await;
    let answers: [fn(&Call) -> Reply; 5] = [
        |call| echo(call, 404),
        |call| echo(call, 500),
        |_| Reply::of("application/json", format!("{{\"broken\": \"{MARKER}")),
        |_| Reply::of("text/plain", format!("no such key: {MARKER}")),
        |_| status(302).header("Location", &format!("http://elsewhere.example/?key={MARKER}")),
    ];
    for answer in answers {
        app.upstream.otherwise_with(answer);
        app.define(Value::Array(everywhere(&app))).await;
        let case = app.filled(json!({})).await;
        // Those that the open circuit held back have their turn.
        for _ in 0..20 {
            app.advance(secs(60)).await;
        }
        assert_nothing_leaked(&app, case["id"].as_str().unwrap()).await;
    }
    // A mapping that fails and names what it found.
    app.upstream.otherwise_with(|_| ok(json!({"value": MARKER})));
    let mapping = json!({"value": {"path": "$.value", "type": "integer"}});
    let config = json!({"headers": {"X": "{secret.marker}"}, "response_mapping": mapping});
    app.define_one("/check", json!({}), config).await;
    let case = app.filled(json!({})).await;
    assert_eq!(case["fields"]["check"]["error"]["code"], "mapping_failed");
    assert_nothing_leaked(&app, case["id"].as_str().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_literal_credential_reads_as_hidden_and_survives_what_was_read() {
    let mut app = TestApp::spawn().await;
    app.upstream.otherwise_with(|call| echo(call, 200));
    let basic = BASE64_STANDARD.encode(format!("admin:{MARKER}"));
    let table: [(Value, &str, Arrived); 5] = [
        (
            json!({"type": "bearer", "token": MARKER}),
            "token",
            Box::new(|call| call.header("authorization") == Some(&format!("Bearer {MARKER}"))),
        ),
        (
            json!({"type": "basic", "username": "admin", "password": MARKER}),
            "password",
            Box::new(move |call| call.header("authorization") == Some(&format!("Basic {basic}"))),
        ),
        (
            json!({"type": "api_key", "key": "X-K", "value": MARKER, "in": "header"}),
            "value",
            Box::new(|call| call.header("x-k") == Some(MARKER)),
        ),
        (
            json!({"type": "api_key", "key": "k", "value": MARKER, "in": "query"}),
            "value",
            Box::new(|call| call.query("k") == Some(MARKER)),
        ),
        (
            json!({"type": "api_key", "config": {"key": "X-K", "value": MARKER, "location": "header"}}),
            "value",
            Box::new(|call| call.header("x-k") == Some(MARKER)),
        ),
    ];
    for (auth, member, arrived) in table {
        let field = app.field("/check", json!({}), json!({"auth": auth}));
        let saved = app.define(json!([field])).await;
        assert_eq!(saved["fields"][0]["api_config"]["auth"][member], "[hidden]", "{saved}");
        let read = app.get("/v1/case-types/test").await.expect(200);
        let again = app.put("/v1/case-types/test", &read).await.expect(200);
        assert_eq!(again["fields"][0]["api_config"]["auth"][member], "[hidden]");
        // The same with something else changed: it is a new version with the old credential.
        let mut changed = again.clone();
        changed["name"] = format!("{auth}").replace(MARKER, "x").into();
        app.put("/v1/case-types/test", &changed).await.expect(200);
        app.restart().await;
        let before = app.upstream.calls().len();
        let case = app.filled(json!({})).await;
        assert_eq!(case["fields"]["check"]["status"], "succeeded", "{}", case["fields"]);
        let calls = app.upstream.calls();
        assert_eq!(calls.len(), before + 1);
        assert!(arrived(&calls[before]), "{:?}", calls[before]);
        assert_nothing_leaked(&app, case["id"].as_str().unwrap()).await;
    }
    // Where nothing was before there is nothing to keep.
    let auth = json!({"type": "bearer", "token": "[hidden]"});
    let field = app.field("/check", json!({"key": "fresh"}), json!({"auth": auth}));
    let body = json!({"key": "test", "fields": [field]});
    let refused = app.put("/v1/case-types/test", &body).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(refused.body["errors"][0]["pointer"], "/fields/0/api_config/auth/token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_there_as_long_as_somebody_uses_it() {
    let app = TestApp::spawn().await;
    let field = app.field("/check", json!({}), json!({"headers": {"X": "{secret.marker}"}}));
    let body = json!({"key": "test", "fields": [field]});
    let refused = app.put("/v1/case-types/test", &body).await;
    assert_eq!((refused.status, refused.code()), (422, "invalid"));
    assert_eq!(refused.body["errors"][0]["code"], "unknown_reference");
    assert_eq!(refused.body["errors"][0]["pointer"], "/fields/0/api_config/headers/X");
    put_secret(&app, json!([app.upstream.authority()])).await;
    app.put("/v1/case-types/test", &body).await.expect(201);
    assert_eq!(app.get("/v1/secrets").await.expect(200)["items"][0]["used_by"], json!(["test"]));
    let kept = app.delete("/v1/secrets/marker").await;
    assert_eq!((kept.status, kept.code()), (409, "in_use"), "{}", kept.body);
    assert!(kept.body.to_string().contains("test"), "{}", kept.body);
    app.delete("/v1/case-types/test").await.expect(204);
    app.delete("/v1/secrets/marker").await.expect(204);
    assert_eq!(app.delete("/v1/secrets/marker").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_goes_only_to_the_hosts_that_it_lists() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    let (host, port) = ("127.0.0.1", app.upstream.address().port());
    let table = [
        (json!([]), false),
        (json!(["api.example"]), false),
        (json!([format!("{host}:{}", port ^ 1)]), false),
        (json!(["127.0.0.2", "127.0.0.11"]), false),
        (json!([host]), true),
        (json!([format!("{host}:{port}")]), true),
        (json!(["api.example", "127.1"]), true),
    ];
    for (hosts, allowed) in table {
        let secret = json!({"value": MARKER, "hosts": hosts});
        assert!(app.put("/v1/secrets/marker", &secret).await.status < 300);
        let before = app.upstream.calls().len();
        let field = app.field("/check", json!({}), json!({"params": {"k": "{secret.marker}"}}));
        let saved = app.define(json!([field])).await;
        let warned = saved["warnings"].to_string().contains("marker");
        assert_eq!(warned, !allowed, "{hosts}: {}", saved["warnings"]);
        let case = app.filled(json!({})).await;
        let state = &case["fields"]["check"];
        assert_eq!(state["status"], if allowed { "succeeded" } else { "failed" }, "{hosts}: {state}");
        if !allowed {
            assert_eq!(state["error"]["code"], "secret_not_allowed", "{state}");
            assert_eq!(state["error"]["retryable"], false);
        }
        assert_eq!(app.upstream.calls().len(), before + usize::from(allowed), "{hosts}");
        assert_nothing_leaked(&app, case["id"].as_str().unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_not_redacted_is_still_never_listed() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise_with(|call| ok(json!({"value": call.query("k")})));
    let short = app.put("/v1/secrets/pin", &json!({"value": "4711", "hosts": ["127.0.0.1"]})).await;
    assert_eq!((short.status, &short.body["errors"][0]["pointer"]), (422, &json!("/value")));
    let secret = json!({"value": "4711", "hosts": ["127.0.0.1"], "redact": false});
    let saved = app.put("/v1/secrets/pin", &secret).await.expect(201);
    assert_eq!(saved["redact"], false);
    assert!(saved.get("value").is_none(), "{saved}");
    assert!(!app.get("/v1/secrets").await.expect(200).to_string().contains("4711"));
    app.define_one("/check", json!({}), json!({"params": {"k": "{secrets.pin}"}})).await;
    assert_eq!(app.filled(json!({})).await["data"]["value"], "4711");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_may_stand_only_where_it_is_sent() {
    let app = TestApp::spawn().await;
    put_secret(&app, json!(["127.0.0.1"])).await;
    let mapped = json!({"response_mapping": {"value": {"value": "{secret.marker}"}}});
    let moved = json!({"response_mapping": {"v": {"path": "$.v", "transform": "value ~ secret.marker"}}});
    for (field, config) in [
        (json!({"when": "secret.marker == 'x'"}), json!({})),
        (json!({}), mapped),
        (json!({}), moved),
        (json!({}), json!({"success_when": "body.a == secret.marker"})),
        (json!({}), json!({"retry_when": "body.a == secrets.marker"})),
    ] {
        let body = json!({"key": "test", "fields": [app.field("/check", field, config)]});
        let refused = app.put("/v1/case-types/test", &body).await;
        assert_eq!((refused.status, refused.code()), (422, "invalid"), "{body}");
    }
    for body in [
        json!({"value": "short12", "hosts": []}),
        json!({"value": "x".repeat(16_385), "hosts": []}),
        json!({"value": 12_345_678, "hosts": []}),
        json!({"value": "with\u{0}nul-in-it", "hosts": []}),
        json!({"value": MARKER, "hosts": "127.0.0.1"}),
        json!({"value": MARKER, "hosts": ["http://127.0.0.1/"]}),
        json!({"value": MARKER, "hosts": [""]}),
        json!({"value": MARKER, "hosts": ["a:99999"]}),
        json!({"value": MARKER, "host": []}),
        json!({"hosts": []}),
    ] {
        let refused = app.put("/v1/secrets/marker", &body).await;
        assert_eq!((refused.status, refused.code()), (422, "invalid"), "{body}: {}", refused.body);
        assert!(!refused.body.to_string().contains("short12"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_secret_is_used_at_once_and_lives_through_a_restart() {
    let mut app = TestApp::spawn().await;
    app.upstream.otherwise_with(|call| ok(json!({"value": call.header("x") == Some(MARKER)})));
    let old = json!({"value": "another-value-before", "hosts": ["127.0.0.1"]});
    app.put("/v1/secrets/marker", &old).await.expect(201);
    app.define_one("/check", json!({}), json!({"headers": {"X": "{secret.marker}"}})).await;
    assert_eq!(app.filled(json!({})).await["data"]["value"], false);
    app.put("/v1/secrets/marker", &json!({"value": MARKER, "hosts": ["127.0.0.1"]})).await.expect(200);
    assert_eq!(app.filled(json!({})).await["data"]["value"], true);
    app.restart().await;
    let case = app.filled(json!({})).await;
    assert_eq!(case["data"]["value"], true);
    assert_nothing_leaked(&app, case["id"].as_str().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_master_key_a_database_with_secrets_does_not_start() {
    for literal in [false, true] {
        Box::pin(needs_its_master_key(literal)).await;
    }
}

async fn needs_its_master_key(literal: bool) {
    if cluster().is_some() {
        return; // There is no file of it then: see replicas.rs.
    }
    let mut app = TestApp::spawn().await;
    app.upstream.otherwise_with(|call| ok(json!({"value": call.header("x") == Some(MARKER)})));
    let config = if literal {
        json!({"auth": {"type": "api_key", "key": "X", "value": MARKER}})
    } else {
        put_secret(&app, json!(["127.0.0.1"])).await;
        json!({"headers": {"X": "{secret.marker}"}})
    };
    app.define_one("/check", json!({}), config).await;
    let path = app.settings.security.master_key_file.clone();
    let key = std::fs::read(&path).unwrap();
    let start = || {
        let options = AppOptions { serves: false, ticks: false };
        let rng = Arc::new(SystemRng::default());
        let (settings, clock) = (app.settings.clone(), app.clock.clone());
        async move { App::start(&settings, options, clock, rng, &LogRedactor::default()).await }
    };
    std::fs::remove_file(&path).unwrap();
    for _ in 0..2 {
        let error = start().await.err().unwrap().to_string();
        assert!(error.contains("master key"), "{error}");
        assert!(!path.exists(), "a new key was left in the place of the missing one");
    }
    let other = format!("{}\n", BASE64_STANDARD.encode([7_u8; 32]));
    std::fs::write(&path, &other).unwrap();
    let error = start().await.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("master key"), "another key was taken: {error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), other);
    std::fs::write(&path, &key).unwrap();
    app.restart().await;
    assert_eq!(app.filled(json!({})).await["data"]["value"], true);
}
