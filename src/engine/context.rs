//! What the steps of a run share, and how a step says that there is no data now.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::answer_cache::AnswerCache;
use crate::domain::clock::{Instant, SharedClock, SharedRng};
use crate::domain::failure::Failure;
use crate::domain::ids::{RunId, WorkerId};
use crate::domain::lane::{LaneOutcome, Quota, Refused};
use crate::domain::run::{NewRun, PhaseTimes, Reason, ReceivedResponse, SentRequest};
use crate::metrics::Metrics;
use crate::outbound::Outbound;
use crate::service::{ConnectionPlan, ConnectionPlans, Plans, Secrets, ServiceError, Services};
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
        let Services { store, plans, connection_plans: connections, secrets, metrics, clock, .. } =
            services.clone();
        let worker = WorkerId(rng.uuid(clock.now()));
        let cache = AnswerCache::new(settings.cache_bytes, &*rng);
        Arc::new(Self {
            store,
            plans,
            connections,
            secrets,
            outbound,
            metrics,
            clock,
            rng,
            worker,
            settings,
            cache,
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
