//! Many readers at few connections of PostgreSQL.
//!
//! Whoever finds all places taken waits in line for a long while: a crowd is no trouble. Where
//! there is no database nobody waits longer than for one connection: the first who learns of it
//! tells those who stand in line.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DatabaseConnection, DbErr};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::task::TaskTracker;

use super::dialect::{Dialect, READERS};
use super::error::StoreError;
use super::tx::Tx;

/// How long somebody stands in line.
const PATIENCE: Duration = Duration::from_secs(30);

/// The line before the reading connections.
pub(super) struct Crowd {
    places: Arc<Semaphore>,
    /// Counts how often there was no connection.
    away: watch::Sender<u64>,
    tasks: TaskTracker,
    runtime: Handle,
}

impl Crowd {
    /// Nobody stands in it yet. Connections are made in the runtime that this is called in.
    pub(super) fn new(tasks: &TaskTracker) -> Self {
        Self {
            places: Arc::new(Semaphore::new(READERS as usize)),
            away: watch::Sender::new(0),
            tasks: tasks.clone(),
            runtime: Handle::current(),
        }
    }

    /// Begins a transaction for reading.
    pub(super) async fn read(&self, readers: &DatabaseConnection) -> Result<Tx, StoreError> {
        let place = self.place().await?;
        // In a task of its own: who asks may be gone before it has begun, and sqlx would put the
        // connection back inside of the transaction.
        let begun = self.tasks.spawn_on(begin(readers.clone(), place), &self.runtime);
        let begun = begun.await.map_err(|_| StoreError::Stopped)?;
        if begun.is_err() {
            self.away.send_modify(|count| *count += 1);
        }
        begun
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let mut away = self.away.subscribe();
        let waits = tokio::time::timeout(PATIENCE, self.places.clone().acquire_owned());
        tokio::select! {
            biased;
            place = waits => match place {
                Ok(place) => place.map_err(|_| StoreError::Stopped),
                Err(_) => Err(StoreError::Unavailable("too many read at once".to_owned())),
            },
            _ = away.changed() => Err(StoreError::Unavailable("there is no connection".to_owned())),
        }
    }
}

/// Connections that the server has closed meanwhile are found out one by one.
async fn begin(readers: DatabaseConnection, place: OwnedSemaphorePermit) -> Result<Tx, StoreError> {
    let mut left = READERS;
    loop {
        match Tx::reading(&readers, Dialect::Postgres).await {
            Err(error) if left > 0 && !matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_)) => {
                left -= 1;
            }
            begun => return Ok(begun?.with_place(place)),
        }
    }
}
