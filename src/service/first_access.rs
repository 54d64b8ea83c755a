//! Tokens that the program makes by itself: the first one, and that of the settings.

use super::access::{Access, CONFIGURED, delete_token, insert_token};
use super::error::ServiceError;
use super::new_token::NewTokenRequest;
use crate::domain::audit::Author;
use crate::domain::clock::Instant;
use crate::domain::ids::{WorkspaceId, WorkspaceKey};
use crate::domain::secret::SecretText;
use crate::domain::token::{self, Role};
use crate::store::{Edited, NewToken, TokenRow, Tx};

impl Access {
    /// Whether there is no token in any workspace: this is the first start.
    pub async fn has_no_token(&self) -> Result<bool, ServiceError> {
        Ok(self.store.read().await?.count_tokens().await? == 0)
    }

    /// A new admin token's text, for [`Access::insert_first_token`].
    pub fn generate(&self) -> SecretText {
        token::generate(&*self.rng)
    }

    /// Makes this text the first token, an admin of the workspace; `false`: there is a token by
    /// now and this one is good for nothing.
    pub async fn insert_first_token(
        &self,
        workspace: &WorkspaceKey,
        text: &SecretText,
    ) -> Result<bool, ServiceError> {
        let workspace = self.ensure_workspace(workspace).await?;
        let new = self.new_token(workspace, admin("admin"), text.expose());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    tx.hold(Edited::Access).await?;
                    let first = tx.count_tokens().await? == 0;
                    if first {
                        insert_token(tx, &new, &Author::system()).await?;
                    }
                    Ok(first)
                })
            })
            .await
    }

    /// Makes `security.admin_token` what the settings say: an admin token of the workspace with
    /// this value, or none. The value that was set before is good no longer.
    pub async fn ensure_admin_token(
        &self,
        workspace: &WorkspaceKey,
        value: Option<&SecretText>,
    ) -> Result<(), ServiceError> {
        let workspace = self.ensure_workspace(workspace).await?;
        let new = value.map(|text| self.new_token(workspace, admin(CONFIGURED), text.expose()));
        let now = self.clock.now();
        let done = self
            .store
            .write(move |tx| Box::pin(async move { configure(tx, workspace, new, now).await }))
            .await;
        self.known.invalidate_all();
        done
    }
}

fn admin(name: &str) -> NewTokenRequest {
    NewTokenRequest { name: name.to_owned(), role: Role::Admin, overrides: true, expires_at: None }
}

async fn configure(
    tx: &Tx,
    workspace: WorkspaceId,
    new: Option<NewToken>,
    now: Instant,
) -> Result<(), ServiceError> {
    tx.hold(Edited::Access).await?;
    let found = match &new {
        Some(new) => tx.find_token_by_hash(&new.hash).await?,
        None => None,
    };
    let tokens = tx.list_tokens(workspace, None, i64::MAX.unsigned_abs()).await?;
    let kept = found.as_ref().map(|row| row.id);
    for old in tokens.iter().filter(|row| row.name == CONFIGURED && Some(row.id) != kept) {
        delete_token(tx, old, &Author::system(), now).await?;
    }
    match (new, found) {
        (Some(new), None) => Ok(insert_token(tx, &new, &Author::system()).await?),
        (_, Some(row)) if !does_as_admin(&row, workspace) => Err(ServiceError::AlreadyExists(format!(
            "security.admin_token is the value of another token (`{}`, {}); choose another value",
            row.name,
            row.role.as_str()
        ))),
        _ => Ok(()),
    }
}

fn does_as_admin(row: &TokenRow, workspace: WorkspaceId) -> bool {
    row.workspace == workspace && row.role == Role::Admin && row.expires_at.is_none()
}
