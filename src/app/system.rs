//! The real clock and the real dice. Tests have their own.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use chrono::{SubsecRound as _, Utc};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::domain::clock::{Clock, Instant, Rng};

/// Longest sleep in one piece: after it the clock is read again, which somebody may have set.
const NAP: Duration = Duration::from_secs(10);

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the place that hands the time in")]
    fn now(&self) -> Instant {
        Utc::now().trunc_subsecs(3)
    }

    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(sleep_until(*self, at))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place that hands the waiting in")]
async fn sleep_until(clock: SystemClock, at: Instant) {
    // What is not positive does not convert: the instant is reached.
    while let Some(left) = (at - clock.now()).to_std().ok().filter(|left| !left.is_zero()) {
        tokio::time::sleep(left.min(NAP)).await;
    }
}

/// The random source of the operating system.
#[derive(Debug, Clone)]
pub struct SystemRng(SystemRandom);

impl Default for SystemRng {
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

impl SystemRng {
    /// The source.
    pub fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Rng for SystemRng {
    #[expect(clippy::expect_used, reason = "keys and tokens without randomness would be worse than a crash")]
    fn fill(&self, bytes: &mut [u8]) {
        self.0.fill(bytes).expect("the operating system gives random numbers");
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[tokio::test]
    async fn an_instant_that_is_past_or_near_is_reached() {
        let clock = SystemClock;
        let near = clock.now() + TimeDelta::milliseconds(2);
        for at in [clock.now() - TimeDelta::days(1), clock.now(), near] {
            clock.sleep_until(at).await;
            assert!(clock.now() >= at);
        }
        assert_eq!(near.timestamp_subsec_nanos() % 1_000_000, 0);
    }

    #[test]
    fn no_two_draws_are_equal() {
        let (mut a, mut b) = ([0; 32], [0; 32]);
        SystemRng::default().fill(&mut a);
        SystemRng::new().fill(&mut b);
        assert!(a != b && a != [0; 32]);
    }
}
