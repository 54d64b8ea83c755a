//! The rim of the door: every answer leaves with a request id, every refusal as a problem.
//!
//! It finishes what handlers cannot: a problem gets its request's id, a panic becomes a 500
//! instead of a cut connection, what reads and gets no answer a 503, and trouble of ours is
//! logged here, once. The span that all log lines of a request carry names method and route
//! pattern only: URLs, queries and headers may hold what people would not want in a log.

use std::panic::AssertUnwindSafe;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::HeaderValue;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, ResponseError};
use futures_util::FutureExt as _;
use tracing::{Span, field};
use tracing_actix_web::{RequestId, RootSpanBuilder, TracingLogger};

use super::error::{ApiError, X_REQUEST_ID};
use super::extract::Wait;
use crate::domain::clock::{Instant, SharedClock};
use crate::metrics::Served;
use crate::service::{READING, Services, in_time};

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
    let arrival = Arrival::of(&request);
    let patience = arrival.as_ref().and_then(|arrival| arrival.patience(&request));
    let call = AssertUnwindSafe(next.call(request)).catch_unwind();
    let called = match patience {
        Some((clock, until)) => in_time(&*clock, until, call).await,
        None => Ok(call.await),
    };
    let answer = match called {
        Ok(Ok(Ok(answer))) => Ok(finish(answer.map_into_boxed_body(), &id)),
        Ok(Ok(Err(error))) => Err(refusal(ApiError::of(&error), &id)),
        Ok(Err(_)) => Err(refusal(ApiError::internal("the handler panicked"), &id)),
        Err(error) => Err(refusal(error.into(), &id)),
    };
    if let Some(arrival) = arrival {
        arrival.answered(
            answer.as_ref().map_or_else(ResponseError::status_code, ServiceResponse::status).as_u16(),
        );
    }
    Ok(answer?)
}

/// A request as the metrics will count it.
struct Arrival {
    services: Data<Services>,
    method: Method,
    route: Option<String>,
    at: Instant,
}

impl Arrival {
    /// None in a test that has no services.
    fn of(request: &ServiceRequest) -> Option<Self> {
        let services = request.app_data::<Data<Services>>()?.clone();
        let at = services.clock.now();
        Some(Self { services, method: request.method().clone(), route: request.match_pattern(), at })
    }

    /// Until when somebody who reads waits, beside what they wish to wait for.
    fn patience(&self, request: &ServiceRequest) -> Option<(SharedClock, Instant)> {
        let reads = [Method::GET, Method::HEAD].contains(&self.method);
        let from = Wait::of(request.headers()).until(&*self.services.clock).unwrap_or(self.at);
        reads.then(|| (self.services.clock.clone(), from + READING))
    }

    fn answered(self, status: u16) {
        // Clocks can be set back.
        let took = (self.services.clock.now() - self.at).to_std().unwrap_or_default();
        let (method, route) = (self.method.as_str(), self.route.as_deref());
        self.services.metrics.served(Served { method, route, status, took });
    }
}

/// Characters of an id that somebody else gave.
const LONGEST_ID: usize = 128;

/// The id that the caller gave, so that its logs and ours can be laid side by side; else one of
/// our own. Empty only where [`tracing`] does not go around it.
pub(super) fn request_id(request: &ServiceRequest) -> String {
    let given = request.headers().get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
    let given = given
        .filter(|id| (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()));
    given.map_or_else(
        || request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default(),
        str::to_owned,
    )
}

fn finish(mut answer: ServiceResponse, id: &str) -> ServiceResponse {
    if let Some(error) = answer.response().error().map(ApiError::of) {
        let problem = refusal(error, id).error_response();
        return ServiceResponse::new(answer.into_parts().0, problem);
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        answer.headers_mut().insert(X_REQUEST_ID, value);
    }
    answer
}

/// The refusal of this request; trouble of ours is logged.
fn refusal(error: ApiError, id: &str) -> ApiError {
    if let Some(cause) = error.cause() {
        tracing::error!(%error, cause, "a request failed");
    }
    error.of_request(id)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use actix_web::http::Method;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, init_service, read_body_json, try_call_service};
    use actix_web::{App, HttpResponse, web};
    use serde_json::Value;

    use super::*;

    async fn broken() -> &'static str {
        panic!("a bug, on purpose")
    }

    async fn answer(method: Method) -> (u16, Value) {
        answer_to(TestRequest::with_uri("/").method(method)).await
    }

    async fn answer_to(request: TestRequest) -> (u16, Value) {
        let resource = web::resource("/")
            .route(web::get().to(HttpResponse::Ok))
            .route(web::put().to(broken))
            .route(web::post().to(|_: web::Data<u8>| async { "nobody hands this in" }))
            .route(web::patch().to(|_: web::Json<u8>| async { "this is no JSON" }));
        let app = init_service(App::new().service(resource.wrap(from_fn(edge)).wrap(tracing()))).await;
        match try_call_service(&app, request.to_request()).await {
            Ok(answer) => {
                assert!(answer.headers().contains_key(X_REQUEST_ID));
                let status = answer.status().as_u16();
                if status == 200 { (status, Value::Null) } else { (status, read_body_json(answer).await) }
            }
            Err(error) => {
                let answer = error.error_response();
                assert!(answer.headers().contains_key(X_REQUEST_ID));
                let status = answer.status().as_u16();
                let body = actix_web::body::to_bytes(answer.into_body()).await.unwrap();
                (status, serde_json::from_slice(&body).unwrap())
            }
        }
    }

    #[actix_web::test]
    async fn trouble_of_ours_is_a_problem_without_its_cause() {
        assert_eq!(answer(Method::GET).await.0, 200);
        for method in [Method::PUT, Method::POST] {
            let (status, body) = answer(method).await;
            assert_eq!((status, body["code"].as_str()), (500, Some("internal")), "{body}");
            assert!(body["request_id"].as_str().is_some_and(|id| id.len() == 36), "{body}");
            assert!(!body.to_string().contains("purpose") && !body.to_string().contains("Data"), "{body}");
        }
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[actix_web::test]
    async fn a_failing_request_is_found_in_the_log_by_its_id() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let longest = "x".repeat(128);
        for (given, kept) in [
            ("edge-7~!", true),
            (&longest, true),
            (&format!("{longest}x"), false),
            ("a b", false),
            ("", false),
        ] {
            let put = TestRequest::with_uri("/").method(Method::PUT).insert_header((X_REQUEST_ID, given));
            let (status, body) = answer_to(put).await;
            let id = body["request_id"].as_str().unwrap();
            assert_eq!((status, id == given), (500, kept), "{body}");
            if !kept {
                assert_eq!(id.parse::<uuid::Uuid>().unwrap().get_version_num(), 7, "{id}");
            }
            let log = String::from_utf8(std::mem::take(&mut *lines.0.lock().unwrap())).unwrap();
            let failure = log.lines().find(|line| line.contains("a request failed")).unwrap();
            let failure: Value = serde_json::from_str(failure).unwrap();
            assert_eq!(failure["span"]["request_id"], id, "{failure}");
        }
    }

    #[actix_web::test]
    async fn what_the_server_itself_refuses_is_a_problem_too() {
        let (status, body) = answer(Method::PATCH).await;
        assert_eq!((status, body["code"].as_str()), (400, Some("malformed_request")), "{body}");
    }
}
