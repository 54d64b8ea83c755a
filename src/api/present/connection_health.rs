//! How a connection does, as answers show it.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::words::{self, Time};
use crate::domain::connection::ConnectionStatus;
use crate::domain::lane::Quota;
use crate::service::{CircuitHealth, ConnectionHealth};

/// How a connection does: its lane now, and a sample of its last calls.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectionHealth)]
pub struct HealthView {
    /// How far it has come.
    #[schema(value_type = words::ConnectionStatus)]
    status: ConnectionStatus,
    /// The circuit.
    breaker: BreakerView,
    /// Whether it is on hold: five answers in a row were 401 or 403. It ends with other credentials
    /// or another definition, and by `enable` and `resume`.
    held: bool,
    /// The provider answered 429: until when no run is let through. `resume` ends it.
    paused_until: Option<Time>,
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
    quota: Option<QuotaView>,
}

/// What the provider said is left of its limit (`RateLimit`, `X-RateLimit-*`).
#[derive(Serialize, ToSchema)]
#[schema(as = Quota)]
pub struct QuotaView {
    /// Calls in its window.
    limit: Option<u64>,
    /// Calls that are left of it.
    remaining: u64,
    /// When it begins anew.
    reset_at: Option<Time>,
    /// When the provider said so.
    at: Time,
}

impl From<&Quota> for QuotaView {
    fn from(quota: &Quota) -> Self {
        let Quota { limit, remaining, reset_at, at } = quota;
        Self { limit: *limit, remaining: *remaining, reset_at: reset_at.map(Time), at: Time(*at) }
    }
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
    /// Those of the endpoints by key, where each has its own; the members above are then those of
    /// the worst.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoints: Option<BTreeMap<String, CircuitView>>,
}

/// The circuit of an endpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = EndpointBreaker)]
pub struct CircuitView {
    /// `closed`, `open` or `half_open`.
    state: &'static str,
    /// Failures in a row.
    failures: u32,
    /// Until when no run is let through.
    open_until: Option<Time>,
}

impl From<&CircuitHealth> for CircuitView {
    fn from(circuit: &CircuitHealth) -> Self {
        let CircuitHealth { state, failures, open_until } = circuit;
        Self { state: state.as_str(), failures: *failures, open_until: open_until.map(Time) }
    }
}

impl From<&ConnectionHealth> for HealthView {
    fn from(health: &ConnectionHealth) -> Self {
        let lane = &health.lane;
        let CircuitView { state, failures, open_until } = CircuitView::from(&lane.circuit);
        let endpoints = lane.endpoints.as_ref();
        let endpoints =
            endpoints.map(|all| all.iter().map(|(key, circuit)| (key.clone(), circuit.into())).collect());
        Self {
            status: health.status,
            breaker: BreakerView { state, failures, open_until, endpoints },
            held: lane.held,
            paused_until: lane.paused_until.map(Time),
            queue_depth: health.queue_depth,
            oldest_waiting_seconds: health.oldest_waiting_seconds,
            success_rate: health.calls.success_rate,
            p50_ms: health.calls.p50_ms,
            p95_ms: health.calls.p95_ms,
            quota: lane.quota.as_ref().map(QuotaView::from),
        }
    }
}
