//! Names to checked addresses: the resolver inside the client's connector.
//!
//! Whatever it returns has passed the guard, and the connector uses nothing else. It answers only
//! within a call that was announced by [`connect`](super::connect): without the port of the call
//! an allow rule could not be matched, so the look-up is refused then. There is no cache: a kept
//! connection asks nothing, a new one asks the system, which caches as its administrator wants.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::allow::{Guard, Refused};
use super::connect;

/// The addresses of a host, the port of each 0, on their way.
pub type Addresses = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Where names are looked up: the system, or a list in tests.
pub trait LookUp: Send + Sync + 'static {
    /// All addresses of `host`.
    fn look_up(&self, host: String) -> Addresses;
}

/// The resolver of the operating system; it is not asked for names of this machine (RFC 6761,
/// 6.3), which some systems pass on to the network.
#[derive(Debug)]
pub struct System;

impl LookUp for System {
    fn look_up(&self, host: String) -> Addresses {
        Box::pin(async move {
            if is_localhost(&host) {
                return Ok(vec![(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()]);
            }
            Ok(tokio::net::lookup_host((host, 0)).await?.collect())
        })
    }
}

/// `localhost` and everything below it.
fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// Why a name gave no address that may be called.
#[derive(Debug, thiserror::Error)]
pub enum NoAddress {
    /// The guard refused all of them.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There is none, or the resolver is in trouble.
    #[error("{0}")]
    NotFound(String),
}

/// The client's resolver.
pub struct GuardedResolver {
    guard: Guard,
    look_up: Arc<dyn LookUp>,
}

impl GuardedResolver {
    /// A resolver that passes on what `guard` lets through.
    pub fn new(guard: Guard, look_up: Arc<dyn LookUp>) -> Self {
        Self { guard, look_up }
    }

    /// All addresses of `host`, not judged.
    pub fn look_up(&self, host: String) -> Addresses {
        self.look_up.look_up(host)
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let Some(dial) = connect::current() else {
            return Box::pin(async { Err(not_found("looked up outside of a call").into()) });
        };
        let host = name.as_str().to_owned();
        let guard = self.guard.clone();
        let looked_up = self.look_up.look_up(host.clone());
        Box::pin(async move {
            let found = looked_up.await.map_err(|error| not_found(&error.to_string()))?;
            let good = guard.sift(&host, dial.port(), found).map_err(NoAddress::Refused)?;
            if good.is_empty() {
                return Err(not_found("it has no address").into());
            }
            dial.resolved();
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

fn not_found(detail: &str) -> NoAddress {
    NoAddress::NotFound(detail.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_told_from_others() {
        for host in ["localhost", "LocalHost", "localhost.", "a.localhost", "a.b.localhost."] {
            assert!(is_localhost(host), "{host}");
        }
        for host in ["localhost.example", "notlocalhost", "localhost..", "", "."] {
            assert!(!is_localhost(host), "{host}");
        }
    }
}
