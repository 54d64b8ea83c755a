//! What makes the clock's door tick, in UTC: the sweep every three seconds, schedules every second.
//!
//! The scheduler only ticks; what is due, and in which zone, stands in the rows.

use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::cron::Cron;
use super::sweep::Sweeper;

/// Starts the ticks.
pub async fn ticks(sweeper: Sweeper, cron: Cron) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    let sweep = Job::new_async("*/3 * * * * *", move |_, _| {
        let sweeper = sweeper.clone();
        Box::pin(async move {
            if let Err(error) = sweeper.sweep().await {
                tracing::warn!(%error, "the sweep could not be done");
            }
        })
    })?;
    let due = Job::new_async("* * * * * *", move |_, _| {
        let cron = cron.clone();
        Box::pin(async move {
            if let Err(error) = cron.tick().await {
                tracing::warn!(%error, "schedules could not be looked at");
            }
        })
    })?;
    scheduler.add(sweep).await?;
    scheduler.add(due).await?;
    scheduler.start().await?;
    Ok(scheduler)
}
