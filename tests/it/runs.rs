//! Runs by hand (repeat, cancel), the history as it is listed, and what goes when it is old.

use serde_json::{Value, json};

use crate::app::{TestApp, secs};
use crate::upstream::{Reply, client, ok, status};

const DAY: u64 = 24 * 60 * 60;

fn id(of: &Value) -> &str {
    of["id"].as_str().unwrap()
}

async fn retry(app: &TestApp, run: &Value, body: &Value) -> crate::app::Answer {
    app.post(&format!("/v1/runs/{}/retry", id(run)), body).await
}

async fn cancel(app: &TestApp, run: &Value) -> crate::app::Answer {
    app.post(&format!("/v1/runs/{}/cancel", id(run)), &json!({})).await
}

async fn read(app: &TestApp, run: &Value) -> Value {
    app.get(&format!("/v1/runs/{}", id(run))).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_ended_is_repeated_as_it_was_asked_for() {
    let app = TestApp::spawn().await;
    app.upstream.answers([ok(json!({"value": 0})), status(404), ok(json!({"value": 1}))]).await;
    let url = app.upstream.url("/check?n={{ input.n | default('none') }}");
    app.define_one("/check", json!({}), json!({"url": url, "method": "POST"})).await;
    let case = app.filled(json!({})).await;
    let path = format!("/v1/cases/{}/fields/check/refresh", id(&case));
    let body = json!({"input": {"n": "a"}, "force": true, "overwrite": true});
    let failed = app.post(&path, &body).await.expect(202);
    app.drain().await;
    let before = app.case(id(&case)).await;
    assert_eq!(before["fields"]["check"]["status"], "failed");

    let answer = retry(&app, &failed, &json!({})).await;
    let new = answer.body.clone();
    assert_eq!(answer.header("location"), Some(format!("/v1/runs/{}", id(&new)).as_str()));
    let new = answer.expect(202);
    assert_ne!(new["id"], failed["id"]);
    assert_eq!(
        (&new["retry_of"], &new["trigger"], &new["priority"]),
        (&failed["id"], &json!("manual"), &json!("manual"))
    );
    assert_eq!(
        (&new["input"], &new["force"], &new["overwrite"]),
        (&json!({"n": "a"}), &json!(true), &json!(true))
    );
    assert_eq!(new["chain"], json!({"depth": 0, "parent_run_id": null}));
    assert_eq!(new["idempotency_key"], new["id"], "a 404 is a known outcome");
    app.drain().await;
    let case = app.case(id(&case)).await;
    assert_eq!(case["data"]["value"], 1);
    assert!(case["revision"].as_i64().unwrap() > before["revision"].as_i64().unwrap());
    let asked: Vec<_> = app.upstream.calls().iter().map(|call| call.query("n").unwrap().to_owned()).collect();
    assert_eq!(asked, ["none", "a", "a"]);
    assert_eq!(read(&app, &failed).await["status"], "failed", "the old one stays as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_repeated_or_cancelled_is_refused() {
    let app = TestApp::spawn().await;
    app.upstream.answers([ok(json!({"value": 1})).held()]).await;
    app.define_one("/check", json!({}), json!({})).await;
    let case = app.create(json!({})).await;
    app.upstream.wait_for_calls(1).await;
    let run = app.runs(&case).await.remove(0);
    let early = retry(&app, &run, &json!({})).await;
    assert_eq!((early.status, early.code()), (409, "in_progress"));
    app.upstream.release();
    app.drain().await;
    let late = cancel(&app, &run).await;
    assert_eq!((late.status, late.code()), (409, "run_ended"));
    for wrong in [json!({"new_key": 1}), json!({"newkey": true}), json!([])] {
        let refused = retry(&app, &run, &wrong).await;
        assert_eq!((refused.status, refused.code()), (422, "invalid"), "{wrong}");
    }
    app.define(json!([])).await;
    assert_eq!(retry(&app, &run, &json!({})).await.status, 404, "the field is gone");
    for nothing in [json!({"id": "0193a000-0000-7000-8000-000000000000"}), json!({"id": "x"})] {
        assert_eq!(retry(&app, &nothing, &json!({})).await.status, 404);
        assert_eq!(cancel(&app, &nothing).await.status, 404);
    }
    let token = json!({"name": "reader", "role": "viewer"});
    let token = app.post("/v1/tokens", &token).await.expect(201)["token"].as_str().unwrap().to_owned();
    for action in ["retry", "cancel"] {
        let path = format!("/v1/runs/{}/{action}", id(&run));
        let answer = app.send(client().post(app.url(&path)).bearer_auth(&token)).await;
        assert_eq!((answer.status, answer.code()), (403, "forbidden"), "{action}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_joins_a_run_that_has_not_begun_and_never_one_that_has() {
    let app = TestApp::spawn().await;
    app.upstream.answers([status(404), status(503), ok(json!({"value": 1})), ok(json!({"value": 2}))]).await;
    app.define_one("/check", json!({}), json!({"method": "POST"})).await;
    let case = app.filled(json!({})).await;
    let failed = app.runs(id(&case)).await.remove(0);
    let path = format!("/v1/cases/{}/fields/check/refresh", id(&case));
    let begun = app.post(&path, &json!({})).await.expect(202);
    app.drain().await;
    assert_eq!(read(&app, &begun).await["waiting_for"], "retry");
    app.upstream.on("POST", "/check", ok(json!({"value": 3})).held());
    let first = retry(&app, &failed, &json!({})).await.expect(202);
    assert_eq!((&first["retry_of"], &first["begun"]), (&failed["id"], &Value::Null));
    assert_ne!(first["id"], begun["id"], "a begun run cannot become the repetition of another");
    let second = retry(&app, &failed, &json!({})).await.expect(202);
    assert_eq!(second["id"], first["id"]);
    assert_eq!(second["joined"][0]["trigger"], "manual");
    app.upstream.wait_for_calls(3).await;
    app.upstream.release();
    app.upstream.wait_for_calls(4).await;
    app.upstream.release();
    app.drain().await;
    assert_eq!(app.runs(id(&case)).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_run_that_is_cancelled_uncovers_what_was_there_and_frees_the_next() {
    let app = TestApp::spawn().await;
    app.upstream.answers([ok(json!({"value": "good"})), status(503), ok(json!({"value": "next"}))]).await;
    app.define_one("/check", json!({}), json!({})).await;
    let case = app.filled(json!({})).await;
    let shown = case["fields"]["check"].clone();
    let path = format!("/v1/cases/{}/fields/check/refresh", id(&case));
    let waiting = app.post(&path, &json!({})).await.expect(202);
    app.drain().await;
    let before = app.case(id(&case)).await;
    assert_eq!(before["fields"]["check"]["waiting_for"], "retry");
    app.move_clock(secs(1) / 4);

    let cancelled = cancel(&app, &waiting).await.expect(200);
    assert_eq!((&cancelled["status"], &cancelled["reason"]), (&json!("cancelled"), &json!("requested")));
    assert_eq!(cancelled["error"]["code"], "cancelled");
    assert!(cancelled["ended_at"].is_string() && cancelled["due_at"].is_null(), "{cancelled}");
    assert!(cancelled["waiting_for"].is_null() && cancelled["duration_ms"].is_number(), "{cancelled}");
    let after = app.case(id(&case)).await;
    assert_eq!(after["fields"]["check"], shown, "as if it had never been queued");
    assert_eq!(after["settled"], true);
    assert_eq!(after["revision"].as_i64().unwrap(), before["revision"].as_i64().unwrap() + 1);
    app.advance(secs(600)).await;
    assert_eq!(app.upstream.calls().len(), 2, "its retry never goes out");

    let new = app.post(&path, &json!({})).await.expect(202);
    app.drain().await;
    assert_eq!(read(&app, &new).await["status"], "succeeded");
    assert_eq!(app.case(id(&case)).await["data"]["value"], "next");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_run_that_is_cancelled_loses_its_answer_and_its_call_is_aborted() {
    let app = TestApp::spawn().await;
    app.upstream.answers([Reply::never(), ok(json!({"value": "next"}))]).await;
    app.define_one("/check", json!({"timeout": 300_000}), json!({"method": "POST"})).await;
    let case = app.create(json!({})).await;
    app.upstream.wait_for_calls(1).await;
    let running = app.runs(&case).await.remove(0);
    let before = app.case(&case).await;
    assert_eq!(before["fields"]["check"]["status"], "running");
    let cancelled = cancel(&app, &running).await.expect(200);
    assert_eq!((&cancelled["status"], &cancelled["reason"]), (&json!("cancelled"), &json!("requested")));
    let after = app.case(&case).await;
    assert_eq!(after["fields"]["check"]["status"], "never_run");
    assert!(after["revision"].as_i64().unwrap() > before["revision"].as_i64().unwrap());
    let kept = read(&app, &running).await;
    assert_eq!(kept["attempts"][0]["outcome"], "unknown", "the request may have been acted upon");
    // Only the abort can end this call within five seconds.
    app.advance(secs(5)).await;

    let path = format!("/v1/cases/{case}/fields/check/refresh");
    app.post(&path, &json!({})).await.expect(202);
    app.drain().await;
    let case = app.case(&case).await;
    assert_eq!(
        (&case["data"]["value"], &case["fields"]["check"]["status"]),
        (&json!("next"), &json!("succeeded"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_of_a_cancelled_run_changes_nothing_and_the_run_behind_it_goes_ahead() {
    let app = TestApp::spawn().await;
    app.upstream.answers([ok(json!({"value": "late"})).held(), ok(json!({"value": "next"})).held()]).await;
    app.define_one("/check", json!({}), json!({})).await;
    let case = app.create(json!({})).await;
    app.upstream.wait_for_calls(1).await;
    let running = app.runs(&case).await.remove(0);
    let path = format!("/v1/cases/{case}/fields/check/refresh");
    let behind = app.post(&path, &json!({})).await.expect(202);
    assert_eq!(behind["waiting_for"], "predecessor");
    cancel(&app, &running).await.expect(200);
    app.upstream.wait_for_calls(2).await;
    app.upstream.release();
    app.drain().await;
    let shown = app.case(&case).await;
    assert_eq!((&shown["data"], &shown["settled"]), (&json!({"value": "next"}), &json!(true)));
    let kept = read(&app, &running).await;
    assert_eq!((&kept["status"], &kept["written"]), (&json!("cancelled"), &json!([])));
    assert!(kept["attempts"][0]["response"].is_null(), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_run_is_told_when_it_is_cancelled() {
    let app = TestApp::spawn().await;
    app.upstream.answers([Reply::never()]).await;
    app.define_one("/check", json!({"trigger": "manual"}), json!({})).await;
    let case = app.create(json!({})).await;
    let path = format!("/v1/cases/{case}/fields/check/refresh");
    let request = app.request("POST", &path).header("Prefer", "wait=30");
    let stop = async {
        app.upstream.wait_for_calls(1).await;
        let run = app.runs(&case).await.remove(0);
        cancel(&app, &run).await.expect(200)
    };
    // The clock stands, so only the cancellation can end the wait.
    let (waited, cancelled) = tokio::join!(app.send(request), stop);
    let waited = waited.expect(200);
    assert_eq!((&waited["id"], &waited["status"]), (&cancelled["id"], &json!("cancelled")));
    app.advance(secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_filtered() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/a", ok(json!({"value": 1})));
    app.upstream.on("GET", "/b", status(404));
    let fields = json!([
        app.field("/a", json!({"key": "good"}), json!({"response_mapping": {"a": "$.value"}})),
        app.field("/b", json!({"key": "bad"}), json!({"response_mapping": {"b": "$.value"}})),
    ]);
    app.define(fields).await;
    let case = app.filled(json!({})).await;
    app.advance(secs(60)).await;
    app.post(&format!("/v1/cases/{}/fields/good/refresh", id(&case)), &json!({})).await.expect(202);
    app.drain().await;
    app.filled(json!({})).await;
    let later = "2026-11-21T09:01:00Z";
    for (query, count) in [
        (format!("case={}", id(&case)), 3),
        ("case_type=test".to_owned(), 5),
        ("case_type=other".to_owned(), 0),
        ("field=good".to_owned(), 3),
        ("status=failed".to_owned(), 2),
        ("status=cancelled".to_owned(), 0),
        ("error=http_status".to_owned(), 2),
        ("error=timeout".to_owned(), 0),
        ("trigger=on_create".to_owned(), 4),
        ("trigger=manual".to_owned(), 1),
        ("trigger=on_update".to_owned(), 0),
        ("trigger=scheduled".to_owned(), 0),
        (format!("since={later}"), 3),
        (format!("until={later}"), 2),
        (format!("since={later}&field=good&trigger=manual"), 1),
        ("connection=vies".to_owned(), 0),
        ("batch=0193a000-0000-7000-8000-000000000000".to_owned(), 0),
    ] {
        let list = app.get(&format!("/v1/runs?count=true&{query}")).await.expect(200);
        assert_eq!(list["total"], count, "{query}");
        assert_eq!(list["items"].as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_is_cut_once_a_newer_one_has_followed() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1, "text": "x".repeat(70_000)})));
    app.define_one("/check", json!({}), json!({})).await;
    let case = app.filled(json!({})).await;
    app.sweep().await;
    app.move_clock(secs(1));
    app.post(&format!("/v1/cases/{}/fields/check/refresh", id(&case)), &json!({})).await.expect(202);
    app.drain().await;
    app.sweep().await;
    let runs = app.runs(id(&case)).await;
    for (run, truncated) in runs.iter().zip([false, true]) {
        let response = read(&app, run).await["attempts"][0]["response"].clone();
        assert_eq!(response["truncated"], truncated);
        assert_eq!(response["body"].as_str().unwrap().len() == 65_536, truncated);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_bodies_go_first_and_old_runs_later_but_never_the_last_good_and_the_last_failed() {
    let app = TestApp::spawn().await;
    let replies = ["a", "b", "c"].map(|value| ok(json!({"value": value})));
    app.upstream.answers(replies.into_iter().chain([status(404), status(410), status(404)])).await;
    app.define_one("/check", json!({"retry": 0}), json!({"method": "POST", "body": {"n": 1}})).await;
    let case = app.filled(json!({})).await;
    let path = format!("/v1/cases/{}/fields/check/refresh", id(&case));
    for _ in 0..5 {
        app.move_clock(secs(1));
        app.post(&path, &json!({})).await.expect(202);
        app.drain().await;
    }
    let runs = app.runs(id(&case)).await;
    let stays = [false, false, true, false, false, true];
    let newest_first = || runs.iter().zip(stays.iter().rev());

    app.advance(secs(13 * DAY)).await;
    app.sweep().await;
    for (run, _) in newest_first() {
        assert!(read(&app, run).await["attempts"][0]["request"]["body"].is_string(), "not old enough");
    }
    app.advance(secs(2 * DAY)).await;
    app.sweep().await;
    for (run, stays) in newest_first() {
        let attempt = read(&app, run).await["attempts"][0].clone();
        assert_eq!(attempt["request"]["body"].is_string(), *stays, "{attempt}");
        assert_eq!(attempt["request"]["method"], "POST", "the attempt itself stays");
        assert!(attempt["response"]["status"].is_number(), "{attempt}");
        if run["status"] == "succeeded" {
            assert_eq!(attempt["response"]["body"].is_string(), *stays, "{attempt}");
        }
        assert_eq!(attempt["response"]["truncated"], false);
    }
    app.advance(secs(76 * DAY)).await;
    app.sweep().await;
    for (run, stays) in newest_first() {
        let status = app.get(&format!("/v1/runs/{}", id(run))).await.status;
        assert_eq!(status, if *stays { 200 } else { 404 }, "{run}");
    }
    let list = app.get(&format!("/v1/runs?count=true&case={}", id(&case))).await.expect(200);
    assert_eq!(list["total"], 2);
    let good = read(&app, &runs[3]).await;
    assert_eq!(good["attempts"][0]["response"]["body"], r#"{"value":"c"}"#);
    assert_eq!(app.case(id(&case)).await["data"]["value"], "c");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_deletes_a_bounded_number_of_runs_also_of_cases_that_are_gone() {
    let app = TestApp::spawn().await;
    let field = |n: usize| {
        let key = format!("f{n}");
        app.field("/check", json!({"key": key, "when": "1 == 2"}), json!({"response_mapping": {key: "$.x"}}))
    };
    app.define((0..30).map(field).collect()).await;
    let mut cases = Vec::new();
    for _ in 0..20 {
        cases.push(app.create(json!({})).await);
    }
    app.drain().await;
    for case in &cases {
        app.delete(&format!("/v1/cases/{case}")).await;
    }
    app.move_clock(secs(1));
    let kept = app.filled(json!({})).await;
    let total = async || app.get("/v1/runs?count=true&limit=1").await.expect(200)["total"].clone();
    assert_eq!(total().await, 630);
    app.advance(secs(89 * DAY)).await;
    app.sweep().await;
    assert_eq!(total().await, 630);
    app.advance(secs(2 * DAY)).await;
    app.sweep().await;
    assert_eq!(total().await, 130);
    app.sweep().await;
    app.sweep().await;
    assert_eq!(total().await, 30, "what a case shows stays");

    // A second round begins with the oldest again.
    app.delete(&format!("/v1/cases/{}", id(&kept))).await;
    app.sweep().await;
    assert_eq!(total().await, 0);
}
