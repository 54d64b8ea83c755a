//! Whom a call trusts, and by which certificate it says who it is: the `tls` of its connection, and
//! only where the call stays with that.

use url::Url;

use super::context::{Engine, Stop};
use super::prepare::Prepared;
use crate::domain::connection::Connection;
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::redact::Redactor;
use crate::domain::secret::SecretText;
use crate::outbound::{Outbound, TlsPolicy};

impl Prepared {
    /// Whom a call to this URL trusts and how it proves who it is; none: as everybody.
    pub(super) fn tls_for(&self, url: &Url) -> Result<Option<TlsPolicy>, Stop> {
        self.connection_for(url).map_or(Ok(None), |connection| self.tls_of(connection))
    }

    /// As [`Prepared::tls_for`], of the call for a token: the connection's own goes wherever its
    /// `auth` says.
    pub(super) fn tls_for_token(&self, url: &Url) -> Result<Option<TlsPolicy>, Stop> {
        match self.connection().filter(|_| self.inherits_auth()) {
            Some(connection) => self.tls_of(connection),
            None => self.tls_for(url),
        }
    }

    fn tls_of(&self, connection: &Connection) -> Result<Option<TlsPolicy>, Stop> {
        let tls = &connection.tls;
        if tls.is_empty() {
            return Ok(None);
        }
        let client = match &tls.client {
            Some(client) => {
                let key = client.key.render_text(&self.scope)?;
                Some((client.certificate.clone(), SecretText::from(key)))
            }
            None => None,
        };
        Ok(Some(TlsPolicy { ca: tls.ca.clone(), client }))
    }
}

/// The way out under a TLS policy, where there is one.
pub(super) async fn way_out(
    engine: &Engine,
    policy: Option<&TlsPolicy>,
    redactor: &Redactor,
) -> Result<Outbound, Failure> {
    let Some(policy) = policy else { return Ok(engine.outbound.clone()) };
    Box::pin(engine.outbound.under(policy)).await.map_err(|failed| {
        let detail =
            format!("the `tls` of the connection cannot be used: {}", redactor.redact(&failed.detail));
        Failure::new(FailureCode::TlsFailed, detail)
    })
}
