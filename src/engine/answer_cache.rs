//! Answers kept in the memory of this process, and calls that several runs wait for.
//!
//! Two clocks decide how long an answer is kept: ours says whether it may still be used, the
//! library's own when its memory is given back. Within `cache.max_bytes` the library keeps what
//! is wanted most; an answer larger than that serves those who wait for it and is forgotten.

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use moka::Expiry;
use moka::future::Cache;
use moka::ops::compute::Op;
use ring::hmac;
use serde_json::{Map, Value};

use super::ask::Fetched;
use super::cache_key::CacheKey;
use crate::domain::answer::{Answer, Body};
use crate::domain::clock::{Instant, Rng};

/// Bytes that an entry takes beside its answer, roughly: the key and the library's own notes.
const OVERHEAD: usize = 512;

/// An answer in the cache.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    fetched: Arc<Fetched>,
    /// For how long the field that stored it wants it.
    seconds: u64,
    /// In memory, estimated.
    bytes: u32,
}

impl Kept {
    /// To be kept for so many seconds.
    pub(super) fn new(fetched: Arc<Fetched>, seconds: u64) -> Self {
        let bytes = u32::try_from(OVERHEAD + memory_of(&fetched.answer)).unwrap_or(u32::MAX);
        Self { fetched, seconds, bytes }
    }

    /// Fresh for those who store it and for those who ask for it.
    fn is_fresh(&self, now: Instant, seconds: u64) -> bool {
        let seconds = i64::try_from(seconds.min(self.seconds)).unwrap_or(i64::MAX);
        let age = TimeDelta::try_seconds(seconds).unwrap_or(TimeDelta::MAX);
        now.signed_duration_since(self.fetched.at) < age
    }
}

/// The cache of one process.
pub(super) struct AnswerCache {
    kept: Cache<CacheKey, Kept>,
    max_bytes: u64,
    secret: hmac::Key,
}

/// The library forgets an entry when the field that stored it no longer wants it.
struct Lifetime;

impl Expiry<CacheKey, Kept> for Lifetime {
    fn expire_after_create(&self, _: &CacheKey, kept: &Kept, _: std::time::Instant) -> Option<Duration> {
        Some(Duration::from_secs(kept.seconds))
    }

    fn expire_after_update(
        &self,
        _: &CacheKey,
        kept: &Kept,
        _: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(Duration::from_secs(kept.seconds))
    }
}

impl AnswerCache {
    /// An empty cache of at most so many bytes.
    pub(super) fn new(max_bytes: u64, rng: &dyn Rng) -> Self {
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        let kept = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|_, kept: &Kept| kept.bytes)
            .expire_after(Lifetime)
            .build();
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        Self { kept, max_bytes, secret }
    }

    /// What keys are made with.
    pub(super) const fn secret(&self) -> &hmac::Key {
        &self.secret
    }

    /// The answer, when it is there and fresh for a field that takes one of so many seconds.
    pub(super) async fn find(&self, key: &CacheKey, now: Instant, seconds: u64) -> Option<Arc<Fetched>> {
        let kept = self.kept.get(key).await?;
        if kept.is_fresh(now, seconds) {
            return Some(kept.fetched);
        }
        self.forget(*key, &kept).await;
        None
    }

    /// Puts an answer in the place of what is there.
    pub(super) async fn keep(&self, key: CacheKey, kept: Kept) {
        if self.fits(&kept) {
            self.kept.insert(key, kept).await;
        }
    }

    /// The one call for all who want this answer now; only one of them runs its `flight`. A
    /// failure goes to all of them and is not kept. When the task of the one that flies ends
    /// before its call does, another one takes over.
    pub(super) async fn fly<E: Send + Sync + 'static>(
        &self,
        key: CacheKey,
        flight: impl Future<Output = Result<Kept, E>> + Send,
    ) -> Result<Arc<Fetched>, Arc<E>> {
        let kept = self.kept.try_get_with(key, flight).await?;
        if !self.fits(&kept) {
            self.forget(key, &kept).await;
        }
        Ok(kept.fetched)
    }

    fn fits(&self, kept: &Kept) -> bool {
        u64::from(kept.bytes) <= self.max_bytes
    }

    /// Removes this very answer, not one that has taken its place meanwhile.
    async fn forget(&self, key: CacheKey, known: &Kept) {
        self.kept
            .entry(key)
            .and_compute_with(|entry| {
                let same = entry.is_some_and(|entry| Arc::ptr_eq(&entry.value().fetched, &known.fetched));
                ready(if same { Op::Remove } else { Op::Nop })
            })
            .await;
    }
}

/// Bytes that an answer takes in memory, roughly: parsed JSON takes more than its text.
fn memory_of(answer: &Answer) -> usize {
    let body = match &answer.body {
        Body::Json(value) => memory_of_value(value),
        Body::Text(text) => text.len(),
        Body::None => 0,
    };
    let text = answer.text.as_ref().map_or(0, String::len);
    body + text + memory_of_members(&answer.headers)
}

fn memory_of_value(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(memory_of_value).sum(),
            Value::Object(members) => memory_of_members(members),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

fn memory_of_members(members: &Map<String, Value>) -> usize {
    // A name, its hash and its place in the index.
    let entry = size_of::<String>() + 2 * size_of::<u64>();
    members.iter().map(|(name, value)| entry + name.len() + memory_of_value(value)).sum()
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use chrono::DateTime;
    use futures_util::FutureExt as _;
    use futures_util::future::{join, join_all, join3};
    use serde_json::json;
    use tokio::sync::Notify;
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::RunId;

    struct Dice;

    impl Rng for Dice {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    const KEY: CacheKey = CacheKey::of_test(1);

    fn at(second: i64) -> Instant {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    /// An answer of this many characters, fetched at second 100.
    fn kept(characters: usize, seconds: u64) -> Kept {
        let body = Body::Json(Arc::new(json!("x".repeat(characters))));
        let answer = Answer { status: 200, headers: Map::new(), body, text: None };
        Kept::new(Arc::new(Fetched { answer, at: at(100), by: RunId(Uuid::nil()) }), seconds)
    }

    #[test]
    fn an_answer_is_fresh_for_the_shorter_of_two_times() {
        for (stored, wanted, now, fresh) in [
            (10, 10, 100, true),
            (10, 10, 109, true),
            (10, 10, 110, false),
            (10, 3600, 110, false),
            (3600, 10, 110, false),
            (u64::MAX, u64::MAX, 4_000_000_000, true),
            (10, 10, 90, true),
        ] {
            assert_eq!(kept(1, stored).is_fresh(at(now), wanted), fresh, "{stored} {wanted} {now}");
        }
    }

    #[tokio::test]
    async fn a_hundred_share_one_flight_and_its_failure() {
        for (fails, bytes) in [(false, 1 << 20), (true, 1 << 20), (false, 0), (true, 0)] {
            let cache = AnswerCache::new(bytes, &Dice);
            let (flights, land) = (AtomicUsize::new(0), Notify::new());
            let flight = || async {
                flights.fetch_add(1, Ordering::SeqCst);
                land.notified().await;
                if fails { Err("no answer") } else { Ok(kept(1, 10)) }
            };
            let waiting = join_all((0..100).map(|_| cache.fly(KEY, flight())));
            // The flights are polled in order, so all of them wait before the first may land.
            let (landed, ()) = join(waiting, async { land.notify_one() }).await;
            assert_eq!(flights.into_inner(), 1);
            assert!(landed.iter().all(|landed| landed.is_err() == fails));
            let is_kept = cache.find(&KEY, at(100), 10).await.is_some();
            assert_eq!(is_kept, !fails && bytes > 0, "a failure is not kept");
        }
    }

    #[tokio::test]
    async fn another_takes_over_when_the_one_that_flies_is_gone() {
        let cache = AnswerCache::new(1 << 20, &Dice);
        let begun = Notify::new();
        let stuck = async {
            begun.notify_one();
            std::future::pending::<Result<Kept, &str>>().await
        };
        let mut stuck = Box::pin(cache.fly(KEY, stuck));
        tokio::select! {
            biased;
            _ = &mut stuck => unreachable!("it never lands"),
            () = begun.notified() => {}
        }
        let waiting = cache.fly(KEY, async { Ok::<_, &str>(kept(1, 10)) });
        let (landed, ()) = join(waiting, async { drop(stuck) }).await;
        assert!(landed.is_ok());
    }

    #[tokio::test]
    async fn another_takes_over_when_the_one_that_flies_has_a_bug() {
        let cache = AnswerCache::new(1 << 20, &Dice);
        let crash = Notify::new();
        let flight = async {
            crash.notified().await;
            panic!("a bug");
        };
        let flying = AssertUnwindSafe(cache.fly::<&str>(KEY, flight)).catch_unwind();
        let waiting = cache.fly(KEY, async { Ok::<_, &str>(kept(1, 10)) });
        let (crashed, landed, ()) = join3(flying, waiting, async { crash.notify_one() }).await;
        assert!(crashed.is_err() && landed.is_ok());
    }

    #[tokio::test]
    async fn what_is_too_large_lands_and_is_not_kept() {
        let cache = AnswerCache::new(2_000, &Dice);
        let landed = cache.fly(KEY, async { Ok::<_, &str>(kept(2_000, 10)) }).await;
        assert!(landed.is_ok() && cache.find(&KEY, at(100), 10).await.is_none());
        cache.keep(KEY, kept(2_000, 10)).await;
        assert!(cache.find(&KEY, at(100), 10).await.is_none());
        cache.keep(KEY, kept(1_000, 10)).await;
        assert!(cache.find(&KEY, at(100), 10).await.is_some());
    }

    #[tokio::test]
    async fn a_stale_answer_makes_room_and_a_newer_one_stays() {
        let cache = AnswerCache::new(1 << 20, &Dice);
        let (old, new) = (kept(1, 10), kept(2, 10));
        cache.keep(KEY, old.clone()).await;
        assert!(cache.find(&KEY, at(110), 10).await.is_none());
        cache.keep(KEY, new.clone()).await;
        cache.forget(KEY, &old).await;
        assert!(Arc::ptr_eq(&cache.find(&KEY, at(100), 10).await.unwrap(), &new.fetched));
    }

    #[tokio::test]
    async fn memory_stays_within_the_limit() {
        let cache = AnswerCache::new(100_000, &Dice);
        for n in 0..=255 {
            cache.keep(CacheKey::of_test(n), kept(5_000, 10)).await;
        }
        cache.kept.run_pending_tasks().await;
        assert!((50_000..=100_000).contains(&cache.kept.weighted_size()), "{}", cache.kept.weighted_size());
    }

    #[test]
    fn an_answer_weighs_at_least_its_text() {
        let value = json!({"a": ["texts", {"b": 1, "c": null}], "name": "x".repeat(1_000)});
        let length = value.to_string().len();
        let headers = Map::from_iter([("etag".to_owned(), json!("abc"))]);
        let body = Body::Json(Arc::new(value));
        let answer = Answer { status: 200, headers, body, text: Some("y".repeat(100)) };
        assert!(memory_of(&answer) > length + 100 + 7);
    }
}
