//! Where a connection meets its lane: what a save, a switch or a hand on the breaker means for it,
//! and what of it the health tells.
//!
//! Everything that writes is called inside the transaction of the change, so connection and lane
//! never disagree. The lane's own rules are not here.

#![expect(clippy::unused_async, reason = "the lane is a row: reading and writing it waits for the database")]

use serde_json::Value;

use super::error::ServiceError;
use crate::domain::clock::Instant;
use crate::domain::connection::{BreakerSettings, RateLimit};
use crate::domain::ids::{ConnectionKey, WorkspaceId};
use crate::store::Tx;

/// The lane of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LaneName {
    /// The workspace.
    pub(super) workspace: WorkspaceId,
    /// The key of the connection.
    pub(super) connection: ConnectionKey,
}

/// What the lane is told when a connection was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LaneSettings {
    /// What the provider bears at most; empty: anything.
    pub(super) limits: RateLimit,
    /// When it counts as down.
    pub(super) breaker: BreakerSettings,
    /// Whether somebody has switched the connection off.
    pub(super) disabled: bool,
}

/// What a lane tells of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneHealth {
    /// `closed`, `open` or `half_open`.
    pub state: &'static str,
    /// Failures in a row.
    pub failures: u32,
    /// Until when no run is let through.
    pub open_until: Option<Instant>,
    /// What the provider said is left, as it said it last.
    pub quota: Option<Value>,
}

/// A connection was made, or has a new version. A hold ends: credentials or provider may be others.
pub(super) async fn saved(
    _tx: &Tx,
    lane: &LaneName,
    settings: &LaneSettings,
    now: Instant,
) -> Result<(), ServiceError> {
    tracing::debug!(?lane, ?settings, %now, "a connection was saved");
    Ok(())
}

/// A connection was deleted; nothing is left of its lane.
pub(super) async fn removed(_tx: &Tx, lane: &LaneName) -> Result<(), ServiceError> {
    tracing::debug!(?lane, "a connection was deleted");
    Ok(())
}

/// A connection was switched on or off.
pub(super) async fn switched(
    _tx: &Tx,
    lane: &LaneName,
    disabled: bool,
    now: Instant,
) -> Result<(), ServiceError> {
    tracing::debug!(?lane, disabled, %now, "a connection was switched");
    Ok(())
}

/// Somebody lets a connection go on that is on hold.
pub(super) async fn resumed(_tx: &Tx, lane: &LaneName, now: Instant) -> Result<(), ServiceError> {
    tracing::debug!(?lane, %now, "a connection was resumed");
    Ok(())
}

/// A secret got a new value that requests over this connection use: a hold ends.
pub(super) async fn secret_changed(_tx: &Tx, lane: &LaneName, now: Instant) -> Result<(), ServiceError> {
    tracing::debug!(?lane, %now, "a secret of a connection was changed");
    Ok(())
}

/// Somebody opens the circuit by hand, for as long as the settings say.
pub(super) async fn opened(_tx: &Tx, lane: &LaneName, now: Instant) -> Result<(), ServiceError> {
    tracing::debug!(?lane, %now, "a circuit was opened by hand");
    Ok(())
}

/// Somebody closes the circuit by hand; nothing counts against the provider any more.
pub(super) async fn closed(_tx: &Tx, lane: &LaneName, now: Instant) -> Result<(), ServiceError> {
    tracing::debug!(?lane, %now, "a circuit was closed by hand");
    Ok(())
}

/// How the lane stands now.
pub(super) async fn health(_tx: &Tx, lane: &LaneName, now: Instant) -> Result<LaneHealth, ServiceError> {
    tracing::trace!(?lane, %now, "a lane was looked at");
    Ok(LaneHealth { state: "closed", failures: 0, open_until: None, quota: None })
}
