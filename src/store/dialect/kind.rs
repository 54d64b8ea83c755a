//! Which database it is, and the words that it has for things.

use std::time::Duration;

use migrations::MigratorTrait;
use sea_orm::{DatabaseConnection, Statement};

use super::{postgres, sqlite};
use crate::store::error::StoreError;

/// The database of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// What a pool is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Bringing the schema up to date, before anything else.
    Migrate,
    /// The one writer.
    Write,
    /// Reading beside it.
    Read,
}

impl Dialect {
    /// The database that a URL names.
    pub(crate) fn of(url: &str) -> Self {
        let postgres = ["postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme));
        if postgres { Self::Postgres } else { Self::Sqlite }
    }

    /// Opens connections.
    pub(crate) async fn connect(
        self,
        url: &str,
        wait_for_disk: bool,
        purpose: Purpose,
    ) -> Result<DatabaseConnection, StoreError> {
        match self {
            Self::Sqlite => sqlite::connect(url, wait_for_disk, purpose).await,
            Self::Postgres => postgres::connect(url, wait_for_disk, purpose).await,
        }
    }

    /// Brings the schema up to date, once, however many processes start.
    pub(crate) async fn migrate(self, on: &DatabaseConnection) -> Result<(), StoreError> {
        if self == Self::Postgres {
            postgres::wait_for_turn(on).await?;
        }
        migrations::Migrator::up(on, None).await?;
        if self == Self::Postgres {
            postgres::take_in_restored(on).await?;
        }
        // The turn ends with the connection.
        Ok(on.close_by_ref().await?)
    }

    /// The statement in the words of this database.
    pub(crate) fn translate(self, statement: Statement) -> Statement {
        match self {
            Self::Sqlite => statement,
            Self::Postgres => postgres::translate(statement),
        }
    }

    /// A text of somebody else's as it can be kept: PostgreSQL takes no NUL.
    pub(crate) fn storable(self, text: String) -> String {
        if self == Self::Postgres && text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
    }

    /// What a SELECT ends with that holds its rows until the commit. One writer holds everything.
    pub(crate) const fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE",
        }
    }

    /// What a SELECT ends with whose rows may be changed, but not deleted, before the commit.
    pub(crate) const fn for_keys(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR KEY SHARE",
        }
    }

    /// What a SELECT ends with whose rows nobody deletes or changes before the commit.
    pub(crate) const fn for_share(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR SHARE",
        }
    }

    /// Which index a list walks along. PostgreSQL knows from what it has counted.
    pub(crate) fn by_index(self, index: &str) -> String {
        match self {
            Self::Sqlite => format!(" INDEXED BY {index}"),
            Self::Postgres => String::new(),
        }
    }

    /// How a sub-select takes runs (`due`) and their cases into hand: what it joins, and its end.
    /// What another process holds is passed over.
    pub(crate) const fn claiming(self) -> (&'static str, &'static str) {
        match self {
            Self::Sqlite => ("", ""),
            Self::Postgres => {
                (" JOIN cases ON cases.id = due.case_id", " FOR UPDATE OF due, cases SKIP LOCKED")
            }
        }
    }

    /// How often the queue is looked at without a wake-up, while nothing is found in it.
    pub(crate) const fn longest_poll(self) -> Duration {
        match self {
            Self::Sqlite => Duration::from_millis(250),
            Self::Postgres => Duration::from_millis(500),
        }
    }
}
