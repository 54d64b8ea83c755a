//! Credentials that are fetched first: what is asked of a token endpoint, how often, what becomes of
//! its faults; and several API keys at once.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::app::{MARKER, TestApp, secs};
use crate::authorization::AuthorizationServer;
use crate::database::cluster;
use crate::upstream::{Call, Reply, Upstream, ok, status};

/// A credential that is typed in.
const TYPED: &str = "typ3d-cr3dential/+%41 ü";

/// A token, by its number.
fn token(number: usize) -> String {
    format!("t0ken-{number}-of-the-provider")
}

/// Client credentials at `/token` of the provider beside the test, with members set or replaced.
fn client(app: &TestApp, members: Value) -> Value {
    let mut auth = json!({
        "type": "oauth2_client_credentials", "token_url": app.upstream.url("/token"),
        "client_id": "the client", "client_secret": TYPED,
    });
    let Value::Object(members) = members else { panic!("no object: {members}") };
    auth.as_object_mut().unwrap().extend(members);
    auth
}

/// Each auth is refused at its pointer with this code, in words that hold this part.
async fn refuse(app: &TestApp, rows: impl IntoIterator<Item = (Value, &str, &str, &str)>) {
    for (auth, pointer, code, part) in rows {
        let body = json!({"base_url": app.upstream.url("/"), "auth": auth});
        let refused = app.put("/v1/connections/vies", &body).await.expect(422);
        let found = &refused["errors"][0];
        let place = (&found["pointer"], &found["code"]);
        assert_eq!(place, (&json!(format!("/auth{pointer}")), &json!(code)), "{auth}: {refused}");
        assert!(found["message"].as_str().unwrap().contains(part), "{found}");
    }
}

/// Saves the connection `vies` with this auth, and the case type `test` with one field over it.
async fn connect(app: &TestApp, auth: Value, more: Value) {
    let mut body = json!({"base_url": app.upstream.url("/api"), "auth": auth});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let saved = app.put("/v1/connections/vies", &body).await;
    assert!(matches!(saved.status, 200 | 201), "{}", saved.body);
    let over =
        json!({"connection": "vies", "url": "/check", "params": {"n": "{{ data.n | default(none) }}"}});
    app.define_one("/unused", json!({}), over).await;
}

/// Answers `/token` with tokens that are numbered from 1 and last so long, and `/api/check` when the
/// newest one is on the request. A test may take the newest one back by counting on.
fn issue(app: &TestApp, expires_in: Value) -> std::sync::Arc<AtomicUsize> {
    let issued = std::sync::Arc::new(AtomicUsize::new(0));
    let (gives, takes) = (issued.clone(), issued.clone());
    app.upstream.on_with("POST", "/token", move |_| {
        let number = gives.fetch_add(1, Ordering::SeqCst) + 1;
        ok(json!({"access_token": token(number), "token_type": "Bearer", "expires_in": expires_in}))
    });
    app.upstream.on_with("GET", "/api/check", move |call| {
        let newest = format!("Bearer {}", token(takes.load(Ordering::SeqCst)));
        if call.header("authorization") == Some(&newest) { ok(json!({"value": 7})) } else { status(401) }
    });
    issued
}

fn calls(app: &TestApp, path: &str) -> Vec<Call> {
    app.upstream.calls().into_iter().filter(|call| call.path == path).collect()
}

fn error(case: &Value) -> &Value {
    &case["fields"]["check"]["error"]
}

/// No credential, no token, and nothing that was made of them, in what this process wrote or said.
fn nothing_leaks(app: &TestApp, shown: &[String]) {
    let pair = "dGhlK2NsaWVudDp0eXAz";
    let (rows, logs) = (app.database_bytes(), app.log_lines());
    let encoded = ["typ3d-cr3dential", "t0ken-", pair];
    for secret in encoded {
        let holds = |text: &[u8]| text.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!holds(&rows), "the database holds {secret}");
        assert!(!holds(logs.as_bytes()), "the log holds {secret}");
        for text in shown {
            assert!(!holds(text.as_bytes()), "an answer holds {secret}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_hold_together_is_refused_where_it_breaks() {
    let app = TestApp::spawn().await;
    let oauth = |members: Value| {
        let mut auth = json!({"type": "oauth2_client_credentials", "token_url": "https://idp.example/token",
            "client_id": "c", "client_secret": "sssssssss"});
        auth.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        auth
    };
    let rows = [
        (json!({"type": "oauth2_client_credential"}), "/type", "invalid", "`oauth2_client_credentials`?"),
        (json!({"type": "oauth"}), "/type", "invalid", "is not a type of auth"),
        (
            json!({"type": "oauth2_password", "token_url": "https://a.example/t", "client_id": "c", "username": "u"}),
            "/password",
            "required",
            "{secret.…}",
        ),
        (oauth(json!({"token_url": null})), "/token_url", "required", "https://"),
        (oauth(json!({"client_secret": null})), "/client_secret", "required", "{secret.…}"),
        (oauth(json!({"client_id": ""})), "/client_id", "out_of_range", "empty"),
        (oauth(json!({"clientID": "d"})), "/clientID", "duplicate", "`client_id`"),
        (
            oauth(json!({"token_url": "htps://idp.example/t"})),
            "/token_url",
            "invalid",
            "did you mean `https`?",
        ),
        (oauth(json!({"token_url": "ftp://idp.example/t"})), "/token_url", "invalid", "is not a scheme"),
        (oauth(json!({"token_url": "https://u:p@idp.example/t"})), "/token_url", "invalid", "credentials"),
        (oauth(json!({"token_url": "https://idp.example/t#x"})), "/token_url", "invalid", "`#`"),
        (oauth(json!({"token_url": "https://idp.example:65536/t"})), "/token_url", "invalid", "port"),
        (
            oauth(json!({"token_url": "https://{secret.host}/t"})),
            "/token_url",
            "invalid_template",
            "scheme, host or port",
        ),
        (oauth(json!({"token_url": 5})), "/token_url", "wrong_type", "text"),
        (oauth(json!({"tokn_url": "x"})), "/tokn_url", "unknown_member", "did you mean `token_url`?"),
        (oauth(json!({"scopes": [1]})), "/scopes/0", "wrong_type", "a text"),
        (oauth(json!({"scopes": {}})), "/scopes", "wrong_type", "list"),
        (oauth(json!({"client_auth": "header"})), "/client_auth", "invalid", "`basic`"),
        (oauth(json!({"extra": {"grant_type": "x"}})), "/extra/grant_type", "duplicate", "`type`"),
        (oauth(json!({"extra": {"a": {}}})), "/extra/a", "wrong_type", "text"),
        (oauth(json!({"extra": [1]})), "/extra", "wrong_type", "object"),
        (oauth(json!({"refresh_when": "data.x"})), "/refresh_when", "unknown_root", "status"),
        (oauth(json!({"username": "u"})), "/username", "unknown_member", "not a member"),
        (oauth(json!({"client_secret": "[hidden]"})), "/client_secret", "invalid", "type it in"),
    ];
    refuse(&app, rows).await;
    let relative = app.field("/check", json!({}), json!({"auth": oauth(json!({"token_url": "/token"}))}));
    let refused = app.put("/v1/case-types/test", &json!({"fields": [relative]})).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/fields/0/api_config/auth/token_url");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_endpoints_and_several_keys_are_looked_at_as_closely() {
    let app = TestApp::spawn().await;
    let custom = |members: Value| {
        let mut auth = json!({"type": "token_request", "request": {"url": "https://idp.example/login"}, "token_path": "$.t"});
        auth.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        auth
    };
    let rows = [
        (custom(json!({"request": null})), "/request", "required", "`method`"),
        (custom(json!({"request": {"method": "POST"}})), "/request/url", "required", "https://"),
        (
            custom(json!({"request": {"url": "https://a.example", "methd": "GET"}})),
            "/request/methd",
            "unknown_member",
            "`method`?",
        ),
        (
            custom(json!({"request": {"url": "https://a.example", "headers": {"Host": "x"}}})),
            "/request/headers/Host",
            "invalid",
            "Dossier itself",
        ),
        (
            custom(json!({"request": {"url": "https://a.example", "body": {"a": {"$sealed": "x"}}}})),
            "/request/body",
            "invalid",
            "$sealed",
        ),
        (custom(json!({"token_path": null})), "/token_path", "required", "JSONPath"),
        (custom(json!({"token_path": "$.["})), "/token_path", "invalid_path", ""),
        (custom(json!({"expires_path": "$["})), "/expires_path", "invalid_path", ""),
        (custom(json!({"header": "Content-Length"})), "/header", "invalid", "Dossier itself"),
        (custom(json!({"prefix": "a\r\nb"})), "/prefix", "invalid", "header"),
        (json!({"type": "api_key", "keys": []}), "/keys", "out_of_range", "empty"),
        (json!({"type": "api_key", "keys": [{"key": "a"}]}), "/keys/0/value", "required", ""),
        (
            json!({"type": "api_key", "keys": [{"key": "A", "value": "v"}, {"key": "a", "value": "v"}]}),
            "/keys/1/key",
            "duplicate",
            "another",
        ),
        (
            json!({"type": "api_key", "keys": [{"key": "a", "value": "v", "inn": "query"}]}),
            "/keys/0/inn",
            "unknown_member",
            "`in`?",
        ),
    ];
    refuse(&app, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_spellings_are_taken_and_the_normal_form_comes_out() {
    let app = TestApp::spawn().await;
    let url = "https://idp.example/token";
    for (sent, shown) in [
        (
            json!({"type": "oidc_client_credentials", "config": {"tokenURL": url, "clientID": "c", "clientSecret": TYPED,
                "scopes": "a  b", "extra": {"resource": "r"}}}),
            json!({"type": "oauth2_client_credentials", "token_url": url, "client_id": "c", "client_secret": "[hidden]",
                "scopes": ["a", "b"], "client_auth": "body", "extra": {"resource": "r"}}),
        ),
        (
            json!({"type": "oidc_user", "token_url": url, "client_id": "c", "username": "u", "password": TYPED,
                "client_auth": "basic", "audience": "x", "refresh_when": "status == 403"}),
            json!({"type": "oauth2_password", "token_url": url, "client_id": "c", "username": "u", "password": "[hidden]",
                "client_auth": "basic", "audience": "x", "refresh_when": "status == 403"}),
        ),
        (
            json!({"type": "token_request", "token_path": "$.t", "request": {"url": "/login", "method": "post",
                "headers": {"X-Key": TYPED, "Accept": "x"}, "body": {"user": "me", "pass": TYPED}}}),
            json!({"type": "token_request", "token_path": "$.t", "header": "Authorization", "prefix": "Bearer ",
                "request": {"method": "POST", "url": "/login", "headers": {"X-Key": "[hidden]", "Accept": "x"},
                "body": {"user": "me", "pass": "[hidden]"}, "body_type": "json"}}),
        ),
        (
            json!({"type": "api_key", "config": {"keys": [{"key": "X-A", "value": TYPED}, {"key": "b", "value": TYPED,
                "location": "query"}]}}),
            json!({"type": "api_key", "keys": [{"key": "X-A", "value": "[hidden]", "in": "header"},
                {"key": "b", "value": "[hidden]", "in": "query"}]}),
        ),
    ] {
        connect(&app, sent, json!({})).await;
        let read = app.get("/v1/connections/vies").await.expect(200);
        assert_eq!(read["auth"], shown);
        // What was read can be written back, and changes nothing.
        let again = app.put("/v1/connections/vies", &read).await.expect(200);
        assert_eq!((&again["auth"], &again["version"]), (&shown, &read["version"]));
        nothing_leaks(&app, &[read.to_string(), again.to_string()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_credential_goes_to_no_other_token_endpoint() {
    let app = TestApp::spawn().await;
    connect(&app, client(&app, json!({})), json!({})).await;
    let other = Upstream::start().await;
    for (members, pointer) in [
        (json!({"token_url": other.url("/token")}), "/auth/client_secret"),
        (json!({"token_url": other.url("/token"), "type": "oidc_client_credentials"}), "/auth/client_secret"),
    ] {
        let mut read = app.get("/v1/connections/vies").await.expect(200);
        read["auth"].as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let refused = app.put("/v1/connections/vies", &read).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        let field = app.field("/check", json!({}), json!({"auth": client(&app, json!({}))}));
        app.put("/v1/case-types/own", &json!({"fields": [field]})).await;
        let mut own = app.get("/v1/case-types/own").await.expect(200);
        own["fields"][0]["api_config"]["auth"]["token_url"] = json!(other.url("/token"));
        let refused = app.put("/v1/case-types/own", &own).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], "/fields/0/api_config/auth/client_secret", "{refused}");
    }
    // Each of several keys is kept for its own name, in whatever order they come back.
    let keys = json!({"type": "api_key", "keys": [{"key": "X-A", "value": "value-of-a"}, {"key": "b", "value": "value-of-b",
        "in": "query"}]});
    connect(&app, keys, json!({})).await;
    let mut read = app.get("/v1/connections/vies").await.expect(200);
    read["auth"]["keys"].as_array_mut().unwrap().reverse();
    app.put("/v1/connections/vies", &read).await.expect(200);
    app.upstream.on("GET", "/api/check", ok(json!({"value": 1})));
    assert_eq!(app.filled(json!({})).await["data"]["value"], 1);
    let call = &calls(&app, "/api/check")[0];
    assert_eq!((call.header("x-a"), call.query("b")), (Some("value-of-a"), Some("value-of-b")));
    read["auth"]["keys"][0]["key"] = json!("c");
    let refused = app.put("/v1/connections/vies", &read).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/auth/keys/0/value", "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_is_asked_as_it_wants_to_be() {
    let app = TestApp::spawn().await;
    app.put("/v1/secrets/marker", &json!({"value": MARKER})).await.expect(201);
    issue(&app, json!(3600));
    for (auth, body, header) in [
        (
            client(
                &app,
                json!({"client_secret": "{secret.marker}", "scopes": ["a", "b:c"], "audience": "https://x",
                "extra": {"resource": ["r1", "r2"], "n": 5}}),
            ),
            "grant_type=client_credentials&client_id=the+client&client_secret=mArKeR-s3cr3t%2F%2Bvalue&scope=a+b%3Ac\
             &audience=https%3A%2F%2Fx&resource=r1&resource=r2&n=5",
            None,
        ),
        (
            client(&app, json!({"client_secret": "{secret.marker}", "client_auth": "basic"})),
            "grant_type=client_credentials",
            // the+client:mArKeR-s3cr3t%2F%2Bvalue
            Some("Basic dGhlK2NsaWVudDptQXJLZVItczNjcjN0JTJGJTJCdmFsdWU="),
        ),
        (
            client(
                &app,
                json!({"type": "oauth2_password", "username": "ann", "password": "{secret.marker}",
                "client_secret": null, "scopes": "read"}),
            ),
            "grant_type=password&client_id=the+client&username=ann&password=mArKeR-s3cr3t%2F%2Bvalue&scope=read",
            None,
        ),
    ] {
        let before = calls(&app, "/token").len();
        connect(&app, auth, json!({})).await;
        assert_eq!(app.filled(json!({})).await["data"]["value"], 7);
        let asked = calls(&app, "/token");
        assert_eq!(asked.len(), before + 1);
        let call = asked.last().unwrap();
        assert_eq!((call.text(), call.header("authorization")), (body, header));
        assert_eq!(call.header("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(call.header("accept"), Some("application/json"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_request_may_answer_with_a_token() {
    let app = TestApp::spawn().await;
    app.put("/v1/secrets/marker", &json!({"value": MARKER})).await.expect(201);
    let given = ok(json!({"data": [{"jwt": token(1)}], "until": "2026-11-21T09:10:00Z"}));
    app.upstream.on("PUT", "/api/session", given);
    app.upstream.on_with("GET", "/api/check", |call| match call.header("x-session") {
        Some(text) if text == format!("Session {}", token(1)) => ok(json!({"value": 7})),
        _ => status(401),
    });
    let custom = json!({"type": "token_request", "token_path": "$.data[0].jwt", "expires_path": "$.until",
        "header": "X-Session", "prefix": "Session ", "request": {"method": "PUT", "url": "/session?v={params.v}",
        "headers": {"X-App": "{secret.marker}", "Content-Type": "application/x-www-form-urlencoded"},
        "body": {"user": "me", "pass": TYPED}}});
    connect(&app, custom, json!({})).await;
    let case = app.filled(json!({})).await;
    assert_eq!(case["fields"]["check"]["status"], "skipped", "params.v is missing: {case}");
    let custom = json!({"type": "token_request", "token_path": "$.data[0].jwt", "expires_path": "$.until",
        "header": "X-Session", "prefix": "Session ", "request": {"method": "PUT", "url": "/session",
        "headers": {"X-App": "{secret.marker}", "Content-Type": "application/x-www-form-urlencoded"},
        "body": {"user": "me", "pass": TYPED}}});
    connect(&app, custom, json!({})).await;
    let case = app.filled(json!({})).await;
    assert_eq!(case["data"]["value"], 7, "{case}");
    let call = &calls(&app, "/api/session")[0];
    assert_eq!(call.header("x-app"), Some(MARKER));
    assert_eq!(call.text(), "user=me&pass=typ3d-cr3dential%2F%2B%2541+%C3%BC");
    app.filled(json!({})).await;
    assert_eq!(calls(&app, "/api/session").len(), 1);
    // Its end is named as an instant.
    app.advance(secs(600)).await;
    app.filled(json!({})).await;
    assert_eq!(calls(&app, "/api/session").len(), 2);
    let run = app.runs(case["id"].as_str().unwrap()).await.remove(0);
    let sent = &run["attempts"][0]["request"]["headers"];
    assert_eq!(sent["x-session"], "Session [hidden]", "{run}");
    nothing_leaks(&app, &[run.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_cold_runs_fetch_one_token() {
    let app = TestApp::spawn().await;
    issue(&app, json!(3600));
    connect(&app, client(&app, json!({})), json!({})).await;
    let cases = join_all((0..200).map(|n| app.create(json!({"n": n})))).await;
    app.drain().await;
    assert_eq!(calls(&app, "/token").len(), 1);
    assert_eq!(calls(&app, "/api/check").len(), 200);
    let mut shown = Vec::new();
    for case in cases.iter().take(3) {
        let run = app.runs(case).await.remove(0);
        assert_eq!(run["attempts"][0]["request"]["headers"]["authorization"], "Bearer [hidden]");
        shown.push(run.to_string());
    }
    nothing_leaks(&app, &shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_outlives_the_process_and_is_shared_by_replicas() {
    let mut app = TestApp::spawn().await;
    issue(&app, json!(3600));
    connect(&app, client(&app, json!({})), json!({})).await;
    assert_eq!(app.filled(json!({})).await["data"]["value"], 7);
    app.restart().await;
    assert_eq!(app.filled(json!({})).await["data"]["value"], 7);
    assert_eq!(calls(&app, "/token").len(), 1);
    if cluster().is_none() {
        return;
    }
    // What they want is new to all of them.
    connect(&app, client(&app, json!({"audience": "x"})), json!({})).await;
    let (second, third) = (app.beside(&[]).await, app.beside(&[]).await);
    let all = [&app, &second, &third];
    let cases = join_all((0..200).map(|n| all[n % 3].create(json!({"n": n})))).await;
    for _ in 0..3 {
        join_all(all.iter().map(|one| one.drain())).await;
    }
    assert_eq!(calls(&app, "/token").len(), 2);
    for case in cases {
        assert_eq!(app.case(&case).await["data"]["value"], 7);
    }
    nothing_leaks(&app, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_before_its_end_by_one() {
    let app = TestApp::spawn().await;
    let issued = issue(&app, json!(3600));
    connect(&app, client(&app, json!({})), json!({})).await;
    app.filled(json!({})).await;
    app.advance(secs(3600 - 61)).await;
    app.filled(json!({})).await;
    assert_eq!(calls(&app, "/token").len(), 1, "more than a minute is left");
    app.advance(secs(1)).await;
    join_all((0..50).map(|n| app.create(json!({"n": n})))).await;
    app.drain().await;
    assert_eq!(calls(&app, "/token").len(), 2);
    // The endpoint is down: what is left of the token is still good.
    app.upstream.on("POST", "/token", status(503));
    app.advance(secs(3600 - 60)).await;
    assert_eq!(app.filled(json!({})).await["data"]["value"], 7);
    assert_eq!(app.filled(json!({})).await["data"]["value"], 7);
    assert_eq!(calls(&app, "/token").len(), 3, "the next one tries a little later");
    app.advance(secs(60)).await;
    issued.fetch_add(1, Ordering::SeqCst);
    let case = app.filled(json!({})).await;
    assert_eq!(error(&case)["code"], "auth_failed", "{case}");
    app.advance(secs(0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_taken_back_is_renewed_once() {
    let app = TestApp::spawn().await;
    let issued = issue(&app, json!(3600));
    connect(&app, client(&app, json!({"refresh_when": "body.error.code == 'expired'"})), json!({})).await;
    app.filled(json!({})).await;
    issued.fetch_add(1, Ordering::SeqCst);
    join_all((0..30).map(|n| app.create(json!({"n": n})))).await;
    app.drain().await;
    assert_eq!(calls(&app, "/token").len(), 2, "the one that is refused, and the one after it");
    let case = app.filled(json!({})).await;
    let runs = app.runs(case["id"].as_str().unwrap()).await;
    assert_eq!((&runs[0]["status"], runs[0]["attempts"].as_array().unwrap().len()), (&json!("succeeded"), 1));
    // Others say it otherwise.
    let before = calls(&app, "/token").len();
    let newest = issued.load(Ordering::SeqCst) + 1;
    app.upstream.on_with("GET", "/api/check", move |call| {
        let good = call.header("authorization") == Some(&format!("Bearer {}", token(newest)));
        ok(if good { json!({"value": 9}) } else { json!({"error": {"code": "expired"}}) })
    });
    assert_eq!(app.filled(json!({})).await["data"]["value"], 9);
    assert_eq!(calls(&app, "/token").len(), before + 1);
    // Nothing helps: once is enough, and after five in a row the lane waits for somebody.
    app.upstream.on("GET", "/api/check", status(401));
    let before = (calls(&app, "/token").len(), calls(&app, "/api/check").len());
    for _ in 0..5 {
        let case = app.filled(json!({})).await;
        assert_eq!(
            (&error(&case)["code"], &error(&case)["http_status"]),
            (&json!("http_status"), &json!(401))
        );
    }
    assert_eq!(calls(&app, "/token").len(), before.0 + 5);
    assert_eq!(calls(&app, "/api/check").len(), before.1 + 10);
    let case = app.filled(json!({})).await;
    assert_eq!(case["fields"]["check"]["waiting_for"], "connection");
    assert_eq!(calls(&app, "/api/check").len(), before.1 + 10);
    nothing_leaks(&app, &[case.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_a_token_holds_is_its_providers_word_within_reason() {
    for (expires_in, fetches) in [
        (json!(null), [1, 1, 2]),
        (json!("soon"), [1, 1, 2]),
        (json!(0), [1, 2, 3]),
        (json!(-1), [1, 2, 3]),
        (json!(1e18), [1, 1, 1]),
        (json!(u64::MAX), [1, 1, 1]),
    ] {
        let app = TestApp::spawn().await;
        issue(&app, expires_in.clone());
        connect(&app, client(&app, json!({})), json!({})).await;
        let mut seen = Vec::new();
        for wait in [0, 100, 201] {
            app.advance(secs(wait)).await;
            assert_eq!(app.filled(json!({})).await["data"]["value"], 7, "{expires_in}");
            seen.push(calls(&app, "/token").len());
        }
        assert_eq!(seen, fetches, "{expires_in}");
        app.advance(secs(86_400)).await;
        assert_eq!(app.filled(json!({})).await["data"]["value"], 7);
        assert_eq!(calls(&app, "/token").len(), fetches[2] + 1, "no token is kept for more than a day");
        app.sweep().await;
        nothing_leaks(&app, &[]);
    }
}

/// Words of which the last that is kept ends inside of the credential; those before it are long only as
/// long as the credential stands in them.
fn cut_inside() -> String {
    let written: Vec<_> = TYPED.chars().map(|letter| format!("&#{};", u32::from(letter))).collect();
    let written = written.concat();
    let before = 1983;
    let filled = written.repeat(before / written.len());
    format!("{filled}{}{TYPED}", "x".repeat(before - filled.len()))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_token_endpoint_does_wrong_is_said_plainly() {
    let leak = "typ3d-cr3dential/+%41 ü and typ3d-cr3dential%2F%2B%2541+%C3%BC";
    let echo = json!({"error": "invalid_client", "error_description": format!("no: {leak}"), "access_token": token(9)});
    let html = Reply::of("text/html", format!("<html>Sign in {leak}</html>"));
    for (reply, retryable, status, part) in [
        (status(500), true, Some(500), "status 500"),
        (crate::upstream::json(401, echo.clone()), false, Some(401), "invalid_client: no: [hidden]"),
        (crate::upstream::json(400, json!({"error": "invalid_scope"})), false, Some(400), "invalid_scope"),
        (status(429).header("retry-after", "5"), true, Some(429), "status 429"),
        (html.clone(), false, Some(200), "no JSON object"),
        (
            Reply::of("application/json", format!("{{\"access_token\": \"{}", token(9))),
            false,
            Some(200),
            "does not parse",
        ),
        (ok(json!({})), false, Some(200), "no token where it should be"),
        (ok(json!({"access_token": 42})), false, Some(200), "is no text"),
        (ok(json!({"access_token": ""})), false, Some(200), "empty"),
        (ok(json!({"access_token": format!("{}\n", token(9)).repeat(2)})), false, Some(200), "no header"),
        (ok(json!([token(9)])), false, Some(200), "no JSON object"),
        (ok(json!(token(9))), false, Some(200), "no JSON object"),
        (ok(json!({"data": {"access_token": token(9)}})), false, Some(200), "no token where it should be"),
        (ok(json!({"access_token": {"value": token(9)}})), false, Some(200), "is no text"),
        (ok(json!({"access_token": [token(9)]})), false, Some(200), "is no text"),
        (ok(json!({"access_token": null})), false, Some(200), "no token where it should be"),
        (status(204), false, Some(204), "no JSON object"),
        (Reply::of("application/xml", format!("<t>{}</t>", token(9))), false, Some(200), "no JSON object"),
        (Reply::gzip_bomb(), false, Some(200), "larger than"),
        (ok(json!({"access_token": token(9)})).cut_after(20), true, Some(200), ""),
        (Reply::raw("no HTTP at all\r\n\r\n"), true, None, "connection"),
        // Half a credential is one, too: what is cut is cut when nothing is left of it.
        (
            crate::upstream::json(401, json!({"error_description": cut_inside()})),
            false,
            Some(401),
            "[hidden]",
        ),
        (
            status(302).header("location", "https://elsewhere.example/login"),
            false,
            Some(302),
            "elsewhere.example",
        ),
        (Reply::reset(), true, None, "connection"),
        (ok(json!({"access_token": "x".repeat(10 << 20)})), false, Some(200), "larger than"),
    ] {
        let app = TestApp::spawn().await;
        app.upstream.on("POST", "/token", reply.clone());
        app.upstream.on("GET", "/api/check", ok(json!({"value": 1})));
        connect(&app, client(&app, json!({"client_auth": "basic"})), json!({})).await;
        let case = app.filled(json!({})).await;
        let run = app.runs(case["id"].as_str().unwrap()).await.remove(0);
        let error = &run["attempts"][0]["error"];
        assert_eq!(error["code"], "auth_failed", "{run}");
        assert_eq!(
            (&error["retryable"], &error["http_status"]),
            (&json!(retryable), &json!(status)),
            "{run}"
        );
        assert!(error["detail"].as_str().unwrap().contains(part), "{part}: {error}");
        assert!(error["detail"].as_str().unwrap().contains(&app.upstream.authority()), "{error}");
        assert!(!error["message"].as_str().unwrap().contains("auth_failed"), "{error}");
        assert_eq!(calls(&app, "/token").len(), 1, "{run}");
        assert_eq!(calls(&app, "/api/check").len(), 0);
        nothing_leaks(&app, &[case.to_string(), run.to_string()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_that_hangs_takes_no_longer_than_the_attempt() {
    let app = TestApp::spawn().await;
    app.upstream.answers([Reply::never(), ok(json!({"access_token": token(1)}))]).await;
    app.upstream.on("GET", "/api/check", ok(json!({"value": 1})));
    connect(&app, client(&app, json!({})), json!({"timeout": 5000})).await;
    let case = app.create(json!({})).await;
    app.upstream.wait_for_calls(1).await;
    app.advance(secs(5)).await;
    let seen = app.case(&case).await;
    assert_eq!(error(&seen)["code"], "auth_failed");
    assert!(error(&seen)["detail"].as_str().unwrap().contains("within 5000 ms"), "{seen}");
    app.advance(secs(5)).await;
    assert_eq!(app.case(&case).await["data"]["value"], 1);
    nothing_leaks(&app, &[seen.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_for_a_token_takes_a_permit_and_counts_for_the_circuit() {
    let app = TestApp::spawn().await;
    issue(&app, json!(3600));
    let limit = json!({"rate_limit": {"limit": 1, "period": 10}});
    connect(&app, client(&app, json!({})), limit).await;
    let case = app.filled(json!({})).await;
    assert_eq!(case["fields"]["check"]["waiting_for"], "rate_limit", "{case}");
    assert_eq!(app.upstream.calls().len(), 1, "the call for the token was the one that may go");
    app.advance(secs(11)).await;
    let case = app.case(case["id"].as_str().unwrap()).await;
    assert_eq!(case["data"]["value"], 7, "{case}");
    assert_eq!((calls(&app, "/token").len(), case["fields"]["check"]["attempt"].as_u64()), (1, Some(1)));

    app.upstream.on("POST", "/token", status(500));
    connect(&app, client(&app, json!({"audience": "x"})), json!({"breaker": {"failures": 2}})).await;
    let first = app.filled(json!({})).await;
    let second = app.filled(json!({})).await;
    assert_eq!(error(&first)["code"], "auth_failed");
    let third = app.filled(json!({})).await;
    assert_eq!(third["fields"]["check"]["waiting_for"], "circuit", "{second} {third}");
    assert_eq!(calls(&app, "/token").len(), 3);
    let health = app.get("/v1/connections/vies/health").await.expect(200);
    assert_eq!(health["breaker"]["state"], "open", "{health}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_goes_to_a_token_endpoint_that_may_have_it() {
    let app = TestApp::spawn().await;
    let idp = Upstream::start().await;
    idp.on("POST", "/token", ok(json!({"access_token": token(1)})));
    app.upstream.otherwise(ok(json!({"value": 1})));
    let app2 = TestApp::spawn_with(&[(
        "NETWORK__ALLOW",
        &format!("{},{}", app.upstream.authority(), idp.authority()),
    )])
    .await;
    let own = json!({"type": "oauth2_client_credentials", "token_url": idp.url("/token"), "client_id": "c",
        "client_secret": "{secret.marker}"});
    let field = app.field("/check", json!({}), json!({"auth": own}));
    app2.put("/v1/secrets/marker", &json!({"value": MARKER, "hosts": [app.upstream.authority()]}))
        .await
        .expect(201);
    let saved = app2.define(json!([field])).await;
    let warning = saved["warnings"][0]["message"].as_str().unwrap();
    assert!(warning.contains("127.0.0.1"), "{saved}");
    let case = app2.filled(json!({})).await;
    assert_eq!(error(&case)["code"], "secret_not_allowed", "{case}");
    assert_eq!(idp.calls().len(), 0);
    // The provider itself gets the token only.
    app2.put("/v1/secrets/marker", &json!({"value": MARKER, "hosts": [idp.authority()]})).await.expect(200);
    assert_eq!(app2.define(json!([field])).await["warnings"], json!([]));
    let case = app2.filled(json!({})).await;
    assert_eq!(case["data"]["value"], 1, "{case}");
    assert_eq!(app.upstream.calls()[0].header("authorization"), Some(&*format!("Bearer {}", token(1))));
    assert!(!format!("{:?}", app.upstream.calls()).contains("mArKeR"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_looks_at_a_token_endpoint_too() {
    let app = TestApp::spawn().await;
    let idp = Upstream::start().await;
    connect(&app, client(&app, json!({"token_url": idp.url("/token")})), json!({})).await;
    let case = app.filled(json!({})).await;
    assert_eq!(error(&case)["code"], "blocked_address", "{case}");
    assert_eq!(idp.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_cached_by_client_and_not_by_token() {
    let app = TestApp::spawn().await;
    let issued = issue(&app, json!(0));
    connect(&app, client(&app, json!({})), json!({})).await;
    let over = json!({"connection": "vies", "url": "/check"});
    app.define_one("/unused", json!({"cache_duration": 60}), over).await;
    app.filled(json!({})).await;
    let case = app.filled(json!({})).await;
    assert_eq!(case["fields"]["check"]["cached"], true);
    assert_eq!(issued.load(Ordering::SeqCst), 1);
    connect(&app, client(&app, json!({"client_id": "another"})), json!({})).await;
    let over = json!({"connection": "vies", "url": "/check"});
    app.define_one("/unused", json!({"cache_duration": 60}), over).await;
    let case = app.filled(json!({})).await;
    assert_eq!(case["fields"]["check"]["cached"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_provider_gives_tokens_for_clients_that_prove_who_they_are() {
    let server = AuthorizationServer::oidc_provider().await;
    let app = TestApp::spawn_with(&[("NETWORK__ALLOW", &server.authorities())]).await;
    for (id, secret, way) in [
        ("posts", "a post secret/with+signs %41", "body"),
        ("basic:client", "a basic secret:with/signs+%41", "basic"),
    ] {
        app.put("/v1/secrets/client", &json!({"value": secret})).await;
        let auth = json!({"type": "oauth2_client_credentials", "token_url": server.url("/token"), "client_id": id,
            "client_secret": "{secret.client}", "client_auth": way, "scopes": ["read", "write"]});
        connect(&app, auth.clone(), json!({"base_url": server.protected()})).await;
        let cases = join_all((0..20).map(|_| app.filled(json!({})))).await;
        for case in cases {
            assert_eq!(case["data"]["value"], format!("{id} read write"), "{case}");
        }
        let mut wrong = auth;
        wrong["client_secret"] = json!("another one");
        connect(&app, wrong, json!({"base_url": server.protected()})).await;
        let case = app.filled(json!({})).await;
        assert_eq!(error(&case)["code"], "auth_failed", "{case}");
        assert_eq!(error(&case)["provider"]["code"], "invalid_client", "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mock_server_gives_tokens_for_the_password_of_a_user() {
    let server = AuthorizationServer::mock_server().await;
    let app = TestApp::spawn_with(&[("NETWORK__ALLOW", &server.authorities())]).await;
    let auth = json!({"type": "oauth2_password", "token_url": server.url("/token"), "client_id": "c",
        "client_secret": "sssssssss", "client_auth": "basic", "username": "ann", "password": "a user's password/+%41"});
    connect(&app, auth.clone(), json!({"base_url": server.protected()})).await;
    assert_eq!(app.filled(json!({})).await["data"]["value"], "ann");
    let mut wrong = auth;
    wrong["password"] = json!("an0ther-p4ssword/+");
    connect(&app, wrong, json!({"base_url": server.protected()})).await;
    let case = app.filled(json!({})).await;
    assert_eq!(error(&case)["code"], "auth_failed", "{case}");
    let told = json!({"code": "invalid_grant", "description": "not [hidden]"});
    assert_eq!(error(&case)["provider"], told, "{case}");
}
