//! What was fetched when, why, and with what outcome: the history of runs, and each run with its
//! attempts.

/// Which runs are shown, as the address says it.
mod filter;

/// The history.
pub mod list;

/// How a run stands, and what it is called.
mod named;
pub mod state;

/// One run.
mod attempt;
pub mod detail;
mod mapping;

/// What is done to a run by hand.
pub mod actions;

/// Bodies as files.
pub mod body;

pub use attempt::{Header, headers as header_rows};
pub use mapping::source as source_of;
