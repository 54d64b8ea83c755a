//! What is sent, what comes back, and what can go wrong: the words between the engine and HTTP.
//!
//! A failure says what happened, how far the exchange had come and whether some of the request may
//! have left ([`ExchangeFailed::sent`]); what that means for the run is the engine's business.
//! Texts in here hold no URL and no header that was sent.

use std::net::IpAddr;

use bytes::Bytes;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use url::Url;

/// Header names and values in order, repeated ones repeated. Names of answers are lower case.
pub type Headers = Vec<(String, String)>;

/// One request, rendered and signed.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Any method but CONNECT and TRACE.
    pub method: Method,
    /// `http` or `https`, without user name and password.
    pub url: Url,
    /// Sent as they are, before our own (`user-agent`, `accept`), but for those that belong to the
    /// connection (`content-length`, `transfer-encoding`, `connection` and their like), which are
    /// left out: the client writes them.
    pub headers: Headers,
    /// Sent with its length.
    pub body: Option<Bytes>,
}

/// A complete answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Status code.
    pub status: u16,
    /// Without `content-encoding` and `content-length` where the body was decompressed.
    pub headers: Headers,
    /// Decompressed; empty for HEAD, 204 and 304.
    pub body: Bytes,
    /// Where the time went.
    pub phases: Phases,
}

/// Where the time of an exchange went, in whole milliseconds. Null is what did not happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// Name look-up; null for an address and on a kept connection.
    pub dns_ms: Option<u64>,
    /// TCP and TLS; null on a kept connection.
    pub connect_ms: Option<u64>,
    /// From the start to the head of the answer.
    pub first_byte_ms: Option<u64>,
    /// From the start to the end.
    pub total_ms: u64,
}

/// An exchange that gave no complete answer that may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeFailed {
    /// What happened.
    pub kind: ExchangeFailure,
    /// Where the time went.
    pub phases: Phases,
    /// Status, when the head of an answer had come.
    pub status: Option<u16>,
    /// Headers of that head, else empty.
    pub headers: Headers,
    /// Some of the request may have left, so that the provider may have acted on it. False only
    /// when certainly nothing did.
    pub sent: bool,
}

/// What happened to an exchange. The text is the `detail` for a builder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeFailure {
    /// The caller's deadline came first.
    #[error("no complete answer within {after_ms} ms")]
    Timeout {
        /// The deadline, as the caller named it.
        after_ms: u64,
    },
    /// The host has no address.
    #[error("the name `{host}` was not found: {detail}")]
    Dns {
        /// Host of the URL.
        host: String,
        /// What the resolver said.
        detail: String,
    },
    /// No connection came about.
    #[error("no connection: {detail}")]
    Connect {
        /// What the system said.
        detail: String,
    },
    /// The connection ended, or spoke something other than HTTP, before the answer was complete.
    #[error("connection cut: {detail}")]
    Cut {
        /// What the client said.
        detail: String,
    },
    /// TLS did not come about: most often a bad certificate.
    #[error("no TLS: {detail}")]
    Tls {
        /// What the client said.
        detail: String,
    },
    /// The network guard refused the address.
    #[error("`{host}` leads to {address}, which is {what}; network.allow does not list it")]
    Blocked {
        /// Host of the URL.
        host: String,
        /// Where it leads.
        address: IpAddr,
        /// What that address is: `loopback (RFC 1122)`.
        what: &'static str,
    },
    /// The answer leads elsewhere.
    #[error("answered {status} and leads to {location}")]
    RedirectRefused {
        /// Absolute where it could be read, without user name, password, query and fragment.
        location: String,
        /// 301, 302, 303, 307 or 308.
        status: u16,
    },
    /// The body is bigger than `limits.response_bytes`, after decompression.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The URL cannot be called.
    #[error("the URL cannot be called: {detail}")]
    BadUrl {
        /// Why not.
        detail: String,
    },
    /// A header cannot be sent. Its value is not quoted.
    #[error("the header `{name}` cannot be sent: its name or value holds a character that HTTP forbids")]
    BadHeader {
        /// Name of the header.
        name: String,
    },
    /// The answer cannot be read: its body does not decompress, its head is too large.
    #[error("{detail}")]
    InvalidResponse {
        /// What is wrong with it.
        detail: String,
    },
}

/// The client could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the HTTP client cannot be set up: {detail}")]
pub struct SetUpFailed {
    /// What the client said.
    pub detail: String,
}
