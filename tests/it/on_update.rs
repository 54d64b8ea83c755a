//! A changed value fires the fields that watch it, whoever changed it, once.

use serde_json::{Value, json};

use crate::app::{TestApp, secs};
use crate::upstream::{Call, ok, status};

/// Asks `/<key>` with `?v=<source>`; the answer becomes `data.<key>`.
fn echo(app: &TestApp, key: &str, trigger: &Value, source: &str) -> Value {
    let more = json!({"params": {"v": source}, "response_mapping": {key: "$.value"}});
    app.field(&format!("/{key}"), json!({"key": key, "trigger": trigger}), more)
}

/// A provider that answers `{"value": "<path>:<v>"}`.
fn echoing(app: &TestApp) {
    app.upstream.otherwise_with(|call: &Call| {
        ok(json!({"value": format!("{}:{}", call.path.trim_start_matches('/'), call.query("v").unwrap_or("-"))}))
    });
}

fn paths(app: &TestApp) -> Vec<String> {
    app.upstream.calls().iter().map(|call| call.path.trim_start_matches('/').to_owned()).collect()
}

async fn patch(app: &TestApp, id: &str, data: Value) -> Value {
    app.patch(&format!("/v1/cases/{id}"), &json!({"data": data})).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_value_fires_when_it_changes_by_value() {
    let app = TestApp::spawn().await;
    echoing(&app);
    app.define(json!([echo(&app, "check", &json!("on_update"), "{data.vat}")])).await;
    let id = app.create(json!({"vat": "a", "other": 1})).await;
    app.drain().await;
    assert_eq!(paths(&app).len(), 0, "not at creation");
    for (change, calls) in [
        (json!({"vat": "a"}), 0),
        (json!({"other": 2}), 0),
        (json!({"vat": "b"}), 1),
        (json!({"vat": "b", "other": 3}), 1),
        (json!({"vat": "a"}), 2),
    ] {
        patch(&app, &id, change.clone()).await;
        app.drain().await;
        assert_eq!(paths(&app).len(), calls, "{change}");
    }
    let case = app.case(&id).await;
    assert_eq!(case["data"]["check"], "check:a");
    let run = app.runs(&id).await.remove(0);
    assert_eq!((&run["trigger"], &run["chain"]["depth"]), (&json!("on_update"), &json!(0)));
    app.patch(&format!("/v1/cases/{id}"), &json!({"title": "x", "status": "closed"})).await.expect(200);
    app.drain().await;
    assert_eq!(paths(&app).len(), 2, "the case itself is watched only when it is named");
}

#[tokio::test(flavor = "multi_thread")]
async fn arrays_and_nested_values_are_watched() {
    let app = TestApp::spawn().await;
    echoing(&app);
    app.define(json!([
        echo(&app, "first", &json!("on_update"), "{data.people.0.name}"),
        echo(&app, "city", &json!("on_update"), "{data.address.city}"),
    ]))
    .await;
    let id = app.create(json!({"people": [{"name": "Ann", "age": 3}], "address": {"city": "Gent"}})).await;
    patch(&app, &id, json!({"people": [{"name": "Ann", "age": 4}], "address": {"zip": "9000"}})).await;
    app.drain().await;
    assert_eq!(paths(&app).len(), 0);
    patch(&app, &id, json!({"people": [{"name": "Bob"}, {"name": "Ann"}], "address": {"city": "Brugge"}}))
        .await;
    app.drain().await;
    let data = app.case(&id).await["data"].clone();
    assert_eq!((&data["first"], &data["city"]), (&json!("first:Bob"), &json!("city:Brugge")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_changes_is_one_run_that_sees_the_last() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": 1})).held());
    app.define(json!([echo(&app, "check", &json!("on_update"), "{data.vat}")])).await;
    let id = app.create(json!({"vat": "a"})).await;
    patch(&app, &id, json!({"vat": "b"})).await;
    app.upstream.wait_for_calls(1).await;
    for vat in ["c", "d", "e"] {
        let case = patch(&app, &id, json!({"vat": vat})).await;
        assert_eq!(case["fields"]["check"]["status"], "running", "the begun run is what is shown");
    }
    let runs = app.runs(&id).await;
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert_eq!(runs[0]["waiting_for"], "predecessor");
    assert_eq!(runs[0]["joined"].as_array().unwrap().len(), 2);
    app.upstream.release();
    app.upstream.wait_for_calls(2).await;
    app.upstream.release();
    app.drain().await;
    let sent: Vec<_> = app.upstream.calls().iter().map(|call| call.query("v").unwrap().to_owned()).collect();
    assert_eq!(sent, ["b", "e"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn mapped_values_fire_further_fields_in_a_chain() {
    let app = TestApp::spawn().await;
    echoing(&app);
    let on_update = json!(["on_update"]);
    app.define(json!([
        echo(&app, "a", &json!("on_create"), "{data.seed}"),
        echo(&app, "b", &on_update, "{data.a}"),
        echo(&app, "c", &on_update, "{data.b}"),
    ]))
    .await;
    let case = app.filled(json!({"seed": "s"})).await;
    assert_eq!(case["data"]["c"], "c:b:a:s");
    assert_eq!(case["settled"], true);
    let runs = app.runs(case["id"].as_str().unwrap()).await;
    let depths: Vec<_> = runs.iter().map(|run| run["chain"]["depth"].as_u64().unwrap()).collect();
    assert_eq!(depths, [2, 1, 0]);
    assert_eq!(runs[0]["chain"]["parent_run_id"], runs[1]["id"]);
    assert_eq!(runs[0]["joined"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn output_variables_are_watched_and_fire_only_when_they_change() {
    let app = TestApp::spawn().await;
    app.upstream
        .answers([
            ok(json!({"id": 1})),
            ok(json!({"value": "one"})),
            ok(json!({"id": 1})),
            ok(json!({"id": 2})),
            ok(json!({"value": "two"})),
        ])
        .await;
    app.define(json!([
        app.field("/a", json!({"key": "a"}), json!({"response_mapping": {}, "output_variable": "found"})),
        echo(&app, "b", &json!("on_update"), "{found.id}"),
    ]))
    .await;
    let case = app.filled(json!({})).await;
    assert_eq!(case["data"]["b"], "one");
    let id = case["id"].as_str().unwrap();
    for _ in 0..2 {
        app.post(&format!("/v1/cases/{id}/fields/a/refresh"), &json!({})).await.expect(202);
        app.drain().await;
    }
    assert_eq!(app.case(id).await["data"]["b"], "two");
    assert_eq!(app.upstream.calls().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circle_stops_after_eight_steps_and_says_so() {
    let app = TestApp::spawn().await;
    let counter = std::sync::atomic::AtomicU64::new(0);
    app.upstream.otherwise_with(move |_: &Call| {
        ok(json!({"value": counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed)}))
    });
    app.define(json!([
        echo(&app, "a", &json!("on_update"), "{data.b}"),
        echo(&app, "b", &json!("on_update"), "{data.a}"),
    ]))
    .await;
    let id = app.create(json!({"a": "x", "b": "y"})).await;
    let change = json!({"data": {"b": "z"}});
    app.patch(&format!("/v1/cases/{id}?override=false"), &change).await.expect(200);
    app.drain().await;
    let case = app.case(&id).await;
    assert_eq!(case["settled"], true);
    assert_eq!(app.upstream.calls().len(), 9, "depths 0 to 8");
    let failed: Vec<_> =
        ["a", "b"].iter().filter(|key| case["fields"][*key]["error"]["code"] == "chain_too_deep").collect();
    assert_eq!(failed.len(), 1, "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_never_fires_its_own_field() {
    let app = TestApp::spawn().await;
    echoing(&app);
    app.define(json!([app.field(
        "/tidy",
        json!({"key": "tidy", "trigger": "on_update", "watch": ["vat"]}),
        json!({"params": {"v": "{data.vat}"}, "response_mapping": {"vat": "$.value"}}),
    )]))
    .await;
    let id = app.create(json!({"vat": "a"})).await;
    let case = patch(&app, &id, json!({"vat": "b"})).await;
    assert_eq!(case["fields"]["tidy"]["overridden"], json!([]), "the request reads it, so it is not pinned");
    app.drain().await;
    let case = app.case(&id).await;
    assert_eq!((&case["data"]["vat"], app.upstream.calls().len()), (&json!("tidy:b"), 1));
    assert_eq!(case["fields"]["tidy"]["inputs_changed"], false, "its own write makes nothing stale");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_is_what_was_there_before_the_change() {
    let app = TestApp::spawn().await;
    echoing(&app);
    let rising = app.field(
        "/rising",
        json!({"key": "rising", "trigger": "on_update", "when": "data.amount > old.amount"}),
        json!({"response_mapping": {"rising": "$.value"}}),
    );
    app.define(json!([rising])).await;
    let id = app.create(json!({"amount": 10})).await;
    patch(&app, &id, json!({"amount": 5})).await;
    app.drain().await;
    let state = app.case(&id).await["fields"]["rising"].clone();
    assert_eq!((&state["status"], &state["reason"]), (&json!("skipped"), &json!("condition")));
    patch(&app, &id, json!({"amount": 6})).await;
    app.drain().await;
    assert_eq!(app.case(&id).await["fields"]["rising"]["status"], "succeeded");
    assert_eq!(app.upstream.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_lacked_its_input_at_creation_fires_when_it_arrives() {
    let app = TestApp::spawn().await;
    echoing(&app);
    for triggers in [json!(["on_create"]), json!(["on_create", "on_update"])] {
        app.define(json!([echo(&app, "check", &triggers, "{data.vat}")])).await;
        let before = app.upstream.calls().len();
        let case = app.filled(json!({})).await;
        let id = case["id"].as_str().unwrap();
        assert_eq!(case["fields"]["check"]["missing"], json!(["data.vat"]));
        patch(&app, id, json!({"other": 1})).await;
        patch(&app, id, json!({"vat": "a"})).await;
        app.drain().await;
        assert_eq!(app.case(id).await["data"]["check"], "check:a");
        assert_eq!(app.upstream.calls().len(), before + 1, "one firing");
        let run = app.runs(id).await.remove(0);
        assert_eq!(run["joined"], json!([]));
        let fires_again = triggers.as_array().unwrap().len() - 1;
        patch(&app, id, json!({"vat": "b"})).await;
        app.drain().await;
        assert_eq!(app.upstream.calls().len(), before + 1 + fires_again, "{triggers}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_input_may_be_mapped_or_another_fields_output() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/a", status(500));
    app.upstream.on_with("GET", "/b", |call: &Call| ok(json!({"value": call.query("v").unwrap_or("-")})));
    app.define(json!([
        app.field(
            "/a",
            json!({"key": "a", "retry": 0}),
            json!({"output_variable": "found", "response_mapping": {"x": "$.id"}})
        ),
        echo(&app, "b", &json!("on_create"), "{found.id}"),
        app.field(
            "/b",
            json!({"key": "c"}),
            json!({"params": {"v": "{data.x}"}, "response_mapping": {"c": "$.value"}})
        ),
    ]))
    .await;
    let case = app.filled(json!({})).await;
    let id = case["id"].as_str().unwrap();
    assert_eq!(case["fields"]["b"]["missing"], json!(["found.id"]));
    app.upstream.on("GET", "/a", ok(json!({"id": "7"})));
    app.post(&format!("/v1/cases/{id}/fields/a/refresh"), &json!({})).await.expect(202);
    app.drain().await;
    let case = app.case(id).await;
    assert_eq!((&case["data"]["b"], &case["data"]["c"]), (&json!("7"), &json!("7")), "{case}");
    let run = app.runs(id).await.into_iter().find(|run| run["field"] == "b").unwrap();
    assert_eq!((&run["trigger"], &run["chain"]["depth"]), (&json!("on_create"), &json!(1)));
}

async fn stale(app: &TestApp) -> usize {
    let found = app.get("/v1/cases?field.check=stale").await.expect(200);
    found["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn data_made_from_other_values_says_so() {
    let app = TestApp::spawn().await;
    echoing(&app);
    app.define(json!([echo(&app, "check", &json!(["on_create", "manual"]), "{data.vat}")])).await;
    let case = app.filled(json!({"vat": "a"})).await;
    let id = case["id"].as_str().unwrap();
    let marks = |case: &Value| {
        let state = &case["fields"]["check"];
        (state["inputs_changed"].clone(), state["stale"].clone())
    };
    assert_eq!(marks(&case), (json!(false), json!(false)));
    assert_eq!(marks(&patch(&app, id, json!({"vat": "b"})).await), (json!(true), json!(true)));
    assert_eq!(stale(&app).await, 1);
    assert_eq!(marks(&patch(&app, id, json!({"vat": "a"})).await), (json!(false), json!(false)));
    assert_eq!(stale(&app).await, 0);
    patch(&app, id, json!({"vat": "c"})).await;
    app.post(&format!("/v1/cases/{id}/fields/check/refresh"), &json!({})).await.expect(202);
    app.drain().await;
    let case = app.case(id).await;
    assert_eq!((marks(&case), &case["data"]["check"]), ((json!(false), json!(false)), &json!("check:c")));
    app.advance(secs(100_000)).await;
    assert_eq!(app.case(id).await["fields"]["check"]["expires_at"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_while_the_call_is_under_way_makes_its_answer_stale() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": 1})).held());
    app.define(json!([echo(&app, "check", &json!("on_create"), "{data.vat}")])).await;
    let id = app.create(json!({"vat": "a"})).await;
    app.upstream.wait_for_calls(1).await;
    patch(&app, &id, json!({"vat": "b"})).await;
    app.upstream.release();
    app.drain().await;
    let state = app.case(&id).await["fields"]["check"].clone();
    assert_eq!((&state["status"], &state["inputs_changed"]), (&json!("succeeded"), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn params_that_change_while_the_call_is_under_way_make_its_answer_stale() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/check", ok(json!({"value": 1})).held());
    let define = async |rate: u64| {
        let mut field = echo(&app, "check", &json!("on_create"), "{data.vat}");
        field["watch"] = json!(["params.rate"]);
        let body = json!({"key": "test", "params": {"rate": rate}, "fields": [field]});
        app.put("/v1/case-types/test", &body).await.body
    };
    define(1).await;
    let id = app.create(json!({"vat": "a"})).await;
    app.upstream.wait_for_calls(1).await;
    define(2).await;
    app.upstream.release();
    app.drain().await;
    let state = app.case(&id).await["fields"]["check"].clone();
    assert_eq!((&state["status"], &state["inputs_changed"]), (&json!("succeeded"), &json!(true)), "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_arrives_while_the_field_finds_it_missing_is_not_lost() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/a", ok(json!({"id": "7"})).held());
    app.upstream.on_with("GET", "/b", |call: &Call| ok(json!({"value": call.query("v").unwrap_or("-")})));
    app.define(json!([
        app.field("/a", json!({"key": "a"}), json!({"response_mapping": {"x": "$.id"}})),
        app.field(
            "/b",
            json!({"key": "b"}),
            json!({"params": {"v": "{data.x}"}, "response_mapping": {"b": "$.value"}})
        ),
    ]))
    .await;
    // Fifty cases: whichever of the two ends first, and however closely, the second is filled.
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(app.create(json!({})).await);
    }
    app.upstream.wait_for_calls(50).await;
    app.upstream.release();
    app.drain().await;
    for id in ids {
        let case = app.case(&id).await;
        assert_eq!(case["data"]["b"], "7", "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_fields_of_one_case_that_end_together_both_stand() {
    let app = TestApp::spawn().await;
    echoing(&app);
    app.define(json!([
        echo(&app, "a", &json!(["on_create", "on_update"]), "{data.seed}"),
        echo(&app, "b", &json!(["on_create", "on_update"]), "{data.seed}"),
    ]))
    .await;
    let rounds = if std::env::var_os("DOSSIER_LONG").is_some() { 1000 } else { 60 };
    let id = app.create(json!({"seed": "0"})).await;
    for round in 1..=rounds {
        patch(&app, &id, json!({"seed": round.to_string()})).await;
        app.drain().await;
        let data = app.case(&id).await["data"].clone();
        assert_eq!(data["a"], format!("a:{round}"));
        assert_eq!(data["b"], format!("b:{round}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_type_that_is_current_at_the_commit_decides_what_fires() {
    let app = TestApp::spawn().await;
    app.upstream.on("GET", "/a", ok(json!({"value": "x"})).held());
    app.upstream.on_with("GET", "/b", |call: &Call| ok(json!({"value": call.query("v").unwrap_or("-")})));
    let a = || echo(&app, "a", &json!("on_create"), "1");
    app.define(json!([a()])).await;
    let id = app.create(json!({})).await;
    app.upstream.wait_for_calls(1).await;
    app.define(json!([a(), echo(&app, "b", &json!("on_update"), "{data.a}")])).await;
    app.upstream.release();
    app.drain().await;
    assert_eq!(app.case(&id).await["data"]["b"], "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_param_marks_the_data_and_fires_nothing() {
    let app = TestApp::spawn().await;
    echoing(&app);
    let define = async |region: &str| {
        let more = json!({"params": {"v": "{params.region}"}, "response_mapping": {"a": "$.value"}});
        let watching = json!({"key": "a", "trigger": ["on_create", "on_update"], "watch": ["params.region"]});
        let field = app.field("/a", watching, more);
        let body = json!({"key": "test", "params": {"region": region}, "fields": [field]});
        app.put("/v1/case-types/test", &body).await
    };
    assert_eq!(define("eu").await.expect(201)["warnings"].as_array().unwrap().len(), 1);
    let case = app.filled(json!({})).await;
    define("us").await.expect(200);
    app.drain().await;
    let case = app.case(case["id"].as_str().unwrap()).await;
    assert_eq!((&case["data"]["a"], &case["fields"]["a"]["stale"]), (&json!("a:eu"), &json!(true)));
    assert_eq!(app.upstream.calls().len(), 1);
}
