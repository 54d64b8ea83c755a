//! The queue as the whole installation sees it, for the metrics.
//!
//! It is read when somebody asks and belongs to no workspace: it says how many runs wait, never
//! whose they are.

use super::error::ServiceError;
use super::services::Services;
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
}
