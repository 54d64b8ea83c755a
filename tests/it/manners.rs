//! What programs expect of an API: changes that lose nothing, bodies that can be sent back, ids
//! by which a request is found again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::app::{Answer, TestApp};
use crate::upstream::ok;

async fn conditional(app: &TestApp, method: &str, url: &str, tag: &str, body: &Value) -> Answer {
    app.send(app.request(method, url).header("If-Match", tag).json(body)).await
}

fn changed(answer: &Answer) -> Vec<&str> {
    answer.body["changed"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect()
}

#[tokio::test]
async fn who_comes_too_late_is_told_what_has_changed() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    app.define_one("/check", json!({"trigger": "manual"}), json!({})).await;
    let url = format!("/v1/cases/{}", app.create(json!({"vat_number": "BE1", "address": {"zip": 1}})).await);
    let tag = app.get(&url).await.header("etag").unwrap().to_owned();
    assert_eq!(tag, "\"1.1\"");
    let patch = json!({"title": "Acme", "data": {"vat_number": "BE2", "address": {"city": "Gent"}}});
    let second = conditional(&app, "PATCH", &url, &tag, &patch).await;
    let tag_of_second = second.header("etag").unwrap().to_owned();
    second.expect(200);
    app.patch(&url, &json!({"status": "closed", "title": "Acme SA"})).await.expect(200);

    let late = conditional(&app, "PATCH", &url, &tag, &json!({"title": "Mine"})).await;
    assert_eq!((late.status, late.code()), (412, "version_mismatch"), "{}", late.body);
    assert_eq!(changed(&late), ["data.address.city", "data.vat_number", "status", "title"]);
    let detail = late.body["detail"].as_str().unwrap();
    assert!(detail.contains("version 3") && detail.contains("`data.vat_number`"), "{detail}");
    let late = conditional(&app, "DELETE", &url, &tag_of_second, &Value::Null).await;
    assert_eq!((late.status, changed(&late)), (412, vec!["status", "title"]), "{}", late.body);
    // Of several tags the newest counts, and one that fits is enough.
    let late = conditional(&app, "PATCH", &url, &format!("{tag}, {tag_of_second}"), &json!({})).await;
    assert_eq!((late.status, changed(&late)), (412, vec!["status", "title"]));
    conditional(&app, "PATCH", &url, "\"1.1\", \"3.999\"", &json!({})).await.expect(200);
    conditional(&app, "PATCH", &url, "*", &json!({})).await.expect(200);
    for never in ["W/\"3.3\"", "\"9.1\"", "\"abc\"", "3.3", ""] {
        let refused = conditional(&app, "PATCH", &url, never, &json!({"title": "x"})).await;
        assert_eq!((refused.status, changed(&refused)), (412, vec![]), "{never}: {}", refused.body);
    }
    assert_eq!(app.get(&url).await.expect(200)["title"], "Acme SA");
    let elsewhere = conditional(&app, "POST", "/v1/cases", &tag, &json!({"case_type": "test"})).await;
    assert_eq!((elsewhere.status, elsewhere.code()), (422, "not_supported_yet"));

    assert_eq!(conditional(&app, "DELETE", &url, "\"3.1\"", &Value::Null).await.status, 204);
    let gone = conditional(&app, "PATCH", &url, "*", &json!({})).await;
    assert_eq!((gone.status, gone.code()), (404, "not_found"));
}

#[tokio::test]
async fn case_types_are_changed_by_condition_too() {
    let app = TestApp::spawn().await;
    let url = "/v1/case-types/test";
    app.define(json!([])).await;
    let read = app.get(url).await;
    let tag = read.header("etag").unwrap().to_owned();
    assert_eq!(tag, "\"1\"");
    let mut body = read.expect(200);
    let again = || app.request("GET", url).header("If-None-Match", &tag);
    let same = app.send(again()).await;
    assert_eq!((same.status, same.header("etag")), (304, Some(tag.as_str())));
    body["name"] = json!("Test");
    conditional(&app, "PUT", url, &tag, &body).await.expect(200);
    assert_eq!(app.send(again()).await.expect(200)["name"], "Test");
    body["name"] = json!("Mine");
    let late = conditional(&app, "PUT", url, &tag, &body).await;
    assert_eq!((late.status, late.code(), changed(&late)), (412, "version_mismatch", vec!["name"]));
    let late = conditional(&app, "DELETE", url, &tag, &Value::Null).await;
    assert_eq!((late.status, late.code()), (412, "version_mismatch"));
    assert_eq!(conditional(&app, "DELETE", url, "\"2\"", &Value::Null).await.status, 204);
    let gone = conditional(&app, "PUT", url, "*", &body).await;
    assert_eq!((gone.status, gone.code()), (412, "version_mismatch"), "{}", gone.body);
    assert_eq!(app.get(url).await.status, 404);
}

/// Reads, adds one, writes if nobody else did; answers how often somebody had.
#[tokio::test]
async fn what_is_to_be_new_replaces_nothing() {
    let app = TestApp::spawn().await;
    let send = async |method: &str, url: &str, tags: &[&str], body: &Value| {
        let mut request = app.request(method, url).json(body);
        for tag in tags {
            request = request.header("If-None-Match", *tag);
        }
        app.send(request).await
    };
    let secret = json!({"value": "first-value-1", "hosts": []});
    for (url, body) in [
        ("/v1/connections/new", json!({"base_url": "https://registry.example"})),
        ("/v1/case-types/new", json!({"fields": []})),
        ("/v1/secrets/new", secret),
    ] {
        send("PUT", url, &["*"], &body).await.expect(201);
        let second = send("PUT", url, &["*"], &body).await;
        assert_eq!((second.status, second.code()), (412, "version_mismatch"), "{url} {}", second.body);
        send("PUT", url, &[], &body).await.expect(200);
        for (method, tags) in [
            ("PUT", &["\"1\""][..]),
            ("PUT", &["*", "*"]),
            ("PUT", &[""]),
            ("DELETE", &["*"]),
            ("POST", &["*"]),
        ] {
            let path = if method == "POST" { url.strip_suffix("/new").unwrap() } else { url };
            let refused = send(method, path, tags, &body).await;
            // Secrets are not made by POST.
            if (method, path) != ("POST", "/v1/secrets") {
                let told = (refused.status, refused.code());
                assert_eq!(told, (422, "not_supported_yet"), "{method} {path} {tags:?}");
            }
        }
        let both = app.request("PUT", url).header("If-None-Match", "*").header("If-Match", "*").json(&body);
        assert_eq!(app.send(both).await.code(), "not_supported_yet");
    }
    let patched = send("PATCH", "/v1/workspace", &["*"], &json!({"name": "x"})).await;
    assert_eq!((patched.status, patched.code()), (422, "not_supported_yet"));
}

async fn count_up(app: &TestApp, url: &str, rounds: u64) -> u64 {
    let mut conflicts = 0;
    for _ in 0..rounds {
        loop {
            let read = app.get(url).await;
            let tag = read.header("etag").unwrap().to_owned();
            let next = read.body["data"]["counter"].as_u64().unwrap() + 1;
            let written = conditional(app, "PATCH", url, &tag, &json!({"data": {"counter": next}})).await;
            if written.status == 200 {
                break;
            }
            assert_eq!((written.status, changed(&written)), (412, vec!["data.counter"]), "{}", written.body);
            conflicts += 1;
        }
    }
    conflicts
}

/// Refreshes the case as fast as it can while the work goes on; answers how often.
async fn while_busy<T>(app: &TestApp, url: &str, work: impl Future<Output = T>) -> (T, u64) {
    let (over, refreshes) = (AtomicBool::new(false), AtomicU64::new(0));
    let refresh = async {
        while !over.load(Ordering::Relaxed) {
            let request = app.request("POST", &format!("{url}/fields/check/refresh"));
            app.send(request.header("Prefer", "wait=30")).await.expect(200);
            refreshes.fetch_add(1, Ordering::Relaxed);
        }
    };
    let work = async {
        let done = work.await;
        over.store(true, Ordering::Relaxed);
        done
    };
    let (done, ()) = tokio::join!(work, refresh);
    (done, refreshes.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_and_a_busy_engine_lose_no_update() {
    let rounds = if std::env::var_os("DOSSIER_LONG").is_some() { 2_000 } else { 300 };
    let app = TestApp::spawn().await;
    app.define_one("/check", json!({"trigger": "manual"}), json!({})).await;
    let value = AtomicU64::new(0);
    app.upstream.otherwise_with(move |_| ok(json!({"value": value.fetch_add(1, Ordering::Relaxed)})));
    let url = format!("/v1/cases/{}", app.create(json!({"counter": 0})).await);

    let (conflicts, refreshes) = while_busy(&app, &url, count_up(&app, &url, rounds / 3)).await;
    assert_eq!(conflicts, 0, "a client alone was refused because of {refreshes} runs");
    let both = async { tokio::join!(count_up(&app, &url, rounds / 3), count_up(&app, &url, rounds / 3)) };
    let ((one, other), more) = while_busy(&app, &url, both).await;
    let case = app.get(&url).await.expect(200);
    assert_eq!(case["data"]["counter"], rounds / 3 * 3, "{one} and {other} conflicts");
    assert_eq!(case["data"]["value"], refreshes + more - 1, "a run's value was lost");
    assert_eq!(case["version"], 1 + rounds / 3 * 3);
}

#[tokio::test]
async fn what_was_read_can_be_sent_back() {
    let app = TestApp::spawn().await;
    let secret = json!({"value": "correct-horse", "hosts": ["x.example"]});
    app.put("/v1/secrets/vies", &secret).await.expect(201);
    let fields = json!([
        {"key": "n", "type": "number"},
        app.field("/check", json!({}), json!({
            "response_mapping": {"whole": "$.whole", "nothing": "$.nothing"}, "output_variable": "answer",
            "auth": {"type": "bearer", "token": "a-literal-token"},
        })),
    ]);
    app.define(fields).await;
    app.upstream.otherwise(ok(json!({
        "whole": {"a": null, "b": [null, {"c": null}], "n": 12_345_678_901_234_567_i64, "f": 1.0},
    })));
    let case = app.filled(json!({"n": 1.5, "kept": null, "deep": {"kept": null}})).await;
    assert_eq!((&case["data"]["kept"], &case["data"]["nothing"]), (&Value::Null, &Value::Null));
    let url = format!("/v1/cases/{}", case["id"].as_str().unwrap());
    let before = app.get(&url).await;
    let after = app.patch(&url, &case).await;
    assert_eq!(after.header("etag"), before.header("etag"));
    assert_eq!(after.expect(200), case);
    assert_eq!(app.case(case["id"].as_str().unwrap()).await, case, "neither version nor revision grows");
    // Many programs know one kind of number only, and write `1.0` as `1`.
    let mut rounded = case.clone();
    rounded["data"]["whole"]["f"] = json!(1);
    assert_eq!(app.patch(&url, &rounded).await.header("etag"), before.header("etag"));
    // A null still removes what holds something.
    let patched = app.patch(&url, &json!({"data": {"n": null, "deep": null}})).await.expect(200);
    assert!(patched["data"].get("n").is_none() && patched["data"].get("deep").is_none(), "{patched}");
    assert_eq!((&patched["version"], &patched["data"]["answer"]), (&json!(2), &case["data"]["answer"]));

    let shown = app.get("/v1/case-types/test").await.expect(200);
    let saved = app.put("/v1/case-types/test", &shown).await.expect(200);
    assert_eq!((&saved["version"], &saved["fields"]), (&json!(1), &shown["fields"]));
    let mut shown = app.get("/v1/secrets").await.expect(200)["items"][0].take();
    shown["value"] = json!("correct-horse-2");
    let kept = app.put("/v1/secrets/vies", &shown).await.expect(200);
    assert_eq!((&kept["hosts"], &kept["redact"]), (&shown["hosts"], &shown["redact"]));
    let made = app.post("/v1/cases", &patched).await.expect(201);
    assert_ne!(made["id"], patched["id"]);
    app.drain().await;
}

#[tokio::test]
async fn a_request_is_found_again_by_its_id() {
    let app = TestApp::spawn_with(&[("LIMITS__REQUEST_BYTES", "2000")]).await;
    let get = |id: &str| app.send(app.request("GET", "/v1/cases/nothing").header("X-Request-Id", id));
    let refused = get("trace-77~").await;
    assert_eq!(
        (refused.header("x-request-id"), &refused.body["request_id"]),
        (Some("trace-77~"), &json!("trace-77~"))
    );
    let lines = app.log_lines();
    assert!(lines.lines().any(|line| line.contains("trace-77~") && line.contains("404")), "{lines}");
    for not_taken in ["a b", &"x".repeat(129)] {
        let refused = get(not_taken).await;
        let id = refused.header("x-request-id").unwrap();
        assert!(id.len() == 36 && id.as_bytes()[14] == b'7' && refused.body["request_id"] == id, "{id}");
    }
    let listed = app.send(app.request("GET", "/v1/cases").header("X-Request-Id", "mine")).await;
    assert_eq!((listed.status, listed.header("x-request-id")), (200, Some("mine")));

    for key in [None, Some("k")] {
        let mut long = app.request("POST", "/v1/cases").body("x".repeat(2001));
        if let Some(key) = key {
            long = long.header("Idempotency-Key", key);
        }
        let refused = app.send(long).await;
        assert_eq!((refused.status, refused.code()), (413, "too_large"), "the limit of the settings counts");
    }
}

#[tokio::test]
async fn a_refresh_that_fires_nothing_changes_nothing() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    app.define_one("/check", json!({"trigger": "manual"}), json!({})).await;
    let url = format!("/v1/cases/{}", app.create(json!({})).await);
    let tag = app.get(&url).await.header("etag").unwrap().to_owned();
    for body in [json!({}), json!({"fields": []})] {
        let answer = app.post(&format!("{url}/refresh"), &body).await;
        assert_eq!(answer.body["runs"], json!([]), "{}", answer.body);
    }
    let unknown = app.post(&format!("{url}/refresh"), &json!({"fields": ["check", "chek"]})).await;
    assert_eq!((unknown.status, unknown.code()), (422, "invalid"), "{}", unknown.body);
    assert_eq!(unknown.body["errors"][0]["pointer"], "/fields/1");
    assert!(unknown.body["errors"][0]["message"].as_str().unwrap().contains("did you mean `check`"));
    assert_eq!(app.post(&format!("{url}/fields/chek/refresh"), &json!({})).await.status, 404);
    assert_eq!(app.get(&url).await.header("etag"), Some(tag.as_str()));
    app.post(&format!("{url}/refresh"), &json!({"fields": ["check"]})).await.expect(202);
    assert_ne!(app.get(&url).await.header("etag"), Some(tag.as_str()));
    app.drain().await;
}
