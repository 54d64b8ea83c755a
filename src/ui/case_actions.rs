//! What buttons of a case's page do: refresh a field or several, clear an override, delete.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::web::{Data, Path};
use askama::Template;
use serde_json::{Map, Value};

use super::case_address::{Asked, Here, card_anchor};
use super::case_cards::{InputForm, Open};
use super::case_detail::{is_stale, page};
use super::digits;
use super::frame::{self, Frame, Place};
use super::posted::{Form, Posted};
use super::refusal::Refusal;
use super::visitor::Visitor;
use super::words::case as w;
use crate::domain::data::DataPath;
use crate::domain::expected::Expected;
use crate::domain::ids::{CaseId, FieldKey};
use crate::domain::run::{FieldState, FieldStatus};
use crate::domain::token::Role;
use crate::service::{RefreshRequest, ServiceError, Services};

/// `POST /cases/{id}/fields/{key}/refresh`, with `force`, `overwrite` and `input`.
pub async fn refresh(
    services: Data<Services>,
    path: Path<(CaseId, FieldKey)>,
    posted: Posted,
) -> Result<HttpResponse, Refusal> {
    let (visitor, form) = (&posted.visitor, &posted.form);
    visitor.require(Role::Operator)?;
    let (id, field) = path.into_inner();
    let asked = Asked::of_form(form);
    let input = match input(form) {
        Ok(input) => input,
        Err(wrong) => {
            let view = services.cases.get(&visitor.actor, id).await?;
            let typed = InputForm {
                text: form.get("input").unwrap_or_default().to_owned(),
                force: form.ticked("force"),
                wrong: Some(wrong),
            };
            let refused = Some((StatusCode::UNPROCESSABLE_ENTITY, Open::Input(field, typed)));
            return page(&services, visitor, &view, &asked, refused).await;
        }
    };
    let request = RefreshRequest {
        input,
        force: form.ticked("force"),
        overwrite: form.ticked("overwrite"),
        ..RefreshRequest::default()
    };
    services.fields.refresh(&visitor.actor, id, &field, request).await?;
    // The card says what became of it.
    Ok(to(Here::new(id, &asked).page(&[], &card_anchor(field.as_str()))))
}

/// What was typed as input; nothing typed is none. The error is a sentence.
fn input(form: &Form) -> Result<Option<Map<String, Value>>, String> {
    let Some(text) = form.text("input") else { return Ok(None) };
    let input = serde_json::from_str(text).map_err(|_| w::INPUT_WRONG.to_owned())?;
    digits::inexact(text).map_or(Ok(Some(input)), |lost| Err(w::not_exact(lost)))
}

/// `POST /cases/{id}/refresh`: `which` is `stale`, `failed` or `all`.
pub async fn refresh_all(
    services: Data<Services>,
    id: Path<CaseId>,
    posted: Posted,
) -> Result<HttpResponse, Refusal> {
    let visitor = &posted.visitor;
    visitor.require(Role::Operator)?;
    let here = Here::new(*id, &Asked::of_form(&posted.form));
    let wanted: Option<fn(&FieldState) -> bool> = match posted.form.get("which") {
        Some("stale") => Some(is_stale),
        Some("failed") => Some(|state| state.status == FieldStatus::Failed),
        _ => None,
    };
    let mut request = RefreshRequest::default();
    if let Some(wanted) = wanted {
        let view = services.cases.get(&visitor.actor, *id).await?;
        let fields = view.fields.into_iter().filter(|(_, state)| wanted(state));
        let fields: Vec<FieldKey> = fields.map(|(key, _)| key).collect();
        if fields.is_empty() {
            return Ok(back(&here, "none", ""));
        }
        request.fields = Some(fields);
    }
    let runs = services.fields.refresh_all(&visitor.actor, *id, request).await?;
    Ok(back(&here, if runs.is_empty() { "none" } else { "all-queued" }, ""))
}

/// `POST /cases/{id}/overrides/{path}/clear`.
pub async fn clear_override(
    services: Data<Services>,
    path: Path<(CaseId, String)>,
    posted: Posted,
) -> Result<HttpResponse, Refusal> {
    posted.visitor.require(Role::Operator)?;
    let (id, path) = path.into_inner();
    let path = DataPath::parse_exact(&path).map_err(|_| Refusal::not_found())?;
    services.cases.clear_override(&posted.visitor.actor, id, &path, Expected::Anything).await?;
    let field = posted.form.text("field").unwrap_or_default().to_owned();
    Ok(back(&Here::new(id, &Asked::of_form(&posted.form)), "cleared", &card_anchor(&field)))
}

#[derive(Template)]
#[template(path = "case_delete.html")]
struct DeletePage {
    frame: Frame,
    here: Here,
    title: String,
    reference: Option<String>,
}

/// `GET /cases/{id}/delete`: asks once more.
pub async fn ask_delete(
    services: Data<Services>,
    visitor: Visitor,
    id: Path<CaseId>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    visitor.require(Role::Operator)?;
    let case = services.cases.get(&visitor.actor, *id).await?.case;
    let here = Here::new(*id, &Asked::parse(request.query_string()));
    let frame = visitor.frame(Place::Cases, w::DELETE_TITLE);
    let title = case.title.unwrap_or_else(|| w::NO_TITLE.to_owned());
    Ok(frame::page(&DeletePage { frame, here, title, reference: case.reference }))
}

/// `POST /cases/{id}/delete`.
pub async fn delete(
    services: Data<Services>,
    id: Path<CaseId>,
    posted: Posted,
) -> Result<HttpResponse, Refusal> {
    posted.visitor.require(Role::Operator)?;
    services.cases.delete(&posted.visitor.actor, *id, Expected::Anything).await?;
    let list = Here::new(*id, &Asked::of_form(&posted.form)).list();
    Ok(to(list))
}

/// `GET /cases/{id}/data?path=`: the whole of a value as JSON, or of all data.
pub async fn data(
    services: Data<Services>,
    visitor: Visitor,
    id: Path<CaseId>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let view = services.cases.get(&visitor.actor, *id).await?;
    let query = url::form_urlencoded::parse(request.query_string().as_bytes());
    let path = query.filter(|(name, _)| name == "path").map(|(_, path)| path.into_owned()).last();
    let all = Value::Object(view.data);
    let found = match path.filter(|path| !path.is_empty()) {
        None => Some(&all),
        Some(path) => {
            let path = DataPath::parse_exact(&path).map_err(|_| Refusal::not_found())?;
            crate::domain::data::get(&all, &path)
        }
    };
    let found = found.ok_or(ServiceError::NotFound("value"))?;
    let text = serde_json::to_string_pretty(found).unwrap_or_default();
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json; charset=utf-8")).body(text))
}

fn back(here: &Here, done: &str, anchor: &str) -> HttpResponse {
    to(here.page(&[("done", done)], anchor))
}

fn to(place: String) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, place)).finish()
}
