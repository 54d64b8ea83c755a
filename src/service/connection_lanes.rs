//! Where a connection meets its lane: what a save, a switch or a hand on the breaker means for it,
//! and what of it the health tells.
//!
//! Everything that writes is called inside the transaction of the change, so connection and lane
//! never disagree. The lane's own rules are not here.

use super::error::ServiceError;
use crate::domain::clock::Instant;
use crate::domain::ids::{ConnectionKey, WorkspaceId};
use crate::domain::lane::{CircuitState, LaneKey, Quota};
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

/// What a lane tells of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneHealth {
    /// How the circuit stands.
    pub state: CircuitState,
    /// Failures in a row.
    pub failures: u32,
    /// Until when no run is let through.
    pub open_until: Option<Instant>,
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
    now: Instant,
) -> Result<(), ServiceError> {
    Ok(tx.put_lane(lane.workspace, &lane.key(), settings, now).await?)
}

/// A connection was deleted; nothing is left of its lane.
pub(super) async fn removed(tx: &Tx, lane: &LaneName) -> Result<(), ServiceError> {
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

/// Somebody opens the circuit by hand, for as long as the settings say.
pub(super) async fn opened(tx: &Tx, lane: &LaneName, now: Instant) -> Result<(), ServiceError> {
    Ok(tx.open_circuit(lane.workspace, &lane.key(), now).await?)
}

/// Somebody closes the circuit by hand; nothing counts against the provider any more.
pub(super) async fn closed(tx: &Tx, lane: &LaneName, now: Instant) -> Result<(), ServiceError> {
    Ok(tx.close_circuit(lane.workspace, &lane.key(), now).await?)
}

/// How the lane stands now.
pub(super) async fn health(tx: &Tx, lane: &LaneName, now: Instant) -> Result<LaneHealth, ServiceError> {
    let stands = tx.lane(lane.workspace, &lane.key()).await?.unwrap_or_default();
    Ok(LaneHealth {
        state: stands.circuit.state(now),
        failures: stands.circuit.failures,
        open_until: stands.circuit.open_until,
        held: stands.held,
        paused_until: stands.paused_until.filter(|until| *until > now),
        quota: stands.quota,
    })
}
