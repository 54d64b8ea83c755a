//! The answer into values: all targets or none.

use std::sync::Arc;

use serde_json::Value;

use super::context::{Engine, Stop, Trace};
use super::judge::excerpt;
use super::prepare::Prepared;
use super::send::Received;
use crate::domain::answer::Answer;
use crate::domain::data::DataPath;
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::mapping::MappingError;
use crate::domain::run::Reason;
use crate::store::CaseEffect;

/// Maps a success into what the case gets.
pub(super) async fn map(
    engine: &Engine,
    prepared: &Arc<Prepared>,
    received: Received,
    trace: &Trace,
) -> Result<CaseEffect, Stop> {
    let call = prepared.call().ok_or(Stop::Cancelled(Reason::FieldRemoved))?;
    let status = received.answer.status;
    let excerpt = excerpt(&received.answer);
    let (answer, writes) = apply(prepared, call.mapping.needs_thread(), received.answer).await;
    let writes =
        writes.map_err(|failure| Failure { http_status: Some(status), body_excerpt: excerpt, ..failure })?;
    let output = call.output_variable.clone().map(|name| (name, (*answer.body_value()).clone()));
    let fetched_at = engine.clock.now();
    Ok(CaseEffect { writes, output, fetched_at, provider: trace.provider().to_owned() })
}

type Writes = Result<Vec<(DataPath, Value)>, Failure>;

/// Patterns over large answers may take a while: they go to a thread of their own.
async fn apply(prepared: &Arc<Prepared>, in_thread: bool, answer: Answer) -> (Answer, Writes) {
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

fn values(prepared: &Prepared, answer: &Answer) -> Writes {
    let Some(call) = prepared.call() else { return Ok(Vec::new()) };
    let mapped = call.mapping.apply(answer, &prepared.scope, &prepared.data).map_err(|error| {
        let code = match error {
            MappingError::InvalidResponse(_) => FailureCode::InvalidResponse,
            MappingError::Mapping { .. } => FailureCode::MappingFailed,
        };
        Failure::new(code, error.detail())
    })?;
    for (target, value) in &mapped.writes {
        prepared
            .plan
            .case_type
            .check_target(target, value)
            .map_err(|why| Failure::new(FailureCode::MappingFailed, format!("target `{target}`: {why}")))?;
    }
    Ok(mapped.writes)
}
