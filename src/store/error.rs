//! What can go wrong with the database.

use sea_orm::{DbErr, RuntimeErr, SqlErr};
use uuid::Uuid;

use super::dialect::{Dialect, is_cut, is_passing_state, may_have_committed, postgres_state};

/// Trouble of ours, never of a provider.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is busy, read-only or full; repeating may help.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The database has no room left: a full disk.
    #[error("the database has no space left: {0}")]
    Full(String),
    /// The connection was cut while a change was being committed: nobody knows whether it was made.
    #[error("it is not known whether the database has committed: {0}")]
    Doubtful(String),
    /// The change is committed; only what it came to could not be read.
    #[error("the change was made, but cannot be read now: {0}")]
    Unread(String),
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
        matches!(
            self,
            Self::Unavailable(_) | Self::Full(_) | Self::Doubtful(_) | Self::Unread(_) | Self::Stopped
        )
    }

    /// The same, of a read that follows a commit.
    #[must_use]
    pub fn after_commit(self) -> Self {
        if self.is_unavailable() { Self::Unread(self.to_string()) } else { self }
    }

    /// Why a transaction was not committed, or may not have been.
    pub(super) fn of_commit(error: DbErr, dialect: Dialect) -> Self {
        if dialect == Dialect::Postgres && may_have_committed(&error) {
            return Self::Doubtful(error.to_string());
        }
        error.into()
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use sea_orm::sqlx;

    use super::*;

    #[test]
    fn a_commit_that_was_cut_off_is_in_doubt_where_the_database_is_another_process() {
        let cut = || {
            let cut = io::Error::new(io::ErrorKind::ConnectionReset, "cut");
            DbErr::Query(RuntimeErr::SqlxError(Arc::new(sqlx::Error::Io(cut))))
        };
        assert!(matches!(StoreError::of_commit(cut(), Dialect::Postgres), StoreError::Doubtful(_)));
        assert!(matches!(StoreError::of_commit(cut(), Dialect::Sqlite), StoreError::Unavailable(_)));
        let undone = || DbErr::Custom("a statement had failed".to_owned());
        assert!(matches!(StoreError::of_commit(undone(), Dialect::Postgres), StoreError::Refused(_)));
        let never = || DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout);
        assert!(matches!(StoreError::of_commit(never(), Dialect::Postgres), StoreError::Unavailable(_)));
    }

    #[test]
    fn what_is_read_after_a_commit_takes_nothing_back() {
        let away = StoreError::Unavailable("away".to_owned()).after_commit();
        assert!(matches!(&away, StoreError::Unread(_)) && away.is_unavailable());
        let broken = StoreError::Refused("no table".to_owned()).after_commit();
        assert!(matches!(broken, StoreError::Refused(_)));
    }
}
