//! Case types: the template of a case, read from a definition into something that can run.
//!
//! A definition is what a builder sends as JSON. It is read once, when it is saved or loaded, and
//! everything in it is compiled then: templates, expressions, paths. It is refused as a whole,
//! with every problem and its JSON pointer, or it holds together. Nothing here knows the
//! database, the network or the time.
//!
//! Start with `definition.rs`; `names.rs` compares the fields with each other, `cycles.rs` finds
//! those that fire each other in a circle, `inherit.rs` fills in what the endpoints of connections
//! give, `check.rs` checks the data of cases.

mod check;
mod context;
mod cycles;
mod definition;
pub mod findings;
mod inherit;
mod names;
pub mod reader;

pub use check::Origin;
pub use context::{Context, Known, KnownConnection};
pub use definition::{CaseType, Parsed, Section, check_params};
