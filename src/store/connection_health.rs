//! How a connection does, read from its runs: what waits for it now, and how its last calls went.
//!
//! The sample is bounded, so that looking costs the same however long the history is: of the
//! newest 20,000 runs of all connections those of this one, at most 200 of them, of the last 24
//! hours. Ids tell the time, so no index is needed beside the primary key.

use sea_orm::QueryResult;
use uuid::Uuid;

use super::error::StoreError;
use super::rows::Columns;
use super::statement::{instant, int, sql, text, uuid as id};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{ConnectionKey, WorkspaceId};
use crate::domain::lane::LaneKey;
use crate::domain::run::{Outcome, PhaseTimes};

/// Runs of all connections that are looked through.
const LOOKED_THROUGH: i64 = 20_000;
/// Runs of one connection whose attempts are the sample.
const SAMPLED: i64 = 200;
const WINDOW: chrono::TimeDelta = chrono::TimeDelta::hours(24);

/// Runs of a connection that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionQueue {
    /// How many.
    pub depth: u64,
    /// When the one that waits longest was queued.
    pub oldest: Option<Instant>,
}

/// How one call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallSeen {
    /// How it ended.
    pub outcome: Outcome,
    /// From the name look-up to its end, where the exchange came so far.
    pub took_ms: Option<u64>,
}

impl Tx {
    /// The queued runs of a connection.
    pub async fn connection_queue(
        &self,
        workspace: WorkspaceId,
        key: &ConnectionKey,
    ) -> Result<ConnectionQueue, StoreError> {
        // By lane and in two halves, each of which an index knows.
        let half = |condition: &str| {
            format!(
                "SELECT COUNT(*) AS runs, MIN(created_at) AS oldest FROM run \
                 WHERE status = 'queued' AND {condition} AND workspace_id = $1 AND lane = $2"
            )
        };
        let statement = format!(
            "SELECT CAST(SUM(runs) AS BIGINT), MIN(oldest) FROM ({} UNION ALL {}) AS halves",
            half("NOT parked"),
            half("parked")
        );
        let lane = LaneKey::of_connection(key.as_str());
        let row = self.one(sql(statement, vec![id(workspace.0), text(lane.as_str())])).await?;
        let Some(row) = row else { return Ok(ConnectionQueue { depth: 0, oldest: None }) };
        let (depth, oldest): (i64, Option<i64>) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let oldest = oldest.and_then(instant);
        Ok(ConnectionQueue { depth: depth.unsigned_abs(), oldest })
    }

    /// How the last calls of a connection went, newest runs first. Nothing before `since` counts: a
    /// connection of that key that was deleted is another one.
    pub async fn connection_calls(
        &self,
        workspace: WorkspaceId,
        key: &ConnectionKey,
        since: Instant,
        now: Instant,
    ) -> Result<Vec<CallSeen>, StoreError> {
        let statement = "SELECT attempt.run_id, attempt.outcome, attempt.phases FROM \
               (SELECT id FROM (SELECT id, workspace_id, connection FROM run WHERE id > $1 ORDER BY id DESC LIMIT $2) \
                  AS recent WHERE workspace_id = $3 AND connection = $4 ORDER BY id DESC LIMIT $5) AS sample \
             JOIN attempt ON attempt.run_id = sample.id WHERE attempt.request IS NOT NULL";
        let values = vec![
            id(first_id(since.max(now - WINDOW))),
            int(LOOKED_THROUGH),
            id(workspace.0),
            text(key.as_str()),
            int(SAMPLED),
        ];
        self.all(sql(statement, values)).await?.iter().map(call).collect()
    }
}

fn call(row: &QueryResult) -> Result<CallSeen, StoreError> {
    let mut columns = Columns::of("attempt", row)?;
    let outcome = columns.word(Outcome::parse)?;
    let phases = columns.maybe_json::<PhaseTimes>()?;
    Ok(CallSeen { outcome, took_ms: phases.map(|phases| phases.total_ms) })
}

/// An id before all that are made from this time on.
fn first_id(at: Instant) -> Uuid {
    let ms = at.timestamp_millis().max(0).unsigned_abs();
    uuid::Builder::from_unix_timestamp_millis(ms, &[0; 10]).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_the_time() {
        let at = chrono::DateTime::from_timestamp_millis(1_796_000_000_123).unwrap();
        let id = first_id(at);
        assert_eq!(u64::from_be_bytes(id.as_bytes()[..8].try_into().unwrap()) >> 16, 1_796_000_000_123);
        assert!(first_id(at + chrono::TimeDelta::milliseconds(1)) > id);
    }
}
