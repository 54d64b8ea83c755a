//! Request bodies: JSON of a limited size, refused with the place of the first mistake.
//!
//! Nothing is read beyond the limit, and an announced length beyond it is refused unread. What
//! JSON cannot say safely is refused as well: nesting beyond 128 levels, lone surrogates,
//! numbers that no double holds. Of two members with one name the last counts.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{Bytes, BytesMut, Data};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt as _;
use serde_json::Value;

use super::error::{ApiError, Code};

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// What `app` tells the API, as `Data<ApiSettings>`. Without it the defaults hold.
#[derive(Debug, Clone, Copy)]
pub struct ApiSettings {
    /// Most bytes of a request body.
    pub request_bytes: usize,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self { request_bytes: 1024 * 1024 }
    }
}

/// A JSON body, `application/json` or none said.
pub struct JsonBody(pub Value);

/// A JSON body that may be left out.
pub struct OptionalJson(pub Option<Value>);

/// A merge patch (RFC 7396), under its own media type or plain JSON.
pub struct MergePatch(pub Value);

type Reading<T> = Pin<Box<dyn Future<Output = Result<T, ApiError>>>>;

impl FromRequest for JsonBody {
    type Error = ApiError;
    type Future = Reading<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = read(request, payload, &[JSON]);
        Box::pin(async move { required(body.await?).map(Self) })
    }
}

impl FromRequest for MergePatch {
    type Error = ApiError;
    type Future = Reading<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = read(request, payload, &[JSON, MERGE_PATCH]);
        Box::pin(async move { required(body.await?).map(Self) })
    }
}

impl FromRequest for OptionalJson {
    type Error = ApiError;
    type Future = Reading<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = read(request, payload, &[JSON]);
        Box::pin(async move { body.await.map(Self) })
    }
}

fn required(body: Option<Value>) -> Result<Value, ApiError> {
    body.ok_or_else(|| ApiError::new(Code::MalformedJson, "The body is empty; send a JSON object."))
}

/// The whole body as it was sent.
pub(super) async fn whole(request: &HttpRequest, payload: Payload) -> Result<Bytes, ApiError> {
    Ok(collect(request.headers(), payload, limit(request)).await?.freeze())
}

fn limit(request: &HttpRequest) -> usize {
    let settings = request.app_data::<Data<ApiSettings>>();
    settings.map_or_else(ApiSettings::default, |settings| ***settings).request_bytes
}

/// The body as JSON; none when it is empty, whatever its type.
fn read(request: &HttpRequest, payload: &mut Payload, types: &'static [&str]) -> Reading<Option<Value>> {
    let limit = limit(request);
    let headers = request.headers().clone();
    let payload = payload.take();
    Box::pin(async move {
        let bytes = collect(&headers, payload, limit).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        check_type(&headers, types)?;
        parse(&bytes).map(Some)
    })
}

async fn collect(headers: &HeaderMap, mut payload: Payload, limit: usize) -> Result<BytesMut, ApiError> {
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let mut bytes = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            ApiError::new(Code::MalformedRequest, format!("The body broke off: {error}."))
        })?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(Code::TooLarge, format!("The body is larger than {limit} bytes; send less at once."))
}

/// A body without a type counts as JSON; other types, charsets and compression are refused.
fn check_type(headers: &HeaderMap, types: &[&str]) -> Result<(), ApiError> {
    let allowed = types.join("` or `");
    let refused = |what: &str| {
        let detail = format!("{what}; send `{allowed}` in UTF-8, not compressed.");
        Err(ApiError::new(Code::UnsupportedMediaType, detail))
    };
    if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return refused("The body is compressed");
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let mut parts = value.to_str().unwrap_or_default().split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    if !types.iter().any(|allowed| essence.eq_ignore_ascii_case(allowed)) {
        return refused("The body's content type is not known here");
    }
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    match charset {
        Some(charset) if !charset.eq_ignore_ascii_case("utf-8") && !charset.eq_ignore_ascii_case("utf8") => {
            refused("The body's charset is not UTF-8")
        }
        _ => Ok(()),
    }
}

fn parse(bytes: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or_default();
        let detail = format!(
            "The body is not valid JSON at line {}, column {}: {what}.",
            error.line(),
            error.column()
        );
        ApiError::new(Code::MalformedJson, detail)
    })
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;

    use super::*;

    async fn body(request: TestRequest) -> Result<Option<Value>, String> {
        let settings = ApiSettings { request_bytes: 300_000 };
        let (request, mut payload) = request.app_data(Data::new(settings)).to_http_parts();
        OptionalJson::from_request(&request, &mut payload).await.map(|body| body.0).map_err(|e| e.to_string())
    }

    #[actix_web::test]
    async fn json_is_read_whatever_its_type_is_called() {
        for name in [None, Some("application/json"), Some("Application/JSON; charset=\"UTF-8\"")] {
            let mut request = TestRequest::post().set_payload("{\"a\": 1}");
            if let Some(name) = name {
                request = request.insert_header(("content-type", name));
            }
            assert_eq!(body(request).await, Ok(Some(serde_json::json!({"a": 1}))), "{name:?}");
        }
    }

    #[actix_web::test]
    async fn other_types_are_refused() {
        for (header, value) in [
            ("content-type", "text/plain"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("content-type", "application/merge-patch+json"),
            ("content-type", "application/json; charset=latin1"),
            ("content-encoding", "gzip"),
        ] {
            let request = TestRequest::post().insert_header((header, value)).set_payload("{}");
            let error = body(request).await.unwrap_err();
            assert!(error.starts_with("415 unsupported_media_type: "), "{value}: {error}");
        }
    }

    #[actix_web::test]
    async fn what_is_no_json_is_refused_with_its_place() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let cases: [(&[u8], &str); 9] = [
            (b"{\"a\":\n 1,}", "line 2, column 4"),
            (b"{\"a\": 1} x", "line 1, column 10"),
            (b"nope", "line 1"),
            (b"[1e400]", "number out of range"),
            (b"[\"\\ud800\"]", "hex escape"),
            (b"[\"\\udc00 \"]", "surrogate"),
            (b"[\"\xff\"]", "line 1"),
            (b" ", "line 1"),
            (deep.as_bytes(), "recursion limit"),
        ];
        for (bytes, expected) in cases {
            let error = body(TestRequest::post().set_payload(bytes.to_vec())).await.unwrap_err();
            assert!(error.starts_with("400 malformed_json: ") && error.contains(expected), "{error}");
        }
    }

    #[actix_web::test]
    async fn a_body_beyond_the_limit_is_refused() {
        let fits = format!("\"{}\"", "x".repeat(299_998));
        assert!(body(TestRequest::post().set_payload(fits.clone())).await.is_ok());
        let error = body(TestRequest::post().set_payload(fits + " ")).await.unwrap_err();
        assert!(error.starts_with("413 too_large: "), "{error}");
        let announced = HeaderValue::from_static("300001");
        let error =
            body(TestRequest::post().insert_header((header::CONTENT_LENGTH, announced))).await.unwrap_err();
        assert!(error.starts_with("413 too_large: "), "{error}");
    }

    #[actix_web::test]
    async fn a_body_that_is_needed_may_not_be_empty() {
        let (request, mut payload) = TestRequest::post().to_http_parts();
        let error = JsonBody::from_request(&request, &mut payload).await.map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "400 malformed_json: The body is empty; send a JSON object.");
    }

    #[actix_web::test]
    async fn a_patch_may_bear_its_own_type() {
        for name in [JSON, MERGE_PATCH] {
            let request = TestRequest::patch().insert_header(("content-type", name)).set_payload("{}");
            let (request, mut payload) = request.to_http_parts();
            assert!(MergePatch::from_request(&request, &mut payload).await.is_ok(), "{name}");
        }
    }
}
