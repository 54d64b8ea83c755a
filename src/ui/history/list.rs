//! `/runs`: the history, newest first, with filters that stand in the address.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::filter::{Chip, Filters};
use super::named::NamedCase;
use super::state;
use crate::domain::clock::Instant;
use crate::domain::failure::FailureCode;
use crate::domain::run::{Run, RunStatus};
use crate::domain::trigger::Trigger;
use crate::service::{PageRequest, Services};
use crate::ui::frame::{Frame, Place, answer};
use crate::ui::moment::Moment;
use crate::ui::refusal::Refusal;
use crate::ui::state::StateView;
use crate::ui::value::cut;
use crate::ui::visitor::Visitor;
use crate::ui::words::moments::took;
use crate::ui::words::runs as w;

/// Characters of a sentence in a cell.
const LONGEST_SENTENCE: usize = 160;
/// … and of a name.
const LONGEST_NAME: usize = 40;
/// Names that are offered.
const OFFERED: u64 = 200;

/// What a form before has done.
#[derive(Debug, Deserialize)]
pub struct Done {
    done: Option<String>,
}

impl Done {
    /// The code.
    pub fn code(&self) -> &str {
        self.done.as_deref().unwrap_or_default()
    }
}

/// A run in a table.
pub struct RunRow {
    pub url: String,
    pub retry: Option<String>,
    pub at: Moment,
    pub case: NamedCase,
    pub case_type: String,
    pub field: String,
    pub trigger: &'static str,
    /// Who set it off, if anybody did.
    pub by: Option<String>,
    pub state: StateView,
    pub attempts: String,
    pub took: Option<String>,
    pub error: Option<String>,
}

impl RunRow {
    /// Of a run; `works`: whoever looks may repeat it.
    pub fn new(run: &Run, case: NamedCase, now: Instant, works: bool) -> Self {
        let url = format!("/runs/{}", run.id);
        let ended_badly = matches!(run.status, RunStatus::Failed | RunStatus::Cancelled);
        let repeats = works && ended_badly && case.url.is_some();
        Self {
            retry: repeats.then(|| format!("{url}/retry")),
            url,
            at: Moment::age(run.created_at, now),
            case,
            case_type: run.case_type.to_string(),
            field: run.field.to_string(),
            trigger: w::trigger(run.trigger),
            by: run
                .by
                .as_deref()
                .filter(|_| run.trigger != Trigger::Scheduled)
                .map(|by| cut(&w::by_short(by), LONGEST_NAME)),
            state: state::of_run(run, now),
            attempts: w::attempts(run.attempt, run.attempts_max),
            took: run.duration_ms.map(took),
            error: run.error.as_ref().map(|error| cut(&error.message, LONGEST_SENTENCE)),
        }
    }
}

/// A choice of a list.
pub struct Choice {
    pub value: &'static str,
    pub word: &'static str,
    pub chosen: bool,
}

#[derive(Template)]
#[template(path = "history/list.html")]
struct List {
    frame: Frame,
    filters: Filters,
    chips: Vec<Chip>,
    statuses: Vec<Choice>,
    triggers: Vec<Choice>,
    errors: Vec<Choice>,
    case_types: Vec<(String, String)>,
    connections: Vec<(String, String)>,
    rows: Vec<RunRow>,
    next: Option<String>,
    here: String,
}

impl List {
    fn text(&self, name: &str) -> &str {
        self.filters.typed(name).unwrap_or_default()
    }

    /// A date in a box for dates; what is none stays as it was written.
    fn kind(&self, name: &str) -> &'static str {
        let is_day = |text: &str| text.parse::<chrono::NaiveDate>().is_ok();
        if self.filters.typed(name).is_none_or(is_day) { "date" } else { "text" }
    }
}

/// The page.
pub async fn page(
    services: Data<Services>,
    visitor: Visitor,
    done: Query<Done>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let filters = Filters::read(request.query_string());
    let frame = visitor.frame(Place::Runs, w::TITLE).saying(w::done(done.code()));
    let (rows, next) = if filters.wrong.is_empty() {
        let page = PageRequest { cursor: filters.cursor.clone(), ..PageRequest::default() };
        let page = services.runs.list(&visitor.actor, filters.filter.clone(), page).await?;
        (rows(&services, &visitor, &page.items, frame.may_work()).await?, page.next)
    } else {
        (Vec::new(), None)
    };
    let offered = || PageRequest { limit: OFFERED, ..PageRequest::default() };
    let case_types = services.case_types.list(&visitor.actor, offered()).await?;
    let connections = services.connections.list(&visitor.actor, offered()).await?;
    let named = |key: &str, definition: &serde_json::Value| {
        (key.to_owned(), definition["name"].as_str().unwrap_or(key).to_owned())
    };
    let list = List {
        chips: filters.chips(says),
        statuses: choices(RunStatus::ALL, RunStatus::as_str, w::status, filters.filter.status),
        triggers: choices(&Trigger::ALL, Trigger::as_str, w::trigger, filters.filter.trigger),
        errors: choices(FailureCode::ALL, FailureCode::as_str, w::error, filters.filter.error),
        case_types: case_types.items.iter().map(|it| named(it.row.key.as_str(), &it.definition)).collect(),
        connections: connections.items.iter().map(|it| named(it.row.key.as_str(), &it.definition)).collect(),
        rows,
        next: next.map(|cursor| filters.url_at(&cursor)),
        here: filters.cursor.as_ref().map_or_else(|| filters.url(), |cursor| filters.url_at(cursor)),
        frame,
        filters,
    };
    let status =
        if list.filters.wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(answer(status, &list))
}

/// Runs as rows, with the names of their cases.
pub async fn rows(
    services: &Services,
    visitor: &Visitor,
    runs: &[Run],
    works: bool,
) -> Result<Vec<RunRow>, Refusal> {
    let (now, names) = (services.clock.now(), services.runs.case_names(&visitor.actor, runs).await?);
    Ok(runs.iter().map(|run| RunRow::new(run, NamedCase::of(run.case_id, &names), now, works)).collect())
}

/// The words of a filter's value.
fn says(name: &str, text: &str) -> Option<String> {
    let word = match name {
        "status" => RunStatus::parse(text).map(w::status),
        "trigger" => Trigger::parse(text).map(w::trigger),
        "error" => FailureCode::parse(text).map(w::error),
        _ => None,
    };
    word.map(str::to_owned)
}

fn choices<T: Copy + PartialEq>(
    all: &[T],
    spell: fn(T) -> &'static str,
    word: fn(T) -> &'static str,
    chosen: Option<T>,
) -> Vec<Choice> {
    all.iter().map(|it| Choice { value: spell(*it), word: word(*it), chosen: chosen == Some(*it) }).collect()
}
