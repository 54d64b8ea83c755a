//! The filters: minijinja's pure ones and our own.
//!
//! A filter takes one value and its arguments, all present, and gives one value or says in a
//! fragment why it cannot, never quoting a value. Null as a result means "nothing there" (the
//! first item of an empty array) and is missing. To add one: a row in `table` and a row in its
//! tests.

/// The list, and how a name is found in it.
mod table;

/// What filters are given.
mod arguments;

/// Filters on dates.
mod dates;
/// Filters on arrays and objects.
mod lists;
/// Filters on numbers.
mod numbers;
/// Filters on texts.
mod texts;

pub(super) use arguments::Arguments;
pub(super) use dates::check_format;
pub(super) use table::{Filter, Run, find};
