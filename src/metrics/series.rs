//! The series, and how they are counted.
//!
//! A [`Metrics`] is a handle: clones count into the same series, and counting costs a look-up
//! and an addition. What belongs to all processes on a database, the queue, is not counted but
//! read when somebody asks; the rest is this process's own, since its start.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::labels::{self, CacheOutcome};
use crate::domain::failure::FailureCode;
use crate::domain::lane::CircuitState;
use crate::domain::run::{Outcome, Priority};

/// Media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds; a call may last 300, a request that waits for runs 30.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

/// Runs that are due and wait for a worker, as the database knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// In which order they are claimed.
    pub priority: Priority,
    /// How many.
    pub depth: u64,
    /// For how long the oldest has been due.
    pub oldest: Duration,
}

/// How a circuit stands, as its series tells it.
const fn circuit_number(state: CircuitState) -> i64 {
    match state {
        CircuitState::Closed => 0,
        CircuitState::Open => 1,
        CircuitState::HalfOpen => 2,
    }
}

/// A request to us that was answered.
#[derive(Debug, Clone, Copy)]
pub struct Served<'a> {
    /// Its method.
    pub method: &'a str,
    /// The pattern of its URL, like `/v1/cases/{id}`; none for a URL that nothing stands behind.
    pub route: Option<&'a str>,
    /// The status of the answer.
    pub status: u16,
    /// From its arrival to the head of the answer.
    pub took: Duration,
}

/// What Dossier counts about itself. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Series>);

#[derive(Debug)]
struct Series {
    registry: Registry,
    calls: Family<labels::Call, Counter>,
    call_duration: Durations<labels::CallDuration>,
    retries: Family<labels::Retry, Counter>,
    cache: Family<labels::Cache, Counter>,
    queue_depth: Family<labels::Queue, Gauge>,
    queue_oldest: Gauge<f64, AtomicU64>,
    circuits: Family<labels::Circuit, Gauge>,
    requests: Durations<labels::Request>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut series = Series {
            registry: Registry::with_prefix("dossier"),
            calls: Family::default(),
            call_duration: Family::new_with_constructor(histogram),
            retries: Family::default(),
            cache: Family::default(),
            queue_depth: Family::default(),
            queue_oldest: Gauge::default(),
            circuits: Family::default(),
            requests: Family::new_with_constructor(histogram),
        };
        series.register();
        // Known from the start, so that a rate over them begins at 0.
        for outcome in CacheOutcome::ALL {
            series.cache.get_or_create(&labels::Cache { outcome: outcome.as_str() }).inc_by(0);
        }
        Self(Arc::new(series))
    }
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Series {
    /// The writer adds `_total` to counters, the unit to what has one, and a full stop.
    fn register(&mut self) {
        let all = &mut self.registry;
        all.register("calls", "Calls to providers by how they ended", self.calls.clone());
        let help = "How long calls to providers took";
        all.register_with_unit("call_duration", help, Unit::Seconds, self.call_duration.clone());
        all.register("retries", "Failed calls that are made again, by why they failed", self.retries.clone());
        all.register("cache_requests", "Questions to the cache by what came of them", self.cache.clone());
        all.register("queue_depth", "Runs that are due and wait for a worker", self.queue_depth.clone());
        let help = "For how long the run that waits longest has been due";
        all.register_with_unit("queue_oldest", help, Unit::Seconds, self.queue_oldest.clone());
        let help = "Circuits by connection: 0 closed, 1 open, 2 half-open (one probe may go)";
        all.register("circuit_state", help, self.circuits.clone());
        let help = "How long requests to Dossier took";
        all.register_with_unit("http_server_request_duration", help, Unit::Seconds, self.requests.clone());
    }
}

impl Metrics {
    /// A call to a provider has ended. `code` is why it failed; none when it did not.
    pub fn call(
        &self,
        connection: Option<&str>,
        outcome: Outcome,
        code: Option<FailureCode>,
        took: Duration,
    ) {
        self.ended(connection, outcome, code.map_or(labels::NONE, FailureCode::as_str), took);
    }

    fn ended(&self, connection: Option<&str>, outcome: Outcome, code: &'static str, took: Duration) {
        let (connection, outcome) = (labels::connection(connection), outcome.as_str());
        let duration = labels::CallDuration { connection: connection.clone(), outcome };
        self.0.calls.get_or_create(&labels::Call { connection, outcome, code }).inc();
        self.0.call_duration.get_or_create(&duration).observe(took.as_secs_f64());
    }

    /// A call for a token has ended. `code` is why it brought none.
    pub fn token_call(&self, connection: Option<&str>, code: Option<FailureCode>, took: Duration) {
        let outcome = if code.is_some() { Outcome::Failed } else { Outcome::Ok };
        self.ended(connection, outcome, code.map_or(labels::TOKEN, FailureCode::as_str), took);
    }

    /// A call has failed and will be made again.
    pub fn retry(&self, connection: Option<&str>, code: FailureCode) {
        let labels = labels::Retry { connection: labels::connection(connection), code: code.as_str() };
        self.0.retries.get_or_create(&labels).inc();
    }

    /// The cache was asked.
    pub fn cache(&self, outcome: CacheOutcome) {
        self.0.cache.get_or_create(&labels::Cache { outcome: outcome.as_str() }).inc();
    }

    /// A request to us was answered.
    pub fn served(&self, request: Served<'_>) {
        let route = request.route.map_or(Cow::Borrowed(labels::NONE), |route| Cow::Owned(route.to_owned()));
        let method = labels::method(request.method);
        let labels = labels::Request { method, route, status: labels::status_class(request.status) };
        self.0.requests.get_or_create(&labels).observe(request.took.as_secs_f64());
    }

    /// The queue as it is now; `None` when nobody knows: no depths, and an age that is no number.
    pub fn queue(&self, waiting: Option<&[Waiting]>) {
        let Some(waiting) = waiting else {
            self.0.queue_depth.clear();
            self.0.queue_oldest.set(f64::NAN);
            return;
        };
        for priority in Priority::ALL {
            let depth: u64 =
                waiting.iter().filter(|row| row.priority == *priority).map(|row| row.depth).sum();
            let labels = labels::Queue { priority: priority.as_str() };
            self.0.queue_depth.get_or_create(&labels).set(i64::try_from(depth).unwrap_or(i64::MAX));
        }
        let oldest = waiting.iter().map(|row| row.oldest).max().unwrap_or_default();
        self.0.queue_oldest.set(oldest.as_secs_f64());
    }

    /// The circuits as they are now, by connection; the worst of those that belong to none, or
    /// that bear one name in several workspaces. `None` when nobody knows.
    pub fn circuits(&self, circuits: Option<&[(Option<String>, CircuitState)]>) {
        self.0.circuits.clear();
        let Some(circuits) = circuits else { return };
        let mut worst = BTreeMap::from([(None, CircuitState::Closed)]);
        for (connection, state) in circuits {
            let known = worst.entry(connection.as_deref()).or_insert(*state);
            *known = (*known).max(*state);
        }
        for (connection, state) in worst {
            let labels = labels::Circuit { connection: labels::connection(connection) };
            self.0.circuits.get_or_create(&labels).set(circuit_number(state));
        }
    }

    /// All series in the `OpenMetrics` text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _: fmt::Result = encode(&mut text, &self.0.registry);
        text
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_names_are_those_of_the_contract() {
        let metrics = Metrics::default();
        metrics.call(None, Outcome::Ok, None, millis(20));
        metrics.call(Some("vies"), Outcome::Failed, Some(FailureCode::Timeout), millis(1500));
        metrics.retry(Some("vies"), FailureCode::Timeout);
        metrics.cache(CacheOutcome::Hit);
        metrics.queue(Some(&[Waiting { priority: Priority::Manual, depth: 3, oldest: millis(2500) }]));
        let served =
            Served { method: "GET", route: Some("/v1/cases/{id}"), status: 204, took: Duration::ZERO };
        metrics.served(served);
        metrics.served(Served { method: "BREW", route: None, status: 405, ..served });
        let text = metrics.text();
        for line in [
            "# TYPE dossier_calls counter",
            "dossier_calls_total{connection=\"none\",outcome=\"ok\",code=\"none\"} 1",
            "dossier_calls_total{connection=\"vies\",outcome=\"failed\",code=\"timeout\"} 1",
            "# UNIT dossier_call_duration_seconds seconds",
            "dossier_call_duration_seconds_bucket{le=\"0.025\",connection=\"none\",outcome=\"ok\"} 1",
            "dossier_call_duration_seconds_sum{connection=\"vies\",outcome=\"failed\"} 1.5",
            "dossier_retries_total{connection=\"vies\",code=\"timeout\"} 1",
            "dossier_cache_requests_total{outcome=\"hit\"} 1",
            "dossier_cache_requests_total{outcome=\"miss\"} 0",
            "dossier_cache_requests_total{outcome=\"shared\"} 0",
            "dossier_cache_requests_total{outcome=\"forced\"} 0",
            "dossier_queue_depth{priority=\"manual\"} 3",
            "dossier_queue_depth{priority=\"low\"} 0",
            "dossier_queue_oldest_seconds 2.5",
            "dossier_http_server_request_duration_seconds_count{method=\"GET\",route=\"/v1/cases/{id}\",status=\"2xx\"} 1",
            "dossier_http_server_request_duration_seconds_count{method=\"other\",route=\"none\",status=\"4xx\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn the_worst_circuit_of_a_name_is_shown() {
        let metrics = Metrics::default();
        let vies = || Some("vies".to_owned());
        let (open, half, closed) = (CircuitState::Open, CircuitState::HalfOpen, CircuitState::Closed);
        metrics.circuits(Some(&[
            (vies(), closed),
            (vies(), open),
            (vies(), half),
            (Some("b".to_owned()), half),
        ]));
        let text = metrics.text();
        for line in [
            "dossier_circuit_state{connection=\"none\"} 0",
            "dossier_circuit_state{connection=\"vies\"} 1",
            "dossier_circuit_state{connection=\"b\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        metrics.circuits(None);
        assert!(!metrics.text().contains("dossier_circuit_state{"));
    }

    #[test]
    fn a_queue_that_nobody_knows_is_not_shown_as_it_was() {
        let metrics = Metrics::default();
        metrics.queue(Some(&[]));
        assert!(metrics.text().contains("dossier_queue_oldest_seconds 0"));
        metrics.clone().queue(None);
        let text = metrics.text();
        assert!(!text.contains("dossier_queue_depth"), "{text}");
        assert!(text.contains("dossier_queue_oldest_seconds NaN"), "{text}");
    }
}
