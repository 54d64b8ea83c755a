//! What a provider bears: calls in a span of time, calls at once, and how many failures in a row
//! say that it is down. These are settings; `domain::lane` judges by them.

use serde::{Deserialize, Serialize};

/// At most so many calls, over all processes on the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// Every one of them holds.
    pub windows: Vec<Window>,
    /// Calls in flight; none: as many as there are places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
}

/// In no span of `period` seconds more than `limit` calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Calls.
    pub limit: u32,
    /// Seconds.
    pub period: u32,
}

/// When a lane counts as down, and for how long it is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerSettings {
    /// Failures in a row that open the circuit.
    pub failures: u32,
    /// Seconds until a probe.
    pub open_seconds: u32,
    /// What has a circuit of its own.
    pub scope: BreakerScope,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { failures: 5, open_seconds: 30, scope: BreakerScope::Connection }
    }
}

/// What has a circuit of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerScope {
    /// The connection as a whole.
    #[default]
    Connection,
    /// Each of its endpoints.
    Endpoint,
}

/// How far redirects are followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redirects {
    /// On the host that was called.
    #[default]
    SameHost,
    /// Further, too, without credentials, headers of ours and body.
    Any,
}

impl Redirects {
    /// As definitions write them.
    pub const WORDS: [(&str, Self); 2] = [("same_host", Self::SameHost), ("any", Self::Any)];
}
