//! `JSONPath` (RFC 9535): compiled when a case type is saved, then only walked.
//!
//! The grammar is the library's (`jsonpath_rust`), the walk is ours. The library carries a
//! path text along with every node and has no bounds: an answer of 2 MiB with one long
//! member name costs it gigabytes. Our walk counts its steps in a [`Budget`] that a whole
//! mapping shares, so no answer can stall a worker.
//!
//! Read: `path.rs` (what callers use), `plan.rs` (what a path is compiled to), `compile.rs`
//! (from the library's tree to a plan, refusing by name what we do not vouch for),
//! `walk.rs` (a plan over an answer), `filter.rs` (what stands behind a `?`),
//! `budget.rs` (how much one mapping may do).
//!
//! [`Budget`]: crate::domain::jsonpath::Budget

mod budget;
mod compile;
mod filter;
mod path;
mod plan;
mod regexp;
mod walk;

pub use budget::{Budget, Exhausted};
pub use path::{JsonPath, MAX_RESULTS};
