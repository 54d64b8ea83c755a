//! Two processes on one PostgreSQL: nothing is done twice, nothing is left undone, and each learns
//! of the other what it must. On SQLite there is nothing to test here.
//!
//! Each has a clock of its own, which stands: what one does in time must not need the other's.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dossier::app::{App, AppOptions, SystemRng};
use dossier::telemetry::LogRedactor;
use futures_util::future::join_all;
use serde_json::json;

use crate::app::{TestApp, secs};
use crate::database::cluster;
use crate::upstream::{Reply, ok};

/// Two processes; none where the tests run on SQLite.
async fn two(more: &[(&str, &str)]) -> Option<(TestApp, TestApp)> {
    cluster()?;
    let first = TestApp::spawn().await;
    let second = first.beside(more).await;
    Some((first, second))
}

async fn drain(apps: (&TestApp, &TestApp)) {
    // What ends in the one may queue something that the other takes.
    for app in [apps.0, apps.1, apps.0, apps.1] {
        app.drain().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_run_is_done_once() {
    let Some((first, second)) = two(&[]).await else { return };
    first.upstream.otherwise_with(|call| ok(json!({"value": call.query("n")})));
    first.define_one("/check?n={data.n}", json!({}), json!({})).await;
    let create = |n: usize| {
        let app = if n.is_multiple_of(2) { &first } else { &second };
        app.create(json!({"n": n.to_string()}))
    };
    let cases = join_all((0..200).map(create)).await;
    drain((&first, &second)).await;
    let asked: Vec<String> =
        first.upstream.calls().iter().map(|call| call.query("n").unwrap().to_owned()).collect();
    assert_eq!(asked.len(), 200);
    assert_eq!(asked.iter().collect::<HashSet<_>>().len(), 200);
    for (n, case) in cases.iter().enumerate() {
        assert_eq!(second.case(case).await["data"]["value"], json!(n.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stands_still_loses_its_runs_and_its_late_answer_is_refused() {
    if cluster().is_none() {
        return;
    }
    let stands = TestApp::spawn().await;
    stands.upstream.answers([ok(json!({"value": "late"})).held(), ok(json!({"value": "in time"}))]).await;
    stands.define_one("/check", json!({}), json!({})).await;
    let case = stands.create(json!({})).await;
    stands.upstream.wait_for_calls(1).await;
    let goes_on = stands.beside(&[]).await;
    goes_on.sweep().await;
    assert_eq!(stands.upstream.calls().len(), 1, "its lease has not ended");
    goes_on.move_clock(secs(16));
    goes_on.sweep().await;
    assert_eq!(goes_on.case(&case).await["data"]["value"], "in time");
    stands.upstream.release();
    stands.drain().await;
    assert_eq!(stands.case(&case).await["data"]["value"], "in time");
    let run = &goes_on.runs(&case).await[0];
    let outcomes: Vec<_> =
        run["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["outcome"]).collect();
    assert_eq!(outcomes, ["unknown", "ok"]);
    let calls = stands.upstream.calls();
    assert_eq!(calls.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_a_cancelled_run_counts_until_its_process_has_ended_it() {
    if cluster().is_none() {
        return;
    }
    for delete in [false, true] {
        let calls = TestApp::spawn().await;
        let connection = json!({"base_url": calls.upstream.url("/"), "rate_limit": {"concurrency": 1}});
        calls.put("/v1/connections/one", &connection).await.expect(201);
        calls.define_one("/check", json!({}), json!({"connection": "one", "url": "/check"})).await;
        calls.upstream.otherwise(ok(json!({"value": 1})).held());
        let first = calls.create(json!({})).await;
        calls.upstream.wait_for_calls(1).await;
        let other = calls.beside(&[]).await;
        let second = other.create(json!({})).await;
        while other.case(&second).await["fields"]["check"]["waiting_for"] != "rate_limit" {
            tokio::task::yield_now().await;
        }
        if delete {
            other.delete(&format!("/v1/cases/{first}")).await.expect(204);
        } else {
            let run = other.runs(&first).await[0]["id"].as_str().unwrap().to_owned();
            other.post(&format!("/v1/runs/{run}/cancel"), &json!({})).await.expect(200);
        }
        other.drain().await;
        assert_eq!(calls.upstream.calls().len(), 1, "the call of the cancelled run is still open");
        // The process that calls is taken for dead; or it renews its leases and finds out.
        if delete {
            other.move_clock(secs(16));
        } else {
            calls.move_clock(secs(5));
        }
        calls.upstream.wait_for_calls(2).await;
        calls.upstream.release();
        drain((&other, &calls)).await;
        assert_eq!(other.case(&second).await["fields"]["check"]["status"], "succeeded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_fires_each_case_once() {
    let Some((first, second)) = two(&[]).await else { return };
    first.upstream.otherwise(ok(json!({"value": 1})));
    let schedule = json!({"trigger": "scheduled", "schedule": {"cron": "*/15 * * * *", "timezone": "UTC"}});
    first.define_one("/check", schedule, json!({})).await;
    let cases = join_all((0..300).map(|_| first.create(json!({})))).await;
    first.set_clock("2026-11-21T09:15:00Z");
    second.set_clock("2026-11-21T09:15:00Z");
    tokio::join!(first.tick(), second.tick());
    tokio::join!(first.tick(), second.tick());
    drain((&first, &second)).await;
    assert_eq!(first.upstream.calls().len(), cases.len());
    let schedules = second.get("/v1/schedules").await.expect(200);
    assert_eq!(schedules["items"][0]["last_runs"], 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_reaches_the_other_process() {
    let Some((first, second)) = two(&[("WORKERS__CONCURRENCY", "0")]).await else { return };
    let calls = AtomicUsize::new(0);
    first.upstream.otherwise_with(move |_| ok(json!({"value": calls.fetch_add(1, Ordering::SeqCst) + 1})));
    first.define_one("/check", json!({"cache_duration": 3600}), json!({})).await;
    assert_eq!(first.filled(json!({})).await["data"]["value"], 1);
    assert_eq!(first.filled(json!({})).await["data"]["value"], 1);
    second.delete("/v1/cache").await.expect(204);
    assert_eq!(first.filled(json!({})).await["data"]["value"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wakes_the_other_and_is_told_when_it_is_done() {
    let Some((works, serves)) = two(&[("WORKERS__CONCURRENCY", "0")]).await else { return };
    works.upstream.otherwise(ok(json!({"value": 7})));
    works.define_one("/check", json!({}), json!({})).await;
    works.drain().await;
    // No clock moves: nobody looks at the queue by himself, and the wait does not end in time.
    let request = serves.request("POST", "/v1/cases").header("Prefer", "wait=20");
    let case = serves.send(request.json(&json!({"case_type": "test", "data": {}}))).await.expect(201);
    assert_eq!(case["data"]["value"], 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_from_both_sides_all_stand() {
    let Some((first, second)) = two(&[]).await else { return };
    first.upstream.otherwise(ok(json!({"value": 1})));
    first.define_one("/check", json!({"trigger": ["on_create", "on_update"]}), json!({})).await;
    let cases = [first.create(json!({})).await, first.create(json!({})).await];
    let patch = |n: usize| {
        let (app, path) = (if n < 40 { &first } else { &second }, format!("/v1/cases/{}", cases[n % 2]));
        async move { app.patch(&path, &json!({"data": {format!("k{n}"): n}})).await.expect(200) }
    };
    join_all((0..80).map(patch)).await;
    drain((&first, &second)).await;
    let both = [first.case(&cases[0]).await, second.case(&cases[1]).await];
    for n in 0..80 {
        assert_eq!(both[n % 2]["data"][format!("k{n}")], n);
    }
    assert!(both.iter().all(|case| case["version"] == 41), "{both:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_sent_to_both_has_its_effect_once() {
    let Some((first, second)) = two(&[]).await else { return };
    first.define(json!([])).await;
    let create = |n: usize| {
        let app = if n.is_multiple_of(2) { &first } else { &second };
        let request = app.request("POST", "/v1/cases").header("Idempotency-Key", format!("key-{}", n / 10));
        app.send(request.json(&json!({"case_type": "test", "data": {"n": n / 10}})))
    };
    let answers = join_all((0..100).map(create)).await;
    let ids: HashSet<String> =
        answers.into_iter().map(|answer| answer.expect(201)["id"].to_string()).collect();
    assert_eq!(ids.len(), 10);
    assert_eq!(first.get("/v1/cases?limit=200").await.expect(200)["items"].as_array().unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_of_a_case_type_follow_one_another() {
    let Some((first, second)) = two(&[]).await else { return };
    let put = |n: usize| {
        let app = if n.is_multiple_of(2) { &first } else { &second };
        async move {
            let body = json!({"key": "test", "name": format!("name {n}"), "fields": []});
            app.put("/v1/case-types/test", &body).await
        }
    };
    let answers = join_all((0..20).map(put)).await;
    let mut versions: Vec<u64> = answers
        .into_iter()
        .map(|answer| {
            assert!([200, 201].contains(&answer.status), "{}", answer.body);
            answer.body["version"].as_u64().unwrap()
        })
        .collect();
    versions.sort_unstable();
    assert_eq!(versions, (1..=20).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_together_make_the_schema_once() {
    if cluster().is_none() {
        return;
    }
    let app = TestApp::spawn().await;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    let made = app.database.psql(tables);
    app.database.psql("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    let start = || async {
        let options = AppOptions { serves: false, ticks: false };
        let rng = std::sync::Arc::new(SystemRng::default());
        App::start(&app.settings, options, app.clock.clone(), rng, &LogRedactor::default()).await
    };
    let started: Vec<App> = join_all((0..4).map(|_| start())).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(app.database.psql(tables), made);
    assert_eq!(app.database.psql("SELECT count(*) FROM token"), "1");
    for process in started {
        process.stop(Duration::ZERO).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_master_key_nothing_starts() {
    if cluster().is_none() {
        return;
    }
    let app = TestApp::spawn().await;
    let mut settings = app.settings.clone();
    settings.security.master_key = None;
    let options = AppOptions { serves: false, ticks: false };
    let rng = std::sync::Arc::new(SystemRng::default());
    let started = App::start(&settings, options, app.clock.clone(), rng, &LogRedactor::default()).await;
    let error = started.err().unwrap().to_string();
    assert!(error.contains("DOSSIER__SECURITY__MASTER_KEY"), "{error}");
    assert!(!settings.security.master_key_file.exists());
}

/// The answers that everybody gets while there is no database.
async fn assert_away(app: &TestApp, case: &str) {
    let answers = [
        app.get(&format!("/v1/cases/{case}")).await,
        app.get("/health/ready").await,
        app.patch(&format!("/v1/cases/{case}"), &json!({"title": "x"})).await,
        app.post("/v1/cases", &json!({"case_type": "test", "data": {}})).await,
    ];
    for answer in answers {
        assert_eq!((answer.status, answer.code()), (503, "unavailable"), "{}", answer.body);
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(app.get("/health/live").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_and_comes_back_is_a_pause() {
    if cluster().is_none() {
        return;
    }
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1})).held());
    app.define_one("/check", json!({}), json!({})).await;
    let case = app.create(json!({})).await;
    app.upstream.wait_for_calls(1).await;
    for _ in 0..2 {
        app.database.close_to_all(true);
        assert_away(&app, &case).await;
        app.database.close_to_all(false);
        let mut answer = app.get("/health/ready").await;
        for _ in 0..10 {
            answer = app.get("/health/ready").await;
        }
        assert_eq!(answer.status, 200);
    }
    // The answer comes while nobody can write it down; it is kept until somebody can.
    app.database.close_to_all(true);
    app.upstream.release();
    while !app.log_lines().contains("the result cannot be written yet") {
        app.get("/health/live").await.expect(200);
    }
    app.database.close_to_all(false);
    while app.get(&format!("/v1/cases/{case}")).await.body["data"]["value"] != 1 {
        app.move_clock(Duration::from_millis(500));
    }
    app.drain().await;
    assert_eq!(app.upstream.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_nul_harms_neither_its_run_nor_its_neighbours() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise_with(|call| match call.query("n") {
        Some("0") => Reply::of("application/json", r#"{"value": "a\u0000b"}"#),
        Some("1") => Reply::of("text/plain", "a\0b"),
        _ => ok(json!({"value": 1})),
    });
    app.define_one("/check?n={data.n}", json!({}), json!({})).await;
    let cases = join_all((0..8).map(|n| app.create(json!({"n": n.to_string()})))).await;
    app.drain().await;
    let mut fields = Vec::new();
    for case in &cases {
        fields.push(app.case(case).await["fields"]["check"].take());
    }
    assert_eq!(fields[1]["error"]["code"], "invalid_response", "{}", fields[1]);
    assert!(fields.iter().skip(2).all(|field| field["status"] == "succeeded"));
    assert_ne!(fields[0]["error"]["code"], "internal");
    let kept = &app.runs(&cases[1]).await[0]["attempts"][0]["response"]["body"];
    assert!(["a\0b", "a\u{fffd}b"].contains(&kept.as_str().unwrap()), "{kept}");
    assert_eq!(app.upstream.calls().len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_large_harms_none_of_its_neighbours() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise_with(|call| match call.query("n") {
        // Larger than a case may be, than an answer may be, and as large as one may be.
        Some("0") => ok(json!({"value": "x".repeat(1_100_000)})),
        Some("1") => ok(json!({"value": "x".repeat(3 * 1024 * 1024)})),
        Some("2") => ok(json!({"value": 1, "rest": "x".repeat(1_900_000)})),
        _ => ok(json!({"value": 1})),
    });
    app.define_one("/check?n={data.n}", json!({}), json!({})).await;
    let cases = join_all((0..8).map(|n| app.create(json!({"n": n.to_string()})))).await;
    app.drain().await;
    for (n, case) in cases.iter().enumerate() {
        let field = app.case(case).await["fields"]["check"].take();
        let code = [json!("mapping_failed"), json!("response_too_large")].get(n).cloned();
        assert_eq!(field["error"]["code"], code.unwrap_or_default(), "{field}");
        assert_eq!(app.runs(case).await[0]["attempts"].as_array().unwrap().len(), 1);
    }
    assert_eq!(app.upstream.calls().len(), 8);
}

/// Whatever it has against it: here it is told that it must not take it.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_postgres_does_not_take_is_asked_for_once_and_harms_no_neighbour() {
    if cluster().is_none() {
        return;
    }
    let app = TestApp::spawn().await;
    app.database.psql("ALTER TABLE cases ADD CHECK (data NOT LIKE '%poison%')");
    app.upstream.otherwise_with(|call| match call.query("n") {
        Some("3") => ok(json!({"value": "poison"})).held(),
        _ => ok(json!({"value": 1})).held(),
    });
    app.define_one("/check?n={data.n}", json!({"retry": 3}), json!({})).await;
    let cases = join_all((0..8).map(|n| app.create(json!({"n": n.to_string()})))).await;
    app.upstream.wait_for_calls(8).await;
    app.upstream.release();
    app.drain().await;
    for (n, case) in cases.iter().enumerate() {
        let case = app.case(case).await;
        let field = &case["fields"]["check"];
        if n == 3 {
            assert_eq!((&field["status"], &field["error"]["code"]), (&json!("failed"), &json!("internal")));
            // The attempt is kept, as far as the database takes it.
            let run = app.runs(&cases[n]).await.remove(0);
            let attempt = &run["attempts"][0];
            assert_eq!((&attempt["number"], &attempt["outcome"]), (&json!(1), &json!("failed")), "{run}");
            assert_eq!(attempt["error"]["code"], "internal");
            assert!(attempt["request"]["url"].as_str().unwrap().ends_with("/check?n=3"), "{attempt}");
            let response = &attempt["response"];
            assert_eq!((&response["status"], &response["body"]), (&json!(200), &json!(null)), "{attempt}");
            assert_eq!((&response["truncated"], &response["bytes"]), (&json!(true), &json!(18)), "{attempt}");
        } else {
            assert_eq!(
                (&field["status"], &case["data"]["value"]),
                (&json!("succeeded"), &json!(1)),
                "{case}"
            );
        }
    }
    assert_eq!(app.upstream.calls().len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_of_a_type_that_the_other_process_deleted_is_refused() {
    let Some((first, second)) = two(&[]).await else { return };
    first.define(json!([])).await;
    let id = second.create(json!({})).await;
    first.delete(&format!("/v1/cases/{id}")).await.expect(204);
    first.delete("/v1/case-types/test").await.expect(204);
    // It remembers the type: its clock stands.
    let body = json!({"case_type": "test", "data": {}});
    let refused = second.post("/v1/cases", &body).await.expect(422);
    assert_eq!(
        (&refused["errors"][0]["pointer"], &refused["errors"][0]["code"]),
        (&json!("/case_type"), &json!("unknown_reference")),
        "{refused}"
    );
    first.define(json!([])).await;
    second.create(json!({})).await;
    // … and so it does when there is another type of that name by now.
    let id = first.get("/v1/cases").await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
    first.delete(&format!("/v1/cases/{id}")).await.expect(204);
    first.delete("/v1/case-types/test").await.expect(204);
    first.define(json!([{"key": "note", "type": "text", "default": "new"}])).await;
    let id = second.create(json!({})).await;
    assert_eq!(first.case(&id).await["data"]["note"], "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_first_case_and_the_deletion_of_its_type_one_wins() {
    let Some((first, second)) = two(&[]).await else { return };
    let body = json!({"case_type": "test", "data": {}});
    for round in 0..30 {
        first.define(json!([])).await;
        let (made, deleted) =
            tokio::join!(second.post("/v1/cases", &body), first.delete("/v1/case-types/test"));
        match (made.status, deleted.status) {
            (422, 204) => assert_eq!(made.body["errors"][0]["code"], "unknown_reference", "{round}"),
            (201, 409) => {
                assert_eq!(deleted.code(), "in_use", "{round}");
                let id = made.body["id"].as_str().unwrap();
                first.delete(&format!("/v1/cases/{id}")).await.expect(204);
                first.delete("/v1/case-types/test").await.expect(204);
            }
            other => panic!("{round}: {other:?} {} {}", made.body, deleted.body),
        }
    }
}
