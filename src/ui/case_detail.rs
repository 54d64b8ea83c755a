//! The page of a case: can I trust this value, and if not, what now?

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::case_activity::{Activity, activity};
use super::case_address::{Asked, Here, Scope, list_query};
use super::case_cards::{Cards, InputForm, Open};
use super::case_form::FormView;
use super::case_room::{PAGE, ROOM, Room, written};
use super::case_sections::{SectionView, least, leave_alone};
use super::case_values::Values;
use super::frame::{Frame, Place, sent, written_page};
use super::moment::Moment;
use super::refusal::Refusal;
use super::value::cut;
use super::visitor::Visitor;
use super::words::case as w;
use crate::domain::ids::CaseId;
use crate::domain::problem::Problem;
use crate::domain::run::{FieldState, FieldStatus};
use crate::domain::token::Role;
use crate::service::{CaseView, ServiceError, Services};

/// Entries of the activity where there is no room.
const FEW: usize = 5;

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
    /// Nothing else is shown.
    alone: bool,
}

/// How a page is made: with so much room, and at last with the open form alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fill {
    Room(usize),
    Alone,
    Shrunk,
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

/// The page, as it is now; with what was refused in it, as it was typed.
pub async fn page(
    services: &Services,
    visitor: &Visitor,
    view: &CaseView,
    asked: &Asked,
    refused: Option<(StatusCode, Open)>,
) -> Result<HttpResponse, Refusal> {
    let plan = services.plans.version(view.case.case_type_id, view.case_type_version).await?;
    let plan = plan.ok_or(ServiceError::NotFound("case"))?;
    let here = Here::new(view.case.id, asked);
    let values = Values::new(view, &plan.case_type, services.clock.now());
    let works = visitor.actor.role.allows(Role::Operator);
    let (status, mut open) = match refused {
        Some((status, refused)) => (status, Some(refused)),
        None => (StatusCode::OK, opened(&values, asked).filter(|_| works)),
    };
    let head = head(services, visitor, &values, &here).await?;
    let activity = activity(services, &visitor.actor, &values, &here).await?;
    let done = asked.done.as_deref().and_then(w::done);
    let frame = visitor.frame(Place::Cases, head.title.clone()).saying(done).hearing(here.below("/events"));
    let editing = open.is_some();
    let mut page = CasePage { frame, here, head, sections: Vec::new(), activity, editing, alone: false };
    for fill in fills(open.as_ref(), least(&plan.case_type)) {
        if fill == Fill::Shrunk
            && let Some(Open::Form(form)) = &mut open
        {
            form.shrink();
        }
        if !matches!(fill, Fill::Room(1..)) {
            page.here.view = None;
            page.activity.entries.truncate(FEW);
        }
        let here = page.here.clone();
        let cards = Cards { values: &values, here: &here, asked, works, open: open.as_ref() };
        page.fill(&cards, fill, least(&plan.case_type));
        let html = written_page(&page);
        if html.len() <= PAGE {
            return Ok(sent(status, html));
        }
        tracing::debug!(?fill, bytes = html.len(), "the page of a case is made smaller");
    }
    Err(too_large(open.as_ref()))
}

/// The form that the address asks for.
fn opened(values: &Values<'_>, asked: &Asked) -> Option<Open> {
    let input = asked.input.clone().map(|field| Open::Input(field, InputForm::default()));
    let form = |scope| FormView::fresh(values, scope, asked.at.as_deref()).map(Open::Form);
    asked.edit.as_ref().and_then(form).or(input)
}

/// How a page is tried, one after the other, until it is no larger than it may be.
fn fills(open: Option<&Open>, least: usize) -> Vec<Fill> {
    let typed = match open {
        Some(Open::Form(form)) => form.weight(),
        Some(Open::Input(_, input)) => written(&input.text),
        None => 0,
    };
    let room = ROOM.saturating_sub(typed);
    let mut fills = vec![Fill::Room(room), Fill::Room(room * 2 / 3), Fill::Room(0)];
    // Where there is no room for the fields of the case even when they are written short.
    fills.retain(|_| typed + least <= PAGE || open.is_none());
    fills.extend([Fill::Alone, Fill::Shrunk].into_iter().filter(|_| open.is_some()));
    fills
}

/// What was typed cannot be shown again.
fn too_large(open: Option<&Open>) -> Refusal {
    let problems = match open {
        Some(Open::Form(form)) => form.problems(),
        Some(Open::Input(_, input)) => {
            input.wrong.iter().map(|why| Problem::new("", "refused", why.clone())).collect()
        }
        None => return Refusal::trouble("the page of a case is too large"),
    };
    Refusal::too_large(w::TYPED_TOO_LARGE, problems)
}

impl CasePage {
    fn fill(&mut self, cards: &Cards<'_>, fill: Fill, least: usize) {
        let bytes = if let Fill::Room(bytes) = fill { bytes } else { 0 };
        self.sections = cards.sections(&mut Room::new(bytes, least));
        self.head.form = match cards.open {
            Some(Open::Form(form)) if form.scope == Scope::Case => Some(form.clone()),
            _ => None,
        };
        self.alone = !matches!(fill, Fill::Room(_));
        if self.alone {
            leave_alone(&mut self.sections);
        }
    }
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
