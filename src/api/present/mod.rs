//! What answers look like: domain → view, one file per resource.
//!
//! Views are separate from the types that are stored, so that a row can change without the API
//! changing. Members are always there, null where they say nothing, except where a doc says
//! "only". The same structs describe themselves for the `OpenAPI` document.

/// Cases and the provenance of their data.
pub mod case;

/// The metadata on a case's fields.
pub mod field_state;

/// Runs and their attempts.
pub mod run;

/// What a test of a field came to.
pub mod console;

/// … and one of a connection.
pub mod connection_test;

/// What went wrong with a run.
pub mod run_error;

/// Case types.
pub mod case_type;

/// Connections.
pub mod connection;

/// How connections do.
pub mod connection_health;

/// Schedules.
pub mod schedule;

/// Secrets, without their values.
pub mod secret;

/// People.
pub mod person;

/// Tokens.
pub mod token;

/// The workspace.
pub mod workspace;

/// Who changed what.
pub mod audit;

/// What happened to cases.
pub mod event;

/// How the fields of many cases stand.
pub mod summary;

/// Instants and closed sets of words.
pub mod words;
