//! The clock's door: what happens because time passes.

mod sweep;

pub use sweep::{Sweeper, ticks};
