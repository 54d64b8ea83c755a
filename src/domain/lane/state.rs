//! A lane: what its provider bears, and how it stands with it.
//!
//! Two questions: may calls go now ([`Lane::release`], [`Lane::admit`]), and what does an answer
//! change ([`Lane::report`])? What is refused says why and, where that is known, until when.

use std::collections::BTreeMap;

use super::answers::{Admission, Ask, Because, LaneOutcome, Of, Refused, Release};
use super::breaker::Circuit;
use super::limiter::{Grants, slack};
use super::quota::Quota;
use crate::domain::clock::Instant;
use crate::domain::connection::{BreakerSettings, RateLimit};
use crate::domain::ids::RunId;

/// Answers 401 or 403 in a row that put a lane on hold.
const REFUSALS: u32 = 5;

/// A lane. The default is one without limits with which all is well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lane {
    /// Calls in a span of time and at once.
    pub limits: RateLimit,
    /// When its circuit opens.
    pub breaker: BreakerSettings,
    /// Its connection is switched off.
    pub disabled: bool,
    /// How its circuit stands: that of all its calls, or of those without an endpoint.
    pub circuit: Circuit,
    /// How those of endpoints stand, where each has its own; one that is not here is closed.
    pub circuits: BTreeMap<String, Circuit>,
    /// Answers 401 or 403 in a row.
    pub refusals: u32,
    /// It waits for other credentials, or for somebody to resume it.
    pub held: bool,
    /// The provider answered 429: nothing goes before.
    pub paused_until: Option<Instant>,
    /// What was granted lately.
    pub grants: Grants,
    /// What the provider says is left.
    pub quota: Option<Quota>,
}

impl Lane {
    /// Whether calls go as they come, without asking.
    pub fn is_plain(&self) -> bool {
        !self.has_circuits() && self.standing() && self.limits == RateLimit::default()
    }

    /// Whether there are limits, and nothing else that a call could wait for.
    pub fn is_only_limited(&self) -> bool {
        !self.has_circuits() && self.standing() && !self.is_plain()
    }

    /// Nothing but limits can hold a call back.
    const fn standing(&self) -> bool {
        !self.disabled && !self.held && self.circuit.is_closed() && self.paused_until.is_none()
    }

    /// Whether there is nothing to remember of it.
    pub fn is_blank(&self) -> bool {
        let quiet = self.circuit == Circuit::default() && self.refusals == 0 && self.grants.is_empty();
        let unset = self.limits == RateLimit::default() && self.breaker == BreakerSettings::default();
        self.standing() && quiet && unset && self.quota.is_none()
    }

    /// What holds back every call for now, whatever its limits say; a circuit whose time has come
    /// does not: one probe may go.
    pub fn barrier(&self, now: Instant, endpoint: Option<&str>) -> Option<Refused> {
        let open = self.circuit_of(endpoint).open_until.filter(|until| *until > now);
        let open = open.map(|until| Refused { because: self.why_open(endpoint), opens_at: Some(until) });
        self.switched_off().or(open).or_else(|| self.paused(now))
    }

    /// A circuit that has not seen enough failures was opened by a person.
    fn why_open(&self, endpoint: Option<&str>) -> Because {
        let failed = self.circuit_of(endpoint).failures >= self.breaker.failures.max(1);
        if failed { Because::Circuit } else { Because::Stopped }
    }

    const fn switched_off(&self) -> Option<Refused> {
        match (self.disabled, self.held) {
            (true, _) => Some(Refused { because: Because::Disabled, opens_at: None }),
            (false, true) => Some(Refused { because: Because::Held, opens_at: None }),
            (false, false) => None,
        }
    }

    fn paused(&self, now: Instant) -> Option<Refused> {
        let until = self.paused_until.filter(|until| *until > now)?;
        Some(Refused { because: Because::Limit, opens_at: Some(until) })
    }

    /// What may go now.
    pub fn release(&self, now: Instant, ask: Ask<'_>) -> Release {
        if let Some(refused) = self.barrier(now, ask.endpoint) {
            return Release::Refused(refused);
        }
        let circuit = self.circuit_of(ask.endpoint);
        let probes = !circuit.is_closed();
        if probes && circuit.probe.is_some() && ask.probing {
            return Release::Refused(Refused { because: self.why_open(ask.endpoint), opens_at: None });
        }
        match self.room(now, ask.in_flight) {
            Err(refused) => Release::Refused(refused),
            Ok(_) if probes => Release::Probe,
            Ok(calls) => Release::Calls(calls),
        }
    }

    /// How many calls everything but circuits lets go now; at least one.
    pub fn room(&self, now: Instant, in_flight: u32) -> Result<u32, Refused> {
        if let Some(refused) = self.switched_off().or_else(|| self.paused(now)) {
            return Err(refused);
        }
        let at_once = self.limits.concurrency.map_or(u32::MAX, |most| most.saturating_sub(in_flight));
        if at_once == 0 {
            return Err(Refused { because: Because::Limit, opens_at: None });
        }
        match self.grants.free(&self.limits.windows, now).min(at_once) {
            0 => {
                let opens_at = Some(self.grants.opens_at(&self.limits.windows, now));
                Err(Refused { because: Because::Limit, opens_at })
            }
            calls => Ok(calls),
        }
    }

    /// May this run make its call? What is granted is taken.
    pub fn admit(&mut self, now: Instant, run: RunId, ask: Ask<'_>) -> Admission {
        // The run that probes asks again: its worker was lost, or its permit is too old.
        let its_own = self.circuit_of(ask.endpoint).probe == Some(run);
        let probing = ask.probing && !its_own;
        let released = self.release(now, Ask { probing, ..ask });
        let behind = |because| Admission::Refused(Refused { because, opens_at: Some(now) });
        match released {
            Release::Refused(refused) => return Admission::Refused(refused),
            Release::Probe if ask.behind && !its_own => return behind(self.why_open(ask.endpoint)),
            Release::Calls(_) if ask.behind => return behind(Because::Limit),
            Release::Probe => self.circuit_of_mut(ask.endpoint).probe = Some(run),
            Release::Calls(_) => {}
        }
        self.take(now, 1);
        Admission::Granted
    }

    /// Notes calls that go now.
    pub fn take(&mut self, now: Instant, calls: u32) {
        self.grants.take(&self.limits.windows, now, calls);
    }

    /// Gives it other limits; what was granted under the old ones counts on.
    pub fn limit(&mut self, limits: RateLimit) {
        self.grants.carry_over(&limits.windows);
        self.limits = limits;
    }

    /// A permit of `at` that was not used.
    pub fn give_back(&mut self, at: Instant) {
        self.grants.give_back(&self.limits.windows, at);
    }

    /// Whether a call that was granted at `at` may still leave: half of the slack is for the way
    /// to the provider.
    pub fn is_fresh(&self, at: Instant, now: Instant) -> bool {
        self.limits.windows.iter().all(|&window| now - at <= slack(window) / 2)
    }

    /// Takes in how a call ended. `counted`: a failure of the same run has counted before. Answers
    /// whether this one counts.
    pub fn report(&mut self, now: Instant, of: Of<'_>, outcome: LaneOutcome, counted: bool) -> bool {
        let Of { run, endpoint } = of;
        let breaker = self.breaker;
        let mut circuit = self.circuit_of(endpoint).clone();
        let mut counts = false;
        match outcome {
            LaneOutcome::Nothing => circuit.spared(run),
            LaneOutcome::Answered => {
                circuit.answered(run);
                self.refusals = 0;
            }
            LaneOutcome::Unauthorized => {
                circuit.answered(run);
                self.refusals = self.refusals.saturating_add(1);
                self.held |= self.refusals >= REFUSALS;
            }
            LaneOutcome::Neutral => circuit.neutral(now, run, &breaker),
            LaneOutcome::Limited { until } => {
                circuit.spared(run);
                self.paused_until = self.paused_until.max(Some(until));
            }
            LaneOutcome::Failed => counts = circuit.failed(now, run, counted, &breaker),
        }
        self.put_circuit(endpoint, circuit);
        counts
    }

    /// Forgets a pause that is over.
    pub fn tidy(&mut self, now: Instant) {
        self.paused_until = self.paused_until.filter(|until| *until > now);
    }

    /// Credentials or connection are others, so the hold ends. A pause that the provider asked for
    /// does not.
    pub const fn end_hold(&mut self) {
        self.held = false;
        self.refusals = 0;
    }

    /// Somebody says that calls may go: hold and pause end. The circuit has its own hand.
    pub const fn resume(&mut self) {
        self.end_hold();
        self.paused_until = None;
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;
    use crate::domain::connection::Window;

    fn at(second: i64) -> Instant {
        Instant::from_timestamp(second, 0).unwrap()
    }

    const fn run(n: u128) -> RunId {
        RunId(Uuid::from_u128(n))
    }

    const fn of(run: RunId) -> Of<'static> {
        Of { run, endpoint: None }
    }

    fn limited(limit: u32, concurrency: Option<u32>) -> Lane {
        let windows = vec![Window { limit, period: 1 }];
        Lane { limits: RateLimit { windows, concurrency }, ..Lane::default() }
    }

    fn refused(release: Release) -> (Because, Option<Instant>) {
        let Release::Refused(refused) = release else { panic!("{release:?}") };
        (refused.because, refused.opens_at)
    }

    #[test]
    fn what_holds_back_comes_in_the_order_of_who_must_act() {
        let mut lane = limited(1, Some(1));
        let busy = Ask { in_flight: 1, ..Ask::default() };
        lane.take(at(0), 1);
        assert_eq!(refused(lane.release(at(0), Ask::default())).0, Because::Limit);
        assert!(refused(lane.release(at(0), Ask::default())).1.is_some());
        assert_eq!(refused(lane.release(at(5), busy)), (Because::Limit, None));
        lane.paused_until = Some(at(9));
        assert_eq!(refused(lane.release(at(5), busy)), (Because::Limit, Some(at(9))));
        lane.circuit.open(at(0), &lane.breaker.clone());
        assert_eq!(refused(lane.release(at(5), busy)), (Because::Stopped, Some(at(30))));
        lane.held = true;
        assert_eq!(refused(lane.release(at(5), busy)), (Because::Held, None));
        lane.disabled = true;
        assert_eq!(refused(lane.release(at(5), busy)), (Because::Disabled, None));
        lane.disabled = false;
        lane.resume();
        assert_eq!(refused(lane.release(at(5), busy)).0, Because::Stopped);
        lane.circuit.failures = lane.breaker.failures;
        assert_eq!(refused(lane.release(at(5), busy)).0, Because::Circuit);
        lane.circuit.close();
        assert_eq!(lane.release(at(5), Ask::default()), Release::Calls(1));
    }

    #[test]
    fn one_probe_goes_and_not_past_who_waits() {
        let mut lane = Lane::default();
        lane.circuit.open(at(0), &BreakerSettings::default());
        let behind = Ask { behind: true, ..Ask::default() };
        let first = Refused { because: Because::Stopped, opens_at: Some(at(30)) };
        assert_eq!(lane.admit(at(30), run(1), behind), Admission::Refused(first));
        assert_eq!(lane.admit(at(30), run(1), Ask::default()), Admission::Granted);
        let probing = Ask { probing: true, ..Ask::default() };
        let second = Refused { because: Because::Stopped, opens_at: None };
        assert_eq!(lane.admit(at(31), run(2), probing), Admission::Refused(second));
        assert_eq!(lane.admit(at(31), run(1), probing), Admission::Granted, "the probe itself");
        assert_eq!(lane.admit(at(31), run(2), Ask::default()), Admission::Granted, "its worker is gone");
        lane.report(at(31), of(run(2)), LaneOutcome::Nothing, false);
        assert_eq!(lane.circuit.probe, None);
        lane.circuit.probe = Some(run(3));
        lane.report(at(32), of(run(3)), LaneOutcome::Neutral, false);
        assert_eq!(lane.circuit.open_until, Some(at(62)));
    }

    #[test]
    fn five_refused_credentials_in_a_row_hold_the_lane() {
        let mut lane = Lane::default();
        for _ in 0..4 {
            lane.report(at(0), of(run(1)), LaneOutcome::Unauthorized, false);
        }
        lane.report(at(0), of(run(2)), LaneOutcome::Answered, false);
        for n in 0..5 {
            assert!(!lane.held);
            lane.report(at(0), of(run(n)), LaneOutcome::Unauthorized, false);
            lane.report(at(0), of(run(n)), LaneOutcome::Failed, true);
        }
        assert!(lane.held && !lane.is_plain() && !lane.is_blank());
        lane.resume();
        lane.circuit.close();
        assert!(lane.is_plain() && lane.is_blank());
    }

    #[test]
    fn a_429_leaves_the_count_and_pauses_to_the_later_end() {
        let mut lane = Lane::default();
        for n in 0..4 {
            lane.report(at(0), of(run(n)), LaneOutcome::Failed, false);
        }
        for until in [9, 3] {
            lane.report(at(0), of(run(9)), LaneOutcome::Limited { until: at(until) }, false);
        }
        assert_eq!((lane.paused_until, lane.circuit.failures), (Some(at(9)), 4));
        lane.tidy(at(9));
        assert!(lane.is_plain());
    }

    #[test]
    fn a_permit_is_for_now() {
        let lane = limited(20, None);
        let ms = TimeDelta::milliseconds;
        assert!(lane.is_fresh(at(0), at(0) + ms(50)) && !lane.is_fresh(at(0), at(0) + ms(51)));
        assert!(Lane::default().is_fresh(at(0), at(99)));
    }
}
