//! What clients can send: whatever it is, the answer is a problem that says so, never a 5xx.

use std::sync::Arc;
use std::time::Duration;

use dossier::app::{App, AppOptions, SystemRng};
use dossier::domain::token::Role;
use dossier::service::NewTokenRequest;
use dossier::telemetry::LogRedactor;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::app::{Answer, TestApp, secs};
use crate::upstream::ok;

const NOBODY: &str = "0193aaaa-0000-7000-8000-000000000000";

/// Every operation with a body, and one of each without.
fn operations(case: &str) -> Vec<(&'static str, String, bool)> {
    [
        ("GET", "/v1/case-types".to_owned(), false),
        ("POST", "/v1/case-types".to_owned(), true),
        ("GET", "/v1/case-types/test".to_owned(), false),
        ("PUT", "/v1/case-types/test".to_owned(), true),
        ("DELETE", "/v1/case-types/test".to_owned(), false),
        ("GET", "/v1/connections".to_owned(), false),
        ("POST", "/v1/connections".to_owned(), true),
        ("GET", "/v1/connections/vies".to_owned(), false),
        ("PUT", "/v1/connections/vies".to_owned(), true),
        ("POST", "/v1/connections/vies/disable".to_owned(), false),
        ("GET", "/v1/connections/vies/health".to_owned(), false),
        ("GET", "/v1/cases".to_owned(), false),
        ("POST", "/v1/cases".to_owned(), true),
        ("GET", format!("/v1/cases/{case}"), false),
        ("PATCH", format!("/v1/cases/{case}"), true),
        ("POST", format!("/v1/cases/{case}/refresh"), true),
        ("POST", format!("/v1/cases/{case}/fields/check/refresh"), true),
        ("GET", "/v1/runs".to_owned(), false),
        ("GET", format!("/v1/runs/{NOBODY}"), false),
        ("GET", "/v1/secrets".to_owned(), false),
        ("PUT", "/v1/secrets/marker".to_owned(), true),
        ("DELETE", "/v1/secrets/marker".to_owned(), false),
        ("GET", "/v1/tokens".to_owned(), false),
        ("POST", "/v1/tokens".to_owned(), true),
        ("DELETE", format!("/v1/tokens/{NOBODY}"), false),
        ("DELETE", format!("/v1/cases/{NOBODY}"), false),
    ]
    .into_iter()
    .collect()
}

async fn furnished() -> (TestApp, String) {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    let check = app.field("/check", json!({}), json!({}));
    app.define(json!([
        {"key": "name", "type": "text"},
        {"key": "count", "type": "integer"},
        {"key": "on", "type": "date"},
        {"key": "any", "type": "json"},
        check,
    ]))
    .await;
    let id = app.create(json!({"name": "Acme"})).await;
    app.drain().await;
    (app, id)
}

async fn raw(app: &TestApp, method: &str, path: &str, body: impl Into<reqwest::Body>) -> Answer {
    app.send(app.request(method, path).header(CONTENT_TYPE, "application/json").body(body)).await
}

/// A problem as RFC 9457 and the contract want it.
#[track_caller]
fn assert_problem(answer: &Answer, status: u16, code: &str, what: &str) {
    let brief: String = answer.body.to_string().chars().take(600).collect();
    assert_eq!((answer.status, answer.code()), (status, code), "{what}: {brief}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
    for member in ["type", "title", "detail", "request_id"] {
        assert!(answer.body[member].is_string(), "{what} has no {member}: {brief}");
    }
    assert_eq!(answer.body["status"], status, "{what}");
    if code == "invalid" || code == "not_supported_yet" {
        assert!(answer.body["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{what}: {brief}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_json_are_refused_everywhere() {
    let (app, id) = furnished().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_objects = format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    let open = "[".repeat(100_000);
    let bodies: [&[u8]; 15] = [
        b"{",
        b"nope",
        b"{\"a\": 1,}",
        b"{'a': 1}",
        b"{\"a\": NaN}",
        b"{\"a\": 1e999}",
        b"{\"a\": 01}",
        b"{\"a\": \"\\ud800\"}",
        b"{\"\\udfff\": 1}",
        b"{\"a\": \"\xff\xfe\"}",
        b"\xef\xbb\xbf{",
        b"{} {}",
        deep.as_bytes(),
        deep_objects.as_bytes(),
        open.as_bytes(),
    ];
    for (method, path, takes_body) in operations(&id) {
        if !takes_body {
            continue;
        }
        for body in bodies {
            let what = format!("{method} {path} {}", String::from_utf8_lossy(&body[..body.len().min(40)]));
            let answer = raw(&app, method, &path, body.to_vec()).await;
            assert_problem(&answer, 400, "malformed_json", &what);
        }
        let answer = raw(&app, method, &path, vec![b' '; 10 << 20]).await;
        assert_problem(&answer, 413, "too_large", &path);
        for kind in
            ["text/plain", "application/xml", "multipart/form-data; boundary=x", "application/json5", ""]
        {
            let request = app.request(method, &path).header(CONTENT_TYPE, kind).body("{}");
            assert_problem(&app.send(request).await, 415, "unsupported_media_type", kind);
        }
        if !path.ends_with("/refresh") {
            let answer = raw(&app, method, &path, "").await;
            assert_problem(&answer, 400, "malformed_json", &path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_of_a_wrong_shape_is_refused_everywhere() {
    let (app, id) = furnished().await;
    for (method, path, takes_body) in operations(&id) {
        if !takes_body {
            continue;
        }
        for body in
            ["null", "true", "5", "\"x\"", "[]", "[{}]", "{\"nope\": 1}", "{\"\": 1}", "{\"a\\u0000\": 1}"]
        {
            let answer = raw(&app, method, &path, body).await;
            assert_problem(&answer, 422, "invalid", &format!("{method} {path} {body}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_of_every_body_takes_its_type_only() {
    let (app, id) = furnished().await;
    let good = app.get("/v1/case-types/test").await.expect(200);
    let case = json!({"case_type": "test", "reference": "R", "title": "T", "status": "draft",
        "custom_status": "C", "assignee": "A", "data": {"name": "x", "count": 1, "on": "2026-01-01"}});
    let patch = json!({"title": "T", "status": "draft", "custom_status": "C", "assignee": "A", "data": {"name": "x"}});
    let refresh = json!({"input": {"a": 1}, "force": true, "overwrite": false});
    let token =
        json!({"name": "x", "role": "viewer", "overrides": true, "expires_at": "2030-01-01T00:00:00Z"});
    let secret = json!({"value": "long enough", "hosts": ["a.example"], "redact": true});
    let bodies = [
        ("PUT", "/v1/case-types/test".to_owned(), good),
        ("POST", "/v1/cases".to_owned(), case),
        ("PATCH", format!("/v1/cases/{id}"), patch),
        ("POST", format!("/v1/cases/{id}/fields/check/refresh"), refresh),
        ("POST", "/v1/tokens".to_owned(), token),
        ("PUT", "/v1/secrets/marker".to_owned(), secret),
    ];
    let odd = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("x\u{0}y"),
        json!("\u{202e}\u{feff}"),
        json!("x".repeat(20_000)),
        json!([]),
        json!([[[]]]),
        json!([null]),
        json!({}),
        json!({"a": {"b": null}}),
        json!({"": ""}),
        json!("{{ data }}"),
        json!("[hidden]"),
        json!({"$sealed": "AAAA"}),
    ];
    let mut sent = 0;
    for (method, path, body) in &bodies {
        for pointer in pointers(body) {
            for value in &odd {
                let mut changed = body.clone();
                *changed.pointer_mut(&pointer).unwrap() = value.clone();
                let answer = app.send(app.request(method, path).json(&changed)).await;
                let what: String = format!("{method} {path} {pointer} {value}").chars().take(200).collect();
                assert!(answer.status < 500, "{what}: {}", answer.body);
                if answer.status >= 300 {
                    let code = answer.code().to_owned();
                    let known = ["invalid", "not_supported_yet", "already_exists", "not_found"];
                    assert!(known.contains(&code.as_str()), "{what}: {}", answer.body);
                }
                if value.as_str().is_some_and(|text| text.contains('\0')) && answer.status < 300 {
                    assert!(answer.body.to_string().find("\\u0000").is_none(), "{what}: {}", answer.body);
                }
                sent += 1;
            }
        }
        app.drain().await;
    }
    assert!(sent > 500, "{sent}");
    // It still works.
    assert_eq!(app.get(&format!("/v1/cases/{id}")).await.status, 200);
}

/// The pointers of everything inside.
fn pointers(value: &Value) -> Vec<String> {
    let inside: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            members.iter().map(|(name, v)| (name.replace('~', "~0").replace('/', "~1"), v)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(index, v)| (index.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    inside
        .into_iter()
        .flat_map(|(name, value)| {
            let below =
                pointers(value).into_iter().map(|below| format!("/{name}{below}")).collect::<Vec<_>>();
            [vec![format!("/{name}")], below].concat()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn data_is_kept_exactly_or_refused() {
    let (app, id) = furnished().await;
    let path = format!("/v1/cases/{id}");
    // Texts with NUL, names that are no names, texts of the wrong kind.
    for body in [
        "{\"data\": {\"name\": \"a\\u0000b\"}}",
        "{\"data\": {\"any\": {\"deep\": [\"a\\u0000b\"]}}}",
        "{\"data\": {\"any\": {\"na\\u0000me\": 1}}}",
        "{\"title\": \"\\u0000\"}",
        "{\"reference\": \"\\u0000\"}",
        "{\"data\": {\"a.b\": 1}}",
        "{\"data\": {\"\": 1}}",
        "{\"data\": []}",
        "{\"data\": 5}",
        "{\"data\": {\"count\": \"1\"}}",
        "{\"data\": {\"count\": 1.5}}",
        "{\"data\": {\"on\": \"2026-02-30\"}}",
        "{\"data\": {\"name\": 5}}",
        "{\"case_type\": \"other\"}",
        "{\"status\": \"open\"}",
        "{\"fields_\": {}}",
    ] {
        let answer = raw(&app, "PATCH", &path, body).await;
        assert_problem(&answer, 422, "invalid", body);
    }
    let long_name = format!("{{\"data\": {{\"{}\": 1}}}}", "n".repeat(129));
    assert_problem(&raw(&app, "PATCH", &path, long_name).await, 422, "invalid", "a long name");
    // Big but honest numbers keep every digit; of two members with one name the last counts.
    let body = "{\"data\": {\"any\": {\"max\": 9223372036854775807, \"umax\": 18446744073709551615, \
                \"min\": -9223372036854775808, \"exp\": 1e300}, \"name\": \"first\", \"name\": \"last\"}}";
    let answer = raw(&app, "PATCH", &path, body).await.expect(200);
    assert_eq!(answer["data"]["any"]["max"], json!(i64::MAX));
    assert_eq!(answer["data"]["any"]["umax"], json!(u64::MAX));
    assert_eq!(answer["data"]["any"]["min"], json!(i64::MIN));
    assert_eq!(answer["data"]["name"], "last");
    // A number that no 64 bits hold.
    let body = "{\"data\": {\"count\": 123456789012345678901234567890}}";
    assert_problem(&raw(&app, "PATCH", &path, body).await, 422, "invalid", body);
    // More data than a case may hold, in two requests that are small enough each.
    let half = "x".repeat(700 * 1024);
    raw(&app, "PATCH", &path, json!({"data": {"half": half}}).to_string()).await.expect(200);
    let answer = raw(&app, "PATCH", &path, json!({"data": {"other": half}}).to_string()).await;
    assert!(matches!(answer.status, 413 | 422), "{}", answer.status);
    // Emoji, right-to-left and astral characters come back as they went in.
    let name = "Ünï \u{1f600} \u{202e}אב \u{10ffff} ' \" \\ / <b> %s {{ x }} {data.name}";
    let answer = raw(&app, "PATCH", &path, json!({"data": {"name": name}}).to_string()).await.expect(200);
    assert_eq!(answer["data"]["name"], name);
}

#[tokio::test(flavor = "multi_thread")]
async fn query_parameters_are_known_and_in_range() {
    let (app, id) = furnished().await;
    let lists = ["/v1/cases", "/v1/case-types", "/v1/runs", "/v1/secrets", "/v1/tokens"];
    for list in lists {
        for query in [
            "limit=0",
            "limit=201",
            "limit=x",
            "limit=",
            "cursor=x",
            "cursor=%00",
            "count=1",
            "nope=1",
            "limit=1&limit=2",
            "=",
            "cursor=%ff",
        ] {
            let answer = app.get(&format!("{list}?{query}")).await;
            assert_problem(&answer, 400, "malformed_request", &format!("{list}?{query}"));
        }
    }
    for query in [
        "status=open",
        "updated_since=yesterday",
        "sort=nope",
        "sort=--title",
        "field.check=nope",
        "field.=succeeded",
        "field.check=skipped:nope",
        "include=nope",
        "case_type=Not-A-Key",
        "order=asc",
    ] {
        let answer = app.get(&format!("/v1/cases?{query}")).await;
        assert_problem(&answer, 400, "malformed_request", query);
    }
    for query in [
        "case=x",
        "status=nope",
        "trigger=nope",
        "error=nope",
        "since=x",
        "until=2026-13-01T00:00:00Z",
        "field=A",
    ] {
        let answer = app.get(&format!("/v1/runs?{query}")).await;
        assert_problem(&answer, 400, "malformed_request", query);
    }
    for path in [format!("/v1/cases/{id}?x=1"), "/v1/case-types/test?x=1".to_owned()] {
        assert_problem(&app.get(&path).await, 400, "malformed_request", &path);
    }
    for path in [
        "/v1/cases/x",
        "/v1/cases/%00",
        "/v1/runs/1",
        "/v1/case-types/A",
        "/v1/case-types/%2e%2e",
        "/v1/nope",
        "/v1",
        "/v1/cases/",
    ] {
        assert_problem(&app.get(path).await, 404, "not_found", path);
    }
    assert_problem(&app.delete("/v1/tokens/x").await, 404, "not_found", "token");
    // Odd values that are legal find nothing.
    for query in
        ["reference=%27%20OR%201=1--", "assignee=%25", "custom_status=%F0%9F%98%80", "case_type=none"]
    {
        let found = app.get(&format!("/v1/cases?{query}")).await.expect(200);
        assert_eq!(found["items"], json!([]), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_step_brings_is_refused_by_name() {
    let (app, id) = furnished().await;
    for (method, path, _) in operations(&id) {
        let changes = !matches!(method, "GET" | "POST");
        let heeds = changes
            && ["/v1/cases/", "/v1/case-types/", "/v1/connections/"]
                .iter()
                .any(|begin| path.starts_with(begin));
        let refused = app.send(app.request(method, &path).header("If-Match", "\"9\"").json(&json!({}))).await;
        let expected = match heeds {
            true if path.contains(NOBODY) => (404, "not_found"),
            true => (412, "version_mismatch"),
            false => (422, "not_supported_yet"),
        };
        assert_problem(&refused, expected.0, expected.1, &format!("{method} {path} If-Match"));
    }
    for trigger in ["webhook", "workflow"] {
        let field = app.field("/check", json!({"trigger": trigger}), json!({}));
        let refused = app.put("/v1/case-types/test", &json!({"key": "test", "fields": [field]})).await;
        assert_problem(&refused, 422, "not_supported_yet", trigger);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_do_its_part_and_no_more() {
    let (app, id) = furnished().await;
    let roles = ["viewer", "operator", "builder", "admin"];
    let mut tokens = Vec::new();
    for role in roles {
        let made = app.post("/v1/tokens", &json!({"name": role, "role": role})).await.expect(201);
        tokens.push(made["token"].as_str().unwrap().to_owned());
    }
    for (method, path, _) in operations(&id) {
        let needed = match (method, path.split('/').nth(2).unwrap()) {
            (_, "tokens") => 3,
            ("GET", _) => 0,
            (_, "cases") => 1,
            _ => 2,
        };
        for (rank, token) in tokens.iter().enumerate() {
            // A body that is refused, so that nothing is changed by those who may.
            let request = app.request(method, &path).header("authorization", "").json(&json!({"nope": 1}));
            let mut request = request.build().unwrap();
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
            let answer =
                app.send(reqwest::RequestBuilder::from_parts(crate::upstream::client(), request)).await;
            let what = format!("{} {method} {path}", roles[rank]);
            if rank < needed {
                assert_problem(&answer, 403, "forbidden", &what);
            } else if method == "DELETE" && path == "/v1/case-types/test" {
                assert_problem(&answer, 409, "in_use", &what);
            } else {
                assert!(matches!(answer.status, 200 | 404 | 422), "{what}: {}", answer.body);
            }
        }
        for token in ["Bearer nobody-has-this", "Bearer ", "Basic dGVzdA==", "", "Bearer \u{e9}"] {
            let mut request = app.request(method, &path).build().unwrap();
            let value = reqwest::header::HeaderValue::from_bytes(token.as_bytes()).unwrap();
            request.headers_mut().insert("authorization", value);
            let answer =
                app.send(reqwest::RequestBuilder::from_parts(crate::upstream::client(), request)).await;
            assert_problem(&answer, 401, "unauthorized", &format!("{token} {method} {path}"));
        }
    }
    // A token that expires, and one that is taken back.
    let short = json!({"name": "short", "role": "viewer", "expires_at": "2026-11-21T09:00:10Z"});
    let short = app.post("/v1/tokens", &short).await.expect(201)["token"].as_str().unwrap().to_owned();
    let ask = |token: &str| {
        let mut request = app.request("GET", "/v1/cases").build().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        app.send(reqwest::RequestBuilder::from_parts(crate::upstream::client(), request))
    };
    assert_eq!(ask(&short).await.status, 200);
    app.move_clock(secs(10));
    assert_eq!(ask(&short).await.status, 401);
    let list = app.get("/v1/tokens").await.expect(200);
    assert!(!list.to_string().contains(&tokens[0]), "a token is listed");
    let viewer = list["items"].as_array().unwrap().iter().find(|token| token["name"] == "viewer").unwrap();
    assert_eq!(ask(&tokens[0]).await.status, 200);
    app.delete(&format!("/v1/tokens/{}", viewer["id"].as_str().unwrap())).await.expect(204);
    assert_eq!(ask(&tokens[0]).await.status, 401);
}

/// An admin token of another workspace on the same database.
pub async fn stranger(app: &TestApp) -> String {
    let options = AppOptions { serves: false, ticks: false };
    let rng = Arc::new(SystemRng::default());
    let second = App::start(&app.settings, options, app.clock.clone(), rng, &LogRedactor::default()).await;
    let second = second.unwrap();
    let access = &second.services.access;
    let workspace = access.ensure_workspace(&"other".parse().unwrap()).await.unwrap();
    let request = NewTokenRequest { name: "x".into(), role: Role::Admin, overrides: true, expires_at: None };
    let (_, token) = access.create_in(workspace, request).await.unwrap();
    let token = token.expose().to_owned();
    second.stop(Duration::ZERO).await;
    token
}

#[tokio::test(flavor = "multi_thread")]
async fn another_workspace_finds_nothing_and_changes_nothing() {
    let (app, id) = furnished().await;
    app.put("/v1/secrets/marker", &json!({"value": "long enough"})).await.expect(201);
    let made = app.post("/v1/tokens", &json!({"name": "x", "role": "viewer"})).await.expect(201);
    let run = app.runs(&id).await.remove(0)["id"].as_str().unwrap().to_owned();
    let token = Box::pin(stranger(&app)).await;
    let ask = |method: &str, path: &str, body: Value| {
        let mut request = app.request(method, path).json(&body).build().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        app.send(reqwest::RequestBuilder::from_parts(crate::upstream::client(), request))
    };
    for (method, path) in [
        ("GET", format!("/v1/cases/{id}")),
        ("PATCH", format!("/v1/cases/{id}")),
        ("DELETE", format!("/v1/cases/{id}")),
        ("POST", format!("/v1/cases/{id}/refresh")),
        ("POST", format!("/v1/cases/{id}/fields/check/refresh")),
        ("GET", format!("/v1/runs/{run}")),
        ("GET", "/v1/case-types/test".to_owned()),
        ("DELETE", "/v1/case-types/test".to_owned()),
        ("DELETE", "/v1/secrets/marker".to_owned()),
        ("DELETE", format!("/v1/tokens/{}", made["id"].as_str().unwrap())),
    ] {
        let theirs = ask(method, &path, json!({})).await;
        assert_problem(&theirs, 404, "not_found", &format!("{method} {path}"));
        // The same as for what was never there.
        let missing =
            path.replace(&id, NOBODY).replace(&run, NOBODY).replace("case-types/test", "case-types/none");
        let nothing = ask(method, &missing, json!({})).await;
        assert_eq!(theirs.body["detail"], nothing.body["detail"], "{method} {path}");
    }
    for path in ["/v1/cases", "/v1/runs", "/v1/case-types", "/v1/secrets"] {
        assert_eq!(ask("GET", path, json!({})).await.expect(200)["items"], json!([]), "{path}");
    }
    let filtered = ask("GET", &format!("/v1/runs?case={id}"), json!({})).await.expect(200);
    assert_eq!(filtered["items"], json!([]));
    let case = json!({"case_type": "test", "data": {}});
    assert_eq!(ask("POST", "/v1/cases", case).await.status, 422);
    // A secret of one workspace is none of the other, and names do not collide.
    let uses = json!({"key": "test", "fields": [app.field("/c", json!({}), json!({"headers": {"X": "{secret.marker}"}}))]});
    assert_problem(&ask("PUT", "/v1/case-types/test", uses).await, 422, "invalid", "a foreign secret");
    ask("PUT", "/v1/secrets/marker", json!({"value": "another one"})).await.expect(201);
    assert_eq!(app.case(&id).await["version"], 1);
    assert_eq!(app.get("/v1/case-types/test").await.status, 200);
}

/// What comes back for these bytes, as far as anything does.
async fn answer_to(app: &TestApp, bytes: Vec<u8>) -> String {
    let authority = app.url("").trim_start_matches("http://").to_owned();
    let mut socket = tokio::net::TcpStream::connect(authority).await.unwrap();
    // The server may hang up before it has read everything.
    let _ = socket.write_all(&bytes).await;
    let _ = socket.shutdown().await;
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_hardly_http_harm_nobody() {
    let (app, id) = furnished().await;
    let head =
        |line: &str| format!("{line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n", crate::app::TOKEN);
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, " ".repeat(1 << 20));
    let post = head("POST /v1/cases");
    let requests: Vec<Vec<u8>> = vec![
        b"\0\x01\x02\xff".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        format!("{}\r\n", head(&format!("GET /v1/cases?reference={}", "x".repeat(300_000)))).into_bytes(),
        format!("{}x: {}\r\n\r\n", head("GET /v1/cases"), "y".repeat(300_000)).into_bytes(),
        format!("{}{}\r\n", head("GET /v1/cases"), "a: b\r\n".repeat(5_000)).into_bytes(),
        format!("{post}content-length: 100\r\n\r\n{{").into_bytes(),
        format!("{post}content-length: -5\r\n\r\n{{}}").into_bytes(),
        format!("{post}content-length: 2\r\ncontent-length: 9\r\n\r\n{{}}").into_bytes(),
        format!("{post}content-length: 99999999999999999999999\r\n\r\n{{}}").into_bytes(),
        format!("{post}transfer-encoding: chunked\r\n\r\nzz\r\n").into_bytes(),
        format!("{post}transfer-encoding: chunked\r\n\r\n{}", chunk.repeat(10)).into_bytes(),
        format!("{post}content-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd").into_bytes(),
        format!("{post}prefer: wait=-1, wait=x, ;;=\r\ncontent-length: 2\r\n\r\n{{}}").into_bytes(),
        format!("{}\r\n", head("BREW /v1/cases")).into_bytes(),
        format!("{}\r\n", head("TRACE /v1/cases")).into_bytes(),
        format!("{}\r\n", head("GET //v1//cases")).into_bytes(),
        format!("{}\r\n", head("GET /v1/../../etc/passwd")).into_bytes(),
        format!("{}\r\n", head("GET /v1/cases/%ff%fe")).into_bytes(),
        format!("{}\r\n", head("OPTIONS *")).into_bytes(),
        format!("{}x-request-id: {}\r\n\r\n", head("GET /v1/cases"), "\u{1f600}<script>").into_bytes(),
    ];
    for bytes in requests {
        let what: String = String::from_utf8_lossy(&bytes).chars().take(60).collect();
        let answer = answer_to(&app, bytes).await;
        let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
        assert!(answer.is_empty() || status.starts_with(['2', '4']), "{what}: {answer}");
        assert!(!answer.contains("panicked"), "{what}");
    }
    assert!(!app.log_lines().contains("panicked"));
    assert_eq!(app.case(&id).await["fields"]["check"]["status"], "succeeded");
}

/// Texts that a parser could follow too far.
fn endless_texts() -> Vec<String> {
    let n = 30_000;
    let nested =
        |open: &str, inside: &str, close: &str| format!("{}{inside}{}", open.repeat(n), close.repeat(n));
    vec![
        nested("(", "1", ")"),
        nested("[", "", "]"),
        nested("{'a':", "1", "}"),
        nested("not ", "true", ""),
        nested("-", "1", ""),
        nested("1 if ", "true", " else 2"),
        nested("1 + ", "1", ""),
        nested("'a' ~ ", "'b'", ""),
        nested("data.x and ", "true", ""),
        nested("1 < ", "2", ""),
        nested("2 ** ", "2", ""),
        nested("data.a", "", ".b"),
        nested("data", "", "['b']"),
        nested("data.a", "", " | trim"),
        nested("data[", "'a'", "]"),
        nested("$[?", "@.a", "]"),
        nested("$[?(", "@.a == 1", ")]"),
        nested("$[?!", "@.a", "]"),
        nested("$", "", ".a"),
        nested("$", "", "..a"),
        nested("$", "", "[*]"),
        nested("$[?length(", "@.a", ")]"),
        format!("'{}'", "x".repeat(n)),
        "'x' * 1000000000".to_owned(),
        "[1] * 1000000000".to_owned(),
        "range(1000000000)".to_owned(),
        "9".repeat(n),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_cannot_stall_or_crash() {
    let (app, id) = furnished().await;
    app.upstream.otherwise(ok(json!({"value": [{"a": "b"}, [[["c"]]]]})));
    let mut saved = 0;
    for text in endless_texts() {
        let short: String = text.chars().take(40).collect();
        let placeholder = format!("{{{{ {text} }}}}");
        for (field, config) in [
            (json!({"when": text}), json!({})),
            (json!({}), json!({"success_when": text})),
            (json!({}), json!({"retry_when": text})),
            (json!({}), json!({"headers": {"X": placeholder}})),
            (json!({}), json!({"params": {"a": placeholder, "b": format!("{{{text}}}")}})),
            (json!({}), json!({"method": "POST", "body": placeholder})),
            (json!({}), json!({"method": "POST", "body": {"a": placeholder}})),
            (json!({}), json!({"url": app.upstream.url(&format!("/x/{placeholder}"))})),
            (json!({}), json!({"response_mapping": {"v": text}})),
            (json!({}), json!({"response_mapping": {"v": {"path": "$.v", "transform": text}}})),
            (json!({}), json!({"response_mapping": {"v": {"value": placeholder}}})),
        ] {
            let field = app.field("/x", json!({"retry": 0}), merged(config, &field));
            let field = raised(field);
            let answer = app.put("/v1/case-types/test", &json!({"key": "test", "fields": [field]})).await;
            assert!(matches!(answer.status, 200 | 422), "{short}: {}", answer.status);
            if answer.status == 200 {
                saved += 1;
                let case = app.filled(json!({"x": true, "a": {"b": 1}})).await;
                let status = case["fields"]["check"]["status"].as_str().unwrap();
                assert!(["succeeded", "failed", "skipped"].contains(&status), "{short}: {}", case["fields"]);
                let code = &case["fields"]["check"]["error"]["code"];
                assert_ne!(code, "internal", "{short}: {}", case["fields"]["check"]["error"]);
            }
        }
    }
    assert!(saved > 0);
    assert_eq!(app.get(&format!("/v1/cases/{id}")).await.status, 200);
}

/// Both objects in one.
fn merged(mut one: Value, other: &Value) -> Value {
    one.as_object_mut().unwrap().extend(other.as_object().cloned().unwrap_or_default());
    one
}

/// `when` is a member of the field, not of its request.
fn raised(mut field: Value) -> Value {
    if let Some(when) = field["api_config"].as_object_mut().and_then(|config| config.remove("when")) {
        field["when"] = when;
    }
    field
}
