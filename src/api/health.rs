//! Whether the process lives, and whether it can serve.
//!
//! Liveness looks at nothing: a restart mends no database. Readiness looks at the database and
//! its schema, for three seconds at most, never at providers. Neither needs a token.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

use super::error::ApiError;
use crate::service::{PROBING, Services, in_time};

/// The process answers.
pub async fn live() -> HttpResponse {
    ok()
}

/// The database answers and has the schema of this program.
pub async fn ready(services: Data<Services>) -> Result<HttpResponse, ApiError> {
    let until = services.clock.now() + PROBING;
    match in_time(&*services.clock, until, services.store.is_ready()).await? {
        Ok(true) => Ok(ok()),
        Ok(false) => Err(ApiError::unavailable("migrations are pending")),
        Err(error) => Err(ApiError::unavailable(error.to_string())),
    }
}

fn ok() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}
