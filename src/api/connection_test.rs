//! A connection tried out in three stages.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::body::OptionalJson;
use super::console::refused;
use super::error::ApiError;
use super::extract::{Builder, Caller};
use super::present::connection_test::ConnectionTestView;
use super::query::{NoParameters, Params};
use crate::domain::ids::ConnectionKey;
use crate::engine::Console;

/// Goes the way to the provider step by step, and makes a sample call. A repeated request is a new
/// test, whatever its `Idempotency-Key`.
pub async fn test(
    console: Data<Console>,
    caller: Caller<Builder>,
    path: Path<ConnectionKey>,
    _: Params<NoParameters>,
    body: OptionalJson,
) -> Result<HttpResponse, ApiError> {
    let body = body.0.unwrap_or_else(|| serde_json::json!({}));
    let tested = console.test_connection(&caller, &path, &body).await.map_err(refused)?;
    Ok(HttpResponse::Ok().json(ConnectionTestView::from(tested)))
}
