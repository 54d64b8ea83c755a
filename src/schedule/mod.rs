//! The clock's door: what happens because time passes.

mod retention;
mod sweep;

pub use retention::{Retention, RetentionDays};
pub use sweep::{Sweeper, ticks};
