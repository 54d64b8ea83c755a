//! Is the answer a success? If not: whose word describes it, and can repeating help?

use super::context::Stop;
use super::prepare::Prepared;
use super::send::Received;
use crate::domain::answer::Answer;
use crate::domain::api_call::ApiCall;
use crate::domain::failure::{Failure, FailureCode, ProviderError};
use crate::domain::run::Reason;

/// Characters of an answer that an error quotes.
pub(super) const EXCERPT: usize = 2048;

/// Lets a success through. `success_when` replaces the 2xx rule below 500.
pub(super) fn judge(prepared: &Prepared, received: &Received) -> Result<(), Stop> {
    let call = prepared.call().ok_or(Stop::Cancelled(Reason::FieldRemoved))?;
    let answer = &received.answer;
    let is_2xx = (200..300).contains(&answer.status);
    if let (Some(detail), true) = (&received.unreadable, is_2xx) {
        return Err(failure(call, received, FailureCode::InvalidResponse, detail.clone(), false).into());
    }
    let success = match &call.success_when {
        Some(rule) if answer.status < 500 => rule.holds_leniently(&answer.scope())?,
        _ => is_2xx,
    };
    if success {
        return Ok(());
    }
    let (code, detail) = match &call.success_when {
        Some(rule) if is_2xx => {
            (FailureCode::Unsuccessful, format!("`success_when` does not hold: {}", rule.source()))
        }
        _ => (FailureCode::HttpStatus, format!("the provider answered with status {}", answer.status)),
    };
    let retryable = match &call.retry_when {
        Some(rule) => rule.holds_leniently(&answer.scope())?,
        None => matches!(answer.status, 408 | 425 | 429 | 500..),
    };
    Err(failure(call, received, code, detail, retryable).into())
}

fn failure(
    call: &ApiCall,
    received: &Received,
    code: FailureCode,
    detail: String,
    retryable: bool,
) -> Failure {
    let answer = &received.answer;
    Failure {
        http_status: Some(answer.status),
        provider: provider(call, answer),
        body_excerpt: excerpt(answer),
        retryable,
        asked: received.asked,
        ..Failure::new(code, detail)
    }
}

/// The beginning of the answer, for the builder.
pub(super) fn excerpt(answer: &Answer) -> Option<String> {
    answer.text().map(|text| text.chars().take(EXCERPT).collect())
}

fn provider(call: &ApiCall, answer: &Answer) -> Option<ProviderError> {
    let (code, description) = call.error_mapping.read(answer);
    (code.is_some() || description.is_some()).then_some(ProviderError { code, description })
}
