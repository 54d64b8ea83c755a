//! The answer into values: all targets or none.

use std::sync::Arc;

use super::context::{Engine, Stop, Trace};
use super::judge::excerpt;
use super::prepare::Prepared;
use super::send::Received;
use crate::domain::answer::Answer;
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::mapping::{Mapped, MappingError, Write};
use crate::domain::run::Reason;
use crate::domain::watch::Sight;
use crate::store::{CaseEffect, ClaimedRun};

/// Maps a success into what the case gets.
pub(super) async fn map(
    engine: &Engine,
    run: &ClaimedRun,
    prepared: &Arc<Prepared>,
    received: Received,
    trace: &Trace,
) -> Result<CaseEffect, Stop> {
    let call = prepared.call().ok_or(Stop::Cancelled(Reason::FieldRemoved))?;
    let status = received.answer.status;
    let excerpt = excerpt(&received.answer);
    let (answer, mapped) = apply(prepared, call.mapping.needs_thread(), received.answer).await;
    let Mapped { writes, kept } =
        mapped.map_err(|failure| Failure { http_status: Some(status), body_excerpt: excerpt, ..failure })?;
    let output = call.output_variable.clone().map(|name| (name, (*answer.body_value()).clone()));
    let fetched_at = engine.clock.now();
    let clears = if run.overwrite { call.targets.clone() } else { Vec::new() };
    let root = run.case.case.root();
    let seen = Sight { data: &prepared.data, case: &root, params: &prepared.plan.params };
    let inputs = call.watch.fingerprints(&seen);
    let provider = trace.provider().to_owned();
    Ok(CaseEffect { writes, kept, clears, inputs, output, fetched_at, provider })
}

type Outcome = Result<Mapped, Failure>;

/// Patterns over large answers may take a while: they go to a thread of their own.
async fn apply(prepared: &Arc<Prepared>, in_thread: bool, answer: Answer) -> (Answer, Outcome) {
    if !in_thread {
        let writes = values(prepared, &answer);
        return (answer, writes);
    }
    let shared = prepared.clone();
    let kept = Answer {
        status: answer.status,
        headers: answer.headers.clone(),
        body: answer.body.clone(),
        text: None,
    };
    match tokio::task::spawn_blocking(move || values(&shared, &answer)).await {
        Ok(writes) => (kept, writes),
        Err(_) => (kept, Err(Failure::new(FailureCode::Internal, "the mapping panicked"))),
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
