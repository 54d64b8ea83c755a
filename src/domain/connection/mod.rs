//! A provider, set up once: where it is, how it is spoken to, what it bears.

mod limits;

pub use limits::{BreakerScope, BreakerSettings, RateLimit, Window};
