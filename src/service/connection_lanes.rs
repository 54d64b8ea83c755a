//! Where a connection meets its lane: what a save, a switch or a hand on the breaker means for it,
//! and what of it the health tells.
//!
//! Everything that writes is called inside the transaction of the change, so connection and lane
//! never disagree. The lane's own rules are not here.

use std::collections::BTreeMap;

use super::error::ServiceError;
use crate::domain::clock::Instant;
use crate::domain::connection::BreakerScope;
use crate::domain::ids::{ConnectionKey, WorkspaceId};
use crate::domain::lane::{Circuit, CircuitState, LaneKey, Quota};
use crate::store::{LaneSettings, Tx};

/// The lane of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LaneName {
    /// The workspace.
    pub(super) workspace: WorkspaceId,
    /// The key of the connection.
    pub(super) connection: ConnectionKey,
}

impl LaneName {
    fn key(&self) -> LaneKey {
        LaneKey::of_connection(self.connection.as_str())
    }
}

/// How a circuit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitHealth {
    /// In a word.
    pub state: CircuitState,
    /// Failures in a row.
    pub failures: u32,
    /// Until when no run is let through.
    pub open_until: Option<Instant>,
}

impl CircuitHealth {
    fn of(circuit: &Circuit, now: Instant) -> Self {
        Self { state: circuit.state(now), failures: circuit.failures, open_until: circuit.open_until }
    }
}

/// What a lane tells of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneHealth {
    /// The circuit; where endpoints have their own, the worst of all.
    pub circuit: CircuitHealth,
    /// Those of the endpoints; none: there is one for all.
    pub endpoints: Option<BTreeMap<String, CircuitHealth>>,
    /// It waits for other credentials, or for somebody to resume it.
    pub held: bool,
    /// The provider answered 429: until when no run is let through.
    pub paused_until: Option<Instant>,
    /// What the provider said is left, as it said it last.
    pub quota: Option<Quota>,
}

/// A connection was made, or has a new version. A hold ends: credentials or provider may be others.
pub(super) async fn saved(
    tx: &Tx,
    lane: &LaneName,
    settings: &LaneSettings,
    endpoints: impl Iterator<Item = &String>,
    now: Instant,
) -> Result<(), ServiceError> {
    tx.put_lane(lane.workspace, &lane.key(), settings, now).await?;
    let keep = endpoints.filter(|_| settings.breaker.scope == BreakerScope::Endpoint);
    Ok(tx.forget_circuits(lane.workspace, &lane.key(), keep).await?)
}

/// A connection was deleted; nothing is left of its lane.
pub(super) async fn removed(tx: &Tx, lane: &LaneName) -> Result<(), ServiceError> {
    tx.forget_circuits(lane.workspace, &lane.key(), []).await?;
    Ok(tx.remove_lane(lane.workspace, &lane.key()).await?)
}

/// A connection was switched on or off; switched on it is not on hold any more.
pub(super) async fn switched(
    tx: &Tx,
    lane: &LaneName,
    disabled: bool,
    now: Instant,
) -> Result<(), ServiceError> {
    Ok(tx.disable_lane(lane.workspace, &lane.key(), disabled, now).await?)
}

/// Somebody lets a connection go on that is on hold or pauses.
pub(super) async fn resumed(tx: &Tx, lane: &LaneName, now: Instant) -> Result<(), ServiceError> {
    Ok(tx.resume_lane(lane.workspace, &lane.key(), now).await?)
}

/// The provider has taken our credentials, so a hold ends; answers whether there was one.
pub(super) async fn proved(tx: &Tx, lane: &LaneName, now: Instant) -> Result<bool, ServiceError> {
    let stands = tx.lane(lane.workspace, &lane.key()).await?.unwrap_or_default();
    if stands.held {
        tx.end_hold(lane.workspace, &lane.key(), now).await?;
    }
    Ok(stands.held)
}

/// Somebody opens circuits by hand, for as long as the settings say, or closes them; then nothing
/// counts against the provider any more. No endpoint is the circuit of calls without one.
pub(super) async fn set_circuits(
    tx: &Tx,
    lane: &LaneName,
    endpoints: &[Option<String>],
    open: bool,
    now: Instant,
) -> Result<(), ServiceError> {
    Ok(tx.set_circuits(lane.workspace, &lane.key(), (endpoints, open), now).await?)
}

/// How the lane stands now; `endpoints` are those of the connection.
pub(super) async fn health(
    tx: &Tx,
    lane: &LaneName,
    endpoints: impl Iterator<Item = &String>,
    now: Instant,
) -> Result<LaneHealth, ServiceError> {
    let stands = tx.lane(lane.workspace, &lane.key()).await?.unwrap_or_default();
    let own = CircuitHealth::of(&stands.circuit, now);
    let endpoints: Option<BTreeMap<_, _>> = stands.has_circuits().then(|| {
        let health = |key: &String| CircuitHealth::of(stands.circuit_of(Some(key)), now);
        endpoints.map(|key| (key.clone(), health(key))).collect()
    });
    let all = endpoints.iter().flat_map(BTreeMap::values).copied().chain([own]);
    let worst = all.max_by_key(|circuit| (circuit.state, circuit.failures)).unwrap_or(own);
    let paused_until = stands.paused_until.filter(|until| *until > now);
    Ok(LaneHealth { circuit: worst, endpoints, held: stands.held, paused_until, quota: stands.quota })
}
