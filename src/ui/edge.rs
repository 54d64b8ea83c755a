//! The rim of the door: every request has an id and a log span, every refusal becomes a page in
//! the frame of whoever looks, and a panic becomes one, too, instead of a cut connection. Who only looks
//! and gets no answer is told that the database is away.
//!
//! The span names method and route pattern only: addresses hold what people search for.

use std::panic::AssertUnwindSafe;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpRequest};
use futures_util::FutureExt as _;
use tracing::{Span, field};
use tracing_actix_web::{RequestId, RootSpanBuilder, TracingLogger};

use super::frame::Frame;
use super::refusal::Refusal;
use super::typed::{page_of, typed_in};
use super::visitor::visitor_of;
use crate::domain::clock::{Instant, SharedClock};
use crate::service::{READING, Services, in_time};

/// The log span of one page.
pub struct PageSpan;

/// Gives each request an id and a span; goes around [`edge`].
pub fn tracing() -> TracingLogger<PageSpan> {
    TracingLogger::new()
}

impl RootSpanBuilder for PageSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let route = request.match_pattern().unwrap_or_default();
        let id = number(request.request());
        tracing::info_span!("page", method = %request.method(), route, request_id = id, status = field::Empty)
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        if let Ok(answer) = outcome {
            span.record("status", answer.status().as_u16());
        }
    }
}

/// The middleware itself.
pub async fn edge(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let asked = request.request().clone();
    let call = AssertUnwindSafe(next.call(request)).catch_unwind();
    let called = match patience(&asked) {
        Some((clock, until)) => in_time(&*clock, until, call).await,
        None => Ok(call.await),
    };
    let refusal = match called {
        Ok(Ok(Ok(answer))) => match answer.response().error().map(Refusal::of) {
            Some(refusal) => refusal,
            None => return Ok(answer.map_into_boxed_body()),
        },
        Ok(Ok(Err(error))) => Refusal::of(&error),
        Ok(Err(_)) => Refusal::trouble("the handler panicked"),
        Err(error) => error.into(),
    };
    let frame = visitor_of(&asked).map_or_else(Frame::for_nobody, |visitor| Frame {
        guest: Some(visitor.guest()),
        ..Frame::for_nobody()
    });
    let typed = typed_in(&asked);
    let back = Some(asked.path()).filter(|_| asked.method() == Method::POST).and_then(page_of);
    let page = refusal.page(&frame, &number(&asked), back.as_deref(), typed.as_deref());
    Ok(ServiceResponse::new(asked, page))
}

/// Until when somebody waits who only looks; none in a test that has no services.
fn patience(request: &HttpRequest) -> Option<(SharedClock, Instant)> {
    let clock = request.app_data::<Data<Services>>()?.clock.clone();
    let until = clock.now() + READING;
    [Method::GET, Method::HEAD].contains(request.method()).then_some((clock, until))
}

/// The number under which the log knows the request.
fn number(request: &HttpRequest) -> String {
    request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default()
}
