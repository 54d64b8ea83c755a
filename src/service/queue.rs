//! The queue and the circuits as the whole installation sees them, for the metrics.
//!
//! They are read when somebody asks and belong to no workspace: they say how many runs wait and
//! which connections are down, never whose they are.

use super::error::ServiceError;
use super::services::Services;
use crate::domain::clock::Instant;
use crate::domain::lane::{CircuitState, Lane};
use crate::metrics::Waiting;

impl Services {
    /// Runs that are due and wait for a worker, of all workspaces.
    pub async fn queue(&self) -> Result<Vec<Waiting>, ServiceError> {
        let now = self.clock.now();
        let tx = self.store.read().await?;
        let waiting = tx.due_runs(now).await?.into_iter().map(|(priority, depth, since)| {
            let oldest = (now - since).to_std().unwrap_or_default();
            Waiting { priority, depth, oldest }
        });
        Ok(waiting.collect())
    }

    /// How the circuits stand that are known, by connection; of all workspaces.
    pub async fn circuits(&self) -> Result<Vec<(Option<String>, CircuitState)>, ServiceError> {
        let now = self.clock.now();
        let lanes = self.store.read().await?.known_lanes().await?;
        let circuits =
            lanes.into_iter().map(|(key, lane)| (key.connection().map(str::to_owned), worst(&lane, now)));
        Ok(circuits.collect())
    }
}

/// How the worst circuit of a lane stands.
fn worst(lane: &Lane, now: Instant) -> CircuitState {
    let apart = lane.apart().map(|(_, circuit)| circuit.state(now));
    apart.chain([lane.circuit.state(now)]).max().unwrap_or(CircuitState::Closed)
}
