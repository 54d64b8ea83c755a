//! Tokens, and the token of the settings.

use std::sync::atomic::Ordering;

use super::house::{house, pointers, request};
use crate::domain::clock::Clock as _;
use crate::domain::secret::SecretText;
use crate::domain::token::Role;
use crate::service::error::ServiceError;
use crate::service::new_token::NewTokenRequest;
use crate::service::page::PageRequest;

#[tokio::test]
async fn a_token_opens_its_workspace_until_it_is_deleted_or_expires() {
    let house = house().await;
    let access = &house.services.access;
    let (admin, other) = (house.actor("default").await, house.actor("other").await);
    let until = house.clock.now() + chrono::TimeDelta::hours(1);
    let new =
        NewTokenRequest { overrides: false, expires_at: Some(until), ..request("batch", Role::Operator) };
    let (row, token) = access.create(&admin, new.clone(), None).await.unwrap();

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
    assert_eq!(pointers(access.create(&admin, new, None).await.unwrap_err()), ["/expires_at"]);

    let (row, token) = access.create(&admin, request("short", Role::Viewer), None).await.unwrap();
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
    let (_, viewer) = access.create(&admin, request("viewer", Role::Viewer), None).await.unwrap();
    let clash = access.ensure_admin_token(&workspace, Some(&viewer)).await.unwrap_err().to_string();
    assert!(clash.contains("`viewer`") && !clash.contains(viewer.expose()), "{clash}");
    assert!(good("second-value").await, "a refused setting changes nothing");
    access.ensure_admin_token(&workspace, None).await.unwrap();
    assert!(!good("second-value").await && good(viewer.expose()).await);
}
