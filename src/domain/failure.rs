//! What went wrong with a provider, as a value, and the sentences that people read about it.
//!
//! A [`Failure`] is made where an exchange or its mapping goes wrong. When the run's next step
//! is known it becomes a [`RunError`]: what is stored on run, attempt and field. Every sentence
//! for case managers stands in this file: it says what happened and what to do.
//!
//! [`Failure`]: crate::domain::failure::Failure
//! [`RunError`]: crate::domain::failure::RunError

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::Instant;
pub use super::provider_error::ProviderError;
use super::run::words;

words! {
    /// Stable names of everything that can go wrong with a run.
    FailureCode {
        /// No complete answer within the time.
        Timeout = "timeout",
        /// No connection, or it was cut.
        ConnectFailed = "connect_failed",
        /// The host name has no address.
        DnsFailed = "dns_failed",
        /// TLS could not be agreed on.
        TlsFailed = "tls_failed",
        /// The address may not be called.
        BlockedAddress = "blocked_address",
        /// The provider sent us elsewhere.
        RedirectRefused = "redirect_refused",
        /// A status that is no success.
        HttpStatus = "http_status",
        /// `success_when` does not hold.
        Unsuccessful = "unsuccessful",
        /// The answer cannot be read.
        InvalidResponse = "invalid_response",
        /// The answer is larger than allowed.
        ResponseTooLarge = "response_too_large",
        /// The answer does not fit the mapping.
        MappingFailed = "mapping_failed",
        /// The request could not be rendered.
        TemplateFailed = "template_failed",
        /// A secret does not exist.
        SecretMissing = "secret_missing",
        /// A secret may not go to that host.
        SecretNotAllowed = "secret_not_allowed",
        /// No token could be had.
        AuthFailed = "auth_failed",
        /// The provider is paused.
        CircuitOpen = "circuit_open",
        /// The provider's limit was hit too often.
        RateLimited = "rate_limited",
        /// The money is used up.
        BudgetExceeded = "budget_exceeded",
        /// The connection is switched off.
        ConnectionDisabled = "connection_disabled",
        /// Too many fields fired each other.
        ChainTooDeep = "chain_too_deep",
        /// The run was cancelled.
        Cancelled = "cancelled",
        /// Our own trouble.
        Internal = "internal",
    }
}

/// One thing that went wrong, before it is known what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub code: FailureCode,
    /// For the builder; no secrets.
    pub detail: String,
    /// Status of the answer, when one came.
    pub http_status: Option<u16>,
    /// What the provider said.
    pub provider: Option<ProviderError>,
    /// The first 2 KiB of the answer.
    pub body_excerpt: Option<String>,
    /// Whether repeating it can help.
    pub retryable: bool,
    /// The provider's `Retry-After`.
    pub asked: Option<Duration>,
    /// Somebody has stopped the calls; it is not the provider that fails.
    pub by_hand: bool,
}

impl Failure {
    /// A failure that repeating does not mend, without an answer.
    pub fn new(code: FailureCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            http_status: None,
            provider: None,
            body_excerpt: None,
            retryable: false,
            asked: None,
            by_hand: false,
        }
    }

    /// The same, but repeating it may help.
    #[must_use]
    pub fn retryable(self) -> Self {
        Self { retryable: true, ..self }
    }

    /// Whether the provider answered 429, which uses up no retry.
    pub fn is_limited(&self) -> bool {
        self.http_status == Some(429)
    }
}

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// Another attempt of the same run.
    Retry(Instant),
    /// Nothing: the run is over.
    Over,
    /// The run is over; the provider named a time before which asking is useless.
    NotBefore(Instant),
}

/// What is stored and shown of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// Which.
    pub code: FailureCode,
    /// For the case manager: what happened, what to do.
    pub message: String,
    /// For the builder.
    pub detail: Option<String>,
    /// Status of the answer, when one came.
    pub http_status: Option<u16>,
    /// What the provider said.
    pub provider: Option<ProviderError>,
    /// The first 2 KiB of the answer.
    pub body_excerpt: Option<String>,
    /// Attempt at which it happened.
    pub attempt: u32,
    /// Whether repeating it can help.
    pub retryable: bool,
    /// When the next attempt is due, or the earliest time worth asking.
    pub retry_at: Option<Instant>,
    /// When it happened.
    pub at: Instant,
}

impl RunError {
    /// A failure at an attempt, with the sentence for the person who reads the case.
    ///
    /// `who` names the provider: its connection or its host.
    pub fn new(failure: Failure, who: &str, attempt: u32, at: Instant, follow: Follow) -> Self {
        let message = format!("{} {}", what_happened(&failure, who), what_to_do(&failure, follow));
        let retry_at = match follow {
            Follow::Retry(at) | Follow::NotBefore(at) => Some(at),
            Follow::Over => None,
        };
        Self {
            code: failure.code,
            message,
            detail: Some(failure.detail).filter(|detail| !detail.is_empty()),
            http_status: failure.http_status,
            provider: failure.provider,
            body_excerpt: failure.body_excerpt,
            attempt,
            retryable: failure.retryable,
            retry_at,
            at,
        }
    }

    /// What happened, without when it is tried again: for who tells that time otherwise, or reads of it
    /// when it is over.
    pub fn happened(&self) -> &str {
        let again = self.retry_at.and_then(|_| self.message.rfind(TRY_AGAIN));
        again.map_or(&*self.message, |at| self.message[..at].trim_end())
    }

    /// What a run says whose place another one took before its next attempt. `changed`: because
    /// the request would not be the same any more.
    pub fn superseded(changed: bool, attempt: u32, at: Instant) -> Self {
        let sentence = if changed {
            "The case changed before the next attempt, so a new run with the new values took its place."
        } else {
            "A newer run of this field was waiting, so it took the place of this one's next attempt."
        };
        Self::cancelled(sentence, attempt, at)
    }

    /// What a cancelled run says.
    pub fn cancelled(sentence: &str, attempt: u32, at: Instant) -> Self {
        let failure = Failure::new(FailureCode::Cancelled, "");
        Self { message: sentence.to_owned(), ..Self::new(failure, "", attempt, at, Follow::Over) }
    }
}

/// The first sentence: what happened, to whom.
fn what_happened(failure: &Failure, who: &str) -> String {
    use FailureCode as C;
    let said = said(failure);
    match failure.code {
        C::Timeout => format!("{who} did not answer in time."),
        C::ConnectFailed => format!("{who} could not be reached, or the connection broke off."),
        C::DnsFailed => format!("The address of {who} could not be found."),
        C::TlsFailed => format!("No secure connection to {who} could be made."),
        C::BlockedAddress => format!("{who} lies in a network that Dossier may not call."),
        C::RedirectRefused => format!("{who} answered with the address of another place."),
        C::HttpStatus => format!("{}{said}", status_sentence(failure.http_status, who)),
        C::Unsuccessful => format!("{who} answered, but not with a success.{said}"),
        C::InvalidResponse => format!("{who} sent an answer that cannot be read."),
        C::ResponseTooLarge => format!("{who} sent a larger answer than allowed."),
        C::MappingFailed => format!("{who} answered, but the answer does not fit the fields of this case."),
        C::TemplateFailed => "The request could not be put together from the values of this case.".to_owned(),
        C::SecretMissing => "A credential that this field needs is not set up.".to_owned(),
        C::SecretNotAllowed => format!("A credential of this field may not be sent to {who}."),
        C::AuthFailed => auth_sentence(failure.http_status, who),
        C::CircuitOpen if failure.by_hand => format!("Somebody has stopped all calls to {who} for a while."),
        C::CircuitOpen => format!("{who} failed several times in a row, so calls to it are paused."),
        C::RateLimited => format!("{who} accepts no more calls for now."),
        C::BudgetExceeded => format!("The budget for {who} is used up."),
        C::ConnectionDisabled => format!("The connection to {who} is switched off."),
        C::ChainTooDeep => "Too many fields set each other off.".to_owned(),
        C::Cancelled => "The run was cancelled.".to_owned(),
        C::Internal => "Something in Dossier itself kept this run from ending well.".to_owned(),
    }
}

fn auth_sentence(status: Option<u16>, who: &str) -> String {
    match status {
        Some(400..=403) => format!("{who} did not accept our credentials."),
        _ => format!("We could not sign in to {who}."),
    }
}

fn status_sentence(status: Option<u16>, who: &str) -> String {
    match status.unwrap_or_default() {
        400 | 422 => format!("{who} did not accept the values that were sent."),
        401 => format!("{who} did not accept our credentials."),
        403 => format!("{who} does not let us have this."),
        404 | 410 => format!("{who} has nothing under the values that were sent."),
        429 => format!("{who} accepts no more calls for now."),
        status @ 500.. => format!("{who} has trouble of its own (status {status})."),
        status => format!("{who} refused the request (status {status})."),
    }
}

fn said(failure: &Failure) -> String {
    let description = failure.provider.as_ref().and_then(|provider| provider.description.as_deref());
    description.map_or_else(String::new, |text| {
        let short: String = text.chars().take(200).collect();
        format!(" It says: \"{}\".", short.trim_end_matches('.'))
    })
}

/// How the sentence about another attempt begins.
const TRY_AGAIN: &str = "We will try again at";

/// The second sentence: what follows, and who must act.
fn what_to_do(failure: &Failure, follow: Follow) -> String {
    use FailureCode as C;
    match (follow, failure.code) {
        (Follow::Retry(at), _) => {
            format!("{TRY_AGAIN} {} UTC; nothing to do.", at.format("%H:%M:%S"))
        }
        (Follow::NotBefore(at), _) => {
            format!("Refresh the field after {} UTC.", at.format("%Y-%m-%d %H:%M"))
        }
        (Follow::Over, C::HttpStatus) => match failure.http_status.unwrap_or_default() {
            401 => "Ask a builder to check the credentials of this field.".to_owned(),
            403 => "Ask a builder to check what the credentials of this field permit.".to_owned(),
            400..=499 => "Check the values in the case, then refresh the field.".to_owned(),
            _ => LATER.to_owned(),
        },
        (Follow::Over, C::Timeout | C::ConnectFailed | C::DnsFailed | C::RateLimited | C::CircuitOpen) => {
            LATER.to_owned()
        }
        (Follow::Over, C::Unsuccessful) => "Check the values in the case, then refresh the field.".to_owned(),
        (Follow::Over, C::InvalidResponse | C::ResponseTooLarge) => LATER.to_owned(),
        (Follow::Over, C::AuthFailed) if failure.retryable => LATER.to_owned(),
        (Follow::Over, C::AuthFailed) => "Ask a builder to check the credentials of this field.".to_owned(),
        (Follow::Over, C::ConnectionDisabled) => {
            "Ask a builder to switch it on, then refresh the field.".to_owned()
        }
        (Follow::Over, C::Cancelled) => "Refresh the field to run it again.".to_owned(),
        (Follow::Over, C::Internal) => {
            "Refresh the field; if it stays so, tell whoever runs Dossier.".to_owned()
        }
        (Follow::Over, _) => {
            "Ask a builder to mend this field; the case can be worked on meanwhile.".to_owned()
        }
    }
}

const LATER: &str = "Refresh the field later; if it stays so, tell a builder.";

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn at() -> Instant {
        chrono::Utc.with_ymd_and_hms(2026, 11, 21, 14, 3, 0).unwrap()
    }

    #[test]
    fn every_code_has_two_sentences_that_name_no_code() {
        for code in FailureCode::ALL {
            for follow in [Follow::Retry(at()), Follow::Over, Follow::NotBefore(at())] {
                let failure = Failure::new(*code, "detail");
                let error = RunError::new(failure, "The registry", 1, at(), follow);
                assert!(error.message.ends_with('.'), "{}", error.message);
                assert!(error.message.matches(". ").count() >= 1, "{}", error.message);
                assert!(!error.message.contains('_'), "{}", error.message);
            }
        }
    }

    #[test]
    fn a_provider_that_explains_itself_is_quoted() {
        let provider =
            ProviderError { code: Some("E7".into()), description: Some("No such company.".into()) };
        let failure = Failure {
            http_status: Some(404),
            provider: Some(provider),
            ..Failure::new(FailureCode::HttpStatus, "status 404")
        };
        let error = RunError::new(failure, "registry.example", 1, at(), Follow::Over);
        assert_eq!(
            error.message,
            "registry.example has nothing under the values that were sent. It says: \"No such company\". \
             Check the values in the case, then refresh the field."
        );
    }

    #[test]
    fn a_circuit_says_who_opened_it_and_until_when() {
        for (by_hand, expected) in [
            (true, "Somebody has stopped all calls to The registry for a while. "),
            (false, "The registry failed several times in a row, so calls to it are paused. "),
        ] {
            let failure = Failure { by_hand, ..Failure::new(FailureCode::CircuitOpen, "") };
            let error = RunError::new(failure, "The registry", 0, at(), Follow::NotBefore(at()));
            assert_eq!(error.message, format!("{expected}Refresh the field after 2026-11-21 14:03 UTC."));
        }
    }

    #[test]
    fn a_planned_retry_says_when() {
        let failure = Failure::new(FailureCode::Timeout, "no answer within 30000 ms").retryable();
        let error = RunError::new(failure, "registry.example", 1, at(), Follow::Retry(at()));
        assert_eq!(error.retry_at, Some(at()));
        assert!(error.message.ends_with("We will try again at 14:03:00 UTC; nothing to do."));
        assert!(!error.happened().contains("again") && error.message.starts_with(error.happened()));
    }
}
