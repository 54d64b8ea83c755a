//! HTTP to the world: one exchange at a time, guarded, capped and timed. Knows nothing of cases.
//!
//! [`Outbound::exchange`] sends one request and reads the whole answer, or says exactly what went
//! wrong and whether some of the request may have left. It never follows a redirect, never
//! repeats a request and never reads more than the cap; the caller's deadline covers everything
//! from the name look-up to the last byte.
//!
//! **How the guard holds.** An address can reach the socket on two ways only. A literal in the URL
//! (in any spelling: the parsed host is looked at, never the text) is judged before the request is
//! handed to the client. A name is resolved by our own resolver inside the client's connector,
//! which passes on only addresses that were judged good, so the checked address is the one that is
//! used and there is no second look-up. The resolver learns the port, which an allow rule may
//! name, from a task-local that the connector layer sets; without it nothing is resolved. A pooled
//! connection was checked when it was made and the pool is keyed by scheme, host and port, so that
//! a kept connection needs no look-up and no second check.
//!
//! [`Outbound::exchange`]: crate::outbound::Outbound::exchange

/// Which addresses are globally routable.
mod guard;

/// The guard with its exceptions: `network.allow`.
mod allow;

/// What is sent, what comes back, and what can go wrong.
mod exchange;

/// Names to checked addresses.
mod resolve;

/// Making a connection, and what a call knows of it.
mod connect;

/// The client: one request, one answer.
mod client;

/// TLS as connections want it.
mod tls;

/// The way to a provider in steps, for tests.
mod probe;

/// Where redirects lead.
mod redirect;

/// The body, against the cap.
mod body;

/// Trouble of the client in our words.
mod classify;

/// When the provider wants to be asked again.
mod retry_after;

pub use client::{Outbound, OutboundSettings};
pub use exchange::{Exchange, ExchangeFailed, ExchangeFailure, Headers, Outgoing, Phases, SetUpFailed};
pub use guard::{Verdict, judge};
pub use probe::{Dialed, Shaken};
pub use redirect::redirect_target;
pub use retry_after::retry_after;
pub use tls::{BadPolicy, TlsPolicy};
