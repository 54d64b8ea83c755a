//! Workspaces, roles and tokens: every call of the `OpenAPI` document is tried without a token,
//! with every role, and with the ids of another workspace.

use dossier::domain::token::Role;
use dossier::service::NewTokenRequest;
use serde_json::{Value, json};

use crate::app::{Answer, TOKEN, TestApp, secs};
use crate::upstream::{client, ok};

/// What only the first workspace has in it.
const OURS: &str = "alpha-only-text";

/// One call of the document.
struct Operation {
    method: String,
    path: String,
    role: Role,
    reads_body: bool,
}

async fn operations(app: &TestApp) -> Vec<Operation> {
    let document = app.get("/openapi.json").await.expect(200);
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, call) in item.as_object().unwrap() {
            let Some(role) = call["x-role"].as_str().and_then(Role::parse) else {
                assert!(!path.starts_with("/v1/"), "{method} {path} has no role");
                continue;
            };
            let reads_body = call["requestBody"]["required"] == true;
            all.push(Operation { method: method.to_uppercase(), path: path.clone(), role, reads_body });
        }
    }
    assert!(all.len() > 40, "{} calls", all.len());
    for path in [
        "/v1/case-types/{key}/fields/{field}/test",
        "/v1/connections/{key}/breaker/open",
        "/v1/connections/{key}/health",
        "/v1/audit",
        "/v1/workspace",
        "/v1/people/{id}",
    ] {
        assert!(all.iter().any(|operation| operation.path == path), "{path} is not tried");
    }
    all
}

/// Things of one workspace.
struct Things {
    case: String,
    run: String,
    schedule: String,
    token: String,
    person: String,
}

impl Things {
    /// None of them is there.
    fn absent() -> Self {
        let id = || "0193aaaa-0000-7000-8000-000000000000".to_owned();
        Self { case: id(), run: id(), schedule: id(), token: id(), person: id() }
    }

    /// The URL of a call on these things, all of whose keys are `key`.
    fn url(&self, pattern: &str, key: &str) -> String {
        let id = match pattern.split('/').nth(2).unwrap_or_default() {
            "cases" => &self.case,
            "runs" => &self.run,
            "schedules" => &self.schedule,
            "tokens" => &self.token,
            "people" => &self.person,
            _ => key,
        };
        let url = pattern.replace("fields/{key}", "fields/check").replace("{field}", "check");
        url.replace("{id}", id).replace("{key}", key).replace("{name}", key).replace("{path}", "value")
    }
}

/// A body that would do something.
fn body(operation: &Operation) -> Value {
    match (operation.method.as_str(), operation.path.as_str()) {
        ("POST", "/v1/case-types") | ("PUT", "/v1/case-types/{key}") => {
            json!({"name": "changed", "fields": []})
        }
        ("PUT", "/v1/connections/{key}") => json!({"name": "changed", "base_url": "https://changed.example"}),
        ("PUT", "/v1/secrets/{name}") => json!({"value": "changed-by-somebody", "hosts": []}),
        ("POST", "/v1/tokens") | ("PATCH", "/v1/people/{id}") => json!({"name": "changed", "role": "admin"}),
        ("POST", "/v1/people") => {
            json!({"name": "changed", "email": "changed@example.com", "role": "admin", "password": "correct horse"})
        }
        ("POST", "/v1/cases") => json!({"case_type": "mine", "data": {}}),
        ("PATCH", "/v1/cases/{id}") => json!({"title": "changed"}),
        ("POST", "/v1/case-types/{key}/fields/{field}/test") => json!({"send": true, "confirm": true}),
        ("PATCH", "/v1/workspace") => json!({"name": "changed", "params": {"changed": true}}),
        _ => json!({}),
    }
}

async fn call(app: &TestApp, operation: &Operation, url: &str, token: Option<&str>) -> Answer {
    let mut request = client().request(operation.method.parse().unwrap(), app.url(url));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if operation.path.ends_with("/events") {
        // The list; a stream has no end.
        request = request.header("accept", "application/json");
    }
    let body = body(operation);
    if operation.reads_body || body != json!({}) {
        request = request.json(&body);
    }
    app.send(request).await
}

/// One thing of each kind in the workspace of the tests.
async fn furnish(app: &TestApp) -> Things {
    app.upstream.otherwise(ok(json!({"value": "found"})));
    let secret = json!({"value": "correct-horse-battery", "hosts": [format!("{OURS}.example")]});
    app.put("/v1/secrets/mine", &secret).await.expect(201);
    let connection = json!({"name": OURS, "base_url": app.upstream.url("/")});
    app.put("/v1/connections/mine", &connection).await.expect(201);
    let trigger = json!({"trigger": ["on_create", "scheduled"], "schedule": {"cron": "0 6 * * 1"}, "description": OURS});
    let case_type = json!({"name": OURS, "fields": [app.field("/check", trigger, json!({}))]});
    app.put("/v1/case-types/mine", &case_type).await.expect(201);
    app.patch("/v1/workspace", &json!({"name": OURS, "params": {"text": OURS}})).await.expect(200);
    let case = json!({"case_type": "mine", "title": OURS, "data": {"text": OURS}});
    let case = app.post("/v1/cases", &case).await.expect(201)["id"].as_str().unwrap().to_owned();
    app.drain().await;
    app.patch(&format!("/v1/cases/{case}"), &json!({"data": {"value": "set by hand"}})).await.expect(200);
    let run = app.runs(&case).await[0]["id"].as_str().unwrap().to_owned();
    let schedules = app.get("/v1/schedules").await.expect(200);
    let schedule = schedules["items"][0]["id"].as_str().unwrap().to_owned();
    let token = app.post("/v1/tokens", &json!({"name": OURS, "role": "viewer"})).await.expect(201);
    let person = json!({"name": OURS, "email": format!("{OURS}@example.com"), "role": "viewer"});
    let person = app.post("/v1/people", &person).await.expect(201);
    let id = |made: Value| made["id"].as_str().unwrap().to_owned();
    Things { case, run, schedule, token: id(token), person: id(person) }
}

/// Everything of the workspace that can be read, without when it was used.
async fn everything(app: &TestApp, things: &Things) -> Vec<Value> {
    let urls = [
        "/v1/case-types?limit=200",
        "/v1/cases?limit=200&include=outputs,provenance",
        "/v1/connections?limit=200",
        "/v1/connections/mine/health",
        "/v1/runs?limit=200",
        "/v1/schedules?limit=200",
        "/v1/secrets?limit=200",
        "/v1/tokens?limit=200",
        "/v1/people?limit=200",
        "/v1/workspace",
        "/v1/audit?limit=200",
        &format!("/v1/runs/{}", things.run),
    ];
    let mut all = Vec::new();
    for url in urls {
        let mut body = app.get(url).await.expect(200);
        for item in body["items"].as_array_mut().into_iter().flatten() {
            if let Some(item) = item.as_object_mut() {
                item.remove("last_used_at");
            }
        }
        all.push(body);
    }
    all
}

async fn token_of(app: &TestApp, role: Role) -> String {
    let made =
        app.post("/v1/tokens", &json!({"name": role.as_str(), "role": role.as_str()})).await.expect(201);
    made["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_token_no_call_answers_or_does_anything() {
    let app = TestApp::spawn().await;
    let things = furnish(&app).await;
    let expires = json!({"name": "short", "role": "admin", "expires_at": "2026-11-21T09:00:10Z"});
    let short = app.post("/v1/tokens", &expires).await.expect(201)["token"].as_str().unwrap().to_owned();
    let gone = app.post("/v1/tokens", &json!({"name": "gone", "role": "admin"})).await.expect(201);
    app.delete(&format!("/v1/tokens/{}", gone["id"].as_str().unwrap())).await.expect(204);
    app.move_clock(secs(10));
    let before = everything(&app, &things).await;
    for operation in operations(&app).await {
        let url = things.url(&operation.path, "mine");
        let tokens = [None, Some("dsr_wrong"), Some(short.as_str()), gone["token"].as_str()];
        for token in tokens {
            let answer = call(&app, &operation, &url, token).await;
            let what = format!("{} {url} with {token:?}: {}", operation.method, answer.body);
            assert_eq!((answer.status, answer.code()), (401, "unauthorized"), "{what}");
            assert!(!answer.body.to_string().contains(OURS), "{what}");
        }
    }
    assert_eq!(everything(&app, &things).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_do_what_the_document_says_and_no_more() {
    let app = TestApp::spawn().await;
    let things = furnish(&app).await;
    let mut tokens = Vec::new();
    for role in Role::ALL {
        tokens.push((role, token_of(&app, role).await));
    }
    let before = (everything(&app, &things).await, app.upstream.calls_so_far());
    let operations = operations(&app).await;
    for operation in &operations {
        let url = things.url(&operation.path, "mine");
        for (role, token) in tokens.iter().filter(|(role, _)| !role.allows(operation.role)) {
            let answer = call(&app, operation, &url, Some(token)).await;
            let what = format!("{role:?}: {} {url}: {}", operation.method, answer.body);
            assert_eq!((answer.status, answer.code()), (403, "forbidden"), "{what}");
            assert!(answer.body["detail"].as_str().unwrap().contains(operation.role.as_str()), "{what}");
            assert!(!answer.body.to_string().contains(OURS), "{what}");
        }
    }
    assert_eq!((everything(&app, &things).await, app.upstream.calls_so_far()), before);
    for operation in &operations {
        let url = Things::absent().url(&operation.path, "absent");
        for (role, token) in tokens.iter().filter(|(role, _)| role.allows(operation.role)) {
            let answer = call(&app, operation, &url, Some(token)).await;
            let what = format!("{role:?}: {} {url}: {}", operation.method, answer.body);
            assert!(![401, 403, 405].contains(&answer.status) && answer.status < 500, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_workspaces_things_are_not_there() {
    let app = TestApp::spawn().await;
    let things = furnish(&app).await;
    let access = &app.services().access;
    let other = access.create_workspace(&"beta".parse().unwrap(), Some("Beta".to_owned())).await.unwrap();
    let request =
        NewTokenRequest { name: "other".into(), role: Role::Admin, overrides: true, expires_at: None };
    let token = access.create_in(other.id, request).await.unwrap().1.expose().to_owned();
    let (before, calls) = (everything(&app, &things).await, app.upstream.calls_so_far());
    for operation in operations(&app).await {
        let url = things.url(&operation.path, "mine");
        if operation.method == "PUT" {
            continue; // It would make one of that name in the other workspace: below.
        }
        let answer = call(&app, &operation, &url, Some(&token)).await;
        let what = format!("{} {url}: {}", operation.method, answer.body);
        if operation.path.contains('{') {
            let known = operation.reads_body && !operation.path.starts_with("/v1/cases");
            let missing = answer.status == 404 || (known && (400..500).contains(&answer.status));
            assert!(missing && answer.status != 403, "{what}");
        }
        let text = answer.body.to_string();
        for ours in [OURS, &things.case, &things.run, &things.schedule] {
            // A sentence may name what was asked for.
            assert!(answer.status >= 400 || !text.contains(ours), "{what}");
        }
        assert!(!text.contains(OURS), "{what}");
    }
    let asks = [
        format!("/v1/runs?case={}", things.case),
        "/v1/runs?secret=mine".to_owned(),
        "/v1/cases?case_type=mine".to_owned(),
        "/v1/audit?key=mine".to_owned(),
    ];
    for url in asks {
        let answer = app.send(client().get(app.url(&url)).bearer_auth(&token)).await;
        assert!(answer.status == 422 || answer.body["items"] == json!([]), "{url}: {}", answer.body);
    }
    assert_eq!(everything(&app, &things).await, before);
    for (url, body) in [
        ("/v1/secrets/mine", json!({"value": "of the other one", "hosts": []})),
        ("/v1/connections/mine", json!({"base_url": "https://other.example"})),
        ("/v1/case-types/mine", json!({"fields": []})),
    ] {
        let request = client().put(app.url(url)).bearer_auth(&token).json(&body);
        assert_eq!(app.send(request).await.status, 201, "{url}: it is new there");
    }
    assert_eq!((everything(&app, &things).await, app.upstream.calls_so_far()), (before, calls));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ones_own_leads_to_nothing_of_another_workspace() {
    let app = TestApp::spawn().await;
    let things = furnish(&app).await;
    // Something is cached there, and an Idempotency-Key is kept.
    let cached = app.field("/cached", json!({"cache_duration": 3600}), json!({"connection": "mine"}));
    app.put("/v1/case-types/cached", &json!({"name": OURS, "fields": [cached]})).await.expect(201);
    let made = json!({"case_type": "cached", "title": OURS, "data": {}});
    let keyed = app.request("POST", "/v1/cases").header("Idempotency-Key", "the-key").json(&made);
    app.send(keyed).await.expect(201);
    app.drain().await;
    let access = &app.services().access;
    let other = access.create_workspace(&"beta".parse().unwrap(), Some("Beta".to_owned())).await.unwrap();
    let request =
        NewTokenRequest { name: "other".into(), role: Role::Admin, overrides: true, expires_at: None };
    let token = access.create_in(other.id, request).await.unwrap().1.expose().to_owned();
    let ask = async |method: &str, path: &str, body: Value| {
        let request = client().request(method.parse().unwrap(), app.url(path)).bearer_auth(&token);
        let answer = app.send(request.header("Idempotency-Key", "the-key").json(&body)).await;
        assert!(!answer.body.to_string().contains(OURS), "{method} {path}: {}", answer.body);
        answer
    };
    let before = everything(&app, &things).await;
    // Its connections, secrets and params cannot be named.
    let url = app.upstream.url("/own");
    for config in [
        json!({"url": "/x", "connection": "mine", "response_mapping": {"v": "$"}}),
        json!({"url": "https://a.example/", "headers": {"X": "{secret.mine}"}, "response_mapping": {"v": "$"}}),
    ] {
        let fields = json!([{"key": "check", "type": "api_call", "api_config": config}]);
        let refused = ask("PUT", "/v1/case-types/own", json!({"fields": fields})).await;
        assert_eq!(refused.expect(422)["errors"][0]["code"], "unknown_reference");
    }
    // A field of one's own shows no case of theirs; a key of theirs is no key here.
    let config = json!({"url": url, "params": {"t": "{{ data.text | default('none') }}"}, "response_mapping": {"v": "$"}});
    let fields = json!([{"key": "check", "type": "api_call", "api_config": config}]);
    ask("PUT", "/v1/case-types/mine", json!({"fields": fields})).await.expect(201);
    let path = "/v1/case-types/mine/fields/check/test";
    let theirs = ask("POST", path, json!({"case_id": things.case, "send": true})).await;
    assert!(matches!(theirs.status, 404 | 422), "{}", theirs.body);
    assert_eq!(ask("POST", "/v1/cases", made).await.status, 422, "their key and type are unknown here");
    // What is switched and purged here is not switched and purged there.
    ask("PUT", "/v1/connections/mine", json!({"base_url": app.upstream.url("/")})).await.expect(201);
    for action in ["breaker/open", "disable"] {
        ask("POST", &format!("/v1/connections/mine/{action}"), json!({})).await.expect(200);
    }
    ask("PATCH", "/v1/workspace", json!({"params": {"text": "of the other"}})).await.expect(200);
    for what in ["connection=mine", "case_type=mine", "case_type=mine&field=check"] {
        assert_eq!(ask("DELETE", &format!("/v1/cache?{what}"), json!({})).await.status, 204, "{what}");
    }
    ask("DELETE", "/v1/cache", json!({})).await;
    assert_eq!(everything(&app, &things).await, before);
    let case = app.post("/v1/cases", &json!({"case_type": "cached", "data": {}})).await.expect(201);
    app.drain().await;
    let case = app.case(case["id"].as_str().unwrap()).await;
    assert_eq!(case["fields"]["check"]["cached"], true, "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tokens_last_use_is_shown_and_written_at_most_once_a_minute() {
    let mut app = TestApp::spawn().await;
    let made = app.post("/v1/tokens", &json!({"name": "ops", "role": "viewer"})).await.expect(201);
    assert_eq!(made["last_used_at"], json!(null));
    let token = made["token"].as_str().unwrap().to_owned();
    let shown = async |app: &TestApp| {
        let list = app.get("/v1/tokens").await.expect(200);
        let ops = list["items"].as_array().unwrap().iter().find(|item| item["name"] == "ops").unwrap();
        ops["last_used_at"].clone()
    };
    let use_it = async |app: &TestApp| {
        app.send(client().get(app.url("/v1/cases")).bearer_auth(&token)).await.expect(200);
    };
    assert_eq!(shown(&app).await, json!(null));
    use_it(&app).await;
    assert_eq!(shown(&app).await, "2026-11-21T09:00:00.000Z", "at once");
    app.sweep().await;
    app.move_clock(secs(59));
    use_it(&app).await;
    app.sweep().await;
    app.restart().await;
    assert_eq!(shown(&app).await, "2026-11-21T09:00:00.000Z", "written once in the minute");
    app.move_clock(secs(1));
    use_it(&app).await;
    app.restart().await;
    assert_eq!(shown(&app).await, "2026-11-21T09:01:00.000Z", "a stop writes what is due");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_workspace_is_read_and_changed_with_its_version() {
    let app = TestApp::spawn().await;
    let read = app.get("/v1/workspace").await;
    assert_eq!(read.header("etag"), Some("\"1\""));
    let read = read.expect(200);
    assert_eq!((&read["key"], &read["version"], &read["params"]), (&json!("default"), &json!(1), &json!({})));
    let changed =
        app.patch("/v1/workspace", &json!({"name": "Acme", "params": {"a": 1, "b": {"c": 2}}})).await;
    assert_eq!(changed.header("etag"), Some("\"2\""));
    assert_eq!(changed.expect(200)["name"], "Acme");
    let patched = app.patch("/v1/workspace", &json!({"params": {"a": null, "b": {"d": 3}}})).await;
    let patched = patched.expect(200);
    assert_eq!((&patched["name"], &patched["params"]), (&json!("Acme"), &json!({"b": {"c": 2, "d": 3}})));
    let again = app.patch("/v1/workspace", &patched).await.expect(200);
    assert_eq!(again["version"], 3, "what was read can be sent back and changes nothing");

    let late = app.request("PATCH", "/v1/workspace").header("If-Match", "\"1\"").json(&json!({"name": "x"}));
    let late = app.send(late).await;
    assert_eq!((late.status, late.code()), (412, "version_mismatch"));
    let since = late.body["changed"].to_string();
    assert!(since.contains("params.b.d") && since.contains("name"), "{since}");
    let good = app.request("PATCH", "/v1/workspace").header("If-Match", "\"3\"").json(&json!({"name": "x"}));
    assert_eq!(app.send(good).await.expect(200)["version"], 4);
    let known = app.request("GET", "/v1/workspace").header("If-None-Match", "\"4\"");
    assert_eq!(app.send(known).await.status, 304);

    for (body, pointer) in [
        (json!({"name": null}), "/name"),
        (json!({"name": null, "params": {"a": 1}}), "/name"),
        (json!({"name": ""}), "/name"),
        (json!({"name": "x".repeat(201)}), "/name"),
        (json!({"name": "a\nb"}), "/name"),
        (json!({"name": 5}), "/name"),
        (json!({"params": []}), "/params"),
        (json!({"params": {"Bad Name": 1}}), "/params/Bad Name"),
        (json!({"params": {"big": "x".repeat(300_000)}}), "/params"),
        (json!({"parms": {}}), "/parms"),
    ] {
        let refused = app.patch("/v1/workspace", &body).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{}", refused.body);
    }
    let emptied = app.patch("/v1/workspace", &json!({"params": null})).await.expect(200);
    assert_eq!((&emptied["params"], &emptied["version"]), (&json!({}), &json!(5)), "null takes all away");
    assert_eq!(app.get("/v1/workspace").await.expect(200)["params"], json!({}));
    let again = app.patch("/v1/workspace", &json!({"params": null})).await.expect(200);
    assert_eq!(again["version"], 5, "nothing is left to take away");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_params_count_at_once_also_for_what_is_cached() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise_with(|call| ok(json!({"value": call.query("region")})));
    let warned = json!({"url": app.upstream.url("/check"), "params": {"region": "{params.region}"}});
    app.patch("/v1/workspace", &json!({"params": {"region": "eu"}})).await.expect(200);
    app.define_one("/check", json!({"cache_duration": 3600}), warned).await;
    assert_eq!(app.filled(json!({})).await["data"]["value"], "eu");
    assert_eq!(app.filled(json!({})).await["data"]["value"], "eu");
    assert_eq!(app.upstream.calls().len(), 1, "the second one came from the cache");
    app.patch("/v1/workspace", &json!({"params": {"region": "us"}})).await.expect(200);
    assert_eq!(app.filled(json!({})).await["data"]["value"], "us");
    assert_eq!(app.upstream.calls().len(), 2, "other params are another place in the cache");
    // What the case type says itself goes first.
    let mut own = app.get("/v1/case-types/test").await.expect(200);
    own["params"] = json!({"region": "own"});
    app.put("/v1/case-types/test", &own).await.expect(200);
    app.patch("/v1/workspace", &json!({"params": {"region": "asia"}})).await.expect(200);
    assert_eq!(app.filled(json!({})).await["data"]["value"], "own");
}

#[tokio::test(flavor = "multi_thread")]
async fn params_that_lead_elsewhere_take_waiting_runs_along_but_no_typed_credential() {
    let app = TestApp::spawn().await;
    let base = app.upstream.url("");
    let base = base.trim_end_matches('/');
    app.patch("/v1/workspace", &json!({"params": {"base": base}})).await.expect(200);
    let field = |auth: Value| {
        let config =
            json!({"url": "{params.base}/check", "auth": auth, "response_mapping": {"value": "$.value"}});
        json!([{"key": "check", "type": "api_call", "trigger": "manual", "api_config": config}])
    };
    app.define(field(json!({"type": "bearer", "token": "typed-credential"}))).await;
    let elsewhere = json!({"params": {"base": "https://elsewhere.example"}});
    let refused = app.patch("/v1/workspace", &elsewhere).await;
    assert_eq!((refused.status, refused.code(), &refused.body["users"]), (409, "in_use", &json!(["test"])));
    app.patch("/v1/workspace", &json!({"params": {"other": 1}})).await.expect(200);
    app.define(field(json!({"type": "none"}))).await;
    app.upstream.otherwise(ok(json!({"value": "found"})));
    let case = app.create(json!({})).await;
    app.open_circuit().await;
    let mut waiting = field(json!({"type": "none"}));
    waiting[0]["trigger"] = json!("on_create");
    app.define(waiting).await;
    let waits = app.create(json!({})).await;
    app.drain().await;
    assert_eq!(app.case(&waits).await["fields"]["check"]["waiting_for"], "circuit");
    let base = base.replace("127.0.0.1", "localhost");
    app.patch("/v1/workspace", &json!({"params": {"base": base}})).await.expect(200);
    app.drain().await;
    assert_eq!(app.case(&waits).await["data"]["value"], "found", "it waits for the other provider no longer");
    assert_eq!(app.case(&case).await["fields"]["check"]["status"], "never_run");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_the_settings_is_an_admin_of_the_default_workspace() {
    let app = TestApp::spawn().await;
    let list = app.send(client().get(app.url("/v1/audit")).bearer_auth(TOKEN)).await.expect(200);
    let made: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|item| (&item["kind"], &item["by"])).collect();
    assert_eq!(made, [(&json!("token"), &json!("system")), (&json!("workspace"), &json!("system"))]);
}
