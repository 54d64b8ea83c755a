//! Case types and their versions.

use std::collections::BTreeSet;

use serde_json::json;

use super::house::{house, key, pointers};
use crate::domain::expected::Expected;
use crate::service::CaseTypeView;
use crate::service::error::ServiceError;
use crate::service::page::PageRequest;

#[tokio::test]
async fn a_case_type_counts_its_versions() {
    let house = house().await;
    let (case_types, actor) = (&house.services.case_types, house.actor("default").await);
    let body = |name: &str| json!({"key": "kyb", "name": name, "version": 77, "fields": [{"key": "vat", "type": "text"}]});
    assert_eq!(case_types.create(&actor, &body("A"), None).await.unwrap().row.version, 1);
    assert!(matches!(case_types.create(&actor, &body("B"), None).await, Err(ServiceError::AlreadyExists(_))));
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

    house.services.cases.create(&actor, &json!({"case_type": "kyb", "data": {}}), None).await.unwrap();
    let Err(ServiceError::InUse { users, .. }) =
        case_types.delete(&actor, &key("kyb"), Expected::Anything).await
    else {
        panic!("deleted")
    };
    assert_eq!(users, ["1 case"]);
    case_types.put(&actor, &key("empty"), &json!({}), Expected::Anything).await.unwrap();
    case_types.delete(&actor, &key("empty"), Expected::Anything).await.unwrap();
    assert!(house.services.plans.current(actor.workspace, &key("empty")).await.unwrap().is_none());
    assert!(matches!(case_types.get(&actor, &key("empty")).await, Err(ServiceError::NotFound(_))));
}

#[tokio::test]
async fn lists_are_cut_into_pages() {
    let house = house().await;
    let (case_types, actor) = (&house.services.case_types, house.actor("default").await);
    for name in ["b", "a", "c"] {
        case_types.put(&actor, &key(name), &json!({}), Expected::Anything).await.unwrap();
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
