//! Refreshing API Call fields: queues runs, and waits for them when asked to.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::{Value, json};

use super::body::OptionalJson;
use super::error::ApiError;
use super::extract::{Caller, Operator, Wait};
use super::once::IdempotencyKey;
use super::present::run::RunView;
use super::query::{NoParameters, Params};
use crate::domain::case_type::findings::Findings;
use crate::domain::case_type::reader::{Reader, refuse_nul};
use crate::domain::clock::Instant;
use crate::domain::ids::{CaseId, FieldKey, KEY_RULE, RunId};
use crate::domain::problem::{code, join};
use crate::domain::run::Run;
use crate::service::{Actor, RefreshRequest, ServiceError, Services};

/// Refreshes one field now. Answers 202 and the run to follow, or, with `Prefer: wait=N`,
/// 200 and the run once it has ended.
pub async fn refresh(
    services: Data<Services>,
    caller: Caller<Operator>,
    path: Path<(CaseId, FieldKey)>,
    _: Params<NoParameters>,
    wait: Wait,
    key: IdempotencyKey,
    body: OptionalJson,
) -> Result<HttpResponse, ApiError> {
    let (case, field) = path.into_inner();
    let request = RefreshRequest { once: key.0, ..read(body.0.as_ref(), Several::No)? };
    let run = services.fields.refresh(&caller, case, &field, request).await?;
    let (runs, wait) = waited(&services, &caller, case, vec![run], wait).await?;
    let mut answer = accepted_or_done(wait, &runs);
    for run in &runs {
        answer.insert_header((header::LOCATION, format!("/v1/runs/{}", run.id)));
    }
    Ok(answer.json(runs.first().map(RunView::from)))
}

/// Refreshes several fields of a case, or all of them, in the same way.
pub async fn refresh_all(
    services: Data<Services>,
    caller: Caller<Operator>,
    path: Path<CaseId>,
    _: Params<NoParameters>,
    wait: Wait,
    key: IdempotencyKey,
    body: OptionalJson,
) -> Result<HttpResponse, ApiError> {
    let request = RefreshRequest { once: key.0, ..read(body.0.as_ref(), Several::Yes)? };
    let runs = services.fields.refresh_all(&caller, *path, request).await?;
    let (runs, wait) = waited(&services, &caller, *path, runs, wait).await?;
    let views: Vec<RunView> = runs.iter().map(RunView::from).collect();
    Ok(accepted_or_done(wait, &runs).json(json!({"runs": views})))
}

/// The runs as they are after the wait, and the wait that was applied.
async fn waited(
    services: &Services,
    actor: &Actor,
    case: CaseId,
    runs: Vec<Run>,
    wait: Wait,
) -> Result<(Vec<Run>, Wait), ServiceError> {
    let Some(until) = wait.until(&*services.clock) else { return Ok((runs, wait)) };
    let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
    let waited = ended(services, actor, (case, ids), until).await;
    wait.after(runs, waited)
}

async fn ended(
    services: &Services,
    actor: &Actor,
    (case, ids): (CaseId, Vec<RunId>),
    until: Instant,
) -> Result<Vec<Run>, ServiceError> {
    services.cases.wait_for_runs(actor, case, &ids, until).await?;
    let mut after = Vec::with_capacity(ids.len());
    for id in ids {
        after.push(services.runs.get(actor, id).await?.0);
    }
    Ok(after)
}

fn accepted_or_done(wait: Wait, runs: &[Run]) -> HttpResponseBuilder {
    let done = wait.is_asked() && runs.iter().all(|run| run.status.is_ended());
    let mut answer = if done { HttpResponse::Ok() } else { HttpResponse::Accepted() };
    wait.apply(&mut answer);
    answer
}

/// Most fields that one refresh can name; a case type has no more.
const MOST_FIELDS: usize = 200;

/// Whether a body may name fields.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Several {
    Yes,
    No,
}

fn read(body: Option<&Value>, several: Several) -> Result<RefreshRequest, ServiceError> {
    let Some(body) = body else { return Ok(RefreshRequest::default()) };
    let mut findings = Findings::default();
    refuse_nul(body, "", &mut findings);
    let request = Reader::open(body, "", &mut findings).map(|mut reader| {
        let request = RefreshRequest {
            input: reader.object("input").cloned(),
            force: reader.flag("force").unwrap_or(false),
            overwrite: reader.flag("overwrite").unwrap_or(false),
            fields: if several == Several::Yes { named(&mut reader) } else { None },
            once: None,
        };
        reader.finish(|_| None);
        request
    });
    match request {
        Some(request) if findings.problems.is_empty() => Ok(request),
        _ => Err(ServiceError::Invalid(findings.problems)),
    }
}

fn named(reader: &mut Reader<'_, '_>) -> Option<Vec<FieldKey>> {
    let items = reader.list("fields", MOST_FIELDS)?;
    let at = reader.at("fields");
    let keys = items.iter().enumerate().filter_map(|(index, item)| {
        let key = item.as_str().and_then(|text| text.parse().ok());
        if key.is_none() {
            reader.findings.problem(
                join(&at, index),
                code::INVALID,
                format!("is not the key of a field: {KEY_RULE}"),
            );
        }
        key
    });
    Some(keys.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_needs_no_body() {
        for body in [None, Some(json!({})), Some(json!({"force": null, "input": null}))] {
            let request = read(body.as_ref(), Several::No).unwrap();
            assert!(!request.force && !request.overwrite && request.input.is_none());
        }
        let body = json!({"fields": ["a", "b"], "force": true, "input": {"x": 1}});
        let request = read(Some(&body), Several::Yes).unwrap();
        assert_eq!(request.fields.map(|fields| fields.len()), Some(2));
        assert!(request.force && request.input.is_some());
    }

    #[test]
    fn a_wrong_body_is_refused() {
        for body in [
            json!([]),
            json!({"fields": ["a"]}),
            json!({"input": 1}),
            json!({"force": "yes"}),
            json!({"frce": true}),
        ] {
            assert!(read(Some(&body), Several::No).is_err(), "{body}");
        }
        assert!(read(Some(&json!({"fields": ["A"]})), Several::Yes).is_err());
    }
}
