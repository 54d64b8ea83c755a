//! What the door lets in and answers, resource by resource.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use serde_json::{Value, json};

use super::door::{case_type, door, furnish};
use crate::domain::token::Role;

#[actix_web::test]
async fn a_case_is_made_read_changed_and_deleted() {
    let door = door().await;
    let case = furnish(&door).await;
    let url = format!("/v1/cases/{}", case["id"].as_str().unwrap());
    let mut shown = case.clone();
    for pointer in ["/id", "/fields/registry/run_id"] {
        *shown.pointer_mut(pointer).unwrap() = json!("…");
    }
    insta::assert_json_snapshot!(shown);

    let read = door.get(&url).await;
    assert_eq!((read.status, &read.body), (200, &case));
    let tag = read.header("etag").to_owned();
    assert_eq!(tag, "\"1.1\"");
    let again = TestRequest::get().uri(&url).insert_header(("if-none-match", tag.as_str()));
    let again = door.send(Role::Viewer, again).await;
    assert_eq!((again.status, again.header("etag")), (304, tag.as_str()));

    let patched = door.write(Method::PATCH, &url, &json!({"title": "Acme", "data": {"city": "Gent"}})).await;
    assert_eq!((patched.status, &patched.body["title"]), (200, &json!("Acme")), "{}", patched.body);
    assert_ne!(patched.header("etag"), tag);

    assert_eq!(door.write(Method::DELETE, &url, &Value::Null).await.status, 204);
    assert_eq!(door.get(&url).await.refusal(), (404, "not_found"));
}

#[actix_web::test]
async fn a_refresh_answers_the_run_to_follow() {
    let door = door().await;
    let case = furnish(&door).await;
    let url = format!("/v1/cases/{}", case["id"].as_str().unwrap());
    let post = |path: &str| TestRequest::post().uri(&format!("{url}{path}"));

    let run = door.send(Role::Operator, post("/fields/registry/refresh")).await;
    assert_eq!(run.status, 202, "{}", run.body);
    let id = run.body["id"].as_str().unwrap().to_owned();
    assert_eq!(run.header("location"), format!("/v1/runs/{id}"));
    let mut shown = door.get(&format!("/v1/runs/{id}")).await.body;
    for pointer in ["/id", "/case_id", "/idempotency_key"] {
        *shown.pointer_mut(pointer).unwrap() = json!("…");
    }
    insta::assert_json_snapshot!(shown);

    let waited = post("/fields/registry/refresh").insert_header(("prefer", "wait=99"));
    let waited = door.send(Role::Operator, waited).await;
    assert_eq!((waited.status, waited.header("preference-applied")), (202, "wait=30"), "{}", waited.body);

    let several = door.send(Role::Operator, post("/refresh").set_json(json!({"force": true}))).await;
    assert_eq!(
        (several.status, several.body["runs"].as_array().map(Vec::len)),
        (202, Some(1)),
        "{}",
        several.body
    );

    let refused = [
        (post("/fields/off/refresh"), (409, "field_disabled")),
        (post("/fields/nothing/refresh"), (404, "not_found")),
        (post("/fields/No-Key/refresh"), (404, "not_found")),
        (post("/fields/registry/refresh").set_json(json!({"fields": []})), (422, "invalid")),
        (post("/refresh").set_json(json!({"fields": ["nothing"]})), (422, "invalid")),
    ];
    for (request, expected) in refused {
        assert_eq!(door.send(Role::Operator, request).await.refusal(), expected);
    }
}

#[actix_web::test]
async fn lists_leave_out_what_is_long_and_page_by_cursor() {
    let door = door().await;
    furnish(&door).await;
    let second = json!({"case_type": "company", "reference": "KYB-2", "data": {"vat_number": "x"}});
    assert_eq!(door.write(Method::POST, "/v1/cases", &second).await.status, 201);

    let first = door.get("/v1/cases?limit=1&count=true&sort=reference").await;
    assert_eq!((&first.body["items"][0]["reference"], &first.body["total"]), (&json!("KYB-1"), &json!(2)));
    assert!(first.body["items"][0].get("provenance").is_none());
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let next =
        door.get(&format!("/v1/cases?limit=1&sort=reference&cursor={cursor}&include=provenance")).await;
    assert_eq!(
        (&next.body["items"][0]["reference"], &next.body["next_cursor"]),
        (&json!("KYB-2"), &Value::Null)
    );
    assert_eq!(next.body["items"][0]["provenance"]["vat_number"]["source"], "initial");
    assert_eq!(door.get("/v1/cases?cursor=nonsense").await.refusal(), (400, "malformed_request"));

    let queued = door.get("/v1/cases?field.registry=queued&reference=KYB-2").await;
    assert_eq!(queued.body["items"].as_array().map(Vec::len), Some(1), "{}", queued.body);
    assert_eq!(
        door.get("/v1/runs?status=queued&field=registry").await.body["items"].as_array().map(Vec::len),
        Some(2)
    );
    let secrets = door.get("/v1/secrets").await.body;
    assert_eq!(secrets["items"][0]["used_by"], json!(["company"]));
    assert!(!secrets.to_string().contains("12345678"));
}

#[actix_web::test]
async fn case_types_are_answered_in_normal_form() {
    let door = door().await;
    furnish(&door).await;
    let mut read = door.get("/v1/case-types/company").await.body;
    assert_eq!((&read["version"], &read["warnings"]), (&json!(1), &json!([])));
    assert_eq!(read["fields"][0]["type"], "text");
    // What was read can be written back.
    assert_eq!(door.write(Method::PUT, "/v1/case-types/company", &read).await.status, 200);
    read["name"] = json!("Company");
    let saved = door.write(Method::PUT, "/v1/case-types/company", &read).await;
    assert_eq!((saved.status, &saved.body["version"]), (200, &json!(2)));
    read["key"] = json!("other");
    let made = door.write(Method::PUT, "/v1/case-types/other", &read).await;
    assert_eq!((made.status, made.header("location")), (201, "/v1/case-types/other"));

    let delete = |path: &'static str| door.send(Role::Admin, TestRequest::delete().uri(path));
    assert_eq!(delete("/v1/case-types/company").await.refusal(), (409, "in_use"));
    assert_eq!(delete("/v1/secrets/registry_token").await.refusal(), (409, "in_use"));
    assert_eq!(delete("/v1/case-types/other").await.status, 204);
    let bad = door.write(Method::PUT, "/v1/case-types/Not-A-Key", &json!({})).await;
    assert_eq!(bad.refusal(), (422, "invalid"));
    let taken = door.write(Method::POST, "/v1/case-types", &case_type()).await;
    assert_eq!(taken.refusal(), (409, "already_exists"));
}

#[actix_web::test]
async fn a_token_is_shown_once_and_good_until_it_is_withdrawn() {
    let door = door().await;
    let made = door.write(Method::POST, "/v1/tokens", &json!({"name": "ci", "role": "viewer"})).await;
    assert_eq!((made.status, made.header("cache-control")), (201, "no-store"), "{}", made.body);
    let bearer = format!("bearer {}", made.body["token"].as_str().unwrap());
    let with = || TestRequest::get().uri("/v1/cases").insert_header(("authorization", bearer.clone()));
    assert_eq!(door.send_bare(with()).await.status, 200);

    let list = door.send(Role::Admin, TestRequest::get().uri("/v1/tokens?count=true")).await.body;
    assert_eq!(list["total"], 5);
    assert!(list["items"].as_array().unwrap().iter().all(|token| token.get("token").is_none()));

    let url = format!("/v1/tokens/{}", made.body["id"].as_str().unwrap());
    assert_eq!(door.send(Role::Admin, TestRequest::delete().uri(&url)).await.status, 204);
    let refused = door.send_bare(with()).await;
    assert_eq!(refused.refusal(), (401, "unauthorized"));
    assert_eq!(refused.header("www-authenticate"), "Bearer");
}
