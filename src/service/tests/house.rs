//! A small house to tell stories in: services on a real database, a clock moved by hand.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use chrono::DateTime;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::domain::clock::{Clock, Instant, Rng};
use crate::domain::expected::Expected;
use crate::domain::ids::CaseTypeKey;
use crate::domain::sealing::MasterKey;
use crate::domain::token::Role;
use crate::service::actor::Actor;
use crate::service::error::ServiceError;
use crate::service::new_token::NewTokenRequest;
use crate::service::put_secret::PutSecret;
use crate::service::services::Services;
use crate::service::vault::{OnOpened, Vault};
use crate::store::{CommitLimits, Store, StoreSettings};

/// Moved by hand; it begins in 2026.
pub(super) struct Hand(pub(super) AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Instant {
        DateTime::from_timestamp_millis(self.0.load(Ordering::Relaxed)).unwrap()
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(ready(()))
    }
}

/// Different at every draw, the same in every test run.
pub(super) struct Counting(pub(super) AtomicU8);

impl Rng for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let first = self.0.fetch_add(1, Ordering::Relaxed);
        bytes.fill(7);
        bytes[0] = first;
    }
}

pub(super) struct House {
    pub(super) services: Services,
    pub(super) clock: Arc<Hand>,
    pub(super) opened: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

pub(super) async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let limits = CommitLimits { case_bytes: 1 << 20, output_bytes: 1 << 18 };
    let url = format!("sqlite://{}", folder.path().join("dossier.db").display());
    let (clock, rng) =
        (Arc::new(Hand(AtomicI64::new(1_795_253_400_000))), Arc::new(Counting(AtomicU8::new(1))));
    let settings = StoreSettings { url, wait_for_disk: false, limits };
    let store = Store::open(&settings, rng.clone(), &TaskTracker::new()).await.unwrap();
    let opened = Arc::new(Mutex::new(Vec::new()));
    let listener = opened.clone();
    let listener: Arc<OnOpened> =
        Arc::new(move |label, text| listener.lock().unwrap().push(format!("{label}={text}")));
    let vault = Vault::new(MasterKey::generate(&*rng), rng.clone(), listener);
    let services = Services::new(store, clock.clone(), rng, vault, limits);
    House { services, clock, opened, _folder: folder }
}

pub(super) fn request(name: &str, role: Role) -> NewTokenRequest {
    NewTokenRequest { name: name.to_owned(), role, overrides: true, expires_at: None }
}

impl House {
    /// An admin of a workspace.
    pub(super) async fn actor(&self, workspace: &str) -> Actor {
        let id = self.services.access.ensure_workspace(&workspace.parse().unwrap()).await.unwrap();
        let (_, token) = self.services.access.create_in(id, request("ops", Role::Admin)).await.unwrap();
        self.services.access.authenticate(token.expose()).await.unwrap().unwrap()
    }

    pub(super) async fn put_secret(&self, actor: &Actor, name: &str, value: &str) -> (i64, bool) {
        let secret = PutSecret::new(value.to_owned(), &["api.example".to_owned()], true).unwrap();
        let name = name.parse().unwrap();
        let (info, created) =
            self.services.secrets.put(actor, name, secret, Expected::Anything).await.unwrap();
        (info.version, created)
    }

    pub(super) async fn put_type(&self, actor: &Actor, body: &Value) -> Result<(i64, Value), ServiceError> {
        let (view, _) = self.services.case_types.put(actor, &key("kyb"), body, Expected::Anything).await?;
        Ok((view.row.version, view.definition))
    }
}

pub(super) fn key(text: &str) -> CaseTypeKey {
    text.parse().unwrap()
}

/// A case type with one field that calls `url` with this `auth`.
pub(super) fn calling(url: &str, auth: &Value) -> Value {
    json!({"fields": [{"key": "check", "type": "api_call", "api_config": {
        "url": url, "auth": auth, "response_mapping": {"name": "$.name"}
    }}]})
}

pub(super) fn pointers(error: ServiceError) -> Vec<String> {
    let ServiceError::Invalid(problems) = error else { panic!("{error}") };
    problems.into_iter().map(|problem| problem.pointer).collect()
}
