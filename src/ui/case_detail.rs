//! The page of a case: can I trust this value, and if not, what now?

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::case_activity::{Activity, activity};
use super::case_address::{Asked, Here, Scope, list_query};
use super::case_cards::{Cards, InputForm};
use super::case_form::FormView;
use super::case_sections::{SectionView, least};
use super::case_values::{Room, Values};
use super::frame::{Frame, Place, answer};
use super::moment::Moment;
use super::refusal::Refusal;
use super::value::cut;
use super::visitor::Visitor;
use super::words::case as w;
use crate::domain::ids::{CaseId, FieldKey};
use crate::domain::run::{FieldState, FieldStatus};
use crate::domain::token::Role;
use crate::service::{CaseView, ServiceError, Services};

/// Bytes of values, cards and inputs; the rest of a page stays well below what is left of 200 KB.
const ROOM: usize = 140_000;

/// What stands at the top.
#[derive(Debug)]
struct Head {
    title: String,
    untitled: bool,
    reference: Option<String>,
    status: &'static str,
    custom_status: Option<String>,
    assignee: Option<String>,
    case_type: String,
    case_type_url: String,
    created: Moment,
    updated: Moment,
    previous: Option<String>,
    next: Option<String>,
    stale: usize,
    failed: usize,
    edit: String,
    form: Option<FormView>,
}

#[derive(Template)]
#[template(path = "case_detail.html")]
struct CasePage {
    frame: Frame,
    here: Here,
    head: Head,
    sections: Vec<SectionView>,
    activity: Activity,
    /// A form is open: Escape leaves it, not the page.
    editing: bool,
}

/// What was refused, to be shown in the page with what was typed.
#[derive(Debug)]
pub enum Refused {
    /// A form over a part of the case.
    Form(FormView),
    /// A run with input.
    Input(FieldKey, InputForm),
}

/// `GET /cases/{id}`.
pub async fn show(
    services: Data<Services>,
    visitor: Visitor,
    id: Path<CaseId>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let asked = Asked::parse(request.query_string());
    if asked.edit.is_some() || asked.input.is_some() {
        visitor.require(Role::Operator)?;
    }
    let view = services.cases.get(&visitor.actor, *id).await?;
    page(&services, &visitor, &view, &asked, None).await
}

/// The page, as it is now; with what was refused in it.
pub async fn page(
    services: &Services,
    visitor: &Visitor,
    view: &CaseView,
    asked: &Asked,
    refused: Option<(StatusCode, Refused)>,
) -> Result<HttpResponse, Refusal> {
    let plan = services.plans.version(view.case.case_type_id, view.case_type_version).await?;
    let plan = plan.ok_or(ServiceError::NotFound("case"))?;
    let here = Here::new(view.case.id, asked);
    let values = Values::new(view, &plan.case_type, services.clock.now());
    let works = visitor.actor.role.allows(Role::Operator);
    let mut room = Room::new(ROOM, least(&plan.case_type));
    let mut head = head(services, visitor, &values, &here).await?;
    if works && asked.edit == Some(Scope::Case) {
        head.form = FormView::fresh(&values, &Scope::Case, asked.at.as_deref(), &mut room);
    }
    let mut sections = Cards { values: &values, here: &here, asked, works }.sections(&mut room);
    let mut status = StatusCode::OK;
    if let Some((code, refused)) = refused {
        status = code;
        put(refused, &mut head, &mut sections);
    }
    let activity = activity(services, &visitor.actor, &values, &here).await?;
    let editing = asked.edit.is_some() || asked.input.is_some();
    let done = asked.done.as_deref().and_then(w::done);
    let frame = visitor.frame(Place::Cases, head.title.clone()).saying(done).hearing(here.below("/events"));
    Ok(answer(status, &CasePage { frame, here, head, sections, activity, editing }))
}

async fn head(
    services: &Services,
    visitor: &Visitor,
    values: &Values<'_>,
    here: &Here,
) -> Result<Head, Refusal> {
    let case = &values.view.case;
    let query = list_query(here.view.as_deref());
    let around = match services.cases.neighbours(&visitor.actor, query, case).await {
        // The list of that address is no list: its neighbours are those of all cases.
        Err(ServiceError::BadQuery(_) | ServiceError::FilterTooWide(_)) => {
            services.cases.neighbours(&visitor.actor, list_query(None), case).await
        }
        found => found,
    };
    let (previous, next) = around?;
    let count =
        |holds: fn(&FieldState) -> bool| values.view.fields.iter().filter(|(_, state)| holds(state)).count();
    let text = |text: &Option<String>| {
        text.as_deref().map(|text| cut(text, 200)).filter(|text| !text.trim().is_empty())
    };
    let title = case.title.as_deref().filter(|title| !title.trim().is_empty());
    Ok(Head {
        title: title.map_or_else(|| w::NO_TITLE.to_owned(), str::to_owned),
        untitled: title.is_none(),
        reference: text(&case.reference),
        status: w::status(case.status),
        custom_status: text(&case.custom_status),
        assignee: text(&case.assignee),
        case_type: values.case_type.name.clone(),
        case_type_url: format!("/case-types/{}", case.case_type),
        created: Moment::age(case.created_at, values.now),
        updated: Moment::age(case.updated_at, values.now),
        previous: previous.map(|id| here.other(id)),
        next: next.map(|id| here.other(id)),
        stale: count(is_stale),
        failed: count(|state| state.status == FieldStatus::Failed),
        edit: here.edit(&Scope::Case),
        form: None,
    })
}

/// Whether a refresh of what is stale means this field: something that waits is on its way.
pub fn is_stale(state: &FieldState) -> bool {
    let idle = matches!(state.status, FieldStatus::Succeeded | FieldStatus::Failed | FieldStatus::Skipped);
    state.stale && idle
}

/// Puts what was refused where it was typed.
fn put(refused: Refused, head: &mut Head, sections: &mut [SectionView]) {
    let mut cards = sections.iter_mut().flat_map(|section| &mut section.cards);
    match refused {
        Refused::Input(field, form) => {
            if let Some(card) = cards.find(|card| card.key == field.as_str()) {
                card.hidden = false;
                card.input = Some(form);
            }
        }
        Refused::Form(form) => match &form.scope {
            Scope::Case => head.form = Some(form),
            Scope::Field(field) => {
                if let Some(card) = cards.find(|card| card.key == field.as_str()) {
                    card.hidden = false;
                    card.form = Some(form);
                }
            }
            Scope::Section(_) | Scope::Additional => {
                let anchor = form.scope.anchor();
                if let Some(section) = sections.iter_mut().find(|section| section.anchor == anchor) {
                    section.values.clear();
                    section.edit = None;
                    section.form = Some(form);
                }
            }
        },
    }
}
