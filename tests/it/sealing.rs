//! A begun run stands for one request: what changes in between gets a run and a key of its own.

use serde_json::{Value, json};

use crate::app::{TestApp, secs};
use crate::process::{Launch, Process, TOKEN};
use crate::upstream::{Call, Reply, Upstream, client, ok, status};

const BODY: &str = "{data.a}";

/// A field that posts `a`, or what `config` says.
async fn posting(replies: impl IntoIterator<Item = Reply>, field: Value, config: Value) -> TestApp {
    let app = TestApp::spawn().await;
    app.upstream.answers(replies).await;
    let mut all = json!({"method": "POST", "body": {"a": BODY}});
    for (name, value) in config.as_object().unwrap() {
        all[name] = value.clone();
    }
    app.define_one("/check", field, all).await;
    app
}

/// A case whose first attempt has failed.
async fn begun(app: &TestApp, data: Value) -> String {
    let id = app.create(data).await;
    app.drain().await;
    app.move_clock(milliseconds(1));
    let state = app.case(&id).await["fields"]["check"].clone();
    assert_eq!(state["waiting_for"], "retry", "{state}");
    id
}

/// So that what follows is newer than what was before.
fn milliseconds(count: u64) -> std::time::Duration {
    std::time::Duration::from_millis(count)
}

async fn edit(app: &TestApp, id: &str, data: Value) {
    app.patch(&format!("/v1/cases/{id}"), &json!({"data": data})).await.expect(200);
}

fn keys(calls: &[Call]) -> Vec<&str> {
    calls.iter().map(|call| call.header("idempotency-key").unwrap()).collect()
}

fn bodies(calls: &[Call]) -> Vec<Value> {
    calls.iter().map(Call::json).collect()
}

#[track_caller]
fn assert_superseded(run: &Value) {
    assert_eq!((&run["status"], &run["reason"]), (&json!("cancelled"), &json!("superseded")), "{run}");
    assert_eq!(run["error"]["code"], "cancelled", "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_between_a_failed_post_and_its_retry_makes_a_new_run_with_a_new_key() {
    let app = posting([status(503), ok(json!({"value": "new"}))], json!({}), json!({})).await;
    let id = begun(&app, json!({"a": 1})).await;
    edit(&app, &id, json!({"a": 2})).await;
    app.advance(secs(60)).await;
    let calls = app.upstream.calls();
    assert_eq!(bodies(&calls), [json!({"a": 1}), json!({"a": 2})]);
    let keys = keys(&calls);
    assert_ne!(keys[0], keys[1]);
    let runs = app.runs(&id).await;
    assert_eq!(runs.len(), 2);
    assert_superseded(&runs[1]);
    assert_eq!(runs[1]["attempts"].as_array().unwrap().len(), 1);
    assert_eq!((runs[1]["idempotency_key"].as_str(), runs[1]["attempt"].as_u64()), (Some(keys[0]), Some(1)));
    assert_eq!((runs[0]["id"].as_str(), runs[0]["idempotency_key"].as_str()), (Some(keys[1]), Some(keys[1])));
    assert_eq!(runs[0]["trigger"], "on_create");
    assert_eq!(runs[0]["attempt"], 1);
    let case = app.case(&id).await;
    assert_eq!(case["data"]["value"], "new");
    let state = &case["fields"]["check"];
    assert_eq!((&state["status"], &state["error"]), (&json!("succeeded"), &Value::Null), "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superseded_run_changes_nothing_that_the_field_shows_while_the_new_one_waits() {
    let app = posting([ok(json!({"value": "good"})), status(503)], json!({}), json!({})).await;
    app.upstream.otherwise(ok(json!({"value": "new"})).held());
    let case = app.filled(json!({"a": 1})).await;
    let id = case["id"].as_str().unwrap();
    app.move_clock(milliseconds(1));
    app.post(&format!("/v1/cases/{id}/fields/check/refresh"), &json!({})).await.expect(202);
    app.drain().await;
    edit(&app, id, json!({"a": 2})).await;
    app.move_clock(secs(60));
    app.upstream.wait_for_calls(3).await;
    let runs = app.runs(id).await;
    assert_superseded(&runs[1]);
    let case = app.case(id).await;
    let state = &case["fields"]["check"];
    assert_eq!((&state["status"], &state["run_id"]), (&json!("running"), &runs[0]["id"]), "{state}");
    assert_eq!((&state["error"], &case["data"]["value"]), (&Value::Null, &json!("good")), "{state}");
    app.upstream.release();
    app.drain().await;
    assert_eq!(app.case(id).await["data"]["value"], "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_the_request_does_not_see_keeps_run_key_and_body() {
    let replies = [status(503), Reply::reset(), ok(json!({"value": 1}))];
    let config = json!({"body": {"a": BODY, "at": "{now}", "unix": "{now_unix}", "try": "{run.attempt}"}});
    let app = posting(replies, json!({}), config).await;
    let id = begun(&app, json!({"a": 1})).await;
    edit(&app, &id, json!({"b": 2})).await;
    app.advance(secs(60)).await;
    app.advance(secs(60)).await;
    let calls = app.upstream.calls();
    let unix = bodies(&calls)[0]["unix"].clone();
    let body = |attempt| json!({"a": 1, "at": "2026-11-21T09:00:00.000Z", "unix": unix, "try": attempt});
    assert_eq!(bodies(&calls), [body(1), body(2), body(3)]);
    let keys = keys(&calls);
    assert!(keys.iter().all(|key| key == &keys[0]), "{keys:?}");
    let runs = app.runs(&id).await;
    assert_eq!((runs.len(), &runs[0]["status"]), (1, &json!("succeeded")), "{runs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_secret_is_sent_under_the_same_key() {
    let app = TestApp::spawn().await;
    app.upstream.answers([status(503), ok(json!({"value": 1}))]).await;
    let hosts = json!([app.upstream.authority()]);
    let put = async |name: &str, value: &str| {
        let body = json!({"value": value, "hosts": hosts});
        assert!(app.put(&format!("/v1/secrets/{name}"), &body).await.status < 300);
    };
    // The filter does not take the secret's name for a date: the value itself must stay out.
    for (name, value) in [("token", "first-token"), ("pin", "first-pin-1"), ("day", "2026-11-21")] {
        put(name, value).await;
    }
    let config = json!({
        "method": "POST", "auth": {"type": "bearer", "token": "{secret.token}"}, "headers": {"X-Pin": "{secret.pin}"},
        "body": {"a": BODY, "try": "{run.attempt}", "day": "{{ secret.day | date_format('%Y-%m-%d') }}"},
    });
    app.define_one("/check", json!({}), config).await;
    let id = begun(&app, json!({"a": 1})).await;
    for (name, value) in [("token", "other-token"), ("pin", "other-pin-1"), ("day", "2027-01-31")] {
        put(name, value).await;
    }
    app.advance(secs(60)).await;
    let calls = app.upstream.calls();
    let sent = |name| calls.iter().map(|call| call.header(name).unwrap()).collect::<Vec<_>>();
    assert_eq!(sent("authorization"), ["Bearer first-token", "Bearer other-token"]);
    assert_eq!(sent("x-pin"), ["first-pin-1", "other-pin-1"]);
    assert_eq!(bodies(&calls)[1], json!({"a": 1, "try": 2, "day": "2027-01-31"}));
    let keys = keys(&calls);
    assert_eq!(keys[0], keys[1]);
    assert_eq!(app.runs(&id).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_secret_in_the_request_an_edit_still_makes_a_new_run() {
    let app = TestApp::spawn().await;
    app.upstream.answers([status(503), ok(json!({"value": 1}))]).await;
    let body = json!({"value": "a-pin-of-ours", "hosts": [app.upstream.authority()]});
    app.put("/v1/secrets/pin", &body).await.expect(201);
    let config = json!({"method": "POST", "body": {"a": BODY, "pin": "{secret.pin}"}});
    app.define_one("/check", json!({}), config).await;
    let id = begun(&app, json!({"a": 1})).await;
    edit(&app, &id, json!({"a": 2})).await;
    app.advance(secs(60)).await;
    let calls = app.upstream.calls();
    assert_eq!(bodies(&calls)[1]["a"], 2);
    assert_ne!(keys(&calls)[0], keys(&calls)[1]);
    assert_superseded(&app.runs(&id).await[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_gives_way_to_the_run_behind_it_without_a_call() {
    let app = TestApp::spawn().await;
    app.upstream.answers([status(503), ok(json!({"value": 1}))]).await;
    let params = json!({"params": {"q": "{{ input.q | default('none') }}"}});
    app.define_one("/check", json!({}), params).await;
    let id = begun(&app, json!({})).await;
    let refresh = json!({"input": {"q": "asked"}});
    app.post(&format!("/v1/cases/{id}/fields/check/refresh"), &refresh).await.expect(202);
    app.drain().await;
    let calls = app.upstream.calls();
    let queries: Vec<_> = calls.iter().map(|call| call.query("q").unwrap()).collect();
    assert_eq!(queries, ["none", "asked"]);
    let runs = app.runs(&id).await;
    assert_eq!(runs.len(), 2);
    assert_superseded(&runs[1]);
    assert_eq!((&runs[1]["attempt"], &runs[0]["status"]), (&json!(1), &json!("succeeded")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_whose_values_changed_gives_way_to_a_new_run() {
    let app = TestApp::spawn().await;
    app.upstream.answers([status(503), ok(json!({"value": 1}))]).await;
    app.define_one("/check/{data.a}", json!({}), json!({})).await;
    let id = begun(&app, json!({"a": 1})).await;
    edit(&app, &id, json!({"a": 2})).await;
    app.advance(secs(60)).await;
    let paths: Vec<_> = app.upstream.calls().iter().map(|call| call.path.clone()).collect();
    assert_eq!(paths, ["/check/1", "/check/2"]);
    assert_superseded(&app.runs(&id).await[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_with_an_unchanged_request_is_repeated_before_the_run_behind_it() {
    let config = json!({"body": {"a": BODY, "q": "{{ input.q | default('none') }}"}});
    let replies = [status(503), ok(json!({"value": "old"})), ok(json!({"value": "new"}))];
    let app = posting(replies, json!({}), config).await;
    let id = begun(&app, json!({"a": 1})).await;
    let refresh = json!({"input": {"q": "asked"}});
    app.post(&format!("/v1/cases/{id}/fields/check/refresh"), &refresh).await.expect(202);
    app.drain().await;
    let calls = app.upstream.calls();
    let asked: Vec<_> = bodies(&calls).iter().map(|body| body["q"].clone()).collect();
    assert_eq!(asked, ["none", "none", "asked"]);
    let keys = keys(&calls);
    assert!(keys[0] == keys[1] && keys[1] != keys[2], "{keys:?}");
    assert_eq!(app.case(&id).await["data"]["value"], "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn input_stays_with_its_run_and_goes_on_with_the_one_that_takes_its_place() {
    let config = json!({"body": {"a": BODY, "q": "{input.q}"}});
    let replies = [status(503), status(503), ok(json!({"value": 1}))];
    let app = posting(replies, json!({"trigger": "manual"}), config).await;
    let id = app.create(json!({"a": 1})).await;
    let refresh = json!({"input": {"q": "asked"}, "force": true, "overwrite": true});
    app.post(&format!("/v1/cases/{id}/fields/check/refresh"), &refresh).await.expect(202);
    app.drain().await;
    app.advance(secs(60)).await;
    edit(&app, &id, json!({"a": 2})).await;
    app.advance(secs(60)).await;
    let bodies = bodies(&app.upstream.calls());
    assert_eq!(bodies.iter().map(|body| body["a"].clone()).collect::<Vec<_>>(), [1, 1, 2]);
    assert!(bodies.iter().all(|body| body["q"] == "asked"), "{bodies:?}");
    let runs = app.runs(&id).await;
    assert_superseded(&runs[1]);
    for member in ["trigger", "input", "force", "overwrite", "priority"] {
        assert_eq!(runs[0][member], runs[1][member], "{member}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_the_place_of_a_run_joins_the_one_that_waits_and_leaves_it_its_input() {
    let config = json!({"body": {"a": BODY, "q": "{input.q}"}});
    let app = posting([status(503), ok(json!({"value": 1}))], json!({"trigger": "manual"}), config).await;
    let id = app.create(json!({"a": 1})).await;
    let path = format!("/v1/cases/{id}/fields/check/refresh");
    app.post(&path, &json!({"input": {"q": "first"}, "force": true})).await.expect(202);
    app.drain().await;
    app.move_clock(milliseconds(1));
    edit(&app, &id, json!({"a": 2})).await;
    app.post(&path, &json!({"input": {"q": "second"}})).await.expect(202);
    app.drain().await;
    let bodies = bodies(&app.upstream.calls());
    assert_eq!(bodies, [json!({"a": 1, "q": "first"}), json!({"a": 2, "q": "second"})]);
    let runs = app.runs(&id).await;
    assert_eq!(runs.len(), 2);
    assert_superseded(&runs[1]);
    assert_eq!(runs[0]["force"], true);
    let by = format!("run:{}", runs[1]["id"].as_str().unwrap());
    assert_eq!(runs[0]["joined"][0]["by"], by, "{}", runs[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_is_not_wanted_any_more_is_skipped_as_a_run_of_its_own() {
    let app = posting([status(503)], json!({"when": "data.go"}), json!({})).await;
    let id = begun(&app, json!({"a": 1, "go": true})).await;
    edit(&app, &id, json!({"go": false})).await;
    app.advance(secs(60)).await;
    let runs = app.runs(&id).await;
    assert_superseded(&runs[1]);
    assert_eq!((&runs[0]["status"], &runs[0]["reason"]), (&json!("skipped"), &json!("condition")));
    let state = app.case(&id).await["fields"]["check"].clone();
    assert_eq!((&state["status"], &state["reason"]), (&json!("skipped"), &json!("condition")), "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_on_the_attempt_ends_the_run_and_starts_no_other() {
    let app = posting([status(503)], json!({"when": "run.attempt < 2"}), json!({})).await;
    let id = begun(&app, json!({"a": 1})).await;
    app.advance(secs(60)).await;
    let runs = app.runs(&id).await;
    assert_eq!((runs.len(), &runs[0]["status"]), (1, &json!("skipped")), "{runs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_run_that_takes_the_place_takes_the_current_version() {
    let app = posting([status(503), status(503), ok(json!({"value": 1}))], json!({}), json!({})).await;
    let id = begun(&app, json!({"a": 1})).await;
    let renamed = json!({"method": "POST", "body": {"b": BODY}});
    app.define_one("/check", json!({}), renamed).await;
    app.advance(secs(60)).await;
    edit(&app, &id, json!({"a": 2})).await;
    app.advance(secs(60)).await;
    assert_eq!(bodies(&app.upstream.calls()), [json!({"a": 1}), json!({"a": 1}), json!({"b": 2})]);
    let versions: Vec<_> = app.runs(&id).await.iter().map(|run| run["case_type_version"].clone()).collect();
    assert_eq!(versions, [2, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_answer_stands_until_the_new_run_has_its_own() {
    let replies = [ok(json!({"value": "old"})).held(), ok(json!({"value": "new"})).held()];
    let app = posting(replies, json!({}), json!({})).await;
    let id = app.create(json!({"a": 1})).await;
    app.upstream.wait_for_calls(1).await;
    edit(&app, &id, json!({"a": 2})).await;
    let behind = app.post(&format!("/v1/cases/{id}/fields/check/refresh"), &json!({})).await.expect(202);
    assert_eq!(behind["waiting_for"], "predecessor", "{behind}");
    app.upstream.release();
    app.upstream.wait_for_calls(2).await;
    assert_eq!(app.case(&id).await["data"]["value"], "old");
    app.upstream.release();
    app.drain().await;
    assert_eq!(app.case(&id).await["data"]["value"], "new");
    let calls = app.upstream.calls();
    assert_eq!(bodies(&calls), [json!({"a": 1}), json!({"a": 2})]);
    assert_ne!(keys(&calls)[0], keys(&calls)[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polite_stop_leaves_what_was_sent_in_the_history() {
    let mut app = posting([], json!({}), json!({})).await;
    app.upstream.otherwise(ok(json!({"value": 1})).held());
    let id = app.create(json!({"a": 1})).await;
    app.upstream.wait_for_calls(1).await;
    app.restart().await;
    app.upstream.wait_for_calls(2).await;
    app.upstream.release();
    app.drain().await;
    let run = app.runs(&id).await.remove(0);
    assert_eq!(run["status"], "succeeded", "{run}");
    assert_eq!((&run["attempt"], &run["attempts_max"]), (&json!(2), &json!(5)), "{run}");
    let attempt = &run["attempts"][0];
    assert_eq!(attempt["outcome"], "unknown", "{run}");
    assert_eq!(attempt["request"]["body"], r#"{"a":1}"#, "{attempt}");
    assert!(attempt["phases"]["total_ms"].is_u64(), "{attempt}");
    assert_eq!(run["attempts"][1]["outcome"], "ok");
    let calls = app.upstream.calls();
    assert_eq!(keys(&calls)[0], keys(&calls)[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_polite_stop_an_edit_makes_a_new_run() {
    let mut app = posting([], json!({"retry": 0}), json!({})).await;
    app.upstream.otherwise_with(|call| {
        let reply = ok(json!({"value": "new"}));
        if call.json()["a"] == 1 { reply.held() } else { reply }
    });
    let id = app.create(json!({"a": 1})).await;
    app.upstream.wait_for_calls(1).await;
    app.move_clock(milliseconds(1));
    edit(&app, &id, json!({"a": 2})).await;
    app.restart().await;
    app.drain().await;
    let calls = app.upstream.calls();
    assert_eq!(bodies(&calls), [json!({"a": 1}), json!({"a": 2})]);
    assert_ne!(keys(&calls)[0], keys(&calls)[1]);
    let runs = app.runs(&id).await;
    assert_superseded(&runs[1]);
    assert_eq!(runs[0]["status"], "succeeded", "{}", runs[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_during_a_post_and_an_edit_never_mix_key_and_body() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    upstream.otherwise(ok(json!({"value": "old"})).held());
    let http = client();
    let case_type = json!({"key": "test", "fields": [{
        "key": "check", "type": "api_call", "timeout": 60000,
        "api_config": {
            "url": upstream.url("/check"), "method": "POST", "body": {"a": BODY},
            "response_mapping": {"value": "$.value"},
        },
    }]});
    let process = Process::serve(folder.path(), &upstream.authority()).await;
    process.call(&http, "PUT", "/v1/case-types/test", Some(&case_type)).await;
    let mut ids = Vec::new();
    for a in [1, 2] {
        let body = json!({"case_type": "test", "data": {"a": a}});
        let (status, case) = process.call(&http, "POST", "/v1/cases", Some(&body)).await;
        assert_eq!(status, 201, "{case}");
        ids.push(case["id"].as_str().unwrap().to_owned());
    }
    let before = upstream.wait_for_calls(2).await;
    process.kill();

    let revived = Upstream::start_on(upstream.address());
    drop(upstream);
    let upstream = revived.await;
    upstream.otherwise(ok(json!({"value": "new"})));
    // One that makes no calls, so that the edit comes before anything is sent again.
    let quiet = Launch::serve(folder.path()).with("WORKERS__CONCURRENCY", "0").start().await;
    let path = format!("/v1/cases/{}", ids[0]);
    let (status, case) = quiet.call(&http, "PATCH", &path, Some(&json!({"data": {"a": 7}}))).await;
    assert_eq!((status, &case["fields"]["check"]["status"]), (200, &json!("queued")), "{case}");
    quiet.kill();
    let process = Process::serve(folder.path(), &upstream.authority()).await;
    for id in &ids {
        let request = http.get(format!("{}/v1/cases/{id}", process.base)).bearer_auth(TOKEN);
        let case: Value = request.header("Prefer", "wait=30").send().await.unwrap().json().await.unwrap();
        assert_eq!((&case["settled"], &case["data"]["value"]), (&json!(true), &json!("new")), "{case}");
    }
    let after = upstream.calls();
    let key = |calls: &[Call], a: u64| {
        let call = calls.iter().find(|call| call.json()["a"] == a);
        call.map(|call| call.header("idempotency-key").unwrap().to_owned())
    };
    assert_eq!(after.len(), 2);
    assert_eq!(key(&after, 2), key(&before, 2), "the unchanged one keeps its key");
    assert_eq!(key(&after, 1), None, "the old values went out again");
    assert!(key(&after, 7).is_some() && key(&after, 7) != key(&before, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_run_that_the_edit_fired_takes_the_place_of_a_failed_post() {
    let replies = [status(503), ok(json!({"value": "new"}))];
    let field = json!({"trigger": ["on_create", "on_update"]});
    let app = posting(replies, field, json!({})).await;
    let id = begun(&app, json!({"a": 1})).await;
    edit(&app, &id, json!({"a": 2})).await;
    edit(&app, &id, json!({"a": 3})).await;
    app.drain().await;
    assert_eq!(app.upstream.calls().len(), 1, "what the edits fired waits behind the retry");
    app.advance(secs(60)).await;
    let calls = app.upstream.calls();
    assert_eq!(bodies(&calls), [json!({"a": 1}), json!({"a": 3})]);
    assert_ne!(keys(&calls)[0], keys(&calls)[1]);
    let runs = app.runs(&id).await;
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert_superseded(&runs[1]);
    assert_eq!((&runs[0]["status"], &runs[0]["trigger"]), (&json!("succeeded"), &json!("on_update")));
    let joined: Vec<_> =
        runs[0]["joined"].as_array().unwrap().iter().map(|one| one["trigger"].clone()).collect();
    assert_eq!(joined, ["on_update", "on_create"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_the_old_values_is_written_before_that_to_the_new_ones() {
    let replies = [ok(json!({"value": "old"})).held(), ok(json!({"value": "new"})).held()];
    let app = posting(replies, json!({"trigger": ["on_create", "on_update"]}), json!({})).await;
    let id = app.create(json!({"a": 1})).await;
    app.upstream.wait_for_calls(1).await;
    edit(&app, &id, json!({"a": 2})).await;
    app.upstream.release();
    app.upstream.wait_for_calls(2).await;
    let case = app.case(&id).await;
    let state = &case["fields"]["check"];
    assert_eq!(case["data"]["value"], "old");
    assert_eq!((&state["inputs_changed"], &state["stale"]), (&json!(true), &json!(true)), "{state}");
    app.upstream.release();
    app.drain().await;
    let case = app.case(&id).await;
    assert_eq!((&case["data"]["value"], &case["fields"]["check"]["stale"]), (&json!("new"), &json!(false)));
    assert_ne!(keys(&app.upstream.calls())[0], keys(&app.upstream.calls())[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_asks_for_what_the_field_shows_and_not_for_the_run_behind() {
    let app = posting([status(503)], json!({"trigger": ["on_create", "on_update"]}), json!({})).await;
    let id = begun(&app, json!({"a": 1})).await;
    edit(&app, &id, json!({"a": 2})).await;
    assert_eq!(app.runs(&id).await.len(), 2, "one waits behind the other");
    assert_eq!(app.case(&id).await["fields"]["check"]["waiting_for"], "retry");
    for (word, found) in [("queued:retry", 1), ("queued:worker", 0), ("queued", 1)] {
        let page = app.get(&format!("/v1/cases?field.check={word}")).await.expect(200);
        assert_eq!(page["items"].as_array().unwrap().len(), found, "{word}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_by_a_field_that_no_type_has_is_empty() {
    let app = posting([ok(json!({"value": 1}))], json!({}), json!({})).await;
    app.filled(json!({"a": 1})).await;
    for word in [
        "never_run",
        "running",
        "disabled",
        "cached",
        "stale",
        "queued",
        "queued:retry",
        "succeeded",
        "skipped:missing_input",
        "failed:timeout",
    ] {
        let page = app.get(&format!("/v1/cases?count=true&field.nobody={word}")).await.expect(200);
        assert_eq!((&page["items"], &page["total"]), (&json!([]), &json!(0)), "{word}: {page}");
    }
    // Nor has any type this one switched off.
    let page = app.get("/v1/cases?field.check=disabled").await.expect(200);
    assert_eq!(page["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_set_each_other_off_come_to_an_end() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise_with(|call| {
        let n: u64 = call.query("n").unwrap().parse().unwrap();
        ok(json!({"value": n + 1}))
    });
    let field = |key: &str, reads: &str, writes: &str| {
        let config =
            json!({"params": {"n": format!("{{data.{reads}}}")}, "response_mapping": {writes: "$.value"}});
        app.field("/check", json!({"key": key, "trigger": ["on_create", "on_update"]}), config)
    };
    app.define(json!([field("ping", "a", "b"), field("pong", "b", "a")])).await;
    let id = app.create(json!({"a": 1})).await;
    app.drain().await;
    // One call at creation, and eight more steps of the chain.
    assert_eq!(app.upstream.calls().len(), 9);
    let runs = app.runs(&id).await;
    let last = runs.iter().find(|run| run["chain"]["depth"] == 9).unwrap();
    assert_eq!(
        (&last["status"], &last["error"]["code"]),
        (&json!("failed"), &json!("chain_too_deep")),
        "{last}"
    );
    assert_eq!(last["attempts"], json!([]));
    assert_eq!(app.case(&id).await["data"]["b"], 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_by_hand_keeps_the_key_only_with_the_same_request() {
    let config = json!({"body": {"a": BODY, "key": "{workflow_run_id}"}});
    let replies = [Reply::reset(), Reply::reset(), ok(json!({"value": 1}))];
    let app = posting(replies, json!({"retry": 0}), config).await;
    let id = app.create(json!({"a": 1})).await;
    app.drain().await;
    for (a, runs) in [(1, 2), (2, 3)] {
        app.move_clock(milliseconds(1));
        edit(&app, &id, json!({"a": a})).await;
        let last = app.runs(&id).await.remove(0);
        assert_eq!(last["attempts"][0]["outcome"], "unknown", "{last}");
        let path = format!("/v1/runs/{}/retry", last["id"].as_str().unwrap());
        app.post(&path, &json!({})).await.expect(202);
        app.drain().await;
        assert_eq!(app.runs(&id).await.len(), runs);
    }
    let calls = app.upstream.calls();
    let keys = keys(&calls);
    assert!(keys[0] == keys[1] && keys[1] != keys[2], "{keys:?}");
    let body = |a: u64, key: &str| json!({"a": a, "key": key});
    assert_eq!(bodies(&calls), [body(1, keys[0]), body(1, keys[0]), body(2, keys[2])]);
    let run = app.runs(&id).await.remove(0);
    assert_eq!((&run["id"], &run["idempotency_key"]), (&json!(keys[2]), &json!(keys[2])), "{run}");
    assert_eq!(run["status"], "succeeded");
}
