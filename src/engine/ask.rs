//! The way to the provider and back: may it go, credentials on, the run sealed, one exchange, a verdict on
//! its answer.
//!
//! What comes out is a success. It belongs to no field yet: every run that may share it maps it
//! for itself.

use super::context::{Engine, Stop, Trace};
use super::credentials::Credentials;
use super::prepare::Prepared;
use super::render::Rendered;
use super::send::Received;
use super::{admit, authorize, judge, seal, send};
use crate::domain::answer::Answer;
use crate::domain::clock::Instant;
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::ids::RunId;
use crate::domain::lane::LaneOutcome;
use crate::store::ClaimedRun;

/// A success of a provider, redacted.
#[derive(Debug)]
pub(super) struct Fetched {
    /// The answer. Of its text only the beginning is kept: nothing but an error quotes it.
    pub(super) answer: Answer,
    /// When it was complete.
    pub(super) at: Instant,
    /// The run that fetched it.
    pub(super) by: RunId,
}

/// Asks the provider. When it does not accept a token any more, it is asked once more with another.
pub(super) async fn ask(
    engine: &Engine,
    run: &ClaimedRun,
    prepared: &Prepared,
    request: Rendered,
    trace: &mut Trace,
) -> Result<Fetched, Stop> {
    let mut credentials = Credentials::gather(engine, run, prepared, &request, trace).await?;
    admit::admit(engine, run, trace).await?;
    let sent = engine.clock.now();
    let mut received = exchange(engine, run, prepared, &request, &credentials, trace).await?;
    if credentials.are_refused(&received) {
        match Box::pin(renew(engine, run, (&mut credentials, sent), trace)).await {
            Ok(()) => {
                let again = exchange(engine, run, prepared, &request, &credentials, trace);
                received = Box::pin(again).await?;
            }
            Err(Stop::Refused(_)) => return Err(later(&received, trace)),
            Err(stop) => return Err(stop),
        }
    }
    let judged = judge::judge(prepared, &received);
    admit::answered(engine, &received, judged.is_ok(), trace);
    judged?;
    let text = judge::excerpt(&received.answer);
    Ok(Fetched { answer: Answer { text, ..received.answer }, at: engine.clock.now(), by: run.id })
}

/// Another token for one that was refused with what left at `sent`, and a permit for the call with it.
async fn renew(
    engine: &Engine,
    run: &ClaimedRun,
    (credentials, sent): (&mut Credentials<'_>, Instant),
    trace: &mut Trace,
) -> Result<(), Stop> {
    credentials.renew(engine, run, sent, trace).await?;
    admit::in_time(engine, run, credentials.deadline(), trace).await
}

/// One exchange, for which the lane has let the run go.
async fn exchange(
    engine: &Engine,
    run: &ClaimedRun,
    prepared: &Prepared,
    request: &Rendered,
    credentials: &Credentials<'_>,
    trace: &mut Trace,
) -> Result<Received, Stop> {
    let secrets = prepared.secrets_for(&request.url);
    let signed = authorize::authorize(prepared, request.clone(), credentials.token(), trace)?;
    seal::keep(engine, run, prepared, trace).await?;
    trace.secrets = secrets;
    send::send(engine, Some(run), prepared, signed, credentials.deadline(), trace)
        .await
        .inspect_err(|stop| admit::unanswered(stop, trace))
}

/// There is a new token, but its lane lets no call go now. The run has been sent, so it does not wait
/// as one that has not: it comes again like after any other failure that may pass.
fn later(received: &Received, trace: &mut Trace) -> Stop {
    trace.lane = Some(LaneOutcome::Answered);
    let detail = "the token was not accepted any more, and no call with another may go now";
    let failure = Failure::new(FailureCode::AuthFailed, detail).retryable();
    Failure { http_status: Some(received.answer.status), ..failure }.into()
}
