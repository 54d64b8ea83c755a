//! Two processes on one database, SQLite or PostgreSQL: what the one changes, the other does not
//! remember otherwise. No clock moves, so nothing is forgotten by itself.

use serde_json::{Value, json};

use crate::app::{Answer, TestApp, secs};
use crate::upstream::{ok, status};

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
