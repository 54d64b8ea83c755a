//! Who asks: the bearer of a token, in one workspace, with one role.

use std::sync::Arc;

use super::error::ServiceError;
use crate::domain::audit::Author;
use crate::domain::ids::{TokenId, WorkspaceId};
use crate::domain::token::Role;

/// Who asks. Everything that a service does is done in the actor's workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The workspace that the token opens.
    pub workspace: WorkspaceId,
    /// The token.
    pub token: TokenId,
    /// The token's name.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// Whether its writes make overrides.
    pub overrides: bool,
    /// The id of the request that it came with.
    pub request_id: Option<Arc<str>>,
}

impl Actor {
    /// As histories name it: `token:ops`.
    pub fn by(&self) -> String {
        format!("token:{}", self.name)
    }

    /// As the audit names it.
    pub fn author(&self) -> Author {
        Author { by: self.by(), token: Some(self.token), request_id: self.request_id.clone() }
    }

    /// Refuses an actor whose role does not reach.
    pub fn require(&self, needed: Role) -> Result<(), ServiceError> {
        if self.role.allows(needed) { Ok(()) } else { Err(ServiceError::Forbidden { needed }) }
    }
}
