//! Case types: what cases are made of.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::body::JsonBody;
use super::error::ApiError;
use super::etag::is_known;
use super::extract::{Builder, Caller, IfMatch, Viewer};
use super::list;
use super::once::IdempotencyKey;
use super::present::case_type;
use super::query::{NoParameters, Params};
use crate::domain::ids::CaseTypeKey;
use crate::domain::problem::code;
use crate::service::{CaseTypeView, PageRequest, ServiceError, Services};

/// The case types of the workspace, by key.
pub async fn list(
    services: Data<Services>,
    caller: Caller<Viewer>,
    page: Params<PageRequest>,
) -> Result<HttpResponse, ApiError> {
    let page = services.case_types.list(&caller, page.0).await?;
    Ok(list::answer(page, case_type::view))
}

/// One case type in its current version, or 304 when the caller has it already.
pub async fn get(
    services: Data<Services>,
    caller: Caller<Viewer>,
    path: Path<CaseTypeKey>,
    _: Params<NoParameters>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let found = services.case_types.get(&caller, &path).await?;
    let tag = etag(&found);
    if is_known(request.headers(), &tag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish());
    }
    Ok(present(HttpResponse::Ok(), found))
}

/// The versions of a case type, newest first, each as it was saved.
pub async fn versions(
    services: Data<Services>,
    caller: Caller<Viewer>,
    path: Path<CaseTypeKey>,
    page: Params<PageRequest>,
) -> Result<HttpResponse, ApiError> {
    let page = services.case_types.versions(&caller, &path, page.0).await?;
    Ok(list::answer(page, case_type::version))
}

/// Saves a new case type.
pub async fn create(
    services: Data<Services>,
    caller: Caller<Builder>,
    _: Params<NoParameters>,
    key: IdempotencyKey,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let made = services.case_types.create(&caller, &body.0, key.0).await?;
    Ok(present(created(made.row.key.as_str()), made))
}

/// Saves a case type under its key: 201 when it is new, 200 when it is a new version.
pub async fn put(
    services: Data<Services>,
    caller: Caller<Builder>,
    path: Path<String>,
    _: Params<NoParameters>,
    expected: IfMatch,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let key = path.parse::<CaseTypeKey>().map_err(|error| {
        ServiceError::invalid("/key", code::INVALID, format!("the key in the URL: {error}"))
    })?;
    let (saved, is_new) = services.case_types.put(&caller, &key, &body.0, expected.0).await?;
    let answer = if is_new { created(key.as_str()) } else { HttpResponse::Ok() };
    Ok(present(answer, saved))
}

/// Removes a case type that no case uses.
pub async fn delete(
    services: Data<Services>,
    caller: Caller<Builder>,
    path: Path<CaseTypeKey>,
    _: Params<NoParameters>,
    expected: IfMatch,
) -> Result<HttpResponse, ApiError> {
    services.case_types.delete(&caller, &path, expected.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A case type with its `ETag`.
pub(super) fn present(mut answer: HttpResponseBuilder, shown: CaseTypeView) -> HttpResponse {
    answer.insert_header((header::ETAG, etag(&shown))).json(case_type::view(shown))
}

fn etag(shown: &CaseTypeView) -> String {
    format!("\"{}\"", shown.row.version)
}

fn created(key: &str) -> HttpResponseBuilder {
    let mut answer = HttpResponse::Created();
    answer.insert_header((header::LOCATION, format!("/v1/case-types/{key}")));
    answer
}
