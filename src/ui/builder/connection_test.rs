//! `POST /connections/{key}/test`: a connection tried out, as a checklist. The result is nowhere
//! kept, so the page is the answer to the form itself.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use askama::Template;
use serde_json::{Map, Value, json};

use super::connection::{name_of, read_key};
use super::connection_state::{of_status, of_verdict};
use crate::domain::clock::Instant;
use crate::domain::token::Role;
use crate::engine::{ConnectionTested, Console, NotTested, StageTested, StepTested, Tested};
use crate::service::{ServiceError, Services};
use crate::ui::frame::{Frame, Place, answer};
use crate::ui::history::{Header, header_rows};
use crate::ui::masked::{Body, Piece, Room, pieces};
use crate::ui::moment::Moment;
use crate::ui::posted::Posted;
use crate::ui::refusal::Refusal;
use crate::ui::state::StateView;
use crate::ui::words::moments::took;
use crate::ui::words::values::quoted;
use crate::ui::words::{connections as w, refusals, runs};

/// Bytes of HTML for the answer.
const ROOM: usize = 40_000;

/// A stage.
struct StageView {
    question: &'static str,
    state: StateView,
    steps: Vec<StepView>,
}

/// A step.
struct StepView {
    name: &'static str,
    state: StateView,
    took: Option<String>,
    detail: Option<Vec<Piece>>,
    hint: Option<String>,
}

/// The sample call.
struct SampleView {
    method: String,
    url: Vec<Piece>,
    status: Option<u16>,
    headers: Vec<Header>,
    body: Option<Body>,
}

#[derive(Template)]
#[template(path = "builder/connection_test.html")]
struct TestPage {
    frame: Frame,
    name: String,
    here: String,
    state: StateView,
    status: StateView,
    stages: Vec<StageView>,
    certificate: Option<Moment>,
    sample: Option<SampleView>,
    endpoint: String,
    confirm: bool,
}

/// The test and its page.
pub async fn test(
    services: Data<Services>,
    console: Data<Console>,
    posted: Posted,
    path: Path<String>,
) -> Result<HttpResponse, Refusal> {
    let Posted { visitor, form } = posted;
    visitor.require(Role::Builder)?;
    let key = read_key(&path)?;
    let view = services.connections.get(&visitor.actor, &key).await?;
    let (endpoint, confirm) = (form.text("endpoint").unwrap_or_default().to_owned(), form.ticked("confirm"));
    let mut body = Map::from_iter([("confirm".to_owned(), json!(confirm))]);
    if !endpoint.is_empty() {
        body.insert("endpoint".to_owned(), json!(endpoint));
    }
    let tested =
        console.test_connection(&visitor.actor, &key, &Value::Object(body)).await.map_err(refused)?;
    let name = name_of(&view);
    let frame = visitor.frame(Place::Connections, format!("{} {name}", w::TEST_OF));
    let page = TestPage::new(frame, name, tested, services.clock.now());
    Ok(answer(StatusCode::OK, &TestPage { endpoint, confirm, ..page }))
}

/// What kept a test from being made.
fn refused(not: NotTested) -> Refusal {
    match not {
        NotTested::Busy | NotTested::Full => {
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, refusals::CONFLICT_TITLE, w::BUSY)
        }
        NotTested::Refused(ServiceError::Invalid(problems)) => ServiceError::Invalid(problems).into(),
        NotTested::Refused(error) => error.into(),
    }
}

impl TestPage {
    fn new(frame: Frame, name: String, tested: ConnectionTested, now: Instant) -> Self {
        Self {
            name,
            here: format!("/connections/{}", tested.connection),
            state: of_verdict(tested.verdict),
            status: of_status(tested.status),
            stages: tested.stages.into_iter().map(stage).collect(),
            certificate: tested.certificate.map(|seen| Moment::full(seen.valid_until, now)),
            sample: sample(tested.sample),
            endpoint: String::new(),
            confirm: false,
            frame,
        }
    }
}

fn stage(stage: StageTested) -> StageView {
    StageView {
        question: w::stage(stage.name),
        state: of_verdict(stage.verdict),
        steps: stage.steps.into_iter().map(spoken).map(step).collect(),
    }
}

/// What a step says begins like a sentence, unless it begins with an address or a name.
fn spoken(step: StepTested) -> StepTested {
    let detail = step.detail.map(|detail| {
        let first = detail.split(' ').next().unwrap_or_default();
        let is_word = first.len() < detail.len() && first.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !is_word {
            return detail;
        }
        let mut letters = detail.chars();
        let first = letters.next().map_or(' ', |letter| letter.to_ascii_uppercase());
        format!("{first}{}", letters.as_str())
    });
    StepTested { detail, ..step }
}

fn step(step: StepTested) -> StepView {
    StepView {
        name: w::step(step.name),
        state: of_verdict(step.verdict),
        took: step.ms.map(|ms| took(i64::try_from(ms).unwrap_or(i64::MAX))),
        detail: step.detail.as_deref().map(pieces),
        hint: step.hint.map(|hint| quoted(&hint)),
    }
}

fn sample(tested: Tested) -> Option<SampleView> {
    let request = tested.request?;
    let response = tested.response;
    let body = response.as_ref().and_then(|response| response.body.as_deref());
    Some(SampleView {
        method: request.method,
        url: pieces(&request.url),
        status: response.as_ref().map(|response| response.status),
        headers: response
            .as_ref()
            .map(|response| header_rows(&response.headers, &mut Room::new(ROOM, ROOM / 20)))
            .unwrap_or_default(),
        body: body.map(|body| Room::new(ROOM, ROOM).take(body)),
    })
}
