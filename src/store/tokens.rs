//! API tokens, by the hash under which they are looked up; the hash itself is never read back.

use sea_orm::{QueryResult, Value};

use super::error::StoreError;
use super::rows::Columns;
use super::statement::{int, maybe_ms, maybe_uuid, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{TokenId, WorkspaceId};
use crate::domain::token::{Role, TokenHash};

/// A row of `token`, without its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its id.
    pub id: TokenId,
    /// The workspace that it opens.
    pub workspace: WorkspaceId,
    /// What people call it.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// Whether its writes make overrides.
    pub overrides: bool,
    /// When it ends to be good; none: never.
    pub expires_at: Option<Instant>,
    /// When it was made.
    pub created_at: Instant,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Instant>,
}

/// A token to be added.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What is kept of it.
    pub row: TokenRow,
    /// What it is found by.
    pub hash: TokenHash,
}

const NEW: &str = "id, workspace_id, name, role, overrides, expires_at, created_at";

const COLUMNS: &str = "id, workspace_id, name, role, overrides, expires_at, created_at, last_used_at";

fn token(row: &QueryResult) -> Result<TokenRow, StoreError> {
    let mut columns = Columns::of("token", row)?;
    Ok(TokenRow {
        id: TokenId(columns.id()),
        workspace: WorkspaceId(columns.get()?),
        name: columns.get()?,
        role: columns.word(Role::parse)?,
        overrides: columns.get()?,
        expires_at: columns.maybe_at()?,
        created_at: columns.at()?,
        last_used_at: columns.maybe_at()?,
    })
}

impl Tx {
    /// The token with this hash, in whatever workspace: this is how a caller's workspace is found.
    pub async fn find_token_by_hash(&self, hash: &TokenHash) -> Result<Option<TokenRow>, StoreError> {
        let values = vec![Value::from(hash.to_vec())];
        let statement = sql(format!("SELECT {COLUMNS} FROM token WHERE hash = $1"), values);
        self.one(statement).await?.as_ref().map(token).transpose()
    }

    /// The token of the workspace with this id.
    pub async fn find_token(
        &self,
        workspace: WorkspaceId,
        id: TokenId,
    ) -> Result<Option<TokenRow>, StoreError> {
        let values = vec![uuid(workspace.0), uuid(id.0)];
        let statement =
            sql(format!("SELECT {COLUMNS} FROM token WHERE workspace_id = $1 AND id = $2"), values);
        self.one(statement).await?.as_ref().map(token).transpose()
    }

    /// The tokens of a workspace, the oldest first, those after `after` only.
    pub async fn list_tokens(
        &self,
        workspace: WorkspaceId,
        after: Option<TokenId>,
        limit: u64,
    ) -> Result<Vec<TokenRow>, StoreError> {
        let statement = sql(
            format!(
                "SELECT {COLUMNS} FROM token WHERE workspace_id = $1 AND ($2 IS NULL OR id > $2) \
                 ORDER BY id LIMIT $3"
            ),
            vec![
                uuid(workspace.0),
                maybe_uuid(after.map(|id| id.0)),
                int(i64::try_from(limit).unwrap_or(i64::MAX)),
            ],
        );
        self.all(statement).await?.iter().map(token).collect()
    }

    /// Tokens of a workspace, counted up to `most`.
    pub async fn count_tokens_in(&self, workspace: WorkspaceId, most: u64) -> Result<u64, StoreError> {
        self.count_up_to("token WHERE workspace_id = $1", workspace.0, most).await
    }

    /// Tokens of all workspaces.
    pub async fn count_tokens(&self) -> Result<u64, StoreError> {
        self.number(sql("SELECT count(*) FROM token", vec![])).await
    }

    /// Adds a token; [`StoreError::Duplicate`] when one with this hash is there.
    pub async fn insert_token(&self, token: &NewToken) -> Result<(), StoreError> {
        let row = &token.row;
        let values = vec![
            uuid(row.id.0),
            uuid(row.workspace.0),
            text(row.name.as_str()),
            text(row.role.as_str()),
            Value::from(row.overrides),
            maybe_ms(row.expires_at),
            ms(row.created_at),
            Value::from(token.hash.to_vec()),
        ];
        let statement =
            sql(format!("INSERT INTO token ({NEW}, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"), values);
        self.execute(statement).await.map(drop)
    }

    /// Removes a token; `false`: there is none with this id here. Other processes on PostgreSQL are told
    /// with the commit.
    pub async fn delete_token(&self, workspace: WorkspaceId, id: TokenId) -> Result<bool, StoreError> {
        let values = vec![uuid(workspace.0), uuid(id.0)];
        let removed =
            self.execute(sql("DELETE FROM token WHERE workspace_id = $1 AND id = $2", values)).await?;
        self.tell_of_access().await?;
        Ok(removed > 0)
    }
}
