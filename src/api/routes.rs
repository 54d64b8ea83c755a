//! Every URL of the API and the handlers behind it.
//!
//! A known URL with a wrong method answers 405 and names the right ones; `HEAD` goes wherever
//! `GET` does. Every URL here stands in the `OpenAPI` document and the other way round, which
//! the tests of this file check; the page that shows the document does not.

use actix_web::dev::{AppService, HttpServiceFactory};
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{self, PathConfig, ServiceConfig};
use actix_web::{FromRequest, Handler, Resource, Responder, guard};

use super::edge::{edge, tracing};
use super::error::{ApiError, Code};
use super::extract::authenticate;
use super::once::once;
use super::{
    audit, cache, case_types, cases, connection_test, connections, console, docs, events, fields, health,
    metrics, openapi, people, runs, schedules, secrets, summary, tokens, workspace,
};

/// The map. What the API needs as app data: `Data<Services>` and, unless the defaults will do, `Data<ApiSettings>`.
pub fn configure(cfg: &mut ServiceConfig) {
    let v1 = web::scope("/v1")
        .service(at("/audit").get(audit::list))
        .service(at("/cache").delete(cache::purge))
        .service(at("/case-types").get(case_types::list).post(case_types::create))
        .service(at("/case-types/{key}").get(case_types::get).put(case_types::put).delete(case_types::delete))
        .service(at("/case-types/{key}/versions").get(case_types::versions))
        .service(at("/case-types/{key}/fields/{field}/test").post(console::test))
        .service(at("/cases").get(cases::list).post(cases::create))
        .service(at("/cases/{id}").get(cases::get).patch(cases::patch).delete(cases::delete))
        .service(at("/case-types/{key}/summary").get(summary::get))
        .service(at("/cases/{id}/events").get(events::of_case))
        .service(at("/events").get(events::of_workspace))
        .service(at("/cases/{id}/overrides/{path}").delete(cases::clear_override))
        .service(at("/cases/{id}/refresh").post(fields::refresh_all))
        .service(at("/cases/{id}/fields/{key}/refresh").post(fields::refresh))
        .service(at("/connections").get(connections::list).post(connections::create))
        .service(
            at("/connections/{key}").get(connections::get).put(connections::put).delete(connections::delete),
        )
        .service(at("/connections/{key}/enable").post(connections::enable))
        .service(at("/connections/{key}/disable").post(connections::disable))
        .service(at("/connections/{key}/resume").post(connections::resume))
        .service(at("/connections/{key}/breaker/open").post(connections::open_breaker))
        .service(at("/connections/{key}/breaker/close").post(connections::close_breaker))
        .service(at("/connections/{key}/test").post(connection_test::test))
        .service(at("/connections/{key}/health").get(connections::health))
        .service(at("/people").get(people::list).post(people::create))
        .service(at("/people/{id}").get(people::get).patch(people::patch).delete(people::delete))
        .service(at("/people/{id}/sessions").delete(people::end_sessions))
        .service(at("/runs").get(runs::list))
        .service(at("/runs/{id}").get(runs::get))
        .service(at("/runs/{id}/retry").post(runs::retry))
        .service(at("/runs/{id}/cancel").post(runs::cancel))
        .service(at("/schedules").get(schedules::list))
        .service(at("/schedules/{id}").get(schedules::get))
        .service(at("/schedules/{id}/run").post(schedules::run))
        .service(at("/schedules/{id}/pause").post(schedules::pause))
        .service(at("/schedules/{id}/resume").post(schedules::resume))
        .service(at("/secrets").get(secrets::list))
        .service(at("/secrets/{name}").put(secrets::put).delete(secrets::delete))
        .service(at("/tokens").get(tokens::list).post(tokens::create))
        .service(at("/tokens/{id}").delete(tokens::delete))
        .service(at("/workspace").get(workspace::get).patch(workspace::patch))
        .default_service(web::to(nothing_here))
        .app_data(PathConfig::default().error_handler(|_, _| not_found().into()));
    let health = web::scope("/health")
        .service(at("/live").get(health::live))
        .service(at("/ready").get(health::ready))
        .default_service(web::to(nothing_here));
    let document = at("/openapi.json").get(openapi::document).resource();
    let series = at("/metrics").get(metrics::metrics).resource();
    let docs = listing(web::resource(docs::URLS)).get(docs::file).resource();

    cfg.service(v1.wrap(from_fn(once)).wrap(from_fn(authenticate)).wrap(from_fn(edge)).wrap(tracing()))
        .service(health.wrap(from_fn(edge)).wrap(tracing()))
        .service(document.wrap(from_fn(edge)).wrap(tracing()))
        .service(series.wrap(from_fn(edge)).wrap(tracing()))
        .service(docs.wrap(from_fn(edge)).wrap(tracing()))
        .default_service(web::to(nothing_here).wrap(from_fn(edge)).wrap(tracing()));
}

/// A path segment that cannot be an id or a key names nothing.
fn not_found() -> ApiError {
    ApiError::new(Code::NotFound, "There is nothing here.")
}

async fn nothing_here() -> Result<&'static str, ApiError> {
    Err(not_found())
}

/// A URL whose methods are being listed.
struct At {
    resource: Resource,
    allowed: Vec<Method>,
}

fn at(path: &str) -> At {
    listing(web::resource(path))
}

fn listing(resource: Resource) -> At {
    At { resource, allowed: Vec::new() }
}

macro_rules! methods {
    ($($name:ident = $($method:ident)+;)*) => {$(
        fn $name<F, Args>(mut self, handler: F) -> Self
        where
            F: Handler<Args>,
            Args: FromRequest + 'static,
            F::Output: Responder + 'static,
        {
            let guard = guard::fn_guard(|context| [$(Method::$method),+].contains(&context.head().method));
            self.resource = self.resource.route(web::route().guard(guard).to(handler));
            self.allowed.extend([$(Method::$method),+]);
            self
        }
    )*};
}

impl At {
    methods! {
        get = GET HEAD;
        post = POST;
        put = PUT;
        patch = PATCH;
        delete = DELETE;
    }

    fn resource(self) -> Resource {
        let allowed: Vec<&str> = self.allowed.iter().map(Method::as_str).collect();
        let allowed = allowed.join(", ");
        self.resource.default_service(web::to(move || {
            let error = ApiError::wrong_method(&allowed);
            async move { Err::<&'static str, ApiError>(error) }
        }))
    }
}

impl HttpServiceFactory for At {
    fn register(self, config: &mut AppService) {
        self.resource().register(config);
    }
}
