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
    /// The database has no room left: a full disk.
    #[error("the database has no space left: {0}")]
    Full(String),
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
    /// A bug in Dossier stopped the work on it; nothing was written.
    #[error("a bug in Dossier stopped this write; the log says more")]
    Panicked,
    /// The writer has stopped: the process is going down.
    #[error("the process is stopping")]
    Stopped,
}

impl StoreError {
    /// Whether trying again later can help.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full(_) | Self::Stopped)
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
        if is_full(&error) {
            return Self::Full(error.to_string());
        }
        if is_passing(&error) {
            Self::Unavailable(error.to_string())
        } else {
            Self::Refused(error.to_string())
        }
    }
}

/// Codes for a full disk: `SQLITE_FULL`, `SQLITE_IOERR_WRITE` (what a limit on the size of files comes
/// to), and PostgreSQL's `disk_full`.
const FULL: [&str; 3] = ["13", "778", "53100"];

fn is_full(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))
    | DbErr::Conn(RuntimeErr::SqlxError(cause))) = error
    else {
        return false;
    };
    cause
        .as_database_error()
        .and_then(sea_orm::sqlx::error::DatabaseError::code)
        .is_some_and(|code| FULL.contains(&&*code))
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
