//! The life of a case type: its versions, and edits while runs wait for them.

use serde_json::{Value, json};

use crate::app::{TestApp, secs};
use crate::upstream::{ok, status};

/// Keeps the field `check` of a case busy: its first call is held.
async fn held(app: &TestApp, fields: Value) -> String {
    app.define(fields).await;
    let id = app.create(json!({"vat": "1"})).await;
    app.upstream.wait_for_calls(1).await;
    id
}

async fn queue(app: &TestApp, case: &str, field: &str) -> Value {
    app.post(&format!("/v1/cases/{case}/fields/{field}/refresh"), &json!({})).await.expect(202)
}

async fn run(app: &TestApp, run: &Value) -> Value {
    app.get(&format!("/v1/runs/{}", run["id"].as_str().unwrap())).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_is_listed_as_it_was_saved() {
    let app = TestApp::spawn().await;
    let auth = |token: &str| json!({"auth": {"type": "bearer", "token": token}});
    app.define_one("/v1", json!({}), auth("typed-credential")).await;
    app.define_one("/v2", json!({}), auth("[hidden]")).await;
    app.define_one("/v2", json!({}), auth("[hidden]")).await;
    app.define_one("/v3", json!({}), auth("[hidden]")).await;
    let list = app.get("/v1/case-types/test/versions?count=true").await.expect(200);
    assert_eq!(list["total"], 3, "what was saved unchanged is no version");
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.iter().map(|item| item["version"].clone()).collect::<Vec<_>>(), [3, 2, 1]);
    for (item, path) in items.iter().zip(["/v3", "/v2", "/v1"]) {
        assert_eq!(item["fields"][0]["api_config"]["url"], app.upstream.url(path));
        assert_eq!(item["fields"][0]["trigger"], json!(["on_create"]), "the normal form");
        assert_eq!(item["created_at"], "2026-11-21T09:00:00.000Z");
        assert!(item["created_by"].as_str().unwrap().starts_with("token:"), "{item}");
        assert!(item.get("warnings").is_none() && item.get("updated_at").is_none());
    }
    assert_eq!(items[2]["fields"][0]["api_config"]["auth"]["token"], "[hidden]");

    let first = app.get("/v1/case-types/test/versions?limit=2").await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = app.get(&format!("/v1/case-types/test/versions?limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!((&rest["items"][0]["version"], &rest["next_cursor"]), (&json!(1), &Value::Null));

    let again = app.put("/v1/case-types/test", &items[1]).await.expect(200);
    assert_eq!(again["version"], 4, "an old version can be written back");
    assert_eq!(again["fields"], items[1]["fields"]);
    assert_eq!(app.get("/v1/case-types/other/versions").await.status, 404);
    assert_eq!(app.get("/v1/case-types/test/versions?sort=x").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_wait_end_when_their_field_is_removed_renamed_or_no_call_any_more() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": "old"})).held());
    let field =
        |key: &str| app.field("/check", json!({"key": key}), json!({"response_mapping": {key: "$.value"}}));
    for after in [json!([]), json!([field("renamed")]), json!([{"key": "check", "type": "text"}])] {
        let calls = app.upstream.calls().len();
        app.define(json!([field("check")])).await;
        let id = app.create(json!({"note": "kept"})).await;
        app.upstream.wait_for_calls(calls + 1).await;
        let waiting = queue(&app, &id, "check").await;
        assert_eq!(waiting["waiting_for"], "predecessor");
        let before = app.case(&id).await;
        app.move_clock(secs(1));
        app.define(after.clone()).await;

        let ended = run(&app, &waiting).await;
        assert_eq!(
            (&ended["status"], &ended["reason"]),
            (&json!("cancelled"), &json!("field_removed")),
            "{ended}"
        );
        assert_eq!(ended["error"]["code"], "cancelled");
        assert!(ended["error"]["message"].as_str().unwrap().contains("taken out"), "{ended}");
        assert!(
            ended["ended_at"].is_string() && ended["due_at"].is_null() && ended["attempt"] == 0,
            "{ended}"
        );
        let case = app.case(&id).await;
        assert_eq!(case["revision"].as_i64().unwrap(), before["revision"].as_i64().unwrap() + 1);
        assert_eq!(case["settled"], false, "the begun run goes on");
        app.upstream.release();
        app.drain().await;
        let case = app.case(&id).await;
        assert_eq!(case["settled"], true);
        assert_eq!(
            case["data"],
            json!({"note": "kept", "check": "old"}),
            "it wrote by the version that it keeps"
        );
        if after[0]["key"] == "renamed" {
            assert_eq!(case["fields"]["renamed"]["status"], "never_run", "on_create does not fire later");
        }
        assert!(case["fields"].get("check").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_switched_off_and_on_again_shows_what_it_showed() {
    let app = TestApp::spawn().await;
    app.upstream.answers([ok(json!({"value": 1})), ok(json!({"value": 2})).held()]).await;
    let field = |enabled: bool| json!([app.field("/check", json!({"enabled": enabled}), json!({}))]);
    app.define(field(true)).await;
    let id = app.filled(json!({})).await["id"].as_str().unwrap().to_owned();
    let running = queue(&app, &id, "check").await;
    app.upstream.wait_for_calls(2).await;
    let waiting = queue(&app, &id, "check").await;
    app.define(field(false)).await;

    let ended = run(&app, &waiting).await;
    assert_eq!((&ended["status"], &ended["reason"]), (&json!("cancelled"), &json!("disabled")), "{ended}");
    assert!(ended["error"]["message"].as_str().unwrap().contains("switched off"), "{ended}");
    assert_eq!(app.case(&id).await["fields"]["check"]["status"], "disabled");
    let refused = app.post(&format!("/v1/runs/{}/retry", ended["id"].as_str().unwrap()), &json!({})).await;
    assert_eq!((refused.status, refused.code()), (409, "field_disabled"));
    app.upstream.release();
    app.drain().await;
    assert_eq!(run(&app, &running).await["status"], "succeeded");

    app.define(field(true)).await;
    let case = app.case(&id).await;
    assert_eq!(case["fields"]["check"]["status"], "succeeded");
    assert_eq!(case["data"]["value"], 2);
    assert_eq!(app.upstream.calls().len(), 2, "switching it on fires nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_run_is_told_when_an_edit_ends_it() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": 1})).held());
    let id = held(&app, json!([app.field("/check", json!({}), json!({}))])).await;
    let path = format!("/v1/cases/{id}/fields/check/refresh");
    let request = app.request("POST", &path).header("Prefer", "wait=30");
    // The clock stands, so only the edit can end the wait.
    let edit = async {
        while app.runs(&id).await.len() < 2 {
            tokio::task::yield_now().await;
        }
        app.define(json!([])).await;
    };
    let (waited, ()) = tokio::join!(app.send(request), edit);
    let waited = waited.expect(200);
    assert_eq!((&waited["status"], &waited["reason"]), (&json!("cancelled"), &json!("field_removed")));
    app.upstream.release();
    app.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_keeps_its_version_and_what_has_not_begun_takes_the_new_one() {
    let app = TestApp::spawn().await;
    let field = |path: &str, target: &str, retry: u32| {
        let config = json!({"response_mapping": {target: "$.value"}, "method": "POST", "body": {"a": 1}});
        json!([app.field(path, json!({"retry": retry}), config)])
    };
    app.upstream.answers([status(503), ok(json!({"value": "by one"})), ok(json!({"value": "by two"}))]).await;
    app.define(field("/one", "one", 2)).await;
    let id = app.create(json!({})).await;
    app.drain().await;
    // Ids grow with the time, and the history is listed by id.
    app.move_clock(secs(1) / 100);
    let input = json!({"input": {"n": 1}});
    let behind = app.post(&format!("/v1/cases/{id}/fields/check/refresh"), &input).await.expect(202);
    assert_eq!((&behind["attempts_max"], &behind["case_type_version"]), (&json!(3), &json!(1)));
    app.define(field("/two", "two", 5)).await;
    assert_eq!(run(&app, &behind).await["attempts_max"], 6, "it will take the new version");
    app.advance(secs(60)).await;

    let runs = app.runs(&id).await;
    let facts =
        |run: &Value| (run["status"].clone(), run["case_type_version"].clone(), run["attempts_max"].clone());
    assert_eq!(facts(&runs[1]), (json!("succeeded"), json!(1), json!(3)), "{}", runs[1]);
    assert_eq!(facts(&runs[0]), (json!("succeeded"), json!(2), json!(6)), "{}", runs[0]);
    assert_eq!(app.case(&id).await["data"], json!({"one": "by one", "two": "by two"}));
    let paths: Vec<_> = app.upstream.calls().iter().map(|call| call.path.clone()).collect();
    assert_eq!(paths, ["/one", "/one", "/two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_case_drops_the_answer_in_flight_and_leaves_empty_runs() {
    let app = TestApp::spawn().await;
    app.upstream.answers([ok(json!({"value": "seen"})), ok(json!({"value": "late"})).held()]).await;
    app.define_one("/check", json!({}), json!({"params": {"q": "{{ input.q | default('') }}"}})).await;
    let id = app.filled(json!({"private": "x"})).await["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/cases/{id}/fields/check/refresh");
    app.move_clock(secs(1));
    app.post(&path, &json!({"input": {"q": "private"}})).await.expect(202);
    app.upstream.wait_for_calls(2).await;
    app.move_clock(secs(1));
    app.post(&path, &json!({"input": {"q": "private"}, "overwrite": true})).await.expect(202);
    app.post(&path, &json!({})).await.expect(202);
    assert_eq!(app.delete(&format!("/v1/cases/{id}")).await.status, 204);
    app.upstream.release();
    app.advance(secs(5)).await;

    assert_eq!(app.get(&format!("/v1/cases/{id}")).await.status, 404);
    let runs = app.runs(&id).await;
    assert_eq!(runs.len(), 3);
    for run in &runs {
        for empty in ["missing", "joined", "written", "kept_manual", "attempts"] {
            assert_eq!(run[empty], json!([]), "{empty} {run}");
        }
        assert!(run["input"].is_null(), "{run}");
    }
    let facts = |run: &Value| (run["status"].clone(), run["reason"].clone(), run["error"]["code"].clone());
    let cancelled = (json!("cancelled"), json!("case_deleted"), json!("cancelled"));
    assert_eq!((facts(&runs[0]), facts(&runs[1])), (cancelled.clone(), cancelled));
    assert_eq!(facts(&runs[2]), (json!("succeeded"), Value::Null, Value::Null));
    let retry = app.post(&format!("/v1/runs/{}/retry", runs[2]["id"].as_str().unwrap()), &json!({})).await;
    assert_eq!((retry.status, retry.code()), (404, "not_found"));
    assert_eq!(app.upstream.calls().len(), 2, "the run that waited was never sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_use_as_long_as_a_run_under_way_may_send_it() {
    let app = TestApp::spawn().await;
    app.upstream.answers([status(503), ok(json!({"value": 1}))]).await;
    let secret = json!({"value": "long-enough-value", "hosts": [app.upstream.authority()]});
    app.put("/v1/secrets/token", &secret).await.expect(201);
    let auth = json!({"auth": {"type": "bearer", "token": "{secret.token}"}});
    app.define_one("/check", json!({}), auth).await;
    let in_use = async || {
        let answer = app.delete("/v1/secrets/token").await;
        (answer.status, answer.code().to_owned(), answer.body["users"].clone())
    };
    assert_eq!(in_use().await, (409, "in_use".to_owned(), json!(["test"])));
    let id = app.create(json!({})).await;
    app.drain().await;
    let used = app.delete("/v1/case-types/test").await;
    assert_eq!((used.status, used.code(), &used.body["users"]), (409, "in_use", &json!(["1 case"])));
    app.define_one("/check", json!({}), json!({})).await;
    let listed = app.get("/v1/secrets").await.expect(200);
    assert_eq!(listed["items"][0]["used_by"], json!([]), "the current version does not use it");
    let answer = app.delete("/v1/secrets/token").await;
    assert_eq!((answer.status, &answer.body["users"]), (409, &json!(["test"])), "{}", answer.body);
    assert!(answer.body["detail"].as_str().unwrap().contains("runs"), "{}", answer.body);
    app.advance(secs(60)).await;
    assert_eq!(app.case(&id).await["data"]["value"], 1, "the retry had its credential");
    assert_eq!(app.delete("/v1/secrets/token").await.status, 204);
}
