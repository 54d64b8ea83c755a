//! Who signed in, and what signing in takes.

use std::net::IpAddr;

use super::actor::{Actor, Who};
use crate::domain::ids::SessionId;
use crate::domain::secret::SecretText;
use crate::domain::session::csrf;
use crate::store::{PersonRow, SessionRow};

/// A try to sign in with a password.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// As it was typed.
    pub email: String,
    /// As it was typed.
    pub password: SecretText,
    /// Where it comes from.
    pub address: IpAddr,
    /// What the browser says of itself.
    pub user_agent: String,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// What services take.
    pub actor: Actor,
    /// Who it is.
    pub person: PersonRow,
    /// Their session.
    pub session: SessionRow,
    /// What each form of this session carries, and each change of a page must bring.
    pub csrf: String,
}

impl SignedIn {
    pub(super) fn new(session: SessionRow, person: PersonRow, token: &str) -> Self {
        let actor = Actor {
            workspace: person.workspace,
            who: Who::Person(person.id),
            name: person.known_as(),
            role: person.role,
            overrides: true,
            request_id: None,
        };
        Self { actor, person, session, csrf: csrf(token) }
    }

    /// The session's id.
    pub fn id(&self) -> SessionId {
        self.session.id
    }
}

/// A session that has just begun.
#[derive(Debug, Clone)]
pub struct Begun {
    /// What the browser keeps; it is shown nowhere.
    pub token: SecretText,
    /// Whose it is.
    pub signed_in: SignedIn,
}
