//! Schedules: when the fields that have one run next, and what their last tick did.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, Path};

use super::action::NoMembers;
use super::error::ApiError;
use super::extract::{Builder, Caller, Operator, Viewer};
use super::list;
use super::once::IdempotencyKey;
use super::present::schedule::ScheduleAnswer;
use super::query::{NoParameters, Parameters, Params, Query};
use crate::domain::ids::ScheduleId;
use crate::service::{PageRequest, Services};
use crate::store::ScheduleFilter;

/// Which schedules are listed.
pub struct ScheduleList {
    filter: ScheduleFilter,
    page: PageRequest,
}

impl Parameters for ScheduleList {
    fn read(query: &mut Query) -> Self {
        Self {
            filter: ScheduleFilter { case_type: query.key("case_type"), field: query.key("field") },
            page: PageRequest::read(query),
        }
    }
}

/// The schedules of the workspace, oldest first.
pub async fn list(
    services: Data<Services>,
    caller: Caller<Viewer>,
    list: Params<ScheduleList>,
) -> Result<HttpResponse, ApiError> {
    let ScheduleList { filter, page } = list.0;
    let page = services.schedules.list(&caller, filter, page).await?;
    Ok(list::answer(page, |schedule| ScheduleAnswer::from(&schedule)))
}

/// One schedule.
pub async fn get(
    services: Data<Services>,
    caller: Caller<Viewer>,
    path: Path<ScheduleId>,
    _: Params<NoParameters>,
) -> Result<HttpResponse, ApiError> {
    let schedule = services.schedules.get(&caller, *path).await?;
    Ok(HttpResponse::Ok().json(ScheduleAnswer::from(&schedule)))
}

/// Fires all matching cases now. Answers 202: pages of cases follow.
pub async fn run(
    services: Data<Services>,
    caller: Caller<Operator>,
    path: Path<ScheduleId>,
    _: Params<NoParameters>,
    key: IdempotencyKey,
    _: NoMembers,
) -> Result<HttpResponse, ApiError> {
    let schedule = services.schedules.run(&caller, *path, key.0).await?;
    let location = (header::LOCATION, format!("/v1/schedules/{}", schedule.row.id));
    Ok(HttpResponse::Accepted().insert_header(location).json(ScheduleAnswer::from(&schedule)))
}

/// Holds a schedule until it is resumed.
pub async fn pause(
    services: Data<Services>,
    caller: Caller<Builder>,
    path: Path<ScheduleId>,
    _: Params<NoParameters>,
    key: IdempotencyKey,
    _: NoMembers,
) -> Result<HttpResponse, ApiError> {
    let schedule = services.schedules.pause(&caller, *path, key.0).await?;
    Ok(HttpResponse::Ok().json(ScheduleAnswer::from(&schedule)))
}

/// Lets a schedule go on.
pub async fn resume(
    services: Data<Services>,
    caller: Caller<Builder>,
    path: Path<ScheduleId>,
    _: Params<NoParameters>,
    key: IdempotencyKey,
    _: NoMembers,
) -> Result<HttpResponse, ApiError> {
    let schedule = services.schedules.resume(&caller, *path, key.0).await?;
    Ok(HttpResponse::Ok().json(ScheduleAnswer::from(&schedule)))
}
