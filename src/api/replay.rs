//! How a repeated request is answered: with the first status, and the thing as it is now.
//!
//! Where the thing is says what it looks like; a kept location that has no arm here is a bug.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::json;

use super::error::{ApiError, Code, IDEMPOTENT_REPLAYED};
use super::extract::Wait;
use super::present::person::PersonView;
use super::present::run::RunView;
use super::present::schedule::ScheduleAnswer;
use super::{case_types, cases, connections};
use crate::domain::ids::{CaseId, CaseTypeKey, ConnectionKey, PersonId, RunId, ScheduleId};
use crate::domain::once::Kept;
use crate::domain::run::Run;
use crate::service::{Actor, Services};

/// Answers what the first request came to.
pub(super) async fn answer(
    services: &Services,
    actor: &Actor,
    kept: &Kept,
    wait: Wait,
) -> Result<HttpResponse, ApiError> {
    if let Some(code) = &kept.code {
        return Err(refused_again(kept.status, code));
    }
    wait_for(services, actor, kept, wait).await?;
    let status = StatusCode::from_u16(kept.status).map_err(|_| ApiError::internal("no such status"))?;
    let mut answer = HttpResponse::build(status);
    answer.insert_header((IDEMPOTENT_REPLAYED, "true"));
    wait.apply(&mut answer);
    let Some(location) = &kept.location else { return all_runs(answer, services, actor, &kept.runs).await };
    answer.insert_header((header::LOCATION, location.as_str()));
    thing(answer, services, actor, location).await
}

/// A request that waits gets its replay when the runs of the first one have ended.
async fn wait_for(services: &Services, actor: &Actor, kept: &Kept, wait: Wait) -> Result<(), ApiError> {
    let (Some(until), Some(first)) = (wait.until(&*services.clock), kept.runs.first()) else { return Ok(()) };
    let run = run(services, actor, *first).await?;
    Ok(services.cases.wait_for_runs(actor, run.case_id, &kept.runs, until).await?)
}

async fn thing(
    mut answer: HttpResponseBuilder,
    services: &Services,
    actor: &Actor,
    location: &str,
) -> Result<HttpResponse, ApiError> {
    let unknown = || ApiError::internal(format!("a key was kept for `{location}`, which no replay knows"));
    let (kind, name) = location.trim_start_matches("/v1/").split_once('/').ok_or_else(unknown)?;
    match kind {
        "cases" => {
            let id = name.parse::<CaseId>().map_err(|_| unknown())?;
            Ok(cases::present(answer, services.cases.get(actor, id).await?))
        }
        "case-types" => {
            let key = name.parse::<CaseTypeKey>().map_err(|_| unknown())?;
            Ok(case_types::present(answer, services.case_types.get(actor, &key).await?))
        }
        "connections" => {
            let key = name.parse::<ConnectionKey>().map_err(|_| unknown())?;
            Ok(connections::present(answer, services.connections.get(actor, &key).await?))
        }
        "people" => {
            let id = name.parse::<PersonId>().map_err(|_| unknown())?;
            Ok(answer.json(PersonView::from(&services.people.get(actor, id).await?)))
        }
        "runs" => {
            let id = name.parse::<RunId>().map_err(|_| unknown())?;
            Ok(answer.json(RunView::from(&run(services, actor, id).await?)))
        }
        "schedules" => {
            let id = name.parse::<ScheduleId>().map_err(|_| unknown())?;
            Ok(answer.json(ScheduleAnswer::from(&services.schedules.get(actor, id).await?)))
        }
        "tokens" => Err(shown_once(name)),
        _ => Err(unknown()),
    }
}

async fn all_runs(
    mut answer: HttpResponseBuilder,
    services: &Services,
    actor: &Actor,
    ids: &[RunId],
) -> Result<HttpResponse, ApiError> {
    let mut runs = Vec::with_capacity(ids.len());
    for id in ids {
        runs.push(RunView::from(&run(services, actor, *id).await?));
    }
    Ok(answer.json(json!({"runs": runs})))
}

async fn run(services: &Services, actor: &Actor, id: RunId) -> Result<Run, ApiError> {
    Ok(services.runs.get(actor, id).await?.0)
}

fn refused_again(status: u16, code: &str) -> ApiError {
    let Some(code) = Code::parse(code) else {
        return ApiError::internal(format!("a refusal was kept with the code `{code}`"));
    };
    let detail = format!(
        "The first request with this key was refused with {status} `{}`, and nothing was done. Send a corrected \
         one under a new key.",
        code.as_str()
    );
    ApiError::new(code, detail).replayed()
}

fn shown_once(id: &str) -> ApiError {
    let detail = format!(
        "The first request with this key made the token {id}, and its answer was the only one that shows it. If \
         that answer is lost, delete the token and make another one under a new key."
    );
    ApiError::new(Code::AlreadyExists, detail).replayed()
}
