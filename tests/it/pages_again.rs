//! What somebody typed into a form of a case is never lost with the page that refuses it: where the
//! session has ended, or the database is away, the page holds it and sends it again. And forms that
//! no page of ours writes are refused with a sentence.

use dossier::service::ServiceError;
use serde_json::json;

use crate::app::TestApp;
use crate::database::cluster;
use crate::pages_size::typed;
use crate::upstream::ok;
use crate::visitor::{HOSTILE, Page, Visitor, harmless};

async fn define(app: &TestApp) {
    let check = app.field("/check", json!({"key": "check", "trigger": "manual"}), json!({}));
    let fields = json!([{"key": "city", "type": "text"}, {"key": "note", "type": "text"}, check]);
    app.define(fields).await;
}

/// Presses the button of the form that a page holds.
async fn send(who: &Visitor<'_>, path: &str, page: &str) -> Page {
    assert!(page.contains(&format!("action=\"{path}\"")) && page.len() <= 200_000, "{page}");
    let form = typed(page);
    let form: Vec<(&str, &str)> = form.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    who.bare(path, &form, None).await
}

/// The form of a case as somebody opened it, with this typed into it.
async fn edited(who: &Visitor<'_>, path: &str, city: &str) -> Vec<(String, String)> {
    let mut form = typed(&who.get(&format!("{path}?edit=%3Aother")).await.html);
    form.insert("data.city".to_owned(), city.to_owned());
    form.into_iter().collect()
}

fn lent(form: &[(String, String)]) -> Vec<(&str, &str)> {
    form.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

#[actix_web::test]
async fn what_was_typed_outlives_the_session() {
    let app = TestApp::spawn().await;
    define(&app).await;
    let mut ada = Visitor::of(&app, "operator").await;
    let id = app.create(json!({"city": "Gent", "note": "as it was"})).await;
    let path = format!("/cases/{id}");
    let text = format!("two\r\nlines {HOSTILE}");
    let form = edited(&ada, &path, &text).await;
    ada.post("/sign-out", &[]).await.goes_to("/sign-in");

    let html = ada.bare(&path, &lent(&form), None).await.says(403, &["Nothing was saved", "Send again"]);
    harmless(&html);
    assert!(html.contains(&format!("/sign-in?next=%2Fcases%2F{}", id.replace('-', "%2D"))), "{html}");
    assert!(html.contains("<label for=\"typed-1\">City</label>") && !html.contains("typed-2"), "{html}");

    // The form is of another session: somebody looks at it once more.
    ada.sign_in("operator").await;
    let html = send(&ada, &path, &html).await.says(403, &["Please send this once more", &ada.csrf]);
    harmless(&html);
    assert_eq!(app.case(&id).await["version"], 1);
    send(&ada, &path, &html).await.goes_to(&format!("{path}?done=saved#section-other"));
    let data = &app.case(&id).await["data"];
    assert_eq!(data, &json!({"city": text.replace('\r', ""), "note": "as it was"}));
}

#[actix_web::test]
async fn only_what_a_page_of_ours_sent_is_shown_again_and_never_a_password() {
    let app = TestApp::spawn().await;
    define(&app).await;
    let ada = Visitor::of(&app, "operator").await;
    let path = format!("/cases/{}", app.create(json!({"city": "Gent"})).await);
    let form = edited(&ada, &path, "Brugge").await;
    let html =
        ada.bare(&path, &lent(&form), Some("https://evil.example")).await.says(403, &["a page of ours"]);
    assert!(!html.contains("Brugge"));
    ada.post("/sign-out", &[]).await.goes_to("/sign-in");
    let foreign = ada.bare(&path, &lent(&form), Some("https://evil.example")).await;
    assert!(foreign.status == 303 && !foreign.html.contains("Brugge"), "{}", foreign.status);
    ada.bare("/account/password", &[("present", "a secret"), ("title", "x")], None)
        .await
        .goes_to("/sign-in?next=%2F&unsaved=1");
    ada.get("/sign-in?next=%2F&unsaved=1").await.says(200, &["Nothing was changed"]);
    // A button has nothing that anybody would have to type again.
    let case = path.replace('/', "%2F").replace('-', "%2D");
    ada.bare(&format!("{path}/refresh"), &[("which", "all")], None)
        .await
        .goes_to(&format!("/sign-in?next={case}&unsaved=1"));

    // As much as a page may have, and no more.
    let large = [("scope", ":other"), ("data.city", &*"<".repeat(60_000))];
    let html = ada.bare(&path, &large, None).await.says(403, &["too long to be shown here"]);
    assert!(html.len() < 20_000, "{}", html.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_outlives_a_pause_of_the_database() {
    if cluster().is_none() {
        return;
    }
    let app = TestApp::spawn().await;
    define(&app).await;
    let ada = Visitor::of(&app, "operator").await;
    let id = app.create(json!({"city": "Gent"})).await;
    let path = format!("/cases/{id}");
    let edit = edited(&ada, &path, "Brugge").await;
    let mut new = typed(&ada.get("/cases/new").await.html.replace("new-case", "edit"));
    new.insert("data.city".to_owned(), "Aalst".to_owned());
    let new: Vec<(String, String)> = new.into_iter().collect();

    app.database.close_to_all(true);
    let says = ["The database is not there just now", "Send again"];
    let edit = ada
        .bare(&path, &lent(&edit), None)
        .await
        .says(503, &[&says[..], &["Brugge", "Back to the case<"]].concat());
    let new = ada.bare("/cases/new", &lent(&new), None).await.says(503, &[&says[..], &["Aalst"]].concat());
    app.database.close_to_all(false);
    while app.get("/health/ready").await.status != 200 {}

    send(&ada, &path, &edit).await.goes_to(&format!("{path}?done=saved#section-other"));
    assert_eq!(app.case(&id).await["data"]["city"], "Brugge");
    let made = send(&ada, "/cases/new", &new).await.location;
    send(&ada, "/cases/new", &new).await.goes_to(&made);
    assert_eq!(app.case(made.trim_start_matches("/cases/")).await["data"]["city"], "Aalst");
}

/// A form is laid over a case, and saved a moment later: what a run writes in between counts.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_writes_while_somebody_saves_is_not_saved_over() {
    let app = TestApp::spawn().await;
    define(&app).await;
    app.upstream.answers([ok(json!({"value": "first"})), ok(json!({"value": "second"}))]).await;
    let (id, cases) = (app.create(json!({"city": "Gent"})).await, &app.services().cases);
    let access = &app.services().access;
    let actor = access.authenticate(crate::app::TOKEN).await.unwrap().unwrap();
    let refresh = format!("/v1/cases/{id}/fields/check/refresh");
    app.post(&refresh, &json!({})).await.expect(202);
    app.drain().await;

    let seen = cases.get(&actor, id.parse().unwrap()).await.unwrap();
    app.post(&refresh, &json!({})).await.expect(202);
    app.drain().await;
    let refused = cases.patch_seen(&actor, &seen, &json!({"data": {"value": "by hand"}})).await;
    let Err(ServiceError::VersionMismatch { changed, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(changed, ["data.value"]);
    let case = app.case(&id).await;
    assert_eq!(
        (&case["data"]["value"], &case["fields"]["check"]["overridden"]),
        (&json!("second"), &json!([]))
    );

    // What the run has not written is saved all the same.
    cases.patch_seen(&actor, &seen, &json!({"title": "T", "data": {"city": "Aalst"}})).await.unwrap();
    // At that version nobody saves any more, and from now on the value is a person's.
    let late = cases.patch_seen(&actor, &seen, &json!({"data": {"note": "x"}})).await;
    assert!(matches!(late, Err(ServiceError::VersionMismatch { .. })));
    let seen = cases.get(&actor, id.parse().unwrap()).await.unwrap();
    cases.patch_seen(&actor, &seen, &json!({"data": {"value": "by hand"}})).await.unwrap();
    assert_eq!(app.case(&id).await["fields"]["check"]["overridden"], json!(["value"]));
}

#[actix_web::test]
async fn a_form_that_no_page_of_ours_writes_is_refused_with_a_sentence() {
    let app = TestApp::spawn().await;
    define(&app).await;
    let ada = Visitor::of(&app, "operator").await;
    let path = format!("/cases/{}", app.create(json!({"city": "Gent"})).await);
    let long = "x".repeat(70_000);
    for scope in ["a\0b", "a\r\nb", &long, "no_such", ":field.no_such", ":field.city", ":nonsense", ""] {
        let page = ada.post(&path, &[("scope", scope), ("data.city", "kept text")]).await;
        page.says(404, &["no such part", "Nothing was saved", "kept text"]);
    }
    ada.post(&path, &[("scope", ":other"), ("data.gone", "kept text")])
        .await
        .says(422, &["no such input any more", "kept text"]);
    for field in ["a\0b", "a\r\nLocation: x", &long] {
        app.patch(&format!("/v1{path}"), &json!({"data": {"value": field.len()}})).await.expect(200);
        let page = ada.post(&format!("{path}/overrides/value/clear"), &[("field", field)]).await;
        page.goes_to(&format!("{path}?done=cleared"));
    }
    for (text, says) in [(&b"data.city=%ff%fe"[..], "UTF-8"), (b"data.city=a&data.city=b", "sent twice")] {
        for path in [&path, "/cases/new"] {
            let carried = format!("csrf={}&scope=:other&type=test&", ada.csrf);
            ada.raw(path, [carried.as_bytes(), text].concat(), None)
                .await
                .says(400, &[says, "Nothing was changed"]);
        }
    }
    assert_eq!(app.get("/v1/cases").await.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(app.case(path.trim_start_matches("/cases/")).await["data"]["city"], "Gent");
}
