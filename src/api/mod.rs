//! Door 1: the JSON API under `/v1`, and what says that we live.
//!
//! Every call takes the same way: the edge gives it an id, the caller is found out, the handler
//! parses, calls a service and presents what came of it. Handlers decide nothing that another
//! door would have to decide again. Read `routes.rs` for the map.

/// Every URL and who answers it.
mod routes;

/// Request ids, logs and refusals, around everything.
mod edge;

/// Refusals: statuses and codes.
mod code;
mod error;

mod etag;
/// Who calls, how long they wait, and what they have already.
mod extract;

/// Requests that are sent twice.
mod once;
mod replay;

/// Query strings.
mod query;

/// Request bodies.
mod action;
mod body;
mod intake;
mod intake_people;

/// What lists have in common.
mod list;

mod audit;
mod cache;
mod case_list;
mod case_types;
mod cases;
mod connection_test;
mod connections;
mod console;
mod events;
mod fields;
mod people;
mod runs;
mod schedules;
mod secrets;
mod summary;
mod tokens;
mod workspace;

/// Who may do what, as the calls say it.
mod matrix;

/// Whether we live and are ready.
mod health;

/// What is counted.
mod metrics;

/// A page to read the description on.
mod docs;

/// What answers look like.
mod present;

/// The description of all this for programs.
mod openapi;

pub use body::ApiSettings;
pub use matrix::access_page;
pub use openapi::openapi_json;
pub use routes::configure;

#[cfg(test)]
mod tests;
