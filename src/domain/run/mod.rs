//! Runs, attempts and field states: what is kept of each execution of a field.
//!
//! A run is durable from queued to its end; an attempt is one HTTP exchange inside it; a field
//! state is what a case shows of a field. The words they are told in stand beside them.

mod attempt;
mod field_state;
mod firing;
mod words;

pub use attempt::{Attempt, NextAttempt, PhaseTimes, ReceivedResponse, SentRequest};
pub use field_state::{FieldState, LiveRun};
pub use firing::{Fired, Joined, KeptKey, NewRun, Run, Under};
pub(crate) use words::words;
pub use words::{FieldStatus, Outcome, Priority, Reason, RunStatus, WaitingFor};
