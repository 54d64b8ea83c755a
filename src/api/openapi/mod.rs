//! The `OpenAPI` 3.1 document: every call, its parameters, bodies, answers and refusals.

/// How a call is described.
mod call;

/// All calls.
mod access_calls;
mod calls;
mod connection;
mod connection_parts;
mod connection_test;
mod console;
/// Events and summaries.
mod event_calls;
mod people_calls;
mod run_calls;

/// Shapes that calls have in common.
mod shapes;

/// Bodies that are sent to us.
mod bodies;

/// Fields of a case type.
mod field;

/// What an answer leads to.
mod links;

/// Puts it together.
mod document;

pub use call::Call;
pub use calls::all as all_calls;
pub use document::{document, openapi_json};
