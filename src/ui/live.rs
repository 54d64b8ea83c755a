//! Live pages: a stream that says that something has changed, not what. The page fetches itself
//! again and lays its parts over the old ones, so there is one template for both.
//!
//! A stream belongs to a session: every 15 s it looks whether that is still good and the case
//! still there; if not, or when the process stops, it ends, and the browser comes back by itself.

use std::convert::Infallible;
use std::fmt::Write as _;

use actix_web::cookie::Cookie;
use actix_web::http::header;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::{self, StreamExt as _};

use super::refusal::Refusal;
use super::session::{COOKIE, SECURE_COOKIE};
use super::visitor::Visitor;
use crate::domain::event::{Event, EventMark};
use crate::domain::ids::CaseId;
use crate::service::{Entry, Heard, Listening, Services};

/// What every stream begins with: in how many ms a browser that lost it comes back.
const GREETING: &str = "retry: 2000\n\n";

/// `GET /cases/{id}/events`.
pub async fn of_case(
    services: Data<Services>,
    visitor: Visitor,
    id: Path<CaseId>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    answer(services, &visitor, Some(*id), &request).await
}

/// The events of all cases of the workspace, for lists.
pub async fn of_workspace(
    services: Data<Services>,
    visitor: Visitor,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    answer(services, &visitor, None, &request).await
}

async fn answer(
    services: Data<Services>,
    visitor: &Visitor,
    case: Option<CaseId>,
    request: &HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let cookie = [SECURE_COOKIE, COOKIE].into_iter().find_map(|name| request.cookie(name));
    let entry = Entry::Session(cookie.as_ref().map_or("", Cookie::value).to_owned());
    let place = (visitor.actor.workspace, case);
    let open = Listening::begin(services.into_inner(), entry, place, last_event(request)).await?;
    let greeting = stream::iter([Ok(Bytes::from_static(GREETING.as_bytes()))]);
    let events = stream::unfold(open, |mut open| async move {
        let heard = match open.next().await? {
            Heard::Event(event) => Bytes::from(sent(&event)),
            Heard::Beat => Bytes::from_static(b":\n\n"),
        };
        Some((Ok::<_, Infallible>(heard), open))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // A proxy that gathers answers would hold events back.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(greeting.chain(events)))
}

/// `Last-Event-ID`, as a browser sends it when it comes back. What is none of ours begins anew:
/// the page loads itself whenever a stream opens.
fn last_event(request: &HttpRequest) -> Option<EventMark> {
    request.headers().get("last-event-id")?.to_str().ok()?.parse().ok()
}

/// The event on the wire (HTML, section 9.2): which case it was, for lists.
fn sent(event: &Event) -> String {
    let mut text = String::with_capacity(160);
    // Writing to a String does not fail.
    let _ = write!(text, "id: {}\nevent: {}\ndata: {}\n\n", event.id(), event.kind.as_str(), event.case_id);
    text
}
