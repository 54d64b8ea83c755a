//! The walk over an expression's tree.
//!
//! A value that is missing travels upwards with its path instead of stopping the walk: operators
//! and filters hand it on, `default` replaces it, `is defined` and comparisons with `none` ask
//! for it. Only what decides is needed: `a or b` with `a` missing is `b` when `b` is true, and
//! `a and b` is false when `b` is false, whatever `a` would have been.
//!
//! In an answer's rules (`success_when`, `retry_when`) the walk is lenient: a comparison or test
//! with a missing value is false, negated ones (`!=`, `not in`, `is not`) too, and so is one
//! between values that cannot be compared. A missing value on its own counts as false.

/// A value, or what is missing.
mod found;
/// Operators on two values that are there.
mod operate;
/// Nodes that are true or false.
mod truth;
/// Nodes that give values.
mod walk;

pub(super) use found::{Found, Missing};
pub(super) use walk::Walk;
