//! The first stage: from the address to a connection that stands, with the certificate on it.

use std::net::SocketAddr;

use url::Url;

use super::hints;
use super::report::{CertificateSeen, Report, StepName};
use crate::domain::clock::rfc3339;
use crate::domain::connection::Connection;
use crate::domain::failure::Failure;
use crate::domain::redact::Redactor;
use crate::engine::context::{Deadline, Engine};
use crate::engine::send;
use crate::outbound::{Dialed, ExchangeFailure, TlsPolicy};

/// Addresses that are named.
const NAMED: usize = 6;
/// Days before the end of a certificate from which on somebody should see to it.
const SOON: i64 = 30;

/// Goes the way to the provider. `policy`: how TLS is made, or why it cannot.
pub(super) async fn look(
    engine: &Engine,
    connection: &Connection,
    policy: Result<Option<TlsPolicy>, Failure>,
    deadline: Deadline,
    report: &mut Report<'_>,
) {
    let Some(url) = &connection.base_url else {
        let hint = "Set `base_url` with `PUT /v1/connections/{key}`.";
        return report.failed(StepName::Address, "the connection has no `base_url`", hint);
    };
    report.passed(StepName::Address, url.origin().ascii_serialization());
    let way = Way { engine, url, deadline };
    let Some(found) = way.resolve(report).await else { return };
    let Some(allowed) = way.guard(found, report) else { return };
    let Some(dialed) = way.connect(&allowed, report).await else { return };
    match policy {
        _ if url.scheme() == "http" => {
            report.skipped(StepName::Tls, "the address is http: nothing on the way is encrypted");
        }
        Ok(policy) => way.shake_hands(dialed, policy.as_ref(), report).await,
        Err(failure) => report.failed(StepName::Tls, failure.detail.as_str(), hints::of(&failure)),
    }
}

struct Way<'w> {
    engine: &'w Engine,
    url: &'w Url,
    deadline: Deadline,
}

impl Way<'_> {
    async fn resolve(&self, report: &mut Report<'_>) -> Option<Vec<SocketAddr>> {
        let found = within(self.engine, self.deadline, self.engine.outbound.addresses(self.url)).await;
        let found = kept(found, StepName::Dns, report)?;
        let host = self.url.host_str().unwrap_or_default();
        if self.url.domain().is_some() {
            report.passed(StepName::Dns, format!("{host} is {}", named(&found)));
        } else {
            report.passed(StepName::Dns, format!("{host} is an address already"));
        }
        Some(found)
    }

    fn guard(&self, found: Vec<SocketAddr>, report: &mut Report<'_>) -> Option<Vec<SocketAddr>> {
        let allowed = self.engine.outbound.allowed(self.url, found);
        let allowed = kept(allowed, StepName::Guard, report)?;
        report.passed(StepName::Guard, format!("{} may be called", named(&allowed)));
        Some(allowed)
    }

    /// One after the other; half of the time that is left goes to each, so that one that is silent does
    /// not take it from the next.
    async fn connect(&self, allowed: &[SocketAddr], report: &mut Report<'_>) -> Option<Dialed> {
        let mut last = ExchangeFailure::Connect { detail: "there is no address".to_owned() };
        for (at, address) in allowed.iter().enumerate() {
            let is_last = at + 1 == allowed.len();
            let now = self.engine.clock.now();
            let time = if is_last { self.deadline } else { self.deadline.half(now) };
            match within(self.engine, time, self.engine.outbound.dial(*address)).await {
                Ok(dialed) => {
                    report.passed(StepName::Connect, format!("{address} listens"));
                    return Some(dialed);
                }
                Err(failure) => last = failure,
            }
        }
        kept(Err(last), StepName::Connect, report)
    }

    async fn shake_hands(&self, dialed: Dialed, policy: Option<&TlsPolicy>, report: &mut Report<'_>) {
        let shaken = self.engine.outbound.shake_hands(self.url, dialed, policy);
        let shaken = within(self.engine, self.deadline, shaken).await;
        let Some(shaken) = kept(shaken, StepName::Tls, report) else { return };
        let Some(valid_until) = shaken.valid_until else {
            return report.passed(StepName::Tls, "the certificate is trusted");
        };
        let days_left = (valid_until - self.engine.clock.now()).num_days();
        report.certificate = Some(CertificateSeen { valid_until, days_left });
        let until = rfc3339(valid_until);
        let detail =
            format!("the certificate is trusted, and valid for {days_left} more days (until {until})");
        if days_left < SOON {
            let hint = "It ends soon: see that the provider renews it in time.";
            report.passed_but(StepName::Tls, detail, hint);
        } else {
            report.passed(StepName::Tls, detail);
        }
    }
}

/// The work, or a timeout.
async fn within<T>(
    engine: &Engine,
    deadline: Deadline,
    work: impl Future<Output = Result<T, ExchangeFailure>>,
) -> Result<T, ExchangeFailure> {
    tokio::select! {
        biased;
        done = work => done,
        () = deadline.over(engine) => Err(ExchangeFailure::Timeout { after_ms: deadline.timeout_ms() }),
    }
}

/// What came of a step, or its failure in the report.
fn kept<T>(done: Result<T, ExchangeFailure>, step: StepName, report: &mut Report<'_>) -> Option<T> {
    match done {
        Ok(done) => Some(done),
        Err(kind) => {
            // Nothing of a credential comes near these steps.
            let failure = send::failure(&kind, &Redactor::default());
            report.failed(step, failure.detail.as_str(), hints::of(&failure));
            None
        }
    }
}

fn named(addresses: &[SocketAddr]) -> String {
    let shown: Vec<_> = addresses.iter().take(NAMED).map(|address| address.ip().to_string()).collect();
    let more = addresses.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
