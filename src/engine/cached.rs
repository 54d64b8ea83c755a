//! An answer in the cache? Else one call for all runs that want the same now.
//!
//! Only fields with a `cache_duration` look, store and share; the others always ask. A run that
//! is answered here makes no exchange of its own. When the call that it waits for fails, it fails
//! with it, and keeps its own retries. Mapping comes later and is each run's own, so an answer
//! that does not fit one field still serves the others.

use std::sync::Arc;

use super::answer_cache::Kept;
use super::ask::{Fetched, ask};
use super::cache_key::{self, CacheKey};
use super::context::{Engine, Stop, Trace};
use super::prepare::Prepared;
use super::render::Rendered;
use crate::domain::failure::Failure;
use crate::domain::ids::RunId;
use crate::metrics::CacheOutcome;
use crate::store::{ClaimedRun, PurgeScope};

/// Why a shared call gave nothing.
#[derive(Debug)]
struct Missed {
    stop: Stop,
    /// The run that made the call.
    by: RunId,
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

/// Makes the call, or waits for the one that another run is making.
async fn share(
    engine: &Engine,
    key: CacheKey,
    run: &ClaimedRun,
    prepared: &Prepared,
    request: Rendered,
    trace: &mut Trace,
) -> Result<Arc<Fetched>, Stop> {
    let mut own = false;
    let flight = async {
        own = true;
        match ask(engine, run, prepared, request, trace).await {
            Ok(fetched) => Ok(Kept::new(Arc::new(fetched), prepared.cache_seconds())),
            Err(stop) => Err(Missed { stop, by: run.id }),
        }
    };
    let shared = engine.cache.fly(key, flight).await;
    engine.metrics.cache(if own { CacheOutcome::Miss } else { CacheOutcome::Shared });
    match shared {
        Ok(fetched) => {
            trace.cached_from = (!own).then_some(fetched.by);
            Ok(fetched)
        }
        Err(missed) if own => Err(missed.stop.clone()),
        Err(missed) => Err(followed(&missed, trace)),
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
