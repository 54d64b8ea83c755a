//! TLS as a connection wants it: authorities of its own, and a certificate of ours.
//!
//! Every policy has a client of its own, so that no connection to a provider is shared between
//! two of them. Clients are kept until memory is wanted or nobody has asked for a while. There is
//! no way to switch the verification of certificates off.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use reqwest::{Certificate, Client, Identity};
use ring::digest;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::classify;
use super::client::{Outbound, builder};
use super::exchange::SetUpFailed;
use crate::domain::certificate::validity;
use crate::domain::clock::{Instant, rfc3339};
use crate::domain::secret::SecretText;

/// Policies whose clients are kept.
const KEPT: u64 = 256;
const KEPT_FOR: Duration = Duration::from_mins(10);

/// Whom we trust, and how we prove who we are.
#[derive(Debug, Clone, Default)]
pub struct TlsPolicy {
    /// The authorities that are trusted, in PEM; none: the system's.
    pub ca: Option<String>,
    /// Our certificate with its chain and our key, both in PEM.
    pub client: Option<(String, SecretText)>,
}

/// Why a policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPolicy {
    /// Which part: `ca`, `client_certificate/certificate`, `client_certificate/key`.
    pub part: &'static str,
    /// Completes a sentence about it; quotes nothing of a key.
    pub why: String,
}

impl BadPolicy {
    fn new(part: &'static str, why: impl Into<String>) -> Self {
        Self { part, why: why.into() }
    }
}

const CA: &str = "ca";
const CERTIFICATE: &str = "client_certificate/certificate";
const KEY: &str = "client_certificate/key";

/// What is said of a key that was not there to be looked at when its connection was saved.
const NO_KEY: &str = "the key in `tls.client_certificate` is no private key in PEM; where it is a secret, give that \
                      secret the key as its value";

impl TlsPolicy {
    /// Looks at everything that can be told before a call. `now`: what is over by then is refused;
    /// a key that is not known yet is not looked at.
    pub fn check(ca: Option<&str>, client: Option<(&str, Option<&str>)>, now: Instant) -> Vec<BadPolicy> {
        let mut bad = Vec::new();
        if let Some(ca) = ca {
            bad.extend(check_authorities(ca, now).err());
        }
        if let Some((certificate, key)) = client {
            match in_time(CERTIFICATE, certificate, now) {
                Ok(chain) => bad.extend(key.and_then(|key| check_key(chain, key).err())),
                Err(why) => bad.push(why),
            }
        }
        bad
    }

    /// Tells policies apart.
    fn fingerprint(&self) -> [u8; 32] {
        let mut hash = digest::Context::new(&digest::SHA256);
        let (certificate, key) = match &self.client {
            Some((certificate, key)) => (Some(certificate.as_str()), Some(key.expose())),
            None => (None, None),
        };
        for part in [self.ca.as_deref(), certificate, key] {
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            hash.update(&length.to_be_bytes());
            hash.update(part.unwrap_or_default().as_bytes());
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(hash.finish().as_ref());
        fingerprint
    }
}

fn check_authorities(ca: &str, now: Instant) -> Result<(), BadPolicy> {
    let mut store = RootCertStore::empty();
    for certificate in in_time(CA, ca, now)? {
        let added = store.add(certificate);
        added.map_err(|error| {
            BadPolicy::new(CA, format!("holds a certificate that cannot be used: {error}"))
        })?;
    }
    Ok(())
}

fn check_key(chain: Vec<CertificateDer<'static>>, key: &str) -> Result<(), BadPolicy> {
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| BadPolicy::new(KEY, "is no private key in PEM that can be read"))?;
    CertifiedKey::from_der(chain, key, &default_provider()).map(drop).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            BadPolicy::new(KEY, "does not fit the certificate: give the key that belongs to it")
        }
        _ => BadPolicy::new(KEY, "is of a kind that cannot be used: give an RSA, ECDSA or Ed25519 key"),
    })
}

/// The certificates of a PEM text, all of them in time.
fn in_time(part: &'static str, pem: &str, now: Instant) -> Result<Vec<CertificateDer<'static>>, BadPolicy> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let certificates = read.map_err(|_| BadPolicy::new(part, "is no PEM that can be read"))?;
    let count = certificates.len();
    if count == 0 {
        return Err(BadPolicy::new(part, "holds no certificate"));
    }
    for (at, certificate) in certificates.iter().enumerate() {
        let which = if count == 1 {
            "the certificate".to_owned()
        } else {
            format!("certificate {} of {count}", at + 1)
        };
        let Some((_, until)) = validity(certificate) else {
            return Err(BadPolicy::new(part, format!("{which} in it cannot be read")));
        };
        if until <= now {
            let why = format!("{which} in it has expired, on {}: give one that is valid", rfc3339(until));
            return Err(BadPolicy::new(part, why));
        }
    }
    Ok(certificates)
}

/// What a client under this policy says in a handshake (as [`Outbound::under`] makes it).
pub(super) fn config(policy: Option<&TlsPolicy>) -> Result<ClientConfig, SetUpFailed> {
    let failed = |detail: &dyn Display| SetUpFailed { detail: detail.to_string() };
    let provider = Arc::new(default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| failed(&error))?;
    let builder = match policy.and_then(|policy| policy.ca.as_ref()) {
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
                let certificate = certificate.map_err(|error| failed(&error))?;
                roots.add(certificate).map_err(|error| failed(&error))?;
            }
            builder.with_root_certificates(roots)
        }
        None => match Verifier::new(provider) {
            Ok(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
            // Without any authority on this system none is trusted.
            Err(_) => builder.with_root_certificates(RootCertStore::empty()),
        },
    };
    let mut config = match policy.and_then(|policy| policy.client.as_ref()) {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
            let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes());
            let (chain, key) = (chain.map_err(|error| failed(&error))?, key.map_err(|_| failed(&NO_KEY))?);
            builder.with_client_auth_cert(chain, key).map_err(|error| failed(&error))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Clients by policy.
pub(super) type Clients = Cache<[u8; 32], Client>;

pub(super) fn clients() -> Clients {
    Cache::builder().max_capacity(KEPT).time_to_idle(KEPT_FOR).build()
}

impl Outbound {
    /// The same way out, under this policy.
    pub async fn under(&self, policy: &TlsPolicy) -> Result<Self, SetUpFailed> {
        let made = async { self.client_of(policy) };
        let client = self.clients.try_get_with(policy.fingerprint(), made).await;
        let client = client.map_err(|error: Arc<SetUpFailed>| (*error).clone())?;
        let mut outbound = self.clone();
        outbound.client = client;
        Ok(outbound)
    }

    fn client_of(&self, policy: &TlsPolicy) -> Result<Client, SetUpFailed> {
        let failed = |error: reqwest::Error| SetUpFailed { detail: classify::describe(&error) };
        let mut client = builder(&self.resolver);
        if let Some(ca) = &policy.ca {
            client = client.tls_certs_only(Certificate::from_pem_bundle(ca.as_bytes()).map_err(failed)?);
        }
        if let Some((certificate, key)) = &policy.client {
            let both = [key.expose().as_bytes(), b"\n", certificate.as_bytes()].concat();
            if PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).is_err() {
                return Err(SetUpFailed { detail: NO_KEY.to_owned() });
            }
            client = client.identity(Identity::from_pem(&both).map_err(failed)?);
        }
        client.build().map_err(failed)
    }
}
