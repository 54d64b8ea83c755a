//! Styles, scripts and icons: our own, part of the binary, and kept by browsers for good, since
//! the URL of one names what is in it.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use rust_embed::RustEmbed;

use super::refusal::Refusal;

#[derive(RustEmbed)]
#[folder = "src/ui/assets"]
struct Embedded;

/// Hex digits of a file's hash in its URL.
const DIGITS: usize = 12;

/// One hash over all files, so that modules may import each other by their plain names.
static EDITION: LazyLock<String> = LazyLock::new(|| {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for name in Embedded::iter() {
        context.update(name.as_bytes());
        context.update(Embedded::get(&name).map(|file| file.data).unwrap_or_default().as_ref());
    }
    let mut digits = hex::encode(context.finish());
    digits.truncate(DIGITS);
    digits
});

/// The URL of a file in `assets/`.
pub fn url(name: &str) -> String {
    format!("/assets/{}/{name}", *EDITION)
}

/// `GET /assets/{edition}/{name}`. An edition that is not this one's is answered, too, but not to
/// be kept: a page that was loaded before an update still finds its files.
pub async fn file(path: web::Path<(String, String)>) -> Result<HttpResponse, Refusal> {
    let (edition, name) = path.into_inner();
    let file = Embedded::get(&name).ok_or(Refusal::not_found())?;
    let kept = if edition == *EDITION { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, kept))
        .insert_header((CONTENT_TYPE, content_type(&name)))
        .body(file.data.into_owned()))
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_type_and_none_speaks_of_another_origin() {
        for name in Embedded::iter() {
            assert_ne!(content_type(&name), "application/octet-stream", "{name}");
            let text = String::from_utf8(Embedded::get(&name).unwrap().data.into_owned()).unwrap();
            let foreign = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!foreign.contains("://") && !foreign.contains("url(//"), "{name}");
        }
        assert!(url("app.css").ends_with("/app.css") && EDITION.len() == DIGITS);
    }
}
