//! Who and what is turned away, and that the document says so.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use serde_json::{Value, json};

use super::door::{door, furnish};
use crate::api::openapi;
use crate::domain::token::Role;
use crate::service::NewTokenRequest;

#[actix_web::test]
async fn each_role_may_do_what_the_contract_says() {
    let door = door().await;
    let id = "0193aaaa-0000-7000-8000-000000000000";
    let calls = [
        (Role::Viewer, Method::GET, "/v1/cases".to_owned()),
        (Role::Viewer, Method::GET, "/v1/secrets".to_owned()),
        (Role::Viewer, Method::GET, "/v1/case-types/x".to_owned()),
        (Role::Viewer, Method::GET, format!("/v1/runs/{id}")),
        (Role::Operator, Method::POST, "/v1/cases".to_owned()),
        (Role::Operator, Method::PATCH, format!("/v1/cases/{id}")),
        (Role::Operator, Method::DELETE, format!("/v1/cases/{id}")),
        (Role::Operator, Method::POST, format!("/v1/cases/{id}/refresh")),
        (Role::Operator, Method::POST, format!("/v1/cases/{id}/fields/x/refresh")),
        (Role::Builder, Method::POST, "/v1/case-types".to_owned()),
        (Role::Builder, Method::PUT, "/v1/case-types/x".to_owned()),
        (Role::Builder, Method::DELETE, "/v1/case-types/x".to_owned()),
        (Role::Builder, Method::PUT, "/v1/secrets/x".to_owned()),
        (Role::Builder, Method::DELETE, "/v1/secrets/x".to_owned()),
        (Role::Admin, Method::GET, "/v1/tokens".to_owned()),
        (Role::Admin, Method::POST, "/v1/tokens".to_owned()),
        (Role::Admin, Method::DELETE, format!("/v1/tokens/{id}")),
    ];
    for (needed, method, url) in calls {
        for role in Role::ALL {
            let answer = door.send(role, TestRequest::with_uri(&url).method(method.clone())).await;
            assert_eq!(answer.status != 403, role.allows(needed), "{role:?} {method} {url}: {}", answer.body);
            if answer.status == 403 {
                assert_eq!(answer.refusal(), (403, "forbidden"));
                assert!(answer.body["detail"].as_str().unwrap().contains(needed.as_str()), "{}", answer.body);
            }
        }
        let request = TestRequest::with_uri(&url).method(method);
        assert_eq!(door.send_bare(request).await.refusal(), (401, "unauthorized"), "{url}");
    }
}

#[actix_web::test]
async fn whatever_is_refused_is_a_problem_with_an_id() {
    let door = door().await;
    let long = "x".repeat(2 << 20);
    let (get, post, put) = (TestRequest::get, TestRequest::post, TestRequest::put);
    let cases = [
        (get().uri("/v1/nothing"), (404, "not_found")),
        (get().uri("/v1/cases/not-a-uuid"), (404, "not_found")),
        (get().uri("/v1/case-types/Not-A-Key"), (404, "not_found")),
        (get().uri("/nothing"), (404, "not_found")),
        (get().uri("/health"), (404, "not_found")),
        (put().uri("/v1/cases"), (405, "method_not_allowed")),
        (post().uri("/openapi.json"), (405, "method_not_allowed")),
        (get().uri("/v1/cases?limit=0"), (400, "malformed_request")),
        (get().uri("/v1/cases/0193aaaa-0000-7000-8000-000000000000?x=1"), (400, "malformed_request")),
        (get().uri("/v1/cases?q=acme&q=b"), (400, "malformed_request")),
        (post().uri("/v1/cases"), (400, "malformed_json")),
        (post().uri("/v1/cases").set_payload("{"), (400, "malformed_json")),
        (post().uri("/v1/cases").set_payload("[]"), (422, "invalid")),
        (post().uri("/v1/cases").set_payload(long), (413, "too_large")),
        (
            post().uri("/v1/cases").insert_header(("content-type", "text/csv")).set_payload("a"),
            (415, "unsupported_media_type"),
        ),
        (post().uri("/v1/cases").insert_header(("idempotency-key", "a key")), (400, "malformed_request")),
        (post().uri("/v1/cases").insert_header(("idempotency-key", "k")), (400, "malformed_json")),
        (get().uri("/v1/cases").insert_header(("if-match", "\"1\"")), (422, "not_supported_yet")),
    ];
    for (request, expected) in cases {
        assert_eq!(door.send(Role::Admin, request).await.refusal(), expected);
    }
    let wrong = door.send(Role::Admin, put().uri("/v1/cases")).await;
    assert_eq!(wrong.header("allow"), "GET, HEAD, POST");
    let head = door.send(Role::Viewer, TestRequest::with_uri("/v1/cases").method(Method::HEAD)).await;
    assert_eq!(head.status, 200);
}

/// The effect of a POST is kept with its key by the use case, so its handler has to pass the key
/// on. Read from the sources: nothing else would notice one that does not. Of a test of a field or of a
/// connection nothing is kept that a repetition would change.
#[test]
fn every_post_passes_its_key_on() {
    let map = include_str!("../routes.rs");
    let handlers = map.split(".post(").skip(1).map(|rest| rest.split(')').next().unwrap());
    for handler in handlers.filter(|handler| !["console::test", "connection_test::test"].contains(handler)) {
        let Some((module, function)) = handler.split_once("::") else { continue };
        let file = format!("{}/src/api/{module}.rs", env!("CARGO_MANIFEST_DIR"));
        let source = std::fs::read_to_string(&file).unwrap();
        let head = source.split(&format!("pub async fn {function}(")).nth(1).unwrap();
        assert!(head.split(") ->").next().unwrap().contains("IdempotencyKey"), "{handler} drops its key");
    }
}

#[actix_web::test]
async fn another_workspace_sees_nothing_of_this_one() {
    let door = door().await;
    let case = furnish(&door).await;
    let id = case["id"].as_str().unwrap();
    let other = door.services.access.ensure_workspace(&"other".parse().unwrap()).await.unwrap();
    let request = NewTokenRequest { name: "x".into(), role: Role::Admin, overrides: true, expires_at: None };
    let (_, token) = door.services.access.create_in(other, request).await.unwrap();
    let bearer = format!("Bearer {}", token.expose());
    for (method, url) in [
        (Method::GET, format!("/v1/cases/{id}")),
        (Method::DELETE, format!("/v1/cases/{id}")),
        (Method::POST, format!("/v1/cases/{id}/refresh")),
        (Method::GET, "/v1/case-types/company".to_owned()),
        (Method::DELETE, "/v1/secrets/registry_token".to_owned()),
        (Method::GET, format!("/v1/runs/{}", case["fields"]["registry"]["run_id"].as_str().unwrap())),
    ] {
        let request =
            TestRequest::with_uri(&url).method(method).insert_header(("authorization", bearer.as_str()));
        assert_eq!(door.send_bare(request).await.refusal(), (404, "not_found"), "{url}");
    }
}

#[actix_web::test]
async fn health_and_the_document_need_no_token() {
    let door = door().await;
    for url in ["/health/live", "/health/ready"] {
        let answer = door.send_bare(TestRequest::get().uri(url)).await;
        assert_eq!((answer.status, answer.body), (200, json!({"status": "ok"})), "{url}");
    }
    let document = door.send_bare(TestRequest::get().uri("/openapi.json")).await;
    assert_eq!((document.status, &document.body["openapi"]), (200, &json!("3.1.0")));
}

#[actix_web::test]
async fn every_call_of_the_document_has_a_route_and_every_route_is_in_the_document() {
    let document: Value = serde_json::from_str(&openapi::openapi_json()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let door = door().await;
    let id = "0193aaaa-0000-7000-8000-000000000000";
    for (path, item) in paths {
        let url = path.replace("{id}", id).replace("{key}", "x").replace("{name}", "x");
        let mut documented: Vec<String> =
            item.as_object().unwrap().keys().map(|name| name.to_uppercase()).collect();
        if documented.iter().any(|method| method == "GET") {
            documented.push("HEAD".to_owned());
        }
        let answer = door.send(Role::Admin, TestRequest::with_uri(&url).method(Method::TRACE)).await;
        let mut routed: Vec<String> = answer.header("allow").split(", ").map(str::to_owned).collect();
        documented.sort();
        routed.sort();
        assert_eq!(documented, routed, "{path}");
    }
    // Each URL of the map is a text that starts with a slash; its scope stands before it.
    let map = include_str!("../routes.rs");
    let mut scope = "";
    let mut routes = 0;
    for text in map.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/')) {
        if matches!(text, "/v1" | "/health") {
            scope = text;
            continue;
        }
        let url = if matches!(text, "/openapi.json" | "/metrics") {
            text.to_owned()
        } else {
            format!("{scope}{text}")
        };
        assert!(paths.contains_key(&url), "{url} is not in the document");
        routes += 1;
    }
    assert_eq!(routes, paths.len());
}
