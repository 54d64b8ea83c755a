//! One exchange: the request out, the answer in, secrets that the provider echoes taken out
//! before anybody looks at it.

use serde_json::{Map, Value};

use super::authorize::Signed;
use super::context::{Deadline, Engine, Stop, Trace};
use super::prepare::Prepared;
use crate::domain::answer::{Answer, Body, parse_json};
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::redact::{REDACTED, Redactor};
use crate::domain::run::{PhaseTimes, ReceivedResponse};
use crate::outbound::{
    Exchange, ExchangeFailed, ExchangeFailure, Headers, Outbound, Outgoing, Phases, TlsPolicy, retry_after,
};

/// A complete answer, redacted, and what the provider asked for with it.
pub(super) struct Received {
    pub(super) answer: Answer,
    /// Why the body could not be read, when it could not.
    pub(super) unreadable: Option<String>,
    pub(super) asked: Option<std::time::Duration>,
}

/// Sends the request and reads the answer. Without a deadline the attempt's time begins here.
pub(super) async fn send(
    engine: &Engine,
    prepared: &Prepared,
    signed: Signed,
    deadline: Option<Deadline>,
    trace: &mut Trace,
) -> Result<Received, Stop> {
    let deadline = deadline.unwrap_or_else(|| Deadline::start(engine, prepared.timeout_ms()));
    if engine.time_is_up.is_cancelled() {
        return Err(Stop::Stopped);
    }
    let Signed { request, redactor } = signed;
    let policy = prepared.tls_for(&request.url)?;
    let outbound = way_out(engine, policy.as_ref(), &redactor).await?;
    let outgoing = Outgoing {
        method: request.method.as_str().parse().map_err(|_| {
            Failure::new(FailureCode::TemplateFailed, "the method is not one that can be sent")
        })?,
        url: request.url,
        headers: request.headers,
        body: request.body,
    };
    let exchanged = Box::pin(outbound.exchange(outgoing, deadline.over(engine), deadline.timeout_ms())).await;
    match exchanged {
        Ok(exchange) => Ok(receive(engine, &exchange, &redactor, trace)),
        Err(failed) if was_stopped(engine, &failed) => {
            refuse(&failed, &redactor, trace);
            Err(Stop::Stopped)
        }
        Err(failed) => Err(refuse(&failed, &redactor, trace).into()),
    }
}

/// The way out under a TLS policy, where there is one.
pub(super) async fn way_out(
    engine: &Engine,
    policy: Option<&TlsPolicy>,
    redactor: &Redactor,
) -> Result<Outbound, Failure> {
    let Some(policy) = policy else { return Ok(engine.outbound.clone()) };
    Box::pin(engine.outbound.under(policy)).await.map_err(|failed| {
        let detail = format!(
            "the `tls` of the connection cannot be used: {}; save the connection again to see what is wrong with it",
            redactor.redact(&failed.detail)
        );
        Failure::new(FailureCode::TlsFailed, detail)
    })
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
    Received { answer, unreadable, asked }
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

fn refuse(failed: &ExchangeFailed, redactor: &Redactor, trace: &mut Trace) -> Failure {
    use ExchangeFailure as E;
    trace.phases = Some(phases(failed.phases));
    let incomplete = matches!(failed.kind, E::Timeout { .. } | E::Cut { .. });
    trace.unknown = failed.sent && incomplete;
    if let Some(status) = failed.status {
        let headers = shown_headers(&failed.headers, redactor);
        trace.response = Some(ReceivedResponse { status, headers, body: None, bytes: 0, truncated: false });
    }
    let (code, retryable) = match &failed.kind {
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
    let detail = redactor.redact(&failed.kind.to_string()).into_owned();
    Failure { http_status: failed.status, retryable, ..Failure::new(code, detail) }
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
