//! The clock's door: what happens because time passes.

mod cron;
mod sweep;
mod ticks;

pub use cron::Cron;
pub use sweep::Sweeper;
pub use ticks::ticks;
