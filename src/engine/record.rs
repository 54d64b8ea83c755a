//! One commit per attempt. An answer in hand is never thrown away for trouble of ours: while
//! this worker and its lease live, only the commit is repeated.

use std::sync::Arc;
use std::time::Duration;

use super::admit;
use super::context::{CalledFor, Engine, EngineError, Stop, Trace};
use super::verdict::{cancelled, ending, failed, given_back, internal, refused_by_lane, superseded};
use crate::domain::clock::Instant;
use crate::domain::failure::{Failure, FailureCode, Follow, RunError};
use crate::domain::ids::{LeaseToken, RunId};
use crate::domain::run::{
    Attempt, NextAttempt, Outcome, Priority, Reason, ReceivedResponse, RunStatus, SentRequest, WaitingFor,
};
use crate::service::ServiceError;
use crate::store::{CaseEffect, ClaimedRun, Closed, Closing, Ending, Rules, StoreError, Verdict};

/// Longest pause between two tries to commit.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Records what came of an attempt.
pub(super) async fn record(
    engine: &Engine,
    run: ClaimedRun,
    trace: Trace,
    outcome: Result<CaseEffect, Stop>,
) -> Result<(), EngineError> {
    let at = engine.clock.now();
    count_tokens(engine, &trace);
    let cached_from = trace.cached_from;
    let mut lane = admit::report(&run, &trace);
    let mut verdict = match outcome {
        Ok(effect) => Verdict::Ended(Ending { effect: Some(effect), ..ending(RunStatus::Succeeded) }),
        Err(Stop::Skipped(reason, missing)) => {
            Verdict::Ended(Ending { reason: Some(reason), missing, ..ending(RunStatus::Skipped) })
        }
        Err(Stop::Cancelled(reason)) => cancelled(&run, reason, at),
        Err(Stop::Superseded(successor)) => superseded(&run, successor, at),
        Err(Stop::Refused(refused)) => refused_by_lane(&run, &trace, refused, at),
        Err(Stop::Stopped) if trace.unknown => given_back(at),
        Err(Stop::Stopped) => Verdict::HandBack { due_at: at },
        Err(Stop::Lost) => {
            tracing::info!(run = %run.id, "the run is no longer ours; nothing was sent");
            engine.handed_back.forget(run.id);
            hand_in(engine, run.id, run.token).await;
            return Ok(());
        }
        Err(Stop::Failed(failure)) => failed(engine, &run, &trace, *failure, at),
        Err(Stop::Ours(error)) => {
            tracing::warn!(run = %run.id, %error, "nothing was sent; the run is handed back");
            let due_at = at + engine.handed_back.again(run.id);
            return commit(engine, Closing { lane, ..closing(run, at, None, Verdict::HandBack { due_at }) })
                .await;
        }
    };
    engine.handed_back.forget(run.id);
    if let Some(report) = &mut lane {
        admit::pause(engine, &run, report, &verdict, at);
    }
    // A run that is not sent is not sealed.
    let fingerprint = trace.fingerprint.clone().filter(|_| !matches!(verdict, Verdict::Park { .. }));
    if let Verdict::Ended(ending) = &mut verdict {
        ending.cached_from = cached_from;
    }
    count(engine, &trace, &verdict);
    let attempt = attempt(&run, trace, &verdict, at);
    commit(engine, Closing { fingerprint, lane, ..closing(run, at, attempt, verdict) }).await
}

/// The process stops and the attempt could not be ended in order: it stays with an unknown
/// outcome.
pub(super) async fn give_back(engine: &Engine, run: &ClaimedRun) -> Result<(), EngineError> {
    let at = engine.clock.now();
    let attempt = exchange(run, Trace::default(), Outcome::Unknown, at);
    commit(engine, closing(run.clone(), at, Some(attempt), given_back(at))).await
}

/// A bug on the way: the run ends, so that nothing is stuck.
pub(super) async fn give_up(engine: &Engine, run: &ClaimedRun, detail: &str) -> Result<(), EngineError> {
    let at = engine.clock.now();
    commit(engine, closing(run.clone(), at, None, internal(run, detail, at))).await
}

fn closing(run: ClaimedRun, at: Instant, attempt: Option<Attempt>, verdict: Verdict) -> Closing {
    Closing {
        run_id: run.id,
        seen: run.case,
        case_type_version: run.case_type_version,
        attempts_max: run.attempts_max,
        field: run.field,
        depth: run.depth,
        on_create: run.on_create,
        low: run.priority == Priority::Low,
        token: run.token,
        at,
        attempt,
        fingerprint: None,
        verdict,
        rules: None,
        lane: None,
    }
}

/// What the metrics say of it. An attempt that sent nothing is no call.
fn count(engine: &Engine, trace: &Trace, verdict: &Verdict) {
    let connection = trace.connection.as_ref().map(|plan| plan.connection().key.as_str());
    let Some(phases) = &trace.phases else { return };
    let (outcome, error) = match verdict {
        Verdict::Ended(ending) if ending.status == RunStatus::Succeeded => (Outcome::Ok, None),
        Verdict::Ended(ending) => (Outcome::Failed, ending.error.as_ref()),
        Verdict::Again { error, .. } => (Outcome::Failed, error.as_ref()),
        Verdict::HandBack { .. } | Verdict::Park { .. } => return,
    };
    let outcome = if trace.unknown { Outcome::Unknown } else { outcome };
    let code = error.map(|error| error.code);
    engine.metrics.call(connection, outcome, code, Duration::from_millis(phases.total_ms));
    if let (Verdict::Again { .. }, Some(code)) = (verdict, code) {
        engine.metrics.retry(connection, code);
    }
}

/// Calls for tokens are calls to a provider, too, of whatever comes behind them.
fn count_tokens(engine: &Engine, trace: &Trace) {
    let connection = trace.connection.as_ref().map(|plan| plan.connection().key.as_str());
    for call in trace.calls.iter().filter(|call| call.kind == CalledFor::Token) {
        let Some(phases) = &call.phases else { continue };
        let code = call.error.as_ref().map(|failure| failure.code);
        engine.metrics.token_call(connection, code, Duration::from_millis(phases.total_ms));
    }
}

/// What the history keeps; nothing when no request was put together. A run that waited in vain
/// for the call of another one has an attempt without a request.
fn attempt(run: &ClaimedRun, trace: Trace, verdict: &Verdict, at: Instant) -> Option<Attempt> {
    if trace.request.is_none() && !trace.followed {
        return None;
    }
    let unknown = trace.unknown;
    let (outcome, error, next) = match verdict {
        Verdict::Ended(ending) if ending.status == RunStatus::Succeeded => (Outcome::Ok, None, None),
        // Its lane let no call go.
        Verdict::Ended(ending) if ending.keeps_state && trace.calls.is_empty() => return None,
        Verdict::Ended(ending) => (Outcome::Failed, ending.error.clone(), None),
        Verdict::Again { due_at, not_before, waiting_for, error, .. } => {
            (Outcome::Failed, error.clone(), Some(next_attempt(*due_at, *not_before, *waiting_for)))
        }
        Verdict::HandBack { .. } | Verdict::Park { .. } => return None,
    };
    let outcome = if unknown { Outcome::Unknown } else { outcome };
    Some(Attempt { error, next, ..exchange(run, trace, outcome, at) })
}

fn exchange(run: &ClaimedRun, trace: Trace, outcome: Outcome, at: Instant) -> Attempt {
    Attempt {
        number: run.attempt,
        started_at: run.claimed_at,
        ended_at: at,
        outcome,
        request: trace.request,
        response: trace.response,
        phases: trace.phases,
        error: None,
        next: None,
        secrets: trace.secrets,
    }
}

fn next_attempt(due_at: Instant, not_before: Option<Instant>, waiting_for: WaitingFor) -> NextAttempt {
    let because = match (waiting_for, not_before) {
        (_, Some(asked)) if asked >= due_at => "the provider asked us to wait until then (Retry-After)",
        (WaitingFor::RateLimit, _) => {
            "the provider's limit was reached; each wait is longer than the one before"
        }
        (WaitingFor::Worker, _) => "Dossier was stopped before the answer came; the request is repeated",
        _ => "the attempt failed and may be repeated; each wait is longer than the one before",
    };
    NextAttempt { at: due_at, because: because.to_owned() }
}

/// Commits; repeats while the database is unavailable; ends the run where repeating is in vain.
async fn commit(engine: &Engine, closing: Closing) -> Result<(), EngineError> {
    let mut closing = Arc::new(closing);
    let mut pause = Duration::from_millis(200);
    let mut renewed = false;
    loop {
        let closed = match with_rules(engine, &mut closing, renewed).await {
            Ok(()) => engine.store.close(closing.clone()).await,
            Err(error) => Err(error),
        };
        match closed {
            Ok(Closed::Recorded) => return Ok(()),
            Ok(Closed::OldRules) => renewed = true,
            Ok(Closed::Lost) => {
                tracing::warn!(run = %closing.run_id, "the run is no longer ours; its result is dropped");
                hand_in(engine, closing.run_id, closing.token).await;
                return Ok(());
            }
            Err(error) if matches!(error, StoreError::Stopped) => return Err(error.into()),
            Err(error) if error.is_unavailable() => {
                tracing::warn!(run = %closing.run_id, %error, "the result cannot be written yet");
                engine.clock.sleep_until(engine.clock.now() + pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => return end_anyway(engine, &closing, &error).await,
        }
    }
}

/// Says that there is no call in flight of a run that was taken out of our hands; where that cannot
/// be written, its lease says so when it ends.
pub(super) async fn hand_in(engine: &Engine, run: RunId, token: LeaseToken) {
    let ended = [(run, token)];
    let written: Result<(), StoreError> =
        engine.store.write(move |tx| Box::pin(async move { tx.hand_in_permits(&ended).await })).await;
    if let Err(error) = written {
        tracing::debug!(%run, %error, "its permit could not be handed in");
    }
}

/// Adds the current version of the case type where the result may fire fields. `renew`: the
/// version that was known is not the current one any more.
async fn with_rules(engine: &Engine, closing: &mut Arc<Closing>, renew: bool) -> Result<(), StoreError> {
    let Verdict::Ended(ending) = &closing.verdict else { return Ok(()) };
    let fires = ending.effect.is_some() || ending.reason == Some(Reason::MissingInput);
    if !fires || (closing.rules.is_some() && !renew) {
        return Ok(());
    }
    let id = closing.seen.case.case_type_id;
    let plan = if renew { engine.plans.by_id_now(id).await } else { engine.plans.by_id_current(id).await };
    let plan = plan.map_err(|error| match error {
        ServiceError::Store(error) => error,
        other => StoreError::Corrupt { table: "case_type", id: id.0, reason: other.to_string() },
    })?;
    let rules = plan.map(|plan| Rules {
        version: plan.version,
        case_type: plan.case_type.clone(),
        params: plan.params.clone(),
    });
    Arc::make_mut(closing).rules = rules;
    Ok(())
}

/// The minimal second write for a result that the database does not take. The attempt stays in
/// the history, without the texts that it may not take; without the attempt only where it takes
/// not even that.
async fn end_anyway(engine: &Engine, closing: &Closing, error: &StoreError) -> Result<(), EngineError> {
    tracing::error!(run = %closing.run_id, %error, "the result cannot be written; the run ends as failed");
    let failure = Failure::new(FailureCode::Internal, "the database did not take the result");
    let number = closing.attempt.as_ref().map_or(0, |attempt| attempt.number);
    let error = Some(RunError::new(failure, "Dossier", number, closing.at, Follow::Over));
    let verdict = Verdict::Ended(Ending { error, ..ending(RunStatus::Failed) });
    let attempt = closing.attempt.clone().map(without_texts);
    let minimal = Closing { attempt, verdict, rules: None, ..closing.clone() };
    match engine.store.close(Arc::new(minimal.clone())).await {
        Err(error) if minimal.attempt.is_some() && !error.is_unavailable() => {
            tracing::error!(run = %closing.run_id, %error, "its attempt cannot be written either");
            engine.store.close(Arc::new(Closing { attempt: None, ..minimal })).await?;
        }
        written => drop(written?),
    }
    Ok(())
}

/// What is left of an attempt whose result cannot be written: it gave nothing, and its bodies are
/// missing.
fn without_texts(attempt: Attempt) -> Attempt {
    let outcome = if attempt.outcome == Outcome::Unknown { Outcome::Unknown } else { Outcome::Failed };
    let request = attempt.request.map(|request| SentRequest { body: None, ..request });
    let response = attempt.response.map(|response| {
        let truncated = response.truncated || response.body.is_some();
        ReceivedResponse { body: None, truncated, ..response }
    });
    Attempt { outcome, request, response, next: None, ..attempt }
}
