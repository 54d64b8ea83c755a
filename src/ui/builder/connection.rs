//! `/connections/{key}`: how a provider does, what it bears, who uses it, and its last runs.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde_json::Value;

use super::connection_state::{Tile, of_circuit, of_status, tiles, troubles};
use super::pages::{Asked, EVENTS};
use crate::domain::clock::Instant;
use crate::domain::connection::ConnectionStatus;
use crate::domain::ids::ConnectionKey;
use crate::domain::lane::CircuitState;
use crate::service::{ConnectionHealth, ConnectionUse, ConnectionView, PageRequest, Services};
use crate::store::RunFilter;
use crate::ui::frame::{Frame, Place, page as send};
use crate::ui::history::list::{RunRow, rows};
use crate::ui::masked::{Body, Room};
use crate::ui::moment::Moment;
use crate::ui::refusal::Refusal;
use crate::ui::state::StateView;
use crate::ui::visitor::Visitor;
use crate::ui::words::moments::{span, took};
use crate::ui::words::{case_types, connections as w};

/// Runs that are shown.
const LAST_RUNS: u64 = 10;
/// Bytes of HTML for the definition.
const ROOM: usize = 40_000;
/// Fields that are listed.
const USERS: usize = 100;
/// Endpoints that are listed.
const ENDPOINTS: usize = 100;

/// A button.
struct Switch {
    path: &'static str,
    word: &'static str,
    hint: &'static str,
    primary: bool,
}

/// An endpoint.
struct EndpointRow {
    key: String,
    request: String,
    circuit: Option<StateView>,
}

#[derive(Template)]
#[template(path = "builder/connection.html")]
struct ConnectionPage {
    frame: Frame,
    key: String,
    name: String,
    description: Option<String>,
    status: StateView,
    circuit: StateView,
    troubles: Vec<StateView>,
    tiles: Vec<Tile>,
    facts: Vec<(&'static str, String)>,
    address: Option<String>,
    changed: Moment,
    version: i64,
    endpoints: Vec<EndpointRow>,
    used_by: Vec<ConnectionUse>,
    more_users: usize,
    rows: Vec<RunRow>,
    here: String,
    json: Body,
    /// What may be done to it now.
    switches: Vec<Switch>,
}

/// The page.
pub async fn page(
    services: Data<Services>,
    visitor: Visitor,
    path: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let key = read_key(&path)?;
    let view = services.connections.get(&visitor.actor, &key).await?;
    let health = services.connections.health(&visitor.actor, &key).await?;
    let filter = RunFilter { connection: Some(key.to_string()), ..RunFilter::default() };
    let part = PageRequest { limit: LAST_RUNS, ..PageRequest::default() };
    let found = services.runs.list(&visitor.actor, filter, part).await?;
    let name = name_of(&view);
    let done = w::done(Asked::of(&request).done());
    let frame = visitor.frame(Place::Connections, name.clone()).saying(done).hearing(EVENTS);
    let rows = rows(&services, &visitor, &found.items, false).await?;
    Ok(send(&ConnectionPage::new(frame, name, &view, &health, rows, services.clock.now())))
}

/// The key in an address; what is none names nothing.
pub fn read_key(text: &str) -> Result<ConnectionKey, Refusal> {
    text.parse().map_err(|_| Refusal::not_found())
}

/// What people read.
pub fn name_of(view: &ConnectionView) -> String {
    view.definition["name"].as_str().unwrap_or(view.row.key.as_str()).to_owned()
}

impl ConnectionPage {
    fn new(
        frame: Frame,
        name: String,
        view: &ConnectionView,
        health: &ConnectionHealth,
        rows: Vec<RunRow>,
        now: Instant,
    ) -> Self {
        let definition = &view.definition;
        let text = |name: &str| definition[name].as_str().map(str::to_owned);
        let whole = serde_json::to_string_pretty(definition).unwrap_or_default();
        let lane = &health.lane;
        Self {
            name,
            key: view.row.key.to_string(),
            description: text("description"),
            status: of_status(health.status),
            circuit: of_circuit(&lane.circuit, now),
            troubles: troubles(health, now),
            tiles: tiles(health, now),
            facts: facts(definition),
            address: text("base_url"),
            changed: Moment::age(view.row.updated_at, now),
            version: view.row.version,
            endpoints: endpoints(definition, health, now),
            used_by: view.used_by.iter().take(USERS).cloned().collect(),
            more_users: view.used_by.len().saturating_sub(USERS),
            rows,
            here: format!("/connections/{}", view.row.key),
            json: Room::new(ROOM, ROOM).take(&whole),
            switches: switches(health),
            frame,
        }
    }
}

impl ConnectionPage {
    /// What those hear who do not see it, when what keeps calls from going has changed.
    fn says(&self) -> String {
        let troubles: Vec<_> = self.troubles.iter().map(|it| it.before.as_str()).collect();
        if troubles.is_empty() { w::CALLS_GO.to_owned() } else { troubles.join(". ") }
    }
}

/// What may be done to it by hand, as it stands.
fn switches(health: &ConnectionHealth) -> Vec<Switch> {
    use ConnectionStatus as S;
    let lane = &health.lane;
    let closed = lane.circuit.state == CircuitState::Closed;
    let switch = |holds: bool, path, word, hint| holds.then_some(Switch { path, word, hint, primary: false });
    let resume = switch(lane.held || lane.paused_until.is_some(), "resume", w::RESUME, w::RESUME_HINT);
    let enables = matches!(health.status, S::Disabled | S::Configured | S::Tested);
    let all = [
        resume.map(|resume| Switch { primary: true, ..resume }),
        switch(closed, "breaker/open", w::OPEN, w::OPEN_HINT),
        switch(!closed, "breaker/close", w::CLOSE, w::CLOSE_HINT),
        switch(enables, "enable", w::ENABLE, w::ENABLE_HINT),
        switch(health.status != S::Disabled, "disable", w::DISABLE, w::DISABLE_HINT),
    ];
    all.into_iter().flatten().collect()
}

/// What it bears, and how it is spoken to.
fn facts(definition: &Value) -> Vec<(&'static str, String)> {
    let auth = definition["auth"]["type"].as_str().unwrap_or("none");
    let breaker = &definition["breaker"];
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let seconds = |value: &Value| span(value.as_i64().unwrap_or_default());
    let opens = w::breaker(
        number(&breaker["failures"]),
        &seconds(&breaker["open_seconds"]),
        breaker["scope"] == "endpoint",
    );
    let redirects = if definition["redirects"] == "any" { w::REDIRECTS_ANY } else { w::REDIRECTS_SAME };
    let timeout = definition["timeout"].as_i64().map(|ms| (w::TIMEOUT, took(ms)));
    let limits = &definition["rate_limit"];
    let windows = limits["windows"].as_array().map_or(&[][..], Vec::as_slice);
    let windows = windows.iter().map(|it| w::window(number(&it["limit"]), &seconds(&it["period"])));
    let limits: Vec<String> = windows.chain(limits["concurrency"].as_u64().map(w::at_once)).collect();
    let limits = if limits.is_empty() { w::NO_LIMITS.to_owned() } else { limits.join(", ") };
    let all = [
        Some((w::AUTH, case_types::auth(auth).to_owned())),
        timeout,
        Some((w::LIMITS, limits)),
        Some((w::BREAKER_RULE, opens)),
        Some((w::REDIRECTS, redirects.to_owned())),
    ];
    all.into_iter().flatten().collect()
}

fn endpoints(definition: &Value, health: &ConnectionHealth, now: Instant) -> Vec<EndpointRow> {
    let row = |(key, endpoint): (&String, &Value)| {
        let part = |name: &str| endpoint[name].as_str().unwrap_or_default();
        let path = [part("path"), part("url")].into_iter().find(|path| !path.is_empty()).unwrap_or_default();
        let circuit = health.lane.endpoints.as_ref().and_then(|all| all.get(key));
        EndpointRow {
            key: key.clone(),
            request: format!("{} {path}", part("method")).trim().to_owned(),
            circuit: circuit.map(|circuit| of_circuit(circuit, now)),
        }
    };
    definition["endpoints"].as_object().into_iter().flatten().take(ENDPOINTS).map(row).collect()
}
