//! Cases: made, read, changed, deleted.
//!
//! Creation and reading can wait for runs (`Prefer: wait=N`). The wait comes after the commit,
//! so a client that leaves early loses nothing.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::body::{JsonBody, MergePatch};
use super::case_list::CaseList;
use super::error::ApiError;
use super::etag::is_known;
use super::extract::{Caller, IfMatch, Operator, Viewer, Wait};
use super::list;
use super::once::IdempotencyKey;
use super::present::case::CaseAnswer;
use super::query::{NoParameters, Parameters, Params, Query};
use crate::domain::case::Case;
use crate::domain::data::DataPath;
use crate::domain::ids::CaseId;
use crate::service::{CaseView, ServiceError, Services};

/// The cases of the workspace that the filters leave.
pub async fn list(
    services: Data<Services>,
    caller: Caller<Viewer>,
    list: Params<CaseList>,
) -> Result<HttpResponse, ApiError> {
    let CaseList { query, page, includes } = list.0;
    let page = services.cases.list(&caller, query, page).await?;
    Ok(list::answer(page, |case| CaseAnswer::in_list(case, includes)))
}

/// Makes a case and queues the runs of its `on_create` fields.
pub async fn create(
    services: Data<Services>,
    caller: Caller<Operator>,
    _: Params<NoParameters>,
    wait: Wait,
    key: IdempotencyKey,
    body: JsonBody,
) -> Result<HttpResponse, ApiError> {
    let (mut case, runs) = services.cases.create(&caller, &body.0, key.0).await?;
    let (id, mut wait) = (case.case.id, wait);
    if let Some(until) = wait.until(&*services.clock) {
        let waited = match services.cases.wait_for_runs(&caller, id, &runs, until).await {
            Ok(()) => services.cases.get(&caller, id).await,
            Err(error) => Err(error),
        };
        (case, wait) = wait.after(case, waited)?;
    }
    let mut answer = HttpResponse::Created();
    answer.insert_header((header::LOCATION, format!("/v1/cases/{id}")));
    wait.apply(&mut answer);
    Ok(present(answer, case))
}

/// One case, or 304 when the caller has it already.
pub async fn get(
    services: Data<Services>,
    caller: Caller<Viewer>,
    path: Path<CaseId>,
    _: Params<NoParameters>,
    wait: Wait,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    if let Some(until) = wait.until(&*services.clock) {
        services.cases.wait_until_settled(&caller, *path, until).await?;
    }
    let case = services.cases.get(&caller, *path).await?;
    let tag = etag(&case.case);
    let mut answer = HttpResponse::Ok();
    wait.apply(&mut answer);
    if is_known(request.headers(), &tag) {
        return Ok(answer
            .status(actix_web::http::StatusCode::NOT_MODIFIED)
            .insert_header((header::ETAG, tag))
            .finish());
    }
    Ok(present(answer, case))
}

/// Changes a case by a merge patch (RFC 7396).
pub async fn patch(
    services: Data<Services>,
    caller: Caller<Operator>,
    path: Path<CaseId>,
    parameters: Params<PatchParameters>,
    expected: IfMatch,
    body: MergePatch,
) -> Result<HttpResponse, ApiError> {
    let pins = parameters.0.overrides;
    let case = services.cases.patch(&caller, *path, &body.0, pins, expected.0).await?;
    Ok(present(HttpResponse::Ok(), case))
}

/// Gives an overridden target back to the runs of its field.
pub async fn clear_override(
    services: Data<Services>,
    caller: Caller<Operator>,
    path: Path<(CaseId, String)>,
    _: Params<NoParameters>,
    expected: IfMatch,
) -> Result<HttpResponse, ApiError> {
    let (case, target) = path.into_inner();
    let target = DataPath::parse(&target).map_err(|_| ServiceError::NotFound("override"))?;
    services.cases.clear_override(&caller, case, &target, expected.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Deletes a case with its data.
pub async fn delete(
    services: Data<Services>,
    caller: Caller<Operator>,
    path: Path<CaseId>,
    _: Params<NoParameters>,
    expected: IfMatch,
) -> Result<HttpResponse, ApiError> {
    services.cases.delete(&caller, *path, expected.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The query of a change.
pub struct PatchParameters {
    /// Mapped values that it changes become overrides; `override=false` says no.
    overrides: bool,
}

impl Parameters for PatchParameters {
    fn read(query: &mut Query) -> Self {
        Self { overrides: query.flag("override").unwrap_or(true) }
    }
}

/// A case with its `ETag`.
pub(super) fn present(mut answer: HttpResponseBuilder, case: CaseView) -> HttpResponse {
    answer.insert_header((header::ETAG, etag(&case.case))).json(CaseAnswer::from(case))
}

fn etag(case: &Case) -> String {
    format!("\"{}.{}\"", case.version, case.revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_overrides_unless_it_says_no() {
        let read = |query: &str| Query::parse::<PatchParameters>(query).map(|read| read.overrides);
        assert_eq!(read("").ok(), Some(true));
        assert_eq!(read("override=true").ok(), Some(true));
        assert_eq!(read("override=false").ok(), Some(false));
        for wrong in ["overide=false", "override=maybe"] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.starts_with("400 malformed_request: "), "{error}");
        }
    }
}
