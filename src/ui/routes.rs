//! Every page's URL and the handler behind it.

use actix_web::dev::HttpServiceFactory;
use actix_web::http::{Method, header};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{Resource, guard};

use super::edge::{edge, tracing};
use super::heads::heads;
use super::refusal::Refusal;
use super::safety::safe;
use super::session::signed_in;
use super::{
    account, asset, builder, case_actions, case_detail, case_list, case_new, case_save, history, live,
    people, person, sign_in,
};

/// The map. What the pages need as app data: `Data<Services>`.
pub fn configure(cfg: &mut ServiceConfig) {
    cfg.service(open(web::resource("/assets/{edition}/{name}").route(web::get().to(asset::file))));

    // Pages, one block each: `cfg.service(page(web::resource("/cases").route(web::get().to(…))))`.
    cfg.service(page(web::resource("/").route(web::get().to(home))));
    cfg.configure(for_case_lists);
    cfg.configure(for_case);
    cfg.configure(for_people);
    cfg.configure(for_runs);
    cfg.configure(for_builders);
}

/// The list of cases, and new ones. Goes before the pages of single cases: `new` is no id.
fn for_case_lists(cfg: &mut ServiceConfig) {
    cfg.service(page(web::resource("/cases").route(web::get().to(case_list::list))));
    let (show, create) = (web::get().to(case_new::show), web::post().to(case_new::create));
    cfg.service(page(web::resource("/cases/new").route(show).route(create)));
    cfg.service(page(web::resource("/cases/events").route(web::get().to(live::of_workspace))));
    cfg.service(page(web::resource("/cases/refresh").route(web::post().to(case_list::refresh))));
}

/// The page of a case, and what its buttons do.
fn for_case(cfg: &mut ServiceConfig) {
    let (show, save) = (web::get().to(case_detail::show), web::post().to(case_save::save));
    cfg.service(page(web::resource("/cases/{id}").route(show).route(save)));
    cfg.service(page(web::resource("/cases/{id}/data").route(web::get().to(case_actions::data))));
    cfg.service(page(web::resource("/cases/{id}/refresh").route(web::post().to(case_actions::refresh_all))));
    cfg.service(page(web::resource("/cases/{id}/events").route(web::get().to(live::of_case))));
    let (ask, delete) = (web::get().to(case_actions::ask_delete), web::post().to(case_actions::delete));
    cfg.service(page(web::resource("/cases/{id}/delete").route(ask).route(delete)));
    let refresh = web::post().to(case_actions::refresh);
    cfg.service(page(web::resource("/cases/{id}/fields/{field}/refresh").route(refresh)));
    let clear = web::post().to(case_actions::clear_override);
    cfg.service(page(web::resource("/cases/{id}/overrides/{path}/clear").route(clear)));
}

/// Signing in and out, one's account, and who else may sign in.
fn for_people(cfg: &mut ServiceConfig) {
    let (show, sign_in) = (web::get().to(sign_in::show), web::post().to(sign_in::sign_in));
    cfg.service(open(web::resource("/sign-in").route(show).route(sign_in)));
    let (show, use_link) = (web::get().to(sign_in::show_link), web::post().to(sign_in::use_link));
    cfg.service(open(web::resource("/sign-in/{link}").route(show).route(use_link)));
    cfg.service(page(web::resource("/sign-out").route(web::post().to(sign_in::sign_out))));
    cfg.service(page(web::resource("/account").route(web::get().to(account::show))));
    cfg.service(page(web::resource("/account/name").route(web::post().to(account::rename))));
    cfg.service(page(web::resource("/account/password").route(web::post().to(account::change_password))));
    cfg.service(page(web::resource("/account/sessions/end").route(web::post().to(account::end_others))));
    cfg.service(page(
        web::resource("/account/sessions/{id}/end").route(web::post().to(account::end_session)),
    ));
    let (show, add) = (web::get().to(people::show), web::post().to(people::add));
    cfg.service(page(web::resource("/people").route(show).route(add)));
    let (show, change) = (web::get().to(person::show), web::post().to(person::change));
    cfg.service(page(web::resource("/people/{id}").route(show).route(change)));
    cfg.service(page(web::resource("/people/{id}/link").route(web::post().to(person::make_link))));
    let end = web::post().to(person::end_sessions);
    cfg.service(page(web::resource("/people/{id}/sessions/end").route(end)));
    cfg.service(page(web::resource("/people/{id}/remove").route(web::post().to(person::remove))));
}

/// The history of runs.
fn for_runs(cfg: &mut ServiceConfig) {
    cfg.service(page(web::resource("/runs").route(web::get().to(history::list::page))));
    cfg.service(page(web::resource("/runs/{id}").route(web::get().to(history::detail::page))));
    cfg.service(page(web::resource("/runs/{id}/retry").route(web::post().to(history::actions::retry))));
    cfg.service(page(web::resource("/runs/{id}/cancel").route(web::post().to(history::actions::cancel))));
    let body = web::resource("/runs/{id}/attempts/{number}/{which}");
    cfg.service(page(body.route(web::get().to(history::body::file))));
}

/// Case types, connections, schedules and secrets.
fn for_builders(cfg: &mut ServiceConfig) {
    cfg.service(page(web::resource("/case-types").route(web::get().to(builder::case_types::page))));
    cfg.service(page(web::resource("/case-types/{key}").route(web::get().to(builder::case_type::page))));
    cfg.service(page(web::resource("/connections").route(web::get().to(builder::connections::page))));
    cfg.service(page(web::resource("/connections/{key}").route(web::get().to(builder::connection::page))));
    let test = web::resource("/connections/{key}/test");
    cfg.service(page(test.route(web::post().to(builder::connection_test::test))));
    let action =
        web::resource("/connections/{key}/{action:enable|disable|resume|breaker/open|breaker/close}");
    cfg.service(page(action.route(web::post().to(builder::connection_actions::act))));
    cfg.service(page(web::resource("/schedules").route(web::get().to(builder::schedules::page))));
    let action = web::resource("/schedules/{id}/{action}");
    cfg.service(page(action.route(web::post().to(builder::schedules::act))));
    let (show, put) = (web::get().to(builder::secrets::page), web::post().to(builder::secrets::put));
    cfg.service(page(web::resource("/secrets").route(show).route(put)));
    let delete = web::resource("/secrets/{name}/delete");
    cfg.service(page(delete.route(web::post().to(builder::secrets::delete))));
}

/// The first page is the list of cases.
async fn home() -> Result<&'static str, Refusal> {
    Err(Refusal::elsewhere("/cases"))
}

/// What comes behind everything else, the API's addresses too: a browser that asks for a page at an
/// address that nobody has reads so.
pub fn configure_rest(cfg: &mut ServiceConfig) {
    // A scope has no pattern of its own, so metrics count no route of this.
    let rest = web::scope("").guard(guard::fn_guard(asks_for_page)).default_service(web::to(nothing_here));
    cfg.service(rest.wrap(from_fn(edge)).wrap(from_fn(safe)).wrap(tracing()).wrap(from_fn(heads)));
}

fn asks_for_page(context: &guard::GuardContext<'_>) -> bool {
    let accept = context.head().headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    [Method::GET, Method::HEAD].contains(&context.head().method)
        && accept.is_some_and(|accept| accept.contains("text/html"))
}

async fn nothing_here() -> Result<&'static str, Refusal> {
    Err(Refusal::not_found())
}

/// A page for those who are signed in.
fn page(resource: Resource) -> impl HttpServiceFactory {
    let resource = resource.wrap(from_fn(signed_in)).wrap(from_fn(edge)).wrap(from_fn(safe));
    resource.wrap(tracing()).wrap(from_fn(heads))
}

/// A page for everybody.
fn open(resource: Resource) -> impl HttpServiceFactory {
    resource.wrap(from_fn(edge)).wrap(from_fn(safe)).wrap(tracing()).wrap(from_fn(heads))
}
