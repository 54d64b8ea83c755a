//! Every page's URL and the handler behind it.

use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::Resource;

use super::refusal::Refusal;
use super::safety::safe;
use super::{asset, edge, history};

/// The map. What the pages need as app data: `Data<Services>`.
pub fn configure(cfg: &mut ServiceConfig) {
    cfg.service(
        web::resource("/assets/{edition}/{name}")
            .route(web::get().to(asset::file))
            .wrap(from_fn(edge::edge))
            .wrap(from_fn(safe))
            .wrap(edge::tracing()),
    );
    for page in history() {
        cfg.service(page.wrap(from_fn(edge::edge)).wrap(from_fn(safe)).wrap(edge::tracing()));
    }
}

/// The history of runs.
fn history() -> Vec<Resource> {
    vec![
        web::resource("/runs").route(web::get().to(history::list::page)),
        web::resource("/runs/{id}").route(web::get().to(history::detail::page)),
        web::resource("/runs/{id}/retry").route(web::post().to(history::actions::retry)),
        web::resource("/runs/{id}/cancel").route(web::post().to(history::actions::cancel)),
        web::resource("/runs/{id}/attempts/{number}/{which}").route(web::get().to(history::body::file)),
    ]
}

/// What stands at an address that nobody has.
pub async fn nothing_here() -> Result<&'static str, Refusal> {
    Err(Refusal::not_found())
}
