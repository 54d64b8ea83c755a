//! The life of a token: from memory, from the row that all processes share, or from its endpoint.
//!
//! Of all runs that want the same token one fetches it, on all processes. Within a process they wait
//! for the one that does; another process waits for the row. Nobody waits longer than his attempt
//! lasts. A token is renewed a little before its end, by one, while the others still use it; when
//! that fails, it is good enough to its end. The call for a token asks the lane and counts for it like
//! any other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use tokio::pin;

use super::context::{Deadline, Engine, Stop, Trace};
use super::held_tokens::HeldToken;
use super::wanted::Wanted;
use super::{admit, token_fetch};
use crate::domain::auth::{Lifetime, TokenAnswer};
use crate::domain::clock::Instant;
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::secret::SecretText;
use crate::service::ProviderToken;
use crate::store::ClaimedRun;

/// How often a row is looked at that another process holds.
const POLL: TimeDelta = TimeDelta::milliseconds(250);
/// How often a token is asked for in the place of a refused one: this process may hold an old one, too,
/// and the clock of who fetched the next one may be behind ours.
const TRIES: usize = 3;
/// How often the hold of a row is made longer.
const RENEW_HOLD: TimeDelta = TimeDelta::seconds(5);

/// A good token.
pub(super) async fn token(
    engine: &Engine,
    run: &ClaimedRun,
    wanted: &Wanted<'_>,
    deadline: &Deadline,
    trace: &mut Trace,
) -> Result<Arc<HeldToken>, Stop> {
    loop {
        if let Some(held) = engine.tokens.find(wanted.place, engine.clock.now()).await {
            return Ok(in_time(engine, run, wanted, held, deadline, trace).await);
        }
        let own = AtomicBool::new(false);
        let flight = async {
            own.store(true, Ordering::Relaxed);
            acquire(engine, run, wanted, deadline, trace).await
        };
        let shared = tokio::select! {
            shared = engine.tokens.fly(wanted.place, flight) => shared,
            () = patience(engine, deadline, &own) => return Err(in_vain(wanted, trace)),
        };
        match (shared, own.into_inner()) {
            (Ok(held), _) => {
                if held.once {
                    engine.tokens.forget(wanted.place, &held).await;
                }
                return Ok(held);
            }
            (Err(stop), true) => return Err((*stop).clone()),
            (Err(stop), false) if matches!(*stop, Stop::Failed(_)) => {
                trace.followed = true;
                return Err((*stop).clone());
            }
            // What kept the other run from asking says nothing about this one.
            (Err(_), false) => {}
        }
    }
}

/// The provider does not accept the token with a request that left at `sent`: another one. One that
/// was had before that is none, even if another process fetched it: it may have been taken back with
/// the one that was sent.
pub(super) async fn another(
    engine: &Engine,
    run: &ClaimedRun,
    wanted: &Wanted<'_>,
    (refused, sent): (&Arc<HeldToken>, Instant),
    deadline: &Deadline,
    trace: &mut Trace,
) -> Result<Arc<HeldToken>, Stop> {
    let mut known = refused.clone();
    for _ in 0..TRIES {
        engine.tokens.forget(wanted.place, &known).await;
        if !known.once {
            engine.provider_tokens.spoil(wanted.place, known.token.version, sent).await?;
        }
        known = token(engine, run, wanted, deadline, trace).await?;
        if known.token.fetched_at >= sent {
            break;
        }
    }
    Ok(known)
}

/// Over when the time of the attempt is; never for the one that fetches, whose call ends by itself.
async fn patience(engine: &Engine, deadline: &Deadline, own: &AtomicBool) {
    deadline.over(engine).await;
    if own.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

fn in_vain(wanted: &Wanted<'_>, trace: &mut Trace) -> Stop {
    trace.followed = true;
    let detail = format!("no token from {} in time: another run is asking for it", wanted.endpoint());
    Failure::new(FailureCode::AuthFailed, detail).retryable().into()
}

/// Renews a token whose end is near; whoever does not do it himself goes on with it.
async fn in_time(
    engine: &Engine,
    run: &ClaimedRun,
    wanted: &Wanted<'_>,
    held: Arc<HeldToken>,
    deadline: &Deadline,
    trace: &mut Trace,
) -> Arc<HeldToken> {
    let now = engine.clock.now();
    if !held.takes_renewal(now) {
        return held;
    }
    // Some of the time is left for the call itself.
    let half = deadline.half(now);
    match renew(engine, run, wanted, &held, &half, trace).await {
        Ok(Some(new)) => {
            engine.tokens.keep(wanted.place, new.clone()).await;
            new
        }
        Ok(None) => held,
        Err(_) => {
            tracing::debug!("a token could not be renewed before its end");
            held
        }
    }
}

/// The next token; none: another process fetches it.
async fn renew(
    engine: &Engine,
    run: &ClaimedRun,
    wanted: &Wanted<'_>,
    held: &HeldToken,
    deadline: &Deadline,
    trace: &mut Trace,
) -> Result<Option<Arc<HeldToken>>, Stop> {
    let found = engine.provider_tokens.find(wanted.place).await?;
    let newer = |token: &ProviderToken| token.expires_at > held.token.expires_at;
    if let Some(token) = found.token.filter(newer) {
        return Ok(Some(Arc::new(HeldToken::new(token, false))));
    }
    if !engine.provider_tokens.hold(wanted.place, found.version, engine.worker).await? {
        return Ok(None);
    }
    let new = fetch(engine, run, wanted, found.version, deadline, trace).await?;
    Ok(Some(new).filter(|new| !new.once))
}

/// A token where this process has none: from the row, or from the endpoint by who holds the row.
async fn acquire(
    engine: &Engine,
    run: &ClaimedRun,
    wanted: &Wanted<'_>,
    deadline: &Deadline,
    trace: &mut Trace,
) -> Result<Arc<HeldToken>, Stop> {
    let mut changes = engine.store.signals().queued();
    loop {
        changes.borrow_and_update();
        let found = engine.provider_tokens.find(wanted.place).await?;
        let now = engine.clock.now();
        if let Some(token) = found.token.filter(|token| now < token.expires_at) {
            return Ok(Arc::new(HeldToken::new(token, false)));
        }
        if engine.provider_tokens.hold(wanted.place, found.version, engine.worker).await? {
            return fetch(engine, run, wanted, found.version, deadline, trace).await;
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = engine.clock.sleep_until(now + POLL) => {}
            () = deadline.over(engine) => return Err(in_vain(wanted, trace)),
        }
    }
}

/// Fetches the token after `version` while this process holds the row, and lets go of it.
async fn fetch(
    engine: &Engine,
    run: &ClaimedRun,
    wanted: &Wanted<'_>,
    version: i64,
    deadline: &Deadline,
    trace: &mut Trace,
) -> Result<Arc<HeldToken>, Stop> {
    let fetched =
        held_on(engine, wanted, version, Box::pin(call(engine, run, wanted, deadline, trace))).await;
    let (once, answer) = match fetched {
        Ok(answer) => (answer.lifetime == Lifetime::Once, answer),
        Err(stop) => {
            engine.provider_tokens.let_go(wanted.place, engine.worker).await;
            return Err(stop);
        }
    };
    let now = engine.clock.now();
    let expires_at = match answer.lifetime {
        Lifetime::Once => now,
        Lifetime::Until(end) => end,
    };
    let text = SecretText::from(answer.token);
    let token = ProviderToken { text, version: version + 1, fetched_at: now, expires_at };
    engine.provider_tokens.tell_logs(&token);
    let kept = !once && engine.provider_tokens.keep(wanted.place, engine.worker, &token).await;
    if !kept {
        engine.provider_tokens.let_go(wanted.place, engine.worker).await;
    }
    Ok(Arc::new(HeldToken::new(token, !kept)))
}

/// Keeps hold of the row for as long as `work` lasts.
async fn held_on<T>(engine: &Engine, wanted: &Wanted<'_>, version: i64, work: impl Future<Output = T>) -> T {
    pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = engine.clock.sleep_until(engine.clock.now() + RENEW_HOLD) => {}
        }
        if let Err(error) = engine.provider_tokens.hold(wanted.place, version, engine.worker).await {
            tracing::debug!(%error, "the row of a token could not be held on to");
        }
    }
}

/// The call itself, with a permit of the lane.
async fn call(
    engine: &Engine,
    run: &ClaimedRun,
    wanted: &Wanted<'_>,
    deadline: &Deadline,
    trace: &mut Trace,
) -> Result<TokenAnswer, Stop> {
    if trace.permit_used {
        admit::in_time(engine, run, Some(*deadline), trace).await?;
    } else {
        admit::admit(engine, run, trace).await?;
    }
    if engine.time_is_up.is_cancelled() {
        return Err(Stop::Stopped);
    }
    let asked = token_fetch::ask(engine, wanted, deadline).await;
    trace.calls.push(asked.call);
    if asked.outcome.is_err() && engine.time_is_up.is_cancelled() {
        return Err(Stop::Stopped);
    }
    trace.lane = asked.lane;
    trace.permit_used = asked.lane.is_some();
    Ok(asked.outcome?)
}
