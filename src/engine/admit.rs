//! May the call go now? The lane of the run says so: circuit, limits, pause, hold.
//!
//! In a lane with which all is well and that has no limits a call goes without asking anybody.
//! Where the claim has seen that nothing may go, nobody is asked either. Else the lane's row is
//! asked, under its lock, for all processes on the database. What is refused is parked with the
//! run's report; the step sends nothing and waits for nothing.

use chrono::TimeDelta;

use super::context::{Deadline, Engine, Stop, Trace};
use super::send::Received;
use crate::domain::clock::Instant;
use crate::domain::failure::FailureCode;
use crate::domain::lane::{Because, LaneOutcome, Quota};
use crate::domain::retry;
use crate::store::{Admit, Admitted, ClaimedRun, LaneReport, Replaced, Verdict};

/// How often a permit is asked for that comes in time.
const TRIES: usize = 3;

/// Before a turn that was to be now is asked for again.
const SOON: TimeDelta = TimeDelta::milliseconds(100);

/// Lets the run's call go, or says until when it waits.
pub(super) async fn admit(engine: &Engine, run: &ClaimedRun, trace: &mut Trace) -> Result<(), Stop> {
    let Some(lane) = run.lane_state.as_deref() else { return Ok(()) };
    let now = engine.clock.now();
    let mut replaces = match trace.permit {
        Some(at) if !trace.permit_used && lane.is_fresh(at, now) => return Ok(()),
        Some(at) => Some(Replaced { at, used: trace.permit_used }),
        None if lane.is_plain() => return Ok(()),
        None => None,
    };
    // What the claim saw may be out of date by now; then the run is let go at the next one.
    if let (None, Some(refused)) = (replaces, lane.barrier(now, run.endpoint.as_deref())) {
        return Err(Stop::Refused(refused));
    }
    for _ in 0..TRIES {
        let at = ask(engine, run, replaces, trace).await?;
        if lane.is_fresh(at, engine.clock.now()) {
            break;
        }
        // The answer came late; a call that left now could come too close to others.
        replaces = Some(Replaced { at, used: false });
    }
    Ok(())
}

/// As [`admit`] for a further exchange of a run that has been sent: where only a limit stands in the
/// way, it waits for its turn, but not longer than its attempt lasts.
pub(super) async fn in_time(
    engine: &Engine,
    run: &ClaimedRun,
    deadline: Option<Deadline>,
    trace: &mut Trace,
) -> Result<(), Stop> {
    loop {
        let permit = trace.permit;
        let refused = match admit(engine, run, trace).await {
            Err(Stop::Refused(refused)) => refused,
            done => return done,
        };
        // An exchange was made with it, so it counts, and the run has its place among those in flight.
        trace.permit = permit;
        let soon = engine.clock.now() + SOON;
        let turn = refused.opens_at.filter(|_| refused.because == Because::Limit).map(|at| at.max(soon));
        let Some(turn) = turn.filter(|turn| deadline.is_some_and(|deadline| deadline.reaches(*turn))) else {
            return Err(Stop::Refused(refused));
        };
        tokio::select! {
            () = engine.clock.sleep_until(turn) => {}
            () = engine.time_is_up.cancelled() => return Err(Stop::Stopped),
        }
    }
}

/// Asks the lane's row; answers the permit's time.
async fn ask(
    engine: &Engine,
    run: &ClaimedRun,
    replaces: Option<Replaced>,
    trace: &mut Trace,
) -> Result<Instant, Stop> {
    let place = (run.workspace, run.lane.clone());
    let (run_id, token, priority) = (run.id, run.token, run.priority);
    let clock = engine.clock.clone();
    let endpoint = run.endpoint.clone();
    match engine.store.admit(Admit { run_id, token, place, endpoint, priority, replaces, clock }).await? {
        Admitted::Granted { at } => {
            trace.permit = Some(at);
            trace.permit_used = false;
            Ok(at)
        }
        Admitted::Refused(refused) => {
            trace.permit = None;
            Err(Stop::Refused(refused))
        }
        Admitted::Lost => Err(Stop::Lost),
    }
}

/// Notes what a complete answer says about the lane.
pub(super) fn answered(engine: &Engine, received: &Received, success: bool, trace: &mut Trace) {
    let answer = &received.answer;
    let now = engine.clock.now();
    let said = outcome(answer.status, success, now + received.asked.unwrap_or_default());
    // Who never got our credentials says nothing about them.
    let about_others = received.elsewhere && matches!(said, LaneOutcome::Unauthorized);
    trace.lane = Some(if about_others { LaneOutcome::Answered } else { said });
    trace.permit_used = true;
    let headers = answer.headers.iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    trace.quota = Quota::read(&headers, now);
}

/// What a complete answer says about the lane. `asked`: when the provider may be asked again, as far
/// as it says so; our own delay comes with the verdict.
pub(super) const fn outcome(status: u16, success: bool, asked: Instant) -> LaneOutcome {
    match status {
        _ if success => LaneOutcome::Answered,
        401 | 403 => LaneOutcome::Unauthorized,
        408 | 425 => LaneOutcome::Neutral,
        429 => LaneOutcome::Limited { until: asked },
        500.. => LaneOutcome::Failed,
        _ => LaneOutcome::Answered,
    }
}

/// Notes what the lack of a complete answer says about the lane.
pub(super) fn unanswered(stop: &Stop, trace: &mut Trace) {
    use FailureCode as C;
    let Stop::Failed(failure) = stop else { return };
    trace.lane = match (failure.code, failure.http_status) {
        (C::Timeout | C::ConnectFailed | C::DnsFailed | C::TlsFailed, _) => Some(LaneOutcome::Failed),
        (C::RedirectRefused | C::ResponseTooLarge | C::InvalidResponse, Some(500..)) => {
            Some(LaneOutcome::Failed)
        }
        (C::RedirectRefused | C::ResponseTooLarge | C::InvalidResponse, _) => Some(LaneOutcome::Answered),
        // Nothing left.
        _ => None,
    };
    trace.permit_used |= trace.lane.is_some();
}

/// What the attempt says about its lane; none: nothing, and it holds nothing of it.
pub(super) fn report(run: &ClaimedRun, trace: &Trace) -> Option<LaneReport> {
    if trace.lane.is_none() && trace.permit.is_none() && run.permit.is_none() {
        return None;
    }
    Some(LaneReport {
        key: run.lane.clone(),
        endpoint: run.endpoint.clone(),
        outcome: trace.lane.unwrap_or(LaneOutcome::Nothing),
        counted: run.counted,
        unused: trace.permit.filter(|_| !trace.permit_used),
        credentials_epoch: run.credentials_epoch,
        quota: trace.quota.clone(),
    })
}

/// A 429 pauses the lane for as long as the run itself waits, else for as long as the provider
/// asks or our own delay is; at most an hour.
pub(super) fn pause(
    engine: &Engine,
    run: &ClaimedRun,
    report: &mut LaneReport,
    verdict: &Verdict,
    at: Instant,
) {
    let LaneOutcome::Limited { until } = report.outcome else { return };
    let until = match verdict {
        Verdict::Again { due_at, .. } => *due_at,
        _ => until.max(at + retry::delay(run.limited + 1, engine.rng.fraction())),
    };
    report.outcome = LaneOutcome::Limited { until: until.min(at + retry::LONGEST_ASKED) };
}
