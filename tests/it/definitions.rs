//! What a case type may say about triggers: saved in normal form, or refused with nothing lost.

use serde_json::{Value, json};

use crate::app::TestApp;

const PATH: &str = "/v1/case-types/test";

fn body(app: &TestApp, over: &Value) -> Value {
    let config = json!({"params": {"vat": "{data.vat}"}, "response_mapping": {"valid": "$.valid"}});
    json!({"key": "test", "fields": [{"key": "vat", "type": "text"}, app.field("/check", over.clone(), config)]})
}

#[tokio::test(flavor = "multi_thread")]
async fn every_trigger_is_saved_and_reads_back_the_same() {
    let app = TestApp::spawn().await;
    let field = json!({
        "trigger": ["on_create", "on_update", "scheduled"], "watch": ["vat", "data.address.city"],
        "schedule": {"cron": "0 6 * * 1", "older_than": 604_800}, "cache_duration": 3600,
    });
    let saved = app.put(PATH, &body(&app, &field)).await.expect(201);
    let check = &saved["fields"][1];
    assert_eq!(check["trigger"], field["trigger"]);
    assert_eq!(check["watch"], json!(["vat", "address.city"]));
    let schedule =
        json!({"cron": "0 6 * * 1", "timezone": "UTC", "older_than": 604_800, "include_closed": false});
    assert_eq!((&check["schedule"], &check["cache_duration"]), (&schedule, &json!(3600)));
    assert_eq!(saved["warnings"], json!([]));
    let again = app.put(PATH, &saved).await.expect(200);
    assert_eq!((&again["version"], &again["fields"]), (&json!(1), &saved["fields"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_hold_together_is_refused_and_the_saved_type_stays() {
    let app = TestApp::spawn().await;
    let saved = app.put(PATH, &body(&app, &json!({"trigger": "on_update"}))).await.expect(201);
    let bad = json!({
        "trigger": ["on_update", "scheduled"], "watch": ["vat", "a..b", 5],
        "schedule": {"cron": "61 * * * *", "timezone": "Europe/Brusels", "older_than": 0},
    });
    let refused = app.put(PATH, &body(&app, &bad)).await.expect(422);
    assert_eq!(refused["code"], "invalid");
    let errors = refused["errors"].as_array().unwrap();
    let pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    let expected = ["watch/1", "watch/2", "schedule/cron", "schedule/timezone", "schedule/older_than"]
        .map(|at| format!("/fields/1/{at}"));
    assert_eq!(pointers, expected, "{refused}");
    assert!(refused.to_string().contains("did you mean `Europe/Brussels`?"), "{refused}");
    assert_eq!(app.get(PATH).await.expect(200)["fields"], saved["fields"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circle_of_fields_is_saved_with_a_warning_at_each() {
    let app = TestApp::spawn().await;
    let field = |key: &str, reads: &str, writes: &str| {
        let config =
            json!({"params": {"q": format!("{{data.{reads}}}")}, "response_mapping": {writes: "$.value"}});
        app.field(&format!("/{key}"), json!({"key": key, "trigger": "on_update"}), config)
    };
    let fields = [field("a", "x", "y"), field("b", "y", "z"), field("c", "z", "x")];
    let saved = app.put(PATH, &json!({"key": "test", "fields": fields})).await.expect(201);
    let warnings = saved["warnings"].as_array().unwrap();
    let pointers: Vec<_> = warnings.iter().map(|it| it["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/fields/0/trigger", "/fields/1/trigger", "/fields/2/trigger"]);
    let first = warnings[0]["message"].as_str().unwrap();
    assert!(first.starts_with("`a` → `b` → `c` → `a`") && first.contains("8 steps"), "{first}");
}
