//! The parts of a process, started in order and stopped in reverse.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use anyhow::{Context as _, bail};
use tokio_cron_scheduler::JobScheduler;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admission::database_file;
use super::http::listen;
use super::presence::Presence;
use crate::config::{self, LoadedKey, Settings, Synchronous};
use crate::domain::clock::{SharedClock, SharedRng};
use crate::domain::ids::WorkspaceKey;
use crate::engine::{Console, Engine, EngineSettings, Worker};
use crate::outbound::{Outbound, OutboundSettings};
use crate::schedule::{Cron, Retention, RetentionDays, Sweeper, ticks};
use crate::service::{Services, Vault, master_keys_in_use};
use crate::store::{CommitLimits, Store, StoreSettings};
use crate::telemetry::LogRedactor;

/// What differs between the commands that start a process.
#[derive(Debug, Clone, Copy)]
pub struct AppOptions {
    /// Whether the API and the pages are served.
    pub serves: bool,
    /// Whether the clock's door ticks by itself; tests tick by hand.
    pub ticks: bool,
}

/// A running process.
pub struct App {
    /// The use cases.
    pub services: Services,
    /// Claims and works.
    pub worker: Arc<Worker>,
    /// What a tick does.
    pub sweeper: Sweeper,
    /// Begins and goes on with the ticks of schedules.
    pub cron: Cron,
    /// Where the API listens.
    pub address: Option<SocketAddr>,
    clock: SharedClock,
    server: Option<ServerHandle>,
    scheduler: Option<JobScheduler>,
    stop: CancellationToken,
    tasks: TaskTracker,
    writer_tasks: TaskTracker,
    /// Held until the last task is done.
    _presence: Presence,
}

/// Opens the database and puts the use cases on it; what commands without a worker need, too.
pub async fn open_services(
    settings: &Settings,
    clock: &SharedClock,
    rng: &SharedRng,
    log: &LogRedactor,
    writer_tasks: &TaskTracker,
) -> anyhow::Result<Services> {
    if !settings.database.is_shared() {
        make_folder(&settings.database.url)?;
    }
    let limits = commit_limits(settings);
    let store_settings = StoreSettings {
        url: settings.database.url.clone(),
        wait_for_disk: settings.database.synchronous == Synchronous::Full,
        limits,
    };
    let store = Store::open(&store_settings, rng.clone(), writer_tasks)
        .await
        .with_context(|| format!("the database {} could not be opened", settings.database.shown_url()))?;
    store.keep_time(clock).await?;
    let loaded = config::load_master_key(&settings.security, !settings.database.is_shared(), &**rng)?;
    check_master_key(&store, &loaded).await?;
    let learner = log.clone();
    let vault = Vault::new(loaded.key, rng.clone(), Arc::new(move |label, text| learner.learn(label, text)));
    Ok(Services::new(store, clock.clone(), rng.clone(), vault, limits))
}

fn commit_limits(settings: &Settings) -> CommitLimits {
    CommitLimits { case_bytes: settings.limits.case_bytes, output_bytes: settings.limits.output_bytes }
}

/// A database that was sealed with other keys only is not for this one: its own is missing.
async fn check_master_key(store: &Store, loaded: &LoadedKey) -> anyhow::Result<()> {
    let in_use = master_keys_in_use(store).await?;
    let id = loaded.key.id();
    if in_use.is_empty() || in_use.contains(&id) {
        return Ok(());
    }
    let remedy = "put the key back, or give it as DOSSIER__SECURITY__MASTER_KEY";
    if let Some(path) = &loaded.created {
        // Made by us a moment ago and of no use: left there it would pass for the right one.
        std::fs::remove_file(path).ok();
        let path = path.display();
        bail!(
            "the master key is missing ({path}), but the database holds secrets that were sealed with it: {remedy}"
        );
    }
    let known: Vec<String> = in_use.into_iter().collect();
    let known = known.join(", ");
    bail!(
        "the master key {id} is not the one that the secrets in the database were sealed with ({known}): {remedy}"
    )
}

/// SQLite makes the file, not the folder.
fn make_folder(url: &str) -> anyhow::Result<()> {
    let path = database_file(url);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("the folder {} could not be made", folder.display()))?;
    }
    Ok(())
}

impl App {
    /// Starts the parts in order.
    pub async fn start(
        settings: &Settings,
        options: AppOptions,
        clock: SharedClock,
        rng: SharedRng,
        log: &LogRedactor,
    ) -> anyhow::Result<Self> {
        let (tasks, writer_tasks, stop) = (TaskTracker::new(), TaskTracker::new(), CancellationToken::new());
        let outbound = outbound(settings, &clock)?;
        let services = open_services(settings, &clock, &rng, log, &writer_tasks).await?;
        super::commands::prepare_access(settings, &services, log).await?;
        let engine_settings = EngineSettings {
            concurrency: settings.workers.concurrency,
            cache_bytes: settings.cache.max_bytes,
        };
        let engine = Engine::new(&services, outbound, rng, engine_settings);
        let console = Console::new(engine.clone(), commit_limits(settings));
        let worker = Worker::new(engine, tasks.clone());
        let sweeper = sweeper(settings, &services, worker.clone());
        let presence = Presence::begin(&settings.database.url, || sweeper.take_over()).await?;
        let cron = Cron::new(services.schedules.clone(), stop.clone());
        // Who makes no calls claims no runs.
        if settings.workers.concurrency > 0 {
            tasks.spawn(worker.clone().work(stop.clone()));
            tasks.spawn(worker.clone().keep_leases());
        }
        let scheduler = if options.ticks { Some(ticks(sweeper.clone(), cron.clone()).await?) } else { None };
        let door = options.serves.then(|| serve(settings, &services, console, &tasks)).transpose()?;
        let (address, server) = door.unzip();
        Ok(Self {
            services,
            worker,
            sweeper,
            cron,
            address,
            clock,
            server,
            scheduler,
            stop,
            tasks,
            writer_tasks,
            _presence: presence,
        })
    }

    /// Stops the parts in reverse: no more requests, no more claims, calls in flight get
    /// `drain`, the rest goes back to the queue, the writer last.
    pub async fn stop(mut self, drain: Duration) {
        if let Some(server) = self.server.take() {
            server.stop(true).await;
        }
        if let Some(mut scheduler) = self.scheduler.take()
            && let Err(error) = scheduler.shutdown().await
        {
            tracing::warn!(%error, "the ticks did not stop");
        }
        self.stop.cancel();
        let deadline = self.clock.sleep_until(self.clock.now() + drain);
        self.worker.drain(deadline).await;
        self.tasks.close();
        self.tasks.wait().await;
        self.services.store.stop().await;
        self.writer_tasks.close();
        self.writer_tasks.wait().await;
    }
}

/// Listens, and answers requests beside the caller.
fn serve(
    settings: &Settings,
    services: &Services,
    console: Console,
    tasks: &TaskTracker,
) -> anyhow::Result<(SocketAddr, ServerHandle)> {
    let listen_on = settings.server.listen;
    let (address, server) = listen(listen_on, services.clone(), console, settings.limits.request_bytes)
        .with_context(|| format!("{listen_on} could not be listened on"))?;
    let handle = server.handle();
    tasks.spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the server ended");
        }
    });
    Ok((address, handle))
}

fn sweeper(settings: &Settings, services: &Services, worker: Arc<Worker>) -> Sweeper {
    let days = RetentionDays { runs: settings.retention.runs_days, bodies: settings.retention.bodies_days };
    Sweeper {
        store: services.store.clone(),
        clock: services.clock.clone(),
        worker,
        retention: Retention::new(days),
    }
}

fn outbound(settings: &Settings, clock: &SharedClock) -> anyhow::Result<Outbound> {
    let settings = OutboundSettings {
        allow: settings.network.allow.clone(),
        response_bytes: settings.limits.response_bytes,
    };
    Outbound::new(settings, clock.clone()).map_err(|failed| anyhow::anyhow!(failed.detail))
}

/// The workspace that exists from the start.
pub(super) fn default_workspace() -> anyhow::Result<WorkspaceKey> {
    Ok("default".parse::<WorkspaceKey>()?)
}
