//! One exchange: the request out, the answer in, secrets that the provider echoes taken out
//! before anybody looks at it.

use serde_json::{Map, Value};

use super::authorize::Signed;
use super::context::{Deadline, Engine, Stop, Trace};
use super::prepare::Prepared;
use super::trust::way_out;
use crate::domain::answer::{Answer, Body};
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::redact::Redactor;
use crate::domain::run::{PhaseTimes, ReceivedResponse};
use crate::outbound::{Exchange, ExchangeFailed, ExchangeFailure, Headers, Outgoing, Phases, retry_after};

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
