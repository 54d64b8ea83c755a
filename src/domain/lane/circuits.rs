//! Which circuit a call belongs to: the lane's own, or that of its endpoint where each has one.
//!
//! Limits, pause and hold are the lane's in either case.

use super::breaker::Circuit;
use super::state::Lane;
use crate::domain::connection::BreakerScope;

impl Lane {
    /// The circuit of calls to this endpoint.
    pub fn circuit_of(&self, endpoint: Option<&str>) -> &Circuit {
        match endpoint.filter(|_| self.has_circuits()) {
            Some(endpoint) => self.circuits.get(endpoint).unwrap_or(&Circuit::CLOSED),
            None => &self.circuit,
        }
    }

    /// As [`Lane::circuit_of`], to be changed.
    pub fn circuit_of_mut(&mut self, endpoint: Option<&str>) -> &mut Circuit {
        match endpoint.filter(|_| self.has_circuits()) {
            Some(endpoint) => self.circuits.entry(endpoint.to_owned()).or_default(),
            None => &mut self.circuit,
        }
    }

    /// Puts a circuit in the place of the one before; of one that was and is closed there is
    /// nothing to remember.
    pub(super) fn put_circuit(&mut self, endpoint: Option<&str>, circuit: Circuit) {
        if *self.circuit_of(endpoint) != circuit {
            *self.circuit_of_mut(endpoint) = circuit;
        }
    }

    /// Whether each endpoint has a circuit of its own.
    pub fn has_circuits(&self) -> bool {
        self.breaker.scope == BreakerScope::Endpoint
    }

    /// The circuits that are not closed, where each endpoint has its own: calls of others go on.
    pub fn apart(&self) -> impl Iterator<Item = (Option<&str>, &Circuit)> {
        let of_endpoints = self.circuits.iter().map(|(endpoint, circuit)| (Some(endpoint.as_str()), circuit));
        let all = std::iter::once((None, &self.circuit)).chain(of_endpoints);
        all.filter(|(_, circuit)| self.has_circuits() && !circuit.is_closed())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::clock::Instant;
    use crate::domain::connection::BreakerSettings;
    use crate::domain::ids::RunId;
    use crate::domain::lane::answers::{Admission, Ask, LaneOutcome, Of};

    fn at(second: i64) -> Instant {
        Instant::from_timestamp(second, 0).unwrap()
    }

    const fn run(n: u128) -> RunId {
        RunId(Uuid::from_u128(n))
    }

    fn lane(scope: BreakerScope) -> Lane {
        Lane {
            breaker: BreakerSettings { failures: 1, scope, ..BreakerSettings::default() },
            ..Lane::default()
        }
    }

    fn fail(lane: &mut Lane, endpoint: Option<&str>) {
        lane.report(at(0), Of { run: run(1), endpoint }, LaneOutcome::Failed, false);
    }

    #[test]
    fn each_endpoint_opens_and_closes_alone() {
        let mut lane = lane(BreakerScope::Endpoint);
        fail(&mut lane, Some("a"));
        let goes = |lane: &mut Lane, endpoint, second| {
            let ask = Ask { endpoint, ..Ask::default() };
            lane.admit(at(second), run(2), ask) == Admission::Granted
        };
        assert!(!goes(&mut lane, Some("a"), 1) && goes(&mut lane, Some("b"), 1) && goes(&mut lane, None, 1));
        assert_eq!(lane.apart().map(|(endpoint, _)| endpoint).collect::<Vec<_>>(), [Some("a")]);
        assert!(goes(&mut lane, Some("a"), 31), "a probe");
        lane.report(at(31), Of { run: run(2), endpoint: Some("a") }, LaneOutcome::Answered, false);
        assert_eq!(lane.apart().count(), 0);
        fail(&mut lane, None);
        assert!(!goes(&mut lane, None, 1) && goes(&mut lane, Some("a"), 1));
    }

    #[test]
    fn with_one_circuit_for_all_the_endpoint_says_nothing() {
        let mut lane = lane(BreakerScope::Connection);
        fail(&mut lane, Some("a"));
        assert!(!lane.circuit.is_closed() && lane.circuits.is_empty() && lane.apart().count() == 0);
        assert!(lane.barrier(at(1), Some("b")).is_some());
    }

    #[test]
    fn a_success_where_all_is_well_leaves_no_trace() {
        let mut lane = lane(BreakerScope::Endpoint);
        let before = lane.clone();
        lane.report(at(0), Of { run: run(1), endpoint: Some("a") }, LaneOutcome::Answered, false);
        assert_eq!(lane, before);
    }
}
