//! Tokens that providers gave us, as they lie in rows: sealed. What opens them is not known here.
//!
//! A row counts its tokens. Whoever fetches the next one holds the row first, and only who has seen
//! its present version may: so of all processes one fetches, and nobody undoes a newer token. A hold
//! ends by itself. Nothing else in the database refers to these rows, so they may go at any time.

use sea_orm::Value;
use uuid::Uuid;

use super::error::StoreError;
use super::rows::Columns;
use super::statement::{int, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{WorkerId, WorkspaceId};
use crate::domain::sealing::Sealed;

/// What a token is asked with, as a keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProviderTokenId(pub Uuid);

/// A row of `provider_token`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderTokenRow {
    /// Counts the tokens of the row; 0: there was none yet.
    pub version: i64,
    /// The token, unless there is none any more.
    pub token: Option<KeptToken>,
}

/// A token that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptToken {
    /// The token itself.
    pub sealed: Sealed,
    /// When the provider gave it.
    pub fetched_at: Instant,
    /// Until when it is good.
    pub expires_at: Instant,
}

impl Tx {
    /// The row of a token.
    pub async fn provider_token(
        &self,
        workspace: WorkspaceId,
        id: ProviderTokenId,
    ) -> Result<Option<ProviderTokenRow>, StoreError> {
        let statement = "SELECT id, version, sealed, fetched_at, expires_at FROM provider_token \
             WHERE id = $1 AND workspace_id = $2";
        let row = self.one(sql(statement, vec![uuid(id.0), uuid(workspace.0)])).await?;
        let Some(row) = &row else { return Ok(None) };
        let mut columns = Columns::of("provider_token", row)?;
        let version = columns.get()?;
        let sealed: Option<Vec<u8>> = columns.get()?;
        let sealed = sealed.map(|bytes| Sealed::from_bytes(&bytes));
        let sealed = sealed.transpose().map_err(|error| columns.corrupt(error.to_string()))?;
        let (fetched_at, expires_at) = (columns.maybe_at()?, columns.maybe_at()?);
        let token = match (sealed, fetched_at, expires_at) {
            (Some(sealed), Some(fetched_at), Some(expires_at)) => {
                Some(KeptToken { sealed, fetched_at, expires_at })
            }
            _ => None,
        };
        Ok(Some(ProviderTokenRow { version, token }))
    }

    /// Holds the row to fetch the token after `version`, until then at most; `false`: another
    /// process does, or has done so. Holding it again makes the hold longer.
    pub async fn hold_provider_token(
        &self,
        workspace: WorkspaceId,
        id: ProviderTokenId,
        version: i64,
        holder: WorkerId,
        (now, until): (Instant, Instant),
    ) -> Result<bool, StoreError> {
        let statement = "INSERT INTO provider_token (id, workspace_id, version, holder, held_until) \
             VALUES ($1, $2, 0, $3, $4) ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, \
             held_until = excluded.held_until WHERE provider_token.version = $5 \
             AND (provider_token.held_until IS NULL OR provider_token.held_until <= $6 \
             OR provider_token.holder = excluded.holder)";
        let values = vec![uuid(id.0), uuid(workspace.0), uuid(holder.0), ms(until), int(version), ms(now)];
        Ok(self.execute(sql(statement, values)).await? > 0)
    }

    /// Puts the next token into a row that is held, and lets go of it; `false`: it was not held any
    /// more. The token must be sealed for `version`.
    pub async fn keep_provider_token(
        &self,
        workspace: WorkspaceId,
        id: ProviderTokenId,
        version: i64,
        holder: WorkerId,
        token: &KeptToken,
    ) -> Result<bool, StoreError> {
        let statement = "UPDATE provider_token SET version = $4, sealed = $5, key_id = $6, fetched_at = $7, \
             expires_at = $8, holder = NULL, held_until = NULL \
             WHERE id = $1 AND workspace_id = $2 AND holder = $3 AND version < $4";
        let values = vec![
            uuid(id.0),
            uuid(workspace.0),
            uuid(holder.0),
            int(version),
            Value::from(token.sealed.to_bytes()),
            text(token.sealed.key_id()),
            ms(token.fetched_at),
            ms(token.expires_at),
        ];
        Ok(self.execute(sql(statement, values)).await? > 0)
    }

    /// Lets go of a row without a new token for it.
    pub async fn let_go_of_provider_token(
        &self,
        workspace: WorkspaceId,
        id: ProviderTokenId,
        holder: WorkerId,
    ) -> Result<(), StoreError> {
        let statement = "UPDATE provider_token SET holder = NULL, held_until = NULL \
             WHERE id = $1 AND workspace_id = $2 AND holder = $3";
        self.execute(sql(statement, vec![uuid(id.0), uuid(workspace.0), uuid(holder.0)])).await.map(drop)
    }

    /// Takes away a token that the provider did not accept with a request that left at `sent`; one that
    /// was fetched later stays.
    pub async fn spoil_provider_token(
        &self,
        workspace: WorkspaceId,
        id: ProviderTokenId,
        version: i64,
        sent: Instant,
    ) -> Result<(), StoreError> {
        let statement = "UPDATE provider_token SET sealed = NULL, key_id = NULL, expires_at = NULL \
             WHERE id = $1 AND workspace_id = $2 AND (version = $3 OR fetched_at < $4)";
        let values = vec![uuid(id.0), uuid(workspace.0), int(version), ms(sent)];
        self.execute(sql(statement, values)).await.map(drop)
    }

    /// Removes some rows that nobody needs: their token is not good any more.
    pub async fn forget_old_provider_tokens(&self, now: Instant, limit: u32) -> Result<u64, StoreError> {
        let statement = "DELETE FROM provider_token WHERE id IN (SELECT id FROM provider_token \
             WHERE (expires_at IS NULL OR expires_at <= $1) AND (held_until IS NULL OR held_until <= $1) LIMIT $2)";
        self.execute(sql(statement, vec![ms(now), int(limit)])).await
    }
}
