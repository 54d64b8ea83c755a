//! Headers that go with every page: what it may load and run, who may frame it, who may keep it.
//!
//! Pages show what people and providers wrote. Templates escape all of it; should one ever fail
//! to, a browser still runs no script and loads no style but ours (Content Security Policy
//! Level 3), since there is none inside a page.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::middleware::Next;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
    ),
];

/// The middleware: adds the headers, whatever the answer.
pub async fn safe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let refused = request.request().clone();
    let mut answer = match next.call(request).await {
        Ok(answer) => answer.map_into_boxed_body(),
        Err(error) => ServiceResponse::from_err(error, refused),
    };
    add(answer.headers_mut());
    Ok(answer)
}

fn add(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What a page shows depends on who looks, and may not lie in a shared cache.
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.append(VARY, HeaderValue::from_static("Cookie"));
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, HttpResponse, web};

    use super::*;
    use crate::ui::refusal::Refusal;

    #[actix_web::test]
    async fn good_answers_and_refusals_carry_the_headers() {
        let good = web::resource("/good").route(web::get().to(HttpResponse::Ok));
        let bad =
            web::resource("/bad").route(web::get().to(|| async { Err::<&str, _>(Refusal::not_found()) }));
        let app =
            init_service(App::new().service(good.wrap(from_fn(safe))).service(bad.wrap(from_fn(safe)))).await;
        for (url, status) in [("/good", 200), ("/bad", 404)] {
            let answer = call_service(&app, TestRequest::with_uri(url).to_request()).await;
            assert_eq!(answer.status().as_u16(), status);
            let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
            assert_eq!(header("content-security-policy"), Some(POLICY), "{url}");
            assert_eq!(header("cache-control"), Some("no-store"), "{url}");
            assert!(!POLICY.contains("unsafe"));
        }
    }
}
