//! The order of the steps, and nothing else.

use std::sync::Arc;

use super::context::{Engine, EngineError, Stop, Trace};
use super::{authorize, judge, map, prepare, record, seal, send};
use crate::store::{CaseEffect, ClaimedRun};

/// One attempt of one run.
pub(super) async fn attempt(engine: &Engine, run: ClaimedRun) -> Result<(), EngineError> {
    let mut trace = Trace::default();
    let outcome = call(engine, &run, &mut trace).await;
    record::record(engine, run, trace, outcome).await
}

async fn call(engine: &Engine, run: &ClaimedRun, trace: &mut Trace) -> Result<CaseEffect, Stop> {
    let mut prepared = prepare::prepare(engine, run).await?;
    let request = seal::render(engine, run, &mut prepared, trace).await?;
    let signed = authorize::authorize(&prepared, request, trace)?;
    seal::keep(engine, run, &prepared, trace).await?;
    let prepared = Arc::new(prepared);
    let answer = send::send(engine, &prepared, signed, trace).await?;
    judge::judge(&prepared, &answer)?;
    map::map(engine, run, &prepared, answer, trace).await
}
