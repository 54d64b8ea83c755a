//! Which requests may share an answer: those that are equal in everything that decides what the
//! provider says and what we make of it.
//!
//! All of it goes into one keyed hash (HMAC-SHA256, RFC 2104) under a key that this process drew
//! at its start. So nothing of a secret stays in the cache, and keys tell nobody anything.

use ring::hmac;

use super::context::Stop;
use super::prepare::Prepared;
use super::render::{IDEMPOTENCY_KEYS, Rendered, credentials};
use super::token_call::TokenCall;
use crate::domain::api_call::ApiCall;
use crate::domain::auth::{Auth, KeyPlace};
use crate::domain::ids::WorkspaceId;
use crate::domain::run::Reason;
use crate::domain::template::Expression;

/// The place of an answer in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CacheKey([u8; 32]);

#[cfg(test)]
impl CacheKey {
    /// One of 256 keys.
    pub(super) const fn of_test(number: u8) -> Self {
        Self([number; 32])
    }
}

/// Parts with their lengths, so that no two lists of parts read the same.
struct Parts(hmac::Context);

impl Parts {
    fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    fn add_list<T: AsRef<[u8]>>(&mut self, parts: impl ExactSizeIterator<Item = T>) {
        self.0.update(&(parts.len() as u64).to_be_bytes());
        for part in parts {
            self.add(part);
        }
    }

    fn finish(self) -> CacheKey {
        let mut key = CacheKey([0; 32]);
        key.0.copy_from_slice(self.0.sign().as_ref());
        key
    }
}

/// The key of a request that was rendered and bears no credentials yet.
pub(super) fn of(
    secret: &hmac::Key,
    workspace: WorkspaceId,
    epoch: u64,
    prepared: &Prepared,
    request: &Rendered,
) -> Result<CacheKey, Stop> {
    let call = prepared.call().ok_or(Stop::Cancelled(Reason::FieldRemoved))?;
    let mut parts = Parts(hmac::Context::with_key(secret));
    parts.add(workspace.0);
    add_connection(&mut parts, prepared);
    parts.add(epoch.to_be_bytes());
    add_rules(&mut parts, call);
    add_auth(&mut parts, prepared.auth_for(&request.url), prepared)?;
    add_secrets(&mut parts, prepared);
    parts.add(request.method.as_str());
    parts.add(request.url.as_str());
    add_headers(&mut parts, request);
    parts.add_list(request.body.iter());
    Ok(parts.finish())
}

/// Which connection, in which version.
fn add_connection(parts: &mut Parts, prepared: &Prepared) {
    let plan = prepared.plan_of_connection();
    parts.add_list(plan.iter().map(|plan| plan.id().0));
    parts.add_list(plan.iter().map(|plan| plan.version().to_be_bytes()));
}

/// What counts as a success, and what is told of a failure: a shared call is judged once.
fn add_rules(parts: &mut Parts, call: &ApiCall) {
    parts.add_list(call.success_when.iter().map(Expression::source));
    parts.add_list(call.retry_when.iter().map(Expression::source));
    parts.add_list(call.redact.sources());
    parts.add(call.error_mapping.normal_form().map(|form| form.to_string()).unwrap_or_default());
}

/// What `auth` resolves to.
fn add_auth(parts: &mut Parts, auth: &Auth, prepared: &Prepared) -> Result<(), Stop> {
    match auth {
        Auth::Inherited | Auth::None => parts.add("none"),
        Auth::Bearer { .. } => parts.add("bearer"),
        Auth::Basic { .. } => parts.add("basic"),
        Auth::ApiKeys(keys) => {
            parts.add_list(keys.iter().map(|key| match key.place {
                KeyPlace::Header => "header",
                KeyPlace::Query => "query",
            }));
            parts.add_list(keys.iter().map(|key| &key.key));
        }
        // What the token is asked with, not the token: another one of the same client changes nothing.
        Auth::Token(token) => {
            parts.add("token");
            let base = prepared.connection().and_then(|connection| connection.base_url.as_ref());
            parts.add_list(TokenCall::render(token, &prepared.scope, base)?.parts().iter());
            parts.add(&token.header);
            parts.add(&token.prefix);
        }
    }
    for template in credentials(auth) {
        parts.add(template.render_header(&prepared.scope)?);
    }
    Ok(())
}

/// Every secret of the request: its name, since a redacted answer shows it, its value, where it
/// may go, and whether it is shown at all.
fn add_secrets(parts: &mut Parts, prepared: &Prepared) {
    let secrets = &prepared.secrets;
    let mut values: Vec<_> = secrets.values.iter().collect();
    values.sort_by_key(|(name, _)| name.as_str());
    parts.add_list(values.iter().map(|(name, _)| name));
    for (name, value) in values {
        parts.add(value.as_str().unwrap_or_default());
        let hosts = secrets.hosts.get(name).map_or(&[][..], Vec::as_slice);
        parts.add_list(hosts.iter().map(ToString::to_string));
    }
    let labels: Vec<_> = secrets.labels().map(|(label, _)| label.to_string()).collect();
    parts.add_list(labels.iter());
}

/// Lower-case names in their order; of one name the values as they were written.
fn add_headers(parts: &mut Parts, request: &Rendered) {
    let named = request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
    let mut headers: Vec<_> = named.filter(|(name, _)| !IDEMPOTENCY_KEYS.contains(&name.as_str())).collect();
    headers.sort_by(|(a, _), (b, _)| a.cmp(b));
    parts.add_list(headers.iter().map(|(name, _)| name));
    for (_, value) in headers {
        parts.add(value);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use url::Url;

    use super::*;
    use crate::domain::api_call::Method;

    fn headers(list: &[(&str, &str)]) -> CacheKey {
        let headers = list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let url = Url::parse("http://registry.example/a").unwrap();
        let mut parts = Parts(hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])));
        add_headers(&mut parts, &Rendered { method: Method::Get, url, headers, body: None });
        parts.finish()
    }

    #[test]
    fn headers_are_equal_whatever_their_order_and_case() {
        let one = headers(&[("Accept", "a"), ("X-B", "b"), ("Idempotency-Key", "1")]);
        assert_eq!(one, headers(&[("x-b", "b"), ("x-IDEMPOTENCY-key", "2"), ("ACCEPT", "a")]));
        for other in [
            &[("Accept", "A"), ("X-B", "b")][..],
            &[("Accept", "b"), ("X-B", "a")],
            &[("Accept", "ax-b"), ("X-B", "")],
            &[("Accept", "a")],
            &[("Accept", "a"), ("X-B", "b"), ("X-B", "b")],
        ] {
            assert_ne!(one, headers(other), "{other:?}");
        }
        assert_ne!(headers(&[("x", "1"), ("x", "2")]), headers(&[("x", "2"), ("x", "1")]));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let of = |lists: &[&[&str]]| {
            let mut parts = Parts(hmac::Context::with_key(&secret));
            for list in lists {
                parts.add_list(list.iter());
            }
            parts.finish()
        };
        let all = [
            of(&[&["a", "b"]]),
            of(&[&["ab"]]),
            of(&[&["a"], &["b"]]),
            of(&[&[], &["a", "b"]]),
            of(&[&["a", "b"], &[]]),
            of(&[&["a", "b", ""]]),
        ];
        for (n, key) in all.iter().enumerate() {
            assert!(!all[..n].contains(key), "{n}");
        }
    }

    #[test]
    fn no_body_is_not_an_empty_one() {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let of = |body: Option<Bytes>| {
            let mut parts = Parts(hmac::Context::with_key(&secret));
            parts.add_list(body.iter());
            parts.finish()
        };
        assert_ne!(of(None), of(Some(Bytes::new())));
    }
}
