//! The closed lists of words that say where a run, an attempt and a field stand.
//!
//! Each word is spelt once: rows, answers and filters read and write it with
//! [`RunStatus::as_str`] and [`RunStatus::parse`] and their like. The order of a list is the
//! order of the contract; [`Priority`] also takes its rank from it.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All words, in the order of the contract.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The spelling in rows and answers.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The word with this spelling.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Where a run stands.
    RunStatus {
        /// Waits: see `waiting_for`.
        Queued = "queued",
        /// A worker holds it.
        Running = "running",
        /// The answer was mapped into the case.
        Succeeded = "succeeded",
        /// It ended without data: see `error`.
        Failed = "failed",
        /// It was not needed or could not be made: see `reason`.
        Skipped = "skipped",
        /// It was stopped: see `reason`.
        Cancelled = "cancelled",
    }
}

impl RunStatus {
    /// Whether the run is over.
    pub const fn is_ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

words! {
    /// What a queued run waits for.
    WaitingFor {
        /// A free worker.
        Worker = "worker",
        /// The run of the same field before it.
        Predecessor = "predecessor",
        /// The time of its next attempt.
        Retry = "retry",
        /// The provider's limit.
        RateLimit = "rate_limit",
        /// A closed circuit.
        Circuit = "circuit",
        /// A connection that is on hold or switched off.
        Connection = "connection",
        /// Money.
        Budget = "budget",
    }
}

words! {
    /// Why a run was skipped or cancelled.
    Reason {
        /// Its `when` does not hold.
        Condition = "condition",
        /// A value that the request needs is not there.
        MissingInput = "missing_input",
        /// Another run took its place.
        Superseded = "superseded",
        /// The field is no longer part of the case type.
        FieldRemoved = "field_removed",
        /// The field was switched off.
        Disabled = "disabled",
        /// The case was deleted.
        CaseDeleted = "case_deleted",
        /// Somebody cancelled it.
        Requested = "requested",
    }
}

words! {
    /// In which order due runs are claimed.
    Priority {
        /// Somebody waits for it.
        Manual = "manual",
        /// A change fired it.
        Triggered = "triggered",
        /// Batches and schedules.
        Low = "low",
    }
}

impl Priority {
    /// The rank in rows: lower is claimed first.
    pub const fn rank(self) -> i32 {
        self as i32
    }

    /// The priority with this rank.
    pub fn from_rank(rank: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|priority| priority.rank() == rank)
    }
}

words! {
    /// How one exchange ended.
    Outcome {
        /// A complete answer that counts as a success.
        Ok = "ok",
        /// It failed, and we know how.
        Failed = "failed",
        /// Some of the request left and no complete answer came.
        Unknown = "unknown",
    }
}

words! {
    /// What a case shows of a field.
    FieldStatus {
        /// No run of it has ended.
        NeverRun = "never_run",
        /// A run waits.
        Queued = "queued",
        /// A run works.
        Running = "running",
        /// The data is what the provider gave last.
        Succeeded = "succeeded",
        /// The last run ended without data.
        Failed = "failed",
        /// The last run was not needed or could not be made.
        Skipped = "skipped",
        /// The field is switched off.
        Disabled = "disabled",
    }
}
