//! How a connection does: its lane now, and its last calls.

use super::actor::Actor;
use super::connection_lanes::{self, LaneHealth};
use super::connections::{Connections, find, lane};
use super::error::ServiceError;
use crate::domain::connection::ConnectionStatus;
use crate::domain::ids::ConnectionKey;
use crate::domain::run::Outcome;
use crate::store::CallSeen;

/// How a connection does.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionHealth {
    /// How far it has come.
    pub status: ConnectionStatus,
    /// Its lane.
    pub lane: LaneHealth,
    /// Runs that wait.
    pub queue_depth: u64,
    /// For how long the one that waits longest has been queued; none: none waits.
    pub oldest_waiting_seconds: Option<u64>,
    /// Of the sample.
    pub calls: CallNumbers,
}

/// What the sample of calls comes to; none where it is empty.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CallNumbers {
    /// From 0 to 1.
    pub success_rate: Option<f64>,
    /// Half of the calls took no longer.
    pub p50_ms: Option<u64>,
    /// 95 of 100 took no longer.
    pub p95_ms: Option<u64>,
}

impl Connections {
    /// How the connection with this key does.
    pub async fn health(&self, actor: &Actor, key: &ConnectionKey) -> Result<ConnectionHealth, ServiceError> {
        let (now, tx) = (self.clock.now(), self.store.read().await?);
        let row = find(&tx, actor.workspace, key).await?;
        let endpoints = row.definition["endpoints"].as_object().into_iter().flat_map(serde_json::Map::keys);
        let queue = tx.connection_queue(actor.workspace, key).await?;
        let calls = tx.connection_calls(actor.workspace, key, row.created_at, now).await?;
        let waiting = queue.oldest.map(|oldest| now.signed_duration_since(oldest).num_seconds().max(0));
        Ok(ConnectionHealth {
            status: row.status,
            lane: connection_lanes::health(&tx, &lane(&row), endpoints, now).await?,
            queue_depth: queue.depth,
            oldest_waiting_seconds: waiting.map(i64::unsigned_abs),
            calls: CallNumbers::of(&calls),
        })
    }
}

impl CallNumbers {
    fn of(calls: &[CallSeen]) -> Self {
        let good = calls.iter().filter(|call| call.outcome == Outcome::Ok).count();
        let mut times: Vec<u64> = calls.iter().filter_map(|call| call.took_ms).collect();
        times.sort_unstable();
        // The nearest rank: the smallest value that so many of 100 do not exceed.
        let percentile = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100);
            times.get(rank.checked_sub(1)?).copied()
        };
        #[expect(clippy::cast_precision_loss, reason = "the sample is small")]
        let rate = |all: usize| (all > 0).then(|| good as f64 / all as f64);
        Self { success_rate: rate(calls.len()), p50_ms: percentile(50), p95_ms: percentile(95) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_from_the_sample() {
        assert_eq!(CallNumbers::of(&[]), CallNumbers::default());
        let calls: Vec<CallSeen> = (1..=20)
            .map(|n| CallSeen {
                outcome: if n % 4 == 0 { Outcome::Failed } else { Outcome::Ok },
                took_ms: (n != 20).then_some(n * 10),
            })
            .collect();
        let numbers = CallNumbers::of(&calls);
        assert_eq!(numbers.success_rate, Some(0.75));
        assert_eq!((numbers.p50_ms, numbers.p95_ms), (Some(100), Some(190)));
    }
}
