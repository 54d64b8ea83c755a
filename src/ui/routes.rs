//! Every page's URL and the handler behind it.

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use super::refusal::Refusal;
use super::safety::safe;
use super::{asset, case_actions, case_detail, case_save, edge};

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

/// The page of a case, below the signed-in scope.
pub(super) fn case(cfg: &mut ServiceConfig) {
    cfg.route("/cases/{id}", web::get().to(case_detail::show))
        .route("/cases/{id}", web::post().to(case_save::save))
        .route("/cases/{id}/data", web::get().to(case_actions::data))
        .route("/cases/{id}/refresh", web::post().to(case_actions::refresh_all))
        .route("/cases/{id}/delete", web::get().to(case_actions::ask_delete))
        .route("/cases/{id}/delete", web::post().to(case_actions::delete))
        .route("/cases/{id}/fields/{field}/refresh", web::post().to(case_actions::refresh))
        .route("/cases/{id}/overrides/{path}/clear", web::post().to(case_actions::clear_override));
}

/// What stands at an address that nobody has.
pub async fn nothing_here() -> Result<&'static str, Refusal> {
    Err(Refusal::not_found())
}
