//! The answer into values: all targets or none.

use std::sync::Arc;

use serde_json::Value;

use super::ask::Fetched;
use super::context::{Stop, Trace};
use super::prepare::Prepared;
use crate::domain::answer::Answer;
use crate::domain::data::DataPath;
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::mapping::MappingError;
use crate::domain::run::Reason;
use crate::store::CaseEffect;

/// Maps a success into what the case gets.
pub(super) async fn map(
    prepared: &Arc<Prepared>,
    fetched: Arc<Fetched>,
    trace: &Trace,
) -> Result<CaseEffect, Stop> {
    let call = prepared.call().ok_or(Stop::Cancelled(Reason::FieldRemoved))?;
    let answer = &fetched.answer;
    let writes = apply(prepared, call.mapping.needs_thread(), &fetched).await.map_err(|failure| Failure {
        http_status: Some(answer.status),
        body_excerpt: answer.text.clone(),
        ..failure
    })?;
    let output = call.output_variable.clone().map(|name| (name, (*answer.body_value()).clone()));
    Ok(CaseEffect { writes, output, fetched_at: fetched.at, provider: trace.provider().to_owned() })
}

type Writes = Result<Vec<(DataPath, Value)>, Failure>;

/// Patterns over large answers may take a while: they go to a thread of their own.
async fn apply(prepared: &Arc<Prepared>, in_thread: bool, fetched: &Arc<Fetched>) -> Writes {
    if !in_thread {
        return values(prepared, &fetched.answer);
    }
    let (prepared, fetched) = (prepared.clone(), fetched.clone());
    match tokio::task::spawn_blocking(move || values(&prepared, &fetched.answer)).await {
        Ok(writes) => writes,
        Err(_) => Err(Failure::new(FailureCode::Internal, "the mapping panicked")),
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
