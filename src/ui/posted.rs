//! Forms, sent by a page of ours and by nobody else.
//!
//! A form that changes something carries the token of the session, which no other site can read,
//! and comes from our own origin where the browser says where it comes from (Fetch Metadata,
//! RFC 6454). Both are checked before anything of the form is read.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{HOST, HeaderMap, ORIGIN};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt as _;
use subtle::ConstantTimeEq as _;
use url::{Url, form_urlencoded};

use super::refusal::Refusal;
use super::visitor::{Visitor, visitor_of};
use crate::ui::words::refusals as w;

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// The name under which forms carry the session's token.
pub const CSRF: &str = "csrf";

/// Bytes of a form as it is sent: what browsers are told, too, so that they warn before.
pub const MOST: usize = 256 * 1024;

/// Bytes of a form that are read off the line though they are too many: a browser shows our answer
/// only once it has sent all that it had to say.
const HEARD: usize = 16 * 1024 * 1024;

/// A form of a signed-in visitor.
#[derive(Debug, Clone)]
pub struct Posted {
    /// Who sent it.
    pub visitor: Visitor,
    /// What it says.
    pub form: Form,
}

/// What a form says: names and values, in the order of the page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// As it lies in a body (`application/x-www-form-urlencoded`).
    pub fn parse(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// The value of an input; the last, where several have the name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of an input, trimmed; none when nothing was typed.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|text| !text.is_empty())
    }

    /// What follows a prefix, with the values: `data.` gives the inputs of a case.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value.as_str())))
    }

    /// Whether a box is ticked.
    pub fn ticked(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// A form of somebody who may not be signed in: from our own origin, without a session's token.
#[derive(Debug, Clone)]
pub struct Sent(pub Form);

impl FromRequest for Sent {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refusal>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let ours = same_origin(request.headers());
        let body = read(payload.take());
        Box::pin(async move {
            ours?;
            Ok(Self(Form::parse(&body.await?)))
        })
    }
}

/// The body of a form.
async fn read(mut payload: Payload) -> Result<Vec<u8>, Refusal> {
    let (mut body, mut length) = (Vec::new(), 0);
    while let Some(part) = payload.next().await {
        let part = part.map_err(|_| Refusal::wrong(w::FORM_CUT))?;
        length += part.len();
        if length <= MOST {
            body.extend_from_slice(&part);
        } else if length > HEARD {
            break;
        }
    }
    if length > MOST { Err(Refusal::too_large(w::FORM_TOO_LARGE, Vec::new())) } else { Ok(body) }
}

/// Refuses what the browser says comes from another site. Browsers name the origin of every form
/// that is posted; what is no browser has to have the token all the same.
pub fn same_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text(SEC_FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(Refusal::foreign());
    }
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    // The scheme is not compared: behind a proxy that ends TLS ours is another.
    let host = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok()).and_then(|url| {
        let host = url.host_str()?.to_owned();
        Some(url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}")))
    });
    if host.is_some() && host.as_deref() == text(HOST.as_str()) { Ok(()) } else { Err(Refusal::foreign()) }
}

impl FromRequest for Posted {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refusal>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let ours = same_origin(request.headers());
        let visitor = visitor_of(request);
        let body = read(payload.take());
        Box::pin(async move {
            ours?;
            let visitor = visitor.ok_or_else(|| Refusal::trouble("a form has no session around it"))?;
            let form = Form::parse(&body.await?);
            let token = form.get(CSRF).unwrap_or_default();
            if !bool::from(token.as_bytes().ct_eq(visitor.csrf.as_bytes())) {
                return Err(Refusal::foreign());
            }
            Ok(Self { visitor: (*visitor).clone(), form })
        })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_our_own_pages_may_send_a_form() {
        for (origin, site, good) in [
            (None, None, true),
            (Some("http://dossier.test:8080"), Some("same-origin"), true),
            (Some("https://dossier.test:8080"), None, true),
            (Some("http://dossier.test"), None, false),
            (Some("http://evil.test:8080"), None, false),
            (Some("http://dossier.test:8080.evil.test"), None, false),
            (Some("null"), None, false),
            (Some("http://dossier.test:8080"), Some("cross-site"), false),
            (None, Some("same-site"), false),
            (None, Some("none"), true),
        ] {
            let mut request = TestRequest::post().insert_header(("host", "dossier.test:8080"));
            if let Some(origin) = origin {
                request = request.insert_header(("origin", origin));
            }
            if let Some(site) = site {
                request = request.insert_header((SEC_FETCH_SITE, site));
            }
            let found = same_origin(request.to_http_request().headers()).is_ok();
            assert_eq!(found, good, "{origin:?} {site:?}");
        }
    }

    #[test]
    fn a_form_is_read_by_name_and_by_prefix() {
        let form = Form::parse(b"csrf=x&data.a=1&data.b=+two+&pick=p&pick=q&empty=");
        assert_eq!((form.text("data.b"), form.text("empty"), form.get("none")), (Some("two"), None, None));
        assert_eq!(form.below("data.").collect::<Vec<_>>(), [("a", "1"), ("b", " two ")]);
        assert!(form.ticked("empty") && !form.ticked("none"));
    }
}
