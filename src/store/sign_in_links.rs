//! Links that sign somebody in once, by their hash. Of several who use one at once, one wins.

use sea_orm::Value;

use super::error::StoreError;
use super::people::{COLUMNS as PERSON, PersonRow, next_person};
use super::rows::Columns;
use super::statement::{int, ms, sql, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{PersonId, WorkspaceId};
use crate::domain::token::TokenHash;

/// A row of `sign_in_link`, and whom it signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// Whom it signs in.
    pub person: PersonRow,
    /// When it ends to be good.
    pub expires_at: Instant,
    /// When it was used.
    pub used_at: Option<Instant>,
}

/// A link to be added.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// What it is found by.
    pub hash: TokenHash,
    /// Whom it signs in.
    pub person: PersonId,
    /// The person's workspace.
    pub workspace: WorkspaceId,
    /// When it was made.
    pub created_at: Instant,
    /// When it ends to be good.
    pub expires_at: Instant,
}

impl Tx {
    /// The link with this hash.
    pub async fn find_link(&self, hash: &TokenHash) -> Result<Option<LinkRow>, StoreError> {
        let statement = format!(
            "SELECT {PERSON}, sign_in_link.expires_at, sign_in_link.used_at FROM sign_in_link \
             JOIN person ON person.id = sign_in_link.person_id WHERE sign_in_link.hash = $1"
        );
        let Some(row) = self.one(sql(statement, vec![Value::from(hash.to_vec())])).await? else {
            return Ok(None);
        };
        let mut columns = Columns::of("person", &row)?;
        let id = PersonId(columns.id());
        let person = next_person(&mut columns, id)?;
        Ok(Some(LinkRow { person, expires_at: columns.at()?, used_at: columns.maybe_at()? }))
    }

    /// Adds a link.
    pub async fn insert_link(&self, link: &NewLink) -> Result<(), StoreError> {
        let statement = "INSERT INTO sign_in_link (hash, person_id, workspace_id, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5)";
        let values = vec![
            Value::from(link.hash.to_vec()),
            uuid(link.person.0),
            uuid(link.workspace.0),
            ms(link.created_at),
            ms(link.expires_at),
        ];
        self.execute(sql(statement, values)).await.map(drop)
    }

    /// Uses a link up; `false`: it was used, has expired, or is none.
    pub async fn use_link(&self, hash: &TokenHash, now: Instant) -> Result<bool, StoreError> {
        let statement =
            "UPDATE sign_in_link SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND expires_at > $2";
        Ok(self.execute(sql(statement, vec![Value::from(hash.to_vec()), ms(now)])).await? > 0)
    }

    /// Withdraws all links of a person.
    pub async fn withdraw_links(&self, person: PersonId) -> Result<(), StoreError> {
        self.execute(sql("DELETE FROM sign_in_link WHERE person_id = $1", vec![uuid(person.0)]))
            .await
            .map(drop)
    }

    /// Removes links that expired at `before` or earlier; at most `limit`.
    pub async fn forget_old_links(&self, before: Instant, limit: u32) -> Result<u64, StoreError> {
        let statement = "DELETE FROM sign_in_link WHERE hash IN \
             (SELECT hash FROM sign_in_link WHERE expires_at <= $1 LIMIT $2)";
        self.execute(sql(statement, vec![ms(before), int(limit)])).await
    }
}
