//! `dossier serve` and `dossier worker`: until the process is told to stop.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::signal::unix::{SignalKind, signal};

use super::parts::{App, AppOptions};
use super::sign_in::greet;
use super::system::{SystemClock, SystemRng};
use crate::config::Settings;
use crate::telemetry::LogRedactor;

/// API, pages and worker in one process.
pub async fn serve(settings: Settings, log: LogRedactor) -> anyhow::Result<()> {
    Box::pin(run(settings, log, true)).await
}

/// The worker alone, beside a process that serves.
pub async fn work(settings: Settings, log: LogRedactor) -> anyhow::Result<()> {
    Box::pin(run(settings, log, false)).await
}

async fn run(settings: Settings, log: LogRedactor, serves: bool) -> anyhow::Result<()> {
    if !serves && settings.workers.concurrency == 0 {
        bail!(
            "`workers.concurrency` is 0, so this worker would do nothing; give it a number from 1 to 65536"
        );
    }
    let options = AppOptions { serves, ticks: true };
    let (clock, rng) = (Arc::new(SystemClock::default()), Arc::new(SystemRng::default()));
    let app = Box::pin(App::start(&settings, options, clock, rng, &log)).await?;
    if let Some(address) = app.address {
        tracing::info!(%address, "serving");
        if let Err(error) = greet(&app.services, address).await {
            tracing::warn!(%error, "no link to sign in with could be made; `dossier sign-in-link` makes one");
        }
    } else {
        tracing::info!("working");
    }
    told_to_stop().await?;
    tracing::info!("stopping: calls in flight get {} s", settings.server.drain_seconds);
    app.stop(Duration::from_secs(settings.server.drain_seconds)).await;
    Ok(())
}

/// SIGTERM or Ctrl+C.
pub(super) async fn told_to_stop() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        pressed = tokio::signal::ctrl_c() => pressed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_worker_that_may_not_call_is_refused() {
        let variables = [("DOSSIER__WORKERS__CONCURRENCY".to_owned(), "0".to_owned())];
        let settings = Settings::load(None, variables.into_iter()).unwrap();
        let refused = Box::pin(work(settings, LogRedactor::default())).await.unwrap_err();
        assert!(refused.to_string().starts_with("`workers.concurrency` is 0"), "{refused}");
    }
}
