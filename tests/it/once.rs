//! `Idempotency-Key`: what is sent twice happens once, whatever happens in between.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp};
use crate::database::cluster;
use crate::process::Process;
use crate::upstream::{client, ok, status};

const CASES: &str = "/v1/cases";

async fn post(app: &TestApp, path: &str, key: &str, body: &Value) -> Answer {
    app.send(app.request("POST", path).header("Idempotency-Key", key).json(body)).await
}

fn is_replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

async fn count(app: &TestApp, path: &str) -> u64 {
    app.get(&format!("{path}?count=true")).await.expect(200)["total"].as_u64().unwrap()
}

fn case(title: &str) -> Value {
    json!({"case_type": "test", "title": title})
}

#[tokio::test]
async fn a_replay_answers_the_first_status_and_the_case_as_it_is_now() {
    let app = TestApp::spawn().await;
    app.define_one("/check", json!({}), json!({})).await;
    app.upstream.otherwise(ok(json!({"value": 7})));
    let first = post(&app, CASES, "k", &case("a")).await;
    assert!(first.status == 201 && !is_replayed(&first), "{first:?}");
    let url = first.header("location").unwrap().to_owned();
    app.drain().await;
    app.patch(&url, &json!({"title": "b"})).await.expect(200);

    let again = post(&app, CASES, "k", &case("a")).await;
    assert!(is_replayed(&again), "{again:?}");
    assert_eq!(again.header("location"), Some(url.as_str()));
    assert!(again.header("etag").unwrap().starts_with("\"2."), "{again:?}");
    let now = app.get(&url).await.expect(200);
    assert_eq!(again.expect(201), now);
    assert_eq!((&now["title"], &now["data"]["value"]), (&json!("b"), &json!(7)));

    // Byte by byte: a space more is another body.
    let request = app.request("POST", CASES).header("Idempotency-Key", "k").body(" {}");
    let other = app.send(request).await;
    assert_eq!((other.status, other.code()), (422, "idempotency_mismatch"), "{}", other.body);
    assert_eq!(post(&app, CASES, "k2", &case("a")).await.status, 201);
    assert_eq!(count(&app, CASES).await, 2);

    app.delete(&url).await;
    let gone = post(&app, CASES, "k", &case("a")).await;
    assert_eq!((gone.status, gone.code()), (404, "not_found"), "{}", gone.body);
    app.drain().await;
    assert_eq!(count(&app, CASES).await, 1);
}

#[tokio::test]
async fn fifty_at_once_make_one_case() {
    let app = TestApp::spawn().await;
    app.define_one("/check", json!({}), json!({})).await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    let body = case("a");
    let answers = join_all((0..50).map(|_| post(&app, CASES, "k", &body))).await;
    let first = answers.iter().filter(|answer| !is_replayed(answer)).count();
    let ids: HashSet<String> =
        answers.into_iter().map(|answer| answer.expect(201)["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!((ids.len(), first, count(&app, CASES).await), (1, 1, 1));
    app.drain().await;
    assert_eq!(app.upstream.calls().len(), 1);

    // Two bodies under one key: one of them wins, the other is told so.
    let bodies = [case("b"), case("c")];
    let answers = join_all((0..40).map(|n| post(&app, CASES, "two", &bodies[n % 2]))).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((made.len(), refused.len()), (20, 20));
    assert!(made.iter().all(|answer| answer.body["id"] == made[0].body["id"]));
    assert!(refused.iter().all(|answer| answer.code() == "idempotency_mismatch"));
    assert_eq!(count(&app, CASES).await, 2);

    // All of them want a reference that is taken.
    let taken = json!({"case_type": "test", "reference": "R"});
    app.post(CASES, &taken).await.expect(201);
    let answers = join_all((0..20).map(|_| post(&app, CASES, "taken", &taken))).await;
    assert!(answers.iter().all(|answer| (answer.status, answer.code()) == (409, "already_exists")));
    assert_eq!(count(&app, CASES).await, 3);

    // Under one key, one body that cannot be made and one that can: whichever is first.
    let free = json!({"case_type": "test", "reference": "F"});
    let answers =
        join_all((0..20).map(|n| post(&app, CASES, "mixed", if n % 2 == 0 { &taken } else { &free }))).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert!(matches!(made, 0 | 10), "{made}");
    assert_eq!(count(&app, CASES).await, 3 + u64::from(made > 0));
    app.drain().await;
}

#[tokio::test]
async fn a_refresh_is_repeated_with_the_runs_that_it_queued() {
    let app = TestApp::spawn().await;
    app.define(json!([
        app.field(
            "/a",
            json!({"key": "a", "trigger": "on_create"}),
            json!({"response_mapping": {"a": "$.value"}})
        ),
        app.field(
            "/b",
            json!({"key": "b", "trigger": "on_create"}),
            json!({"response_mapping": {"b": "$.value"}})
        ),
    ]))
    .await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    let id = app.create(json!({})).await;
    app.drain().await;
    let (one, all) = (format!("{CASES}/{id}/fields/a/refresh"), format!("{CASES}/{id}/refresh"));
    let first = post(&app, &one, "k", &json!({})).await;
    let run = first.header("location").unwrap().to_owned();
    app.drain().await;
    let again = post(&app, &one, "k", &json!({})).await;
    assert!(is_replayed(&again) && again.header("location") == Some(run.as_str()), "{again:?}");
    let again = again.expect(202);
    assert_eq!((&again["id"], &again["status"]), (&first.expect(202)["id"], &json!("succeeded")));

    // The same key on another path, or with another token, is another key.
    let several = post(&app, &all, "k", &json!({})).await.expect(202);
    assert_eq!(several["runs"].as_array().map(Vec::len), Some(2));
    app.drain().await;
    let again = post(&app, &all, "k", &json!({})).await;
    assert!(is_replayed(&again));
    let again = again.expect(202);
    let ids = |body: &Value| {
        body["runs"].as_array().unwrap().iter().map(|run| run["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&again), ids(&several));
    assert_eq!(app.runs(&id).await.len(), 5);

    let token = app.post("/v1/tokens", &json!({"name": "b", "role": "operator"})).await.expect(201);
    let request = client().post(app.url(&one)).bearer_auth(token["token"].as_str().unwrap());
    let other = app.send(request.header("Idempotency-Key", "k").json(&json!({}))).await;
    assert!(other.status == 202 && !is_replayed(&other), "{other:?}");
    app.drain().await;

    // Who waited until the end got 200, and so does the replay, waiting or not.
    let waiting = app.request("POST", &one).header("Idempotency-Key", "w").header("Prefer", "wait=5");
    let waited = app.send(waiting).await.expect(200);
    let again = app.send(app.request("POST", &one).header("Idempotency-Key", "w")).await;
    assert!(is_replayed(&again));
    assert_eq!(again.expect(200)["id"], waited["id"]);
}

#[tokio::test]
async fn a_replay_can_wait_for_what_the_first_one_did_not() {
    let app = TestApp::spawn().await;
    app.define_one("/check", json!({}), json!({})).await;
    app.upstream.otherwise(ok(json!({"value": 1})).held());
    post(&app, CASES, "k", &case("a")).await.expect(201);
    app.upstream.wait_for_calls(1).await;
    let waiting = app.request("POST", CASES).header("Idempotency-Key", "k").header("Prefer", "wait=9");
    let (again, ()) = tokio::join!(app.send(waiting.json(&case("a"))), async { app.upstream.release() });
    assert_eq!(again.header("preference-applied"), Some("wait=9"));
    assert_eq!(again.expect(201)["data"]["value"], 1);
}

#[tokio::test]
async fn types_and_tokens_are_made_once() {
    let app = TestApp::spawn().await;
    let body = json!({"key": "kyb", "fields": []});
    let first = post(&app, "/v1/case-types", "k", &body).await.expect(201);
    let again = post(&app, "/v1/case-types", "k", &body).await;
    assert!(is_replayed(&again) && again.header("location") == Some("/v1/case-types/kyb"), "{again:?}");
    assert_eq!(again.expect(201), first);

    let body = json!({"name": "ci", "role": "viewer"});
    let first = post(&app, "/v1/tokens", "k", &body).await.expect(201);
    let again = post(&app, "/v1/tokens", "k", &body).await;
    assert_eq!((again.status, again.code()), (409, "already_exists"));
    assert!(
        is_replayed(&again) && again.body["detail"].as_str().unwrap().contains(first["id"].as_str().unwrap())
    );
    assert!(!again.body.to_string().contains(first["token"].as_str().unwrap()));
    assert_eq!(count(&app, "/v1/tokens").await, 2);
    let stored = app.database_bytes();
    let token = first["token"].as_str().unwrap().as_bytes();
    assert!(!stored.windows(token.len()).any(|part| part == token), "the key keeps the token");
}

#[tokio::test]
async fn what_was_refused_stays_refused_under_its_key() {
    let app = TestApp::spawn().await;
    let refused = post(&app, CASES, "k", &case("a")).await;
    assert_eq!((refused.status, refused.code()), (422, "invalid"));
    let garbled = app.send(app.request("POST", CASES).header("Idempotency-Key", "g").body("{")).await;
    assert_eq!((garbled.status, garbled.code()), (400, "malformed_json"));
    app.define(json!([])).await;

    let again = post(&app, CASES, "k", &case("a")).await;
    assert_eq!((again.status, again.code()), (422, "invalid"), "{}", again.body);
    assert!(
        is_replayed(&again) && again.body["detail"].as_str().unwrap().contains("new key"),
        "{}",
        again.body
    );
    let again = app.send(app.request("POST", CASES).header("Idempotency-Key", "g").body("{")).await;
    assert!(is_replayed(&again) && again.code() == "malformed_json", "{}", again.body);
    // A problem names its own request, also when it repeats an older one.
    let id = again.header("x-request-id").unwrap();
    assert_eq!(again.body["request_id"], id, "{}", again.body);
    let corrected = post(&app, CASES, "k", &case("b")).await;
    assert_eq!((corrected.status, corrected.code()), (422, "idempotency_mismatch"));
    post(&app, CASES, "k2", &case("a")).await.expect(201);

    // Who may not is not kept: the same request may do once the token can.
    let token = app.post("/v1/tokens", &json!({"name": "v", "role": "viewer"})).await.expect(201);
    for _ in 0..2 {
        let request = client().post(app.url(CASES)).bearer_auth(token["token"].as_str().unwrap());
        let forbidden = app.send(request.header("Idempotency-Key", "v").json(&case("a"))).await;
        assert!(forbidden.code() == "forbidden" && !is_replayed(&forbidden), "{}", forbidden.body);
    }
    for bad in ["", "a b", &"x".repeat(256)] {
        let answer = post(&app, CASES, bad, &case("a")).await;
        assert_eq!((answer.status, answer.code()), (400, "malformed_request"), "{bad}");
    }
    // On other methods the header means nothing.
    let put = app.request("PUT", "/v1/case-types/test").header("Idempotency-Key", "a b");
    app.send(put.json(&json!({"fields": []}))).await.expect(200);
    assert_eq!(count(&app, CASES).await, 1);
}

#[tokio::test]
async fn a_key_is_good_for_a_day_and_over_a_restart() {
    let mut app = TestApp::spawn().await;
    app.define(json!([])).await;
    let first = post(&app, CASES, "k", &case("a")).await.expect(201);
    app.restart().await;
    assert_eq!(post(&app, CASES, "k", &case("a")).await.expect(201)["id"], first["id"]);
    app.advance(Duration::from_millis(24 * 3_600_000 - 1)).await;
    assert_eq!(post(&app, CASES, "k", &case("a")).await.expect(201)["id"], first["id"]);
    app.advance(Duration::from_millis(1)).await;
    let anew = post(&app, CASES, "k", &case("b")).await;
    assert!(!is_replayed(&anew));
    assert_ne!(anew.expect(201)["id"], first["id"]);
    assert!(is_replayed(&post(&app, CASES, "k", &case("b")).await));
    assert_eq!(count(&app, CASES).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_in_the_middle_makes_nothing_twice() {
    const KEYS: usize = 60;
    let folder = tempfile::tempdir().unwrap();
    let http = client();
    let process = Process::serve(folder.path(), "127.0.0.1:9").await;
    let body = json!({"key": "test", "fields": []});
    assert_eq!(process.call(&http, "PUT", "/v1/case-types/test", Some(&body)).await.0, 201);
    let create = |base: &str, n: usize| {
        let request = http.post(format!("{base}{CASES}")).bearer_auth(crate::process::TOKEN);
        request.header("Idempotency-Key", format!("key-{n}")).json(&case("a")).send()
    };
    let answered = async |sent: reqwest::Result<reqwest::Response>| {
        let body: Value = sent.ok()?.json().await.ok()?;
        body["id"].as_str().map(str::to_owned)
    };
    // The first one is answered for certain; of the others nobody knows how far they come.
    let first = answered(create(&process.base, 0).await).await.unwrap();
    let base = process.base.clone();
    let others = join_all((1..KEYS).map(|n| create(&base, n)));
    let (others, ()) = tokio::join!(others, async {
        answered(create(&base, KEYS).await).await.unwrap();
        process.kill();
    });
    let mut before = vec![Some(first)];
    for sent in others {
        before.push(answered(sent).await);
    }

    let process = Process::serve(folder.path(), "127.0.0.1:9").await;
    for (n, before) in before.into_iter().enumerate() {
        let sent = create(&process.base, n).await.unwrap();
        assert_eq!(sent.status(), 201);
        let replayed = sent.headers().contains_key("idempotent-replayed");
        let id = answered(Ok(sent)).await;
        assert!(before.is_none() || (replayed && id == before), "{n}: {before:?} {id:?}");
    }
    let (_, list) = process.call(&http, "GET", "/v1/cases?count=true", None).await;
    assert_eq!(list["total"], KEYS + 1);
}

#[tokio::test]
async fn no_hash_of_a_body_is_kept_that_could_be_guessed() {
    let app = TestApp::spawn().await;
    let person = json!({"name": "Ada", "email": "ada@example.com", "role": "viewer", "password": "guess me, if you can"});
    let made = post(&app, "/v1/people", "k", &person).await;
    assert!(made.status == 201 && !is_replayed(&made), "{made:?}");
    assert!(is_replayed(&post(&app, "/v1/people", "k", &person).await));
    let plain = ring::digest::digest(&ring::digest::SHA256, person.to_string().as_bytes());
    let rows = app.database_bytes();
    assert!(
        !rows.windows(8).any(|bytes| bytes == &plain.as_ref()[..8]),
        "the plain hash of a password is kept"
    );
    let path = b"POST /v1/people";
    assert!(rows.windows(path.len()).any(|bytes| bytes == path), "this looked where the key is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_later_of_two_at_two_processes_waits_for_the_first_and_becomes_a_replay() {
    if cluster().is_none() {
        return;
    }
    let here = TestApp::spawn().await;
    let there = here.beside(&[("WORKERS__CONCURRENCY", "0")]).await;
    here.upstream.otherwise(status(503));
    let person = json!({"name": "Ada", "email": "ada@example.com", "role": "viewer"});
    let timed = json!({"key": "timed", "trigger": "scheduled", "schedule": {"cron": "0 3 * * *"}});
    here.define(json!([
        here.field("/check", json!({}), json!({})),
        here.field("/timed", timed, json!({"response_mapping": {"timed": "$.value"}})),
    ]))
    .await;
    let case = here.create(json!({})).await;
    here.drain().await;
    let run = here.runs(&case).await[0]["id"].as_str().unwrap().to_owned();
    let schedules = here.get("/v1/schedules").await.expect(200);
    let schedule = format!("/v1/schedules/{}", schedules["items"][0]["id"].as_str().unwrap());
    let connection = json!({"key": "vies", "base_url": here.upstream.url("/")});
    let made = [201, 200, 202, 200, 200, 201, 201];
    let calls = [
        ("/v1/people", &person),
        (&*format!("/v1/runs/{run}/cancel"), &json!({})),
        (&format!("{schedule}/run"), &json!({})),
        (&format!("{schedule}/pause"), &json!({})),
        ("/v1/connections/{}/disable", &json!({})),
        ("/v1/connections", &connection),
        ("/v1/case-types", &json!({"key": "kyb", "fields": []})),
    ];
    here.put("/v1/connections/own", &json!({"base_url": here.upstream.url("/")})).await.expect(201);
    for ((path, body), made) in calls.into_iter().zip(made) {
        let path = path.replace("{}", "own");
        // Each can look at everything, but not keep its key.
        let held = here.database.hold("LOCK TABLE idempotency IN EXCLUSIVE MODE");
        let both = async { tokio::join!(post(&here, &path, "k", body), post(&there, &path, "k", body)) };
        let (both, ()) = tokio::join!(both, async {
            here.database.wait_for_waiting(2).await;
            drop(held);
        });
        let (one, other) = both;
        assert_eq!((one.status, other.status), (made, made), "{path}: {} {}", one.body, other.body);
        assert_ne!(is_replayed(&one), is_replayed(&other), "{path}");
    }
}
