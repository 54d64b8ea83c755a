//! What happens to cases: as a stream of server-sent events, or, for who accepts JSON only, as a
//! list of what is kept.
//!
//! A stream begins now, or behind the event that `Last-Event-ID` names. Every 15 s it sends a
//! comment, so that who is gone is noticed, and looks whether the token is still good and the case
//! still there; if not, or when the process stops, it ends, and a client comes back by itself.

use std::convert::Infallible;

use actix_web::http::{Method, header};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;

use super::error::{ApiError, Code};
use super::extract::{Caller, Viewer, token_of};
use super::list;
use super::present::event::{EventView, sent};
use super::query::{Parameters, Params, Query};
use crate::domain::event::EventMark;
use crate::domain::ids::CaseId;
use crate::service::{Entry, Heard, Listening, PageRequest, Services};

/// What every stream begins with: in how many ms a client that lost it comes back.
const GREETING: &str = "retry: 2000\n\n";

/// Which events are listed, or where a stream begins.
pub struct EventList {
    page: PageRequest,
    /// The parameter that only a list has, when one is given.
    of_lists: Option<&'static str>,
    newest_first: bool,
    after: Option<EventMark>,
}

impl Parameters for EventList {
    fn read(query: &mut Query) -> Self {
        let of_lists = ["sort", "limit", "cursor", "count"].into_iter().find(|name| query.has(name));
        let newest_first = query.parsed("sort", "`at` or `-at`", |text| match text {
            "at" => Some(false),
            "-at" => Some(true),
            _ => None,
        });
        Self {
            of_lists,
            newest_first: newest_first.unwrap_or(true),
            after: query.parsed("after", "the id of an event", |text| text.parse().ok()),
            page: PageRequest::read(query),
        }
    }
}

/// What happens to all cases of the workspace.
pub async fn of_workspace(
    services: Data<Services>,
    caller: Caller<Viewer>,
    list: Params<EventList>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    answer(services, &caller, None, list.0, &request).await
}

/// What happens to one case.
pub async fn of_case(
    services: Data<Services>,
    caller: Caller<Viewer>,
    path: Path<CaseId>,
    list: Params<EventList>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    answer(services, &caller, Some(*path), list.0, &request).await
}

async fn answer(
    services: Data<Services>,
    caller: &Caller<Viewer>,
    case: Option<CaseId>,
    asked: EventList,
    request: &HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let last = last_event(request)?;
    if wants_list(request) {
        let place = last.map(|_| "Last-Event-ID").or(asked.after.map(|_| "after"));
        if let Some(name) = place {
            let detail = format!(
                "`{name}` is for a stream: accept `text/event-stream`, or leave it out; a list goes on by `cursor`."
            );
            return Err(ApiError::new(Code::MalformedRequest, detail));
        }
        let page = services.events.list(caller, case, &asked.page, asked.newest_first).await?;
        return Ok(list::answer(page, |event| EventView::from(&event)));
    }
    if let Some(name) = asked.of_lists {
        let detail = format!(
            "`{name}` is for a list: accept `application/json` only, or leave it out; a stream takes `after`."
        );
        return Err(ApiError::new(Code::MalformedRequest, detail));
    }
    let after = last.or(asked.after);
    let entry = Entry::Token(token_of(request.headers()).unwrap_or_default().to_owned());
    let open = Listening::begin(services.into_inner(), entry, (caller.workspace, case), after).await?;
    let mut answer = HttpResponse::Ok();
    answer
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // A proxy that gathers answers would hold events back.
        .insert_header(("x-accel-buffering", "no"));
    if *request.method() == Method::HEAD {
        return Ok(answer.finish());
    }
    let greeting = stream::iter([Ok(Bytes::from_static(GREETING.as_bytes()))]);
    let events = stream::unfold(open, |mut open| async move {
        let heard = match open.next().await? {
            Heard::Event(event) => Bytes::from(sent(&event)),
            Heard::Beat => Bytes::from_static(b":\n\n"),
        };
        Some((Ok::<_, Infallible>(heard), open))
    });
    Ok(answer.streaming(stream::StreamExt::chain(greeting, events)))
}

/// A list is for who asks for JSON and nothing else that we have.
fn wants_list(request: &HttpRequest) -> bool {
    let accepted = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    let mut types = accepted.flat_map(|value| value.split(',')).filter_map(|part| part.split(';').next());
    types.any(|part| part.trim().eq_ignore_ascii_case("application/json"))
        && !request.headers().get_all(header::ACCEPT).any(|value| {
            value.to_str().is_ok_and(|value| value.to_ascii_lowercase().contains("text/event-stream"))
        })
}

/// `Last-Event-ID`, as a browser sends it when it comes back. An empty one is none.
fn last_event(request: &HttpRequest) -> Result<Option<EventMark>, ApiError> {
    let Some(value) = request.headers().get("last-event-id").filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let mark = value.to_str().ok().and_then(|text| text.parse().ok());
    let detail = "`Last-Event-ID` is the id of no event; send the `id` of the last one that you have, or leave it out.";
    mark.map(Some).ok_or_else(|| ApiError::new(Code::MalformedRequest, detail))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn who_accepts_json_and_no_stream_gets_a_list() {
        let cases = [
            (&["application/json"][..], true),
            (&["application/json;q=0.9, text/html"], true),
            (&["text/html", "Application/JSON"], true),
            (&["text/event-stream"], false),
            (&["text/event-stream, application/json"], false),
            (&["*/*"], false),
            (&[], false),
        ];
        for (accept, list) in cases {
            let request = accept
                .iter()
                .fold(TestRequest::get(), |request, value| request.append_header(("accept", *value)));
            assert_eq!(wants_list(&request.to_http_request()), list, "{accept:?}");
        }
    }
}
