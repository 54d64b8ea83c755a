//! Cached answers: forgotten, never shown.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::error::ApiError;
use super::extract::{Builder, Caller};
use super::query::{Parameters, Params, Query};
use crate::service::{CachePurge, Services};

impl Parameters for CachePurge {
    fn read(query: &mut Query) -> Self {
        Self {
            case_type: query.key("case_type").and_then(|key| key.parse().ok()),
            field: query.key("field").and_then(|key| key.parse().ok()),
            connection: query.key("connection"),
        }
    }
}

/// Forgets the answers of a field, of a case type, or of the workspace.
pub async fn purge(
    services: Data<Services>,
    caller: Caller<Builder>,
    purge: Params<CachePurge>,
) -> Result<HttpResponse, ApiError> {
    services.cache.purge(&caller, purge.0).await?;
    Ok(HttpResponse::NoContent().finish())
}
