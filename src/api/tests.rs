//! The door as a whole, on a real database, without an engine: what it lets in and answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::App;
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::Data;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use super::routes::configure;
use crate::domain::clock::{Clock, Instant, Rng, parse_instant};
use crate::domain::sealing::MasterKey;
use crate::domain::secret::SecretText;
use crate::domain::token::Role;
use crate::service::{NewTokenRequest, Services, Vault};
use crate::store::{CommitLimits, Store, StoreSettings};

struct Frozen;

impl Clock for Frozen {
    fn now(&self) -> Instant {
        parse_instant("2026-11-21T09:30:00Z").unwrap()
    }

    fn sleep_until(&self, _: Instant) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }
}

struct Counting(AtomicU64);

impl Rng for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let start = bytes.len().saturating_sub(count.len());
        for (byte, value) in bytes[start..].iter_mut().zip(count) {
            *byte = value;
        }
    }
}

struct Door {
    services: Services,
    tokens: Vec<(Role, String)>,
    _folder: TempDir,
}

const ADMIN: &str = "admin-token-of-the-test";

async fn door() -> Door {
    let folder = tempfile::tempdir().unwrap();
    let limits = CommitLimits { case_bytes: 1 << 20, output_bytes: 1 << 18 };
    let url = format!("sqlite://{}", folder.path().join("dossier.db").display());
    let settings = StoreSettings { url, wait_for_disk: false, limits };
    let store = Store::open(&settings, &TaskTracker::new()).await.unwrap();
    let rng = Arc::new(Counting(AtomicU64::new(1)));
    let vault = Vault::new(MasterKey::generate(&*rng), rng.clone(), Arc::new(|_, _| ()));
    let services = Services::new(store, Arc::new(Frozen), rng, vault, limits);

    let workspace = "default".parse().unwrap();
    let admin = SecretText::from(ADMIN.to_owned());
    services.access.ensure_admin_token(&workspace, Some(&admin)).await.unwrap();
    let id = services.access.ensure_workspace(&workspace).await.unwrap();
    let mut tokens = vec![(Role::Admin, ADMIN.to_owned())];
    for role in [Role::Viewer, Role::Operator, Role::Builder] {
        let request =
            NewTokenRequest { name: role.as_str().to_owned(), role, overrides: true, expires_at: None };
        let (_, text) = services.access.create_in(id, request).await.unwrap();
        tokens.push((role, text.expose().to_owned()));
    }
    Door { services, tokens, _folder: folder }
}

impl Door {
    fn token(&self, role: Role) -> &str {
        &self.tokens.iter().find(|(known, _)| *known == role).unwrap().1
    }

    async fn send(&self, role: Role, request: TestRequest) -> Answer {
        let token = format!("Bearer {}", self.token(role));
        self.send_bare(request.insert_header(("authorization", token))).await
    }

    async fn send_bare(&self, request: TestRequest) -> Answer {
        let app = App::new().app_data(Data::new(self.services.clone())).configure(configure);
        let app = init_service(app).await;
        let answer = call_service(&app, request.to_request()).await;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = read_body(answer).await;
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        Answer { status, headers, body }
    }

    async fn get(&self, url: &str) -> Answer {
        self.send(Role::Viewer, TestRequest::get().uri(url)).await
    }

    async fn write(&self, method: Method, url: &str, body: &Value) -> Answer {
        self.send(Role::Admin, TestRequest::with_uri(url).method(method).set_json(body)).await
    }
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code of a refusal that is one in every respect.
    fn refusal(&self) -> (u16, &str) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        assert_eq!(self.body["status"], self.status, "{}", self.body);
        assert!(!self.header("x-request-id").is_empty(), "{}", self.body);
        assert_eq!(self.body["request_id"], self.header("x-request-id"), "{}", self.body);
        assert!(self.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{}", self.body);
        (self.status, self.body["code"].as_str().unwrap())
    }
}

fn case_type() -> Value {
    json!({
        "key": "company",
        "fields": [
            {"key": "vat_number", "type": "text"},
            {
                "key": "registry",
                "type": "api_call",
                "trigger": ["on_create", "manual"],
                "api_config": {
                    "url": "https://registry.example/{data.vat_number}",
                    "auth": {"type": "bearer", "token": "{secret.registry_token}"},
                    "response_mapping": {"name": "$.name"},
                },
            },
            {
                "key": "off",
                "type": "api_call",
                "enabled": false,
                "api_config": {"url": "https://registry.example/", "response_mapping": {"other": "$.name"}},
            },
        ],
    })
}

/// A secret, a case type and a case, made through the door.
async fn furnish(door: &Door) -> Value {
    let secret = json!({"value": "12345678", "hosts": ["registry.example"]});
    assert_eq!(door.write(Method::PUT, "/v1/secrets/registry_token", &secret).await.status, 201);
    let saved = door.write(Method::POST, "/v1/case-types", &case_type()).await;
    assert_eq!(saved.status, 201, "{}", saved.body);
    let case = json!({"case_type": "company", "reference": "KYB-1", "data": {"vat_number": "BE0123456789"}});
    let made = door.write(Method::POST, "/v1/cases", &case).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body
}

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
        (post("/refresh").set_json(json!({"fields": ["nothing"]})), (404, "not_found")),
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
        (get().uri("/v1/cases?q=acme"), (422, "not_supported_yet")),
        (post().uri("/v1/cases"), (400, "malformed_json")),
        (post().uri("/v1/cases").set_payload("{"), (400, "malformed_json")),
        (post().uri("/v1/cases").set_payload("[]"), (422, "invalid")),
        (post().uri("/v1/cases").set_payload(long), (413, "too_large")),
        (
            post().uri("/v1/cases").insert_header(("content-type", "text/csv")).set_payload("a"),
            (415, "unsupported_media_type"),
        ),
        (post().uri("/v1/cases").insert_header(("idempotency-key", "k")), (422, "not_supported_yet")),
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
    let document: Value = serde_json::from_str(&super::openapi::openapi_json()).unwrap();
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
    let map = include_str!("routes.rs");
    let mut scope = "";
    let mut routes = 0;
    for text in map.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/')) {
        if matches!(text, "/v1" | "/health") {
            scope = text;
            continue;
        }
        let url = if text == "/openapi.json" { text.to_owned() } else { format!("{scope}{text}") };
        assert!(paths.contains_key(&url), "{url} is not in the document");
        routes += 1;
    }
    assert_eq!(routes, paths.len());
}
