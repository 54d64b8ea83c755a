//! Recording attempts: a batch of them, each whole or not at all.
//!
//! For every run that is still in the hands of the worker who reports it, one transaction
//! writes the case's data and provenance, the run, the field state and the attempt. Writes are
//! merged into the case as it is *now*, so two fields of one case that end together both stand.

/// What a worker reports.
mod closing;

/// The order of the statements.
mod batch;
/// Reports into cases, in memory.
mod merge;

/// What a batch fires.
mod follow;

/// Rows of attempts and their bodies.
mod attempt_rows;
/// Rows of cases.
mod case_rows;
/// What a batch says about lanes.
mod lane_rows;
/// Rows of runs and field states.
mod run_rows;

pub(super) use batch::close;
pub use closing::{CaseEffect, Closed, Closing, CommitLimits, Ending, LaneReport, Rules, Verdict};
