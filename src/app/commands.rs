//! The commands that do one thing and end. Their output is for pipes: a token is the only line.
//!
//! They work on the database itself, beside a process that serves it: what they change counts
//! there within 5 s.

use std::io::{self, Write as _};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use tokio_util::task::TaskTracker;

use super::admission::{admit, database_file};
use super::keys;
use super::parts::{default_workspace, open_services};
use super::presence::alone;
use super::system::{SystemClock, SystemRng};
use crate::config::Settings;
use crate::domain::clock::{Instant, SharedClock, SharedRng};
use crate::domain::ids::{SecretName, WorkspaceId, WorkspaceKey};
use crate::domain::secret::{HostRule, SecretValue};
use crate::domain::token::Role;
use crate::service::{NewTokenRequest, PutSecret, ServiceError, Services};
use crate::store::copy;
use crate::telemetry::LogRedactor;

/// `dossier token create`.
#[derive(Debug, Clone)]
pub struct TokenCommand {
    /// What the bearer may do.
    pub role: Role,
    /// What people call it.
    pub name: Option<String>,
    /// The workspace; none: `default`.
    pub workspace: Option<WorkspaceKey>,
    /// When it ends to be good.
    pub expires: Option<Expiry>,
}

/// When a token ends to be good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// At an instant.
    At(Instant),
    /// After some days.
    Days(u32),
}

impl Expiry {
    /// Reads an RFC 3339 time or a number of days like `90d`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(days) = text.strip_suffix('d').and_then(|days| days.parse().ok()).filter(|days| *days > 0)
        {
            return Ok(Self::Days(days));
        }
        DateTime::parse_from_rfc3339(text)
            .map(|at| Self::At(at.with_timezone(&Utc).trunc_subsecs(3)))
            .map_err(|_| {
                "write a time like `2030-01-31T12:00:00Z`, or a number of days like `90d`".to_owned()
            })
    }

    fn after(self, now: Instant) -> Instant {
        match self {
            Self::At(at) => at,
            Self::Days(days) => {
                now.checked_add_signed(TimeDelta::days(i64::from(days))).unwrap_or(Instant::MAX_UTC)
            }
        }
    }
}

/// `dossier secrets set`.
#[derive(Debug, Clone)]
pub struct SecretCommand {
    /// The name of the secret.
    pub name: SecretName,
    /// The environment variable that holds the value.
    pub from_env: String,
    /// Where it may be sent.
    pub hosts: Vec<HostRule>,
    /// The workspace; none: `default`.
    pub workspace: Option<WorkspaceKey>,
    /// Whether it is replaced wherever it appears.
    pub redact: bool,
}

/// Sees to it that somebody may come in, and says where the first token is.
pub(super) async fn prepare_access(
    settings: &Settings,
    services: &Services,
    log: &LogRedactor,
) -> anyhow::Result<()> {
    if let Some(path) = admit(settings, services, log).await? {
        print(&format!("An admin token for the workspace `default` was written to {}.", path.display()))?;
    }
    Ok(())
}

/// `dossier migrate`: makes the database, or brings its schema up to date.
pub async fn migrate(settings: &Settings, log: &LogRedactor) -> anyhow::Result<()> {
    with_services(settings, log, async |_, _| Ok(())).await?;
    Ok(print(&format!("The schema of {} is up to date.", settings.database.shown_url()))?)
}

/// `dossier copy`: everything from an SQLite file into the database of the settings, which is empty.
pub async fn copy_database(settings: &Settings, log: &LogRedactor, from: &str) -> anyhow::Result<()> {
    let url = if from.starts_with("sqlite:") { from.to_owned() } else { format!("sqlite://{from}") };
    let (from, file) = (url.as_str(), database_file(&url));
    if !file.is_file() {
        bail!("there is no file {}: say --from sqlite://data/dossier.db", file.display());
    }
    let Some(_alone) = alone(from).with_context(|| format!("{} could not be locked", file.display()))? else {
        bail!(
            "a process works on {}: stop it first, so that nothing of its work stays behind",
            file.display()
        );
    };
    let nothing = || format!("nothing was copied into {}", settings.database.shown_url());
    // A master key that does not fit is told now: what is copied could not be used with it.
    keys::check_source(settings, log, from).await.with_context(nothing)?;
    let copied = copy(from, &settings.database.url).await.with_context(nothing)?;
    let count = |table: &str| copied.get(table).copied().unwrap_or_default();
    let (cases, runs, secrets) = (count("cases"), count("run"), count("secret"));
    let rows: u64 = copied.values().sum();
    print(&format!("Copied {rows} rows: {cases} cases, {runs} runs, {secrets} secrets."))?;
    // Whatever would keep a process from starting on it is told now.
    with_services(settings, log, async |_, _| Ok(())).await
}

/// `dossier workspace create`.
pub async fn create_workspace(
    settings: &Settings,
    log: &LogRedactor,
    key: &WorkspaceKey,
    name: Option<String>,
) -> anyhow::Result<()> {
    let row = with_services(settings, log, async |services, _| {
        services.access.create_workspace(key, name).await.map_err(refused)
    })
    .await?;
    Ok(print(&format!("The workspace `{}` ({}) was made.", row.key, row.name))?)
}

/// `dossier token create`: prints the token, once.
pub async fn create_token(
    settings: &Settings,
    log: &LogRedactor,
    command: TokenCommand,
) -> anyhow::Result<()> {
    let token = with_services(settings, log, async |services, now| {
        let workspace = workspace(services, command.workspace.as_ref()).await?;
        let request = NewTokenRequest {
            name: command.name.unwrap_or_else(|| command.role.as_str().to_owned()),
            role: command.role,
            overrides: true,
            expires_at: command.expires.map(|expires| expires.after(now)),
        };
        let (_, token) = services.access.create_in(workspace, request).await.map_err(refused)?;
        Ok(token)
    })
    .await?;
    Ok(print(token.expose())?)
}

/// `dossier secrets set`.
pub async fn set_secret(
    settings: &Settings,
    log: &LogRedactor,
    command: SecretCommand,
) -> anyhow::Result<()> {
    let SecretCommand { name, from_env, hosts, workspace: key, redact } = command;
    let value = value_of(&from_env)?;
    if redact && value.len() < SecretValue::MIN_REDACTED {
        bail!(
            "the value of {from_env} has less than {} bytes, too few to redact it safely; use a longer credential, \
             or say --no-redact",
            SecretValue::MIN_REDACTED
        );
    }
    let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
    let secret = PutSecret::new(value, &hosts, redact).map_err(refused)?;
    let (info, created) = with_services(settings, log, async |services, _| {
        let workspace = workspace(services, key.as_ref()).await?;
        services.secrets.put_in(workspace, name, secret).await.map_err(refused)
    })
    .await?;
    let done = if created { "made" } else { "replaced" };
    let hosts: Vec<_> = info.hosts.iter().map(ToString::to_string).collect();
    let hosts = if hosts.is_empty() { "no host".to_owned() } else { hosts.join(", ") };
    Ok(print(&format!("The secret `{}` was {done}; it may be sent to {hosts}.", info.name))?)
}

/// `dossier config`: the settings in effect and where each came from.
pub fn explain_settings(settings: &Settings) -> anyhow::Result<()> {
    Ok(print(settings.explain().trim_end())?)
}

/// `dossier openapi`: the description of the API.
pub fn print_openapi() -> anyhow::Result<()> {
    Ok(print(&crate::api::openapi_json())?)
}

/// Who closes the pipe early has read enough.
pub(super) fn print(text: &str) -> io::Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

#[expect(clippy::disallowed_methods, reason = "the command says which variable; it is no setting")]
fn value_of(variable: &str) -> anyhow::Result<String> {
    // The error of a variable that is no UTF-8 would quote it.
    match std::env::var(variable) {
        Ok(value) => Ok(value),
        Err(std::env::VarError::NotPresent) => bail!("the environment variable {variable} is not set"),
        Err(_) => bail!("the environment variable {variable} does not hold UTF-8"),
    }
}

/// Opens the use cases, does the work, and closes the database before it answers.
pub(super) async fn with_services<T>(
    settings: &Settings,
    log: &LogRedactor,
    work: impl AsyncFnOnce(&Services, Instant) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let (clock, rng): (SharedClock, SharedRng) =
        (Arc::new(SystemClock::default()), Arc::new(SystemRng::default()));
    let tasks = TaskTracker::new();
    let services = open_services(settings, &clock, &rng, log, &tasks).await?;
    let done = work(&services, clock.now()).await;
    services.store.stop().await;
    tasks.close();
    tasks.wait().await;
    done
}

/// A workspace that is there.
pub(super) async fn known_workspace(
    services: &Services,
    key: Option<&WorkspaceKey>,
) -> anyhow::Result<WorkspaceId> {
    let default = default_workspace()?;
    let key = key.unwrap_or(&default);
    let found = services.access.workspace(key).await?;
    found.map(|row| row.id).with_context(|| {
        format!("there is no workspace `{key}`; make it with `dossier workspace create {key}`")
    })
}

/// `default` is made when missing, others by their own command.
async fn workspace(services: &Services, key: Option<&WorkspaceKey>) -> anyhow::Result<WorkspaceId> {
    let default = default_workspace()?;
    let key = key.unwrap_or(&default);
    if *key == default {
        return Ok(services.access.ensure_workspace(key).await?);
    }
    known_workspace(services, Some(key)).await
}

/// Pointers into a body mean nothing on a command line.
fn refused(error: ServiceError) -> anyhow::Error {
    let ServiceError::Invalid(problems) = &error else { return error.into() };
    let lines = problems.iter().map(|problem| match problem.pointer.trim_start_matches('/') {
        "" => problem.message.clone(),
        name => format!("{name}: {}", problem.message),
    });
    anyhow::anyhow!(lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_time_or_a_number_of_days() {
        let now = DateTime::from_timestamp_millis(1_795_253_400_000).unwrap();
        assert_eq!(Expiry::parse("90d").unwrap().after(now), now + TimeDelta::days(90));
        let at = Expiry::parse("2030-01-31T13:00:00.0009+01:00").unwrap().after(now);
        assert_eq!(at.to_rfc3339(), "2030-01-31T12:00:00+00:00");
        for bad in ["", "d", "0d", "-1d", "90", "2030-01-31", "tomorrow"] {
            assert!(Expiry::parse(bad).is_err(), "{bad}");
        }
    }
}
