//! The answer into values: all targets or none.

use std::sync::Arc;

use super::ask::Fetched;
use super::context::{Stop, Trace};
use super::prepare::Prepared;
use crate::domain::answer::Answer;
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::mapping::{Mapped, MappingError, Write};
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

/// Patterns over large answers may take a while: they go to a thread of their own.
async fn apply(prepared: &Arc<Prepared>, in_thread: bool, fetched: &Arc<Fetched>) -> Outcome {
    if !in_thread {
        return values(prepared, &fetched.answer);
    }
    let (prepared, fetched) = (prepared.clone(), fetched.clone());
    match tokio::task::spawn_blocking(move || values(&prepared, &fetched.answer)).await {
        Ok(writes) => writes,
        Err(_) => Err(Failure::new(FailureCode::Internal, "the mapping panicked")),
    }
}

fn values(prepared: &Prepared, answer: &Answer) -> Outcome {
    let Some(call) = prepared.call() else { return Ok(Mapped::default()) };
    let mapped = call.mapping.apply(answer, &prepared.scope, &prepared.data, &prepared.overrides).map_err(
        |error| {
            let code = match error {
                MappingError::InvalidResponse(_) => FailureCode::InvalidResponse,
                MappingError::Mapping { .. } => FailureCode::MappingFailed,
            };
            Failure::new(code, error.detail())
        },
    )?;
    for Write { target, value, .. } in &mapped.writes {
        prepared
            .plan
            .case_type
            .check_target(target, value)
            .map_err(|why| Failure::new(FailureCode::MappingFailed, format!("target `{target}`: {why}")))?;
    }
    Ok(mapped)
}
