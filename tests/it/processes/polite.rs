//! SIGTERM with calls out: they are waited for or handed back, and the process ends well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::crowd;
use super::fleet::Fleet;
use super::ledger::Ledger;
use crate::upstream::Reply;

const CASES: usize = 40;

/// What the provider does until the process has gone.
#[derive(Clone, Copy, PartialEq)]
enum Meanwhile {
    Late,
    Never,
}

/// Stops the process while a call for each case is out; answers how often the provider was asked
/// for field `a` in all, after another process has done the rest.
async fn stopped_politely(meanwhile: Meanwhile, drain_seconds: &str) -> usize {
    let first = Arc::new(AtomicBool::new(true));
    let before = first.clone();
    let ledger = Ledger::with(move |_, reply| match meanwhile {
        _ if !before.load(Ordering::SeqCst) => reply,
        Meanwhile::Late => reply.held(),
        Meanwhile::Never => Reply::never(),
    })
    .await;
    let (launch, folder) = Fleet::launch(&ledger.upstream.authority(), None);
    let launch = launch.with("SERVER__DRAIN_SECONDS", drain_seconds);
    let mut fleet = Fleet::of(1, launch, folder).await;
    let doors = fleet.doors();
    crowd::define(&doors, &ledger.upstream.url("/post")).await;
    let mut cases = Vec::new();
    for n in 0..CASES {
        cases.push((n, crowd::create(&doors, n).await));
    }
    ledger.upstream.wait_for_calls(CASES).await;
    first.store(false, Ordering::SeqCst);
    fleet.members()[0].signal("TERM");
    fleet.members()[0].logged("stopping", 1).await;
    ledger.upstream.release();
    assert!(fleet.ended(0).await, "the process says that it failed");
    fleet.add().await;
    crowd::check(&doors, cases, || ledger.books()).await;
    let calls = ledger.upstream.calls();
    calls.iter().filter(|call| call.json()["key"].as_str().unwrap().ends_with("/a")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_a_polite_stop_waits_for_calls() {
    assert_eq!(stopped_politely(Meanwhile::Late, "300").await, CASES);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_a_polite_stop_hands_back_what_hangs() {
    assert_eq!(stopped_politely(Meanwhile::Never, "0").await, 2 * CASES);
}
