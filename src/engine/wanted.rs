//! Which token a request wants: the call for it, whose it is, and whether its secrets may go there.

use super::authorize::typed_has_an_origin;
use super::context::{Engine, Stop};
use super::prepare::Prepared;
use super::render;
use super::token_call::TokenCall;
use crate::domain::auth::{Auth, TokenAuth};
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::redact::Redactor;
use crate::domain::secret::allows;
use crate::outbound::TlsPolicy;
use crate::service::TokenPlace;

/// A token that is wanted, and the call for it.
pub(super) struct Wanted<'p> {
    /// Where it is kept.
    pub(super) place: TokenPlace,
    /// How it is had.
    pub(super) auth: &'p TokenAuth,
    /// The call, ready to go.
    pub(super) call: TokenCall,
    /// Knows what the call sends.
    pub(super) redactor: Redactor,
    /// Whom the call trusts; none: whom everybody trusts.
    pub(super) tls: Option<TlsPolicy>,
}

impl<'p> Wanted<'p> {
    /// The token that a request with this `auth` wants.
    pub(super) fn of(engine: &Engine, prepared: &'p Prepared, auth: &'p Auth) -> Result<Option<Self>, Stop> {
        let Auth::Token(auth) = auth else { return Ok(None) };
        typed_has_an_origin(prepared)?;
        let base = prepared.connection().and_then(|connection| connection.base_url.as_ref());
        let call = TokenCall::render(auth, &prepared.scope, base)?;
        if !prepared.inherits_auth() {
            may_go_there(prepared, auth, &call)?;
        }
        let mut parts = owner(prepared);
        parts.extend(call.parts());
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let place = engine.provider_tokens.place(prepared.plan.workspace, &parts);
        let redactor = call.known_to(&prepared.redactor());
        let tls = prepared.tls_for_token(&call.request.url)?;
        Ok(Some(Self { place, auth, call, redactor, tls }))
    }

    /// The endpoint as sentences name it.
    pub(super) fn endpoint(&self) -> String {
        render::provider(&self.call.request.url)
    }
}

/// Whose token it is: a connection's or a field's, in its version.
fn owner(prepared: &Prepared) -> Vec<Vec<u8>> {
    match prepared.plan_of_connection().filter(|_| prepared.inherits_auth()) {
        Some(plan) => {
            vec![
                b"connection".to_vec(),
                plan.id().0.as_bytes().to_vec(),
                plan.version().to_be_bytes().to_vec(),
            ]
        }
        None => vec![
            b"field".to_vec(),
            prepared.plan.id.0.as_bytes().to_vec(),
            prepared.plan.version.to_be_bytes().to_vec(),
            prepared.field.clone().into_bytes(),
        ],
    }
}

/// Secrets that a field sends for a token go to its connection's origin, and else only to hosts that
/// they list. Those of a connection go where whoever set it up sent them.
fn may_go_there(prepared: &Prepared, auth: &TokenAuth, call: &TokenCall) -> Result<(), Stop> {
    let url = &call.request.url;
    let base = prepared.connection().and_then(|connection| connection.base_url.as_ref());
    if base.is_some_and(|base| base.origin() == url.origin()) {
        return Ok(());
    }
    let hosts = &prepared.secrets.hosts;
    let refused =
        auth.secrets().into_iter().find(|name| !hosts.get(name).is_some_and(|hosts| allows(hosts, url)));
    let Some(name) = refused else { return Ok(()) };
    let host = url.host_str().unwrap_or_default();
    let detail = format!(
        "the secret `{name}` does not list the host `{host}` of the token endpoint: add it to the secret's `hosts`"
    );
    Err(Failure::new(FailureCode::SecretNotAllowed, detail).into())
}
