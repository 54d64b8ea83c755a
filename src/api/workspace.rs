//! The caller's own workspace: its name, and the params that its case types share.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::body::MergePatch;
use super::error::ApiError;
use super::extract::{Admin, Caller, IfMatch, Viewer};
use super::intake;
use super::present::workspace::WorkspaceView;
use super::query::{NoParameters, Params};
use crate::service::Services;
use crate::store::WorkspaceRow;

/// The workspace.
pub async fn get(
    request: HttpRequest,
    services: Data<Services>,
    caller: Caller<Viewer>,
    _: Params<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    let row = services.workspaces.get(&caller).await?;
    let tag = tag(&row);
    if super::etag::is_known(request.headers(), &tag) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish());
    }
    Ok(present(&row))
}

/// Changes name and params by a merge patch (RFC 7396).
pub async fn patch(
    services: Data<Services>,
    caller: Caller<Admin>,
    _: Params<NoParameters>,
    expected: IfMatch,
    body: MergePatch,
) -> Result<HttpResponse, ApiError> {
    let patch = intake::workspace(&body.0)?;
    let row = services.workspaces.patch(&caller, patch, expected.0).await?;
    Ok(present(&row))
}

fn tag(row: &WorkspaceRow) -> String {
    format!("\"{}\"", row.version)
}

fn present(row: &WorkspaceRow) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::ETAG, tag(row))).json(WorkspaceView::from(row))
}
