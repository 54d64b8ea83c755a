//! When tokens, sessions and secrets were used last, to the minute.
//!
//! A use is written only where the row says nothing later than a minute ago, so a row is written
//! at most once a minute however many processes use it.

use super::error::StoreError;
use super::statement::{ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{SecretName, SessionId, TokenId, WorkspaceId};

/// Milliseconds between two writes of one row.
const APART_MS: i64 = 60_000;

const UNWRITTEN: &str = "(last_used_at IS NULL OR last_used_at <= $1 - $2)";

impl Tx {
    /// A token was used at this time.
    pub async fn token_used(&self, id: TokenId, at: Instant) -> Result<(), StoreError> {
        let statement = format!("UPDATE token SET last_used_at = $1 WHERE id = $3 AND {UNWRITTEN}");
        let values = vec![ms(at), APART_MS.into(), uuid(id.0)];
        self.execute(sql(statement, values)).await.map(drop)
    }

    /// A session was used at this time.
    pub async fn session_used(&self, id: SessionId, at: Instant) -> Result<(), StoreError> {
        let statement = "UPDATE session SET last_seen_at = $1 WHERE id = $3 AND last_seen_at <= $1 - $2";
        let values = vec![ms(at), APART_MS.into(), uuid(id.0)];
        self.execute(sql(statement, values)).await.map(drop)
    }

    /// A secret was used at this time.
    pub async fn secret_used(
        &self,
        workspace: WorkspaceId,
        name: &SecretName,
        at: Instant,
    ) -> Result<(), StoreError> {
        let statement = format!(
            "UPDATE secret SET last_used_at = $1 WHERE workspace_id = $3 AND name = $4 AND {UNWRITTEN}"
        );
        let values = vec![ms(at), APART_MS.into(), uuid(workspace.0), text(name.as_str())];
        self.execute(sql(statement, values)).await.map(drop)
    }
}
