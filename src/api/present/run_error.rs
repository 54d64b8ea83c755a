//! What went wrong with a run, as answers show it.

use serde::Serialize;
use utoipa::ToSchema;

use super::words::{self, Time};
use crate::domain::failure::{FailureCode, ProviderError, RunError};

/// What went wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = RunError)]
pub struct RunErrorView {
    /// Stable name of what went wrong.
    #[schema(value_type = words::FailureCode)]
    code: FailureCode,
    /// For a case manager: what happened and what to do.
    message: String,
    /// For the builder.
    detail: Option<String>,
    /// Status of the provider's answer, when one came.
    http_status: Option<u16>,
    /// What the provider said itself.
    provider: Option<ProviderView>,
    /// The first 2 KiB of the provider's answer.
    body_excerpt: Option<String>,
    /// The attempt at which it happened.
    attempt: u32,
    /// Whether repeating it can help.
    retryable: bool,
    /// When the next attempt is due, or the earliest time worth asking.
    retry_at: Option<Time>,
    /// When it happened.
    at: Time,
}

/// The provider's own name for it.
#[derive(Serialize, ToSchema)]
#[schema(as = ProviderError)]
pub struct ProviderView {
    /// Its code; numbers as text.
    code: Option<String>,
    /// Its message.
    description: Option<String>,
}

impl From<&RunError> for RunErrorView {
    fn from(error: &RunError) -> Self {
        Self {
            code: error.code,
            message: error.message.clone(),
            detail: error.detail.clone(),
            http_status: error.http_status,
            provider: error.provider.as_ref().map(ProviderView::from),
            body_excerpt: error.body_excerpt.clone(),
            attempt: error.attempt,
            retryable: error.retryable,
            retry_at: error.retry_at.map(Time),
            at: Time(error.at),
        }
    }
}

impl From<&ProviderError> for ProviderView {
    fn from(error: &ProviderError) -> Self {
        Self { code: error.code.clone(), description: error.description.clone() }
    }
}
