//! The order of the steps, and nothing else.

use std::sync::Arc;

use super::context::{Engine, EngineError, Stop, Trace};
use super::{authorize, judge, map, prepare, record, render, send};
use crate::store::{CaseEffect, ClaimedRun};

/// One attempt of one run.
pub(super) async fn attempt(engine: &Engine, run: ClaimedRun) -> Result<(), EngineError> {
    let mut trace = Trace::default();
    let outcome = call(engine, &run, &mut trace).await;
    record::record(engine, run, trace, outcome).await
}

async fn call(engine: &Engine, run: &ClaimedRun, trace: &mut Trace) -> Result<CaseEffect, Stop> {
    let prepared = Arc::new(prepare::prepare(engine, run).await?);
    let request = render::render(&prepared, trace)?;
    let signed = authorize::authorize(&prepared, request, trace)?;
    let answer = send::send(engine, &prepared, signed, trace).await?;
    judge::judge(&prepared, &answer)?;
    map::map(engine, run, &prepared, answer, trace).await
}
