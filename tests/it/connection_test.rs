//! The test of a connection: what each step finds, how it is mended, and what it leaves alone.

use serde_json::{Value, json};

use crate::app::{MARKER, TestApp, secs};
use crate::tls::{Pair, Provider, authority, issued};
use crate::upstream::{RawUpstream, Reply, Step, client, json as answer, ok, status};

const PATH: &str = "/v1/connections/vies/test";

const STEPS: [&str; 11] = [
    "address",
    "dns",
    "guard",
    "connect",
    "tls",
    "credentials",
    "token",
    "hosts",
    "request",
    "answer",
    "mapping",
];

async fn connect(app: &TestApp, body: Value) {
    let saved = app.put("/v1/connections/vies", &body).await;
    assert!(matches!(saved.status, 200 | 201), "{}", saved.body);
}

async fn test(app: &TestApp, body: Value) -> Value {
    app.post(PATH, &body).await.expect(200)
}

/// All steps, by name and verdict.
fn verdicts(tested: &Value) -> Vec<(String, String)> {
    let steps =
        tested["stages"].as_array().unwrap().iter().flat_map(|stage| stage["steps"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    steps.map(|step| (text(&step["name"]), text(&step["verdict"]))).collect()
}

fn step<'t>(tested: &'t Value, name: &str) -> &'t Value {
    let mut steps =
        tested["stages"].as_array().unwrap().iter().flat_map(|stage| stage["steps"].as_array().unwrap());
    steps.find(|step| step["name"] == name).unwrap()
}

/// It fails at this step, says this, gives a hint, and skips what comes behind.
#[track_caller]
fn fails(tested: &Value, name: &str, part: &str) {
    let failed = step(tested, name);
    assert_eq!((&tested["verdict"], &failed["verdict"]), (&json!("failed"), &json!("failed")), "{tested}");
    assert!(failed["detail"].as_str().unwrap().contains(part), "{failed}");
    assert!(failed["hint"].as_str().unwrap().len() > 20 && failed["ms"].is_u64(), "{failed}");
    let all = verdicts(tested);
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, STEPS);
    let at = names.iter().position(|it| *it == name).unwrap();
    assert!(all[at + 1..].iter().all(|(_, verdict)| verdict == "skipped"), "{all:?}");
    assert!(all[..at].iter().all(|(_, verdict)| verdict != "failed"), "{all:?}");
    for stage in tested["stages"].as_array().unwrap() {
        let has =
            |verdict: &str| stage["steps"].as_array().unwrap().iter().any(|it| it["verdict"] == verdict);
        let expected = if has("failed") {
            "failed"
        } else if has("passed") {
            "passed"
        } else {
            "skipped"
        };
        assert_eq!(stage["verdict"], expected, "{stage}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_works_is_tested() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/api", ok(json!({"hello": "you"})));
    let body = json!({"base_url": app.upstream.url("/api"), "auth": {"type": "bearer", "token": MARKER}});
    connect(&app, body).await;
    let tested = app.send(app.request("POST", PATH)).await.expect(200);
    assert_eq!((&tested["verdict"], &tested["status"]), (&json!("passed"), &json!("tested")), "{tested}");
    assert_eq!((&tested["connection"], &tested["version"]), (&json!("vies"), &json!(1)));
    let stages: Vec<_> =
        tested["stages"].as_array().unwrap().iter().map(|it| (&it["name"], &it["verdict"])).collect();
    let passed = json!("passed");
    let names = ["connectivity", "authentication", "end_to_end"].map(|name| json!(name));
    assert_eq!(stages, names.iter().map(|name| (name, &passed)).collect::<Vec<_>>());
    for (name, verdict) in verdicts(&tested) {
        let nothing = ["tls", "token", "mapping"].contains(&name.as_str());
        assert_eq!(verdict, if nothing { "skipped" } else { "passed" }, "{name}: {tested}");
        assert_eq!(step(&tested, &name)["ms"].is_null(), nothing, "{name}");
    }
    assert_eq!(tested["certificate"], Value::Null);
    assert_eq!(tested["sample"]["request"]["headers"]["authorization"], "Bearer [hidden]");
    assert_eq!(tested["sample"]["response"]["status"], 200);
    let calls = app.upstream.calls();
    assert_eq!((calls.len(), calls[0].method.as_str(), calls[0].path.as_str()), (1, "GET", "/api"));
    assert_eq!(calls[0].header("authorization"), Some(format!("Bearer {MARKER}").as_str()));
    // It stands so, until the origin is another one; a run makes it active.
    let read = app.get("/v1/connections/vies").await.expect(200);
    assert_eq!((&read["status"], &read["version"]), (&json!("tested"), &json!(1)));
    let health = app.get("/v1/connections/vies/health").await.expect(200);
    assert_eq!((&health["queue_depth"], &health["success_rate"]), (&json!(0), &Value::Null), "{health}");
    assert_eq!(app.get("/v1/runs").await.expect(200)["items"], json!([]));
    let entries = app.get("/v1/audit").await.expect(200);
    assert_eq!(
        (&entries["items"][0]["action"], &entries["items"][0]["key"]),
        (&json!("tested"), &json!("vies")),
        "{entries}"
    );
    app.upstream.on("GET", "/api/check", ok(json!({"value": 1})));
    app.define_one("/", json!({}), json!({"connection": "vies", "url": "/check"})).await;
    app.filled(json!({})).await;
    assert_eq!(app.get("/v1/connections/vies").await.body["status"], "active");
    assert_eq!(test(&app, json!({})).await["status"], "active");
    app.post("/v1/connections/vies/disable", &json!({})).await.expect(200);
    assert_eq!(test(&app, json!({})).await["status"], "disabled");
    let entries = app.get("/v1/audit").await.expect(200);
    assert_eq!(entries["items"][0]["action"], "disabled", "a test that changes nothing is not told");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_to_the_provider_is_looked_at_step_by_step() {
    let app = TestApp::spawn_with(&[("NETWORK__ALLOW", "127.0.0.1")]).await;
    connect(&app, json!({})).await;
    let tested = test(&app, json!({})).await;
    fails(&tested, "address", "no `base_url`");
    assert_eq!(tested["status"], "unconfigured");
    let closed = {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap()
    };
    let plain = RawUpstream::start(|_| vec![Step::Write(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())]).await;
    let plain_url = plain.url("/").replace("http:", "https:");
    for (base_url, name, part) in [
        ("http://127.0.0.2/".to_owned(), "guard", "127.0.0.2, which is loopback"),
        ("http://[::1]/".to_owned(), "guard", "network.allow does not list it"),
        ("http://10.0.0.1/".to_owned(), "guard", "private"),
        (format!("http://{closed}/"), "connect", "refused"),
        (plain_url, "tls", "no TLS"),
    ] {
        connect(&app, json!({"base_url": base_url})).await;
        let tested = test(&app, json!({})).await;
        fails(&tested, name, part);
        assert_eq!((&tested["status"], &tested["sample"]["request"]), (&json!("configured"), &Value::Null));
    }
    // A name that leads to this machine: only the address that may be called is.
    let port = app.upstream.address().port();
    app.upstream.otherwise(ok(json!({})));
    connect(&app, json!({"base_url": format!("http://localhost:{port}")})).await;
    let tested = test(&app, json!({})).await;
    assert_eq!(tested["verdict"], "passed", "{tested}");
    assert_eq!(step(&tested, "dns")["detail"], "localhost is 127.0.0.1, ::1");
    assert_eq!(step(&tested, "guard")["detail"], "127.0.0.1 may be called");
    assert_eq!(step(&tested, "connect")["detail"], format!("127.0.0.1:{port} listens"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_looked_at_as_calls_do() {
    let (ours, theirs) = (authority("Ours", 2100), authority("Theirs", 2100));
    let app_for = async |provider: &Provider, tls: Value| {
        let app = TestApp::spawn_with(&[("NETWORK__ALLOW", &provider.allow())]).await;
        connect(&app, json!({"base_url": provider.url(), "tls": tls})).await;
        app
    };
    let good = Provider::start(&issued(&ours, "localhost", 2100), None);
    let app = app_for(&good, json!({"ca": ours.pem()})).await;
    let tested = test(&app, json!({})).await;
    assert_eq!((&tested["verdict"], &tested["status"]), (&json!("passed"), &json!("tested")), "{tested}");
    assert_eq!(tested["certificate"], json!({"expires_at": "2100-01-01T00:00:00.000Z", "days_left": 26_703}));
    assert_eq!(step(&tested, "tls")["hint"], Value::Null);
    app.set_clock("2099-12-22T00:00:00Z");
    let tested = test(&app, json!({})).await;
    assert_eq!(tested["certificate"]["days_left"], 10);
    assert!(step(&tested, "tls")["hint"].as_str().unwrap().contains("ends soon"), "{tested}");

    for (own, tls, part) in [
        (issued(&ours, "localhost", 2021), json!({"ca": ours.pem()}), "has expired"),
        (issued(&ours, "bank.example", 2100), json!({"ca": ours.pem()}), "is not for `localhost`"),
        (issued(&ours, "localhost", 2100), json!({"ca": theirs.pem()}), "authority that is trusted"),
        (issued(&ours, "localhost", 2100), json!(null), "authority that is trusted"),
    ] {
        let provider = Provider::start(&own, None);
        let app = app_for(&provider, tls).await;
        let tested = test(&app, json!({})).await;
        fails(&tested, "tls", part);
        assert_eq!(tested["certificate"], Value::Null);
    }
    // A provider that wants to know who we are.
    let provider = Provider::start(&issued(&theirs, "localhost", 2100), Some(&ours));
    let app = app_for(&provider, json!({"ca": theirs.pem()})).await;
    let tested = test(&app, json!({})).await;
    assert_eq!(tested["verdict"], "failed", "{tested}");
    assert!(tested.to_string().contains("wants a client certificate"), "{tested}");
    let Pair { certificate, key } = issued(&ours, "dossier", 2100);
    let own = json!({"ca": theirs.pem(), "client_certificate": {"certificate": certificate, "key": key}});
    connect(&app, json!({"base_url": provider.url(), "tls": own})).await;
    assert_eq!(test(&app, json!({})).await["verdict"], "passed");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_looked_at_before_they_are_used() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({})));
    let auth = json!({
        "type": "oauth2_client_credentials", "token_url": "/token", "client_id": "us", "client_secret": MARKER,
    });
    connect(&app, json!({"base_url": app.upstream.url("/"), "auth": auth})).await;
    for (reply, part) in [
        (answer(400, json!({"error": "invalid_client"})), "invalid_client"),
        (status(500), "answered with status 500"),
        (Reply::of("text/html", "<p>no</p>"), "no token"),
        (status(302).header("Location", "/other"), "leads to"),
    ] {
        app.upstream.on("POST", "/token", reply);
        let tested = test(&app, json!({})).await;
        fails(&tested, "token", part);
        assert_eq!(tested["sample"]["calls"][0]["kind"], "token");
    }
    app.upstream.on("POST", "/token", ok(json!({"access_token": "t0ken-of-theirs", "expires_in": 90})));
    let tested = test(&app, json!({})).await;
    assert_eq!((&tested["verdict"], &tested["status"]), (&json!("passed"), &json!("tested")), "{tested}");
    assert!(step(&tested, "token")["detail"].as_str().unwrap().contains("90 s"), "{tested}");
    assert!(!tested.to_string().contains("t0ken-of-theirs"), "{tested}");
    assert_eq!(app.upstream.calls().last().unwrap().header("authorization"), Some("Bearer t0ken-of-theirs"));
    // Calls for tokens count for nobody either.
    let health = app.get("/v1/connections/vies/health").await.expect(200);
    assert_eq!(health["breaker"]["failures"], 0, "{health}");

    // A field that goes elsewhere with its own secret.
    app.put("/v1/secrets/pin", &json!({"value": MARKER, "hosts": []})).await.expect(201);
    let url = format!("http://localhost:{}/x", app.upstream.address().port());
    let config = json!({"connection": "vies", "url": url, "headers": {"X-Pin": "{secret.pin}"}});
    app.define_one("/", json!({}), config).await;
    let tested = test(&app, json!({"field": {"case_type": "test", "key": "check"}})).await;
    fails(&tested, "hosts", "does not list the host `localhost`");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_call_is_an_endpoint_a_field_or_the_base_url() {
    let app = TestApp::spawn().await;
    connect(
        &app,
        json!({"base_url": app.upstream.url("/api"), "endpoints": {
            "look_up": {"path": "/c/{data.vat}", "params": {"env": "{params.env}", "n": "{input.n}"},
                        "response_mapping": {"name": "$.name"}},
            "order": {"method": "POST", "path": "/orders", "body": {"a": "{data.a}"}},
        }}),
    )
    .await;
    app.upstream.on("GET", "/api/c/BE1", ok(json!({"name": "Acme"})));
    app.upstream.on("POST", "/api/orders", ok(json!({})));
    let mut body = json!({"endpoint": "look_up", "params": {"env": "test"}, "input": {"n": 7}});
    fails(&test(&app, body.clone()).await, "request", "needs data.vat");
    body["data"] = json!({"vat": "BE1"});
    let tested = test(&app, body.clone()).await;
    assert_eq!(tested["verdict"], "passed", "{tested}");
    assert_eq!(tested["sample"]["mapping"]["values"], json!({"name": "Acme"}));
    assert_eq!(tested["sample"]["request"]["url"], app.upstream.url("/api/c/BE1?env=test&n=7"));
    app.upstream.on("GET", "/api/c/BE1", ok(json!({"nom": "Acme"})));
    let tested = test(&app, body).await;
    assert_eq!(step(&tested, "mapping")["verdict"], "passed", "{tested}");
    app.upstream.on("GET", "/api/c/BE1", Reply::of("text/html", "<p>Hello</p>"));
    let html =
        json!({"endpoint": "look_up", "params": {"env": "t"}, "input": {"n": 1}, "data": {"vat": "BE1"}});
    fails(&test(&app, html).await, "mapping", "");

    let before = app.upstream.calls().len();
    let refused = app.post(PATH, &json!({"endpoint": "order", "data": {"a": 1}})).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/confirm", "{refused}");
    assert_eq!(app.upstream.calls().len(), before);
    let tested = test(&app, json!({"endpoint": "order", "data": {"a": 1}, "confirm": true})).await;
    assert_eq!(tested["verdict"], "passed", "{tested}");
    assert_eq!(app.upstream.calls().last().unwrap().json(), json!({"a": 1}));

    let refused = app.post(PATH, &json!({"endpoint": "lok_up"})).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/endpoint", "{refused}");
    assert!(
        refused["errors"][0]["message"].as_str().unwrap().contains("did you mean `look_up`?"),
        "{refused}"
    );

    app.define_one("/", json!({"retry": 0}), json!({"connection": "vies", "url": "/f/{data.x}"})).await;
    app.upstream.on("GET", "/api/f/1", ok(json!({"value": 7})));
    let case = app.create(json!({"x": 1})).await;
    app.drain().await;
    let before = app.case(&case).await;
    let field = json!({"case_type": "test", "key": "check", "case_id": case});
    let tested = test(&app, json!({"field": field})).await;
    assert_eq!(tested["verdict"], "passed", "{tested}");
    assert_eq!(tested["sample"]["mapping"]["targets"][0]["verdict"], "unchanged");
    assert_eq!(app.case(&case).await, before);
    app.define_one("/own", json!({}), json!({})).await;
    let other = app.post(PATH, &json!({"field": {"case_type": "test", "key": "check"}})).await.expect(422);
    assert_eq!(other["errors"][0]["pointer"], "/field/key", "{other}");
    for field in [json!({"case_type": "nope", "key": "check"}), json!({"case_type": "test", "key": "nope"})] {
        assert_eq!(app.post(PATH, &json!({"field": field})).await.status, 404);
    }
    assert_eq!(app.post("/v1/connections/nope/test", &json!({})).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_success_says_how_to_mend_it() {
    let app = TestApp::spawn().await;
    connect(&app, json!({"base_url": app.upstream.url("/")})).await;
    for (reply, part, hint) in [
        (status(401), "status 401", "credentials"),
        (status(403), "status 403", "credentials"),
        (status(404), "status 404", "`endpoint`"),
        (status(429), "status 429", "later"),
        (status(503), "status 503", "trouble of its own"),
        (Reply::reset(), "connection cut", "https://"),
        (
            status(302).header("Location", "http://elsewhere.example/x"),
            "http://elsewhere.example/x",
            "`base_url`",
        ),
    ] {
        app.upstream.answers([reply]).await;
        let tested = test(&app, json!({})).await;
        fails(&tested, "answer", part);
        assert!(step(&tested, "answer")["hint"].as_str().unwrap().contains(hint), "{tested}");
        assert_eq!(tested["status"], "configured");
    }
    assert_eq!(app.get("/v1/connections/vies/health").await.expect(200)["breaker"]["failures"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_goes_by_the_lane_and_ends_a_hold_only_when_it_passes() {
    let app = TestApp::spawn().await;
    let limit = json!({"limit": 5, "period": 3600});
    connect(&app, json!({"base_url": app.upstream.url("/"), "rate_limit": limit})).await;
    let own =
        json!({"connection": "vies", "url": "/own", "auth": {"type": "bearer", "token": "own-credential"}});
    let mut field = app.field("/", json!({"key": "own", "trigger": "manual"}), own);
    field["api_config"]["response_mapping"] = json!({"own": "$.value"});
    let check = app.field("/", json!({"retry": 0}), json!({"connection": "vies", "url": "/check"}));
    app.define(json!([check, field])).await;
    app.upstream.otherwise(status(401));
    for _ in 0..5 {
        app.filled(json!({})).await;
    }
    let waits = app.create(json!({})).await;
    app.drain().await;
    assert_eq!(app.case(&waits).await["fields"]["check"]["waiting_for"], "connection");
    let health = async || app.get("/v1/connections/vies/health").await.expect(200);
    assert_eq!(health().await["held"], true);
    fails(&test(&app, json!({})).await, "answer", "401");
    assert_eq!(health().await["held"], true);

    app.upstream.otherwise(ok(json!({"value": 7})));
    app.post("/v1/connections/vies/breaker/open", &json!({})).await.expect(200);
    let open = health().await["breaker"].clone();
    // Credentials of the field's own prove nothing of the connection's.
    let tested = test(&app, json!({"field": {"case_type": "test", "key": "own"}})).await;
    assert_eq!((&tested["verdict"], &tested["status"]), (&json!("passed"), &json!("configured")), "{tested}");
    assert_eq!(health().await["held"], true);

    let tested = test(&app, json!({})).await;
    assert_eq!((&tested["verdict"], &tested["status"]), (&json!("passed"), &json!("tested")), "{tested}");
    let after = health().await;
    assert_eq!((&after["held"], &after["breaker"]), (&json!(false), &open), "{after}");
    // The limit is used up by the five runs, and by no test: the sixth waits for it.
    app.post("/v1/connections/vies/breaker/close", &json!({})).await.expect(200);
    app.drain().await;
    assert_eq!(app.case(&waits).await["fields"]["check"]["waiting_for"], "rate_limit");
    app.advance(secs(4000)).await;
    let case = app.case(&waits).await;
    assert_eq!(case["data"]["value"], 7, "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_takes_no_longer_than_an_attempt() {
    let silent = RawUpstream::start(|_| vec![Step::Never]).await;
    let app = TestApp::spawn_with(&[("NETWORK__ALLOW", "127.0.0.1")]).await;
    let https = silent.url("/").replace("http:", "https:");
    connect(&app, json!({"base_url": https, "timeout": 5000})).await;
    let testing = test(&app, json!({}));
    let moving = async {
        while silent.connections() == 0 {
            tokio::task::yield_now().await;
        }
        app.move_clock(secs(5));
    };
    let (tested, ()) = tokio::join!(testing, moving);
    // The provider has the connection a moment before we know.
    let at = if step(&tested, "connect")["verdict"] == "failed" { "connect" } else { "tls" };
    fails(&tested, at, "within 5000 ms");
    connect(&app, json!({"base_url": app.upstream.url("/"), "timeout": 5000})).await;
    app.upstream.otherwise(Reply::never());
    let (tested, ()) = tokio::join!(test(&app, json!({})), async {
        app.upstream.wait_for_calls(1).await;
        app.move_clock(secs(5));
    });
    fails(&tested, "answer", "within 5000 ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_tests_at_once_of_fields_and_connections() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1})).held());
    connect(&app, json!({"base_url": app.upstream.url("/")})).await;
    app.define_one("/check", json!({}), json!({})).await;
    let held = futures_util::future::join_all((0..4).map(|_| test(&app, json!({}))));
    let (tested, ()) = tokio::join!(held, async {
        app.upstream.wait_for_calls(4).await;
        let one_more = app.post(PATH, &json!({})).await;
        assert_eq!((one_more.status, one_more.code()), (429, "too_many_requests"));
        let field = app.post("/v1/case-types/test/fields/check/test", &json!({"send": true})).await;
        assert_eq!(field.status, 429);
        app.upstream.release();
    });
    assert!(tested.iter().all(|it| it["verdict"] == "passed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_builders_test_connections() {
    let app = TestApp::spawn().await;
    connect(&app, json!({"base_url": app.upstream.url("/")})).await;
    for role in ["viewer", "operator"] {
        let made = app.post("/v1/tokens", &json!({"name": role, "role": role})).await.expect(201);
        let token = made["token"].as_str().unwrap();
        let request = client().post(app.url(PATH)).bearer_auth(token);
        assert_eq!(app.send(request).await.status, 403, "{role}");
    }
    assert_eq!(app.upstream.calls_so_far(), 0);
}
