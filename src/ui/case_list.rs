//! The list of cases: a table with chosen columns, how its fields stand, and filters.
//!
//! The address is the view (`list_query.rs`); the page is made of one list, one summary and what is
//! remembered of the case types. Refreshing a row comes back to the very same view.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::case_bars::{Bars, Counts};
use super::case_cells::{Cell, Row, Types, is_stale};
use super::case_columns::{Column, Columns, MOST};
use super::case_room::PAGE;
use super::frame::{Frame, Place, page, sent, written_page};
use super::list_chips::{Chip, chips};
use super::list_page::{Counting, ListPage};
use super::list_query::{ALL_TYPES, ListQuery, Spot};
use super::posted::Posted;
use super::refusal::Refusal;
use super::session::by_itself;
use super::visitor::Visitor;
use super::words::{case as words, case_list as w};
use crate::domain::case::CaseStatus;
use crate::domain::case_type::CaseType;
use crate::domain::clock::Instant;
use crate::domain::ids::CaseId;
use crate::domain::run::FieldStatus;
use crate::domain::token::Role;
use crate::service::{Plan, RefreshRequest, Services};
use crate::store::CaseSort;

/// Where the list hears that something has changed.
const EVENTS: &str = "/cases/events";

/// Rows of a page that has no room for more, even with nothing beside them.
const FEW_ROWS: u64 = 10;

/// Bars of a page that has no room for all.
const FEW_BARS: usize = 3;

/// Types that stand side by side; more are a menu.
const TABS: usize = 6;

/// What is asked beside the view.
#[derive(Debug, Deserialize)]
pub struct Asked {
    /// What a form before this page has done.
    done: Option<String>,
    /// Whether the counts are waited for (`awaited`).
    counts: Option<String>,
}

impl Asked {
    fn says(&self) -> Option<&'static str> {
        match self.done.as_deref()? {
            "refreshed" => Some(w::DONE_REFRESHED),
            "nothing" => Some(w::DONE_NOTHING),
            _ => None,
        }
    }
}

#[derive(Template)]
#[template(path = "case_list.html")]
struct CaseListPage<'a> {
    frame: &'a Frame,
    view: &'a ListQuery,
    tabs: Vec<Tab>,
    bars: Bars,
    columns: &'a Columns<'a>,
    heads: Vec<Head>,
    /// The heads of the cells beside the reference, where rows stand as cards.
    labels: Vec<String>,
    statuses: Vec<(&'static str, &'static str, bool)>,
    chips: Vec<Chip>,
    rows: Vec<Row>,
    list: ListPage,
    new_url: String,
    /// Whether there is anything to refresh for whoever looks.
    refreshes: bool,
}

/// A case type to choose.
struct Tab {
    name: String,
    url: String,
    here: bool,
}

/// The head of a column.
struct Head {
    name: String,
    number: bool,
    /// Where a click leads, and how the column is sorted now.
    sort: Option<(String, Option<&'static str>)>,
}

impl Head {
    /// Whether a narrow column may cut it.
    fn is_long(&self) -> bool {
        self.name.chars().nth(16).is_some()
    }
}

#[derive(Template)]
#[template(path = "case_list_empty.html")]
struct NoTypesPage<'a> {
    frame: &'a Frame,
}

/// `GET /cases`.
pub async fn list(
    services: Data<Services>,
    visitor: Visitor,
    asked: Query<Asked>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let mut view = ListQuery::parse(request.query_string())?;
    let frame = visitor.frame(Place::Cases, w::TITLE).saying(asked.says());
    let mut plans = services.plans.all_current(visitor.actor.workspace).await?;
    if plans.is_empty() {
        return Ok(page(&NoTypesPage { frame: &frame }));
    }
    plans.sort_by_key(|plan| plan.case_type.name.to_lowercase());
    let plan = chosen(&plans, &mut view)?;
    let case_type = plan.map(|plan| &*plan.case_type);
    let columns = Columns::new(case_type, view.cols.as_deref());
    let key = plan.map(|plan| &plan.key);
    let title = case_type.map_or(w::TITLE, |case_type| &case_type.name);
    let frame = &frame.titled(title).hearing(EVENTS);
    let around = Around { frame, plans: &plans, case_type, columns: &columns, view: &view };
    let (mut rows, counting) = (columns.rows(), counting(&request, &asked));
    loop {
        let (list, counts) = ListPage::of(&services, &visitor.actor, key, &view, rows, counting).await?;
        let html = around.page(list, counts.as_ref(), services.clock.now()).written();
        if html.len() <= PAGE || rows == FEW_ROWS {
            return Ok(sent(StatusCode::OK, html));
        }
        rows = FEW_ROWS;
    }
}

/// What a list is made of beside its rows.
struct Around<'a> {
    frame: &'a Frame,
    plans: &'a [Arc<Plan>],
    case_type: Option<&'a CaseType>,
    columns: &'a Columns<'a>,
    view: &'a ListQuery,
}

impl<'a> Around<'a> {
    fn page(&self, list: ListPage, counts: Option<&Counts>, now: Instant) -> CaseListPage<'a> {
        let Self { frame, plans, case_type, columns, view } = *self;
        let types: Types<'_> = plans.iter().map(|plan| (plan.key.as_str(), &*plan.case_type)).collect();
        let row = |case| Row::new(case, columns, &types, view, now);
        let rows: Vec<Row> = list.cases.iter().map(row).collect();
        let bars = case_type.map(|case_type| Bars::new(case_type, columns, counts, view));
        CaseListPage {
            refreshes: frame.may_work() && rows.iter().any(|row| row.wants_refresh),
            new_url: new_url(case_type),
            frame,
            tabs: tabs(plans, view),
            bars: bars.unwrap_or_default(),
            heads: heads(columns, view),
            labels: columns.shown().map(Column::label).collect(),
            statuses: statuses(view),
            chips: chips(view, case_type),
            columns,
            rows,
            list,
            view,
        }
    }
}

impl CaseListPage<'_> {
    /// The page as it is written. Where it would be larger than [`PAGE`] bytes, with long names and
    /// a long address, there is less beside the rows.
    fn written(mut self) -> String {
        let smaller: [fn(&mut Self); 3] = [
            |page| page.rows.iter_mut().for_each(Row::shorten),
            |page| page.bars.keep(FEW_BARS),
            |page| page.bars.keep(0),
        ];
        let mut html = written_page(&self);
        for step in smaller {
            if html.len() <= PAGE {
                break;
            }
            step(&mut self);
            html = written_page(&self);
        }
        html
    }
}

/// A page that lies open asks by itself, and nobody waits for its answer.
fn counting(request: &HttpRequest, asked: &Asked) -> Counting {
    let awaited = by_itself(request) || asked.counts.as_deref() == Some("awaited");
    if awaited { Counting::Awaited } else { Counting::Aside }
}

/// The type whose cases are listed; none: all of them. The view names it from here on where there
/// are several.
fn chosen<'a>(plans: &'a [Arc<Plan>], view: &mut ListQuery) -> Result<Option<&'a Plan>, Refusal> {
    if plans.len() > 1 && view.case_type.is_none() {
        view.case_type = plans.first().map(|plan| plan.key.to_string());
    }
    match view.case_type.as_deref() {
        None => Ok(plans.first().map(|plan| &**plan)),
        Some(ALL_TYPES) => Ok(None),
        Some(key) => {
            let found = plans.iter().find(|plan| plan.key.as_str() == key);
            found.map(|plan| Some(&**plan)).ok_or_else(Refusal::not_found)
        }
    }
}

fn tabs(plans: &[Arc<Plan>], view: &ListQuery) -> Vec<Tab> {
    if plans.len() < 2 {
        return Vec::new();
    }
    let tab = |name: &str, key: &str| {
        let here = view.case_type.as_deref() == Some(key);
        Tab { name: name.to_owned(), url: view.of_type(key).url(), here }
    };
    let types = plans.iter().map(|plan| tab(&plan.case_type.name, plan.key.as_str()));
    types.chain([tab(w::ALL_TYPES, ALL_TYPES)]).collect()
}

fn heads(columns: &Columns<'_>, view: &ListQuery) -> Vec<Head> {
    let sorted = |by: CaseSort| {
        let now = if view.descending { "descending" } else { "ascending" };
        (view.sorted(by).url(), Some(now).filter(|_| view.sort == by))
    };
    let reference =
        Head { name: w::REFERENCE.to_owned(), number: false, sort: Some(sorted(CaseSort::Reference)) };
    let head = |column: &Column<'_>| Head {
        name: column.name.to_owned(),
        number: column.is_number(),
        sort: column.sort().map(sorted),
    };
    [reference].into_iter().chain(columns.shown().map(head)).collect()
}

fn statuses(view: &ListQuery) -> Vec<(&'static str, &'static str, bool)> {
    let status =
        |status: &CaseStatus| (status.as_str(), words::status(*status), view.status == Some(*status));
    CaseStatus::ALL.iter().map(status).collect()
}

fn new_url(case_type: Option<&CaseType>) -> String {
    case_type.map_or_else(|| "/cases/new".to_owned(), |known| format!("/cases/new?type={}", known.key))
}

/// `POST /cases/refresh`: runs again what failed or is out of date on one case, and comes back.
pub async fn refresh(services: Data<Services>, posted: Posted) -> Result<HttpResponse, Refusal> {
    posted.visitor.require(Role::Operator)?;
    let view = ListQuery::parse(posted.form.get("back").unwrap_or_default())?;
    let id: CaseId = posted.form.get("case").and_then(|id| id.parse().ok()).ok_or_else(Refusal::not_found)?;
    let case = services.cases.get(&posted.visitor.actor, id).await?;
    let wanted =
        case.fields.iter().filter(|(_, state)| state.status == FieldStatus::Failed || is_stale(state));
    let fields: Vec<_> = wanted.map(|(key, _)| key.clone()).collect();
    let done = if fields.is_empty() { "nothing" } else { "refreshed" };
    if !fields.is_empty() {
        let request = RefreshRequest { fields: Some(fields), ..RefreshRequest::default() };
        services.fields.refresh_all(&posted.visitor.actor, id, request).await?;
    }
    let url = view.url();
    let and = if url.contains('?') { '&' } else { '?' };
    let back = format!("{url}{and}done={done}#case-{id}");
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, back)).finish())
}
