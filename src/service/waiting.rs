//! `Prefer: wait`: until runs of a case have ended.
//!
//! Changes of this process wake who waits; those of another process on the same database (a
//! `dossier worker`, another replica) are found by looking now and then.

use std::time::Duration;

use super::actor::Actor;
use super::cases::Cases;
use super::error::ServiceError;
use crate::domain::clock::Instant;
use crate::domain::ids::{CaseId, RunId};

/// How often it is looked without a wake-up.
const LOOK: Duration = Duration::from_millis(500);

impl Cases {
    /// Returns when all of these runs have ended, or at `until`.
    pub async fn wait_for_runs(
        &self,
        actor: &Actor,
        case: CaseId,
        runs: &[RunId],
        until: Instant,
    ) -> Result<(), ServiceError> {
        self.wait(case, until, async || {
            let live = self.store.read().await?.live_runs(case).await?;
            Ok(!live.iter().any(|run| runs.contains(&run.run_id)) || self.is_gone(actor, case).await?)
        })
        .await
    }

    /// Returns when no run of the case is queued or running, or at `until`.
    pub async fn wait_until_settled(
        &self,
        actor: &Actor,
        case: CaseId,
        until: Instant,
    ) -> Result<(), ServiceError> {
        self.wait(case, until, async || {
            let live = self.store.read().await?.live_runs(case).await?;
            Ok(live.is_empty() || self.is_gone(actor, case).await?)
        })
        .await
    }

    async fn is_gone(&self, actor: &Actor, case: CaseId) -> Result<bool, ServiceError> {
        Ok(self.store.read().await?.find_case(actor.workspace, case).await?.is_none())
    }

    /// Looks again after each change on the case that this process made, and now and then for those
    /// that another one made.
    async fn wait(
        &self,
        case: CaseId,
        until: Instant,
        done: impl AsyncFn() -> Result<bool, ServiceError>,
    ) -> Result<(), ServiceError> {
        let changes = self.store.signals().of_case(case);
        loop {
            let next = changes.notified();
            tokio::pin!(next);
            next.as_mut().enable();
            if done().await? {
                return Ok(());
            }
            let now = self.clock.now();
            if now >= until {
                return Ok(());
            }
            tokio::select! {
                () = next => {}
                () = self.clock.sleep_until(until.min(now + LOOK)) => {}
            }
        }
    }
}
