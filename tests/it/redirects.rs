//! Redirects: how far we follow, and that nothing of ours reaches another origin.

use serde_json::{Value, json};

use crate::app::{MARKER, TestApp, secs};
use crate::upstream::{Call, Reply, Upstream, ok, status};

/// Credentials that are typed in, by their place.
const TYPED: [&str; 7] = [
    "typ3d-bearer-cr3d",
    "typ3d-header-cr3d",
    "typ3d-query-cr3d",
    "typ3d-cookie-cr3d",
    "typ3d-password-cr3d",
    "t0ken-of-the-provider",
    "typ3d-client-secret",
];

fn to(location: &str) -> Reply {
    status(302).header("Location", location)
}

/// An app that may call this machine at any port, and another origin on it.
async fn two() -> (TestApp, Upstream) {
    let app = TestApp::spawn_with(&[("NETWORK__ALLOW", "127.0.0.1,[::1]")]).await;
    (app, Upstream::start().await)
}

/// One run of the field; its state and its newest attempt.
async fn run(app: &TestApp) -> (Value, Value) {
    let case = app.filled(json!({})).await;
    let runs = app.runs(case["id"].as_str().unwrap()).await;
    (case["fields"]["check"].clone(), runs[0]["attempts"][0].clone())
}

#[track_caller]
fn succeeded(state: &Value) {
    assert_eq!(state["status"], "succeeded", "{state}");
}

/// It is refused, final, and says this.
#[track_caller]
fn refused(state: &Value, part: &str) {
    let error = &state["error"];
    assert_eq!((&error["code"], &error["retryable"]), (&json!("redirect_refused"), &json!(false)), "{state}");
    assert!(error["detail"].as_str().unwrap().contains(part), "{error}");
}

/// Nothing of ours is on the call.
#[track_caller]
fn bare(call: &Call) {
    let text = format!("{call:?}").to_lowercase();
    for credential in TYPED.iter().chain([&MARKER]) {
        let encoded: String = url::form_urlencoded::byte_serialize(credential.as_bytes()).collect();
        for spelling in [credential.to_lowercase(), encoded.to_lowercase()] {
            assert!(!text.contains(&spelling), "{credential} arrived: {text}");
        }
    }
    assert_eq!(call.body, b"", "a body arrived");
    let names: Vec<&str> = call.headers.keys().map(String::as_str).collect();
    let known = ["accept", "accept-encoding", "host", "user-agent"];
    assert!(names.iter().all(|name| known.contains(name)), "a header of ours arrived: {names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn get_and_head_follow_on_the_same_host_with_everything() {
    let app = TestApp::spawn().await;
    app.upstream.on("*", "/api/new", ok(json!({"value": 7})));
    let auth = json!({"keys": [
        {"key": "X-Key", "value": TYPED[1]}, {"key": "key", "value": TYPED[2], "in": "query"},
    ], "type": "api_key"});
    let body = json!({"base_url": app.upstream.url("/api"), "auth": auth, "headers": {"X-Own": "own"}});
    app.put("/v1/connections/vies", &body).await.expect(201);
    for code in [301, 302, 303, 307, 308] {
        for (location, query) in [
            (app.upstream.url("/api/new?a=1#part"), Some("1")),
            ("/api/new".to_owned(), None),
            ("new?a=2".to_owned(), Some("2")),
            (format!("//{}/api/new", app.upstream.authority()), None),
        ] {
            for method in ["GET", "HEAD"] {
                app.upstream.on("*", "/api/old", status(code).header("Location", &location));
                let mapping = json!({"value": {"from": "status"}});
                let config = json!({
                    "connection": "vies", "url": "/old", "method": method, "response_mapping": mapping,
                });
                app.define_one("/", json!({}), config).await;
                let (state, attempt) = run(&app).await;
                succeeded(&state);
                let calls = app.upstream.calls();
                let last = calls.last().unwrap();
                assert_eq!((last.path.as_str(), last.method.as_str()), ("/api/new", method), "{location}");
                assert_eq!(last.query("a"), query, "{location}");
                assert_eq!(last.query("key"), Some(TYPED[2]), "the key goes along on the same origin");
                assert_eq!((last.header("x-key"), last.header("x-own")), (Some(TYPED[1]), Some("own")));
                assert_eq!(last.header("referer"), None);
                // The history shows the last exchange.
                let url = attempt["request"]["url"].as_str().unwrap();
                assert!(url.contains("/api/new") && !attempt.to_string().contains("typ3d"), "{attempt}");
                assert_eq!(
                    (&attempt["outcome"], &attempt["response"]["status"]),
                    (&json!("ok"), &json!(200))
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_in_a_row_are_followed_and_a_loop_ends() {
    let app = TestApp::spawn().await;
    for n in 0..5 {
        app.upstream.on("GET", &format!("/{n}"), to(&format!("/{}", n + 1)));
    }
    app.upstream.on("GET", "/5", ok(json!({"value": 7})));
    app.define_one("/2", json!({}), json!({})).await;
    succeeded(&run(&app).await.0);
    let before = app.upstream.calls().len();
    app.define_one("/1", json!({}), json!({})).await;
    let (state, attempt) = run(&app).await;
    refused(&state, "one redirect too many");
    assert_eq!(app.upstream.calls().len(), before + 4);
    assert_eq!(attempt["response"]["status"], 302);
    assert_eq!(attempt["request"]["url"], app.upstream.url("/4"));
    app.upstream.on("GET", "/loop", to("/loop"));
    app.define_one("/loop", json!({}), json!({})).await;
    refused(&run(&app).await.0, "one redirect too many");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_place_to_go_is_refused_by_name() {
    let app = TestApp::spawn().await;
    let port = app.upstream.address().port();
    let twice = status(302).header("Location", "/a").header("Location", "/a");
    for (reply, part) in [
        (to(""), "is empty"),
        (twice, "more than once"),
        (to("ftp://127.0.0.1/x"), "neither http nor https"),
        (to("javascript:alert(1)"), "neither http nor https"),
        (to(&format!("http://ann:pw@127.0.0.1:{port}/x")), "a user name or a password"),
        (to("http://["), "cannot be read"),
        (to("/caf\u{e9}"), "no address may hold"),
        (to("http://elsewhere.example/x?token=abc"), "http://elsewhere.example/x, which is another host"),
        (to("//elsewhere.example/x"), "another host"),
        (to("/\\elsewhere.example/x"), "another host"),
        (to(&format!("http://localhost:{port}/x")), "another host"),
        (to(&format!("http://[::1]:{port}/x")), "another host"),
        (to(&format!("http://127.0.0.2:{port}/x")), "another host"),
    ] {
        app.upstream.answers([reply]).await;
        app.define_one("/check", json!({}), json!({})).await;
        let (state, attempt) = run(&app).await;
        refused(&state, part);
        let shown = format!("{state}{attempt}");
        assert!(!shown.contains("abc") && !shown.contains("pw@"), "{shown}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        app.upstream.answers([to("/elsewhere")]).await;
        app.define_one("/check", json!({}), json!({"method": method})).await;
        refused(&run(&app).await.0, "only GET and HEAD");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_looks_at_every_hop() {
    let app = TestApp::spawn().await;
    let port = app.upstream.address().port();
    let body = json!({"base_url": app.upstream.url("/"), "redirects": "any"});
    app.put("/v1/connections/vies", &body).await.expect(201);
    app.define_one("/", json!({"retry": 0}), json!({"connection": "vies", "url": "/check"})).await;
    for host in
        ["provider.localhost", "127.0.0.2", "[::1]", "[::ffff:127.0.0.1]", "2130706434", "169.254.169.254"]
    {
        // A name that leads here is refused at any other port.
        let port = if host == "provider.localhost" { 1 } else { port };
        app.upstream.answers([to("/again"), to(&format!("http://{host}:{port}/x"))]).await;
        let (state, attempt) = run(&app).await;
        assert_eq!(state["error"]["code"], "blocked_address", "{host}: {state}");
        assert_eq!(attempt["response"], Value::Null, "{attempt}");
    }
    assert_eq!(app.upstream.calls().len(), 12);
}

/// Every way in which a field or a connection proves who it is.
fn proofs() -> Vec<Value> {
    vec![
        json!({"type": "bearer", "token": TYPED[0]}),
        json!({"type": "bearer", "token": "{secret.pin}"}),
        json!({"type": "basic", "username": "ann", "password": TYPED[4]}),
        json!({"type": "api_key", "key": "X-Key", "value": TYPED[1]}),
        json!({"type": "api_key", "key": "key", "value": TYPED[2], "in": "query"}),
        json!({"type": "api_key", "key": "key", "value": "{secret.pin}", "in": "query"}),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_ours_reaches_another_origin() {
    let (app, other) = two().await;
    other.otherwise(ok(json!({"value": 7})));
    let secret = json!({"value": MARKER, "hosts": [app.upstream.authority(), other.authority()]});
    app.put("/v1/secrets/pin", &secret).await.expect(201);
    let headers = json!({
        "Cookie": format!("session={}", TYPED[3]), "X-Trace": "{secret.pin}", "Referer": "http://here.example/",
        "Content-Type": "application/x",
    });
    let port = other.address().port();
    let mut arrived = 0;
    for proof in proofs() {
        for (redirects, host) in [("same_host", "127.0.0.1"), ("any", "127.0.0.1"), ("any", "localhost")] {
            for over_connection in [true, false] {
                // Of another origin back to the first one, which gets nothing any more either.
                app.upstream.on("GET", "/api/old", to(&format!("http://{host}:{port}/new?x=1")));
                let mut body = json!({"base_url": app.upstream.url("/api"), "redirects": redirects});
                let mut config =
                    json!({"connection": "vies", "url": "/old", "body": {"pin": "{secret.pin}"}});
                let target = if over_connection { &mut body } else { &mut config };
                target["auth"] = proof.clone();
                target["headers"] = headers.clone();
                app.put("/v1/connections/vies", &body).await;
                app.define_one("/", json!({"retry": 0}), config).await;
                let (state, attempt) = run(&app).await;
                succeeded(&state);
                assert_eq!(attempt["request"]["headers"], json!({}), "{attempt}");
                arrived += 1;
                assert_eq!(other.calls().len(), arrived, "{proof}");
                bare(other.calls().last().unwrap());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_holds_a_credential_is_not_followed_to_another_origin() {
    let (app, other) = two().await;
    app.put("/v1/secrets/pin", &json!({"value": MARKER, "hosts": []})).await.expect(201);
    let quiet = json!({"value": "quiet-credential", "hosts": [], "redact": false});
    app.put("/v1/secrets/quiet", &quiet).await.expect(201);
    let port = other.address().port();
    let encoded: String = url::form_urlencoded::byte_serialize(MARKER.as_bytes()).collect();
    let base64 = {
        use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
        BASE64_URL_SAFE_NO_PAD.encode(MARKER)
    };
    for path in [
        format!("/x?key={encoded}"),
        format!("/x?other={encoded}"),
        format!("/x/{encoded}"),
        format!("/x?b={base64}"),
        "/x?KEY=whatever-it-is".to_owned(),
        "/x?q=quiet-credential".to_owned(),
        format!("/x?c={}", TYPED[0]),
    ] {
        app.upstream.on("GET", "/old", to(&format!("http://127.0.0.1:{port}{path}")));
        let auth = json!({"type": "api_key", "keys": [
            {"key": "key", "value": "{secret.pin}", "in": "query"}, {"key": "X-Q", "value": "{secret.quiet}"},
        ]});
        let headers = json!({"Authorization": format!("Bearer {}", TYPED[0])});
        let body =
            json!({"base_url": app.upstream.url("/"), "redirects": "any", "auth": auth, "headers": headers});
        app.put("/v1/connections/vies", &body).await;
        app.define_one("/", json!({"retry": 0}), json!({"connection": "vies", "url": "/old"})).await;
        refused(&run(&app).await.0, "with a credential in its address");
    }
    assert_eq!(other.calls_so_far(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_the_origin_goes_back_without_credentials() {
    let (app, other) = two().await;
    other.otherwise(to(&app.upstream.url("/back")));
    app.upstream.on("GET", "/old", to(&other.url("/x")));
    app.upstream.on("GET", "/back", status(401));
    let auth = json!({"type": "bearer", "token": TYPED[0]});
    app.put("/v1/connections/vies", &json!({"base_url": app.upstream.url("/"), "auth": auth}))
        .await
        .expect(201);
    app.define_one("/", json!({"retry": 0}), json!({"connection": "vies", "url": "/old"})).await;
    // Answers to requests without credentials say nothing about these: no hold.
    for _ in 0..6 {
        assert_eq!(run(&app).await.0["error"]["http_status"], 401);
        bare(other.calls().last().unwrap());
        bare(app.upstream.calls().last().unwrap());
    }
    assert_eq!(app.get("/v1/connections/vies/health").await.expect(200)["held"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_goes_along_at_home_and_its_endpoint_is_never_redirected() {
    let (app, other) = two().await;
    other.otherwise(ok(json!({"value": 7, "access_token": "stolen-token-1", "expires_in": 60})));
    let auth = json!({
        "type": "oauth2_client_credentials", "token_url": "/token", "client_id": "us", "client_secret": TYPED[6],
    });
    let body = json!({"base_url": app.upstream.url("/"), "auth": auth, "redirects": "any"});
    app.put("/v1/connections/vies", &body).await.expect(201);
    app.define_one("/", json!({"retry": 0}), json!({"connection": "vies", "url": "/old"})).await;
    for code in [301, 302, 303, 307, 308] {
        for place in [other.url("/token"), app.upstream.url("/other-token"), "/other-token".to_owned()] {
            app.upstream.on("POST", "/token", status(code).header("Location", &place));
            let state = run(&app).await.0;
            assert_eq!(state["error"]["code"], "auth_failed", "{code} {place}: {state}");
        }
    }
    assert_eq!(other.calls_so_far(), 0);
    app.upstream.on("POST", "/token", ok(json!({"access_token": TYPED[5], "expires_in": 3600})));
    app.upstream.on("GET", "/old", to("/new"));
    let bearer = format!("Bearer {}", TYPED[5]);
    let expected = bearer.clone();
    app.upstream.on_with("GET", "/new", move |call| {
        if call.header("authorization") == Some(&expected) { ok(json!({"value": 1})) } else { status(401) }
    });
    succeeded(&run(&app).await.0);
    app.upstream.on("GET", "/old", to(&other.url("/new")));
    succeeded(&run(&app).await.0);
    bare(&other.calls()[0]);
    // That another place answers 401 is no word about the token: it is neither thrown away nor tried again.
    other.otherwise(status(401));
    let before = app.upstream.calls().iter().filter(|call| call.path == "/token").count();
    assert_eq!(run(&app).await.0["error"]["http_status"], 401);
    assert_eq!(other.calls().len(), 2);
    assert_eq!(app.upstream.calls().iter().filter(|call| call.path == "/token").count(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_hop_takes_a_permit_in_time() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/old", to("/new"));
    app.upstream.on("GET", "/new", ok(json!({"value": 7})));
    let body = json!({"base_url": app.upstream.url("/"), "rate_limit": {"limit": 1, "period": 10}});
    app.put("/v1/connections/vies", &body).await.expect(201);
    app.define_one("/", json!({"retry": 0, "timeout": 15_000}), json!({"connection": "vies", "url": "/old"}))
        .await;
    let id = app.create(json!({})).await;
    app.upstream.wait_for_calls(1).await;
    assert_eq!(app.case(&id).await["fields"]["check"]["status"], "running");
    app.move_clock(secs(9));
    assert_eq!(app.case(&id).await["fields"]["check"]["status"], "running");
    assert_eq!(app.upstream.calls_so_far(), 1);
    app.move_clock(secs(2));
    app.drain().await;
    succeeded(&app.case(&id).await["fields"]["check"]);
    assert_eq!(app.upstream.calls_so_far(), 2);
    // A limit that opens after the attempt's time is not waited for.
    app.advance(secs(60)).await;
    app.define_one("/", json!({"retry": 0, "timeout": 5000}), json!({"connection": "vies", "url": "/old"}))
        .await;
    let case = app.filled(json!({})).await;
    let error = &case["fields"]["check"]["error"];
    assert_eq!((&error["code"], &error["retryable"]), (&json!("redirect_refused"), &json!(true)), "{error}");
    assert_eq!(app.upstream.calls_so_far(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_deadline_covers_all_hops() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/old", to("/new"));
    app.upstream.on("GET", "/new", Reply::never());
    app.define_one("/old", json!({"retry": 0, "timeout": 5000}), json!({})).await;
    let id = app.create(json!({})).await;
    app.upstream.wait_for_calls(2).await;
    app.advance(secs(5)).await;
    let state = &app.case(&id).await["fields"]["check"];
    assert_eq!(state["error"]["code"], "timeout", "{state}");
    let attempt = &app.runs(&id).await[0]["attempts"][0];
    assert_eq!(attempt["request"]["url"], app.upstream.url("/new"));
    assert_eq!((&attempt["response"], &attempt["outcome"]), (&Value::Null, &json!("unknown")), "{attempt}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_shows_the_way() {
    let (app, other) = two().await;
    app.upstream.on("GET", "/old", to("/older?x=1"));
    app.upstream.on("GET", "/older", to(&other.url("/new?y=2")));
    other.otherwise(ok(json!({"value": 7})));
    let auth = json!({"type": "bearer", "token": TYPED[0]});
    app.put("/v1/connections/vies", &json!({"base_url": app.upstream.url("/"), "auth": auth}))
        .await
        .expect(201);
    app.define_one("/", json!({}), json!({"connection": "vies", "url": "/old"})).await;
    let tested = app.post("/v1/case-types/test/fields/check/test", &json!({"send": true})).await.expect(200);
    let way: Vec<_> = tested["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| {
            assert_eq!((&call["kind"], &call["error"]), (&json!("redirect"), &Value::Null), "{call}");
            (call["request"]["url"].clone(), call["response"]["headers"]["location"].clone())
        })
        .collect();
    let expected = [
        (json!(app.upstream.url("/old")), json!(app.upstream.url("/older"))),
        (json!(app.upstream.url("/older?x=1")), json!(other.url("/new"))),
    ];
    assert_eq!(way, expected);
    assert_eq!(tested["request"]["url"], other.url("/new?y=2"));
    assert_eq!(
        (&tested["request"]["headers"], &tested["mapping"]["values"]["value"]),
        (&json!({}), &json!(7))
    );
}
