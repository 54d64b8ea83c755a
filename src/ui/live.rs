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
use chrono::TimeDelta;
use futures_util::stream::{self, StreamExt as _};

use super::refusal::Refusal;
use super::session::{COOKIE, SECURE_COOKIE};
use super::visitor::Visitor;
use crate::domain::clock::Instant;
use crate::domain::event::{Event, EventMark};
use crate::domain::ids::{CaseId, WorkspaceId};
use crate::service::{ServiceError, Services, Watch};

/// How often a stream shows that it lives.
const BEAT: TimeDelta = TimeDelta::seconds(15);

/// What every stream begins with: in how many ms a browser that lost it comes back.
const GREETING: &str = "retry: 2000\n\n";

/// `GET /cases/{id}/events`.
pub async fn of_case(
    services: Data<Services>,
    visitor: Visitor,
    id: Path<CaseId>,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let workspace = visitor.actor.workspace;
    if !is_there(&services, workspace, Some(*id)).await? {
        return Err(Refusal::not_found());
    }
    let watch = services.live.watch_case(workspace, *id, last_event(&request)).await?;
    Ok(answer(services, watch, workspace, Some(*id), &request))
}

/// The events of all cases of the workspace, for lists.
pub async fn of_workspace(
    services: Data<Services>,
    visitor: Visitor,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let workspace = visitor.actor.workspace;
    let watch = services.live.watch_workspace(workspace, last_event(&request)).await?;
    Ok(answer(services, watch, workspace, None, &request))
}

fn answer(
    services: Data<Services>,
    watch: Watch,
    workspace: WorkspaceId,
    case: Option<CaseId>,
    request: &HttpRequest,
) -> HttpResponse {
    let cookie = [SECURE_COOKIE, COOKIE].into_iter().find_map(|name| request.cookie(name));
    let session = cookie.as_ref().map_or("", Cookie::value).to_owned();
    let (beat_at, heard) = (services.clock.now() + BEAT, services.store.signals().access());
    let open = Open { watch, services, session, workspace, case, beat_at, heard };
    let greeting = stream::iter([Ok(Bytes::from_static(GREETING.as_bytes()))]);
    let events =
        stream::unfold(open, |mut open| async move { Some((Ok::<_, Infallible>(open.next().await?), open)) });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // A proxy that gathers answers would hold events back.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(greeting.chain(events))
}

/// `Last-Event-ID`, as a browser sends it when it comes back. What is none of ours begins anew:
/// the page loads itself whenever a stream opens.
fn last_event(request: &HttpRequest) -> Option<EventMark> {
    request.headers().get("last-event-id")?.to_str().ok()?.parse().ok()
}

async fn is_there(
    services: &Services,
    workspace: WorkspaceId,
    case: Option<CaseId>,
) -> Result<bool, ServiceError> {
    let Some(case) = case else { return Ok(true) };
    Ok(services.store.read().await?.case_version(workspace, case).await?.is_some())
}

/// An open stream.
struct Open {
    watch: Watch,
    services: Data<Services>,
    session: String,
    workspace: WorkspaceId,
    case: Option<CaseId>,
    beat_at: Instant,
    /// Changes of access that were heard of when it was last looked.
    heard: u64,
}

impl Open {
    /// What is sent next; none: the stream ends.
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            event = self.watch.next() => {
                let event = event?;
                self.may_hear().await.then(|| Bytes::from(sent(&event)))
            }
            () = self.services.live.closed() => None,
            () = self.services.clock.sleep_until(self.beat_at) => {
                self.beat_at = self.services.clock.now() + BEAT;
                self.is_welcome().await.then(|| Bytes::from_static(b":\n\n"))
            }
        }
    }

    /// Looks again before anything is told after somebody's access was changed.
    async fn may_hear(&mut self) -> bool {
        let heard = self.services.store.signals().access();
        if heard == self.heard {
            return true;
        }
        self.heard = heard;
        self.is_welcome().await
    }

    /// Whether whoever listens still may. Trouble of ours ends no stream.
    async fn is_welcome(&self) -> bool {
        let known = match self.services.sessions.peek(&self.session).await {
            Ok(who) => who.is_some_and(|who| who.actor.workspace == self.workspace),
            Err(_) => true,
        };
        known && is_there(&self.services, self.workspace, self.case).await.unwrap_or(true)
    }
}

/// The event on the wire (HTML, section 9.2): which case it was, for lists.
fn sent(event: &Event) -> String {
    let mut text = String::with_capacity(160);
    // Writing to a String does not fail.
    let _ = write!(text, "id: {}\nevent: {}\ndata: {}\n\n", event.id(), event.kind.as_str(), event.case_id);
    text
}
