//! One HTTP exchange inside a run, as its history keeps it.
//!
//! Request and answer are redacted before they come here; nothing in this file opens or hides
//! a secret.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::words::Outcome;
use crate::domain::clock::Instant;
use crate::domain::failure::RunError;

/// The request of an attempt, redacted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SentRequest {
    /// HTTP method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// Lower-case names; repeated ones joined by `, `.
    pub headers: Map<String, Value>,
    /// Text of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// The answer of an attempt, redacted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReceivedResponse {
    /// HTTP status.
    pub status: u16,
    /// Lower-case names; repeated ones joined by `, `.
    pub headers: Map<String, Value>,
    /// Decoded text; absent when there was none or it was binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Bytes received, after decompression.
    pub bytes: u64,
    /// Whether `body` is only the beginning.
    pub truncated: bool,
}

/// Where the time of an exchange went, in ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseTimes {
    /// Name look-up; absent when a kept connection was used.
    pub dns_ms: Option<u64>,
    /// TCP and TLS; absent when a kept connection was used.
    pub connect_ms: Option<u64>,
    /// From the start to the answer's head.
    pub first_byte_ms: Option<u64>,
    /// From the start to the end.
    pub total_ms: u64,
}

/// When and why the next attempt follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NextAttempt {
    /// When it is due.
    pub at: Instant,
    /// Why it waits until then.
    pub because: String,
}

/// One HTTP exchange inside a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// When it was claimed.
    pub started_at: Instant,
    /// When it was over.
    pub ended_at: Instant,
    /// How it ended.
    pub outcome: Outcome,
    /// What was sent.
    pub request: Option<SentRequest>,
    /// What came back.
    pub response: Option<ReceivedResponse>,
    /// Where the time went.
    pub phases: Option<PhaseTimes>,
    /// What went wrong.
    pub error: Option<RunError>,
    /// When the next one follows.
    pub next: Option<NextAttempt>,
    /// The secrets that went with it, by name, and their versions.
    pub secrets: BTreeMap<String, i64>,
}
