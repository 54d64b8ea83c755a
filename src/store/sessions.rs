//! Sessions, by the hash under which they are looked up; the hash itself is never read back.

use std::time::Duration;

use sea_orm::{QueryResult, Value};

use super::error::StoreError;
use super::people::{COLUMNS as PERSON, PersonRow, next_person};
use super::rows::Columns;
use super::statement::{int, maybe_uuid, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{PersonId, SessionId, WorkspaceId};
use crate::domain::token::TokenHash;

/// A row of `session`, without its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub person: PersonId,
    /// The person's workspace.
    pub workspace: WorkspaceId,
    /// When they signed in.
    pub created_at: Instant,
    /// When it was used last, to the minute.
    pub last_seen_at: Instant,
    /// Whether it began with a link, not with a password.
    pub by_link: bool,
    /// What the browser says of itself.
    pub user_agent: String,
}

/// A session to be added.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// What is kept of it.
    pub row: SessionRow,
    /// What it is found by.
    pub hash: TokenHash,
}

const COLUMNS: &str = "session.id, session.person_id, session.workspace_id, session.created_at, \
     session.last_seen_at, session.by_link, session.user_agent";

fn next_session(columns: &mut Columns<'_>) -> Result<SessionRow, StoreError> {
    Ok(SessionRow {
        id: SessionId(columns.id()),
        person: PersonId(columns.get()?),
        workspace: WorkspaceId(columns.get()?),
        created_at: columns.at()?,
        last_seen_at: columns.at()?,
        by_link: columns.get()?,
        user_agent: columns.get()?,
    })
}

impl Tx {
    /// The session with this hash and whose it is, in whatever workspace.
    pub async fn find_session(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<(SessionRow, PersonRow)>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS}, {PERSON} FROM session JOIN person ON person.id = session.person_id \
             WHERE session.hash = $1"
        );
        let Some(row) = self.one(sql(statement, vec![Value::from(hash.to_vec())])).await? else {
            return Ok(None);
        };
        let mut columns = Columns::of("session", &row)?;
        let session = next_session(&mut columns)?;
        let id = PersonId(columns.get()?);
        Ok(Some((session, next_person(&mut columns, id)?)))
    }

    /// The sessions of a person, the newest first.
    pub async fn list_sessions(&self, person: PersonId, limit: u32) -> Result<Vec<SessionRow>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM session WHERE person_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2"
        );
        let rows = self.all(sql(statement, vec![uuid(person.0), int(limit)])).await?;
        let session = |row: &QueryResult| next_session(&mut Columns::of("session", row)?);
        rows.iter().map(session).collect()
    }

    /// Adds a session.
    pub async fn insert_session(&self, session: &NewSession) -> Result<(), StoreError> {
        let row = &session.row;
        let statement = "INSERT INTO session (id, hash, person_id, workspace_id, created_at, last_seen_at, by_link, \
             user_agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let values = vec![
            uuid(row.id.0),
            Value::from(session.hash.to_vec()),
            uuid(row.person.0),
            uuid(row.workspace.0),
            ms(row.created_at),
            ms(row.last_seen_at),
            Value::from(row.by_link),
            text(row.user_agent.as_str()),
        ];
        self.execute(sql(statement, values)).await.map(drop)
    }

    /// Ends one session of a person; `false`: there is none with this id.
    pub async fn end_session(&self, person: PersonId, id: SessionId) -> Result<bool, StoreError> {
        let values = vec![uuid(person.0), uuid(id.0)];
        let ended = self.execute(sql("DELETE FROM session WHERE person_id = $1 AND id = $2", values)).await?;
        self.tell_of_access().await?;
        Ok(ended > 0)
    }

    /// Ends the sessions of a person, all but `but`; answers how many.
    pub async fn end_sessions(&self, person: PersonId, but: Option<SessionId>) -> Result<u64, StoreError> {
        let statement = "DELETE FROM session WHERE person_id = $1 AND ($2 IS NULL OR id <> $2)";
        let ended =
            self.execute(sql(statement, vec![uuid(person.0), maybe_uuid(but.map(|id| id.0))])).await?;
        self.tell_of_access().await?;
        Ok(ended)
    }

    /// Removes sessions that have rested for `idle` or lasted for `longest` at `now`; at most `limit`.
    pub async fn forget_old_sessions(
        &self,
        now: Instant,
        idle: Duration,
        longest: Duration,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let statement = "DELETE FROM session WHERE id IN \
             (SELECT id FROM session WHERE last_seen_at <= $1 OR created_at <= $2 LIMIT $3)";
        self.execute(sql(statement, vec![ms(now - idle), ms(now - longest), int(limit)])).await
    }
}
