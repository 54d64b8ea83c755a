//! Who asks: the bearer of a token or a person who signed in, in one workspace, with one role.

use std::sync::Arc;

use super::error::ServiceError;
use crate::domain::audit::Author;
use crate::domain::case::Source;
use crate::domain::ids::{PersonId, TokenId, WorkspaceId};
use crate::domain::token::Role;
use crate::store::Tx;

/// Who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The bearer of an API token.
    Token(TokenId),
    /// Somebody who signed in.
    Person(PersonId),
}

/// Who asks. Everything that a service does is done in the actor's workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The workspace that the token opens, or the person belongs to.
    pub workspace: WorkspaceId,
    /// Who it is.
    pub who: Who,
    /// The token's name, or the person's.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether their writes make overrides; a person's do.
    pub overrides: bool,
    /// The id of the request that it came with.
    pub request_id: Option<Arc<str>>,
}

impl Actor {
    /// As histories name it: `token:ops`, `person:Ada <ada@example.com>`.
    pub fn by(&self) -> String {
        let kind = match self.who {
            Who::Token(_) => "token",
            Who::Person(_) => "person",
        };
        format!("{kind}:{}", self.name)
    }

    /// As the audit names it.
    pub fn author(&self) -> Author {
        Author { by: self.by(), token: self.token(), request_id: self.request_id.clone() }
    }

    /// The token; none: it is a person.
    pub fn token(&self) -> Option<TokenId> {
        if let Who::Token(id) = self.who { Some(id) } else { None }
    }

    /// The person; none: it is a token.
    pub fn person(&self) -> Option<PersonId> {
        if let Who::Person(id) = self.who { Some(id) } else { None }
    }

    /// As provenance names the source of what they write.
    pub fn source(&self) -> Source {
        match self.who {
            Who::Token(_) => Source::Api,
            Who::Person(_) => Source::Person,
        }
    }

    /// Refuses an actor whose role does not reach.
    pub fn require(&self, needed: Role) -> Result<(), ServiceError> {
        if self.role.allows(needed) { Ok(()) } else { Err(ServiceError::Forbidden { needed }) }
    }

    /// Refuses an actor who is gone, switched off or demoted by now, which another process may have
    /// done a moment ago. Call it in the transaction, behind what it holds.
    pub(super) async fn require_now(&self, tx: &Tx, needed: Role) -> Result<(), ServiceError> {
        let role = match self.who {
            Who::Token(id) => tx.find_token(self.workspace, id).await?.map(|row| row.role),
            Who::Person(id) => {
                let person = tx.find_person(self.workspace, id).await?;
                person.filter(|row| row.active).map(|row| row.role)
            }
        };
        let still = role.is_some_and(|role| role.allows(needed));
        if still { Ok(()) } else { Err(ServiceError::Forbidden { needed }) }
    }
}

/// The author of a change: an actor who may make it still, or else the command line, which acts for
/// nobody.
pub(super) async fn author_now(tx: &Tx, actor: Option<&Actor>, needed: Role) -> Result<Author, ServiceError> {
    let Some(actor) = actor else { return Ok(Author::command()) };
    actor.require_now(tx, needed).await?;
    Ok(actor.author())
}
