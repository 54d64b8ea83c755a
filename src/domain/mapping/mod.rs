//! How values of an answer become case data (DESIGN 5), and where a provider puts its error.
//!
//! A mapping is read once, when its case type is saved (`read.rs` and `entry.rs` into
//! `rules.rs`), and applied to each answer: all of its targets or none (`pick.rs`,
//! `apply.rs`, `convert.rs`). What goes wrong says which target, from where, what was expected and what
//! was found (`error.rs`). All of it is pure: it neither writes data nor knows of runs.

mod apply;
mod convert;
mod entry;
mod error;
mod error_mapping;
mod pick;
mod read;
mod rules;

#[cfg(test)]
mod tests;

pub use apply::{Mapped, Offer, Write, is_empty};
pub use convert::ValueType;
pub use error::MappingError;
pub use error_mapping::ErrorMapping;
pub use rules::{Mapping, Target};
