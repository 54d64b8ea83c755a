//! `/metrics`: what Dossier counts about itself, for Prometheus.
//!
//! No token is needed, so nothing here may tell more than counts: the labels see to that.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::error::ApiError;
use super::query::{NoParameters, Params};
use crate::metrics::CONTENT_TYPE;
use crate::service::Services;

/// All series. A database that cannot be read takes away those of the queue, not the others:
/// trouble is when they are needed most.
pub async fn metrics(services: Data<Services>, _: Params<NoParameters>) -> Result<HttpResponse, ApiError> {
    let circuits = services.circuits().await;
    services.metrics.circuits(circuits.as_deref().ok());
    match services.queue().await {
        Ok(waiting) => services.metrics.queue(Some(&waiting)),
        Err(error) => {
            tracing::warn!(%error, "the queue cannot be read for the metrics");
            services.metrics.queue(None);
        }
    }
    Ok(HttpResponse::Ok().content_type(CONTENT_TYPE).body(services.metrics.text()))
}
