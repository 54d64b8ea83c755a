//! Who looks at a page, as the session says it; the session itself is found in `session.rs`.
//!
//! A handler asks for a [`Visitor`] to read and for a [`Posted`] form to change, so forgetting
//! who asks, or whether the form is ours, looks odd.
//!
//! [`Visitor`]: crate::ui::visitor::Visitor
//! [`Posted`]: crate::ui::posted::Posted

use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use super::frame::{Frame, Guest, Place};
use super::refusal::Refusal;
use crate::domain::token::Role;
use crate::service::{Actor, SignedIn};

/// A person who is signed in.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// As services know them.
    pub actor: Actor,
    /// Their name, as they read it.
    pub name: String,
    /// What their forms carry.
    pub csrf: Arc<str>,
}

impl From<&SignedIn> for Visitor {
    fn from(who: &SignedIn) -> Self {
        Self { actor: who.actor.clone(), name: who.person.name.clone(), csrf: who.csrf.as_str().into() }
    }
}

impl Visitor {
    /// The frame of a page of theirs.
    pub fn frame(&self, place: Place, title: impl Into<String>) -> Frame {
        Frame::of(self.guest(), place).titled(title)
    }

    /// As frames know them.
    pub fn guest(&self) -> Guest {
        Guest { name: self.name.clone(), role: self.actor.role, csrf: self.csrf.clone() }
    }

    /// Refuses who may not do what this role may.
    pub fn require(&self, needed: Role) -> Result<(), Refusal> {
        if self.actor.role.allows(needed) { Ok(()) } else { Err(Refusal::forbidden(needed)) }
    }
}

/// The visitor of this request, where a session was found.
pub fn visitor_of(request: &HttpRequest) -> Option<Rc<Visitor>> {
    request.extensions().get::<Rc<Visitor>>().cloned()
}

impl FromRequest for Visitor {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = visitor_of(request).map(|visitor| (*visitor).clone());
        ready(found.ok_or_else(|| Refusal::trouble("a page of visitors has no session around it")))
    }
}
