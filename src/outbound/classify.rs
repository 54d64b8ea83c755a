//! Trouble of the client in our words.
//!
//! The client reports nested errors; what they mean lies in their causes. The URL is taken off
//! before anything becomes text, and texts are cut, since parts of them come from outside.

use std::error::Error;
use std::io;

use super::allow::Refused;
use super::exchange::ExchangeFailure;
use super::resolve::NoAddress;

/// Longest detail that is kept.
const SHOWN: usize = 300;

impl From<Refused> for ExchangeFailure {
    fn from(refused: Refused) -> Self {
        Self::Blocked { host: refused.host, address: refused.address, what: refused.what }
    }
}

/// What an error before the head of the answer means, and whether some of the request may have
/// left. `host` is the URL's.
pub fn of_sending(error: reqwest::Error, host: &str) -> (ExchangeFailure, bool) {
    let error = error.without_url();
    let detail = describe(&error);
    if let Some(no_address) = cause::<NoAddress>(&error) {
        let failure = match no_address {
            NoAddress::Refused(refused) => refused.clone().into(),
            NoAddress::NotFound(detail) => {
                ExchangeFailure::Dns { host: host.to_owned(), detail: shorten(detail) }
            }
        };
        return (failure, false);
    }
    let connecting = error.is_connect();
    let failure = if error.is_builder() {
        return (ExchangeFailure::BadUrl { detail }, false);
    } else if let Some(tls) = cause::<rustls::Error>(&error) {
        ExchangeFailure::Tls { detail: in_words(tls, host).unwrap_or(detail) }
    } else if detail.contains("message head is too large") {
        let detail = "the head of the answer is too large: it has too many or too long headers".to_owned();
        ExchangeFailure::InvalidResponse { detail }
    } else if error.is_dns() {
        ExchangeFailure::Dns { host: host.to_owned(), detail }
    } else if connecting {
        ExchangeFailure::Connect { detail }
    } else {
        ExchangeFailure::Cut { detail }
    };
    (failure, !connecting)
}

/// What an error of a TLS handshake means.
pub fn of_handshake(error: &io::Error, host: &str) -> ExchangeFailure {
    let detail = match cause::<rustls::Error>(error) {
        Some(tls) => in_words(tls, host).unwrap_or_else(|| tls.to_string()),
        None => error.to_string(),
    };
    ExchangeFailure::Tls { detail: shorten(&detail) }
}

/// Trouble with certificates, and what to do about it; none: the client's words must do.
fn in_words(error: &rustls::Error, host: &str) -> Option<String> {
    use rustls::{AlertDescription as A, CertificateError as C, Error as E};
    Some(match error {
        E::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
            format!("the certificate of `{host}` has expired: its operator must renew it")
        }
        E::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            format!(
                "the certificate of `{host}` is not valid yet: see that the clocks of both sides are right"
            )
        }
        E::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            format!(
                "the certificate is not for `{host}`: see that the address is the one that the provider names"
            )
        }
        E::InvalidCertificate(C::UnknownIssuer) => format!(
            "the certificate of `{host}` was not issued by an authority that is trusted here: for one of your own, give \
             its certificate in `tls.ca` of the connection; where it is given, its operator must have the server show the \
             certificates between the two as well (the whole chain)"
        ),
        E::InvalidMessage(_) => format!(
            "`{host}` does not answer in TLS on this port, most often because it speaks plain http there: see whether \
             the address must begin with http:// or have another port ({error})"
        ),
        E::AlertReceived(A::ProtocolVersion) | E::PeerIncompatible(_) => format!(
            "`{host}` speaks no version of TLS that is used here, 1.2 or 1.3: its operator must switch one of them on \
             ({error})"
        ),
        E::InvalidCertificate(C::Other(why)) if format!("{why:?}").contains("CaUsedAsEndEntity") => format!(
            "the certificate that `{host}` shows is that of an authority (CA:TRUE), as `openssl req -x509` makes them: no \
             server can be verified by it, not even where it is given in `tls.ca`; its operator must make one for a \
             server (with `-addext basicConstraints=critical,CA:FALSE`), and that can be given there"
        ),
        E::InvalidCertificate(C::Revoked) => format!("the certificate of `{host}` was revoked"),
        E::InvalidCertificate(why) => format!("the certificate of `{host}` cannot be trusted: {why}"),
        E::AlertReceived(A::CertificateRequired) => format!(
            "`{host}` wants a client certificate: give one in `tls.client_certificate` of the connection"
        ),
        E::AlertReceived(
            A::HandshakeFailure
            | A::BadCertificate
            | A::UnknownCA
            | A::CertificateUnknown
            | A::AccessDenied
            | A::CertificateExpired
            | A::CertificateRevoked
            | A::UnsupportedCertificate,
        ) => format!(
            "`{host}` broke off ({error}): see whether it wants another client certificate than the \
             `tls.client_certificate` of the connection, if any"
        ),
        _ => return None,
    })
}

/// What an error in the body of the answer means: what HTTP itself reports is the connection's
/// trouble, the rest is the decoder's.
pub fn of_body(error: reqwest::Error) -> ExchangeFailure {
    let error = error.without_url();
    let detail = describe(&error);
    if cause::<hyper::Error>(&error).is_some() {
        ExchangeFailure::Cut { detail }
    } else {
        let detail = format!("the body does not decompress: {detail}");
        ExchangeFailure::InvalidResponse { detail }
    }
}

/// The error and its causes, outermost first. The error inside of an [`io::Error`] is one, though
/// `source` passes it over.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inside) => Some(inside),
            None => error.source(),
        }
    })
}

fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The causes below the client's own wrapping as one fragment, each said once.
pub fn describe(error: &reqwest::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in causes(error).filter(|cause| !cause.is::<reqwest::Error>()) {
        let part = cause.to_string();
        if !parts.iter().any(|earlier| earlier.contains(&part)) {
            parts.push(part);
        }
    }
    if parts.is_empty() {
        parts.push(error.to_string());
    }
    shorten(&parts.join(": "))
}

fn shorten(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}
