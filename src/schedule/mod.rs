//! The clock's door: what happens because time passes.

mod cron;
mod retention;
mod sweep;
mod ticks;

pub use cron::Cron;
pub use retention::{Retention, RetentionDays};
pub use sweep::Sweeper;
pub use ticks::ticks;
