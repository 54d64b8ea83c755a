//! The door as a whole, on a real database, without an engine: what it lets in and answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::Data;
use actix_web::{App, Error};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use super::routes::configure;
use crate::domain::clock::{Clock, Instant, Rng};
use crate::domain::sealing::MasterKey;
use crate::domain::secret::SecretText;
use crate::domain::token::Role;
use crate::service::{NewTokenRequest, Services, Vault, parse_instant};
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
        let request = NewTokenRequest { name: role.as_str().to_owned(), role, overrides: true, expires_at: None };
        let (_, text) = services.access.create_in(id, request).await.unwrap();
        tokens.push((role, text.expose().to_owned()));
    }
    Door { services, tokens, _folder: folder }
}

impl Door {
    fn token(&self, role: Role) -> &str {
        &self.tokens.iter().find(|(known, _)| *known == role).unwrap().1
    }

    async fn app(&self) -> impl Service<actix_http::Request, Response = ServiceResponse<impl MessageBody>, Error = Error> {
        init_service(App::new().app_data(Data::new(self.services.clone())).configure(configure)).await
    }
}
