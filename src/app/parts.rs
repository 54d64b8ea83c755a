//! The parts of a process, started in order and stopped in reverse.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use anyhow::Context as _;
use tokio_cron_scheduler::JobScheduler;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admission::database_file;
use super::http::listen;
use super::keys;
use super::presence::Presence;
use crate::config::{self, LoadedKeys, Settings, Synchronous};
use crate::domain::clock::{SharedClock, SharedRng};
use crate::domain::ids::WorkspaceKey;
use crate::engine::{Console, Engine, EngineSettings, Worker};
use crate::outbound::{Outbound, OutboundSettings};
use crate::schedule::{Cron, Retention, RetentionDays, Sweeper, ticks};
use crate::service::{Services, Vault};
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
    let (services, loaded) = open_unchecked(settings, clock, rng, log, writer_tasks).await?;
    keys::check(&services, &loaded, settings.database.is_shared()).await?;
    Ok(services)
}

/// The same without a look whether the master keys are those of the database.
pub(super) async fn open_unchecked(
    settings: &Settings,
    clock: &SharedClock,
    rng: &SharedRng,
    log: &LogRedactor,
    writer_tasks: &TaskTracker,
) -> anyhow::Result<(Services, LoadedKeys)> {
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
    let vault = vault(settings, &loaded, rng, log)?;
    Ok((Services::new(store, clock.clone(), rng.clone(), vault, limits), loaded))
}

fn commit_limits(settings: &Settings) -> CommitLimits {
    CommitLimits { case_bytes: settings.limits.case_bytes, output_bytes: settings.limits.output_bytes }
}

/// Keys in a file may be changed while we run; settings stay as they were at the start.
fn vault(
    settings: &Settings,
    loaded: &LoadedKeys,
    rng: &SharedRng,
    log: &LogRedactor,
) -> anyhow::Result<Vault> {
    let learner = log.clone();
    let security = settings.security.clone();
    let keys = config::read_keys(&security)?.context("the master key is gone")?;
    let vault = Vault::new(keys, rng.clone(), Arc::new(move |label, text| learner.learn(label, text)));
    if loaded.file.is_none() {
        return Ok(vault);
    }
    Ok(vault.with_source(Arc::new(move || {
        let read = config::read_keys(&security);
        read.inspect_err(|error| tracing::warn!(%error, "the master keys could not be read again"))
            .ok()
            .flatten()
    })))
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
        if options.serves {
            tasks.spawn(services.live.clone().watch());
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
        // A stream has no end of its own, and the server waits for its answers.
        self.services.live.close();
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
        if let Err(error) = self.services.uses.write(&self.services.store, self.clock.now()).await {
            tracing::debug!(%error, "the last uses could not be written");
        }
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
        uses: services.uses.clone(),
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
