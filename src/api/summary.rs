//! How the fields of a case type stand over its cases.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::case_list::SummaryFilters;
use super::error::ApiError;
use super::extract::{Caller, Viewer};
use super::present::summary::SummaryView;
use super::query::Params;
use crate::domain::ids::CaseTypeKey;
use crate::service::Services;

/// Counts per field and status, over all cases of the type or those that the filters leave.
pub async fn get(
    services: Data<Services>,
    caller: Caller<Viewer>,
    path: Path<CaseTypeKey>,
    filters: Params<SummaryFilters>,
) -> Result<HttpResponse, ApiError> {
    let summary = services.cases.summary(&caller, &path, filters.0.0).await?;
    Ok(HttpResponse::Ok().json(SummaryView::from(&*summary)))
}
