//! Lists of cases: what they are asked for, the way to the cases, pages of them.

/// What is asked for.
mod filter;

/// … as a condition.
mod condition;

/// Conditions that few cases meet.
mod narrow;

/// The way to the cases.
mod select;

/// Pages and counts.
mod page;

/// That the ways use indexes.
#[cfg(test)]
mod plans;

pub use filter::{CaseFilter, CaseSort, DataFilter, FieldFilter, FieldWord, TooWide};
pub use select::{MOST_CANDIDATES, Selection};
