//! The way to the provider and back: may it go, credentials on, the run sealed, one exchange, a verdict on
//! its answer.
//!
//! What comes out is a success. It belongs to no field yet: every run that may share it maps it
//! for itself.

use super::context::{Engine, Stop, Trace};
use super::prepare::Prepared;
use super::render::Rendered;
use super::{admit, authorize, judge, seal, send};
use crate::domain::answer::Answer;
use crate::domain::clock::Instant;
use crate::domain::ids::RunId;
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

/// Asks the provider.
pub(super) async fn ask(
    engine: &Engine,
    run: &ClaimedRun,
    prepared: &Prepared,
    request: Rendered,
    trace: &mut Trace,
) -> Result<Fetched, Stop> {
    admit::admit(engine, run, trace).await?;
    let secrets = prepared.secrets_for(&request.url);
    let signed = authorize::authorize(prepared, request, trace)?;
    seal::keep(engine, run, prepared, trace).await?;
    trace.secrets = secrets;
    let received = send::send(engine, prepared, signed, trace)
        .await
        .inspect_err(|stop| admit::unanswered(stop, trace))?;
    let judged = judge::judge(prepared, &received);
    admit::answered(engine, &received, judged.is_ok(), trace);
    judged?;
    let text = judge::excerpt(&received.answer);
    Ok(Fetched { answer: Answer { text, ..received.answer }, at: engine.clock.now(), by: run.id })
}
