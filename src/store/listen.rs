//! Wake-ups between processes on one PostgreSQL: `LISTEN` and `NOTIFY`.
//!
//! They only save waiting: the queue is looked at without them, too, so a lost one does no harm.
//! Commits close to each other make one notification. Each names the process that it comes from,
//! which does not listen to itself. That tokens or sessions were withdrawn is told in the
//! transaction that does it; who does not hear of it forgets what it knows of them after 5 s anyway.
//! So is that a case was deleted, of which nothing is kept that could be read.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, sqlx};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::dialect::{Dialect, connect_info};
use super::error::StoreError;
use super::signals::Signals;
use super::statement::{sql, text};
use super::tx::Tx;
use crate::domain::ids::{CaseId, WorkspaceId};

const CHANNEL: &str = "dossier";

/// Where it is told that somebody's access was withdrawn or changed.
pub(super) const ACCESS: &str = "dossier_access";

/// Where it is told which case of which workspace was deleted.
const DELETED: &str = "dossier_deleted";

/// At least so much lies between two notifications.
const APART: Duration = Duration::from_millis(20);

/// Before a lost connection is made anew.
const AGAIN: Duration = Duration::from_secs(1);

/// Starts telling and listening; both end with `closing`.
pub(super) fn start(
    url: &str,
    readers: &DatabaseConnection,
    signals: &Arc<Signals>,
    origin: Uuid,
    (tasks, closing): (&TaskTracker, &CancellationToken),
) {
    tasks.spawn(tell(readers.clone(), signals.clone(), origin, closing.clone()));
    if let Some(options) = connect_info(url) {
        let (signals, closing) = (signals.clone(), closing.clone());
        // The connection goes with the future, so it does not matter where that is dropped.
        tasks.spawn(async move {
            let _ = closing.run_until_cancelled(listen(options, &signals, &origin.to_string())).await;
        });
    }
}

async fn tell(readers: DatabaseConnection, signals: Arc<Signals>, origin: Uuid, closing: CancellationToken) {
    while closing.run_until_cancelled(signals.something_to_tell()).await.is_some() {
        let values = vec![text(CHANNEL), text(origin.to_string())];
        if let Err(error) = readers.query_all_raw(sql("SELECT pg_notify($1, $2) IS NULL", values)).await {
            tracing::debug!(%error, "other processes could not be woken");
        }
        pause(APART).await;
    }
}

async fn listen(options: PgConnectOptions, signals: &Signals, origin: &str) {
    loop {
        if let Err(error) = hear(options.clone(), signals, origin).await {
            tracing::debug!(%error, "other processes cannot be heard");
        }
        pause(AGAIN).await;
    }
}

/// Until the connection is lost.
async fn hear(options: PgConnectOptions, signals: &Signals, origin: &str) -> Result<(), sqlx::Error> {
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen_all([CHANNEL, ACCESS, DELETED]).await?;
    // What was told before is lost.
    signals.access_changed();
    signals.wake();
    signals.changed_somewhere();
    while let Some(told) = listener.try_recv().await? {
        if told.channel() == ACCESS {
            signals.access_changed();
        } else if told.channel() == DELETED {
            let ids = told.payload().split_once(' ');
            if let Some((Ok(workspace), Ok(case))) = ids.map(|(one, other)| (one.parse(), other.parse())) {
                signals.deleted(WorkspaceId(workspace), CaseId(case));
            }
        } else if told.payload() != origin {
            signals.wake();
            signals.changed_somewhere();
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "nothing that is kept or shown depends on it")]
async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

impl Tx {
    /// Tells other processes with the commit that somebody's access was withdrawn or changed. On SQLite
    /// there is nobody who listens.
    pub(super) async fn tell_of_access(&self) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Postgres {
            self.all(sql("SELECT pg_notify($1, '') IS NULL", vec![text(ACCESS)])).await?;
        }
        Ok(())
    }

    /// Tells all processes with the commit, this one too, that a case was deleted. On SQLite this one
    /// is told by [`Store::case_deleted`].
    pub(super) async fn tell_of_deleted(
        &self,
        workspace: WorkspaceId,
        case: CaseId,
    ) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Postgres {
            let values = vec![text(DELETED), text(format!("{workspace} {case}"))];
            self.all(sql("SELECT pg_notify($1, $2) IS NULL", values)).await?;
        }
        Ok(())
    }
}
