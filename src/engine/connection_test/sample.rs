//! The second and the third stage: credentials, then a sample call with the steps of a run.

use std::sync::Arc;

use super::hints;
use super::report::{Report, StepName};
use crate::domain::auth::Auth;
use crate::domain::failure::Failure;
use crate::domain::run::Reason;
use crate::engine::authorize::{self, Signed};
use crate::engine::console::steps::Tested;
use crate::engine::console::subject::Subject;
use crate::engine::console::targets::TargetVerdict;
use crate::engine::console::{targets, token};
use crate::engine::context::{Deadline, Engine, Stop, Trace};
use crate::engine::prepare::Prepared;
use crate::engine::render::{self, Rendered};
use crate::engine::send::Received;
use crate::engine::{judge, send};
use crate::store::CommitLimits;

/// A sample call on its way.
pub(super) struct Sample<'s> {
    pub(super) engine: &'s Engine,
    pub(super) limits: CommitLimits,
    pub(super) subject: &'s Subject,
    pub(super) prepared: Arc<Prepared>,
    pub(super) deadline: Deadline,
}

/// What a stop means for a step; trouble of ours goes on up.
enum Trouble {
    Failed(Failure),
    Missing(Reason, Vec<String>),
}

impl Trouble {
    fn of(stop: Stop) -> Result<Self, Stop> {
        match stop {
            Stop::Failed(failure) => Ok(Self::Failed(*failure)),
            Stop::Skipped(reason, missing) => Ok(Self::Missing(reason, missing)),
            stop => Err(stop),
        }
    }

    fn report(&self, step: StepName, report: &mut Report<'_>) {
        match self {
            Self::Failed(failure) => report.failed(step, failure.detail.as_str(), hints::of(failure)),
            Self::Missing(Reason::MissingInput, missing) => {
                let hint = "Give these values in `data`, `input` or `params` of the test, or a `field.case_id` that has them.";
                report.failed(step, format!("the request needs {}", missing.join(", ")), hint);
            }
            Self::Missing(..) => {
                let hint = "Give values in `data` for which it holds.";
                report.failed(step, "`when` of the field does not hold, so nothing would be sent", hint);
            }
        }
    }
}

impl Sample<'_> {
    /// Both stages. Answers whether the answer proves the credentials of the connection.
    pub(super) async fn take(
        &self,
        report: &mut Report<'_>,
        trace: &mut Trace,
        tested: &mut Tested,
    ) -> Result<bool, Stop> {
        let rendered = match render::render(&self.prepared, trace) {
            Ok(rendered) => Ok(rendered),
            Err(stop) => Err(Trouble::of(stop)?),
        };
        let signed = self.authenticate(rendered.as_ref().ok(), report, trace).await?;
        if report.has_failed() {
            return Ok(false);
        }
        let (rendered, signed) = match (rendered, signed) {
            (Ok(rendered), Some(signed)) => (rendered, signed),
            (Err(trouble), _) => {
                trouble.report(StepName::Request, report);
                return Ok(false);
            }
            (Ok(_), None) => return Ok(false),
        };
        report.passed(StepName::Request, told(trace));
        let Some(received) = self.call(signed, report, trace, tested).await? else { return Ok(false) };
        let own = self.prepared.inherits_auth() && self.prepared.connection_for(&rendered.url).is_some();
        let proves = own && !received.elsewhere;
        self.map(received, report, tested).await?;
        Ok(proves && !report.has_failed())
    }

    /// The second stage. Without a request only what does not hang on it is looked at.
    async fn authenticate(
        &self,
        rendered: Option<&Rendered>,
        report: &mut Report<'_>,
        trace: &mut Trace,
    ) -> Result<Option<Signed>, Stop> {
        let prepared = &self.prepared;
        let base = prepared.connection().and_then(|connection| connection.base_url.as_ref());
        let Some(url) = rendered.map(|request| &request.url).or(base) else { return Ok(None) };
        let auth = prepared.auth_for(url);
        for template in render::credentials(auth) {
            if let Err(error) = template.render_header(&prepared.scope) {
                Trouble::of(error.into())?.report(StepName::Credentials, report);
                return Ok(None);
            }
        }
        report.passed(StepName::Credentials, kind(auth));
        let Some(rendered) = rendered else {
            report.skipped(StepName::Token, "there is no request that could need one, see `request`");
            report.skipped(StepName::Hosts, "there is no request, see `request`");
            return Ok(None);
        };
        let token = token::token(self.engine, prepared, rendered, Some(self.deadline), trace).await;
        let token = match token {
            Ok(token) => token,
            Err(stop) => {
                Trouble::of(stop)?.report(StepName::Token, report);
                return Ok(None);
            }
        };
        match &token {
            Some(token) => {
                let left = (token.token.expires_at - self.engine.clock.now()).num_seconds();
                report.passed(StepName::Token, format!("a token came that is good for {left} s"));
            }
            None => report.skipped(StepName::Token, "no token is needed"),
        }
        match authorize::authorize(prepared, rendered.clone(), token.as_ref(), trace) {
            Ok(signed) => {
                let host = render::provider(&signed.request.url);
                report.passed(StepName::Hosts, format!("what is sent may go to {host}"));
                Ok(Some(signed))
            }
            Err(stop) => {
                Trouble::of(stop)?.report(StepName::Hosts, report);
                Ok(None)
            }
        }
    }

    /// One call, and whether its answer is a success.
    async fn call(
        &self,
        signed: Signed,
        report: &mut Report<'_>,
        trace: &mut Trace,
        tested: &mut Tested,
    ) -> Result<Option<Received>, Stop> {
        let sent = send::send(self.engine, None, &self.prepared, signed, Some(self.deadline), trace).await;
        let judged = sent.and_then(|received| judge::judge(&self.prepared, &received).map(|()| received));
        match judged {
            Ok(received) => {
                let status = received.answer.status;
                report.passed(StepName::Answer, format!("the provider answered with status {status}"));
                Ok(Some(received))
            }
            Err(stop) => {
                let trouble = Trouble::of(stop)?;
                trouble.report(StepName::Answer, report);
                self.told(trouble, trace, tested);
                Ok(None)
            }
        }
    }

    async fn map(
        &self,
        received: Received,
        report: &mut Report<'_>,
        tested: &mut Tested,
    ) -> Result<(), Stop> {
        let mapped = targets::map(&self.prepared, self.subject, received.answer, self.limits).await;
        let (mapping, failure) = mapped.map_err(Stop::from)?;
        match failure {
            Some(failure) => {
                report.failed(StepName::Mapping, failure.detail.as_str(), hints::of(&failure));
            }
            None if mapping.targets.is_empty() => {
                report.skipped(StepName::Mapping, "nothing is mapped");
            }
            None => {
                let all = mapping.targets.len();
                let set = mapping.targets.iter().filter(|it| it.verdict == TargetVerdict::Set).count();
                report.passed(StepName::Mapping, format!("{set} of {all} targets would be set"));
            }
        }
        tested.mapping = Some(mapping);
        Ok(())
    }

    fn told(&self, trouble: Trouble, trace: &Trace, tested: &mut Tested) {
        if let Trouble::Failed(failure) = trouble {
            tested.error = Some(crate::engine::console::steps::told(self.engine, failure, trace));
        }
    }
}

/// What the request is, redacted.
fn told(trace: &Trace) -> String {
    let request = trace.request.as_ref();
    request.map(|request| format!("{} {}", request.method, request.url)).unwrap_or_default()
}

fn kind(auth: &Auth) -> String {
    match auth {
        Auth::Inherited | Auth::None => "`auth` asks for none".to_owned(),
        Auth::Bearer { .. } => "the bearer token is there".to_owned(),
        Auth::Basic { .. } => "user name and password are there".to_owned(),
        Auth::ApiKeys(keys) if keys.len() == 1 => "the API key is there".to_owned(),
        Auth::ApiKeys(keys) => format!("{} API keys are there", keys.len()),
        Auth::Token(_) => "what the token endpoint wants is there".to_owned(),
    }
}
