//! An answer in the cache? Else one call for all runs that want the same now.
//!
//! Only fields with a `cache_duration` look, store and share; the others always ask. A run that
//! is answered here makes no exchange of its own. When the call that it waits for fails, it fails
//! with it, and keeps its own retries; how long it waits is its own field's `timeout`. Mapping comes later and is each run's own, so an answer
//! that does not fit one field still serves the others.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;

use super::answer_cache::Kept;
use super::ask::{Fetched, ask};
use super::cache_key::{self, CacheKey};
use super::context::{Engine, Stop, Trace};
use super::prepare::Prepared;
use super::render::Rendered;
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::ids::RunId;
use crate::metrics::CacheOutcome;
use crate::store::{ClaimedRun, PurgeScope};

/// Why a shared call gave nothing.
#[derive(Debug)]
struct Missed {
    stop: Stop,
    /// The run that made the call.
    by: RunId,
    /// For how long that run's field waits for an answer.
    timeout_ms: u64,
}

impl Missed {
    /// The call was given up, and a field that waits for so long would not have done so yet.
    fn gave_up_before(&self, timeout_ms: u64) -> bool {
        let timed_out = matches!(&self.stop, Stop::Failed(failure) if failure.code == FailureCode::Timeout);
        timed_out && self.timeout_ms < timeout_ms
    }
}

/// The answer to a request, from the cache or from the provider.
pub(super) async fn answer(
    engine: &Engine,
    run: &ClaimedRun,
    prepared: &Prepared,
    request: Rendered,
    trace: &mut Trace,
) -> Result<Arc<Fetched>, Stop> {
    let seconds = prepared.cache_seconds();
    if seconds == 0 {
        return ask(engine, run, prepared, request, trace).await.map(Arc::new);
    }
    let key = key(engine, run, prepared, &request).await?;
    if run.force {
        engine.metrics.cache(CacheOutcome::Forced);
        let fetched = Arc::new(ask(engine, run, prepared, request, trace).await?);
        engine.cache.keep(key, Kept::new(fetched.clone(), seconds)).await;
        return Ok(fetched);
    }
    if let Some(fetched) = engine.cache.find(&key, engine.clock.now(), seconds).await {
        engine.metrics.cache(CacheOutcome::Hit);
        trace.cached_from = Some(fetched.by);
        return Ok(fetched);
    }
    share(engine, key, run, prepared, request, trace).await
}

/// Makes the call, or waits for the one that another run is making. A call that was given up
/// sooner than this field would have done says nothing about it, so it asks again.
async fn share(
    engine: &Engine,
    key: CacheKey,
    run: &ClaimedRun,
    prepared: &Prepared,
    request: Rendered,
    trace: &mut Trace,
) -> Result<Arc<Fetched>, Stop> {
    let timeout_ms = prepared.timeout_ms();
    loop {
        let own = AtomicBool::new(false);
        let flight = async {
            own.store(true, Ordering::Relaxed);
            match ask(engine, run, prepared, request.clone(), trace).await {
                Ok(fetched) => Ok(Kept::new(Arc::new(fetched), prepared.cache_seconds())),
                Err(stop) => Err(Missed { stop, by: run.id, timeout_ms }),
            }
        };
        let shared = tokio::select! {
            shared = engine.cache.fly(key, flight) => Some(shared),
            () = patience(engine, timeout_ms, &own) => None,
        };
        let own = own.into_inner();
        if !own && matches!(&shared, Some(Err(missed)) if missed.gave_up_before(timeout_ms)) {
            continue;
        }
        engine.metrics.cache(if own { CacheOutcome::Miss } else { CacheOutcome::Shared });
        return match shared {
            Some(Ok(fetched)) => {
                trace.cached_from = (!own).then_some(fetched.by);
                Ok(fetched)
            }
            Some(Err(missed)) if own => Err(missed.stop.clone()),
            Some(Err(missed)) => Err(followed(&missed, trace)),
            None => Err(waited_in_vain(timeout_ms, trace)),
        };
    }
}

/// Over when a run has waited for the call of another as long as its field waits for an answer;
/// never for the run that makes the call, which has a deadline of its own.
async fn patience(engine: &Engine, timeout_ms: u64, own: &AtomicBool) {
    let wait = TimeDelta::milliseconds(i64::try_from(timeout_ms).unwrap_or(i64::MAX));
    engine.clock.sleep_until(engine.clock.now() + wait).await;
    if own.load(Ordering::Relaxed) {
        pending::<()>().await;
    }
}

/// Where the answer to this request is kept, as long as nobody purges it.
async fn key(
    engine: &Engine,
    run: &ClaimedRun,
    prepared: &Prepared,
    request: &Rendered,
) -> Result<CacheKey, Stop> {
    let mut scopes = vec![
        PurgeScope::Workspace,
        PurgeScope::CaseType(run.case_type_id),
        PurgeScope::Field(run.case_type_id, run.field.clone()),
    ];
    scopes.extend(prepared.plan_of_connection().map(|plan| PurgeScope::Connection(plan.id())));
    let epoch = engine.store.read().await?.purge_epoch(run.workspace, &scopes).await?;
    cache_key::of(engine.cache.secret(), run.workspace, epoch, prepared, request)
}

/// What the failure of a shared call means for a run that only waited for it: it sent nothing.
fn followed(missed: &Missed, trace: &mut Trace) -> Stop {
    match missed.stop.clone() {
        Stop::Failed(failure) => {
            trace.followed = true;
            let detail = format!("{} (the call was made by the run {})", failure.detail, missed.by);
            Failure { detail, ..*failure }.into()
        }
        // That the other run was taken over says nothing about this one.
        Stop::Lost => Stop::Stopped,
        stop => stop,
    }
}

/// The other run's call goes on; this one's time is over.
fn waited_in_vain(timeout_ms: u64, trace: &mut Trace) -> Stop {
    trace.followed = true;
    let detail = format!("no complete answer within {timeout_ms} ms (to a call that another run is making)");
    Failure::new(FailureCode::Timeout, detail).retryable().into()
}
