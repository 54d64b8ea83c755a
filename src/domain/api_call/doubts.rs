//! Warns of what is legal in an API Call field but probably not meant.
//!
//! A doubt never stops a save. It stands where the builder would change something.

use std::collections::BTreeMap;

use crate::domain::auth::{Auth, KeyPlace};
use crate::domain::case_type::Context;
use crate::domain::case_type::findings::Findings;
use crate::domain::problem::join;
use crate::domain::secret::{HostRule, allows};

use super::address::origin;
use super::definition::ApiCall;
use super::request::Request;

/// Looks at one field. `at` is the pointer of its `api_config`; `secrets` says where each
/// secret is used.
pub fn look(
    call: &ApiCall,
    secrets: &BTreeMap<String, String>,
    at: &str,
    context: &Context<'_>,
    findings: &mut Findings,
) {
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
    doubt_headers(request, at, findings);
    doubt_hosts(request, secrets, context, findings);
}

/// Two sources for one header.
fn doubt_headers(request: &Request, at: &str, findings: &mut Findings) {
    let set_by_auth = match &request.auth {
        Auth::Bearer { .. } | Auth::Basic { .. } => "authorization",
        Auth::ApiKey { key, place: KeyPlace::Header, .. } => key,
        _ => return,
    };
    if let Some((name, _)) = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(set_by_auth)) {
        let pointer = join(&join(at, "headers"), name);
        findings.doubt(pointer, "`auth` sets this header as well: keep one of the two");
    }
}

/// Secrets on their way to a host that they do not list: the run will refuse to send them.
fn doubt_hosts(
    request: &Request,
    secrets: &BTreeMap<String, String>,
    context: &Context<'_>,
    findings: &mut Findings,
) {
    let Some(origin) = origin(&request.url, &context.params) else { return };
    for (name, pointer) in secrets {
        let Some(hosts) = context.known.secrets.get(name) else { continue };
        let rules: Vec<HostRule> = hosts.iter().filter_map(|host| host.parse().ok()).collect();
        if !allows(&rules, &origin) {
            let host = origin.host_str().unwrap_or_default();
            let message = format!(
                "the secret `{name}` may not be sent to `{host}`: add the host to its `hosts`, else every run fails \
                 with `secret_not_allowed`"
            );
            findings.doubt(pointer, message);
        }
    }
}
