//! What a person sets by hand stands against runs, until it is given back.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::upstream::{Call, client, ok};

/// A field that fills `name` and `address.city`, from a provider whose answers count up.
async fn registry() -> TestApp {
    let app = TestApp::spawn().await;
    let count = std::sync::atomic::AtomicU64::new(1);
    app.upstream.otherwise_with(move |_: &Call| {
        let n = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        ok(json!({"name": format!("name {n}"), "city": format!("city {n}"), "n": n}))
    });
    app.define(json!([app.field(
        "/registry",
        json!({"key": "registry"}),
        json!({"response_mapping": {"name": "$.name", "address.city": "$.city"}}),
    )]))
    .await;
    app
}

async fn patch(app: &TestApp, id: &str, query: &str, data: Value) -> Value {
    app.patch(&format!("/v1/cases/{id}{query}"), &json!({"data": data})).await.expect(200)
}

async fn refresh(app: &TestApp, id: &str, body: Value) -> Value {
    app.post(&format!("/v1/cases/{id}/fields/registry/refresh"), &body).await.expect(202);
    app.drain().await;
    app.case(id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_set_by_hand_is_kept_and_the_run_says_so() {
    let app = registry().await;
    let case = app.filled(json!({})).await;
    let id = case["id"].as_str().unwrap();
    assert_eq!(case["fields"]["registry"]["overridden"], json!([]));
    let case = patch(&app, id, "", json!({"name": "by hand"})).await;
    assert_eq!(case["fields"]["registry"]["overridden"], json!(["name"]));
    assert_eq!(case["provenance"]["name"]["source"], "api");
    let case = refresh(&app, id, json!({})).await;
    assert_eq!(
        (&case["data"]["name"], &case["data"]["address"]["city"]),
        (&json!("by hand"), &json!("city 2"))
    );
    assert_eq!(case["fields"]["registry"]["status"], "succeeded");
    let run = app.runs(id).await.remove(0);
    assert_eq!((&run["kept_manual"], &run["written"]), (&json!(["name"]), &json!(["address.city"])));
    app.delete(&format!("/v1/cases/{id}/overrides/name")).await.expect(204);
    let case = app.case(id).await;
    assert_eq!((&case["data"]["name"], &case["version"]), (&json!("by hand"), &json!(3)));
    assert_eq!(refresh(&app, id, json!({})).await["data"]["name"], "name 3");
}

#[tokio::test(flavor = "multi_thread")]
async fn overwrite_clears_them_when_its_run_succeeds() {
    let app = registry().await;
    let case = app.filled(json!({})).await;
    let id = case["id"].as_str().unwrap();
    patch(&app, id, "", json!({"name": "by hand", "address": {"city": "mine"}})).await;
    let case = refresh(&app, id, json!({"overwrite": true})).await;
    assert_eq!(case["fields"]["registry"]["overridden"], json!([]));
    assert_eq!(
        (&case["data"]["name"], &case["data"]["address"]["city"]),
        (&json!("name 2"), &json!("city 2"))
    );
    assert_eq!(app.runs(id).await[0]["overwrite"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_want_to_override_says_so() {
    let app = registry().await;
    let case = app.filled(json!({})).await;
    let id = case["id"].as_str().unwrap();
    let case = patch(&app, id, "?override=false", json!({"name": "synced"})).await;
    assert_eq!(
        (&case["data"]["name"], &case["fields"]["registry"]["overridden"]),
        (&json!("synced"), &json!([]))
    );
    let body = json!({"name": "sync", "role": "operator", "overrides": false});
    let token = app.post("/v1/tokens", &body).await.expect(201)["token"].as_str().unwrap().to_owned();
    let request = client()
        .patch(app.url(&format!("/v1/cases/{id}")))
        .bearer_auth(token)
        .json(&json!({"data": {"name": "synced again"}}));
    let case = app.send(request).await.expect(200);
    assert_eq!(
        (&case["data"]["name"], &case["fields"]["registry"]["overridden"]),
        (&json!("synced again"), &json!([]))
    );
    assert_eq!(refresh(&app, id, json!({})).await["data"]["name"], "name 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_given_at_creation_do_not_pin_and_null_gives_back() {
    let app = registry().await;
    let case = app.filled(json!({"name": "given"})).await;
    let id = case["id"].as_str().unwrap();
    assert_eq!(case["data"]["name"], "name 1");
    patch(&app, id, "", json!({"name": "x", "address": {"city": "y"}})).await;
    let case = patch(&app, id, "", json!({"name": null, "address": null})).await;
    assert_eq!(case["fields"]["registry"]["overridden"], json!([]));
    assert!(case["data"].get("name").is_none());
    let case = refresh(&app, id, json!({})).await;
    assert_eq!(
        (&case["data"]["name"], &case["data"]["address"]["city"]),
        (&json!("name 2"), &json!("city 2"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_cannot_fail_the_run() {
    let app = registry().await;
    let strict = app.field(
        "/registry",
        json!({"key": "registry"}),
        json!({"response_mapping": {
            "name": {"path": "$.name", "type": "integer"},
            "absent": {"path": "$.absent", "required": true},
            "n": "$.n",
        }}),
    );
    app.define(json!([strict])).await;
    let case = app.filled(json!({})).await;
    let id = case["id"].as_str().unwrap();
    assert_eq!(case["fields"]["registry"]["error"]["code"], "mapping_failed");
    patch(&app, id, "", json!({"name": "by hand", "absent": 1})).await;
    let case = refresh(&app, id, json!({})).await;
    assert_eq!(case["fields"]["registry"]["status"], "succeeded", "{case}");
    assert_eq!((&case["data"]["n"], &case["data"]["name"]), (&json!(2), &json!("by hand")));
    assert_eq!(app.runs(id).await[0]["kept_manual"], json!(["name", "absent"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_sets_while_the_call_is_under_way_wins() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": "provider"})).held());
    let config =
        json!({"response_mapping": {"a": "$.value", "b": {"path": "$.value", "overwrite": "if_empty"}}});
    app.define_one("/check", json!({}), config).await;
    let id = app.create(json!({})).await;
    app.upstream.wait_for_calls(1).await;
    patch(&app, &id, "", json!({"a": "person"})).await;
    patch(&app, &id, "?override=false", json!({"b": "person"})).await;
    app.upstream.release();
    app.drain().await;
    let case = app.case(&id).await;
    assert_eq!((&case["data"]["a"], &case["data"]["b"]), (&json!("person"), &json!("person")));
    let run = app.runs(&id).await.remove(0);
    assert_eq!((&run["status"], &run["kept_manual"]), (&json!("succeeded"), &json!(["a"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_override_to_clear() {
    let app = registry().await;
    let case = app.filled(json!({})).await;
    let id = case["id"].as_str().unwrap();
    for path in ["name", "data.name", "nothing", "a..b"] {
        assert_eq!(app.delete(&format!("/v1/cases/{id}/overrides/{path}")).await.status, 404, "{path}");
    }
    patch(&app, id, "", json!({"address": {"city": "mine"}})).await;
    app.delete(&format!("/v1/cases/{id}/overrides/data.address.city")).await.expect(204);
    assert_eq!(app.case(id).await["fields"]["registry"]["overridden"], json!([]));
}
