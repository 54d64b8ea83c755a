//! Every page's URL and the handler behind it.

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use super::refusal::Refusal;
use super::safety::safe;
use super::{asset, edge};

/// The map. What the pages need as app data: `Data<Services>`.
pub fn configure(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/assets/{edition}/{name}")
            .route(web::get().to(asset::file))
            .wrap(from_fn(edge::edge))
            .wrap(from_fn(safe))
            .wrap(edge::tracing()),
    );
}

/// What stands at an address that nobody has.
pub async fn nothing_here() -> Result<&'static str, Refusal> {
    Err(Refusal::not_found())
}
