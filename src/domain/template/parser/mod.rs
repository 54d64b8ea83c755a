//! Tokens to a tree, with minijinja's grammar and precedence.
//!
//! Everything that can be known when a case type is saved is refused here: unknown roots,
//! filters and tests (each with the nearest known name), wrong numbers of arguments, calls of
//! functions, secrets that are not named one by one. Size and nesting are limited, so that no
//! walk over the tree can exhaust the stack.

/// What comes after `|` and `is`.
mod applied;
/// The tokens still to be read, and the limits.
mod cursor;
/// Operators, loosest first.
mod operators;
/// Literals, paths and what may follow them directly.
mod values;

pub(super) use operators::parse;
pub(super) use values::check_secret;
