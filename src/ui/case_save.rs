//! Saves what somebody changed in a form of a case: only what they typed, and never over what
//! somebody else has changed meanwhile without asking.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path};
use serde_json::Value;

use super::case_address::{Asked, Here, Scope};
use super::case_cards::Open;
use super::case_detail::page;
use super::case_form::FormView;
use super::case_values::Values;
use super::posted::Posted;
use super::refusal::Refusal;
use super::words::case as w;
use crate::domain::expected::Expected;
use crate::domain::ids::CaseId;
use crate::domain::problem::Problem;
use crate::domain::token::Role;
use crate::service::{CaseView, ServiceError, Services};

/// How often a change is laid over a case that somebody else changes at the same moment.
const TRIES: usize = 5;

/// `POST /cases/{id}`.
pub async fn save(
    services: Data<Services>,
    id: Path<CaseId>,
    posted: Posted,
) -> Result<HttpResponse, Refusal> {
    let visitor = &posted.visitor;
    visitor.require(Role::Operator)?;
    let scope = posted.form.get("scope").and_then(Scope::parse).ok_or_else(Refusal::not_found)?;
    let asked = Asked { edit: Some(scope.clone()), ..Asked::of_form(&posted.form) };
    let mut last = None;
    for _ in 0..TRIES {
        let view = services.cases.get(&visitor.actor, *id).await?;
        let (mut form, read) = read(&services, &view, &scope, &posted).await?;
        if read.wrong || read.conflict {
            let status = if read.conflict { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
            return page(&services, visitor, &view, &asked, Some((status, Open::Form(form)))).await;
        }
        if read.patch.is_empty() {
            return Ok(back(&Here::new(*id, &asked), "unchanged", &scope));
        }
        let expected = Expected::OneOf(vec![view.case.version]);
        let patch = Value::Object(read.patch);
        match services.cases.patch(&visitor.actor, *id, &patch, true, expected).await {
            Ok(_) => return Ok(back(&Here::new(*id, &asked), "saved", &scope)),
            Err(ServiceError::VersionMismatch { .. }) => last = Some((view, form)),
            Err(error) => {
                blame(&mut form, error)?;
                let refused = Some((StatusCode::UNPROCESSABLE_ENTITY, Open::Form(form)));
                return page(&services, visitor, &view, &asked, refused).await;
            }
        }
    }
    let Some((view, mut form)) = last else { return Err(Refusal::not_found()) };
    form.sentence = Some(w::UNLUCKY);
    page(&services, visitor, &view, &asked, Some((StatusCode::CONFLICT, Open::Form(form)))).await
}

async fn read(
    services: &Services,
    view: &CaseView,
    scope: &Scope,
    posted: &Posted,
) -> Result<(FormView, super::case_form::Read), Refusal> {
    let plan = services.plans.version(view.case.case_type_id, view.case_type_version).await?;
    let plan = plan.ok_or(ServiceError::NotFound("case"))?;
    let values = Values::new(view, &plan.case_type, services.clock.now());
    Ok(FormView::read(&values, scope, &posted.form))
}

/// What a person can mend stands in the form; all else is a page of its own.
fn blame(form: &mut FormView, error: ServiceError) -> Result<(), Refusal> {
    match error {
        ServiceError::Invalid(problems) => form.blame(&problems),
        ServiceError::AlreadyExists(detail) => {
            form.blame(&[Problem::new("/reference", "already_exists", detail)]);
        }
        ServiceError::TooLarge(detail) => form.wrong.push(w::does_not_fit(&detail)),
        other => return Err(other.into()),
    }
    Ok(())
}

/// To the page, which says what was done.
fn back(here: &Here, done: &str, scope: &Scope) -> HttpResponse {
    let place = here.page(&[("done", done)], &scope.anchor());
    HttpResponse::SeeOther().insert_header((LOCATION, place)).finish()
}
