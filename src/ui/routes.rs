//! Every page's URL and the handler behind it.

use actix_web::Resource;
use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use super::asset;
use super::edge::{edge, tracing};
use super::refusal::Refusal;
use super::safety::safe;
use super::session::signed_in;

/// The map. What the pages need as app data: `Data<Services>`.
pub fn configure(cfg: &mut ServiceConfig) {
    cfg.service(open(web::resource("/assets/{edition}/{name}").route(web::get().to(asset::file))));

    // Pages, one block each: `cfg.service(page(web::resource("/cases").route(web::get().to(…))))`.
    cfg.service(page(web::resource("/").route(web::get().to(home))));
}

/// The first page is the list of cases.
async fn home() -> Result<&'static str, Refusal> {
    Err(Refusal::elsewhere("/cases"))
}

/// What stands at an address that nobody has.
pub async fn nothing_here() -> Result<&'static str, Refusal> {
    Err(Refusal::not_found())
}

/// A page for those who are signed in.
fn page(resource: Resource) -> impl HttpServiceFactory {
    resource.wrap(from_fn(signed_in)).wrap(from_fn(edge)).wrap(from_fn(safe)).wrap(tracing())
}

/// A page for everybody.
fn open(resource: Resource) -> impl HttpServiceFactory {
    resource.wrap(from_fn(edge)).wrap(from_fn(safe)).wrap(tracing())
}
