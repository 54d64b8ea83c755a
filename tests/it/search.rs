//! Cases are found by beginnings of words of reference and title, and by values in their data.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::upstream::ok;

/// References, or titles, of what a query finds, in the order of the list.
async fn found(app: &TestApp, query: &str) -> Vec<String> {
    let list = app.get(&format!("/v1/cases?{query}")).await.expect(200);
    let name = |case: &Value| case["reference"].as_str().unwrap_or_default().to_owned();
    list["items"].as_array().unwrap().iter().map(name).collect()
}

async fn make(app: &TestApp, case_type: &str, reference: &str, title: &str, data: Value) -> String {
    let body = json!({"case_type": case_type, "reference": reference, "title": title, "data": data});
    app.post("/v1/cases", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn define(app: &TestApp, key: &str, fields: Value) {
    let answer = app.put(&format!("/v1/case-types/{key}"), &json!({"fields": fields})).await;
    assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
}

#[actix_web::test]
async fn words_are_found_by_their_beginnings_without_case_or_accents() {
    let app = TestApp::spawn().await;
    define(&app, "firm", json!([])).await;
    make(&app, "firm", "KYB-1042", "Café Müller", json!({})).await;
    make(&app, "firm", "KYB-1043", "Acme Holding", json!({})).await;
    make(&app, "firm", "X-9", "Acme Müllerei", json!({})).await;
    make(&app, "firm", "S-1", "Bäckerei Lange Straße", json!({})).await;
    make(&app, "firm", "S-2", "LANGE STRASSE 7", json!({})).await;
    for (query, expected) in [
        ("q=kyb", &["KYB-1042", "KYB-1043"][..]),
        ("q=KYB-104", &["KYB-1042", "KYB-1043"]),
        ("q=kyb-1042", &["KYB-1042"]),
        ("q=muller", &["KYB-1042", "X-9"]),
        ("q=M%C3%9CLLER", &["KYB-1042", "X-9"]),
        ("q=acme+hold", &["KYB-1043"]),
        ("q=hold+acme", &["KYB-1043"]),
        ("q=strasse", &["S-1", "S-2"]),
        ("q=stra%C3%9Fe", &["S-1", "S-2"]),
        ("q=STRA%E1%BA%9EE+baecker", &[]),
        ("q=STRA%E1%BA%9EE+backer", &["S-1"]),
        ("q=stras", &["S-1", "S-2"]),
        ("q=acme+kyb+1042", &[]),
        ("q=cme", &[]),
        ("q=acme&status=closed", &[]),
        ("q=acme&case_type=firm&reference=X-9", &["X-9"]),
        ("q=", &["KYB-1042", "KYB-1043", "S-1", "S-2", "X-9"]),
        ("q=--", &["KYB-1042", "KYB-1043", "S-1", "S-2", "X-9"]),
    ] {
        assert_eq!(found(&app, &format!("{query}&sort=reference")).await, expected, "{query}");
    }
    let counted = app.get("/v1/cases?q=acme&count=true&limit=1").await.expect(200);
    assert_eq!((&counted["total"], counted["items"].as_array().unwrap().len()), (&json!(2), 1));
    let next = counted["next_cursor"].as_str().unwrap();
    let page = app.get(&format!("/v1/cases?q=acme&limit=1&cursor={next}")).await.expect(200);
    assert_eq!((page["items"].as_array().unwrap().len(), &page["next_cursor"]), (1, &Value::Null));
    assert_ne!(page["items"][0]["id"], counted["items"][0]["id"]);
}

#[actix_web::test]
async fn a_case_is_found_by_the_words_that_it_has_now() {
    let app = TestApp::spawn().await;
    define(&app, "firm", json!([])).await;
    let id = make(&app, "firm", "A-1", "Old name", json!({})).await;
    app.patch(&format!("/v1/cases/{id}"), &json!({"title": "New name", "reference": null})).await.expect(200);
    let count = async |query: &str| found(&app, query).await.len();
    assert_eq!((count("q=old").await, count("q=a").await, count("q=name").await), (0, 0, 1));
    app.delete(&format!("/v1/cases/{id}")).await.expect(204);
    assert_eq!(count("q=new").await, 0);
    // A reference that is taken leaves no words behind.
    make(&app, "firm", "B-1", "First", json!({})).await;
    let again = json!({"case_type": "firm", "reference": "B-1", "title": "Second"});
    app.post("/v1/cases", &again).await.expect(409);
    assert_eq!((count("q=first").await, count("q=second").await), (1, 0));
}

#[actix_web::test]
async fn a_value_equals_the_scalar_or_the_text_with_and_without_an_index() {
    let app = TestApp::spawn().await;
    for index in [false, true] {
        let key = format!("firm_{index}");
        define(
            &app,
            &key,
            json!([
                {"key": "vat", "type": "text", "index": index},
                {"key": "amount", "type": "number", "index": index},
                {"key": "checked", "type": "boolean", "index": index},
                {"key": "more", "type": "json", "index": index},
            ]),
        )
        .await;
        let make =
            async |name: &str, data: Value| make(&app, &key, &format!("{name}-{index}"), "T", data).await;
        make("a", json!({"vat": "0123", "amount": 5, "checked": true, "more": {"city": "Gent"}})).await;
        make("b", json!({"vat": "5", "amount": 5.5, "checked": false, "more": [1]})).await;
        make("c", json!({"vat": "Acme", "amount": null, "more": "5"})).await;
        for (query, expected) in [
            ("data.vat=0123", &["a"][..]),
            ("data.vat=123", &[]),
            ("data.vat=acme", &[]),
            ("data.vat=Acme", &["c"]),
            ("data.vat=5", &["b"]),
            ("data.vat=%225%22", &["b"]),
            ("data.amount=5", &["a"]),
            ("data.amount=5.0", &["a"]),
            ("data.amount=5.5", &["b"]),
            ("data.amount=null", &["c"]),
            ("data.checked=true", &["a"]),
            ("data.checked=false&data.vat=5", &["b"]),
            ("data.checked=false&data.vat=Acme", &[]),
            ("data.more=5", &["c"]),
            ("data.more.city=Gent", &["a"]),
            ("data.more.city=Gent&data.amount=5", &["a"]),
            ("data.nothing=1", &[]),
        ] {
            let query = format!("{query}&case_type={key}&sort=-reference");
            let expected: Vec<_> = expected.iter().rev().map(|name| format!("{name}-{index}")).collect();
            assert_eq!(found(&app, &query).await, expected, "{query}");
        }
    }
    // Over all case types the one with an index and the one without are one list.
    assert_eq!(found(&app, "data.vat=5&sort=reference").await, ["b-false", "b-true"]);
    let first = app.get("/v1/cases?data.vat=5&sort=reference&limit=1&count=true").await.expect(200);
    assert_eq!(first["total"], 2);
    let next = first["next_cursor"].as_str().unwrap();
    let second = app.get(&format!("/v1/cases?data.vat=5&sort=reference&cursor={next}")).await.expect(200);
    assert_eq!(second["items"][0]["reference"], "b-true");
}

#[actix_web::test]
async fn an_index_follows_people_and_runs() {
    let app = TestApp::spawn().await;
    app.define(json!([
        app.field("/v", json!({}), json!({})),
        {"key": "value", "type": "text", "index": true},
    ]))
    .await;
    app.upstream.answers([ok(json!({"value": "fetched"}))]).await;
    let case = app.filled(json!({"value": "given"})).await;
    let id = case["id"].as_str().unwrap();
    assert_eq!(case["data"]["value"], "fetched");
    let count = async |value: &str| {
        let list = app.get(&format!("/v1/cases?case_type=test&data.value={value}")).await.expect(200);
        list["items"].as_array().unwrap().len()
    };
    assert_eq!((count("given").await, count("fetched").await), (0, 1));
    app.patch(&format!("/v1/cases/{id}"), &json!({"data": {"value": "typed"}})).await.expect(200);
    assert_eq!((count("fetched").await, count("typed").await), (0, 1));
    app.patch(&format!("/v1/cases/{id}"), &json!({"data": {"value": null}})).await.expect(200);
    assert_eq!(count("typed").await, 0);
}

#[actix_web::test]
async fn output_variables_are_values_like_others() {
    let app = TestApp::spawn().await;
    app.define_one("/v", json!({}), json!({"output_variable": "answer"})).await;
    app.upstream.answers([ok(json!({"value": 1, "city": "Gent"}))]).await;
    app.filled(json!({})).await;
    for (query, expected) in [("data.answer.city=Gent", 1), ("data.answer.city=Paris", 0)] {
        let list = app.get(&format!("/v1/cases?{query}")).await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), expected, "{query}");
    }
}

#[actix_web::test]
async fn a_field_that_is_indexed_later_is_found_in_older_cases() {
    let app = TestApp::spawn().await;
    let field = |index: bool| json!([{"key": "vat", "type": "text", "index": index}]);
    define(&app, "firm", field(false)).await;
    for n in 0..3 {
        make(&app, "firm", &format!("C-{n}"), "T", json!({"vat": format!("v{n}")})).await;
    }
    define(&app, "firm", field(true)).await;
    assert_eq!(found(&app, "case_type=firm&data.vat=v1").await, ["C-1"]);
    // Switched off it is looked for in the data, and nothing of the old index comes back later.
    define(&app, "firm", field(false)).await;
    let case = app.get("/v1/cases?reference=C-1").await.expect(200)["items"][0]["id"].clone();
    let case = case.as_str().unwrap();
    app.patch(&format!("/v1/cases/{case}"), &json!({"data": {"vat": "other"}})).await.expect(200);
    assert_eq!(found(&app, "case_type=firm&data.vat=other").await, ["C-1"]);
    define(&app, "firm", field(true)).await;
    assert_eq!(found(&app, "case_type=firm&data.vat=other").await, ["C-1"]);
    assert!(found(&app, "case_type=firm&data.vat=v1").await.is_empty());
}
