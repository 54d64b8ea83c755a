//! Due schedules: each second, whatever is due begins and whatever is under way goes on.
//!
//! The rows say what there is to do, so every process may tick: what one has begun another one
//! only helps with. Ticks take turns, a page each, so a large one does not hold up a small one.
//! In one process a second tick does nothing while the first is still at work.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::domain::ids::ScheduleId;
use crate::service::{Progress, Schedules, ServiceError};

/// What a tick needs. Cheap to clone; clones are one ticker.
#[derive(Clone)]
pub struct Cron {
    schedules: Schedules,
    stop: CancellationToken,
    at_work: Arc<Mutex<()>>,
}

impl Cron {
    /// A ticker of its own, which stops between two pages.
    pub fn new(schedules: Schedules, stop: CancellationToken) -> Self {
        Self { schedules, stop, at_work: Arc::default() }
    }

    /// Begins what is due, and returns when no tick is under way any more.
    pub async fn tick(&self) -> Result<(), ServiceError> {
        let Ok(_at_work) = self.at_work.try_lock() else { return Ok(()) };
        let mut left = HashSet::new();
        while !self.stop.is_cancelled() {
            self.schedules.begin_due().await?;
            let mut under_way = self.schedules.under_way().await?;
            under_way.retain(|schedule| !left.contains(schedule));
            if under_way.is_empty() {
                return Ok(());
            }
            self.turn(under_way, &mut left).await;
        }
        Ok(())
    }

    /// A page of each. One that cannot go on is left for the next second.
    async fn turn(&self, under_way: Vec<ScheduleId>, left: &mut HashSet<ScheduleId>) {
        for schedule in under_way {
            if self.stop.is_cancelled() {
                return;
            }
            match self.schedules.go_on(schedule).await {
                Ok(Progress::More | Progress::Ended) => {}
                Err(error) => {
                    tracing::warn!(%schedule, %error, "the tick of a schedule could not go on");
                    left.insert(schedule);
                }
            }
        }
    }
}
