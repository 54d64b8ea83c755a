//! One call to a token endpoint, and what it means: a token, or a failure in plain words.
//!
//! Whatever the endpoint does wrong is `auth_failed`; only an address that the guard refuses keeps its
//! name. A redirect is never followed. No credential and no token is in what comes out of here beside
//! the token itself: of a success the body is not shown at all, of a failure what is named like a
//! credential is not.

use std::time::Duration;

use serde_json::Value;

use super::admit;
use super::authorize::shown;
use super::context::{AuxiliaryCall, CalledFor, Deadline, Engine};
use super::judge::EXCERPT;
use super::send::{phases, refused_headers, shown_headers};
use super::token_call::TokenCall;
use super::trust::way_out;
use super::wanted::Wanted;
use crate::domain::answer::{Answer, Body};
use crate::domain::auth::TokenAnswer;
use crate::domain::failure::{Failure, FailureCode, ProviderError};
use crate::domain::lane::LaneOutcome;
use crate::domain::mapping::ErrorMapping;
use crate::domain::redact::{Label, Redactor};
use crate::domain::run::{ReceivedResponse, SentRequest};
use crate::domain::secret::HIDDEN;
use crate::outbound::{Exchange, ExchangeFailed, ExchangeFailure, Outgoing, retry_after};

/// Characters of an endpoint's own words.
const WORDS: usize = 300;

/// What came of a call to a token endpoint.
pub(super) struct Asked {
    /// For whoever wants to see it.
    pub(super) call: AuxiliaryCall,
    /// What it says about the lane; none: nothing left.
    pub(super) lane: Option<LaneOutcome>,
    /// The token.
    pub(super) outcome: Result<TokenAnswer, Failure>,
}

/// Makes the call.
pub(super) async fn ask(engine: &Engine, wanted: &Wanted<'_>, deadline: &Deadline) -> Asked {
    let redactor = &wanted.redactor;
    let request = shown_call(&wanted.call, redactor);
    let rendered = &wanted.call.request;
    let call = AuxiliaryCall::new(CalledFor::Token, request);
    let not_made = |failure: Failure, call| Asked {
        call: AuxiliaryCall { error: Some(failure.clone()), ..call },
        lane: None,
        outcome: Err(failure),
    };
    let Ok(method) = rendered.method.as_str().parse() else {
        let failure = Failure::new(FailureCode::AuthFailed, "the method is not one that can be sent");
        return not_made(failure, call);
    };
    let outbound = match way_out(engine, wanted.tls.as_ref(), redactor).await {
        Ok(outbound) => outbound,
        Err(failure) => return not_made(failure, call),
    };
    let (url, headers, body) = (rendered.url.clone(), rendered.headers.clone(), rendered.body.clone());
    let outgoing = Outgoing { method, url, headers, body };
    let exchanged = Box::pin(outbound.exchange(outgoing, deadline.over(engine), deadline.timeout_ms())).await;
    match exchanged {
        Ok(exchange) => answered(engine, wanted, &exchange, call),
        Err(failed) => unanswered(wanted, &failed, call),
    }
}

fn shown_call(call: &TokenCall, redactor: &Redactor) -> SentRequest {
    SentRequest { body: call.shown_body(redactor), ..shown(&call.request, redactor) }
}

fn answered(engine: &Engine, wanted: &Wanted<'_>, exchange: &Exchange, call: AuxiliaryCall) -> Asked {
    let (now, redactor) = (engine.clock.now(), &wanted.redactor);
    let asked = retry_after(&exchange.headers, now);
    let success = (200..300).contains(&exchange.status);
    let mut headers = shown_headers(&exchange.headers, redactor);
    let answer = Answer::read(exchange.status, headers.clone(), &exchange.body);
    let outcome = match &answer {
        Ok(answer) if success => wanted.auth.paths.read(answer, now).map_err(|why| (why.to_string(), None)),
        Ok(answer) => Err(refusal(exchange.status, answer, redactor)),
        Err(_) if success => Err(("the answer says it is JSON, but does not parse".to_owned(), None)),
        Err(_) => Err((format!("it answered with status {}", exchange.status), None)),
    };
    if let Ok(TokenAnswer { token, .. }) = &outcome {
        headers = shown_headers(&exchange.headers, &redactor.clone().with_value(&Label::Token, token));
    }
    let body =
        if success { Some(HIDDEN.to_owned()) } else { answer.ok().and_then(|it| excerpt(it, redactor)) };
    let outcome = outcome.map_err(|(why, provider)| Failure {
        http_status: Some(exchange.status),
        provider,
        body_excerpt: body.clone().filter(|_| !success),
        retryable: matches!(exchange.status, 408 | 425 | 429 | 500..),
        asked: asked.filter(|_| !success),
        ..failure(wanted, &why)
    });
    let bytes = exchange.body.len() as u64;
    let response = ReceivedResponse { status: exchange.status, headers, body, bytes, truncated: false };
    let call = AuxiliaryCall {
        response: Some(response),
        phases: Some(phases(exchange.phases)),
        error: outcome.as_ref().err().cloned(),
        ..call
    };
    let lane = admit::outcome(exchange.status, outcome.is_ok(), now + asked.unwrap_or(Duration::ZERO));
    Asked { call, lane: Some(lane), outcome }
}

fn unanswered(wanted: &Wanted<'_>, failed: &ExchangeFailed, call: AuxiliaryCall) -> Asked {
    use ExchangeFailure as E;
    let why = wanted.redactor.redact(&failed.kind.to_string()).into_owned();
    let retryable =
        matches!(failed.kind, E::Timeout { .. } | E::Dns { .. } | E::Connect { .. } | E::Cut { .. });
    let code = match failed.kind {
        E::Blocked { .. } => FailureCode::BlockedAddress,
        _ => FailureCode::AuthFailed,
    };
    let lane = match failed.kind {
        E::Timeout { .. } | E::Dns { .. } | E::Connect { .. } | E::Cut { .. } | E::Tls { .. } => {
            Some(LaneOutcome::Failed)
        }
        E::Blocked { .. } | E::BadUrl { .. } | E::BadHeader { .. } => None,
        E::RedirectRefused { .. } | E::TooLarge { .. } | E::InvalidResponse { .. } => match failed.status {
            Some(500..) => Some(LaneOutcome::Failed),
            _ => Some(LaneOutcome::Answered),
        },
    };
    let retryable = retryable || failed.status.is_some_and(|status| status >= 500);
    let failure = Failure { code, http_status: failed.status, retryable, ..failure(wanted, &why) };
    let headers = refused_headers(failed, &wanted.redactor);
    let response = failed.status.map(|status| ReceivedResponse {
        status,
        headers,
        body: None,
        bytes: 0,
        truncated: false,
    });
    let phases = Some(phases(failed.phases));
    let call = AuxiliaryCall { response, phases, error: Some(failure.clone()), ..call };
    Asked { call, lane, outcome: Err(failure) }
}

fn failure(wanted: &Wanted<'_>, why: &str) -> Failure {
    let detail = format!("no token from {}: {why}", wanted.endpoint());
    Failure::new(FailureCode::AuthFailed, detail)
}

/// The endpoint's own word for it (RFC 6749, section 5.2).
fn refusal(status: u16, answer: &Answer, redactor: &Redactor) -> (String, Option<ProviderError>) {
    // Before anything is cut: half a credential is not found.
    let mut body = (*answer.body_value()).clone();
    redactor.redact_value(&mut body);
    let answer = &Answer { body: Body::Json(std::sync::Arc::new(body.clone())), ..answer.clone() };
    let words = |text: String| redactor.redact(&text).chars().take(WORDS).collect::<String>();
    let named = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let (code, description) = ErrorMapping::default().read(answer);
    let description = named("error_description").or(description).map(words);
    let code = named("error").or(code).map(words);
    let said = [&code, &description].into_iter().flatten().cloned().collect::<Vec<_>>().join(": ");
    let said = if said.is_empty() { said } else { format!(": {said}") };
    let provider = (code.is_some() || description.is_some()).then_some(ProviderError { code, description });
    (format!("it answered with status {status}{said}"), provider)
}

/// The beginning of a failure's body, without what is named like a credential.
fn excerpt(answer: Answer, redactor: &Redactor) -> Option<String> {
    let text = match answer.body {
        Body::Json(value) => {
            let mut value = (*value).clone();
            mask(&mut value);
            redactor.redact_value(&mut value);
            redactor.redact(&value.to_string()).into_owned()
        }
        Body::Text(text) => redactor.redact(&text).into_owned(),
        Body::None => return None,
    };
    Some(text.chars().take(EXCERPT).collect())
}

fn mask(value: &mut Value) {
    const CREDENTIALS: [&str; 4] = ["token", "secret", "password", "assertion"];
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.to_ascii_lowercase();
                if member.is_string() && CREDENTIALS.iter().any(|word| name.contains(word)) {
                    *member = HIDDEN.into();
                } else {
                    mask(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}
