//! What a lane is asked and told, and what it answers.

use crate::domain::clock::Instant;
use crate::domain::ids::RunId;
use crate::domain::run::WaitingFor;

/// Why no call may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// The connection is switched off.
    Disabled,
    /// The provider does not accept our credentials.
    Held,
    /// The circuit is open.
    Circuit,
    /// Somebody opened the circuit.
    Stopped,
    /// A limit of ours, or a 429.
    Limit,
}

impl Because {
    /// What a run waits for then.
    pub const fn waiting_for(self) -> WaitingFor {
        match self {
            Self::Disabled | Self::Held => WaitingFor::Connection,
            Self::Circuit | Self::Stopped => WaitingFor::Circuit,
            Self::Limit => WaitingFor::RateLimit,
        }
    }
}

/// No call may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub because: Because,
    /// When asking again is worth it; none: when something happens.
    pub opens_at: Option<Instant>,
}

/// What may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// So many calls, at least one.
    Calls(u32),
    /// One call, to see whether the provider is back.
    Probe,
    /// None.
    Refused(Refused),
}

/// What is known around a lane that its row does not say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask<'e> {
    /// The endpoint of the call, if it has one.
    pub endpoint: Option<&'e str>,
    /// Calls in flight that count against `concurrency`.
    pub in_flight: u32,
    /// The run that probes is still at work.
    pub probing: bool,
    /// Another run waits that comes first.
    pub behind: bool,
}

/// Whose call is reported.
#[derive(Debug, Clone, Copy)]
pub struct Of<'e> {
    /// The run.
    pub run: RunId,
    /// The endpoint of the call, if it has one.
    pub endpoint: Option<&'e str>,
}

/// The answer to one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may go.
    Granted,
    /// It may not go now.
    Refused(Refused),
}

/// What an exchange says about its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneOutcome {
    /// There was no exchange.
    Nothing,
    /// The provider works: a success, or an answer about the request.
    Answered,
    /// 401 or 403.
    Unauthorized,
    /// 408 or 425.
    Neutral,
    /// 429: nothing goes before.
    Limited {
        /// When the pause ends.
        until: Instant,
    },
    /// No answer, or a 5xx.
    Failed,
}
