//! Counting rows.

use sea_orm::{QueryResult, Statement};
use uuid::Uuid;

use super::error::StoreError;
use super::statement::{instant, int, ms, sql, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::run::Priority;

impl Tx {
    /// The one number that a statement gives; 0 when it gives no row.
    pub(super) async fn number(&self, statement: Statement) -> Result<u64, StoreError> {
        let row = self.one(statement).await?;
        let number = row.map(|row| row.try_get_by_index::<i64>(0)).transpose()?.unwrap_or(0);
        Ok(number.unsigned_abs())
    }

    /// Counts the rows of `from` (a table and its condition on `$1`), and stops at `most`.
    pub(super) async fn count_up_to(&self, from: &str, id: Uuid, most: u64) -> Result<u64, StoreError> {
        let text = format!("SELECT count(*) FROM (SELECT 1 FROM {from} LIMIT $2) AS counted");
        self.number(sql(text, vec![uuid(id), int(i64::try_from(most).unwrap_or(i64::MAX))])).await
    }

    /// How many runs of each priority are due at `now`, and since when the oldest is; of all
    /// workspaces. Those that wait for their lane are not due. The index of the due runs answers it, and no row is read.
    pub async fn due_runs(&self, now: Instant) -> Result<Vec<(Priority, u64, Instant)>, StoreError> {
        let text = "SELECT min(priority), count(*), min(due_at) FROM run \
                    WHERE status = 'queued' AND NOT parked AND due_at <= $1 GROUP BY priority";
        let rows = self.all(sql(text, vec![ms(now)])).await?;
        rows.iter().map(due).collect()
    }
}

/// Rank, count and the earliest time.
fn due(row: &QueryResult) -> Result<(Priority, u64, Instant), StoreError> {
    let (rank, count, since) =
        (row.try_get_by_index::<i64>(0)?, row.try_get_by_index::<i64>(1)?, row.try_get_by_index(2)?);
    // A group has no id.
    let corrupt = |reason| StoreError::Corrupt { table: "run", id: Uuid::nil(), reason };
    let priority = i32::try_from(rank).ok().and_then(Priority::from_rank);
    let priority = priority.ok_or_else(|| corrupt(format!("{rank} is no priority")))?;
    let since = instant(since).ok_or_else(|| corrupt(format!("{since} is no instant")))?;
    Ok((priority, count.unsigned_abs(), since))
}
