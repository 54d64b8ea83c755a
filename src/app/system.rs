//! The real clock and the real dice. Tests have their own.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{SubsecRound as _, TimeDelta, Utc};
use ring::rand::{SecureRandom as _, SystemRandom};
use uuid::Uuid;

use crate::domain::clock::{Clock, Instant, Rng};

/// Longest sleep in one piece: after it the clock is read again, which somebody may have set.
const NAP: Duration = Duration::from_secs(10);

/// The clock of the operating system, corrected by what the database's differs from it. Clones
/// share the correction.
#[derive(Debug, Clone, Default)]
pub struct SystemClock {
    /// Milliseconds.
    correction: Arc<AtomicI64>,
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the place that hands the time in")]
    fn now(&self) -> Instant {
        let now = Utc::now().trunc_subsecs(3);
        let correction = TimeDelta::milliseconds(self.correction.load(Ordering::Relaxed));
        now.checked_add_signed(correction).unwrap_or(now)
    }

    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(sleep_until(self.clone(), at))
    }

    fn correct(&self, by: TimeDelta) {
        self.correction.fetch_add(by.num_milliseconds(), Ordering::Relaxed);
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place that hands the waiting in")]
async fn sleep_until(clock: SystemClock, at: Instant) {
    // What is not positive does not convert: the instant is reached.
    while let Some(left) = (at - clock.now()).to_std().ok().filter(|left| !left.is_zero()) {
        tokio::time::sleep(left.min(NAP)).await;
    }
}

/// The random source of the operating system. Ids that it makes for one millisecond count up, so
/// that what is made in one go keeps its order.
#[derive(Debug)]
pub struct SystemRng {
    source: SystemRandom,
    /// The millisecond of the last id, and its counter.
    last: Mutex<(i64, u16)>,
}

/// Highest value of the counter: 12 bits, the whole of `rand_a`.
const MAX_COUNT: u16 = 0x0fff;

impl Default for SystemRng {
    fn default() -> Self {
        Self { source: SystemRandom::new(), last: Mutex::new((i64::MIN, 0)) }
    }
}

impl SystemRng {
    /// The source.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next count within this millisecond; it begins anywhere in the lower half.
    fn count(&self, millis: i64, random: u16) -> u16 {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = last.0 != millis || last.1 == MAX_COUNT;
        *last = (millis, if fresh { random & (MAX_COUNT >> 1) } else { last.1 + 1 });
        last.1
    }
}

impl Rng for SystemRng {
    #[expect(clippy::expect_used, reason = "keys and tokens without randomness would be worse than a crash")]
    fn fill(&self, bytes: &mut [u8]) {
        self.source.fill(bytes).expect("the operating system gives random numbers");
    }

    /// A UUIDv7 whose `rand_a` counts (RFC 9562, section 6.2, method 1).
    fn uuid(&self, at: Instant) -> Uuid {
        let mut bytes = [0; 10];
        self.fill(&mut bytes);
        let count = self.count(at.timestamp_millis(), u16::from_be_bytes([bytes[0], bytes[1]]));
        bytes[..2].copy_from_slice(&count.to_be_bytes());
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_instant_that_is_past_or_near_is_reached() {
        let clock = SystemClock::default();
        let near = clock.now() + TimeDelta::milliseconds(2);
        for at in [clock.now() - TimeDelta::days(1), clock.now(), near] {
            clock.sleep_until(at).await;
            assert!(clock.now() >= at);
        }
        assert_eq!(near.timestamp_subsec_nanos() % 1_000_000, 0);
    }

    #[test]
    fn a_correction_counts_for_all_who_have_the_clock() {
        let clock = SystemClock::default();
        let before = clock.now();
        clock.clone().correct(TimeDelta::hours(1));
        clock.correct(TimeDelta::minutes(-20));
        let gone = clock.now() - before;
        assert!(gone >= TimeDelta::minutes(40) && gone < TimeDelta::minutes(59), "{gone}");
    }

    #[test]
    fn ids_of_one_millisecond_keep_their_order() {
        let (rng, at) = (SystemRng::default(), SystemClock::default().now());
        let ids: Vec<_> = (0..1000).map(|_| rng.uuid(at)).collect();
        assert!(ids.is_sorted() && ids.iter().all(|id| id.get_version_num() == 7));
        let later: Vec<_> = (0..1000).map(|_| rng.uuid(at + TimeDelta::milliseconds(1))).collect();
        assert!(later.is_sorted() && ids.last() < later.first());
    }

    #[test]
    fn no_two_draws_are_equal() {
        let (mut a, mut b) = ([0; 32], [0; 32]);
        SystemRng::default().fill(&mut a);
        SystemRng::new().fill(&mut b);
        assert!(a != b && a != [0; 32]);
    }
}
