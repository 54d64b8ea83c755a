//! People who sign in to the pages: listed, added, changed, removed. Their passwords come in and
//! never go out.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, Path};

use super::body::{JsonBody, MergePatch};
use super::error::ApiError;
use super::extract::{Admin, Caller};
use super::once::IdempotencyKey;
use super::present::person::PersonView;
use super::query::{NoParameters, Params};
use super::{intake_people, list};
use crate::domain::ids::PersonId;
use crate::service::{PageRequest, Services};

/// The people of the workspace, oldest first.
pub async fn list(
    services: Data<Services>,
    caller: Caller<Admin>,
    page: Params<PageRequest>,
) -> Result<HttpResponse, ApiError> {
    let page = services.people.list(&caller, page.0).await?;
    Ok(list::answer(page, |row| PersonView::from(&row)))
}

/// Adds a person.
pub async fn create(
    services: Data<Services>,
    caller: Caller<Admin>,
    _: Params<NoParameters>,
    key: IdempotencyKey,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let request = intake_people::new_person(&body.0)?;
    let row = services.people.create(&caller, request, key.0).await?;
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/v1/people/{}", row.id)))
        .json(PersonView::from(&row)))
}

/// A person.
pub async fn get(
    services: Data<Services>,
    caller: Caller<Admin>,
    path: Path<PersonId>,
    _: Params<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    let row = services.people.get(&caller, *path).await?;
    Ok(HttpResponse::Ok().json(PersonView::from(&row)))
}

/// Changes a person by a merge patch (RFC 7396).
pub async fn patch(
    services: Data<Services>,
    caller: Caller<Admin>,
    id: Path<PersonId>,
    _: Params<NoParameters>,
    body: MergePatch,
) -> Result<HttpResponse, ApiError> {
    let patch = intake_people::patch(&body.0)?;
    let row = services.people.patch(&caller, *id, patch).await?;
    Ok(HttpResponse::Ok().json(PersonView::from(&row)))
}

/// Ends all sessions of a person.
pub async fn end_sessions(
    services: Data<Services>,
    caller: Caller<Admin>,
    path: Path<PersonId>,
    _: Params<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    services.people.end_sessions(&caller, *path).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Removes a person, who is signed out everywhere.
pub async fn delete(
    services: Data<Services>,
    caller: Caller<Admin>,
    path: Path<PersonId>,
    _: Params<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    services.people.delete(&caller, *path).await?;
    Ok(HttpResponse::NoContent().finish())
}
