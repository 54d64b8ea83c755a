//! The provider that keeps books: which business key came under which idempotency key.
//!
//! It is asked by POST with `{"key": "<what it is about>", "n": <number>}` and answers with
//! `{"value": n * 2}`. Some answers it holds back until the next beat, so that calls are out at
//! any moment, and if it is moody some fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::sync::watch;

use super::fleet::pause;
use crate::mixture::Dice;
use crate::upstream::{Call, Reply, Upstream, ok, status};

/// How long it holds answers back at most, in milliseconds of real time.
const BEAT: u64 = 40;

/// Idempotency keys by business key.
pub type Books = BTreeMap<String, BTreeSet<String>>;

/// The provider.
pub struct Ledger {
    pub upstream: Arc<Upstream>,
    books: Arc<watch::Sender<Books>>,
    beats: tokio::task::JoinSet<()>,
}

impl Ledger {
    /// One that answers each call in the end, some late and some by failing.
    pub async fn moody(seed: u64) -> Self {
        let dice = Mutex::new(Dice(seed));
        let mut ledger = Self::with(move |_, reply| match dice.lock().unwrap().roll(40) {
            0 => status(503),
            1 => Reply::reset(),
            2..12 => reply.held(),
            _ => reply,
        })
        .await;
        let upstream = ledger.upstream.clone();
        ledger.beats.spawn(async move {
            loop {
                pause(BEAT).await;
                upstream.release();
            }
        });
        ledger
    }

    /// One whose answers are bent by the closure.
    pub async fn with(bend: impl Fn(&Call, Reply) -> Reply + Send + Sync + 'static) -> Self {
        let upstream = Arc::new(Upstream::start().await);
        let books = Arc::new(watch::Sender::new(Books::new()));
        let kept = books.clone();
        upstream.otherwise_with(move |call| {
            let asked = call.json();
            let key = call.header("idempotency-key").unwrap_or("none").to_owned();
            let about = asked["key"].as_str().unwrap().to_owned();
            kept.send_if_modified(|books| books.entry(about).or_default().insert(key));
            bend(call, ok(json!({"value": asked["n"].as_i64().unwrap() * 2})))
        });
        Self { upstream, books, beats: tokio::task::JoinSet::new() }
    }

    /// What it has seen so far.
    pub fn books(&self) -> Books {
        self.books.borrow().clone()
    }

    /// How many things it was asked about so far.
    pub fn size(&self) -> usize {
        self.books.borrow().len()
    }

    /// Waits until it was asked about so many.
    pub async fn grown_to(&self, size: usize) {
        self.books.subscribe().wait_for(|books| books.len() >= size).await.unwrap();
    }
}
