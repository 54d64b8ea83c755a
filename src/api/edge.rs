//! The rim of the door: every answer leaves with a request id, every refusal as a problem.
//!
//! It finishes what handlers cannot: a problem gets its request's id, a panic becomes a 500
//! instead of a cut connection, and trouble of ours is logged here, once. The span that all log
//! lines of a request carry names method and route pattern only: URLs, queries and headers may
//! hold what people would not want in a log.

use std::panic::AssertUnwindSafe;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, ResponseError as _};
use futures_util::FutureExt as _;
use tracing::{Span, field};
use tracing_actix_web::{RequestId, RootSpanBuilder, TracingLogger};

use super::error::ApiError;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The log span of one request.
pub struct RequestSpan;

/// Gives each request an id and a span; goes around [`edge`].
pub fn tracing() -> TracingLogger<RequestSpan> {
    TracingLogger::new()
}

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let route = request.match_pattern().unwrap_or_default();
        let id = request_id(request);
        tracing::info_span!("request", method = %request.method(), route, request_id = id, status = field::Empty)
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        span.record("status", status.as_u16());
        span.in_scope(|| tracing::debug!("answered"));
    }
}

/// The middleware itself.
pub async fn edge(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = request_id(&request);
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(Ok(answer)) => Ok(finish(answer.map_into_boxed_body(), &id)),
        Ok(Err(error)) => Err(refusal(ApiError::of(&error), &id).into()),
        Err(_) => Err(refusal(ApiError::internal("the handler panicked"), &id).into()),
    }
}

/// Empty only where [`tracing`] does not go around it.
fn request_id(request: &ServiceRequest) -> String {
    request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default()
}

fn finish(answer: ServiceResponse, id: &str) -> ServiceResponse {
    let Some(error) = answer.response().error().map(ApiError::of) else {
        let mut answer = answer;
        name(answer.headers_mut(), id);
        return answer;
    };
    let mut problem = refusal(error, id).error_response();
    name(problem.headers_mut(), id);
    ServiceResponse::new(answer.into_parts().0, problem)
}

fn refusal(error: ApiError, id: &str) -> ApiError {
    if let Some(cause) = error.cause() {
        tracing::error!(%error, cause, "a request failed");
    }
    error.of_request(id)
}

fn name(headers: &mut HeaderMap, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(X_REQUEST_ID, value);
    }
}
