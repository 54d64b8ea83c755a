//! What a worker notes of the runs that it claims.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::domain::clock::Instant;
use crate::store::ClaimedRun;

/// A run in the hands of a worker.
pub(super) struct Hold {
    pub(super) run: ClaimedRun,
    pub(super) task: AbortHandle,
    pub(super) over: Arc<Notify>,
}

/// What came of a claim.
#[derive(Default)]
pub(super) struct Took {
    pub(super) runs: usize,
    /// There may be more at once.
    pub(super) more: bool,
    /// When a lane opens in which runs wait.
    pub(super) opens_at: Option<Instant>,
}
