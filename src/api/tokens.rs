//! API tokens: made, listed without their value, withdrawn.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, Path};

use super::body::JsonBody;
use super::error::ApiError;
use super::extract::{Admin, Caller};
use super::once::IdempotencyKey;
use super::present::token::{NewTokenView, TokenView};
use super::query::{NoParameters, Params};
use super::{intake, list};
use crate::domain::ids::TokenId;
use crate::service::{PageRequest, Services};

/// The tokens of the workspace, oldest first.
pub async fn list(
    services: Data<Services>,
    caller: Caller<Admin>,
    page: Params<PageRequest>,
) -> Result<HttpResponse, ApiError> {
    let page = services.access.list(&caller, page.0).await?;
    Ok(list::answer(page, |row| TokenView::from(&row)))
}

/// Makes a token. This answer is the only one that shows it.
pub async fn create(
    services: Data<Services>,
    caller: Caller<Admin>,
    _: Params<NoParameters>,
    key: IdempotencyKey,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let request = intake::new_token(&body.0)?;
    let (row, token) = services.access.create(&caller, request, key.0).await?;
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, format!("/v1/tokens/{}", row.id)))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(NewTokenView::new(&row, &token)))
}

/// Withdraws a token; it stops working within seconds.
pub async fn delete(
    services: Data<Services>,
    caller: Caller<Admin>,
    path: Path<TokenId>,
    _: Params<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    services.access.delete(&caller, *path).await?;
    Ok(HttpResponse::NoContent().finish())
}
