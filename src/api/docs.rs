//! `/docs`: the description of the API on a page where it can be read and tried (Swagger UI).
//!
//! Page, scripts and styles are compiled in, so it works without a network; the policy that goes
//! with every file keeps a browser from loading anything from elsewhere, or from sending what
//! people type to anybody but us. The page itself needs no token; its calls need one, as all do.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use utoipa_swagger_ui::{Config, serve};

use super::error::{ApiError, Code};

/// Where the page is, and where the files that it loads are.
pub const URLS: [&str; 2] = ["/docs", "/docs/{file:.*}"];

/// Only from us. The page styles itself while it is drawn, and its icons are images in URLs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Relative, so that the page also works behind a proxy that serves us below a path.
const DOCUMENT: &str = "../openapi.json";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    // Without `none` the page would send the document to a validator on the internet.
    let config = Config::from(DOCUMENT).validator_url("none").deep_linking(true);
    Arc::new(config.display_request_duration(true).default_models_expand_depth(0))
});

/// The page or one of its files.
pub async fn file(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let Some(name) = request.match_info().get("file") else {
        // The files are named relative to the page, which therefore ends in a slash.
        return Ok(HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "docs/")).finish());
    };
    let file = serve(name, CONFIG.clone()).map_err(|error| ApiError::internal(error.to_string()))?;
    let file =
        file.ok_or_else(|| ApiError::new(Code::NotFound, "There is nothing here; the page is /docs/."))?;
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    Ok(HttpResponse::Ok()
        .content_type(file.content_type)
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(bytes))
}
