//! Tokens, secrets and case types on a real database.

use std::collections::BTreeSet;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use chrono::DateTime;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::actor::Actor;
use super::case_types::CaseTypeView;
use super::error::ServiceError;
use super::new_token::NewTokenRequest;
use super::page::PageRequest;
use super::plans::Plans;
use super::put_secret::PutSecret;
use super::secrets::OpenFailed;
use super::services::Services;
use super::vault::{OnOpened, Vault};
use crate::domain::clock::{Clock, Instant, Rng};
use crate::domain::ids::{CaseTypeKey, FieldKey, SecretName};
use crate::domain::sealing::MasterKey;
use crate::domain::secret::SecretText;
use crate::domain::token::Role;
use crate::store::{CommitLimits, Store, StoreSettings};

/// Moved by hand; it begins in 2026.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Instant {
        DateTime::from_timestamp_millis(self.0.load(Ordering::Relaxed)).unwrap()
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(ready(()))
    }
}

/// Different at every draw, the same in every test run.
struct Counting(AtomicU8);

impl Rng for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let first = self.0.fetch_add(1, Ordering::Relaxed);
        bytes.fill(7);
        bytes[0] = first;
    }
}

struct House {
    services: Services,
    clock: Arc<Hand>,
    opened: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let limits = CommitLimits { case_bytes: 1 << 20, output_bytes: 1 << 18 };
    let url = format!("sqlite://{}", folder.path().join("dossier.db").display());
    let store =
        Store::open(&StoreSettings { url, wait_for_disk: false, limits }, &TaskTracker::new()).await.unwrap();
    let (clock, rng) =
        (Arc::new(Hand(AtomicI64::new(1_795_253_400_000))), Arc::new(Counting(AtomicU8::new(1))));
    let opened = Arc::new(Mutex::new(Vec::new()));
    let listener = opened.clone();
    let listener: Arc<OnOpened> =
        Arc::new(move |label, text| listener.lock().unwrap().push(format!("{label}={text}")));
    let vault = Vault::new(MasterKey::generate(&*rng), rng.clone(), listener);
    let services = Services::new(store, clock.clone(), rng, vault, limits);
    House { services, clock, opened, _folder: folder }
}

fn request(name: &str, role: Role) -> NewTokenRequest {
    NewTokenRequest { name: name.to_owned(), role, overrides: true, expires_at: None }
}

impl House {
    /// An admin of a workspace.
    async fn actor(&self, workspace: &str) -> Actor {
        let id = self.services.access.ensure_workspace(&workspace.parse().unwrap()).await.unwrap();
        let (_, token) = self.services.access.create_in(id, request("ops", Role::Admin)).await.unwrap();
        self.services.access.authenticate(token.expose()).await.unwrap().unwrap()
    }

    async fn put_secret(&self, actor: &Actor, name: &str, value: &str) -> (i64, bool) {
        let secret = PutSecret::new(value.to_owned(), &["api.example".to_owned()], true).unwrap();
        let (info, created) = self.services.secrets.put(actor, name.parse().unwrap(), secret).await.unwrap();
        (info.version, created)
    }

    async fn put_type(&self, actor: &Actor, body: &Value) -> Result<(i64, Value), ServiceError> {
        let (view, _) = self.services.case_types.put(actor, &key("kyb"), body).await?;
        Ok((view.row.version, view.definition))
    }
}

fn key(text: &str) -> CaseTypeKey {
    text.parse().unwrap()
}

fn field(text: &str) -> FieldKey {
    text.parse().unwrap()
}

/// A case type with one field that calls `url` with this `auth`.
fn calling(url: &str, auth: &Value) -> Value {
    json!({"fields": [{"key": "check", "type": "api_call", "api_config": {
        "url": url, "auth": auth, "response_mapping": {"name": "$.name"}
    }}]})
}

fn pointers(error: ServiceError) -> Vec<String> {
    let ServiceError::Invalid(problems) = error else { panic!("{error}") };
    problems.into_iter().map(|problem| problem.pointer).collect()
}

#[tokio::test]
async fn a_token_opens_its_workspace_until_it_is_deleted_or_expires() {
    let house = house().await;
    let access = &house.services.access;
    let (admin, other) = (house.actor("default").await, house.actor("other").await);
    let until = house.clock.now() + chrono::TimeDelta::hours(1);
    let new =
        NewTokenRequest { overrides: false, expires_at: Some(until), ..request("batch", Role::Operator) };
    let (row, token) = access.create(&admin, new.clone()).await.unwrap();

    let actor = access.authenticate(token.expose()).await.unwrap().unwrap();
    assert_eq!(
        (actor.workspace, actor.by().as_str(), actor.overrides),
        (admin.workspace, "token:batch", false)
    );
    assert!(actor.require(Role::Operator).is_ok());
    assert!(matches!(actor.require(Role::Builder), Err(ServiceError::Forbidden { needed: Role::Builder })));
    for unknown in ["", "dsr_x", &token.expose().to_uppercase()] {
        assert_eq!(access.authenticate(unknown).await.unwrap(), None);
    }
    assert!(matches!(access.delete(&other, row.id).await, Err(ServiceError::NotFound(_))));
    assert_eq!(access.list(&other, PageRequest::default()).await.unwrap().items.len(), 1);

    house.clock.0.store(until.timestamp_millis(), Ordering::Relaxed);
    assert_eq!(access.authenticate(token.expose()).await.unwrap(), None, "expired");
    assert_eq!(pointers(access.create(&admin, new).await.unwrap_err()), ["/expires_at"]);

    let (row, token) = access.create(&admin, request("short", Role::Viewer)).await.unwrap();
    assert!(access.authenticate(token.expose()).await.unwrap().is_some());
    access.delete(&admin, row.id).await.unwrap();
    assert_eq!(access.authenticate(token.expose()).await.unwrap(), None, "deleted");
}

#[tokio::test]
async fn the_admin_token_of_the_settings_is_what_they_say() {
    let house = house().await;
    let (access, workspace) = (&house.services.access, "default".parse().unwrap());
    let text = |text: &str| SecretText::from(text.to_owned());
    let good = async |token: &str| access.authenticate(token).await.unwrap().is_some();

    assert!(access.has_no_token().await.unwrap());
    access.ensure_admin_token(&workspace, Some(&text("first-value"))).await.unwrap();
    access.ensure_admin_token(&workspace, Some(&text("first-value"))).await.unwrap();
    assert!(good("first-value").await && !access.has_no_token().await.unwrap());
    assert!(!access.insert_first_token(&workspace, &text("too-late")).await.unwrap());
    access.ensure_admin_token(&workspace, Some(&text("second-value"))).await.unwrap();
    assert!(good("second-value").await && !good("first-value").await && !good("too-late").await);

    let admin = access.authenticate("second-value").await.unwrap().unwrap();
    let (_, viewer) = access.create(&admin, request("viewer", Role::Viewer)).await.unwrap();
    let clash = access.ensure_admin_token(&workspace, Some(&viewer)).await.unwrap_err().to_string();
    assert!(clash.contains("`viewer`") && !clash.contains(viewer.expose()), "{clash}");
    assert!(good("second-value").await, "a refused setting changes nothing");
    access.ensure_admin_token(&workspace, None).await.unwrap();
    assert!(!good("second-value").await && good(viewer.expose()).await);
}

#[tokio::test]
async fn a_secret_is_used_and_never_shown() {
    let house = house().await;
    let secrets = &house.services.secrets;
    let (actor, other) = (house.actor("default").await, house.actor("other").await);
    let names = BTreeSet::from(["vies".to_owned()]);
    assert!(
        matches!(secrets.open(actor.workspace, &names).await, Err(OpenFailed::Missing(name)) if name == "vies")
    );

    assert_eq!(house.put_secret(&actor, "vies", "correct-horse").await, (1, true));
    let opened = secrets.open(actor.workspace, &names).await.unwrap();
    assert_eq!(opened.values["vies"], "correct-horse");
    assert_eq!(opened.hosts["vies"].len(), 1);
    assert_eq!(
        opened.labels().map(|(label, text)| format!("{label}{text}")).next().unwrap(),
        "[secret vies]correct-horse"
    );
    assert_eq!(*house.opened.lock().unwrap(), ["[secret vies]=correct-horse"]);

    assert_eq!(house.put_secret(&actor, "vies", "battery-staple").await, (2, false));
    assert_eq!(secrets.open(actor.workspace, &names).await.unwrap().values["vies"], "battery-staple");
    assert!(secrets.open(other.workspace, &names).await.is_err());
    let shown = format!("{:?}", secrets.list(&actor, PageRequest::default()).await.unwrap().items);
    assert!(shown.contains("vies") && !shown.contains("battery"), "{shown}");
}

#[tokio::test]
async fn a_secret_in_use_stays_and_an_old_version_outlives_it() {
    let house = house().await;
    let (secrets, actor) = (&house.services.secrets, house.actor("default").await);
    let vies: SecretName = "vies".parse().unwrap();
    let with = calling("https://api.example/x", &json!({"type": "bearer", "token": "{{ secret['vies'] }}"}));
    let unknown = pointers(house.put_type(&actor, &with).await.unwrap_err());
    assert_eq!(unknown, ["/fields/0/api_config/auth/token"]);

    house.put_secret(&actor, "vies", "correct-horse").await;
    house.put_type(&actor, &with).await.unwrap();
    assert_eq!(secrets.used_by(&actor, &vies).await.unwrap(), ["kyb"]);
    let Err(ServiceError::InUse { users, .. }) = secrets.delete(&actor, &vies).await else {
        panic!("deleted")
    };
    assert_eq!(users, ["kyb"]);

    house.put_type(&actor, &calling("https://api.example/x", &json!({"type": "none"}))).await.unwrap();
    secrets.delete(&actor, &vies).await.unwrap();
    assert!(matches!(secrets.delete(&actor, &vies).await, Err(ServiceError::NotFound(_))));
    let id = house.services.plans.current(actor.workspace, &key("kyb")).await.unwrap().unwrap().id;
    // As another replica would: with nothing compiled yet.
    let fresh = Plans::new(house.services.store.clone(), vault_of_nobody());
    let old = fresh.version(id, 1).await.unwrap().unwrap();
    assert!(old.secrets().contains("vies"));
}

fn vault_of_nobody() -> Vault {
    let rng = Arc::new(Counting(AtomicU8::new(99)));
    Vault::new(MasterKey::generate(&*rng), rng, Arc::new(|_, _| {}))
}

#[tokio::test]
async fn a_case_type_counts_its_versions() {
    let house = house().await;
    let (case_types, actor) = (&house.services.case_types, house.actor("default").await);
    let body = |name: &str| json!({"key": "kyb", "name": name, "version": 77, "fields": [{"key": "vat", "type": "text"}]});
    assert_eq!(case_types.create(&actor, &body("A")).await.unwrap().row.version, 1);
    assert!(matches!(case_types.create(&actor, &body("B")).await, Err(ServiceError::AlreadyExists(_))));
    let (version, shown) = house.put_type(&actor, &body("A")).await.unwrap();
    assert_eq!(version, 1, "the same again is no new version");
    assert_eq!(house.put_type(&actor, &shown).await.unwrap().0, 1, "what was read can be written back");

    let mut other = body("B");
    other["key"] = "kyc".into();
    other["nmae"] = 1.into();
    assert_eq!(pointers(house.put_type(&actor, &other).await.unwrap_err()), ["/key", "/nmae"]);
    let two = futures_util::future::join_all((0..8).map(|n| {
        let (house, actor) = (&house, &actor);
        async move { house.put_type(actor, &body(&format!("N{n}"))).await.unwrap().0 }
    }));
    let versions: BTreeSet<i64> = two.await.into_iter().collect();
    assert_eq!(versions, (2..=9).collect());
    let plan = house.services.plans.current(actor.workspace, &key("kyb")).await.unwrap().unwrap();
    assert_eq!(plan.version, 9);

    house.services.cases.create(&actor, &json!({"case_type": "kyb", "data": {}})).await.unwrap();
    let Err(ServiceError::InUse { users, .. }) = case_types.delete(&actor, &key("kyb")).await else {
        panic!("deleted")
    };
    assert_eq!(users, ["1 case"]);
    case_types.put(&actor, &key("empty"), &json!({})).await.unwrap();
    case_types.delete(&actor, &key("empty")).await.unwrap();
    assert!(house.services.plans.current(actor.workspace, &key("empty")).await.unwrap().is_none());
    assert!(matches!(case_types.get(&actor, &key("empty")).await, Err(ServiceError::NotFound(_))));
}

#[tokio::test]
async fn a_typed_credential_is_sealed_hidden_kept_and_opened() {
    let house = house().await;
    let (plans, actor) = (&house.services.plans, house.actor("default").await);
    let bearer = |token: &str| json!({"type": "bearer", "token": token});
    let none =
        house.put_type(&actor, &calling("https://api.example/x", &bearer("[hidden]"))).await.unwrap_err();
    assert_eq!(pointers(none), ["/fields/0/api_config/auth/token"]);

    let (version, shown) =
        house.put_type(&actor, &calling("https://api.example/x", &bearer("typed-in-1"))).await.unwrap();
    assert_eq!(version, 1);
    assert_eq!(shown["fields"][0]["api_config"]["auth"]["token"], "[hidden]");
    let row = house.services.case_types.get(&actor, &key("kyb")).await.unwrap().row;
    assert!(
        row.definition.to_string().contains("$sealed") && !row.definition.to_string().contains("typed-in")
    );
    assert_eq!(house.put_type(&actor, &shown).await.unwrap().0, 1);
    assert_eq!(
        house.put_type(&actor, &calling("https://api.example/x", &bearer("typed-in-1"))).await.unwrap().0,
        1
    );

    // Another path of the same provider keeps it, another provider does not get it.
    assert_eq!(
        house.put_type(&actor, &calling("https://API.example:443/y", &bearer("[hidden]"))).await.unwrap().0,
        2
    );
    for elsewhere in ["https://api.example:8443/y", "http://api.example/y", "{params.base}/y"] {
        let nested = json!({"type": "bearer", "config": {"token": "[hidden]"}});
        let moved = house.put_type(&actor, &calling(elsewhere, &nested)).await.unwrap_err();
        assert_eq!(pointers(moved), ["/fields/0/api_config/auth/config/token"], "{elsewhere}");
    }
    let plan = plans.current(actor.workspace, &key("kyb")).await.unwrap().unwrap();
    let typed: Vec<_> = plan.credentials(&field("check")).iter().map(SecretText::expose).collect();
    assert_eq!(typed, ["typed-in-1"]);
    assert!(plan.credentials(&field("other")).is_empty());
    assert!(house.opened.lock().unwrap().contains(&"[hidden]=typed-in-1".to_owned()));

    assert_eq!(
        house.put_type(&actor, &calling("https://api.example/y", &bearer("typed-in-2"))).await.unwrap().0,
        3
    );
    let plan = plans.current(actor.workspace, &key("kyb")).await.unwrap().unwrap();
    assert_eq!(plan.credentials(&field("check"))[0].expose(), "typed-in-2");
}

#[tokio::test]
async fn lists_are_cut_into_pages() {
    let house = house().await;
    let (case_types, actor) = (&house.services.case_types, house.actor("default").await);
    for name in ["b", "a", "c"] {
        case_types.put(&actor, &key(name), &json!({})).await.unwrap();
    }
    let first = PageRequest { limit: 2, cursor: None, count: true };
    let page = case_types.list(&actor, first).await.unwrap();
    assert_eq!(page.total, Some(3));
    let keys = |items: &[CaseTypeView]| items.iter().map(|view| view.row.key.to_string()).collect::<String>();
    assert_eq!(keys(&page.items), "ab");
    let second = PageRequest { limit: 2, cursor: page.next, count: false };
    let page = case_types.list(&actor, second).await.unwrap();
    assert_eq!((keys(&page.items).as_str(), page.next, page.total), ("c", None, None));
}
