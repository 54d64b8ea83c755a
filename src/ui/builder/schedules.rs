//! `/schedules`: when fields run by themselves, and what is done to a schedule by hand.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::pages::{Asked, Further};
use super::schedule_view::ScheduleShown;
use crate::domain::ids::ScheduleId;
use crate::domain::token::Role;
use crate::service::Services;
use crate::store::ScheduleFilter;
use crate::ui::frame::{Frame, Place, page as send};
use crate::ui::history::actions::see;
use crate::ui::posted::Posted;
use crate::ui::refusal::Refusal;
use crate::ui::visitor::Visitor;
use crate::ui::words::schedules as w;

#[derive(Template)]
#[template(path = "builder/schedules.html")]
struct SchedulesPage {
    frame: Frame,
    schedules: Vec<ScheduleShown>,
    further: Further,
}

/// The page.
pub async fn page(
    services: Data<Services>,
    visitor: Visitor,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let asked = Asked::of(&request);
    let list = services.schedules.list(&visitor.actor, ScheduleFilter::default(), asked.page()).await?;
    let now = services.clock.now();
    Ok(send(&SchedulesPage {
        frame: visitor.frame(Place::Schedules, w::TITLE).saying(w::done(asked.done())),
        schedules: list.items.iter().map(|schedule| ScheduleShown::new(schedule, now)).collect(),
        further: asked.further("/schedules", w::FURTHER, list.next),
    }))
}

/// `run`, `pause` or `resume`.
pub async fn act(
    services: Data<Services>,
    posted: Posted,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Refusal> {
    let (id, action) = path.into_inner();
    let actor = &posted.visitor.actor;
    let id: ScheduleId = id.parse().map_err(|_| Refusal::not_found())?;
    let done = match action.as_str() {
        "run" => {
            posted.visitor.require(Role::Operator)?;
            services.schedules.run(actor, id, None).await.map(|_| "begun")
        }
        "pause" => {
            posted.visitor.require(Role::Builder)?;
            services.schedules.pause(actor, id, None).await.map(|_| "paused")
        }
        "resume" => {
            posted.visitor.require(Role::Builder)?;
            services.schedules.resume(actor, id, None).await.map(|_| "resumed")
        }
        _ => return Err(Refusal::not_found()),
    };
    Ok(see("/schedules", done?))
}
