//! Time and randomness, as values that are handed in.
//!
//! Everything that asks "what time is it" or "roll a die" takes these, so that a test moves
//! the clock instead of sleeping and every run of it is the same. The real ones live in
//! `app/system.rs`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, SubsecRound as _, TimeDelta, Utc};
use uuid::Uuid;

/// An instant, in UTC, with milliseconds (what rows and answers can hold).
pub type Instant = DateTime<Utc>;

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// Now, cut to whole milliseconds.
    fn now(&self) -> Instant;

    /// Completes when [`Clock::now`] has reached `at`.
    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Adds so much to what it says from now on: the database that several processes share has
    /// another time. A clock that a test moves stays as it is.
    fn correct(&self, _by: TimeDelta) {}
}

/// Where random numbers come from.
pub trait Rng: Send + Sync + 'static {
    /// Fills the slice from a cryptographically secure source.
    fn fill(&self, bytes: &mut [u8]);

    /// A number in `0.0..1.0`, for jitter.
    fn fraction(&self) -> f64 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }

    /// A UUIDv7 (RFC 9562, section 5.7) for the instant `at`.
    fn uuid(&self, at: Instant) -> Uuid {
        let mut bytes = [0; 10];
        self.fill(&mut bytes);
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}

/// An instant written as RFC 3339 in any zone, cut to whole milliseconds.
pub fn parse_instant(text: &str) -> Option<Instant> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc).trunc_subsecs(3))
}

/// The clock as it is shared.
pub type SharedClock = Arc<dyn Clock>;
/// The random source as it is shared.
pub type SharedRng = Arc<dyn Rng>;

/// RFC 3339 in UTC with milliseconds, the one spelling of an instant in answers:
/// `2026-11-21T09:30:00.000Z`.
pub fn rfc3339(at: Instant) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
