//! The edges of firing, overrides and what a field says about its inputs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::upstream::{Call, ok};

/// Asks `/<key>` with `?v=<source>`; the answer becomes `data.<key>`.
fn echo(app: &TestApp, key: &str, field: Value, source: &str) -> Value {
    let more = json!({"params": {"v": source}, "response_mapping": {key: "$.value"}});
    let mut field = field;
    field["key"] = json!(key);
    app.field(&format!("/{key}"), field, more)
}

/// A provider that answers `{"value": "<path>:<v>", "id": "7"}`.
fn echoing(app: &TestApp) {
    app.upstream.otherwise_with(|call: &Call| {
        let value = format!("{}:{}", call.path.trim_start_matches('/'), call.query("v").unwrap_or("-"));
        ok(json!({"value": value, "id": "7"}))
    });
}

async fn patch(app: &TestApp, id: &str, data: Value) -> Value {
    app.patch(&format!("/v1/cases/{id}"), &json!({"data": data})).await.expect(200)
}

async fn calls_after(app: &TestApp, id: &str, data: Value) -> usize {
    patch(app, id, data).await;
    app.drain().await;
    app.upstream.calls().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn watched_data_with_the_name_of_a_root_stays_data() {
    let app = TestApp::spawn().await;
    echoing(&app);
    let names = ["data.now", "data.case.title", "data.params.x", "data.data.x", "case.title", "vat"];
    let field = echo(&app, "check", json!({"trigger": "on_update", "watch": names}), "1");
    let saved = app.define(json!([field])).await;
    let shown = saved["fields"][0]["watch"].clone();
    assert_eq!(
        shown,
        json!(["data.now", "data.case.title", "data.params.x", "data.data.x", "case.title", "vat"])
    );
    app.put("/v1/case-types/test", &saved).await.expect(200);
    let case = app.filled(json!({})).await;
    let id = case["id"].as_str().unwrap();
    for (n, change) in [
        json!({"now": 1}),
        json!({"case": {"title": 1}}),
        json!({"params": {"x": 1}}),
        json!({"data": {"x": 1}}),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(calls_after(&app, id, change.clone()).await, n + 1, "{change}");
    }
    patch(&app, id, json!({"case": {"title": 2}})).await;
    app.drain().await;
    assert_eq!(app.case(id).await["fields"]["check"]["inputs_changed"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_compared_by_value() {
    let app = TestApp::spawn().await;
    echoing(&app);
    app.define(json!([
        echo(&app, "check", json!({"trigger": "on_update", "watch": ["n", "list"]}), "1"),
        app.field(
            "/m",
            json!({"key": "m", "trigger": "on_create"}),
            json!({"response_mapping": {"m": {"path": "$.id", "type": "integer"}}})
        ),
    ]))
    .await;
    let case = app.filled(json!({"n": 1, "list": [{"a": 2}]})).await;
    let id = case["id"].as_str().unwrap();
    let before = app.upstream.calls().len();
    assert_eq!(calls_after(&app, id, json!({"n": 1.0, "list": [{"a": 2.0}]})).await, before);
    let case = patch(&app, id, json!({"m": 7.0})).await;
    assert_eq!(case["fields"]["m"]["overridden"], json!([]), "it is the same number");
    assert_eq!(calls_after(&app, id, json!({"n": 1.5})).await, before + 1);
    let case = patch(&app, id, json!({"n": 1.50, "list": [{"a": 2}]})).await;
    assert_eq!(case["fields"]["check"]["inputs_changed"], false, "the same numbers, written otherwise");
    assert_eq!(patch(&app, id, json!({"m": 8})).await["fields"]["m"]["overridden"], json!(["m"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_is_watched_and_not_read_makes_nothing_stale() {
    let app = TestApp::spawn().await;
    echoing(&app);
    app.define(json!([
        app.field("/a", json!({"key": "a"}), json!({"response_mapping": {}, "output_variable": "answer"})),
        echo(&app, "b", json!({"trigger": ["on_update"], "watch": ["answer.id"]}), "1"),
    ]))
    .await;
    let case = app.filled(json!({})).await;
    assert_eq!(case["data"]["b"], "b:1");
    let id = case["id"].as_str().unwrap();
    let case = patch(&app, id, json!({"other": 1})).await;
    assert_eq!(case["fields"]["b"]["inputs_changed"], false, "{case}");
    let case = patch(&app, id, json!({"answer": {"id": "8"}})).await;
    assert_eq!(case["fields"]["b"]["inputs_changed"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_only_the_field_itself_fills_makes_nothing_stale() {
    let app = TestApp::spawn().await;
    echoing(&app);
    app.define(json!([app.field(
        "/geo",
        json!({"key": "geo", "watch": ["address"], "trigger": ["on_create", "on_update"]}),
        json!({"response_mapping": {"address.geo.id": "$.id"}}),
    )]))
    .await;
    let case = app.filled(json!({})).await;
    let id = case["id"].as_str().unwrap();
    let case = patch(&app, id, json!({"other": 1})).await;
    assert_eq!(case["data"]["address"]["geo"]["id"], "7");
    assert_eq!(case["fields"]["geo"]["inputs_changed"], false, "{case}");
    assert_eq!(calls_after(&app, id, json!({"address": {"street": "s"}})).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_of_an_older_version_writes_fires_who_watches_it_now() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/a", ok(json!({"value": "x"})).held());
    app.upstream.on_with("GET", "/b", |call: &Call| ok(json!({"value": call.query("v").unwrap_or("-")})));
    let reader = || {
        app.field(
            "/b",
            json!({"key": "b", "trigger": "on_update"}),
            json!({"params": {"v": "{data.a}"}, "response_mapping": {"b": "$.value"}}),
        )
    };
    app.define(json!([echo(&app, "a", json!({}), "1"), reader()])).await;
    let ids = [app.create(json!({})).await, app.create(json!({})).await];
    app.upstream.wait_for_calls(2).await;
    let moved = app.field("/a", json!({"key": "a"}), json!({"response_mapping": {"elsewhere": "$.value"}}));
    app.define(json!([moved, reader()])).await;
    app.upstream.release();
    app.drain().await;
    for id in ids {
        let data = app.case(&id).await["data"].clone();
        assert_eq!((&data["a"], &data["b"]), (&json!("x"), &json!("x")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_set_while_an_overwrite_is_under_way_stands() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": "provider"})).held());
    let config = json!({"response_mapping": {"old": "$.value", "new": "$.value", "again": "$.value"}});
    app.define_one("/check", json!({"trigger": "manual"}), config).await;
    let id = app.create(json!({})).await;
    patch(&app, &id, json!({"old": "before", "again": "before"})).await;
    let path = format!("/v1/cases/{id}/fields/check/refresh");
    app.post(&path, &json!({"overwrite": true})).await.expect(202);
    app.upstream.wait_for_calls(1).await;
    patch(&app, &id, json!({"new": "meanwhile", "again": "meanwhile"})).await;
    app.upstream.release();
    app.drain().await;
    let case = app.case(&id).await;
    assert_eq!(case["data"], json!({"old": "provider", "new": "meanwhile", "again": "meanwhile"}));
    assert_eq!(case["fields"]["check"]["overridden"], json!(["new", "again"]));
    let run = app.runs(&id).await.remove(0);
    assert_eq!((&run["written"], &run["kept_manual"]), (&json!(["old"]), &json!(["new", "again"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_far_below_a_target_overrides_it() {
    let app = TestApp::spawn().await;
    let deep = |leaf| (0..40).fold(json!(leaf), |inner, _| json!({"x": inner}));
    app.upstream.otherwise(ok(json!({"value": deep(1)})));
    app.define_one("/check", json!({}), json!({})).await;
    let case = app.filled(json!({})).await;
    let id = case["id"].as_str().unwrap();
    let case = patch(&app, id, json!({"value": deep(2)})).await;
    assert_eq!(case["fields"]["check"]["overridden"], json!(["value"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn provenance_below_a_mapped_value_is_listed_whatever_its_names_are() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": {"data": {"x": 1}}})));
    app.define_one("/check", json!({}), json!({})).await;
    let case = app.filled(json!({})).await;
    let id = case["id"].as_str().unwrap();
    let case = patch(&app, id, json!({"value": {"data": {"x": 2}}})).await;
    assert_eq!(case["provenance"]["value.data.x"]["source"], "api", "{}", case["provenance"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_cleared_while_its_run_is_under_way_is_written() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": "provider"})).held());
    app.define_one("/check", json!({"trigger": "manual"}), json!({})).await;
    let id = app.create(json!({})).await;
    patch(&app, &id, json!({"value": "person"})).await;
    app.post(&format!("/v1/cases/{id}/fields/check/refresh"), &json!({})).await.expect(202);
    app.upstream.wait_for_calls(1).await;
    app.delete(&format!("/v1/cases/{id}/overrides/value")).await.expect(204);
    app.upstream.release();
    app.drain().await;
    let case = app.case(&id).await;
    assert_eq!(case["data"]["value"], "provider");
    assert_eq!(app.runs(&id).await[0]["kept_manual"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_odd_letters_are_overridden_and_given_back() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    let config =
        json!({"response_mapping": {"a/b": "$.value", "größe %2F+": "$.value", "x y.z?": "$.value"}});
    app.define_one("/check", json!({}), config).await;
    let case = app.filled(json!({})).await;
    let id = case["id"].as_str().unwrap();
    let case = patch(&app, id, json!({"a/b": 2, "größe %2F+": 2, "x y": {"z?": 2}})).await;
    assert_eq!(case["fields"]["check"]["overridden"].as_array().unwrap().len(), 3, "{case}");
    for path in ["a%2Fb", "gr%C3%B6%C3%9Fe%20%252F%2B", "data.x%20y.z%3F"] {
        let answer = app.delete(&format!("/v1/cases/{id}/overrides/{path}")).await;
        assert_eq!(answer.status, 204, "{path} {}", answer.body);
    }
    assert_eq!(app.case(id).await["fields"]["check"]["overridden"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn params_of_any_name_are_watched() {
    let app = TestApp::spawn().await;
    echoing(&app);
    let name = "a\"b'c";
    let define = async |value: u64| {
        let field = echo(&app, "check", json!({"watch": [format!("params.x.{name}")]}), "1");
        let body = json!({"key": "test", "params": {"x": {name: value}}, "fields": [field]});
        app.put("/v1/case-types/test", &body).await
    };
    let saved = define(1).await;
    assert_eq!(saved.status, 201, "{}", saved.body);
    let case = app.filled(json!({})).await;
    define(2).await.expect(200);
    let case = app.case(case["id"].as_str().unwrap()).await;
    assert_eq!(case["fields"]["check"]["inputs_changed"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_what_has_changed_is_not_told_as_all_of_it() {
    let app = TestApp::spawn().await;
    app.define(json!([])).await;
    let id = app.create(json!({})).await;
    let late = async |tag: &str| {
        let request = app.request("PATCH", &format!("/v1/cases/{id}")).header("if-match", tag);
        let answer = app.send(request.json(&json!({"title": "mine"}))).await;
        assert_eq!(answer.status, 412, "{}", answer.body);
        answer.body["changed"].clone()
    };
    patch(&app, &id, json!({"first": 1})).await;
    app.move_clock(Duration::from_hours(200 * 24));
    for _ in 0..3 {
        app.sweep().await;
    }
    patch(&app, &id, json!({"second": 1})).await;
    assert_eq!(late("\"2.2\"").await, json!(["data.second"]));
    assert_eq!(
        late("\"1.1\"").await.as_array().map(Vec::len).unwrap_or_default(),
        0,
        "the first is forgotten"
    );
}
