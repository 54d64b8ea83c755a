//! How a connection does, as answers show it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::words::{self, Time};
use crate::domain::connection::ConnectionStatus;
use crate::service::ConnectionHealth;

/// How a connection does: its lane now, and a sample of its last calls.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectionHealth)]
pub struct HealthView {
    /// How far it has come.
    #[schema(value_type = words::ConnectionStatus)]
    status: ConnectionStatus,
    /// The circuit.
    breaker: BreakerView,
    /// Runs that wait.
    queue_depth: u64,
    /// For how long the one that waits longest has been queued.
    oldest_waiting_seconds: Option<u64>,
    /// Of the sample, from 0 to 1.
    success_rate: Option<f64>,
    /// Half of the calls of the sample took no longer.
    p50_ms: Option<u64>,
    /// 95 of 100 calls of the sample took no longer.
    p95_ms: Option<u64>,
    /// What the provider said is left of its quota, as it said it last.
    quota: Option<Value>,
}

/// The circuit of a connection.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectionBreaker)]
pub struct BreakerView {
    /// `closed`, `open` or `half_open`.
    state: &'static str,
    /// Failures in a row.
    failures: u32,
    /// Until when no run is let through.
    open_until: Option<Time>,
}

impl From<&ConnectionHealth> for HealthView {
    fn from(health: &ConnectionHealth) -> Self {
        let lane = &health.lane;
        let open_until = lane.open_until.map(Time);
        Self {
            status: health.status,
            breaker: BreakerView { state: lane.state, failures: lane.failures, open_until },
            queue_depth: health.queue_depth,
            oldest_waiting_seconds: health.oldest_waiting_seconds,
            success_rate: health.calls.success_rate,
            p50_ms: health.calls.p50_ms,
            p95_ms: health.calls.p95_ms,
            quota: lane.quota.clone(),
        }
    }
}
