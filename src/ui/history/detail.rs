//! `/runs/{id}`: why it ran, what each attempt sent and got, what it wrote.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Query};
use askama::Template;
use serde_json::{Map, Value};

use super::attempt::{Around, AttemptView, ErrorView, lasted};
use super::list::Done;
use super::mapping::Targets;
use super::named::NamedCase;
use super::state;
use crate::domain::clock::Instant;
use crate::domain::ids::RunId;
use crate::domain::run::{Attempt, Joined, Run, RunStatus};
use crate::service::{CaseTypeView, Plan, Services};
use crate::ui::frame::{Frame, Place, page as send};
use crate::ui::masked::{Body, Room};
use crate::ui::moment::Moment;
use crate::ui::refusal::Refusal;
use crate::ui::state::StateView;
use crate::ui::visitor::Visitor;
use crate::ui::words::moments::took;
use crate::ui::words::runs as w;

/// Bytes of HTML for all bodies of a page, and for each.
const ROOM: (usize, usize) = (64_000, 24_000);
/// Likewise for addresses, headers and details.
const SMALL_ROOM: (usize, usize) = (32_000, 2_000);
/// Firings that are listed.
const MOST_JOINED: usize = 20;

/// A firing that joined.
struct JoinedView {
    trigger: &'static str,
    by: String,
    at: Moment,
}

#[derive(Template)]
#[template(path = "history/detail.html")]
struct Detail {
    frame: Frame,
    run: Run,
    name: String,
    case: NamedCase,
    state: StateView,
    trigger: String,
    joined: Vec<JoinedView>,
    input: Option<Body>,
    secrets: Vec<(String, i64)>,
    times: Vec<(&'static str, Moment)>,
    took: Option<String>,
    attempts: Vec<AttemptView>,
    error: Option<ErrorView>,
    targets: Targets,
    retries: bool,
    cancels: bool,
    ended: bool,
}

/// The page.
pub async fn page(
    services: Data<Services>,
    visitor: Visitor,
    path: Path<String>,
    done: Query<Done>,
) -> Result<HttpResponse, Refusal> {
    let id = read_id(&path)?;
    let (run, attempts) = services.runs.get(&visitor.actor, id).await?;
    let names = services.runs.case_names(&visitor.actor, std::slice::from_ref(&run)).await?;
    let case = NamedCase::of(run.case_id, &names);
    let (plan, definition) = configured(&services, &visitor, &run).await?;
    let field = definition.as_ref().and_then(|found| field(&found.definition, run.field.as_str()));
    let name = field.and_then(|field| field["name"].as_str()).unwrap_or(run.field.as_str()).to_owned();
    let none = Map::new();
    let rules = field.and_then(|field| field["api_config"]["response_mapping"].as_object()).unwrap_or(&none);
    let targets = Targets::of(&run, &attempts, plan, rules).await;

    let title = format!("{name} {} {}", w::RUN_OF, case.name);
    let mut frame = visitor.frame(Place::Runs, title).saying(w::done(done.code()));
    if !run.status.is_ended() {
        frame = frame.hearing(format!("/cases/{}/events", run.case_id));
    }
    let detail = Detail::new(frame, run, attempts, (name, case, targets), services.clock.now());
    Ok(send(&detail))
}

/// The id in an address; what is none names nothing.
pub fn read_id(text: &str) -> Result<RunId, Refusal> {
    text.parse().map_err(|_| Refusal::not_found())
}

/// The field's case type: as the run took it, compiled, and as it is shown now.
async fn configured(
    services: &Services,
    visitor: &Visitor,
    run: &Run,
) -> Result<(Option<Arc<Plan>>, Option<CaseTypeView>), Refusal> {
    let found = services.case_types.get(&visitor.actor, &run.case_type).await;
    let Some(view) = found.map(Some).or_else(gone)? else { return Ok((None, None)) };
    let asks = run.status == RunStatus::Succeeded || run.status == RunStatus::Failed;
    let plan = if asks { services.plans.version(view.row.id, run.case_type_version).await? } else { None };
    Ok((plan, Some(view)))
}

fn gone(error: crate::service::ServiceError) -> Result<Option<CaseTypeView>, Refusal> {
    if let crate::service::ServiceError::NotFound(_) = error { Ok(None) } else { Err(error.into()) }
}

fn field<'v>(definition: &'v Value, key: &str) -> Option<&'v Value> {
    definition["fields"].as_array()?.iter().find(|field| field["key"] == key)
}

impl Detail {
    fn new(
        frame: Frame,
        mut run: Run,
        attempts: Vec<Attempt>,
        (name, case, targets): (String, NamedCase, Targets),
        now: Instant,
    ) -> Self {
        let (mut room, mut small) = (Room::new(ROOM.0, ROOM.1), Room::new(SMALL_ROOM.0, SMALL_ROOM.1));
        let secrets: BTreeSet<_> = attempts.iter().flat_map(|attempt| attempt.secrets.clone()).collect();
        let longest = attempts.iter().map(lasted).max();
        // The last attempt says how it ended: it has the room first.
        let last = attempts.len();
        let longest = longest.unwrap_or(0);
        let mut around = Around { run: run.id, now, longest, room: &mut room, small: &mut small };
        let views = attempts.into_iter().enumerate().rev();
        let mut attempts: Vec<_> =
            views.map(|(at, attempt)| AttemptView::new(attempt, at + 1 == last, &mut around)).collect();
        attempts.reverse();
        // What the last attempt says is not said twice.
        let said = attempts.last().is_some_and(|attempt| attempt.error.is_some());
        let error = run.error.take().filter(|_| !said).map(|error| ErrorView::new(error, &mut small));
        let ended = run.status.is_ended();
        let joined = |joined: &Joined| JoinedView {
            trigger: w::trigger(joined.trigger),
            by: w::by(&joined.by),
            at: Moment::clock(joined.at, now),
        };
        let due = run.due_at.filter(|_| run.status == RunStatus::Queued);
        let times = [
            (w::QUEUED_AT, Some(run.created_at)),
            (w::DUE_AT, due),
            (w::STARTED_AT, run.started_at),
            (w::ENDED_AT, run.ended_at),
        ];
        Self {
            name,
            retries: frame.may_work() && ended && case.url.is_some(),
            cancels: frame.may_work() && !ended,
            case,
            state: state::of_run(&run, now),
            trigger: w::fired(run.trigger, run.by.as_deref()),
            joined: run.joined.iter().take(MOST_JOINED).map(joined).collect(),
            input: run.input.as_ref().map(|input| room.take(&input.to_string())),
            secrets: secrets.into_iter().collect(),
            times: times.into_iter().filter_map(|(name, at)| Some((name, Moment::clock(at?, now)))).collect(),
            took: run.duration_ms.map(took),
            attempts,
            error,
            targets,
            ended,
            frame,
            run,
        }
    }

    /// The run's own address, as forms go back to it.
    fn here(&self) -> String {
        format!("/runs/{}", self.run.id)
    }
}
