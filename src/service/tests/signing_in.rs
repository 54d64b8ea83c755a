//! Passwords and sessions, where they meet.

use super::house::{House, house};
use crate::domain::secret::SecretText;
use crate::domain::token::Role;
use crate::service::actor::Actor;
use crate::service::error::ServiceError;
use crate::service::person_request::{NewPersonRequest, PersonPatch};
use crate::service::signed_in::{SignIn, SignedIn};
use crate::store::PersonRow;

const FIRST: &str = "correct horse battery";

fn password(text: &str) -> SecretText {
    SecretText::from(text.to_owned())
}

async fn ada(house: &House, actor: &Actor) -> PersonRow {
    let request = NewPersonRequest {
        name: "Ada".to_owned(),
        email: "ada@example.com".to_owned(),
        role: Role::Operator,
        active: true,
        password: Some(password(FIRST)),
    };
    house.services.people.create(actor, request, None).await.unwrap()
}

async fn sign_in(house: &House, text: &str) -> Option<SignedIn> {
    let sign_in = SignIn {
        email: "ada@example.com".to_owned(),
        password: password(text),
        address: "192.0.2.1".parse().unwrap(),
        user_agent: String::new(),
    };
    house.services.sessions.sign_in(sign_in).await.unwrap().map(|begun| begun.signed_in)
}

#[tokio::test]
async fn a_password_that_was_changed_while_it_was_compared_begins_no_session() {
    let house = house().await;
    let actor = house.actor("default").await;
    let ada = ada(&house, &actor).await;
    let compared = house.services.store.read().await.unwrap().kept_password(ada.id).await.unwrap().unwrap();
    let begin = async || {
        let begun = house.services.sessions.begin(ada.clone(), compared.clone(), "").await;
        begun.unwrap().is_some()
    };
    assert!(begin().await);
    let patch = PersonPatch { password: Some(password("another horse battery")), ..PersonPatch::default() };
    house.services.people.patch(&actor, ada.id, patch).await.unwrap();
    assert!(!begin().await, "the old password");
    assert!(sign_in(&house, "another horse battery").await.is_some());
    house.services.people.delete(&actor, ada.id).await.unwrap();
    assert!(!begin().await, "nobody");
}

#[tokio::test]
async fn guesses_of_the_present_password_are_counted() {
    let house = house().await;
    let actor = house.actor("default").await;
    ada(&house, &actor).await;
    let who = sign_in(&house, FIRST).await.unwrap();
    let change = async |present: &str| {
        let new = password("another horse battery");
        house.services.people.change_password(&who, Some(password(present)), new).await
    };
    for _ in 0..10 {
        assert!(matches!(change("a guess that is wrong").await, Err(ServiceError::Invalid(_))));
    }
    assert!(matches!(change(FIRST).await, Err(ServiceError::TooManyRequests { .. })));
    house.clock.0.fetch_add(300_000, std::sync::atomic::Ordering::Relaxed);
    change(FIRST).await.unwrap();
}
