//! One time for several processes: that of the database they share.
//!
//! Leases, due times and ticks of one process are read by others, so each corrects its own clock
//! by how far it differs from the database's. What cannot be told apart from the length of the
//! question is left alone.

use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use tokio_util::sync::CancellationToken;

use super::error::StoreError;
use super::statement::{instant, sql};
use crate::domain::clock::SharedClock;

/// How often the clocks are compared.
const EVERY: Duration = Duration::from_secs(30);

/// A difference that does not matter.
const SMALL: TimeDelta = TimeDelta::milliseconds(10);

/// Compares the clocks until `closing`.
pub(super) async fn keep(readers: DatabaseConnection, clock: SharedClock, closing: CancellationToken) {
    while closing.run_until_cancelled(clock.sleep_until(clock.now() + EVERY)).await.is_some() {
        if let Err(error) = measure(&readers, &clock).await {
            tracing::debug!(%error, "the clock could not be compared with the database's");
        }
    }
}

/// Compares the clocks once, and corrects ours.
pub(super) async fn measure(readers: &DatabaseConnection, clock: &SharedClock) -> Result<(), StoreError> {
    let asked = clock.now();
    let statement = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";
    let row = readers.query_one_raw(sql(statement, Vec::new())).await?;
    let answered = clock.now();
    let theirs = row.map(|row| row.try_get_by_index(0)).transpose()?.and_then(instant);
    let half = (answered - asked) / 2;
    let off = theirs.map_or_else(TimeDelta::zero, |theirs| theirs - (asked + half));
    if off.abs() > half + SMALL {
        tracing::info!(ms = off.num_milliseconds(), "the clock follows that of the database");
        clock.correct(off);
    }
    Ok(())
}
