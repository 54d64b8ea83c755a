//! Secrets and typed credentials.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;

use serde_json::json;

use super::house::{Counting, calling, house, key, pointers};
use crate::domain::ids::{FieldKey, SecretName};
use crate::domain::sealing::MasterKey;
use crate::domain::secret::SecretText;
use crate::service::error::ServiceError;
use crate::service::page::PageRequest;
use crate::service::plans::Plans;
use crate::service::vault::Vault;
use crate::service::{OpenFailed, SecretUser};

#[tokio::test]
async fn a_secret_is_used_and_never_shown() {
    let house = house().await;
    let secrets = &house.services.secrets;
    let (actor, other) = (house.actor("default").await, house.actor("other").await);
    let names = BTreeSet::from(["vies".to_owned()]);
    assert!(
        matches!(secrets.open(actor.workspace, &names, None).await, Err(OpenFailed::Missing(name)) if name == "vies")
    );

    assert_eq!(house.put_secret(&actor, "vies", "correct-horse").await, (1, true));
    let opened = secrets.open(actor.workspace, &names, None).await.unwrap();
    assert_eq!(opened.values["vies"], "correct-horse");
    assert_eq!(opened.hosts["vies"].len(), 1);
    assert_eq!(
        opened.labels().map(|(label, text)| format!("{label}{text}")).next().unwrap(),
        "[secret vies]correct-horse"
    );
    assert_eq!(*house.opened.lock().unwrap(), ["[secret vies]=correct-horse"]);

    assert_eq!(house.put_secret(&actor, "vies", "battery-staple").await, (2, false));
    assert_eq!(secrets.open(actor.workspace, &names, None).await.unwrap().values["vies"], "battery-staple");
    assert!(secrets.open(other.workspace, &names, None).await.is_err());
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
    let user = SecretUser::Field { case_type: "kyb".into(), field: "check".into() };
    assert_eq!(secrets.used_by(&actor, &vies).await.unwrap(), [user]);
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

fn field(text: &str) -> FieldKey {
    text.parse().unwrap()
}
