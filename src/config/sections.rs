//! The sections of the settings, as the parts of the program get them.

use std::net::SocketAddr;
use std::path::PathBuf;

use tracing::Level;

use super::shown::without_password;
use crate::domain::allow::AllowRule;
use crate::domain::secret::SecretText;

/// Where we listen and how we stop.
#[derive(Debug, Clone)]
pub struct Server {
    /// Address of the API and the pages.
    pub listen: SocketAddr,
    /// Seconds for calls in flight when the process is told to stop.
    pub drain_seconds: u64,
}

/// Where everything is kept.
#[derive(Debug, Clone)]
pub struct Database {
    /// `sqlite://…` or `postgres://…`
    pub url: String,
    /// When a write counts as done.
    pub synchronous: Synchronous,
}

impl Database {
    /// Whether other processes, on other machines, may work on it, too.
    pub fn is_shared(&self) -> bool {
        !self.url.starts_with("sqlite:")
    }

    /// The URL without its password.
    pub fn shown_url(&self) -> String {
        without_password(&self.url)
    }
}

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// When the disk has it.
    #[default]
    Full,
    /// When the operating system has it.
    Normal,
}

/// What protects the secrets and the API.
#[derive(Debug, Clone)]
pub struct Security {
    /// The master key as text; checked, see [`super::load_master_key`].
    pub master_key: Option<SecretText>,
    /// Master keys that something may still be sealed with, with commas between them.
    pub previous_master_keys: Option<SecretText>,
    /// File with the master key, used when there is none above.
    pub master_key_file: PathBuf,
    /// An admin token of the workspace `default`.
    pub admin_token: Option<SecretText>,
}

/// Where calls may go.
#[derive(Debug, Clone)]
pub struct Network {
    /// Exceptions from "public addresses only".
    pub allow: Vec<AllowRule>,
}

/// How much is done at once.
#[derive(Debug, Clone)]
pub struct Workers {
    /// Calls in flight; with 0 the process claims no runs, it only serves.
    pub concurrency: usize,
}

/// How big things may be, in bytes.
#[derive(Debug, Clone)]
pub struct Limits {
    /// An answer, after decompression.
    pub response_bytes: usize,
    /// The body of a request to the API.
    pub request_bytes: usize,
    /// `data` of a case, without its output variables.
    pub case_bytes: usize,
    /// One output variable.
    pub output_bytes: usize,
}

/// The cache of answers.
#[derive(Debug, Clone)]
pub struct Cache {
    /// Memory for it; 0 keeps nothing.
    pub max_bytes: u64,
}

/// How long history is kept.
#[derive(Debug, Clone)]
pub struct Retention {
    /// Days for finished runs.
    pub runs_days: u32,
    /// Days for bodies of requests and answers.
    pub bodies_days: u32,
}

/// Logs.
#[derive(Debug, Clone)]
pub struct Log {
    /// None: text on a terminal, else JSON.
    pub format: Option<LogFormat>,
    /// The least important lines that are written.
    pub level: Level,
}

/// What a log line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object per line.
    Json,
}
