//! Lanes: a provider that is down, slow, limited or closed to us holds up only its own runs, and
//! is never asked more often than it bears.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dossier::domain::clock::{Clock as _, Instant};
use dossier::domain::connection::{RateLimit, Window};
use dossier::store::LaneSettings;
use serde_json::{Value, json};

use crate::app::{TestApp, secs};
use crate::upstream::{Call, Upstream, ok, status};

fn limited(limit: u32, period: u32) -> LaneSettings {
    let limits = RateLimit { windows: vec![Window { limit, period }], concurrency: None };
    LaneSettings { limits, ..LaneSettings::default() }
}

/// A field whose call says which case it is for; the provider answers as `answer` says.
async fn define_n(app: &TestApp, field: Value, config: Value) {
    let mut all = json!({"params": {"n": "{data.n}"}});
    for (name, value) in config.as_object().unwrap() {
        all[name] = value.clone();
    }
    app.define_one("/check", field, all).await;
}

/// Creates a case a moment after the one before, so that their order is known.
async fn create_n(app: &TestApp, n: usize) -> String {
    app.move_clock(Duration::from_millis(1));
    app.create(json!({"n": n})).await
}

fn asked(app: &TestApp) -> Vec<usize> {
    app.upstream.calls().iter().map(|call| call.query("n").unwrap().parse().unwrap()).collect()
}

async fn state(app: &TestApp, id: &str) -> Value {
    app.case(id).await["fields"]["check"].clone()
}

async fn refresh(app: &TestApp, id: &str, body: Value) -> Value {
    app.post(&format!("/v1/cases/{id}/fields/check/refresh"), &body).await.expect(202)
}

/// Opens the circuit by five failing cases without retries.
async fn fail_five(app: &TestApp) {
    app.upstream.answers((0..5).map(|_| status(500))).await;
    for n in 0..5 {
        assert!(app.lane().await.circuit.is_closed(), "after {n} failures");
        app.filled(json!({"n": n})).await;
    }
    assert!(!app.lane().await.circuit.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn five_failures_in_a_row_open_the_circuit_and_the_sixth_run_waits() {
    let app = TestApp::spawn().await;
    define_n(&app, json!({"retry": 0}), json!({})).await;
    fail_five(&app).await;
    let id = create_n(&app, 6).await;
    app.drain().await;
    let metrics = app.get("/metrics").await.body;
    assert!(metrics.as_str().unwrap().contains("dossier_circuit_state{connection=\"none\"} 1"), "{metrics}");
    let waiting = state(&app, &id).await;
    assert_eq!(
        (&waiting["status"], &waiting["waiting_for"]),
        (&json!("queued"), &json!("circuit")),
        "{waiting}"
    );
    assert_eq!(waiting["next_attempt_at"], "2026-11-21T09:00:30.000Z");
    assert_eq!((&waiting["attempt"], &waiting["attempts_max"]), (&json!(0), &json!(1)));
    let run = app.runs(&id).await.remove(0);
    assert_eq!(
        (&run["waiting_for"], &run["due_at"]),
        (&json!("circuit"), &waiting["next_attempt_at"]),
        "{run}"
    );
    assert!(run["started_at"].is_null() && run["attempts"] == json!([]), "it has not begun: {run}");
    app.advance(secs(29)).await;
    assert_eq!(app.upstream.calls().len(), 5, "nothing goes before its time");
    app.upstream.answers([ok(json!({"value": 6}))]).await;
    app.advance(secs(1)).await;
    assert_eq!(app.case(&id).await["data"]["value"], 6);
    assert!(app.lane().await.is_blank());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_counts_and_what_resets() {
    let app = TestApp::spawn().await;
    define_n(&app, json!({"retry": 0}), json!({})).await;
    for (answer, failures) in [
        (500, 1),
        (503, 2),
        (408, 2),
        (425, 2),
        (599, 3),
        (429, 3),
        (404, 0),
        (500, 1),
        (500, 2),
        (200, 0),
        (500, 1),
        (500, 2),
        (500, 3),
        (400, 0),
    ] {
        app.upstream.answers([status(answer)]).await;
        let id = app.create(json!({"n": 1})).await;
        app.drain().await;
        assert_eq!(app.lane().await.circuit.failures, failures, "after {answer}");
        // A run that waits for its 429 makes room for the next one.
        app.upstream.otherwise(status(404));
        let before = app.lane().await;
        if before.paused_until.is_some() {
            let run = app.runs(&id).await.remove(0);
            let path = format!("/v1/runs/{}/cancel", run["id"].as_str().unwrap());
            app.post(&path, &json!({})).await.expect(200);
            app.advance(secs(2)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_probe_goes_and_the_others_drain_when_it_succeeds() {
    let app = TestApp::spawn().await;
    define_n(&app, json!({"retry": 0}), json!({})).await;
    fail_five(&app).await;
    for n in 10..14 {
        create_n(&app, n).await;
    }
    app.drain().await;
    app.upstream.otherwise(ok(json!({"value": 1})).held());
    app.move_clock(secs(30));
    app.upstream.wait_for_calls(6).await;
    let late = create_n(&app, 14).await;
    let is_parked = async || state(&app, &late).await["waiting_for"] == "circuit";
    while !is_parked().await {
        tokio::task::yield_now().await;
    }
    assert_eq!(asked(&app)[5..], [10], "one probe, the oldest");
    app.upstream.otherwise(ok(json!({"value": 1})));
    app.upstream.release();
    app.drain().await;
    assert_eq!(asked(&app).len(), 10);
    assert_eq!(state(&app, &late).await["status"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_run_that_failed_last_is_not_the_next_probe() {
    let app = TestApp::spawn().await;
    define_n(&app, json!({"retry": 10}), json!({})).await;
    app.upstream.otherwise(status(503));
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(create_n(&app, n).await);
        app.drain().await;
    }
    assert_eq!(asked(&app), [0, 1, 2, 3, 4]);
    // Their retries come due and wait for the circuit.
    app.advance(secs(2)).await;
    for n in 1..=6 {
        app.advance(secs(30)).await;
        let waiting = state(&app, &ids[4 - n % 2]).await;
        let next = waiting["next_attempt_at"].as_str().unwrap().parse::<Instant>().unwrap();
        assert_eq!(waiting["waiting_for"], "circuit", "{waiting}");
        assert!(next > app.clock.now(), "it says when the circuit opens by now: {waiting}");
    }
    let probes = asked(&app)[5..].to_vec();
    assert_eq!(probes.len(), 6, "one each half minute");
    assert_eq!(probes[0], 0, "the oldest that was not the last to fail");
    assert!(probes.windows(2).all(|two| two[0] != two[1]), "{probes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_poison_case_opens_nothing_alone_and_does_not_probe_twice() {
    let app = TestApp::spawn().await;
    define_n(&app, json!({"retry": 10}), json!({})).await;
    app.upstream.otherwise_with(|call: &Call| {
        if call.query("n") == Some("0") { status(500) } else { ok(json!({"value": 1})) }
    });
    create_n(&app, 0).await;
    for _ in 0..8 {
        app.advance(secs(300)).await;
    }
    assert!(app.lane().await.circuit.is_closed(), "it failed nine times alone");
    assert_eq!(app.lane().await.circuit.failures, 1);
    app.open_circuit().await;
    let poison = asked(&app).len();
    // It waits for the circuit, as does one behind it.
    app.move_clock(secs(29));
    let good = create_n(&app, 1).await;
    app.open_circuit().await;
    app.advance(secs(1)).await;
    for _ in 0..12 {
        app.advance(secs(30)).await;
    }
    assert_eq!(state(&app, &good).await["status"], "succeeded");
    let after = asked(&app)[poison..].to_vec();
    let first_good = after.iter().position(|n| *n == 1).unwrap();
    assert!(first_good <= 1, "the good one probes at the latest after the poison one: {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manual_refresh_while_open_fails_at_once_or_meets_the_run_that_waits() {
    let app = TestApp::spawn().await;
    define_n(&app, json!({"retry": 0}), json!({})).await;
    app.upstream.answers([ok(json!({"value": "good"}))]).await;
    let id = create_n(&app, 9).await;
    app.drain().await;
    fail_five(&app).await;
    let waiting = create_n(&app, 10).await;
    app.drain().await;

    refresh(&app, &id, json!({})).await;
    app.drain().await;
    let case = app.case(&id).await;
    let field = &case["fields"]["check"];
    assert_eq!((&field["status"], &case["data"]["value"]), (&json!("succeeded"), &json!("good")), "{field}");
    assert_eq!(field["error"]["code"], "circuit_open", "{field}");
    assert_eq!(field["error"]["retry_at"], "2026-11-21T09:00:30.001Z");
    let run = app.runs(&id).await.remove(0);
    assert_eq!((&run["status"], &run["error"]["code"]), (&json!("failed"), &json!("circuit_open")), "{run}");
    assert_eq!((&run["attempts"], &run["attempt"]), (&json!([]), &json!(0)), "it made none: {run}");
    assert_eq!((&run["error"]["attempt"], &field["error"]["attempt"]), (&json!(0), &json!(0)), "{run}");

    let met = refresh(&app, &waiting, json!({})).await;
    app.drain().await;
    let before = app.runs(&waiting).await;
    assert_eq!(
        (before.len(), &met["id"], &before[0]["status"]),
        (1, &before[0]["id"], &json!("queued")),
        "{met}"
    );
    assert_eq!(before[0]["joined"][0]["trigger"], "manual");
    assert_eq!(before[0]["waiting_for"], "circuit");

    // A field that never ran keeps that, too.
    app.define_one("/check", json!({"trigger": "manual", "retry": 0}), json!({"params": {"n": "3"}})).await;
    let new = app.create(json!({})).await;
    refresh(&app, &new, json!({})).await;
    app.drain().await;
    let field = state(&app, &new).await;
    assert_eq!(
        (&field["status"], &field["error"]["code"]),
        (&json!("never_run"), &json!("circuit_open")),
        "{field}"
    );
    assert_eq!(app.upstream.calls().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_begun_run_that_waits_for_the_circuit_stands_for_a_refresh() {
    let app = TestApp::spawn().await;
    define_n(&app, json!({"retry": 5}), json!({})).await;
    app.upstream.otherwise(status(500));
    let id = create_n(&app, 1).await;
    app.drain().await;
    app.open_circuit().await;
    app.advance(secs(2)).await;
    let begun = state(&app, &id).await;
    assert_eq!((&begun["waiting_for"], &begun["attempt"]), (&json!("circuit"), &json!(1)), "{begun}");
    let met = refresh(&app, &id, json!({})).await;
    app.drain().await;
    assert_eq!((&met["id"], &met["status"]), (&begun["run_id"], &json!("queued")));
    assert_eq!(app.runs(&id).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_no_second_more_than_twenty_calls_at_the_provider_and_in_order() {
    let app = TestApp::spawn().await;
    define_n(&app, json!({}), json!({})).await;
    app.put_lane(limited(20, 1)).await;
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let (clock, noted) = (app.clock.clone(), times.clone());
    app.upstream.otherwise_with(move |_| {
        noted.lock().unwrap().push(clock.now());
        ok(json!({"value": 1}))
    });
    for n in 0..100 {
        create_n(&app, n).await;
    }
    app.drain().await;
    let waiting = app.get("/v1/runs?status=queued&limit=200").await.expect(200);
    assert_eq!(waiting["items"].as_array().unwrap().len(), 80);
    assert!(waiting["items"].as_array().unwrap().iter().all(|run| run["waiting_for"] == "rate_limit"));
    for _ in 0..130 {
        app.advance(Duration::from_millis(50)).await;
    }
    let times = times.lock().unwrap().clone();
    assert_eq!(times.len(), 100, "twenty a second");
    for span in times.windows(21) {
        assert!(span[20] - span[0] >= chrono::TimeDelta::seconds(1), "{span:?}");
    }
    // Whole batches of twenty keep their order; within one they leave side by side. The first is
    // admitted while the creates still arrive, so a later case can be in it.
    let asked = asked(&app);
    let batches = asked[20..].chunks(20).map(|batch| (batch.iter().min(), batch.iter().max()));
    let batches: Vec<_> = batches.collect();
    assert!(batches.is_sorted(), "{batches:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_period_does_not_forget_what_was_granted() {
    let app = TestApp::spawn().await;
    define_n(&app, json!({}), json!({})).await;
    app.put_lane(limited(2, 30)).await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    for n in 0..4 {
        create_n(&app, n).await;
    }
    app.drain().await;
    assert_eq!(app.upstream.calls().len(), 2);
    app.put_lane(limited(2, 31)).await;
    app.advance(secs(1)).await;
    assert_eq!(app.upstream.calls().len(), 2, "no two more within the new period");
    app.advance(secs(31)).await;
    assert_eq!(app.upstream.calls().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_calls_at_once_than_the_lane_bears() {
    let app = TestApp::spawn().await;
    define_n(&app, json!({}), json!({})).await;
    let limits = RateLimit { windows: Vec::new(), concurrency: Some(3) };
    app.put_lane(LaneSettings { limits, ..LaneSettings::default() }).await;
    app.upstream.otherwise(ok(json!({"value": 1})).held());
    let mut ids = Vec::new();
    for n in 0..12 {
        ids.push(create_n(&app, n).await);
    }
    for round in 1..=4 {
        app.upstream.wait_for_calls(round * 3).await;
        app.upstream.release();
    }
    app.drain().await;
    assert_eq!(app.upstream.most_in_flight(), 3);
    for id in ids {
        assert_eq!(state(&app, &id).await["status"], "succeeded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_is_ended_at_once_and_makes_room() {
    let app = TestApp::spawn().await;
    define_n(&app, json!({}), json!({})).await;
    let limits = RateLimit { windows: Vec::new(), concurrency: Some(1) };
    app.put_lane(LaneSettings { limits, ..LaneSettings::default() }).await;
    app.upstream.otherwise(ok(json!({"value": 1})).held());
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(create_n(&app, n).await);
    }
    app.upstream.wait_for_calls(1).await;
    let run = app.runs(&ids[0]).await[0]["id"].as_str().unwrap().to_owned();
    // The clock stands: nobody waits for the end of a lease or its renewal.
    app.post(&format!("/v1/runs/{run}/cancel"), &json!({})).await.expect(200);
    app.upstream.wait_for_calls(2).await;
    app.delete(&format!("/v1/cases/{}", ids[1])).await.expect(204);
    app.upstream.wait_for_calls(3).await;
    app.upstream.release();
    app.drain().await;
    assert_eq!(state(&app, &ids[0]).await["status"], "never_run");
    assert_eq!(state(&app, &ids[2]).await["status"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_pauses_the_lane_for_all_within_bounds() {
    for (asked_for, shortest, longest) in [
        ("120", 120, 120),
        ("0", 1, 1),
        ("-5", 1, 1),
        ("soon", 1, 1),
        ("100000000000", 3600, 3600),
        ("Sat, 21 Nov 2026 09:01:30 GMT", 90, 90),
        ("Sat, 21 Nov 2020 09:01:30 GMT", 1, 1),
    ] {
        let app = TestApp::spawn().await;
        define_n(&app, json!({"retry": 0}), json!({})).await;
        app.upstream.answers([status(429).header("Retry-After", asked_for)]).await;
        app.create(json!({"n": 0})).await;
        app.drain().await;
        let id = app.create(json!({"n": 1})).await;
        app.drain().await;
        let waiting = state(&app, &id).await;
        assert_eq!(waiting["waiting_for"], "rate_limit", "{asked_for}: {waiting}");
        let pause = app.lane().await.paused_until.unwrap() - app.clock.now();
        let (shortest, longest) = (shortest * 1000 / 2, longest * 1000);
        assert!((shortest..=longest).contains(&pause.num_milliseconds()), "{asked_for}: {pause}");
        app.upstream.otherwise(ok(json!({"value": 1})));
        app.move_clock((pause - chrono::TimeDelta::milliseconds(1)).to_std().unwrap());
        app.drain().await;
        assert_eq!(app.upstream.calls().len(), 1, "{asked_for}");
        app.advance(Duration::from_millis(1)).await;
        assert_eq!(state(&app, &id).await["status"], "succeeded", "{asked_for}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_refused_credentials_hold_the_lane_until_somebody_resumes_it() {
    let app = TestApp::spawn().await;
    define_n(&app, json!({}), json!({})).await;
    app.upstream.answers([401, 403, 401, 404, 401, 401, 403, 403, 401].map(status)).await;
    for n in 0..9 {
        assert!(!app.lane().await.held, "{n}");
        app.filled(json!({"n": n})).await;
    }
    let id = create_n(&app, 9).await;
    app.advance(secs(100_000)).await;
    let waiting = state(&app, &id).await;
    assert_eq!((&waiting["waiting_for"], &waiting["next_attempt_at"]), (&json!("connection"), &Value::Null));
    let manual = refresh(&app, &id, json!({})).await;
    assert_eq!(manual["id"], waiting["run_id"]);
    app.upstream.otherwise(ok(json!({"value": 1})));
    app.resume_lane().await;
    app.drain().await;
    assert_eq!(state(&app, &id).await["status"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_disabled_connection_automatic_runs_wait_and_manual_ones_fail() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    define_n(&app, json!({}), json!({})).await;
    let old = create_n(&app, 1).await;
    app.drain().await;
    app.put_lane(LaneSettings { disabled: true, ..LaneSettings::default() }).await;
    let new = create_n(&app, 2).await;
    refresh(&app, &old, json!({})).await;
    app.drain().await;
    assert_eq!(state(&app, &new).await["waiting_for"], "connection");
    let field = state(&app, &old).await;
    assert_eq!(
        (&field["status"], &field["error"]["code"]),
        (&json!("succeeded"), &json!("connection_disabled"))
    );
    assert!(field["error"]["message"].as_str().unwrap().contains("switched off"), "{field}");
    app.put_lane(LaneSettings::default()).await;
    app.drain().await;
    assert_eq!(state(&app, &new).await["status"], "succeeded");
    refresh(&app, &old, json!({})).await;
    app.drain().await;
    assert!(state(&app, &old).await["error"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_hanging_providers_leave_places_for_a_good_one() {
    let slow = Upstream::start_on("0.0.0.0:0".parse().unwrap()).await;
    let port = slow.address().port();
    let app = TestApp::spawn_with(&[("NETWORK__ALLOW", "127.0.0.0/8")]).await;
    slow.otherwise(ok(json!({"value": 1})).held());
    app.upstream.otherwise(ok(json!({"value": 1})));
    let hanging = (1..=50).map(|n| {
        let (key, url) = (format!("h{n}"), format!("http://127.0.0.{}:{port}/", n + 1));
        let mapping = json!({key.as_str(): "$.value"});
        let members = json!({"key": key, "timeout": 300_000});
        app.field("/", members, json!({"url": url, "response_mapping": mapping}))
    });
    app.define(hanging.collect()).await;
    for _ in 0..12 {
        app.create(json!({})).await;
    }
    // Each holds as many places as are left for the others.
    slow.wait_for_calls(500).await;
    app.define_one("/check", json!({}), json!({})).await;
    for _ in 0..5 {
        app.create(json!({})).await;
    }
    app.upstream.wait_for_calls(5).await;
    slow.otherwise(ok(json!({"value": 1})));
    tokio::select! {
        () = app.drain() => {}
        () = async { loop { slow.release(); tokio::task::yield_now().await } } => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_call_takes_one_permit_and_its_failure_counts_once() {
    let app = TestApp::spawn().await;
    app.define_one("/check", json!({"cache_duration": 60, "retry": 0}), json!({})).await;
    app.put_lane(limited(20, 10)).await;
    app.upstream.answers([status(500).held()]).await;
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(app.create(json!({})).await);
    }
    app.upstream.wait_for_calls(1).await;
    for id in &ids {
        while state(&app, id).await["status"] != "running" {
            tokio::task::yield_now().await;
        }
    }
    app.upstream.otherwise(status(500));
    app.upstream.release();
    app.drain().await;
    let lane = app.lane().await;
    let calls = app.upstream.calls().len();
    assert!(calls < 5, "{calls}");
    assert_eq!((lane.circuit.failures as usize, lane.grants.used() as usize), (calls, calls));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_call_passes_a_closed_lane() {
    let app = TestApp::spawn().await;
    app.upstream.answers([ok(json!({"value": 1}))]).await;
    let when = json!({"cache_duration": 3600, "when": "data.n != 7"});
    define_n(&app, when, json!({})).await;
    create_n(&app, 1).await;
    app.drain().await;
    app.open_circuit().await;
    let (cached, skipped, waits) =
        (create_n(&app, 1).await, create_n(&app, 7).await, create_n(&app, 2).await);
    app.drain().await;
    assert_eq!(app.runs(&cached).await[0]["cached"], true);
    assert_eq!(state(&app, &skipped).await["reason"], "condition");
    assert_eq!(state(&app, &waits).await["waiting_for"], "circuit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_run_is_joined_cancelled_removed_and_moved_like_any_other() {
    let app = TestApp::spawn().await;
    let trigger = json!({"trigger": ["on_create", "on_update"]});
    define_n(&app, trigger.clone(), json!({})).await;
    app.open_circuit().await;
    let (joined, cancelled, removed) =
        (create_n(&app, 1).await, create_n(&app, 2).await, create_n(&app, 3).await);
    app.drain().await;
    app.patch(&format!("/v1/cases/{joined}"), &json!({"data": {"n": 10}})).await.expect(200);
    let run = app.runs(&joined).await;
    assert_eq!((run.len(), &run[0]["joined"][0]["trigger"]), (1, &json!("on_update")));
    assert_eq!(run[0]["waiting_for"], "circuit");
    let id = app.runs(&cancelled).await[0]["id"].as_str().unwrap().to_owned();
    app.post(&format!("/v1/runs/{id}/cancel"), &json!({})).await.expect(200);
    assert_eq!(state(&app, &cancelled).await["status"], "never_run");

    // Another provider: the wait for the old one is over.
    let other = Upstream::start_on("0.0.0.0:0".parse().unwrap()).await;
    other.otherwise(ok(json!({"value": 1})));
    app.define(json!([{"key": "note", "type": "text"}])).await;
    app.drain().await;
    assert_eq!(app.runs(&removed).await[0]["reason"], "field_removed");
    assert_eq!(app.upstream.calls().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_names_another_provider_ends_the_wait_for_the_old_one() {
    let other = Upstream::start().await;
    let app = TestApp::spawn_with(&[("NETWORK__ALLOW", "127.0.0.0/8")]).await;
    other.otherwise(ok(json!({"value": "new"})));
    define_n(&app, json!({}), json!({})).await;
    app.open_circuit().await;
    let id = create_n(&app, 1).await;
    app.drain().await;
    assert_eq!(state(&app, &id).await["waiting_for"], "circuit");
    define_n(&app, json!({}), json!({"url": other.url("/check")})).await;
    app.drain().await;
    assert_eq!(app.case(&id).await["data"]["value"], "new");
}

/// Its call would have been made by another run, which is cancelled; by then a newer firing waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_run_joins_the_one_that_waits_behind_it() {
    let app = TestApp::spawn().await;
    app.define_one("/check", json!({"cache_duration": 60, "timeout": 300_000}), json!({})).await;
    app.put_lane(limited(1, 60)).await;
    app.upstream.otherwise(ok(json!({"value": 1})).held());
    let leader = app.create(json!({})).await;
    app.upstream.wait_for_calls(1).await;
    app.move_clock(Duration::from_millis(1));
    let id = app.create(json!({})).await;
    while state(&app, &id).await["status"] != "running" {
        tokio::task::yield_now().await;
    }
    let behind = refresh(&app, &id, json!({"force": true})).await;
    assert_eq!(behind["waiting_for"], "predecessor");
    let run = app.runs(&leader).await[0]["id"].as_str().unwrap().to_owned();
    app.post(&format!("/v1/runs/{run}/cancel"), &json!({})).await.expect(200);
    app.advance(secs(5)).await;
    let runs = app.runs(&id).await;
    let (new, old) = (&runs[0], &runs[1]);
    assert_eq!((&old["status"], &old["reason"]), (&json!("cancelled"), &json!("superseded")), "{old}");
    assert_eq!((&new["id"], &new["status"]), (&behind["id"], &json!("queued")), "{new}");
    assert_eq!(
        (&new["joined"][0]["trigger"], &new["waiting_for"]),
        (&json!("on_create"), &json!("rate_limit"))
    );
    app.upstream.otherwise(ok(json!({"value": 2})));
    app.advance(secs(70)).await;
    assert_eq!(app.case(&id).await["data"]["value"], 2);
}

/// Nobody knows for a moment whether the provider is back: who stands before a screen is told so,
/// and does not wait behind the probe and those that wait already.
#[tokio::test(flavor = "multi_thread")]
async fn a_manual_run_does_not_wait_behind_a_probe() {
    let app = TestApp::spawn().await;
    define_n(&app, json!({"retry": 0}), json!({})).await;
    app.upstream.answers([ok(json!({"value": "good"}))]).await;
    let id = create_n(&app, 9).await;
    app.drain().await;
    fail_five(&app).await;
    let waiting = [create_n(&app, 10).await, create_n(&app, 11).await];
    app.drain().await;
    app.upstream.otherwise(ok(json!({"value": 1})).held());
    app.move_clock(secs(30));
    app.upstream.wait_for_calls(7).await;
    for _ in 0..5 {
        app.move_clock(Duration::from_millis(1));
        let run = refresh(&app, &id, json!({"force": true})).await;
        let path = format!("/v1/runs/{}", run["id"].as_str().unwrap());
        let over = async {
            loop {
                let run = app.get(&path).await.expect(200);
                assert!(run["waiting_for"].is_null() || run["waiting_for"] == "worker", "{run}");
                if run["status"] == "failed" {
                    return run;
                }
                tokio::task::yield_now().await;
            }
        };
        let run = over.await;
        assert_eq!((&run["error"]["code"], &run["attempts"]), (&json!("circuit_open"), &json!([])), "{run}");
        let retry_at = run["error"]["retry_at"].as_str().unwrap().parse::<Instant>().unwrap();
        assert!(retry_at > app.clock.now(), "{run}");
    }
    let field = state(&app, &id).await;
    assert_eq!((&field["status"], &field["error"]["code"]), (&json!("succeeded"), &json!("circuit_open")));
    assert_eq!(asked(&app)[6..], [10], "one probe, the oldest");
    app.upstream.otherwise(ok(json!({"value": 1})));
    app.upstream.release();
    app.drain().await;
    for id in waiting {
        assert_eq!(state(&app, &id).await["status"], "succeeded");
    }
    refresh(&app, &id, json!({})).await;
    app.drain().await;
    assert!(state(&app, &id).await["error"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_uses_up_no_retry_and_ends_the_run_after_an_hour_or_twenty_waits() {
    let app = TestApp::spawn().await;
    for (retry, attempts_max) in [(0, 2), (3, 5)] {
        define_n(&app, json!({"retry": retry}), json!({})).await;
        app.upstream.answers([status(429).header("Retry-After", "3601")]).await;
        let id = create_n(&app, 1).await;
        app.drain().await;
        let run = app.runs(&id).await.remove(0);
        let error = &run["error"];
        assert_eq!((&run["status"], &error["code"]), (&json!("failed"), &json!("rate_limited")), "{run}");
        assert_eq!(error["http_status"], 429);
        let back = app.clock.now() + chrono::TimeDelta::seconds(3601);
        assert_eq!(error["retry_at"].as_str().unwrap().parse::<Instant>().unwrap(), back);
        assert_eq!((&run["attempt"], &run["attempts_max"]), (&json!(1), &json!(attempts_max)), "{run}");
        app.advance(secs(3600)).await;
    }

    define_n(&app, json!({"retry": 1}), json!({})).await;
    app.upstream.otherwise(status(429).header("Retry-After", "3600"));
    let before = app.upstream.calls().len();
    let id = create_n(&app, 2).await;
    app.drain().await;
    for waits in 1..=20 {
        let run = app.runs(&id).await.remove(0);
        assert_eq!(
            (&run["status"], &run["waiting_for"]),
            (&json!("queued"), &json!("rate_limit")),
            "{waits}: {run}"
        );
        assert_eq!((&run["attempt"], &run["attempts_max"]), (&json!(waits), &json!(2 + waits)), "{run}");
        app.advance(secs(3600)).await;
    }
    let run = app.runs(&id).await.remove(0);
    assert_eq!(
        (&run["status"], &run["error"]["code"], &run["error"]["http_status"]),
        (&json!("failed"), &json!("rate_limited"), &json!(429)),
        "{run}"
    );
    assert_eq!((&run["attempt"], &run["attempts_max"]), (&json!(21), &json!(23)), "{run}");
    assert_eq!(app.upstream.calls().len() - before, 21);
}
