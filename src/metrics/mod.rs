//! What Dossier counts about itself, for Prometheus and its like.
//!
//! The names are those of the contract. Labels hold closed words and the keys of connections and
//! nothing else: never a case, a URL or a value, so neither their number nor their content can
//! run away.

/// What series are told apart by.
mod labels;

/// The series, and how they are counted.
mod series;

pub use labels::CacheOutcome;
pub use series::{CONTENT_TYPE, CircuitState, Metrics, Served, Waiting};
