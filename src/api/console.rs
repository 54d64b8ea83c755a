//! The test console: a field tried out, with nothing recorded.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::body::OptionalJson;
use super::error::{ApiError, Code};
use super::extract::{Builder, Caller};
use super::present::console::TestedView;
use super::query::{NoParameters, Params};
use crate::domain::ids::{CaseTypeKey, FieldKey};
use crate::engine::{Console, NotTested};

/// Renders a field's request, sends it when asked to, and shows what its answer would do. Nothing
/// is kept, so a repeated request is a new test, whatever its `Idempotency-Key`.
pub async fn test(
    console: Data<Console>,
    caller: Caller<Builder>,
    path: Path<(CaseTypeKey, FieldKey)>,
    _: Params<NoParameters>,
    body: OptionalJson,
) -> Result<HttpResponse, ApiError> {
    let (case_type, field) = path.into_inner();
    let body = body.0.unwrap_or_else(|| serde_json::json!({}));
    let tested = console.test(&caller, &case_type, &field, &body).await.map_err(refused)?;
    Ok(HttpResponse::Ok().json(TestedView::from(tested)))
}

/// Why there was no test, as an answer.
pub(super) fn refused(why: NotTested) -> ApiError {
    match why {
        NotTested::Busy | NotTested::Full => ApiError::new(Code::TooManyRequests, format!("{why}.")),
        NotTested::Refused(error) => error.into(),
    }
}
