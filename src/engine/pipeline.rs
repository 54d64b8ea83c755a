//! The order of the steps, and nothing else.

use std::sync::Arc;

use super::context::{Engine, EngineError, Stop, Trace};
use super::{cached, map, prepare, record, seal};
use crate::store::{CaseEffect, ClaimedRun};

/// One attempt of one run.
pub(super) async fn attempt(engine: &Engine, mut run: ClaimedRun) -> Result<(), EngineError> {
    let mut trace = Trace { permit: run.permit, ..Trace::default() };
    let outcome = call(engine, &run, &mut trace).await;
    // The run was queued under another version of its case type than the one that it now keeps.
    if let Some(attempts_max) = trace.attempts_max {
        run.attempts_max = attempts_max;
    }
    let answered = trace.connection.clone().filter(|_| outcome.is_ok());
    record::record(engine, run, trace, outcome).await?;
    if let Some(connection) = answered {
        engine.connections.proved(&connection).await;
    }
    Ok(())
}

async fn call(engine: &Engine, run: &ClaimedRun, trace: &mut Trace) -> Result<CaseEffect, Stop> {
    let mut prepared = prepare::prepare(engine, run).await?;
    trace.connection = prepared.plan_of_connection();
    trace.attempts_max = prepared.call().filter(|_| run.attempt == 1).map(|call| 1 + call.retry);
    let request = seal::render(engine, run, &mut prepared, trace).await?;
    let prepared = Arc::new(prepared);
    let fetched = cached::answer(engine, run, &prepared, request, trace).await?;
    map::map(run, &prepared, fetched, trace).await
}
