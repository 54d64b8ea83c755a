//! Names and rules of the field: no I/O, no async, no database, no HTTP.
//!
//! Read it in this order: what things are called, what a case type says, how a request is
//! rendered and an answer is mapped, what may go wrong, and how secrets stay secret.

/// Ids and keys.
pub mod ids;

/// Time and randomness, handed in.
pub mod clock;

/// What is wrong with something that was sent.
pub mod problem;

/// When a certificate is valid.
pub mod certificate;

/// Why a field runs.
pub mod trigger;

/// Case types and the fields they are made of.
pub mod case_type;

/// One field: plain or API Call.
pub mod field;

/// The configuration of an API Call field.
pub mod api_call;

/// How a request proves who it is.
pub mod auth;

/// Templates and expressions.
pub mod template;

/// Dotted paths in case data.
pub mod data;

/// Which values of a case a field looks at.
pub mod watch;

/// When a scheduled field is due.
pub mod schedule;

/// What may be called although the network guard would refuse it.
pub mod allow;

/// What a provider answered.
pub mod answer;

/// `JSONPath` (RFC 9535), compiled and capped.
pub mod jsonpath;

/// How values of an answer become case data.
pub mod mapping;

/// What went wrong with a provider, in words.
pub mod failure;
pub mod provider_error;

/// Providers that are set up once.
pub mod connection;

/// Bulkheads of providers: may a call go now?
pub mod lane;

/// When a failed attempt is repeated.
pub mod retry;

/// Runs, attempts and field states.
pub mod run;

/// Cases.
pub mod case;

/// What lists of cases are searched by.
pub mod search;

/// What happened to a case.
pub mod event;

/// What a conditional request expects.
pub mod expected;

/// Requests that may be sent twice.
pub mod once;

/// Which fields a change fires.
pub mod firing;

/// Mapped values that somebody set by hand.
pub mod overrides;

/// Secrets and where they may go.
pub mod secret;

/// Authenticated encryption at rest.
pub mod sealing;

/// What a master key makes of texts without sealing them.
pub mod keyed;

/// The master keys of a process.
pub mod keyring;

/// API tokens and what their roles may do.
pub mod token;

/// People who sign in, their passwords and sessions.
pub mod password;
pub mod person;
pub mod session;

/// Who changed what, as a chain.
pub mod audit;

/// Replaces secret values in whatever leaves the process.
pub mod redact;
