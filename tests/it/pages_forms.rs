//! What forms do with what people type: numbers keep every digit or are refused, all that is wrong
//! is told at once, a form that is too large says so; and `HEAD`.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::pages::Shown;
use crate::visitor::Visitor;

async fn define(app: &TestApp) {
    app.define(json!([
        {"key": "amount", "type": "number", "name": "Amount"},
        {"key": "count", "type": "integer", "name": "Count"},
        {"key": "raw", "type": "json", "name": "Raw"},
        {"key": "city", "type": "text", "name": "City", "required": true},
        {"key": "day", "type": "date", "name": "Day", "required": true},
    ]))
    .await;
}

#[actix_web::test]
async fn a_number_keeps_every_digit_or_is_refused() {
    let app = TestApp::spawn().await;
    define(&app).await;
    let ada = Visitor::of(&app, "operator").await;
    let id = app.create(json!({"city": "Gent", "day": "2026-11-21"})).await;
    let url = format!("/cases/{id}");
    let was = hex::encode(&ring::digest::digest(&ring::digest::SHA256, b"").as_ref()[..8]);
    let lost = "has more digits than a number keeps";
    for (field, typed, expected) in [
        ("amount", "123456789012345678901234567890", Err(lost)),
        ("amount", "9007199254740993.123", Err(lost)),
        ("amount", "1e400", Err(lost)),
        ("amount", "12,5", Err("This is not a number")),
        ("count", "123456789012345678901", Err(lost)),
        ("count", "1e30", Err("a whole number within 64 bits")),
        ("count", "1.5", Err("a whole number within 64 bits")),
        ("raw", r#"{"b":12345678901234567890123}"#, Err(lost)),
        ("more", "[12345678901234567890123]", Err(lost)),
        ("amount", "9007199254740993", Ok("9007199254740993")),
        ("count", "1e3", Ok("1000")),
        ("raw", r#"{"b":"12345678901234567890123"}"#, Ok(r#"{"b":"12345678901234567890123"}"#)),
        ("more", "-0.125", Ok("-0.125")),
    ] {
        let scope = if field == "more" { ":additional" } else { ":other" };
        let (input, print) = (format!("data.{field}"), format!("was.data.{field}"));
        let page = ada.post(&url, &[("scope", scope), (&input, typed), (&print, &was)]).await;
        match expected {
            Ok(stored) => {
                page.goes_to(&format!(
                    "{url}?done=saved#{}",
                    if field == "more" { "additional" } else { "section-other" }
                ));
                let stored: Value = serde_json::from_str(stored).unwrap();
                assert_eq!(app.case(&id).await["data"][field].to_string(), stored.to_string(), "{typed}");
            }
            Err(why) => {
                let html = page.says(422, &[why]);
                assert!(
                    html.contains(&typed.replace('"', "&#34;")),
                    "what was typed is still there: {typed}"
                );
            }
        }
    }
    let new = [("type", "test"), ("data.city", "Gent"), ("data.day", "2026-11-21"), ("data.count", "2.0")];
    let made = ada.post("/cases/new", &new).await;
    let made = app.case(made.location.trim_start_matches("/cases/")).await;
    assert_eq!(made["data"]["count"].to_string(), "2");
}

#[actix_web::test]
async fn all_that_is_wrong_is_told_at_once() {
    let app = TestApp::spawn().await;
    define(&app).await;
    let ada = Visitor::of(&app, "operator").await;
    let title = "t".repeat(501);
    let new = [("type", "test"), ("title", title.as_str()), ("data.amount", "twelve"), ("data.day", "")];
    let html = ada.post("/cases/new", &new).await.says(422, &["This is not a number", "500 characters"]);
    assert_eq!(html.matches("Please fill this in.").count(), 2, "{html}");
    // Without anything that cannot be read, too.
    let new = [("type", "test"), ("title", title.as_str()), ("data.day", "2026-02-30")];
    let html = ada.post("/cases/new", &new).await.says(422, &["500 characters", "a date that exists"]);
    assert_eq!(html.matches("Please fill this in.").count(), 1, "{html}");

    let id = app.create(json!({"city": "Gent", "day": "2026-11-21"})).await;
    let edit = [("scope", ":other"), ("data.city", ""), ("data.amount", "twelve")];
    ada.post(&format!("/cases/{id}"), &edit)
        .await
        .says(409, &["This is not a number", "Please fill this in."]);
}

#[actix_web::test]
async fn a_form_that_is_too_large_says_what_to_do() {
    let app = TestApp::spawn().await;
    define(&app).await;
    let ada = Visitor::of(&app, "operator").await;
    let id = app.create(json!({"city": "Gent", "day": "2026-11-21"})).await;
    for (path, length) in [(format!("/cases/{id}"), 300_000), ("/cases/new".to_owned(), 3_000_000)] {
        let form = [("scope", ":other"), ("type", "test"), ("data.city", &*"y".repeat(length))];
        let page = ada.post(&path, &form).await;
        page.says(
            413,
            &["more than 256 KB", "Nothing was changed", "Go back in your browser", "Through the API"],
        );
    }
    assert_eq!(app.case(&id).await["version"], 1);
}

#[actix_web::test]
async fn every_page_answers_head_as_it_would_get() {
    let app = TestApp::spawn().await;
    define(&app).await;
    let ada = Visitor::of(&app, "operator").await;
    let id = app.create(json!({"city": "Gent", "day": "2026-11-21"})).await;
    for path in ["/", "/cases", &format!("/cases/{id}"), "/runs", "/people", "/cases/nonsense", "/account"] {
        let (got, (head, length)) = (ada.get(path).await, ada.head(path).await);
        assert_eq!((head.status, &head.location), (got.status, &got.location), "{path}");
        assert!(head.html.is_empty());
        if got.status == 200 {
            let length: usize = length.unwrap().parse().unwrap();
            // Ages and numbers of requests in it may be a digit longer.
            assert!(length.abs_diff(got.html.len()) < 20, "{path}: {length} {}", got.html.len());
        }
    }
    // A stream of events does not begin.
    let (head, length) = ada.head(&format!("/cases/{id}/events")).await;
    assert_eq!((head.status, length), (200, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_does_not_send_a_form_that_is_too_large() {
    let shown = Shown::start().await;
    let (tab, case) = (&shown.tab, shown.case("KYB-1010").await);
    let typed = "document.querySelector(\"form.edit [name='data.vat_number']\")";
    tab.open(&shown.url(&format!("{case}?edit=identity"))).await;
    tab.eval(&format!("{typed}.value = 'é'.repeat(60000)")).await;
    tab.click("form.edit button.primary").await;
    tab.until_it_says("This form holds more than 256 KB").await;
    assert_eq!(tab.eval(&format!("{typed}.value.length")).await, 60_000, "what was typed stays");
    // Shorter it goes.
    tab.eval(&format!("{typed}.value = 'e'.repeat(10000)")).await;
    tab.follow("form.edit button.primary").await;
    tab.until_it_says("Saved.").await;

    // Without script the server says so, and the browser keeps what was typed.
    tab.without_script().await;
    tab.open(&shown.url(&format!("{case}?edit=identity"))).await;
    tab.eval(&format!("{typed}.value = 'é'.repeat(60000)")).await;
    tab.follow("form.edit button.primary").await;
    assert!(tab.eval("document.body.innerText").await.as_str().unwrap().contains("Go back in your browser"));
    tab.eval("history.back()").await;
    tab.until(typed).await;
    assert_eq!(tab.eval(&format!("{typed}.value.length")).await, 60_000);
}
