//! May a redirect be followed, and what goes along? Pure.
//!
//! Only GET and HEAD are sent on, at most three times in a row; without a connection that says
//! otherwise only on the host that was called, and not from https to http. **Nothing of ours goes to
//! another origin**, not even between http and https of one host: no credential, no header, no
//! body, nor a URL that holds a credential because the provider put it there. Who has left the
//! origin once goes on without them, also when he is sent back.

use url::Url;

use super::authorize::Signed;
use super::prepare::Prepared;
use super::render::Rendered;
use crate::domain::api_call::Method;
use crate::domain::connection::Redirects;
use crate::domain::redact::{Label, Redactor};
use crate::outbound::{ExchangeFailed, redirect_target};

/// How many redirects in a row are followed.
const MOST: usize = 3;

/// The way of one request from place to place.
pub(super) struct Way {
    first: Url,
    rule: Redirects,
    followed: usize,
    elsewhere: bool,
}

impl Way {
    /// Begins where the request goes.
    pub(super) fn begin(prepared: &Prepared, request: &Rendered) -> Self {
        let rule = prepared.connection_for(&request.url).map(|it| it.redirects).unwrap_or_default();
        Self { first: request.url.clone(), rule, followed: 0, elsewhere: false }
    }

    /// Whether the request has left its origin, so that it goes without anything of ours.
    pub(super) const fn is_elsewhere(&self) -> bool {
        self.elsewhere
    }

    /// The request that follows a redirect; the error says why there is none, and completes "it leads
    /// to …, ".
    pub(super) fn next(
        &mut self,
        prepared: &Prepared,
        signed: &Signed,
        failed: &ExchangeFailed,
    ) -> Result<Signed, &'static str> {
        let from = &signed.request;
        let target = redirect_target(&failed.headers, &from.url)?;
        if !matches!(from.method, Method::Get | Method::Head) {
            return Err("but only GET and HEAD requests are sent on: put that address into the `url`");
        }
        if self.followed == MOST {
            return Err("which is one redirect too many: at most 3 in a row are followed");
        }
        self.allows(&from.url, &target)?;
        let elsewhere = self.elsewhere || target.origin() != self.first.origin();
        if elsewhere && tells(prepared, signed, &target, failed) {
            return Err("another place, with a credential in its address, which only the first one may get");
        }
        self.followed += 1;
        self.elsewhere = elsewhere;
        let request = if elsewhere {
            Rendered { method: from.method, url: target, headers: Vec::new(), body: None }
        } else {
            on_the_same_origin(signed, target, failed.status)
        };
        Ok(Signed { request, redactor: signed.redactor.clone(), query_keys: signed.query_keys.clone() })
    }

    fn allows(&self, from: &Url, target: &Url) -> Result<(), &'static str> {
        if self.rule == Redirects::Any {
            return Ok(());
        }
        if target.host() != self.first.host() {
            return Err(
                "which is another host: put that address into the `url`, or say `redirects: \"any\"` in the \
                        connection if it needs no credentials",
            );
        }
        if from.scheme() == "https" && target.scheme() == "http" {
            return Err("which is no longer encrypted");
        }
        Ok(())
    }
}

/// Everything goes along; after a 303 there is nothing left to tell (RFC 9110, section 15.4.4).
fn on_the_same_origin(signed: &Signed, mut target: Url, status: Option<u16>) -> Rendered {
    for (name, value) in &signed.query_keys {
        if !target.query_pairs().any(|(known, _)| known == name.as_str()) {
            target.query_pairs_mut().append_pair(name, value);
        }
    }
    let mut request = Rendered { url: target, ..signed.request.clone() };
    if status == Some(303) && request.body.take().is_some() {
        request.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
    }
    request
}

/// Whether the address would tell another place a credential of this request: one that a redactor
/// knows, one that is not hidden otherwise, or whatever is named like our key.
fn tells(prepared: &Prepared, signed: &Signed, target: &Url, failed: &ExchangeFailed) -> bool {
    let named = |name: &str| signed.query_keys.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
    if target.query_pairs().any(|(name, _)| named(&name)) {
        return true;
    }
    let secrets = prepared.secrets.values.values().filter_map(serde_json::Value::as_str);
    let typed = signed.request.headers.iter();
    let typed = typed.filter(|(name, value)| signed.redactor.redact_header(name, value) != *value);
    let typed = typed.filter_map(|(_, value)| value.rsplit(' ').next());
    let keys = signed.query_keys.iter().map(|(_, value)| value.as_str()).chain(typed);
    let all = Redactor::new(secrets.chain(keys).map(|value| (Label::Hidden, value)));
    // The host of a URL is in lower case; as it was said it may be a secret.
    let said = failed.headers.iter().filter(|(name, _)| name == "location").map(|(_, value)| value.as_str());
    let mut places = said.chain([target.as_str()]);
    places.any(|place| all.redact(place) != place || signed.redactor.redact(place) != place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_a_redirect_is_followed() {
        use Redirects::{Any, SameHost};
        let first = "http://a.example/x";
        for (rule, first, from, target, good) in [
            (SameHost, first, first, "http://a.example/y", true),
            (SameHost, first, first, "https://a.example/y", true),
            (SameHost, first, first, "http://A.example:81/y", true),
            (SameHost, first, first, "http://b.example/y", false),
            (SameHost, first, first, "http://www.a.example/y", false),
            (SameHost, first, first, "http://a.example./y", false),
            (SameHost, first, "https://a.example/y", "http://a.example/z", false),
            (SameHost, "https://a.example/", "https://a.example/", "http://a.example/", false),
            (Any, first, first, "http://b.example/y", true),
            (Any, first, "https://b.example/y", "http://c.example/z", true),
        ] {
            let url = |text: &str| Url::parse(text).unwrap();
            let way = Way { first: url(first), rule, followed: 0, elsewhere: false };
            assert_eq!(way.allows(&url(from), &url(target)).is_ok(), good, "{rule:?} {from} {target}");
        }
    }
}
