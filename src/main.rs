//! The command line: reads what is asked for and hands it to [`dossier::app`]; nothing else.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use dossier::app::{self, Expiry, SecretCommand, TokenCommand};
use dossier::config::{LogFormat, Settings, environment};
use dossier::domain::ids::{SecretName, WorkspaceKey};
use dossier::domain::secret::HostRule;
use dossier::domain::token::Role;
use dossier::telemetry::{self, LineFormat};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Case management whose cases fill themselves in.
#[derive(Parser)]
#[command(name = "dossier", version, about)]
struct Cli {
    /// File with settings, over the defaults; DOSSIER__… environment variables go over it
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// API, pages and workers in one process (the default)
    Serve,
    /// The same in a scratch folder, with a made-up provider and cases that fill themselves in
    Demo,
    /// Workers only, beside a process that serves
    Worker,
    /// Make the database, or bring its schema up to date
    Migrate,
    /// Copy everything from an SQLite file into the empty PostgreSQL database of the settings
    Copy {
        /// The file, like data/dossier.db; no process may work on it
        #[arg(long, value_name = "URL")]
        from: String,
    },
    /// Workspaces
    #[command(subcommand)]
    Workspace(WorkspaceAction),
    /// API tokens
    #[command(subcommand)]
    Token(TokenAction),
    /// Print a link that signs somebody in once, within an hour
    SignInLink {
        /// Key of the workspace; `default` when not given
        #[arg(long, value_name = "KEY")]
        workspace: Option<WorkspaceKey>,
        /// E-mail of whom it is for; the workspace's first admin when not given
        #[arg(long, value_name = "EMAIL")]
        person: Option<String>,
    },
    /// Secrets
    #[command(subcommand)]
    Secrets(SecretsAction),
    /// Who changed what
    #[command(subcommand)]
    Audit(AuditAction),
    /// Print the description of the API (OpenAPI 3.1)
    Openapi,
    /// Print the settings in effect and where each came from
    Config,
}

#[derive(Subcommand)]
enum WorkspaceAction {
    /// Make a workspace
    Create {
        /// A letter, then up to 63 of a-z, 0-9 and _
        key: WorkspaceKey,
        /// What people see; the key when not given
        #[arg(long)]
        name: Option<String>,
    },
    /// List the workspaces: key and name
    List,
}

#[derive(Subcommand)]
enum AuditAction {
    /// Walk the chain of each workspace and say whether it is whole
    Verify {
        /// Key of the one workspace to look at
        #[arg(long, value_name = "KEY")]
        workspace: Option<WorkspaceKey>,
    },
}

#[derive(Subcommand)]
enum TokenAction {
    /// Make a token and print it; it is not shown again
    Create(TokenArguments),
}

#[derive(Args)]
struct TokenArguments {
    /// What its bearer may do
    #[arg(long, value_parser = role())]
    role: Role,
    /// What people call it; the role when not given
    #[arg(long)]
    name: Option<String>,
    /// Key of the workspace that it opens; `default` when not given
    #[arg(long, value_name = "KEY")]
    workspace: Option<WorkspaceKey>,
    /// When it ends to be good: 2030-01-31T12:00:00Z, or 90d; never when not given
    #[arg(long, value_name = "TIME", value_parser = Expiry::parse)]
    expires: Option<Expiry>,
    /// After how many days it ends to be good
    #[arg(long, value_name = "DAYS", conflicts_with = "expires", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    expires_in: Option<u32>,
}

#[derive(Subcommand)]
enum SecretsAction {
    /// Make or replace a secret
    Set(SecretArguments),
    /// List the secrets, without their values
    List {
        /// Key of the workspace; `default` when not given
        #[arg(long, value_name = "KEY")]
        workspace: Option<WorkspaceKey>,
    },
    /// Seal everything with another master key, while processes run; go on where one was stopped
    RotateKey,
}

#[derive(Args)]
struct SecretArguments {
    /// A letter, then up to 63 of a-z, 0-9 and _
    name: SecretName,
    /// Environment variable that holds the value, so that no history of commands does
    #[arg(long, value_name = "VAR")]
    from_env: String,
    /// A host to which it may be sent, like api.example.com or api.example.com:8443; repeat for more
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<HostRule>,
    /// Key of the workspace; `default` when not given
    #[arg(long, value_name = "KEY")]
    workspace: Option<WorkspaceKey>,
    /// Do not replace the value where it appears; allows values below 8 bytes
    #[arg(long)]
    no_redact: bool,
}

fn role() -> impl TypedValueParser<Value = Role> {
    // Only names of roles reach the closure.
    PossibleValuesParser::new(Role::ALL.map(Role::as_str))
        .map(|name| Role::parse(&name).unwrap_or(Role::Viewer))
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let command = cli.command.unwrap_or(Command::Serve);
    if matches!(command, Command::Openapi) {
        return app::print_openapi();
    }
    let settings = Settings::load(cli.config.as_deref(), environment())?;
    if matches!(command, Command::Config) {
        return app::explain_settings(&settings);
    }
    let format = settings.log.format.map(|format| match format {
        LogFormat::Text => LineFormat::Text,
        LogFormat::Json => LineFormat::Json,
    });
    let log = telemetry::init(format, settings.log.level).context("logging could not be started")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        match command {
            Command::Serve => Box::pin(app::serve(settings, log)).await,
            Command::Demo => Box::pin(app::demo(settings, log)).await,
            Command::Worker => Box::pin(app::work(settings, log)).await,
            Command::Migrate => Box::pin(app::migrate(&settings, &log)).await,
            Command::Copy { from } => Box::pin(app::copy_database(&settings, &log, &from)).await,
            Command::Workspace(WorkspaceAction::Create { key, name }) => {
                Box::pin(app::create_workspace(&settings, &log, &key, name)).await
            }
            Command::Workspace(WorkspaceAction::List) => {
                Box::pin(app::list_workspaces(&settings, &log)).await
            }
            Command::Audit(AuditAction::Verify { workspace }) => {
                Box::pin(app::verify_audit(&settings, &log, workspace)).await
            }
            Command::Token(TokenAction::Create(token)) => {
                let TokenArguments { role, name, workspace, expires, expires_in } = token;
                let expires = expires.or(expires_in.map(Expiry::Days));
                let command = TokenCommand { role, name, workspace, expires };
                Box::pin(app::create_token(&settings, &log, command)).await
            }
            Command::SignInLink { workspace, person } => {
                Box::pin(app::print_sign_in_link(&settings, &log, workspace.as_ref(), person.as_deref()))
                    .await
            }
            Command::Secrets(SecretsAction::Set(secret)) => {
                let SecretArguments { name, from_env, hosts, workspace, no_redact } = secret;
                let command = SecretCommand { name, from_env, hosts, workspace, redact: !no_redact };
                Box::pin(app::set_secret(&settings, &log, command)).await
            }
            Command::Secrets(SecretsAction::List { workspace }) => {
                Box::pin(app::list_secrets(&settings, &log, workspace.as_ref())).await
            }
            Command::Secrets(SecretsAction::RotateKey) => Box::pin(app::rotate_key(&settings, &log)).await,
            // Both were done above, without a runtime.
            Command::Openapi | Command::Config => Ok(()),
        }
    })
}
