//! `/connections`: the providers that are set up, and how each does.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::connection_state::{is_bad, of_status, troubles};
use super::pages::{Asked, EVENTS, Further};
use crate::service::{PageRequest, Services};
use crate::ui::frame::{Frame, Place, page as send};
use crate::ui::refusal::Refusal;
use crate::ui::state::StateView;
use crate::ui::visitor::Visitor;
use crate::ui::words::connections as w;

/// Connections on a page: each is asked how it does.
const LIMIT: u64 = 30;

/// A connection in the list.
struct ConnectionLine {
    key: String,
    name: String,
    address: Option<String>,
    states: Vec<StateView>,
    /// How many of its last calls succeeded, and whether that is a reason to look.
    success: Option<(String, bool)>,
    waiting: u64,
    users: String,
}

#[derive(Template)]
#[template(path = "builder/connections.html")]
struct ConnectionsPage {
    frame: Frame,
    rows: Vec<ConnectionLine>,
    further: Further,
}

/// The page.
pub async fn page(
    services: Data<Services>,
    visitor: Visitor,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let asked = Asked::of(&request);
    let part = PageRequest { limit: LIMIT, ..asked.page() };
    let list = services.connections.list(&visitor.actor, part).await?;
    let (now, mut rows) = (services.clock.now(), Vec::new());
    for view in list.items {
        let health = services.connections.health(&visitor.actor, &view.row.key).await?;
        let states = std::iter::once(of_status(view.row.status)).chain(troubles(&health, now));
        rows.push(ConnectionLine {
            name: view.definition["name"].as_str().unwrap_or(view.row.key.as_str()).to_owned(),
            key: view.row.key.to_string(),
            address: view.definition["base_url"].as_str().map(str::to_owned),
            states: states.collect(),
            success: health.calls.success_rate.map(|rate| (w::percent(rate), is_bad(rate))),
            waiting: health.queue_depth,
            users: w::users(view.used_by.len()),
        });
    }
    Ok(send(&ConnectionsPage {
        frame: visitor.frame(Place::Connections, w::TITLE).hearing(EVENTS),
        rows,
        further: asked.further("/connections", w::FURTHER, list.next),
    }))
}
