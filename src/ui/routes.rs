//! Every page's URL and the handler behind it.

use actix_web::dev::HttpServiceFactory;
use actix_web::http::{Method, header};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{Resource, guard};

use super::asset;
use super::case_list;
use super::edge::{edge, tracing};
use super::refusal::Refusal;
use super::safety::safe;
use super::session::signed_in;

/// The map. What the pages need as app data: `Data<Services>`.
pub fn configure(cfg: &mut ServiceConfig) {
    cfg.service(open(web::resource("/assets/{edition}/{name}").route(web::get().to(asset::file))));

    // Pages, one block each: `cfg.service(page(web::resource("/cases").route(web::get().to(…))))`.
    cfg.service(page(web::resource("/").route(web::get().to(home))));

    // The list of cases. These stand before the pages of single cases.
    cfg.service(page(web::resource("/cases").route(web::get().to(case_list::list))));
    cfg.service(page(web::resource("/cases/refresh").route(web::post().to(case_list::refresh))));
}

/// The first page is the list of cases.
async fn home() -> Result<&'static str, Refusal> {
    Err(Refusal::elsewhere("/cases"))
}

/// What comes behind everything else, the API's addresses too: a browser that asks for a page at an
/// address that nobody has reads so.
pub fn configure_rest(cfg: &mut ServiceConfig) {
    let anything = web::resource("/{address:.*}").guard(guard::fn_guard(asks_for_page));
    cfg.service(open(anything.route(web::to(nothing_here))));
}

fn asks_for_page(context: &guard::GuardContext<'_>) -> bool {
    let accept = context.head().headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    context.head().method == Method::GET && accept.is_some_and(|accept| accept.contains("text/html"))
}

async fn nothing_here() -> Result<&'static str, Refusal> {
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
