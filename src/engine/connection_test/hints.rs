//! How to mend what went wrong, for whoever sets a connection up.

use crate::domain::failure::{Failure, FailureCode};

/// The hint for a failure.
pub(super) fn of(failure: &Failure) -> &'static str {
    use FailureCode as C;
    match (failure.code, failure.http_status) {
        (C::Timeout, _) => {
            "See that the provider is up and that no firewall stands between; where it is only slow, give the \
             connection a longer `timeout`."
        }
        // A connection stood.
        (C::ConnectFailed, _) if failure.detail.starts_with("connection cut") => {
            "The provider closed the connection before it had answered: see whether `base_url` must begin with https:// in \
             place of http://, and whether the provider wants another client certificate than that in `tls`."
        }
        (C::ConnectFailed, _) => {
            "See that host and port of `base_url` are right, that the provider is up, and that a firewall lets us \
             through."
        }
        (C::DnsFailed, _) => {
            "See that the host in `base_url` is spelled right and that the name server of this machine knows it."
        }
        (C::TlsFailed, _) => {
            "See `base_url` and `tls` of the connection; certificates are always verified. What is wrong with the \
             provider's own certificate only its operator can mend."
        }
        (C::BlockedAddress, _) => {
            "If this address is meant, whoever runs Dossier can list it in `network.allow`."
        }
        (C::RedirectRefused, _) => "Put the address to which it leads into `base_url` or the path.",
        (C::AuthFailed, _) => {
            "See `token_url`, client and secret in `auth`, and what the provider says of them."
        }
        (C::HttpStatus, Some(401 | 403)) => {
            "The provider does not take the credentials: see `auth` and the secrets in it, and what they may do there."
        }
        (C::HttpStatus, Some(404 | 405)) => {
            "The provider is there, but has nothing at this address: name an `endpoint` or a `field` to be tried, or \
             mend its path."
        }
        (C::HttpStatus, Some(429)) => "The provider takes no more calls for now: try again later.",
        (C::HttpStatus, Some(500..)) => {
            "The provider has trouble of its own: try again later, or ask its operator."
        }
        (C::HttpStatus | C::Unsuccessful, _) => {
            "See what the answer says in `sample.response`, and mend the request or `success_when`."
        }
        (C::InvalidResponse, _) => {
            "See in `sample.response` what came; the address may be that of a page for people."
        }
        (C::ResponseTooLarge, _) => {
            "Ask for less, such as by a page size, or have `limits.response_bytes` made larger."
        }
        (C::MappingFailed, _) => "See `sample.mapping.targets`, and mend the paths in `response_mapping`.",
        (C::TemplateFailed, _) => "Mend the template, or give values in `data`, `input` or `params` for it.",
        (C::SecretMissing, _) => "Set the secret with `PUT /v1/secrets/{name}`, or take it out.",
        (C::SecretNotAllowed, _) => "Add the host to the `hosts` of the secret, if it may go there.",
        _ => "Mend what it says, and test again.",
    }
}
