//! Runs: what was fetched when, why, and with what outcome.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};

use super::error::ApiError;
use super::extract::{Caller, Viewer};
use super::list;
use super::present::run::{RunDetail, RunView};
use super::query::{NoParameters, Parameters, Params, Query};
use crate::domain::failure::FailureCode;
use crate::domain::ids::{CaseId, RunId};
use crate::domain::run::RunStatus;
use crate::domain::trigger::Trigger;
use crate::service::{PageRequest, Services};
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
                since: query.instant("since"),
                until: query.instant("until"),
            },
            page: PageRequest::read(query),
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

#[cfg(test)]
mod tests {
    use super::*;

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
