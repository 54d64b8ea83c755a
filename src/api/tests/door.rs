//! A door on a real database, without an engine behind it, and how tests knock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::App;
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::Data;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use crate::api::routes::configure;
use crate::domain::clock::{Clock, Instant, Rng, parse_instant};
use crate::domain::sealing::MasterKey;
use crate::domain::secret::SecretText;
use crate::domain::token::Role;
use crate::service::{NewTokenRequest, PROBING, Services, Vault};
use crate::store::{CommitLimits, Store, StoreSettings};

/// Stands still but for who naps: he finds the time passed. The patience of those who read has no end.
struct Dozing(Arc<Mutex<Instant>>);

impl Clock for Dozing {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, at: Instant) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        let now = self.0.clone();
        let is_nap = at - self.now() < PROBING;
        Box::pin(async move {
            if !is_nap {
                std::future::pending::<()>().await;
            }
            let mut now = now.lock().unwrap();
            *now = at.max(*now);
        })
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

pub struct Door {
    pub services: Services,
    tokens: Vec<(Role, String)>,
    _folder: TempDir,
}

const ADMIN: &str = "admin-token-of-the-test";

pub async fn door() -> Door {
    let folder = tempfile::tempdir().unwrap();
    let limits = CommitLimits { case_bytes: 1 << 20, output_bytes: 1 << 18 };
    let url = format!("sqlite://{}", folder.path().join("dossier.db").display());
    let settings = StoreSettings { url, wait_for_disk: false, limits };
    let clock = Dozing(Arc::new(Mutex::new(parse_instant("2026-11-21T09:30:00Z").unwrap())));
    let rng = Arc::new(Counting(AtomicU64::new(1)));
    let store = Store::open(&settings, rng.clone(), &TaskTracker::new()).await.unwrap();
    let vault = Vault::new(MasterKey::generate(&*rng), rng.clone(), Arc::new(|_, _| ()));
    let services = Services::new(store, Arc::new(clock), rng, vault, limits);

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

    pub async fn send(&self, role: Role, request: TestRequest) -> Answer {
        let token = format!("Bearer {}", self.token(role));
        self.send_bare(request.insert_header(("authorization", token))).await
    }

    pub async fn send_bare(&self, request: TestRequest) -> Answer {
        let app = App::new().app_data(Data::new(self.services.clone())).configure(configure);
        let app = init_service(app).await;
        let answer = call_service(&app, request.to_request()).await;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = read_body(answer).await;
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        Answer { status, headers, body }
    }

    pub async fn get(&self, url: &str) -> Answer {
        self.send(Role::Viewer, TestRequest::get().uri(url)).await
    }

    pub async fn write(&self, method: Method, url: &str, body: &Value) -> Answer {
        self.send(Role::Admin, TestRequest::with_uri(url).method(method).set_json(body)).await
    }
}

pub struct Answer {
    pub status: u16,
    headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code of a refusal that is one in every respect.
    pub fn refusal(&self) -> (u16, &str) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        assert_eq!(self.body["status"], self.status, "{}", self.body);
        assert!(!self.header("x-request-id").is_empty(), "{}", self.body);
        assert_eq!(self.body["request_id"], self.header("x-request-id"), "{}", self.body);
        assert!(self.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{}", self.body);
        (self.status, self.body["code"].as_str().unwrap())
    }
}

pub fn case_type() -> Value {
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
pub async fn furnish(door: &Door) -> Value {
    let secret = json!({"value": "12345678", "hosts": ["registry.example"]});
    assert_eq!(door.write(Method::PUT, "/v1/secrets/registry_token", &secret).await.status, 201);
    let saved = door.write(Method::POST, "/v1/case-types", &case_type()).await;
    assert_eq!(saved.status, 201, "{}", saved.body);
    let case = json!({"case_type": "company", "reference": "KYB-1", "data": {"vat_number": "BE0123456789"}});
    let made = door.write(Method::POST, "/v1/cases", &case).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body
}
