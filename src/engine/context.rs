//! What the steps of a run share, and how a step says that there is no data now.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::answer_cache::AnswerCache;
use super::held_tokens::Tokens;
use crate::domain::clock::{Instant, SharedClock, SharedRng};
use crate::domain::failure::Failure;
use crate::domain::ids::{RunId, WorkerId};
use crate::domain::lane::{LaneOutcome, Quota, Refused};
use crate::domain::run::{NewRun, PhaseTimes, Reason, ReceivedResponse, SentRequest, words};
use crate::metrics::Metrics;
use crate::outbound::Outbound;
use crate::service::{
    ConnectionPlan, ConnectionPlans, Plans, ProviderTokens, Secrets, ServiceError, Services,
};
use crate::store::{Store, StoreError};

/// Limits of the engine.
#[derive(Debug, Clone, Copy)]
pub struct EngineSettings {
    /// Calls in flight.
    pub concurrency: usize,
    /// Memory for cached answers.
    pub cache_bytes: u64,
}

/// What the steps share.
pub struct Engine {
    /// Rows.
    pub store: Store,
    /// Compiled case types.
    pub plans: Plans,
    /// Compiled connections.
    pub connections: ConnectionPlans,
    /// Credentials.
    pub secrets: Secrets,
    /// Tokens that providers gave us, as all processes share them.
    pub provider_tokens: ProviderTokens,
    /// The way out.
    pub outbound: Outbound,
    /// What is counted.
    pub metrics: Metrics,
    /// Time.
    pub clock: SharedClock,
    /// Dice.
    pub rng: SharedRng,
    /// Who claims.
    pub worker: WorkerId,
    /// Limits.
    pub settings: EngineSettings,
    /// Answers of providers.
    pub(super) cache: AnswerCache,
    /// Tokens in use.
    pub(super) tokens: Tokens,
    /// How often each run was handed back in a row.
    pub(super) handed_back: HandedBack,
    /// The time of calls in flight is up: this process stops.
    pub(super) time_is_up: CancellationToken,
}

impl Engine {
    /// Puts the parts together.
    pub fn new(
        services: &Services,
        outbound: Outbound,
        rng: SharedRng,
        settings: EngineSettings,
    ) -> Arc<Self> {
        let Services {
            store,
            plans,
            connection_plans: connections,
            secrets,
            metrics,
            clock,
            provider_tokens,
            ..
        } = services.clone();
        let worker = WorkerId(rng.uuid(clock.now()));
        let cache = AnswerCache::new(settings.cache_bytes, &*rng);
        Arc::new(Self {
            store,
            plans,
            connections,
            secrets,
            provider_tokens,
            outbound,
            metrics,
            clock,
            rng,
            worker,
            settings,
            cache,
            tokens: Tokens::default(),
            handed_back: HandedBack::default(),
            time_is_up: CancellationToken::new(),
        })
    }
}

/// Our own trouble before anything was sent.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A service that stands on the database.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Why a run does not produce data now. Cloned for each run that shared the call.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    /// It went wrong.
    Failed(Box<Failure>),
    /// It is not needed, or lacks input (with the dotted paths).
    Skipped(Reason, Vec<String>),
    /// It is not wanted any more.
    Cancelled(Reason),
    /// Its lane lets no call go now.
    Refused(Refused),
    /// A newer run takes its place: this one, or else the one that waits.
    Superseded(Option<Box<NewRun>>),
    /// The call was ended before its answer came, and not by the provider: most often because this
    /// process stops.
    Stopped,
    /// Somebody else holds the run by now; there is nothing to record.
    Lost,
    /// Our own trouble.
    Ours(EngineError),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl<E: Into<EngineError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Ours(error.into())
    }
}

/// What the history keeps of the exchange, redacted, as far as it came.
#[derive(Default)]
pub(super) struct Trace {
    /// The attempts that the version grants which the run takes; none: that is settled.
    pub(super) attempts_max: Option<u32>,
    /// Over which connection the run goes.
    pub(super) connection: Option<ConnectionPlan>,
    /// Names the provider in sentences: its connection, else its host.
    pub(super) provider: Option<String>,
    /// What was sent.
    pub(super) request: Option<SentRequest>,
    /// The secrets that went with it, and their versions.
    pub(super) secrets: BTreeMap<String, i64>,
    /// What came back.
    pub(super) response: Option<ReceivedResponse>,
    /// Where the time went.
    pub(super) phases: Option<PhaseTimes>,
    /// Some of the request left and no complete answer came.
    pub(super) unknown: bool,
    /// Fingerprint of the request.
    pub(super) fingerprint: Option<Vec<u8>>,
    /// The run waited for the call of another run, which failed; it sent nothing itself.
    pub(super) followed: bool,
    /// The run that fetched the answer, when it was not this one.
    pub(super) cached_from: Option<RunId>,
    /// The lane's permit that it holds, by when it was granted.
    pub(super) permit: Option<Instant>,
    /// An exchange was made with that permit: the next one takes another.
    pub(super) permit_used: bool,
    /// Calls besides the exchange, in their order.
    pub(super) calls: Vec<AuxiliaryCall>,
    /// What the exchange says about the lane; none: there was none.
    pub(super) lane: Option<LaneOutcome>,
    /// What the provider says is left.
    pub(super) quota: Option<Quota>,
}

impl Trace {
    /// The provider in sentences.
    pub(super) fn provider(&self) -> &str {
        self.provider.as_deref().unwrap_or("The provider")
    }
}

words! {
    /// What a call besides the exchange was for.
    CalledFor {
        /// A token of the provider.
        Token = "token",
        /// What it was about, where the answer was that another place has it.
        Redirect = "redirect",
    }
}

/// A call besides the exchange that a field is about, redacted. The history does not keep it; those
/// who test a field see it.
#[derive(Debug, Clone)]
pub(super) struct AuxiliaryCall {
    /// What it was for.
    pub(super) kind: CalledFor,
    /// What was sent.
    pub(super) request: SentRequest,
    /// What came back.
    pub(super) response: Option<ReceivedResponse>,
    /// Where the time went.
    pub(super) phases: Option<PhaseTimes>,
    /// What went wrong.
    pub(super) error: Option<Failure>,
}

impl AuxiliaryCall {
    /// One that has not been made.
    pub(super) const fn new(kind: CalledFor, request: SentRequest) -> Self {
        Self { kind, request, response: None, phases: None, error: None }
    }
}

/// When the time of an attempt is up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    until: Instant,
    timeout_ms: u64,
}

impl Deadline {
    /// An attempt of so many milliseconds begins now.
    pub(super) fn start(engine: &Engine, timeout_ms: u64) -> Self {
        let wait = chrono::TimeDelta::milliseconds(i64::try_from(timeout_ms).unwrap_or(i64::MAX));
        Self { until: engine.clock.now() + wait, timeout_ms }
    }

    /// The half of what is left.
    pub(super) fn half(&self, now: Instant) -> Self {
        let left = (self.until - now).max(chrono::TimeDelta::zero()) / 2;
        let timeout_ms = u64::try_from(left.num_milliseconds()).unwrap_or_default();
        Self { until: now + left, timeout_ms }
    }

    /// Whether it comes after this instant.
    pub(super) fn reaches(&self, at: Instant) -> bool {
        at < self.until
    }

    /// As it was named.
    pub(super) const fn timeout_ms(&self) -> u64 {
        self.timeout_ms
    }

    /// Completes when the time is up, or that of all calls in flight.
    pub(super) fn over(&self, engine: &Engine) -> impl Future<Output = ()> + Send + use<> {
        let (timeout, time_is_up) = (engine.clock.sleep_until(self.until), engine.time_is_up.clone());
        async move {
            tokio::select! {
                () = timeout => {}
                () = time_is_up.cancelled() => {}
            }
        }
    }
}

/// How long a run that is handed back waits: 1 s, doubling up to 60 s.
#[derive(Debug, Default)]
pub(super) struct HandedBack(Mutex<HashMap<RunId, u32>>);

impl HandedBack {
    /// Counts one more and answers the wait.
    pub(super) fn again(&self, run: RunId) -> Duration {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(run).or_default();
        let wait = Duration::from_secs(1 << (*count).min(6)).min(Duration::from_mins(1));
        *count += 1;
        wait
    }

    /// The run got through.
    pub(super) fn forget(&self, run: RunId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
    }
}
