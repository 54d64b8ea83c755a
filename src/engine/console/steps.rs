//! The order of the steps of a test, and what came of each.

use std::sync::Arc;

use super::recorded::Recorded;
use super::request::Wanted;
use super::subject::Subject;
use super::targets::{self, MappingTested};
use super::token;
use crate::domain::api_call::Method;
use crate::domain::failure::{Failure, Follow, RunError};
use crate::domain::problem::code;
use crate::domain::redact::Redactor;
use crate::domain::run::{PhaseTimes, Reason, ReceivedResponse, SentRequest};
use crate::engine::context::{AuxiliaryCall, CalledFor, Engine, EngineError, Stop, Trace};
use crate::engine::send::Received;
use crate::engine::{authorize, judge, prepare, render, send};
use crate::service::ServiceError;
use crate::store::{CommitLimits, StoreError};

/// A call beside the exchange that the field is about; redacted.
#[derive(Debug)]
pub struct CallBeside {
    /// What it was for.
    pub kind: CalledFor,
    /// What was sent.
    pub request: SentRequest,
    /// What came back.
    pub response: Option<ReceivedResponse>,
    /// Where the time went.
    pub phases: Option<PhaseTimes>,
    /// What went wrong.
    pub error: Option<RunError>,
}

/// What came of a test, as far as it came; redacted.
#[derive(Debug, Default)]
pub struct Tested {
    /// The request as it would be sent, or was.
    pub request: Option<SentRequest>,
    /// Calls on the way, in their order.
    pub calls: Vec<CallBeside>,
    /// The provider's answer, or the recorded one.
    pub response: Option<ReceivedResponse>,
    /// Where the time of the exchange went.
    pub phases: Option<PhaseTimes>,
    /// Why a run would be skipped now, and the dotted paths that it misses.
    pub skipped: Option<(Reason, Vec<String>)>,
    /// What a run would say that went wrong.
    pub error: Option<RunError>,
    /// What the answer is to the case, when it is a success.
    pub mapping: Option<MappingTested>,
}

/// Takes the steps as far as they lead.
pub(super) async fn take(
    engine: &Engine,
    limits: CommitLimits,
    subject: &Subject,
    wanted: &Wanted,
) -> Result<Tested, ServiceError> {
    let (mut trace, mut tested) = (Trace::default(), Tested::default());
    let stopped = steps(engine, limits, subject, wanted, &mut trace, &mut tested).await.err();
    match stopped {
        None => {}
        Some(Stop::Failed(failure)) => tested.error = Some(told(engine, *failure, &trace)),
        Some(Stop::Skipped(reason, missing)) => tested.skipped = Some((reason, missing)),
        Some(stop) => return Err(refused(stop)),
    }
    let calls =
        std::mem::take(&mut trace.calls).into_iter().map(|call| beside(engine, call, &trace)).collect();
    Ok(Tested { calls, request: trace.request, response: trace.response, phases: trace.phases, ..tested })
}

async fn steps(
    engine: &Engine,
    limits: CommitLimits,
    subject: &Subject,
    wanted: &Wanted,
    trace: &mut Trace,
    tested: &mut Tested,
) -> Result<(), Stop> {
    let (plan, outputs) = (subject.plan.clone(), &subject.outputs);
    let prepared = Arc::new(prepare::gather(engine, &subject.occasion(), plan, outputs).await?);
    let signed = match render::render(&prepared, trace) {
        Ok(request) => {
            confirmed(wanted, request.method)?;
            let token = if wanted.send {
                token::token(engine, &prepared, &request, None, trace).await?
            } else {
                None
            };
            Some(authorize::authorize(&prepared, request, token.as_ref(), trace)?)
        }
        // The recorded answer needs no request.
        Err(Stop::Skipped(reason, missing)) if wanted.response.is_some() => {
            tested.skipped = Some((reason, missing));
            None
        }
        Err(stop) => return Err(stop),
    };
    let received = match (&wanted.response, signed) {
        (Some(recorded), Some(signed)) => given(engine, recorded, &signed.redactor, trace),
        (Some(recorded), None) => given(engine, recorded, &prepared.redactor(), trace),
        (None, Some(signed)) if wanted.send => {
            send::send(engine, None, &prepared, signed, None, trace).await?
        }
        (None, _) => return Ok(()),
    };
    judge::judge(&prepared, &received)?;
    let (mapping, failure) = targets::map(&prepared, subject, received.answer, limits).await?;
    tested.mapping = Some(mapping);
    failure.map_or(Ok(()), |failure| Err(failure.into()))
}

/// What may change something at the provider goes out only when somebody knows that.
fn confirmed(wanted: &Wanted, method: Method) -> Result<(), ServiceError> {
    if !wanted.send || wanted.confirm || method.is_safe() {
        return Ok(());
    }
    let method = method.as_str();
    let message = format!(
        "`{method}` may change something at the provider: add `\"confirm\": true` to send it, or leave out `send`"
    );
    Err(ServiceError::invalid("/confirm", code::REQUIRED, message))
}

/// The recorded answer, taken in like one that has just come.
fn given(engine: &Engine, recorded: &Recorded, redactor: &Redactor, trace: &mut Trace) -> Received {
    let received = send::receive(engine, &recorded.exchange(), redactor, trace);
    trace.phases = None;
    if let Some(response) = &mut trace.response {
        recorded.complete(response);
    }
    received
}

pub(in crate::engine) fn beside(engine: &Engine, call: AuxiliaryCall, trace: &Trace) -> CallBeside {
    let AuxiliaryCall { kind, request, response, phases, error } = call;
    CallBeside { kind, request, response, phases, error: error.map(|failure| told(engine, failure, trace)) }
}

/// The failure as a run's first attempt would tell it, if no other followed.
pub(in crate::engine) fn told(engine: &Engine, failure: Failure, trace: &Trace) -> RunError {
    let at = engine.clock.now();
    let follow = failure.asked.map_or(Follow::Over, |asked| Follow::NotBefore(at + asked));
    RunError::new(failure, trace.provider(), 1, at, follow)
}

/// Trouble that is not the provider's.
pub(in crate::engine) fn refused(stop: Stop) -> ServiceError {
    match stop {
        Stop::Ours(EngineError::Service(error)) => error,
        Stop::Ours(EngineError::Store(error)) => error.into(),
        // A field that is gone was looked for before; no other step of a run is taken here.
        _ => StoreError::Stopped.into(),
    }
}
