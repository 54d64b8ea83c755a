//! The way to a provider, step by step: look-up, guard, connection, TLS. For tests of connections.
//!
//! Each step does by itself what a call does all at once, by the same rules: the same look-up, the same guard,
//! and the address that was checked is the one that is connected to; the same authorities and
//! our certificate of the policy. Nothing is sent but what TLS itself says, and nothing is kept. The caller ends
//! a step that takes too long by dropping it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::classify;
use super::client::Outbound;
use super::exchange::{ExchangeFailure, SetUpFailed};
use super::tls::{TlsPolicy, config};
use crate::domain::certificate::validity;
use crate::domain::clock::Instant;

/// A connection that stands, and nothing was said on it.
#[derive(Debug)]
pub struct Dialed(TcpStream);

/// What came of a TLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shaken {
    /// Until when the provider's certificate is valid, where that can be read.
    pub valid_until: Option<Instant>,
}

impl Outbound {
    /// All addresses of the URL's host, in the order of the system, not judged yet.
    pub async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, ExchangeFailure> {
        let host = Self::check_shape(url)?;
        let port = url.port_or_known_default().unwrap_or_default();
        if let Some(address) = literal(url) {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let not_found = |detail: String| ExchangeFailure::Dns { host: host.clone(), detail };
        let found =
            self.resolver.look_up(host.clone()).await.map_err(|error| not_found(error.to_string()))?;
        if found.is_empty() {
            return Err(not_found("it has no address".to_owned()));
        }
        Ok(found.into_iter().map(|address| SocketAddr::new(address.ip(), port)).collect())
    }

    /// Those of the addresses that may be called.
    pub fn allowed(&self, url: &Url, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, ExchangeFailure> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        if let Some(address) = literal(url) {
            self.guard.check_literal(host, address, port)?;
            return Ok(found);
        }
        Ok(self.guard.sift(host, port, found)?)
    }

    /// Connects to an address that was judged.
    pub async fn dial(&self, address: SocketAddr) -> Result<Dialed, ExchangeFailure> {
        let connected = TcpStream::connect(address).await;
        connected.map(Dialed).map_err(|error| ExchangeFailure::Connect { detail: error.to_string() })
    }

    /// Makes TLS on a connection to the URL's host.
    pub async fn shake_hands(
        &self,
        url: &Url,
        dialed: Dialed,
        policy: Option<&TlsPolicy>,
    ) -> Result<Shaken, ExchangeFailure> {
        let failed = |detail: String| ExchangeFailure::Tls { detail };
        let config = config(policy).map_err(|SetUpFailed { detail }| failed(detail))?;
        let host = url.host_str().unwrap_or_default();
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(|error| failed(error.to_string()))?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, dialed.0).await;
        let stream = stream.map_err(|error| classify::of_handshake(&error, host))?;
        let (_, session) = stream.get_ref();
        let own = session.peer_certificates().and_then(<[_]>::first);
        Ok(Shaken { valid_until: own.and_then(|der| validity(der)).map(|(_, until)| until) })
    }
}

fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}
