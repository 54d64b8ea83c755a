//! Connections: providers that are set up once, switched and looked at.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, HttpResponseBuilder};

use super::action::NoMembers;
use super::body::JsonBody;
use super::error::ApiError;
use super::extract::{Builder, Caller, IfMatch, Viewer};
use super::list;
use super::once::IdempotencyKey;
use super::present::connection;
use super::present::connection_health::HealthView;
use super::query::{NoParameters, Parameters, Params, Query};
use crate::domain::ids::{ConnectionKey, EndpointKey};
use crate::domain::problem::code;
use crate::service::{ConnectionAction, ConnectionView, PageRequest, ServiceError, Services};

/// Which circuit is meant: that of one endpoint, or else all of a connection.
pub struct OneCircuit(Option<EndpointKey>);

impl Parameters for OneCircuit {
    fn read(query: &mut Query) -> Self {
        Self(query.parsed("endpoint", "the key of an endpoint of the connection", |text| text.parse().ok()))
    }
}

/// The connections of the workspace, by key.
pub async fn list(
    services: Data<Services>,
    caller: Caller<Viewer>,
    page: Params<PageRequest>,
) -> Result<HttpResponse, ApiError> {
    let page = services.connections.list(&caller, page.0).await?;
    Ok(list::answer(page, connection::view))
}

/// One connection in its current version.
pub async fn get(
    services: Data<Services>,
    caller: Caller<Viewer>,
    path: Path<ConnectionKey>,
    _: Params<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    let found = services.connections.get(&caller, &path).await?;
    Ok(present(HttpResponse::Ok(), found))
}

/// Saves a new connection.
pub async fn create(
    services: Data<Services>,
    caller: Caller<Builder>,
    _: Params<NoParameters>,
    key: IdempotencyKey,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let made = services.connections.create(&caller, &body.0, key.0).await?;
    Ok(present(created(&made.row.key), made))
}

/// Saves a connection under its key: 201 when it is new, 200 when it is a new version.
pub async fn put(
    services: Data<Services>,
    caller: Caller<Builder>,
    path: Path<String>,
    _: Params<NoParameters>,
    expected: IfMatch,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let key = path.parse::<ConnectionKey>().map_err(|error| {
        ServiceError::invalid("/key", code::INVALID, format!("the key in the URL: {error}"))
    })?;
    let (saved, is_new) = services.connections.put(&caller, &key, &body.0, expected.0).await?;
    let answer = if is_new { created(&key) } else { HttpResponse::Ok() };
    Ok(present(answer, saved))
}

/// Removes a connection that no case type uses.
pub async fn delete(
    services: Data<Services>,
    caller: Caller<Builder>,
    path: Path<ConnectionKey>,
    _: Params<NoParameters>,
    expected: IfMatch,
) -> Result<HttpResponse, ApiError> {
    services.connections.delete(&caller, &path, expected.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// How a connection does.
pub async fn health(
    services: Data<Services>,
    caller: Caller<Viewer>,
    path: Path<ConnectionKey>,
    _: Params<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    let health = services.connections.health(&caller, &path).await?;
    Ok(HttpResponse::Ok().json(HealthView::from(&health)))
}

/// Switches a connection on; a hold ends.
pub async fn enable(
    services: Data<Services>,
    caller: Caller<Builder>,
    path: Path<ConnectionKey>,
    _: Params<NoParameters>,
    key: IdempotencyKey,
    _: NoMembers,
) -> Result<HttpResponse, ApiError> {
    let done = services.connections.act(&caller, &path, ConnectionAction::Enable, key.0).await?;
    Ok(present(HttpResponse::Ok(), done))
}

/// Switches a connection off: automatic runs wait, manual ones fail.
pub async fn disable(
    services: Data<Services>,
    caller: Caller<Builder>,
    path: Path<ConnectionKey>,
    _: Params<NoParameters>,
    key: IdempotencyKey,
    _: NoMembers,
) -> Result<HttpResponse, ApiError> {
    let done = services.connections.act(&caller, &path, ConnectionAction::Disable, key.0).await?;
    Ok(present(HttpResponse::Ok(), done))
}

/// Lets a connection go on that is on hold, or pauses after a 429.
pub async fn resume(
    services: Data<Services>,
    caller: Caller<Builder>,
    path: Path<ConnectionKey>,
    _: Params<NoParameters>,
    key: IdempotencyKey,
    _: NoMembers,
) -> Result<HttpResponse, ApiError> {
    let done = services.connections.act(&caller, &path, ConnectionAction::Resume, key.0).await?;
    Ok(present(HttpResponse::Ok(), done))
}

/// Opens the circuit by hand.
pub async fn open_breaker(
    services: Data<Services>,
    caller: Caller<Builder>,
    path: Path<ConnectionKey>,
    of: Params<OneCircuit>,
    key: IdempotencyKey,
    _: NoMembers,
) -> Result<HttpResponse, ApiError> {
    let action = ConnectionAction::OpenBreaker(of.0.0);
    let done = services.connections.act(&caller, &path, action, key.0).await?;
    Ok(present(HttpResponse::Ok(), done))
}

/// Closes the circuit by hand.
pub async fn close_breaker(
    services: Data<Services>,
    caller: Caller<Builder>,
    path: Path<ConnectionKey>,
    of: Params<OneCircuit>,
    key: IdempotencyKey,
    _: NoMembers,
) -> Result<HttpResponse, ApiError> {
    let action = ConnectionAction::CloseBreaker(of.0.0);
    let done = services.connections.act(&caller, &path, action, key.0).await?;
    Ok(present(HttpResponse::Ok(), done))
}

/// A connection with its `ETag`.
pub(super) fn present(mut answer: HttpResponseBuilder, shown: ConnectionView) -> HttpResponse {
    let tag = format!("\"{}\"", shown.row.version);
    answer.insert_header((header::ETAG, tag)).json(connection::view(shown))
}

fn created(key: &ConnectionKey) -> HttpResponseBuilder {
    let mut answer = HttpResponse::Created();
    answer.insert_header((header::LOCATION, format!("/v1/connections/{key}")));
    answer
}
