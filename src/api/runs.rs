//! Runs: what was fetched when, why, and with what outcome.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, Path};
use serde_json::Value;

use super::action::NoMembers;
use super::body::OptionalJson;
use super::error::ApiError;
use super::extract::{Caller, Operator, Viewer};
use super::list;
use super::once::IdempotencyKey;
use super::present::run::{RunDetail, RunView};
use super::query::{NoParameters, Parameters, Params, Query};
use crate::domain::case_type::findings::Findings;
use crate::domain::case_type::reader::Reader;
use crate::domain::failure::FailureCode;
use crate::domain::ids::{CaseId, RunId, SecretName};
use crate::domain::run::RunStatus;
use crate::domain::trigger::Trigger;
use crate::service::{PageRequest, ServiceError, Services};
use crate::store::RunFilter;

/// Which runs are listed.
pub struct RunList {
    filter: RunFilter,
    page: PageRequest,
}

impl Parameters for RunList {
    fn read(query: &mut Query) -> Self {
        Self {
            filter: RunFilter {
                case: query.id("case").map(CaseId),
                case_type: query.key("case_type"),
                field: query.key("field"),
                connection: query.key("connection"),
                status: query.word("status", RunStatus::ALL, RunStatus::as_str),
                trigger: query.word("trigger", &Trigger::ALL, Trigger::as_str),
                error: query.word("error", FailureCode::ALL, FailureCode::as_str),
                batch: query.id("batch"),
                secret: query.parsed("secret", "the name of a secret, or `<name>:<version>`", used_secret),
                since: query.instant("since"),
                until: query.instant("until"),
            },
            page: PageRequest::read(query),
        }
    }
}

/// `vies_token`, or `vies_token:3`.
fn used_secret(text: &str) -> Option<(SecretName, Option<i64>)> {
    match text.split_once(':') {
        None => Some((text.parse().ok()?, None)),
        Some((name, version)) => {
            Some((name.parse().ok()?, Some(version.parse().ok().filter(|version| *version > 0)?)))
        }
    }
}

/// The runs of the workspace, newest first.
pub async fn list(
    services: Data<Services>,
    caller: Caller<Viewer>,
    list: Params<RunList>,
) -> Result<HttpResponse, ApiError> {
    let RunList { filter, page } = list.0;
    let page = services.runs.list(&caller, filter, page).await?;
    Ok(list::answer(page, |run| RunView::from(&run)))
}

/// One run with its attempts.
pub async fn get(
    services: Data<Services>,
    caller: Caller<Viewer>,
    path: Path<RunId>,
    _: Params<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    let (run, attempts) = services.runs.get(&caller, *path).await?;
    Ok(HttpResponse::Ok().json(RunDetail::new(&run, attempts)))
}

/// Repeats a run that has ended. Answers 202 and the run to follow.
pub async fn retry(
    services: Data<Services>,
    caller: Caller<Operator>,
    path: Path<RunId>,
    _: Params<NoParameters>,
    key: IdempotencyKey,
    body: OptionalJson,
) -> Result<HttpResponse, ApiError> {
    let new_key = read_new_key(body.0.as_ref())?;
    let run = services.runs.retry(&caller, *path, new_key, key.0).await?;
    let location = (header::LOCATION, format!("/v1/runs/{}", run.id));
    Ok(HttpResponse::Accepted().insert_header(location).json(RunView::from(&run)))
}

/// Cancels a run that waits or works.
pub async fn cancel(
    services: Data<Services>,
    caller: Caller<Operator>,
    path: Path<RunId>,
    _: Params<NoParameters>,
    key: IdempotencyKey,
    _: NoMembers,
) -> Result<HttpResponse, ApiError> {
    let run = services.runs.cancel(&caller, *path, key.0).await?;
    Ok(HttpResponse::Ok().json(RunView::from(&run)))
}

/// Whether the repeated run gets a key of its own in any case.
fn read_new_key(body: Option<&Value>) -> Result<bool, ServiceError> {
    let Some(body) = body else { return Ok(false) };
    let mut findings = Findings::default();
    let new_key = Reader::open(body, "", &mut findings).map(|mut reader| {
        let new_key = reader.flag("new_key").unwrap_or(false);
        reader.finish(|_| None);
        new_key
    });
    match new_key {
        Some(new_key) if findings.problems.is_empty() => Ok(new_key),
        _ => Err(ServiceError::Invalid(findings.problems)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_retry_needs_no_body_and_takes_no_other_member() {
        for (body, expected) in
            [(None, false), (Some(json!({})), false), (Some(json!({"new_key": true})), true)]
        {
            assert_eq!(read_new_key(body.as_ref()).unwrap(), expected);
        }
        for wrong in [json!([]), json!({"new_key": "yes"}), json!({"newkey": true})] {
            assert!(matches!(read_new_key(Some(&wrong)), Err(ServiceError::Invalid(_))), "{wrong}");
        }
    }

    #[test]
    fn filters_are_read_and_wrong_ones_refused() {
        let list: RunList =
            Query::parse("status=failed&error=timeout&trigger=on_create&since=2026-01-01T00:00:00Z").unwrap();
        assert_eq!(list.filter.status, Some(RunStatus::Failed));
        assert_eq!(list.filter.error, Some(FailureCode::Timeout));
        assert!(list.filter.since.is_some() && list.filter.until.is_none());
        for wrong in
            ["status=done", "case=1", "error=oops", "trigger=Manual", "until=today", "field=A", "batch="]
        {
            assert!(Query::parse::<RunList>(wrong).is_err(), "{wrong}");
        }
    }
}
