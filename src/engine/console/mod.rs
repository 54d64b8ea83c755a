//! The test console: a field tried out on a case, or on sample data, with nothing recorded.
//!
//! A test takes the steps of a run (`prepare` → `render` → `authorize` → `send` → `judge`) under the
//! same guard, rules for secrets, redaction, timeout and sizes. It leaves out what makes a run one:
//! there is no row, no permit of a lane and no word to it, no cache, no count and no change of
//! the case. So an open circuit does not stop it, nor does a connection that is switched off.

/// What somebody asks for.
pub(super) mod request;

/// An answer that somebody has, in place of the provider's.
mod recorded;

/// What is tried, and on which case.
pub(super) mod subject;

/// The steps, in order.
pub(super) mod steps;

/// A token, where the field proves itself by one.
pub(super) mod token;

/// What each target of the mapping would get.
pub(super) mod targets;

/// The door's way in, and how many at once.
pub(super) mod desk;

pub use desk::{Console, NotTested};
pub use steps::{CallBeside, Tested};
pub use targets::{MappingTested, TargetTested, TargetVerdict};
