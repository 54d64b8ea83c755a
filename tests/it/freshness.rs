//! Two processes on one database, SQLite or PostgreSQL: what the one changes, the other does not
//! remember otherwise. No clock moves, so nothing is forgotten by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dossier::domain::case::Case;
use dossier::domain::clock::Clock as _;
use dossier::domain::expected::Expected;
use dossier::domain::ids::{CaseId, RunId};
use dossier::domain::run::{Fired, NewRun, Priority};
use dossier::domain::secret::SecretText;
use dossier::domain::token::Role;
use dossier::domain::trigger::Trigger;
use dossier::service::{NewPersonRequest, NewTokenRequest, PersonPatch, PutSecret, ServiceError, SignIn};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, secs};
use crate::database::cluster;
use crate::upstream::{client, ok, status};

/// One that works, and one that only serves.
async fn two() -> (TestApp, TestApp) {
    let works = TestApp::spawn().await;
    let key_file = works.settings.security.master_key_file.display().to_string();
    let more = [("WORKERS__CONCURRENCY", "0"), ("SECURITY__MASTER_KEY_FILE", key_file.as_str())];
    let serves = works.beside(&more).await;
    (works, serves)
}

async fn put_secret(app: &TestApp, value: &str, hosts: Value) -> Answer {
    app.put("/v1/secrets/pass", &json!({"value": value, "hosts": hosts})).await
}

/// The connection `vies` bears the secret; the provider takes `good-secret-value` only.
async fn connect(app: &TestApp) {
    put_secret(app, "bad-secret-value", json!(["127.0.0.1"])).await.expect(201);
    let auth = json!({"type": "bearer", "token": "{secret.pass}"});
    let body = json!({"base_url": app.upstream.url("/"), "auth": auth});
    app.put("/v1/connections/vies", &body).await.expect(201);
    app.define_one("/", json!({"retry": 0}), json!({"connection": "vies", "url": "/check"})).await;
    app.upstream.otherwise_with(|call| match call.header("authorization") {
        Some("Bearer good-secret-value") => ok(json!({"value": 1})),
        _ => status(401),
    });
}

async fn is_held(app: &TestApp) -> bool {
    app.get("/v1/connections/vies/health").await.expect(200)["held"] == true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mended_secret_counts_at_once_and_what_waited_goes_on_with_it() {
    let (works, serves) = two().await;
    connect(&works).await;
    let mut cases = Vec::new();
    for _ in 0..5 {
        assert_eq!(works.filled(json!({})).await["fields"]["check"]["status"], "failed");
    }
    for _ in 0..10 {
        cases.push(works.create(json!({})).await);
    }
    works.drain().await;
    assert!(is_held(&works).await);
    put_secret(&serves, "good-secret-value", json!(["127.0.0.1"])).await.expect(200);
    works.advance(secs(1)).await;
    for case in &cases {
        let case = works.case(case).await;
        assert_eq!(case["data"]["value"], 1, "{case}");
    }
    assert!(!is_held(&works).await);
    assert_eq!(works.upstream.calls().len(), 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_a_secret_no_longer_lists_gets_it_no_more() {
    let (works, serves) = two().await;
    put_secret(&works, "good-secret-value", json!(["127.0.0.1"])).await.expect(201);
    works.upstream.otherwise(ok(json!({"value": 1})));
    works.define_one("/check", json!({}), json!({"headers": {"X-Pass": "{secret.pass}"}})).await;
    assert_eq!(works.filled(json!({})).await["data"]["value"], 1);
    put_secret(&serves, "good-secret-value", json!([])).await.expect(200);
    let case = works.filled(json!({})).await;
    assert_eq!(case["fields"]["check"]["error"]["code"], "secret_not_allowed", "{case}");
    assert_eq!(works.upstream.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_credentials_that_are_others_by_now_do_not_count() {
    for by_connection in [false, true] {
        let app = TestApp::spawn().await;
        connect(&app).await;
        app.upstream.otherwise(status(401).held());
        for _ in 0..6 {
            app.create(json!({})).await;
        }
        app.upstream.wait_for_calls(6).await;
        if by_connection {
            let auth = json!({"type": "bearer", "token": "another-token-that-is-typed"});
            let body = json!({"base_url": app.upstream.url("/"), "auth": auth});
            app.put("/v1/connections/vies", &body).await.expect(200);
        } else {
            put_secret(&app, "good-secret-value", json!(["127.0.0.1"])).await.expect(200);
        }
        app.upstream.otherwise(status(401));
        app.upstream.release();
        app.drain().await;
        assert!(!is_held(&app).await, "{by_connection}");
        for _ in 0..5 {
            assert!(!is_held(&app).await);
            app.filled(json!({})).await;
        }
        assert!(is_held(&app).await, "those of the new ones count");
    }
}

/// Saves the case type at the one, and answers what the other makes of a first case.
async fn created(works: &TestApp, serves: &TestApp, old: Value, new: Value, data: Value) -> Answer {
    works.define(old).await;
    works.create(data.clone()).await;
    serves.define(new).await;
    works.post("/v1/cases", &json!({"case_type": "test", "data": data})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_made_by_the_version_that_another_process_has_just_saved() {
    let (works, serves) = two().await;
    works.upstream.otherwise(status(500));
    let second = |key: &str, more: Value| {
        let mut field = works.field("/check", json!({"key": key, "retry": 0}), json!({}));
        field["api_config"]["response_mapping"] = json!({key: "$.value"});
        field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        field
    };
    let must = json!({"key": "must", "type": "text", "required": true});
    let old = json!([second("one", json!({})), must]);
    let new = json!([second("one", json!({"enabled": false})), second("two", json!({"retry": 2}))]);

    // What the old version refuses and the new one takes, …
    works.define(old.clone()).await;
    works.create(json!({"must": "x"})).await;
    serves.define(new.clone()).await;
    let case = works.post("/v1/cases", &json!({"case_type": "test", "data": {}})).await.expect(201);
    let one = &case["fields"]["one"]["status"];
    assert_eq!((&case["case_type_version"], one), (&json!(2), &json!("disabled")), "{case}");
    // Whether a worker has it already by then does not matter.
    assert_ne!(case["fields"]["two"]["status"], "never_run", "{case}");
    let runs = works.runs(case["id"].as_str().unwrap()).await;
    assert_eq!((runs.len(), &runs[0]["attempts_max"]), (1, &json!(3)), "{runs:?}");
    // … and the other way round.
    let refused = created(&works, &serves, new, old, json!({})).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/data/must", "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_and_what_is_shown_go_by_the_version_that_another_process_has_just_saved() {
    let (works, serves) = two().await;
    works.upstream.otherwise(ok(json!({"value": 1})));
    let manual = json!({"trigger": "manual"});
    works.define(json!([works.field("/check", manual.clone(), json!({}))])).await;
    let id = works.create(json!({})).await;
    works.case(&id).await;
    let other = json!({"key": "other", "trigger": "manual"});
    let config = json!({"response_mapping": {"other": "$.value"}});
    let fields = [works.field("/check", manual, json!({})), works.field("/check", other, config)];
    serves.define(json!(fields)).await;
    assert_eq!(works.case(&id).await["fields"]["other"]["status"], "never_run");
    let path = format!("/v1/cases/{id}/fields/other");
    works.post(&format!("{path}/refresh"), &json!({})).await.expect(202);
    works.drain().await;
    assert_eq!(works.case(&id).await["data"]["other"], 1);
    let test = works.post("/v1/case-types/test/fields/other/test", &json!({"data": {}})).await;
    test.expect(200);
    serves.define(json!([works.field("/check", json!({"trigger": "manual"}), json!({}))])).await;
    works.post(&format!("{path}/refresh"), &json!({})).await.expect(404);
    works.post("/v1/case-types/test/fields/other/test", &json!({"data": {}})).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_makes_as_many_attempts_as_the_version_grants_that_it_takes() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(status(500));
    app.define_one("/check", json!({"retry": 0}), json!({})).await;
    let case = app.case(&app.create(json!({})).await).await;
    app.drain().await;
    let id = case["id"].as_str().unwrap();
    assert_eq!(app.runs(id).await[0]["status"], "failed");
    // A run that was queued under the version before, by a process that saw nothing of the save.
    let services = app.services();
    let plan = services.plans.by_id_current(stored(&app, id).await.case_type_id).await.unwrap().unwrap();
    app.define_one("/check", json!({"retry": 2}), json!({})).await;
    let case = stored(&app, id).await;
    let field = "check".parse().unwrap();
    let call = plan.case_type.field("check").unwrap().api_call().unwrap();
    let why = Fired {
        trigger: Trigger::OnUpdate,
        priority: Priority::Triggered,
        by: "token:x".to_owned(),
        at: app.clock.now(),
    };
    let run = NewRun::new(RunId(uuid::Uuid::from_u128(7)), &case, plan.under(), &field, call, why);
    assert_eq!(run.attempts_max, 1);
    let queued = services.store.write(move |tx| Box::pin(async move { tx.fire(&[run]).await.map(|_| ()) }));
    queued.await.unwrap();
    app.drain().await;
    let run = app.get("/v1/runs/00000000-0000-0000-0000-000000000007").await.expect(200);
    let seen = (&run["status"], &run["attempts_max"], &run["case_type_version"]);
    assert_eq!(seen, (&json!("queued"), &json!(3), &json!(2)), "{run}");
}

async fn stored(app: &TestApp, id: &str) -> Case {
    let tx = app.services().store.read().await.unwrap();
    let workspace = tx.find_workspace(&"default".parse().unwrap()).await.unwrap().unwrap();
    tx.find_case(workspace.id, CaseId(id.parse().unwrap())).await.unwrap().unwrap().case
}

/// A process with one place, which the call of a case of the type `slow` takes up.
async fn busy(app: &TestApp) {
    let before = app.upstream.calls_so_far();
    app.post("/v1/cases", &json!({"case_type": "slow", "data": {}})).await.expect(201);
    app.upstream.wait_for_calls(before + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_had_before_the_refused_request_left_is_no_renewal() {
    let first = TestApp::spawn_with(&[("WORKERS__CONCURRENCY", "1")]).await;
    let auth = json!({"type": "oauth2_client_credentials", "token_url": first.upstream.url("/token"),
        "client_id": "the client", "client_secret": "cl1ent-s3cret-that-is-typed"});
    let body = json!({"base_url": first.upstream.url("/"), "auth": auth});
    first.put("/v1/connections/vies", &body).await.expect(201);
    first.define_one("/", json!({"retry": 0}), json!({"connection": "vies", "url": "/check"})).await;
    let slow = json!({"key": "slow", "fields": [first.field("/slow", json!({}), json!({}))]});
    first.put("/v1/case-types/slow", &slow).await.expect(201);
    let good = Arc::new(AtomicUsize::new(0));
    let (gives, takes) = (good.clone(), good.clone());
    first.upstream.on_with("POST", "/token", move |_| {
        let number = gives.fetch_add(1, Ordering::SeqCst) + 1;
        ok(json!({"access_token": format!("t0ken-number-{number}"), "expires_in": 3600}))
    });
    first.upstream.on_with("GET", "/check", move |call| {
        let newest = format!("Bearer t0ken-number-{}", takes.load(Ordering::SeqCst));
        if call.header("authorization") == Some(&newest) { ok(json!({"value": 7})) } else { status(401) }
    });
    first.upstream.on("GET", "/slow", ok(json!({"value": 1})).held());
    assert_eq!(first.filled(json!({})).await["data"]["value"], 7);
    // While it cannot look, the token is taken back; another process fetches the next one, …
    busy(&first).await;
    good.fetch_add(1, Ordering::SeqCst);
    let key_file = first.settings.security.master_key_file.display().to_string();
    let second = first.beside(&[("SECURITY__MASTER_KEY_FILE", key_file.as_str())]).await;
    assert_eq!(second.filled(json!({})).await["data"]["value"], 7);
    Box::pin(second.stop()).await;
    // … and that one is taken back, too.
    good.fetch_add(1, Ordering::SeqCst);
    first.move_clock(secs(1));
    first.upstream.release();
    first.drain().await;
    for _ in 0..6 {
        let case = first.filled(json!({})).await;
        assert_eq!(case["data"]["value"], 7, "{case}");
    }
    let fetched = first.upstream.calls().iter().filter(|call| call.path == "/token").count();
    assert_eq!(fetched, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_another_process_deleted_is_refused_as_soon_as_that_is_heard() {
    if cluster().is_none() {
        return;
    }
    let (here, there) = two().await;
    for n in 0..5 {
        let made =
            there.post("/v1/tokens", &json!({"name": format!("t{n}"), "role": "viewer"})).await.expect(201);
        let list = || client().get(here.url("/v1/cases")).bearer_auth(made["token"].as_str().unwrap());
        here.send(list()).await.expect(200);
        let heard = here.services().store.signals().access();
        there.delete(&format!("/v1/tokens/{}", made["id"].as_str().unwrap())).await.expect(204);
        while here.services().store.signals().access() == heard {
            tokio::task::yield_now().await;
        }
        here.send(list()).await.expect(401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_whose_access_another_process_changed_is_another_one_as_soon_as_that_is_heard() {
    if cluster().is_none() {
        return;
    }
    let (here, there) = two().await;
    let password = "long enough for all";
    // The last admin cannot be switched off.
    let stays = json!({"name": "Stays", "email": "s@example.com", "role": "admin", "password": password});
    there.post("/v1/people", &stays).await.expect(201);
    let changes = [
        json!({"active": false}),
        json!({"role": "viewer"}),
        json!({"password": "another long one"}),
        json!("sessions"),
        Value::Null,
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let email = format!("p{n}@example.com");
        let body = json!({"name": format!("P{n}"), "email": email, "role": "admin", "password": password});
        let url = format!(
            "/v1/people/{}",
            there.post("/v1/people", &body).await.expect(201)["id"].as_str().unwrap()
        );
        let (password, address) = (SecretText::from(password.to_owned()), "192.0.2.1".parse().unwrap());
        let sign_in = SignIn { email, password, address, user_agent: String::new() };
        let sessions = &here.services().sessions;
        let begun = Box::pin(sessions.sign_in(sign_in)).await.unwrap().expect("the password is right");
        let role = async || Some(sessions.resume(begun.token.expose()).await.unwrap()?.actor.role);
        assert_eq!(role().await, Some(Role::Admin));
        let heard = here.services().store.signals().access();
        match &change {
            Value::Null => drop(there.delete(&url).await.expect(204)),
            Value::String(of) => drop(there.delete(&format!("{url}/{of}")).await.expect(204)),
            change => drop(there.patch(&url, change).await.expect(200)),
        }
        while here.services().store.signals().access() == heard {
            tokio::task::yield_now().await;
        }
        assert_eq!(role().await, (n == 1).then_some(Role::Viewer), "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_no_longer_changes_nothing_though_the_request_began_before() {
    let app = TestApp::spawn().await;
    let services = app.services();
    let password = "long enough for all";
    let stays = json!({"name": "Stays", "email": "s@example.com", "role": "admin", "password": password});
    let stays = app.post("/v1/people", &stays).await.expect(201)["id"].as_str().unwrap().parse().unwrap();
    let ends = [json!({"active": false}), json!({"role": "operator"}), Value::Null, json!("token")];
    for (n, end) in ends.into_iter().enumerate() {
        let (actor, url) = if end == "token" {
            let made = app.post("/v1/tokens", &json!({"name": "ops", "role": "admin"})).await.expect(201);
            let actor = services.access.authenticate(made["token"].as_str().unwrap()).await.unwrap();
            (actor.unwrap(), format!("/v1/tokens/{}", made["id"].as_str().unwrap()))
        } else {
            let email = format!("p{n}@example.com");
            let body = json!({"name": "P", "email": email, "role": "admin", "password": password});
            let id = app.post("/v1/people", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
            let (password, address) = (SecretText::from(password.to_owned()), "192.0.2.1".parse().unwrap());
            let sign_in = SignIn { email, password, address, user_agent: String::new() };
            let begun = Box::pin(services.sessions.sign_in(sign_in)).await.unwrap().unwrap();
            let who = services.sessions.resume(begun.token.expose()).await.unwrap().unwrap();
            (who.actor, format!("/v1/people/{id}"))
        };
        match &end {
            Value::Object(_) => drop(app.patch(&url, &end).await.expect(200)),
            _ => drop(app.delete(&url).await.expect(204)),
        }
        let person: NewPersonRequest = NewPersonRequest {
            name: "New".to_owned(),
            email: "new@example.com".to_owned(),
            role: Role::Admin,
            active: true,
            password: None,
        };
        let token =
            NewTokenRequest { name: "new".to_owned(), role: Role::Admin, overrides: false, expires_at: None };
        let secret = PutSecret::new("0123456789".to_owned(), &[], true).unwrap();
        let name = || "pass".parse().unwrap();
        let refused = [
            services.people.create(&actor, person, None).await.map(drop),
            services.people.patch(&actor, stays, PersonPatch::default()).await.map(drop),
            services.people.end_sessions(&actor, stays).await,
            services.people.link(&actor, stays).await.map(drop),
            services.access.create(&actor, token, None).await.map(drop),
            services.secrets.put(&actor, name(), secret, Expected::Anything).await.map(drop),
            services.secrets.delete(&actor, &name()).await,
            services.people.delete(&actor, stays).await,
        ];
        for (at, refused) in refused.into_iter().enumerate() {
            let error = refused.unwrap_err();
            assert!(matches!(error, ServiceError::Forbidden { .. }), "{end}, {at}: {error}");
        }
    }
}
