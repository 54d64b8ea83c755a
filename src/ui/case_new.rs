//! A new case: a form by the plain fields of its type.
//!
//! What is refused is shown again as it was typed, with the sentence beside its input. The form
//! carries a key, so that sending it twice makes one case.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Query};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;
use tracing_actix_web::RequestId;

use super::case_inputs::Look;
use super::case_new_form::NewCaseForm;
use super::case_room::PAGE;
use super::frame::{Frame, Place, page, sent, written_page};
use super::posted::Posted;
use super::refusal::Refusal;
use super::value::cut;
use super::visitor::Visitor;
use super::words::{case as words, case_new as w};
use crate::domain::ids::TokenId;
use crate::domain::once::{Kept, Once, is_key};
use crate::domain::problem::Problem;
use crate::domain::token::Role;
use crate::domain::trigger::Trigger;
use crate::service::{Actor, Plan, ServiceError, Services, problems_of_new};

/// The address of the form, and the path that its keys belong to.
const PATH: &str = "/cases/new";

/// Fields that are named as those that run.
const MOST_RUNS: usize = 20;

/// The query.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(rename = "type")]
    case_type: Option<String>,
}

#[derive(Template)]
#[template(path = "case_new.html")]
struct NewCasePage<'a> {
    frame: &'a Frame,
    name: &'a str,
    key: &'a str,
    once: String,
    form: NewCaseForm,
    /// The fields that run as soon as the case is there.
    runs: Vec<String>,
    several: bool,
}

#[derive(Template)]
#[template(path = "case_new_type.html")]
struct ChooseTypePage<'a> {
    frame: &'a Frame,
    plans: &'a [Arc<Plan>],
}

/// `GET /cases/new`: the form, or which type it is to be of.
pub async fn show(
    services: Data<Services>,
    visitor: Visitor,
    asked: Query<Asked>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    visitor.require(Role::Operator)?;
    let mut plans = services.plans.all_current(visitor.actor.workspace).await?;
    let wanted = asked.case_type.as_deref().filter(|key| !key.is_empty());
    let found = match (wanted, plans.as_slice()) {
        (None, [only]) => Some(only),
        // The list says what to do first.
        (None, []) => return Err(Refusal::elsewhere("/cases")),
        (None, _) => None,
        (Some(key), plans) => Some(known(plans, key)?),
    };
    if let Some(plan) = found {
        let form = NewCaseForm::new(&plan.case_type);
        return shown(&visitor, plan, form, &request, plans.len() > 1, StatusCode::OK);
    }
    plans.sort_by_key(|plan| plan.case_type.name.to_lowercase());
    Ok(page(&ChooseTypePage { frame: &visitor.frame(Place::Cases, w::TITLE), plans: &plans }))
}

fn known<'a>(plans: &'a [Arc<Plan>], key: &str) -> Result<&'a Arc<Plan>, Refusal> {
    plans.iter().find(|plan| plan.key.as_str() == key).ok_or_else(Refusal::not_found)
}

fn shown(
    visitor: &Visitor,
    plan: &Plan,
    mut form: NewCaseForm,
    request: &HttpRequest,
    several: bool,
    status: StatusCode,
) -> Result<HttpResponse, Refusal> {
    form.fit();
    let calls = plan.case_type.fields.iter().filter(|field| {
        field.api_call().is_some_and(|call| call.enabled && call.fires_on(Trigger::OnCreate))
    });
    let mut runs: Vec<String> = calls.map(|field| cut(&field.name, 80)).collect();
    if let Some(more) = runs.len().checked_sub(MOST_RUNS).filter(|more| *more > 0) {
        runs.truncate(MOST_RUNS);
        runs.push(words::more(more));
    }
    let frame = visitor.frame(Place::Cases, w::TITLE);
    let (name, key) = (plan.case_type.name.as_str(), plan.key.as_str());
    let page = NewCasePage { frame: &frame, name, key, once: fresh_key(request), form, runs, several };
    let html = written_page(&page);
    if html.len() > PAGE {
        return Err(Refusal::too_large(words::TYPED_TOO_LARGE, page.form.problems()));
    }
    Ok(sent(status, html))
}

/// Different on every page that is sent.
fn fresh_key(request: &HttpRequest) -> String {
    request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default()
}

/// `POST /cases/new`.
pub async fn create(
    services: Data<Services>,
    posted: Posted,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let visitor = &posted.visitor;
    visitor.require(Role::Operator)?;
    let plans = services.plans.all_current(visitor.actor.workspace).await?;
    let plan = known(&plans, posted.form.get("type").unwrap_or_default())?;
    let (mut form, body) = NewCaseForm::read(&plan.case_type, &posted.form);
    if form.sentence.is_some() {
        // What else is wrong is told at once, not in another round.
        form.blame(&problems_of_new(&plan.case_type, &body));
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return shown(visitor, plan, form, &request, plans.len() > 1, status);
    }
    let key = posted.form.get("once").filter(|key| is_key(key));
    let once = key.and_then(|key| once(&services, &visitor.actor, key, body.to_string().as_bytes()));
    match made(&services, &visitor.actor, &body, once).await {
        Ok(url) => Ok(HttpResponse::SeeOther().insert_header((LOCATION, url)).finish()),
        Err(error) => {
            let status = blame(&mut form, error, &problems_of_new(&plan.case_type, &body))?;
            shown(visitor, plan, form, &request, plans.len() > 1, status)
        }
    }
}

fn once(services: &Services, actor: &Actor, key: &str, body: &[u8]) -> Option<Once> {
    // Keys are kept by token; a person has none, and no token has the id of a person.
    let token = actor.token().or_else(|| actor.person().map(|person| TokenId(person.0)))?;
    Some(services.keys.request(actor.workspace, token, (format!("POST {PATH}"), key.to_owned()), body))
}

/// Where the case stands that this form has made, now or before.
async fn made(
    services: &Services,
    actor: &Actor,
    body: &serde_json::Value,
    once: Option<Once>,
) -> Result<String, ServiceError> {
    let before = match &once {
        Some(once) => services.keys.find(once).await?.and_then(|kept| place(&kept)),
        None => None,
    };
    if let Some(url) = before {
        return Ok(url);
    }
    match services.cases.create(actor, body, once).await {
        Ok((view, _)) => Ok(format!("/cases/{}", view.case.id)),
        Err(ServiceError::Repeated(kept)) => place(&kept).ok_or(ServiceError::Repeated(kept)),
        Err(error) => Err(error),
    }
}

/// The page of what the API knows under its own address.
fn place(kept: &Kept) -> Option<String> {
    kept.location.as_deref()?.strip_prefix("/v1").map(str::to_owned)
}

/// What a person can mend stands in the form; all else is a page of its own.
fn blame(form: &mut NewCaseForm, error: ServiceError, all: &[Problem]) -> Result<StatusCode, Refusal> {
    match error {
        // A title that is refused hides what is wrong with the data.
        ServiceError::Invalid(problems) => form.blame(if all.is_empty() { &problems } else { all }),
        ServiceError::AlreadyExists(detail) => {
            form.blame(&[Problem::new("/reference", "already_exists", detail)]);
        }
        ServiceError::TooLarge(detail) => form.wrong.push(words::does_not_fit(&detail)),
        ServiceError::KeyReused => form.sentence = Some(w::REUSED),
        other => return Err(other.into()),
    }
    Ok(StatusCode::UNPROCESSABLE_ENTITY)
}
