//! What can go wrong with the database.

use sea_orm::{DbErr, RuntimeErr, SqlErr};
use uuid::Uuid;

use super::dialect::{is_cut, is_passing_state, postgres_state};

/// Trouble of ours, never of a provider.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is busy, read-only or full; repeating may help.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The database refused a statement.
    #[error("the database refused a statement: {0}")]
    Refused(String),
    /// Something with this name or id is there already.
    #[error("it exists already: {0}")]
    Duplicate(String),
    /// A row cannot be read back.
    #[error("{table} {id}: {reason}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row.
        id: Uuid,
        /// What is wrong with it.
        reason: String,
    },
    /// The writer has stopped: the process is going down.
    #[error("the process is stopping")]
    Stopped,
}

impl StoreError {
    /// Whether trying again later can help.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Stopped)
    }
}

/// SQLite's primary result codes for trouble that passes: busy, locked, read-only, I/O, full,
/// cannot open (<https://www.sqlite.org/rescode.html>).
const PASSING: [i32; 6] = [5, 6, 8, 10, 13, 14];

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        if let Some(SqlErr::UniqueConstraintViolation(message)) = error.sql_err() {
            return Self::Duplicate(message);
        }
        if is_passing(&error) {
            Self::Unavailable(error.to_string())
        } else {
            Self::Refused(error.to_string())
        }
    }
}

fn is_passing(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_));
    };
    if let Some(state) = postgres_state(cause) {
        return is_passing_state(state);
    }
    let code = cause.as_database_error().and_then(|cause| cause.code()?.parse::<i32>().ok());
    let passing = code.is_some_and(|code| PASSING.contains(&(code & 0xff)));
    passing || is_cut(cause)
}
