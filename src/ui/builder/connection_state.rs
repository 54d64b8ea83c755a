//! How a connection stands, as pages say it: icon and words, and the numbers of its last calls.

use crate::domain::clock::Instant;
use crate::domain::connection::ConnectionStatus;
use crate::domain::lane::CircuitState;
use crate::engine::TestVerdict;
use crate::service::{CircuitHealth, ConnectionHealth};
use crate::ui::history::state::plain;
use crate::ui::moment::Moment;
use crate::ui::state::{StateView, Tone};
use crate::ui::words::connections as w;
use crate::ui::words::moments::{span, took};

/// Below this part of good calls the number is marked.
const BAD_RATE: f64 = 0.9;

/// Whether so few good calls are a reason to look.
pub fn is_bad(rate: f64) -> bool {
    rate < BAD_RATE
}

/// How far it has come.
pub fn of_status(status: ConnectionStatus) -> StateView {
    let (tone, icon) = match status {
        ConnectionStatus::Unconfigured => (Tone::Waiting, "hollow"),
        ConnectionStatus::Configured => (Tone::Quiet, "link"),
        ConnectionStatus::Tested | ConnectionStatus::Active => (Tone::Good, "check"),
        ConnectionStatus::Disabled => (Tone::Quiet, "slash"),
    };
    plain(tone, icon, w::status(status))
}

/// A circuit.
pub fn of_circuit(circuit: &CircuitHealth, now: Instant) -> StateView {
    let (tone, icon) = match circuit.state {
        CircuitState::Closed => (Tone::Good, "check"),
        CircuitState::HalfOpen => (Tone::Waiting, "open"),
        CircuitState::Open => (Tone::Failed, "open"),
    };
    let until = circuit.open_until.filter(|_| circuit.state == CircuitState::Open);
    let words = match until {
        Some(_) => format!("{}, {}", w::circuit(circuit.state), w::UNTIL),
        None => w::circuit(circuit.state).to_owned(),
    };
    StateView { moment: until.map(|until| Moment::clock(until, now)), ..plain(tone, icon, words) }
}

/// A step or stage of a test.
pub fn of_verdict(verdict: TestVerdict) -> StateView {
    let (tone, icon) = match verdict {
        TestVerdict::Passed => (Tone::Good, "check"),
        TestVerdict::Failed => (Tone::Failed, "cross"),
        TestVerdict::Skipped => (Tone::Quiet, "dash"),
    };
    plain(tone, icon, w::verdict(verdict))
}

/// What keeps calls from going: a hold, a pause, an open circuit.
pub fn troubles(health: &ConnectionHealth, now: Instant) -> Vec<StateView> {
    let lane = &health.lane;
    let held = lane.held.then(|| plain(Tone::Failed, "lock", w::HELD));
    let paused = lane.paused_until.map(|until| StateView {
        moment: Some(Moment::clock(until, now)),
        ..plain(Tone::Waiting, "gauge", w::PAUSED)
    });
    let open = (lane.circuit.state != CircuitState::Closed).then(|| of_circuit(&lane.circuit, now));
    held.into_iter().chain(paused).chain(open).collect()
}

/// A number and what it is of.
pub struct Tile {
    pub name: &'static str,
    pub value: String,
    /// It is a reason to look.
    pub bad: bool,
    pub note: Option<Moment>,
}

/// The numbers of a connection.
pub fn tiles(health: &ConnectionHealth, now: Instant) -> Vec<Tile> {
    let tile = |name, value: Option<String>| Tile {
        name,
        value: value.unwrap_or_else(|| w::NOTHING.to_owned()),
        bad: false,
        note: None,
    };
    let ms = |ms: u64| took(i64::try_from(ms).unwrap_or(i64::MAX));
    let oldest = health.oldest_waiting_seconds.map(|it| span(i64::try_from(it).unwrap_or(i64::MAX)));
    let (calls, quota) = (&health.calls, health.lane.quota.as_ref());
    let quota = quota.map(|quota| Tile {
        note: Some(Moment::age(quota.at, now)),
        bad: quota.remaining == 0,
        ..tile(w::QUOTA, Some(w::quota(quota.remaining, quota.limit)))
    });
    let always = [
        tile(w::DEPTH, Some(health.queue_depth.to_string())),
        tile(w::OLDEST, oldest),
        Tile {
            bad: calls.success_rate.is_some_and(is_bad),
            ..tile(w::SUCCESS, calls.success_rate.map(w::percent))
        },
        tile(w::P50, calls.p50_ms.map(ms)),
        tile(w::P95, calls.p95_ms.map(ms)),
    ];
    // Few providers tell what is left.
    always.into_iter().chain(quota).collect()
}
