//! Tokens in the memory of this process, and fetches that several runs wait for.
//!
//! Our clock says whether a token is good. One that is not is never handed out, but to those who have
//! waited for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use moka::future::Cache;
use moka::ops::compute::Op;

use super::context::Stop;
use crate::domain::clock::Instant;
use crate::service::{ProviderToken, TokenPlace};

/// Tokens in memory.
const MOST: u64 = 10_000;
/// A token is renewed when so much of its life is left, or a tenth of it, whichever is less.
const MARGIN: TimeDelta = TimeDelta::seconds(60);
/// After somebody has begun to renew a token, the next one tries so much later.
const AGAIN: TimeDelta = TimeDelta::seconds(10);

/// A token in use.
pub(super) struct HeldToken {
    /// The token.
    pub(super) token: ProviderToken,
    /// Not to be used by anybody who comes later.
    pub(super) once: bool,
    /// When somebody renews it, in milliseconds since 1970.
    renewed_from: AtomicI64,
}

impl HeldToken {
    /// A token from now on.
    pub(super) fn new(token: ProviderToken, once: bool) -> Self {
        let life = token.expires_at - token.fetched_at;
        let from = token.expires_at - MARGIN.min(life / 10);
        Self { token, once, renewed_from: AtomicI64::new(from.timestamp_millis()) }
    }

    /// The token itself.
    pub(super) fn expose(&self) -> &str {
        self.token.text.expose()
    }

    fn is_good(&self, now: Instant) -> bool {
        !self.once && now < self.token.expires_at
    }

    /// Whether whoever asks is the one who renews it.
    pub(super) fn takes_renewal(&self, now: Instant) -> bool {
        let (now, from) = (now.timestamp_millis(), self.renewed_from.load(Ordering::Relaxed));
        let next = now + AGAIN.num_milliseconds();
        from <= now
            && self.renewed_from.compare_exchange(from, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// The tokens of this process.
pub(super) struct Tokens(Cache<TokenPlace, Arc<HeldToken>>);

impl Default for Tokens {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_live(Duration::from_hours(24)).build())
    }
}

impl Tokens {
    /// The token, when it is there and good.
    pub(super) async fn find(&self, place: TokenPlace, now: Instant) -> Option<Arc<HeldToken>> {
        let held = self.0.get(&place).await?;
        if held.is_good(now) {
            return Some(held);
        }
        self.forget(place, &held).await;
        None
    }

    /// Puts a token in the place of what is there.
    pub(super) async fn keep(&self, place: TokenPlace, held: Arc<HeldToken>) {
        self.0.insert(place, held).await;
    }

    /// The one fetch for all who want this token now; only one of them runs its `flight`. A failure
    /// goes to all of them. When the one that flies is gone before it lands, another takes over.
    pub(super) async fn fly(
        &self,
        place: TokenPlace,
        flight: impl Future<Output = Result<Arc<HeldToken>, Stop>> + Send,
    ) -> Result<Arc<HeldToken>, Arc<Stop>> {
        self.0.try_get_with(place, flight).await
    }

    /// Removes this very token, not one that has taken its place meanwhile.
    pub(super) async fn forget(&self, place: TokenPlace, known: &Arc<HeldToken>) {
        let same = |entry: Option<moka::Entry<TokenPlace, Arc<HeldToken>>>| {
            let same = entry.is_some_and(|entry| Arc::ptr_eq(entry.value(), known));
            std::future::ready(if same { Op::Remove } else { Op::Nop })
        };
        self.0.entry(place).and_compute_with(same).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::SecretText;

    fn at(second: i64) -> Instant {
        Instant::from_timestamp(second, 0).unwrap()
    }

    fn held(life: i64, once: bool) -> HeldToken {
        let text = SecretText::from("t".to_owned());
        HeldToken::new(ProviderToken { text, version: 1, fetched_at: at(0), expires_at: at(life) }, once)
    }

    #[test]
    fn one_renews_it_when_little_of_its_life_is_left() {
        for (life, early, due) in [(3600, 3539, 3540), (600, 539, 540), (100, 89, 90), (10, 8, 9)] {
            let token = held(life, false);
            assert!(!token.takes_renewal(at(early)), "{life}");
            assert!(token.takes_renewal(at(due)) && !token.takes_renewal(at(due)), "{life}");
            assert!(!token.takes_renewal(at(due + 9)) && token.takes_renewal(at(due + 10)), "{life}");
        }
    }

    #[test]
    fn it_is_good_to_its_end_and_once_not_at_all() {
        assert!(held(10, false).is_good(at(9)) && !held(10, false).is_good(at(10)));
        assert!(!held(10, true).is_good(at(0)));
    }
}
