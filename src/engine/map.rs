//! The answer into values: all targets or none.

use std::sync::Arc;

use serde_json::Value;

use super::ask::Fetched;
use super::context::{Stop, Trace};
use super::prepare::Prepared;
use crate::domain::answer::Answer;
use crate::domain::data::DataPath;
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::mapping::{Mapped, MappingError};
use crate::domain::run::Reason;
use crate::domain::watch::Sight;
use crate::store::{CaseEffect, ClaimedRun};

/// Maps a success into what the case gets.
pub(super) async fn map(
    run: &ClaimedRun,
    prepared: &Arc<Prepared>,
    fetched: Arc<Fetched>,
    trace: &Trace,
) -> Result<CaseEffect, Stop> {
    let call = prepared.call().ok_or(Stop::Cancelled(Reason::FieldRemoved))?;
    let answer = &fetched.answer;
    let mapped = apply(prepared, call.mapping.needs_thread(), &fetched).await;
    let Mapped { writes, kept } = mapped.map_err(|failure| Failure {
        http_status: Some(answer.status),
        body_excerpt: answer.text.clone(),
        ..failure
    })?;
    let output = call.output_variable.clone().map(|name| (name, (*answer.body_value()).clone()));
    let clears = if run.overwrite { call.targets.clone() } else { Vec::new() };
    let root = run.case.case.root();
    let seen = Sight { data: &prepared.data, case: &root, params: &prepared.plan.params };
    let inputs = call.watch.fingerprints(&seen);
    let (fetched_at, provider) = (fetched.at, trace.provider().to_owned());
    Ok(CaseEffect { writes, kept, clears, inputs, output, fetched_at, provider })
}

type Outcome = Result<Mapped, Failure>;

async fn apply(prepared: &Arc<Prepared>, in_thread: bool, fetched: &Arc<Fetched>) -> Outcome {
    let (prepared, fetched) = (prepared.clone(), fetched.clone());
    aside(in_thread, move || values(&prepared, &fetched.answer)).await?
}

/// Patterns over large answers may take a while: they go to a thread of their own.
pub(super) async fn aside<T: Send + 'static>(
    in_thread: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    if !in_thread {
        return Ok(work());
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Failure::new(FailureCode::Internal, "the mapping panicked"))
}

fn values(prepared: &Prepared, answer: &Answer) -> Outcome {
    let Some(call) = prepared.call() else { return Ok(Mapped::default()) };
    let mapped = call.mapping.apply(answer, &prepared.scope, &prepared.data, &prepared.overrides);
    let Mapped { writes, mut kept } = mapped.map_err(|error| without_value(&error))?;
    let mut fitting = Vec::with_capacity(writes.len());
    for write in writes {
        match fits(prepared, &write.target, &write.value) {
            Ok(()) => fitting.push(write),
            Err(_) if prepared.overrides.holds(&write.target) => kept.push(write.target),
            Err(failure) => return Err(failure),
        }
    }
    Ok(Mapped { writes: fitting, kept })
}

/// What a target that did not get its value means for the run.
pub(super) fn without_value(error: &MappingError) -> Failure {
    let code = match error {
        MappingError::InvalidResponse(_) => FailureCode::InvalidResponse,
        MappingError::Mapping { .. } => FailureCode::MappingFailed,
    };
    Failure::new(code, error.detail())
}

/// A target that is a plain field is checked like a write to it.
pub(super) fn fits(prepared: &Prepared, target: &DataPath, value: &Value) -> Result<(), Failure> {
    let checked = prepared.plan.case_type.check_target(target, value);
    checked.map_err(|why| Failure::new(FailureCode::MappingFailed, format!("target `{target}`: {why}")))
}
