//! The bulkhead of a provider: whether a call may go to it now, and what its answer says about
//! the next ones.
//!
//! Pure over time: the store keeps a lane as a row and asks it under that row's lock, so all
//! processes on a database judge alike.

/// What a lane is called.
mod key;

/// Failures in a row, and the pause that they cause.
mod breaker;
/// Calls in a span of time.
mod limiter;
/// What the provider says is left.
mod quota;

/// What it is asked and told, and what it answers.
mod answers;
/// A lane as a whole.
mod state;

/// Which circuit a call belongs to.
mod circuits;

pub use answers::{Admission, Ask, Because, LaneOutcome, Of, Refused, Release};
pub use breaker::{Circuit, CircuitState};
pub use key::LaneKey;
pub use limiter::{Grants, slack};
pub use quota::Quota;
pub use state::Lane;
