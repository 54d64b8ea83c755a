//! An attempt as the page of its run shows it: where the time went, what was sent, what came back.

use serde_json::{Map, Value};

use super::state;
use crate::domain::clock::Instant;
use crate::domain::failure::RunError;
use crate::domain::ids::RunId;
use crate::domain::run::{Attempt, PhaseTimes, ReceivedResponse, SentRequest};
use crate::ui::masked::{Body, Piece, Room};
use crate::ui::moment::Moment;
use crate::ui::state::StateView;
use crate::ui::value::cut;
use crate::ui::words::moments::{span, took};
use crate::ui::words::runs as w;
use crate::ui::words::values::quoted;

/// Units of a bar's width.
const WIDE: u64 = 1_000;
/// Characters of a sentence.
const LONGEST_SENTENCE: usize = 1_000;
/// Characters of a header's name.
const LONGEST_NAME: usize = 100;
/// Headers of one message.
const MOST_HEADERS: usize = 100;

/// An attempt.
pub struct AttemptView {
    pub title: String,
    pub state: StateView,
    pub at: Moment,
    pub took: String,
    pub phases: Option<Phases>,
    pub request: Option<Sent>,
    pub response: Option<Received>,
    pub error: Option<ErrorView>,
    pub next: Option<Next>,
    /// Whether request and answer are open at first.
    pub open: bool,
}

/// Where the time went.
pub struct Phases {
    pub rows: Vec<Phase>,
    pub total: String,
    /// The same in a sentence.
    pub said: String,
}

/// A part of an attempt's time.
pub struct Phase {
    pub name: &'static str,
    pub took: String,
    /// Its place among the phases, for its colour.
    pub number: usize,
    /// Its part of the bar.
    pub x: u64,
    pub width: u64,
}

/// What was sent.
pub struct Sent {
    pub method: String,
    pub url: Vec<Piece>,
    pub headers: Vec<Header>,
    pub body: Option<BodyView>,
}

/// What came back.
pub struct Received {
    pub status: u16,
    pub size: String,
    pub headers: Vec<Header>,
    pub body: Option<BodyView>,
}

/// A header.
pub struct Header {
    pub name: String,
    pub value: Vec<Piece>,
}

/// A body.
pub struct BodyView {
    pub shown: Body,
    /// Only its beginning was kept.
    pub truncated: bool,
    /// Where the rest is to be had.
    pub file: String,
}

/// What went wrong.
pub struct ErrorView {
    pub message: String,
    pub code: &'static str,
    pub word: &'static str,
    pub detail: Option<Vec<Piece>>,
    pub status: Option<u16>,
    pub provider: Option<String>,
    pub excerpt: Option<Body>,
}

/// Why and until when the next attempt waits.
pub struct Next {
    pub at: Moment,
    pub waits: String,
    pub because: String,
}

/// What all attempts of a run share.
pub struct Around<'r> {
    pub run: RunId,
    pub now: Instant,
    /// The longest attempt, in ms: as long as a bar.
    pub longest: u64,
    pub room: &'r mut Room,
    /// For addresses, headers and details.
    pub small: &'r mut Room,
}

impl AttemptView {
    /// An attempt; `open`: its messages are shown at once.
    pub fn new(attempt: Attempt, open: bool, around: &mut Around<'_>) -> Self {
        let lasted = lasted(&attempt);
        let file = |which: &str| format!("/runs/{}/attempts/{}/{which}", around.run, attempt.number);
        let (request_file, response_file) = (file("request"), file("response"));
        Self {
            title: w::attempt(attempt.number),
            state: state::of_outcome(attempt.outcome),
            at: Moment::clock(attempt.started_at, around.now),
            took: written(lasted),
            phases: attempt.phases.map(|phases| Phases::new(phases, lasted, around.longest)),
            // The answer first: it matters more, and there is so much room only.
            response: attempt.response.map(|response| Received::new(response, response_file, around)),
            request: attempt.request.map(|request| Sent::new(request, request_file, around)),
            error: attempt.error.map(|error| ErrorView::new(error, around.small)),
            next: attempt.next.map(|next| Next {
                at: Moment::clock(next.at, around.now),
                waits: span((next.at - attempt.ended_at).num_seconds().max(0)),
                because: next.because,
            }),
            open,
        }
    }
}

/// How long an attempt took, from its claim to its record, in ms.
pub fn lasted(attempt: &Attempt) -> u64 {
    let lasted = (attempt.ended_at - attempt.started_at).num_milliseconds();
    let call = attempt.phases.as_ref().map_or(0, |phases| phases.total_ms);
    u64::try_from(lasted).unwrap_or(0).max(call)
}

fn written(ms: u64) -> String {
    took(ms.try_into().unwrap_or(i64::MAX))
}

impl Phases {
    /// Of an attempt that lasted so many ms: what was not spent on the call went to our own work.
    fn new(phases: PhaseTimes, lasted: u64, longest: u64) -> Self {
        let total = phases.total_ms;
        let dns = phases.dns_ms.map(|ms| ms.min(total));
        let connect = phases.connect_ms.map(|ms| ms.min(total - dns.unwrap_or(0)));
        let opened = dns.unwrap_or(0) + connect.unwrap_or(0);
        let first = phases.first_byte_ms.unwrap_or(total).clamp(opened, total);
        let read = phases.first_byte_ms.map(|_| total - first);
        let ours = lasted.saturating_sub(total);
        let parts = [dns, connect, Some(first - opened), read, Some(ours)];
        let all = total + ours;
        let scale = longest.max(all).max(1);
        let mut begin = 0;
        let rows = parts.into_iter().zip(w::PHASE_NAMES).enumerate().map(|(number, (ms, name))| {
            let x = begin * WIDE / scale;
            begin += ms.unwrap_or(0);
            let width = (begin * WIDE / scale).saturating_sub(x);
            let took = ms.map_or_else(|| w::NOTHING.to_owned(), written);
            Phase { name, took, number, x, width }
        });
        let rows: Vec<Phase> = rows.collect();
        let total = written(all);
        let all: Vec<_> = rows.iter().map(|row| (row.name, row.took.clone())).collect();
        Self { said: w::bar(&all, &total), rows, total }
    }
}

impl Sent {
    fn new(request: SentRequest, file: String, around: &mut Around<'_>) -> Self {
        let body =
            request.body.map(|body| BodyView { shown: around.room.take(&body), truncated: false, file });
        let (url, headers) = (short(&request.url, around.small), headers(&request.headers, around.small));
        Self { method: request.method, url, headers, body }
    }
}

impl Received {
    fn new(response: ReceivedResponse, file: String, around: &mut Around<'_>) -> Self {
        let truncated = response.truncated;
        let body = response.body.map(|body| BodyView { shown: around.room.take(&body), truncated, file });
        let headers = headers(&response.headers, around.small);
        Self { status: response.status, size: w::size(response.bytes), headers, body }
    }
}

impl ErrorView {
    /// What went wrong with an attempt or a run.
    pub fn new(error: RunError, room: &mut Room) -> Self {
        let message = cut(&quoted(error.happened()), LONGEST_SENTENCE);
        let provider = error.provider.and_then(|said| match (said.code, said.description) {
            (Some(code), Some(text)) => Some(format!("{code}: {text}")),
            (code, text) => code.or(text),
        });
        Self {
            message,
            code: error.code.as_str(),
            word: w::error(error.code),
            detail: error.detail.as_deref().map(|detail| short(detail, room)),
            status: error.http_status,
            provider,
            excerpt: error
                .body_excerpt
                .as_deref()
                .filter(|text| !text.is_empty())
                .map(|text| room.take(text)),
        }
    }
}

/// Headers as rows, cut to a bounded size.
pub fn headers(headers: &Map<String, Value>, room: &mut Room) -> Vec<Header> {
    let shown = |(name, value): (&String, &Value)| Header {
        name: cut(name, LONGEST_NAME),
        value: whole(room.take(value.as_str().unwrap_or_default())),
    };
    headers.iter().take(MOST_HEADERS).map(shown).collect()
}

fn short(text: &str, room: &mut Room) -> Vec<Piece> {
    whole(room.take(text))
}

/// What goes on ends in an ellipsis.
fn whole(body: Body) -> Vec<Piece> {
    let more = body.cut.then(|| Piece { text: "…".to_owned(), masked: false });
    body.pieces.into_iter().chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_follow_each_other_and_fill_the_bar() {
        let times =
            PhaseTimes { dns_ms: Some(10), connect_ms: Some(20), first_byte_ms: Some(80), total_ms: 100 };
        let phases = Phases::new(times, 120, 200);
        let bars: Vec<_> = phases.rows.iter().map(|row| (row.x, row.width)).collect();
        assert_eq!(bars, [(0, 50), (50, 100), (150, 250), (400, 100), (500, 100)]);
        // The parts make up the whole that stands in the head of the attempt.
        assert_eq!((phases.total.as_str(), phases.rows[4].took.as_str()), ("120 ms", "20 ms"));

        let kept = PhaseTimes { dns_ms: None, connect_ms: None, first_byte_ms: None, total_ms: 30 };
        let kept = Phases::new(kept, 30, 0);
        let shown: Vec<_> = kept.rows.iter().map(|row| (row.took.as_str(), row.x, row.width)).collect();
        assert_eq!(shown, [("–", 0, 0), ("–", 0, 0), ("30 ms", 0, 1000), ("–", 1000, 0), ("0 ms", 1000, 0)]);
        // Numbers that contradict each other still make a bar.
        let odd = PhaseTimes { dns_ms: Some(50), connect_ms: Some(50), first_byte_ms: Some(1), total_ms: 30 };
        assert!(Phases::new(odd, 10, 30).rows.iter().all(|row| row.x + row.width <= WIDE));
    }
}
