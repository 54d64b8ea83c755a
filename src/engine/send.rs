//! The request out, the answer in, secrets that the provider echoes taken out before anybody looks
//! at it. Most often that is one exchange; where redirects are followed it is one more for each, all
//! within the attempt's time.

use serde_json::{Map, Value};

use super::admit;
use super::authorize::{Signed, shown};
use super::context::{AuxiliaryCall, CalledFor, Deadline, Engine, Stop, Trace};
use super::prepare::Prepared;
use super::redirect::Way;
use super::render::Rendered;
use super::trust::way_out;
use crate::domain::answer::{Answer, Body, parse_json};
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::lane::LaneOutcome;
use crate::domain::redact::{REDACTED, Redactor};
use crate::domain::run::{PhaseTimes, ReceivedResponse};
use crate::outbound::{Exchange, ExchangeFailed, ExchangeFailure, Headers, Outgoing, Phases, retry_after};
use crate::store::ClaimedRun;

/// A complete answer, redacted, and what the provider asked for with it.
pub(super) struct Received {
    pub(super) answer: Answer,
    /// Why the body could not be read, when it could not.
    pub(super) unreadable: Option<String>,
    pub(super) asked: Option<std::time::Duration>,
    /// It came from another origin, which got nothing of ours.
    pub(super) elsewhere: bool,
}

/// Sends the request and reads the answer, from wherever redirects lead. Without a deadline the
/// attempt's time begins here. `run`: whose lane lets every further exchange go; none: nobody's.
pub(super) async fn send(
    engine: &Engine,
    run: Option<&ClaimedRun>,
    prepared: &Prepared,
    signed: Signed,
    deadline: Option<Deadline>,
    trace: &mut Trace,
) -> Result<Received, Stop> {
    let deadline = deadline.unwrap_or_else(|| Deadline::start(engine, prepared.timeout_ms()));
    let before = trace.calls.len();
    let received = Box::pin(go(engine, run, prepared, signed, deadline, trace)).await;
    let on_the_way = trace.calls.iter().skip(before).filter_map(|call| call.phases.as_ref());
    let spent: u64 = on_the_way.map(|phases| phases.total_ms).sum();
    if let Some(phases) = &mut trace.phases {
        phases.total_ms += spent;
    }
    received
}

/// From place to place.
async fn go(
    engine: &Engine,
    run: Option<&ClaimedRun>,
    prepared: &Prepared,
    mut signed: Signed,
    deadline: Deadline,
    trace: &mut Trace,
) -> Result<Received, Stop> {
    let mut way = Way::begin(prepared, &signed.request);
    loop {
        if engine.time_is_up.is_cancelled() {
            return Err(Stop::Stopped);
        }
        let policy = if way.is_elsewhere() { None } else { prepared.tls_for(&signed.request.url)? };
        let outbound = way_out(engine, policy.as_ref(), &signed.redactor).await?;
        let outgoing = outgoing(&signed.request)?;
        let exchange = outbound.exchange(outgoing, deadline.over(engine), deadline.timeout_ms());
        let failed = match Box::pin(exchange).await {
            Ok(exchange) => {
                let received = receive(engine, &exchange, &signed.redactor, trace);
                return Ok(Received { elsewhere: way.is_elsewhere(), ..received });
            }
            Err(failed) => failed,
        };
        let failure = refuse(&failed, &signed.redactor, trace);
        if was_stopped(engine, &failed) {
            return Err(Stop::Stopped);
        }
        if !matches!(failed.kind, ExchangeFailure::RedirectRefused { .. }) {
            return Err(failure.into());
        }
        match way.next(prepared, &signed, &failed) {
            Ok(next) => signed = next,
            Err(why) => return Err(because(failure, why).into()),
        }
        may_go_on(engine, run, deadline, failure, trace).await?;
        passed(&signed, trace);
    }
}

fn outgoing(request: &Rendered) -> Result<Outgoing, Failure> {
    let method =
        request.method.as_str().parse().map_err(|_| {
            Failure::new(FailureCode::TemplateFailed, "the method is not one that can be sent")
        })?;
    let (url, headers, body) = (request.url.clone(), request.headers.clone(), request.body.clone());
    Ok(Outgoing { method, url, headers, body })
}

fn because(failure: Failure, why: &str) -> Failure {
    Failure { detail: format!("{}, {why}", failure.detail), ..failure }
}

/// A permit of the lane for the next exchange, if that comes in time. The run has been sent, so it does
/// not wait as one that has not: where there is none it comes again, like after any other failure that may pass.
async fn may_go_on(
    engine: &Engine,
    run: Option<&ClaimedRun>,
    deadline: Deadline,
    failure: Failure,
    trace: &mut Trace,
) -> Result<(), Stop> {
    let Some(run) = run else { return Ok(()) };
    trace.lane = Some(LaneOutcome::Answered);
    trace.permit_used = true;
    match admit::in_time(engine, run, Some(deadline), trace).await {
        Err(Stop::Refused(_)) => {
            let why = "where no further call may go now: the limits of the connection are reached";
            Err(because(failure, why).retryable().into())
        }
        done => done,
    }
}

/// The exchange is one on the way; the next one begins.
fn passed(next: &Signed, trace: &mut Trace) {
    let request = trace.request.replace(shown(&next.request, &next.redactor));
    let (response, phases) = (trace.response.take(), trace.phases.take());
    if let Some(request) = request {
        let call = AuxiliaryCall::new(CalledFor::Redirect, request);
        trace.calls.push(AuxiliaryCall { response, phases, ..call });
    }
}

/// The exchange was ended because this process stops, not by the provider.
fn was_stopped(engine: &Engine, failed: &ExchangeFailed) -> bool {
    matches!(failed.kind, ExchangeFailure::Timeout { .. }) && engine.time_is_up.is_cancelled()
}

/// Reads an answer that has come, and keeps it for the history.
pub(super) fn receive(
    engine: &Engine,
    exchange: &Exchange,
    redactor: &Redactor,
    trace: &mut Trace,
) -> Received {
    let asked = retry_after(&exchange.headers, engine.clock.now());
    let headers = shown_headers(&exchange.headers, redactor);
    let bytes = exchange.body.len() as u64;
    let body = redactor.redact_bytes(&exchange.body);
    let (mut answer, unreadable) = match Answer::read(exchange.status, headers.clone(), &body) {
        Ok(answer) => (answer, None),
        Err(invalid) => {
            let text = invalid.text;
            let body = Body::Text(text.clone());
            (
                Answer { status: exchange.status, headers: headers.clone(), body, text: Some(text) },
                Some(invalid.detail),
            )
        }
    };
    hide_paths(&mut answer, redactor, unreadable.is_some());
    redact_answer(&mut answer, redactor);
    trace.phases = Some(phases(exchange.phases));
    trace.response = Some(ReceivedResponse {
        status: exchange.status,
        headers,
        body: answer.text.clone(),
        bytes,
        truncated: false,
    });
    Received { answer, unreadable, asked, elsewhere: false }
}

/// What a builder named in `redact`. The text is written anew from what is left: it may say more than
/// the value that was read from it, such as a member twice. A text is JSON when it reads like it; one
/// that should be and does not is hidden as a whole.
fn hide_paths(answer: &mut Answer, redactor: &Redactor, broken: bool) {
    let paths = redactor.paths();
    if paths.is_empty() {
        return;
    }
    let shown = match &mut answer.body {
        Body::Json(value) => {
            let value = std::sync::Arc::make_mut(value);
            paths.hide(value);
            Some(value.to_string())
        }
        Body::Text(text) => {
            match parse_json(text) {
                Ok(mut value) => {
                    paths.hide(&mut value);
                    *text = value.to_string();
                }
                Err(_) if broken => REDACTED.clone_into(text),
                Err(_) => {}
            }
            Some(text.clone())
        }
        Body::None => None,
    };
    answer.text = shown.or(answer.text.take());
}

/// Spellings that only appear once the body is decoded.
fn redact_answer(answer: &mut Answer, redactor: &Redactor) {
    if redactor.is_empty() {
        return;
    }
    if let Some(text) = &mut answer.text {
        *text = redactor.redact(text).into_owned();
    }
    match &mut answer.body {
        Body::Json(value) => redactor.redact_value(std::sync::Arc::make_mut(value)),
        Body::Text(text) => *text = redactor.redact(text).into_owned(),
        Body::None => {}
    }
}

/// Most bytes of answer headers that are kept.
const KEPT_HEADERS: usize = 32 * 1024;

/// Headers of an answer as they are kept.
pub(super) fn shown_headers(headers: &Headers, redactor: &Redactor) -> Map<String, Value> {
    let mut shown: Map<String, Value> = Map::new();
    let mut size = 0;
    for (name, value) in headers {
        size += name.len() + value.len();
        if size > KEPT_HEADERS {
            break;
        }
        let value = redactor.redact_header(name, value);
        match shown.get_mut(name) {
            Some(Value::String(known)) => *known = format!("{known}, {value}"),
            _ => {
                shown.insert(name.clone(), Value::String(value));
            }
        }
    }
    shown
}

/// Headers of an answer that is not taken, as they are kept: where it leads is only named.
pub(super) fn refused_headers(failed: &ExchangeFailed, redactor: &Redactor) -> Map<String, Value> {
    let mut headers = shown_headers(&failed.headers, redactor);
    if let ExchangeFailure::RedirectRefused { location, .. } = &failed.kind {
        headers.insert("location".to_owned(), redactor.redact(location).into());
    }
    headers
}

fn refuse(failed: &ExchangeFailed, redactor: &Redactor, trace: &mut Trace) -> Failure {
    use ExchangeFailure as E;
    trace.phases = Some(phases(failed.phases));
    let incomplete = matches!(failed.kind, E::Timeout { .. } | E::Cut { .. });
    trace.unknown = failed.sent && incomplete;
    if let Some(status) = failed.status {
        let headers = refused_headers(failed, redactor);
        trace.response = Some(ReceivedResponse { status, headers, body: None, bytes: 0, truncated: false });
    }
    Failure { http_status: failed.status, ..failure(&failed.kind, redactor) }
}

/// What went wrong on the way, as a failure.
pub(super) fn failure(kind: &ExchangeFailure, redactor: &Redactor) -> Failure {
    use ExchangeFailure as E;
    let (code, retryable) = match kind {
        E::Timeout { .. } => (FailureCode::Timeout, true),
        E::Dns { .. } => (FailureCode::DnsFailed, true),
        E::Connect { .. } | E::Cut { .. } => (FailureCode::ConnectFailed, true),
        E::Tls { .. } => (FailureCode::TlsFailed, false),
        E::Blocked { .. } => (FailureCode::BlockedAddress, false),
        E::RedirectRefused { .. } => (FailureCode::RedirectRefused, false),
        E::TooLarge { .. } => (FailureCode::ResponseTooLarge, false),
        E::InvalidResponse { .. } => (FailureCode::InvalidResponse, false),
        E::BadUrl { .. } | E::BadHeader { .. } => (FailureCode::TemplateFailed, false),
    };
    let detail = redactor.redact(&kind.to_string()).into_owned();
    Failure { retryable, ..Failure::new(code, detail) }
}

/// Where the time of an exchange went, as it is kept.
pub(super) fn phases(phases: Phases) -> PhaseTimes {
    PhaseTimes {
        dns_ms: phases.dns_ms,
        connect_ms: phases.connect_ms,
        first_byte_ms: phases.first_byte_ms,
        total_ms: phases.total_ms,
    }
}
