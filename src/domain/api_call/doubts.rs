//! Warns of what is legal in an API Call field but probably not meant.
//!
//! A doubt never stops a save. It stands where the builder would change something.

use std::collections::BTreeMap;

use url::Url;

use crate::domain::auth::{ApiKey, Auth, KeyPlace};
use crate::domain::case_type::Context;
use crate::domain::case_type::findings::Findings;
use crate::domain::case_type::reader::Reader;
use crate::domain::firing::OldUse;
use crate::domain::problem::join;
use crate::domain::redact::is_credential_header;
use crate::domain::secret::{HostRule, allows};
use crate::domain::trigger::Trigger;

use super::address::origin;
use super::definition::ApiCall;
use super::method::Method;
use super::request::Request;

/// Looks at one field. `secrets` says where each secret is used.
pub fn look(
    call: &ApiCall,
    secrets: &BTreeMap<String, String>,
    context: &Context<'_>,
    field: &mut Reader<'_, '_>,
) {
    doubt_triggers(call, field);
    doubt_cache(call, field);
    let at = &field.at("api_config");
    doubt_request(call, at, field.findings);
    doubt_headers(&call.request, at, field.findings);
    doubt_connection(call, at, context, field.findings);
    doubt_hosts(call, secrets, context, field.findings);
}

/// Triggers that cannot fire, and what only one of them brings.
fn doubt_triggers(call: &ApiCall, field: &mut Reader<'_, '_>) {
    let on_update = call.fires_on(Trigger::OnUpdate);
    if on_update && call.watch.paths().is_empty() {
        let message =
            "nothing to watch: never fires by a change; refer to a value of `data`, or list some in `watch`";
        field.doubt("trigger", message);
    }
    if !on_update && call.old != OldUse::Nothing {
        let message = "`old` is there only when `on_update` fires the field: add it to `trigger`, else `old` is \
                       always missing";
        field.doubt("when", message);
    }
}

/// A cached answer instead of a call that was meant to do something.
fn doubt_cache(call: &ApiCall, field: &mut Reader<'_, '_>) {
    let method = call.request.method;
    if call.cache_duration > 0 && !matches!(method, Method::Get | Method::Head) {
        let message = format!(
            "caching the answers of {} means that a call may not be made at all: see that its only purpose is its \
             answer, or set `cache_duration` to 0",
            method.as_str()
        );
        field.doubt("cache_duration", message);
    }
}

fn doubt_request(call: &ApiCall, at: &str, findings: &mut Findings) {
    let request = &call.request;
    let keyed = request.sets_header("idempotency-key") || request.sets_header("x-idempotency-key");
    if !request.method.is_idempotent() && call.retry > 0 && !keyed {
        let message = format!(
            "a {} that is retried may be carried out twice: see that the provider honours `Idempotency-Key` (sent \
             with every attempt), set the header that it does honour, or set `retry` to 0",
            request.method.as_str()
        );
        findings.doubt(join(at, "method"), message);
    }
    if request.method.is_safe() && request.body.is_some() {
        let message =
            format!("many servers ignore or refuse a body of a {} request", request.method.as_str());
        findings.doubt(join(at, "body"), message);
    }
}

/// Two sources for one header, and a credential that everybody can read.
fn doubt_headers(request: &Request, at: &str, findings: &mut Findings) {
    let set_by_auth: Vec<&str> = match &request.auth {
        Auth::Bearer { .. } | Auth::Basic { .. } => vec!["authorization"],
        Auth::ApiKeys(keys) => {
            let in_header = |key: &&ApiKey| key.place == KeyPlace::Header;
            keys.iter().filter(in_header).map(|key| key.key.as_str()).collect()
        }
        Auth::Token(token) => vec![token.header.as_str()],
        Auth::Inherited | Auth::None => Vec::new(),
    };
    for (name, value) in &request.headers {
        let pointer = || join(&join(at, "headers"), name);
        if set_by_auth.iter().any(|set| name.eq_ignore_ascii_case(set)) {
            findings.doubt(pointer(), "`auth` sets this header as well: keep one of the two");
        } else if is_credential_header(name) && value.literal().is_some() {
            let message = "whoever may read this case type can read this credential: make it a secret, and name it \
                           in `auth`, such as `{\"type\": \"bearer\", \"token\": \"{secret.my_token}\"}`";
            findings.doubt(pointer(), message);
        }
    }
}

/// A url that cannot follow the connection, or leaves it behind.
fn doubt_connection(call: &ApiCall, at: &str, context: &Context<'_>, findings: &mut Findings) {
    let Some(base) = base_url(call, context) else { return };
    let url = &call.request.url;
    match base {
        None if url.is_relative() => {
            let message = "the connection has no `base_url` yet: every run fails until it has one";
            findings.doubt(join(at, "connection"), message);
        }
        Some(base) if origin(url, &context.params).is_some_and(|origin| origin.origin() != base.origin()) => {
            let message = "is another origin than the connection's `base_url`: headers and credentials of the \
                           connection are not sent there";
            findings.doubt(join(at, "url"), message);
        }
        _ => {}
    }
}

/// The base URL of the field's connection, if it names one.
#[expect(clippy::option_option, reason = "outer: is there a connection; inner: has it a base url")]
fn base_url<'c>(call: &ApiCall, context: &'c Context<'_>) -> Option<Option<&'c Url>> {
    let known = context.known.connections.get(call.connection.as_ref()?.as_str())?;
    Some(known.base_url.as_ref())
}

/// Secrets on their way to a host that they do not list: the run will refuse to send them. To the
/// origin of a connection they may go.
fn doubt_hosts(
    call: &ApiCall,
    secrets: &BTreeMap<String, String>,
    context: &Context<'_>,
    findings: &mut Findings,
) {
    let base = base_url(call, context).flatten();
    let is_home = |origin: &Url| base.is_some_and(|base| base.origin() == origin.origin());
    let origin = origin(&call.request.url, &context.params).filter(|origin| !is_home(origin));
    let token = match &call.request.auth {
        Auth::Token(token) => Some(token),
        _ => None,
    };
    let asks = token.and_then(|token| token.url().literal_origin()).filter(|origin| !is_home(origin));
    let asked_with = token.map(|token| token.secrets()).unwrap_or_default();
    for (name, pointer) in secrets {
        let to_provider = origin.as_ref().filter(|_| call.request.secrets.contains(name));
        let to_endpoint = asks.filter(|_| asked_with.contains(name));
        let Some(hosts) = context.known.secrets.get(name) else { continue };
        let rules: Vec<HostRule> = hosts.iter().filter_map(|host| host.parse().ok()).collect();
        for origin in to_provider.into_iter().chain(to_endpoint).filter(|origin| !allows(&rules, origin)) {
            let host = origin.host_str().unwrap_or_default();
            let message = format!(
                "the secret `{name}` may not be sent to `{host}`: add the host to its `hosts`, else every run fails \
                 with `secret_not_allowed`"
            );
            findings.doubt(pointer, message);
        }
    }
}
