//! The circuit of a lane: so many failures in a row open it, then one probe says whether the
//! provider is back.
//!
//! While it is open nothing but the probe counts: calls that had left before come back late and
//! say nothing new. A run counts at most once, so one case with bad luck opens nothing alone.

use chrono::TimeDelta;

use crate::domain::clock::Instant;
use crate::domain::connection::BreakerSettings;
use crate::domain::ids::RunId;

/// Where a circuit stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circuit {
    /// Failures in a row, of as many runs.
    pub failures: u32,
    /// Until when nothing goes; from then on one probe. None: closed.
    pub open_until: Option<Instant>,
    /// The run that probes.
    pub probe: Option<RunId>,
    /// The run that failed last: it is not the next probe while another one waits.
    pub last_failed: Option<RunId>,
}

/// How a circuit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CircuitState {
    /// Calls go.
    Closed,
    /// One call goes, to see whether the provider is back.
    HalfOpen,
    /// No call goes.
    Open,
}

impl CircuitState {
    /// As answers name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

impl Circuit {
    /// One of which there is nothing to say.
    pub const CLOSED: Self = Self { failures: 0, open_until: None, probe: None, last_failed: None };

    /// How it stands now.
    pub fn state(&self, now: Instant) -> CircuitState {
        match self.open_until {
            None => CircuitState::Closed,
            Some(until) if until > now => CircuitState::Open,
            Some(_) => CircuitState::HalfOpen,
        }
    }

    /// Whether calls go as they come.
    pub const fn is_closed(&self) -> bool {
        self.open_until.is_none()
    }

    /// Opens it, so that after the settings' time a probe goes.
    pub fn open(&mut self, now: Instant, settings: &BreakerSettings) {
        self.open_until = Some(now + TimeDelta::seconds(settings.open_seconds.into()));
        self.probe = None;
    }

    /// Closes it and forgets what was counted.
    pub fn close(&mut self) {
        *self = Self::default();
    }

    /// The call of a run failed. `counted`: one of the same run has counted before. Answers
    /// whether this one counts.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        run: RunId,
        counted: bool,
        settings: &BreakerSettings,
    ) -> bool {
        self.last_failed = Some(run);
        if !self.is_closed() {
            if self.probe == Some(run) {
                self.open(now, settings);
            }
            return false;
        }
        if counted {
            return false;
        }
        self.failures += 1;
        if self.failures >= settings.failures.max(1) {
            self.open(now, settings);
        }
        true
    }

    /// A call was answered in a way that says: the provider works.
    pub(super) fn answered(&mut self, run: RunId) {
        if self.is_closed() || self.probe == Some(run) {
            self.close();
        }
    }

    /// A call was answered in a way that says nothing. A probe has not helped then.
    pub(super) fn neutral(&mut self, now: Instant, run: RunId, settings: &BreakerSettings) {
        if self.probe == Some(run) {
            self.open(now, settings);
        }
    }

    /// The run makes no call after all.
    pub(super) fn spared(&mut self, run: RunId) {
        if self.probe == Some(run) {
            self.probe = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> Instant {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    const fn run(n: u128) -> RunId {
        RunId(Uuid::from_u128(n))
    }

    #[test]
    fn five_runs_in_a_row_open_it_and_the_probe_decides() {
        let settings = BreakerSettings::default();
        let mut circuit = Circuit::default();
        for n in 1..=4 {
            assert!(circuit.failed(at(0), run(n), false, &settings));
        }
        assert!(!circuit.failed(at(0), run(1), true, &settings), "a run counts once");
        assert!(circuit.is_closed());
        circuit.failed(at(0), run(5), false, &settings);
        assert_eq!(circuit.open_until, Some(at(30)));
        circuit.answered(run(6));
        assert!(!circuit.is_closed(), "a late answer does not close it");
        circuit.failed(at(20), run(7), false, &settings);
        assert_eq!(circuit.open_until, Some(at(30)), "a late failure does not prolong it");
        circuit.probe = Some(run(1));
        assert!(!circuit.failed(at(31), run(1), true, &settings));
        assert_eq!((circuit.open_until, circuit.probe), (Some(at(61)), None));
        assert_eq!(circuit.last_failed, Some(run(1)));
        circuit.probe = Some(run(2));
        circuit.answered(run(2));
        assert_eq!(circuit, Circuit::default());
    }

    #[test]
    fn an_answer_resets_the_count() {
        let settings = BreakerSettings::default();
        let mut circuit = Circuit::default();
        for n in 0..4 {
            circuit.failed(at(0), run(n), false, &settings);
        }
        circuit.answered(run(9));
        for n in 4..8 {
            circuit.failed(at(0), run(n), false, &settings);
        }
        assert!(circuit.is_closed());
    }

    proptest! {
        #[test]
        fn it_opens_exactly_when_so_many_different_runs_failed_in_a_row(
            calls in prop::collection::vec((0_u128..12, any::<bool>()), 0..60),
            failures in 1_u32..8,
        ) {
            let settings = BreakerSettings { failures, ..BreakerSettings::default() };
            let mut circuit = Circuit::default();
            let (mut counted, mut in_a_row) = (Vec::new(), 0);
            for (n, fails) in calls {
                if fails {
                    let known = counted.contains(&n);
                    prop_assert_eq!(circuit.failed(at(0), run(n), known, &settings), !known);
                    if !known {
                        counted.push(n);
                        in_a_row += 1;
                    }
                } else {
                    circuit.answered(run(n));
                    in_a_row = 0;
                }
                prop_assert_eq!(circuit.is_closed(), in_a_row < failures);
                if in_a_row == failures {
                    return Ok(());
                }
            }
        }
    }
}
