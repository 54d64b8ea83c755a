//! PostgreSQL: several processes on one database.
//!
//! Writers work at READ COMMITTED and hold what they change (see `locks.rs`); readers see one
//! state of the database per transaction and may not write. A transaction that its process has
//! forgotten ends by itself, so that nobody waits long for what it holds.

use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgDatabaseError};
use sea_orm::sqlx::{self, ConnectOptions as _};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbErr, RuntimeErr, Statement,
};

use super::kind::Purpose;
use crate::store::error::StoreError;

/// Connections of a process that read at once.
pub(crate) const READERS: u32 = 8;

/// How long somebody waits for a connection before he is told that there is none.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a start waits for the database.
const PATIENCE_AT_START: Duration = Duration::from_secs(10);

pub(super) async fn connect(
    url: &str,
    wait_for_disk: bool,
    purpose: Purpose,
) -> Result<DatabaseConnection, StoreError> {
    let rest = url.split_once(':').map_or(url, |(_, rest)| rest);
    let mut options = ConnectOptions::new(format!("postgres:{rest}"));
    options
        .max_connections(if purpose == Purpose::Read { READERS } else { 1 })
        .min_connections(1)
        .sqlx_logging(false)
        .test_before_acquire(false)
        .acquire_timeout(if purpose == Purpose::Migrate { PATIENCE_AT_START } else { PATIENCE })
        .map_sqlx_postgres_opts(move |postgres| session(postgres, wait_for_disk, purpose));
    Ok(Database::connect(options).await?)
}

/// What a session is begun with.
fn session(options: PgConnectOptions, wait_for_disk: bool, purpose: Purpose) -> PgConnectOptions {
    let options =
        options.application_name("dossier").statement_cache_capacity(1000).options([("jit", "off")]);
    let options = if wait_for_disk { options } else { options.options([("synchronous_commit", "off")]) };
    match purpose {
        Purpose::Migrate => options.options([("client_min_messages", "warning")]),
        Purpose::Write => options.options([
            ("default_transaction_isolation", "read committed"),
            ("statement_timeout", "60s"),
            ("lock_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "5s"),
        ]),
        Purpose::Read => options.options([
            ("default_transaction_isolation", "repeatable read"),
            ("default_transaction_read_only", "on"),
            ("statement_timeout", "30s"),
            ("idle_in_transaction_session_timeout", "60s"),
        ]),
    }
}

/// Waits until no other process brings the schema up to date.
pub(super) async fn wait_for_turn(on: &DatabaseConnection) -> Result<(), StoreError> {
    on.execute_unprepared("SELECT pg_advisory_lock(hashtextextended('dossier migrations', 0))").await?;
    Ok(())
}

/// Moves events behind which there is nothing yet into the past. That a row is seen whose transaction has
/// not begun says that it was written in another cluster: a dump of that one was restored here. Streams
/// would tell it only when this cluster counts as far, and then as news. They keep their order.
pub(super) async fn take_in_restored(on: &DatabaseConnection) -> Result<(), StoreError> {
    let next = "pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
    let moved = on
        .execute_unprepared(&format!("UPDATE case_event SET tx = {next} - 1 WHERE tx >= {next}"))
        .await?
        .rows_affected();
    if moved > 0 {
        tracing::info!(events = moved, "the database was restored from a dump of another cluster");
    }
    Ok(())
}

/// The options of a connection that listens; none: the URL cannot be read.
pub(crate) fn connect_info(url: &str) -> Option<PgConnectOptions> {
    let options: PgConnectOptions = url.parse().ok()?;
    Some(options.application_name("dossier").disable_statement_logging())
}

/// What SQLite has other words for.
const WORDS: [(&str, &str); 5] = [
    ("json_extract(state.error, '$.code')", "(state.error::json ->> 'code')"),
    ("json_extract(error, '$.code')", "(error::json ->> 'code')"),
    ("json_each(inputs)", "json_each_text(inputs::json)"),
    ("json_each($5)", "json_array_elements_text($5::json)"),
    ("hex(workspace_id)", "upper(replace(workspace_id::text, '-', ''))"),
];

pub(super) fn translate(mut statement: Statement) -> Statement {
    if statement.sql.contains("json_") {
        for (theirs, ours) in WORDS {
            statement.sql = statement.sql.replace(theirs, ours);
        }
    }
    statement
}

/// The SQLSTATE of an error of PostgreSQL.
pub(crate) fn postgres_state(error: &sqlx::Error) -> Option<&str> {
    Some(error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?.code())
}

/// Two transactions got in each other's way: the whole of one must be repeated.
pub(crate) fn is_conflict(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    postgres_state(error).is_some_and(|state| ["40001", "40P01"].contains(&state))
}

/// Whether a commit that failed like this may have been done: the connection was lost, or closed by the
/// server, before its answer came. Any other answer of the server means that it was not.
pub(crate) fn may_have_committed(error: &DbErr) -> bool {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error)) => match postgres_state(error) {
            Some(state) => state.starts_with("57P") || state.starts_with("08"),
            None => true,
        },
        _ => false,
    }
}

/// Trouble that passes: no connection, no resources, shutdown, a limit of time, read-only
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>). A message that the server
/// does not understand (08P01) is no better at the second try.
pub(crate) fn is_passing_state(state: &str) -> bool {
    let classes = ["08", "40", "53", "57", "58"];
    let states = ["25006", "25P03", "55P03"];
    state != "08P01" && (classes.iter().any(|class| state.starts_with(class)) || states.contains(&state))
}

/// The connection is gone, or there never was one.
pub(crate) fn is_cut(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
    )
}
