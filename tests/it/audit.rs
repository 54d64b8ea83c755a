//! The audit: who changed what, in one chain per workspace that cannot be touched unnoticed.

use dossier::service::Verified;
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait as _, Database, DatabaseBackend, Statement};
use serde_json::{Value, json};

use crate::app::{MARKER, TestApp, secs};
use crate::database::cluster;
use crate::upstream::{client, ok};

async fn verify(app: &TestApp) -> Verified {
    let workspace = app.services().access.workspace(&"default".parse().unwrap()).await.unwrap().unwrap();
    app.services().audit.verify(workspace.id).await.unwrap()
}

async fn entries(app: &TestApp, query: &str) -> Vec<Value> {
    app.get(&format!("/v1/audit?limit=200{query}")).await.expect(200)["items"].as_array().unwrap().clone()
}

/// Does something to the rows, past Dossier.
pub async fn tamper(app: &TestApp, statement: &str) {
    if cluster().is_some() {
        app.database.psql(statement);
        return;
    }
    let database = Database::connect(&app.settings.database.url).await.unwrap();
    database.execute_raw(Statement::from_string(DatabaseBackend::Sqlite, statement)).await.unwrap();
    database.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_has_an_entry_without_a_value() {
    let app = TestApp::spawn().await;
    let put = app.request("PUT", "/v1/secrets/marker").header("X-Request-Id", "put-7");
    app.send(put.json(&json!({"value": MARKER, "hosts": []}))).await.expect(201);
    app.put("/v1/secrets/marker", &json!({"value": MARKER, "hosts": ["a.example"]})).await.expect(200);
    let typed = json!({"base_url": "https://a.example", "auth": {"type": "bearer", "token": MARKER}});
    app.put("/v1/connections/vies", &typed).await.expect(201);
    app.put("/v1/connections/vies", &typed).await.expect(200);
    let other =
        json!({"base_url": "https://a.example", "auth": {"type": "bearer", "token": "another-credential"}});
    app.put("/v1/connections/vies", &other).await.expect(200);
    for action in ["disable", "enable", "resume", "breaker/open", "breaker/close"] {
        app.post(&format!("/v1/connections/vies/{action}"), &json!({})).await.expect(200);
    }
    app.delete("/v1/connections/vies").await.expect(204);
    app.define(json!([{"key": "a", "type": "text"}])).await;
    app.define(json!([{"key": "a", "type": "number"}, {"key": "b", "type": "text"}])).await;
    app.delete("/v1/case-types/test").await.expect(204);
    let token = app.post("/v1/tokens", &json!({"name": "ops", "role": "viewer"})).await.expect(201);
    app.delete(&format!("/v1/tokens/{}", token["id"].as_str().unwrap())).await.expect(204);
    app.patch("/v1/workspace", &json!({"params": {"x": 1}})).await.expect(200);
    app.delete("/v1/secrets/marker").await.expect(204);

    let all = entries(&app, "").await;
    let told: Vec<String> = all
        .iter()
        .rev()
        .skip(2) // the workspace and the token of the tests
        .map(|entry| {
            let word = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            let (before, after) = (&entry["version_before"], &entry["version_after"]);
            format!(
                "{} {} {} {before}-{after} {}",
                word("kind"),
                word("key"),
                word("action"),
                entry["changed"]
            )
        })
        .collect();
    let expected = [
        "secret marker created null-1 []",
        "secret marker changed 1-2 [\"value\",\"hosts\"]",
        "connection vies created null-1 []",
        "connection vies changed 1-2 [\"auth.token\"]",
        "connection vies disabled 2-2 []",
        "connection vies enabled 2-2 []",
        "connection vies resumed 2-2 []",
        "connection vies breaker_opened 2-2 []",
        "connection vies breaker_closed 2-2 []",
        "connection vies deleted 2-null []",
        "case_type test created null-1 []",
        "case_type test changed 1-2 [\"fields.a.type\",\"fields.b\"]",
        "case_type test deleted 2-null []",
        "token ops created null-null []",
        "token ops deleted null-null []",
        "workspace default changed 1-2 [\"params.x\"]",
        "secret marker deleted 2-null []",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told} is not {expected}");
    }
    let first = &all[all.len() - 3];
    assert_eq!((&first["by"], &first["request_id"]), (&json!("token:configured admin"), &json!("put-7")));
    assert!(
        first["id"].is_string() && first["token_id"].is_string() && first["at"] == "2026-11-21T09:00:00.000Z"
    );
    assert_eq!(verify(&app).await.broken, None);
    assert_eq!(verify(&app).await.last.number, i64::try_from(all.len()).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_or_undone_leaves_no_entry() {
    let app = TestApp::spawn().await;
    let before = entries(&app, "").await.len();
    assert_eq!(app.put("/v1/secrets/x", &json!({"value": "short"})).await.status, 422);
    assert_eq!(app.delete("/v1/secrets/x").await.status, 404);
    assert_eq!(app.put("/v1/case-types/x", &json!({"fields": 5})).await.status, 422);
    assert_eq!(app.delete("/v1/tokens/0193aaaa-0000-7000-8000-000000000000").await.status, 404);
    assert_eq!(entries(&app, "").await.len(), before);
    for _ in 0..3 {
        let create = app.request("POST", "/v1/connections").header("Idempotency-Key", "once");
        app.send(create.json(&json!({"key": "vies", "base_url": "https://a.example"}))).await.expect(201);
    }
    assert_eq!(entries(&app, "").await.len(), before + 1, "a replay did nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_found_by_kind_key_author_and_time_and_read_by_admins_only() {
    let app = TestApp::spawn().await;
    let made = app.post("/v1/tokens", &json!({"name": "maker", "role": "builder"})).await.expect(201);
    let builder = made["token"].as_str().unwrap().to_owned();
    app.move_clock(secs(60));
    let put = client().put(app.url("/v1/secrets/a")).bearer_auth(&builder);
    app.send(put.json(&json!({"value": "correct-horse", "hosts": []}))).await.expect(201);
    app.put("/v1/secrets/b", &json!({"value": "correct-horse", "hosts": []})).await.expect(201);
    for (query, count) in [
        ("&kind=secret", 2),
        ("&kind=secret&key=a", 1),
        ("&key=a&kind=token", 0),
        ("&by=token:maker", 1),
        ("&by=system", 2),
        ("&since=2026-11-21T09:01:00Z", 2),
        ("&until=2026-11-21T09:01:00Z", 3),
        ("&kind=person", 0),
    ] {
        assert_eq!(entries(&app, query).await.len(), count, "{query}");
    }
    let page = app.get("/v1/audit?limit=2&count=true").await.expect(200);
    assert_eq!((page["items"].as_array().unwrap().len(), &page["total"]), (2, &json!(5)));
    let next = format!("/v1/audit?limit=200&cursor={}", page["next_cursor"].as_str().unwrap());
    let rest = app.get(&next).await.expect(200);
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (3, &json!(null)));
    for wrong in ["kind=case", "since=today", "limit=0", "cursor=x", "secret=a"] {
        assert_eq!(app.get(&format!("/v1/audit?{wrong}")).await.status, 400, "{wrong}");
    }
    let refused = app.send(client().get(app.url("/v1/audit")).bearer_auth(&builder)).await;
    assert_eq!((refused.status, refused.code()), (403, "forbidden"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_touched_chain_is_broken_where_it_was_touched() {
    for (touch, place) in [
        ("UPDATE audit SET by = 'token:nobody' WHERE number = 3", "entry 3 "),
        ("UPDATE audit SET changed = '[]' WHERE number = 4", "entry 4 "),
        ("UPDATE audit SET at = at + 1 WHERE number = 2", "entry 2 "),
        ("DELETE FROM audit WHERE number = 3", "entry 3 is missing"),
        ("DELETE FROM audit WHERE number = 5", "entry 5 is missing"),
        ("DELETE FROM audit", "entry 1 is missing"),
        ("UPDATE audit SET number = 9 WHERE number = 5", "entry 5 is missing"),
        ("UPDATE audit SET kind = 'nothing' WHERE number = 1", "entry 1 cannot be read"),
        ("DELETE FROM audit_head", "entry 5 is not what was noted"),
    ] {
        let app = TestApp::spawn().await;
        for n in 0..3 {
            app.put("/v1/secrets/a", &json!({"value": format!("correct-horse-{n}"), "hosts": []})).await;
        }
        assert_eq!(verify(&app).await.broken, None);
        tamper(&app, touch).await;
        let broken = verify(&app).await.broken.unwrap_or_default();
        assert!(broken.starts_with(place), "{touch}: {broken}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_that_was_emptied_with_its_end_is_not_whole() {
    let app = TestApp::spawn().await;
    for statement in ["DELETE FROM audit", "DELETE FROM audit_head"] {
        tamper(&app, statement).await;
    }
    let verified = verify(&app).await;
    assert!(verified.broken.unwrap_or_default().starts_with("entry 1 is missing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_at_once_make_one_chain() {
    let first = TestApp::spawn().await;
    let second = if cluster().is_some() { Some(first.beside(&[]).await) } else { None };
    let apps = [&first, second.as_ref().unwrap_or(&first)];
    let before = verify(&first).await.last.number;
    let change = async |n: usize| {
        let app = apps[n % 2];
        match n % 3 {
            0 => {
                let secret = json!({"value": "correct-horse", "hosts": []});
                app.put(&format!("/v1/secrets/s{}", n % 4), &secret).await.status
            }
            1 => app.post("/v1/tokens", &json!({"name": format!("t{n}"), "role": "viewer"})).await.status,
            _ => {
                let connection = json!({"base_url": format!("https://a{n}.example")});
                app.put(&format!("/v1/connections/c{n}"), &connection).await.status
            }
        }
    };
    let statuses = join_all((0..60).map(change)).await;
    let done = statuses.iter().filter(|status| **status < 300).count();
    assert_eq!(done, 60, "{statuses:?}");
    let verified = verify(&first).await;
    assert_eq!((verified.broken, verified.last.number), (None, before + 60));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_which_version_of_a_secret_it_sent() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    let put = async |value: &str| {
        let answer = app.put("/v1/secrets/api_key", &json!({"value": value, "hosts": ["127.0.0.1"]})).await;
        assert!(answer.status < 300, "{}", answer.body);
        answer.body
    };
    assert_eq!(put("correct-horse-1").await["version"], 1);
    app.put("/v1/secrets/apixkey", &json!({"value": "correct-horse", "hosts": []})).await.expect(201);
    let sends = app.field("/with", json!({}), json!({"headers": {"X-Key": "{secret.api_key}"}}));
    let plain =
        app.field("/without", json!({"key": "plain"}), json!({"response_mapping": {"other": "$.value"}}));
    app.define(json!([sends, plain])).await;
    let case = app.create(json!({})).await;
    app.drain().await;
    assert_eq!(put("correct-horse-2").await["version"], 2);
    app.post(&format!("/v1/cases/{case}/fields/check/refresh"), &json!({})).await.expect(202);
    app.drain().await;
    let mut sent: Vec<(String, Value)> = Vec::new();
    for run in app.runs(&case).await.into_iter().rev() {
        sent.push((run["field"].as_str().unwrap().to_owned(), run["secrets"].clone()));
    }
    sent.sort_by_key(|(field, secrets)| (field.clone(), secrets.to_string()));
    let version = |version: i64| json!([{"name": "api_key", "version": version}]);
    assert_eq!(
        sent,
        [("check".to_owned(), version(1)), ("check".to_owned(), version(2)), ("plain".to_owned(), json!([]))]
    );
    for (query, count) in
        [("api_key", 2), ("api_key:1", 1), ("api_key:2", 1), ("api_key:12", 0), ("apixkey", 0)]
    {
        let runs = app.get(&format!("/v1/runs?secret={query}")).await.expect(200);
        assert_eq!(runs["items"].as_array().unwrap().len(), count, "{query}");
    }
    assert_eq!(app.get("/v1/runs?secret=api_key:0").await.status, 400);
    let secrets = app.get("/v1/secrets").await.expect(200);
    let shown = &secrets["items"][0];
    assert_eq!((&shown["version"], &shown["last_used_at"]), (&json!(2), &json!("2026-11-21T09:00:00.000Z")));
    assert_eq!(shown["uses"], json!([{"case_type": "test", "field": "check", "connection": null}]));
    assert_eq!(secrets["items"][1]["last_used_at"], json!(null));
}
