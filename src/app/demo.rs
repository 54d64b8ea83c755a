//! `dossier demo`: the whole service in a scratch folder, with a provider of its own, a sample
//! workspace and twenty cases that fill themselves in. It needs no network.
//!
//! The folder goes when the demo is told to stop, also while it starts, and when it fails. An
//! address that is taken does not stop it: somebody who tries things out may well run another one.

use std::fs::DirBuilder;
use std::io::{ErrorKind, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use anyhow::Context as _;

use super::demo_guide::{Made, Places, Sample, guide};
use super::parts::{App, AppOptions, default_workspace};
use super::serve::told_to_stop;
use super::sign_in::demo_link;
use super::system::{SystemClock, SystemRng};
use crate::config::Settings;
use crate::domain::allow::AllowRule;
use crate::domain::clock::{Rng as _, SharedClock};
use crate::domain::expected::Expected;
use crate::domain::ids::SecretName;
use crate::domain::token;
use crate::sandbox::{self, Demo};
use crate::service::{Actor, PageRequest, PutSecret, Services};
use crate::store::ScheduleFilter;
use crate::telemetry::LogRedactor;

/// Runs the demo until the process is told to stop, then removes its folder.
pub async fn demo(settings: Settings, log: LogRedactor) -> anyhow::Result<()> {
    let clock: SharedClock = Arc::new(SystemClock::default());
    let name = SystemRng::default().uuid(clock.now()).simple().to_string();
    let scratch = Scratch::make(std::env::temp_dir().join(format!("dossier-demo-{name}")))?;
    let mut stop = pin!(told_to_stop());
    let running = tokio::select! {
        started = Running::start(settings, &log, clock, &scratch) => started?,
        stopped = &mut stop => return Ok(stopped?),
    };
    print(&running.guide);
    stop.await?;
    running.app.stop(Duration::from_secs(2)).await;
    running.provider.stop(false).await;
    Ok(())
}

/// A folder that is gone when this is.
struct Scratch(PathBuf);

impl Scratch {
    fn make(path: PathBuf) -> anyhow::Result<Self> {
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("{} could not be made", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "the demo's folder could not be removed");
        }
    }
}

/// The service, its provider, and what to tell about them.
struct Running {
    app: App,
    provider: ServerHandle,
    guide: String,
}

impl Running {
    async fn start(
        mut settings: Settings,
        log: &LogRedactor,
        clock: SharedClock,
        scratch: &Scratch,
    ) -> anyhow::Result<Self> {
        let rng = Arc::new(SystemRng::default());
        let (sandbox, server) = sandbox::start("127.0.0.1:0".parse()?, clock.clone()).await?;
        let provider = server.handle();
        #[expect(
            clippy::disallowed_methods,
            reason = "the provider lives as long as the process, outside the product"
        )]
        tokio::spawn(server);

        let token = token::generate(&*rng);
        let in_use = make_way(&mut settings.server.listen);
        settings.database.url = format!("sqlite://{}", scratch.0.join("dossier.db").display());
        settings.security.master_key = None;
        settings.security.master_key_file = scratch.0.join("master.key");
        settings.security.admin_token = Some(token.clone());
        let rule = AllowRule::parse(&sandbox.to_string()).map_err(anyhow::Error::msg)?;
        settings.network.allow.push(rule);

        let options = AppOptions { serves: true, ticks: true };
        let app = App::start(&settings, options, clock, rng, log).await?;
        let address = app.address.context("the demo serves")?;
        let base = format!("http://{address}");
        let sample = fill(&app.services, token.expose(), Demo::at(sandbox)?).await?;
        let sign_in = demo_link(&app.services, address).await?;
        let places = Places { api: base, sign_in, provider: format!("http://{sandbox}"), taken: in_use };
        Ok(Self { app, provider, guide: guide(&places, token.expose(), &sample) })
    }
}

/// Takes a free port instead of one that is in use; answers the address that was.
fn make_way(listen: &mut SocketAddr) -> Option<SocketAddr> {
    let error = TcpListener::bind(*listen).err()?;
    if error.kind() != ErrorKind::AddrInUse {
        return None;
    }
    let taken = *listen;
    listen.set_port(0);
    Some(taken)
}

/// Sets up the sample workspace through the same services that the API uses; answers what
/// was made.
async fn fill(services: &Services, token: &str, demo: Demo) -> anyhow::Result<Sample> {
    let actor = actor(services, token).await?;
    for secret in demo.secrets {
        let name: SecretName = secret.name.parse()?;
        let put = PutSecret::new(secret.value, &secret.hosts, true)?;
        services.secrets.put(&actor, name, put, Expected::Anything).await?;
    }
    for connection in demo.connections {
        services.connections.create(&actor, &connection, None).await?;
    }
    for case_type in demo.case_types {
        services.case_types.create(&actor, &case_type, None).await?;
    }
    let mut cases = Vec::with_capacity(demo.cases.len());
    for demo in demo.cases {
        let (view, _) = services.cases.create(&actor, &demo.case, None).await?;
        let reference = view.case.reference.unwrap_or_default();
        cases.push(Made { reference, id: view.case.id.to_string(), shows: demo.shows });
    }
    let schedules =
        services.schedules.list(&actor, ScheduleFilter::default(), PageRequest::default()).await?;
    let schedule = schedules.items.first().context("a field of the demo is scheduled")?.row.id.to_string();
    Ok(Sample { cases, schedule })
}

async fn actor(services: &Services, token: &str) -> anyhow::Result<Actor> {
    let workspace = default_workspace()?;
    let actor = services.access.authenticate(token).await?;
    actor.with_context(|| format!("the token of the workspace `{workspace}` was not accepted"))
}

/// Whoever closes the pipe behind a pager has read enough; the demo goes on.
fn print(text: &str) {
    let mut out = std::io::stdout();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        tracing::debug!(%error, "the guide was not read to its end");
    }
}
