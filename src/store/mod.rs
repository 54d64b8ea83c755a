//! SQL and only SQL: what is kept, and how it is read back.
//!
//! One writer owns the one writing connection and turns typed commands into multi-row
//! statements of one transaction; a small pool of readers stands beside it. Every function
//! except claim, renew and sweep takes the workspace first. Statements are plain SQL with
//! `$n` placeholders, which both databases read; a row that cannot be read back is
//! [`StoreError::Corrupt`].
//!
//! [`StoreError::Corrupt`]: crate::store::StoreError::Corrupt

mod admits;
mod audit;
mod cache_purges;
mod cancels;
mod case_changes;

/// Values of indexed fields.
mod case_index;
mod case_lists;
mod case_names;
mod case_types;

/// Words by which cases are found.
mod case_words;
mod cases;
mod claimed;
mod claims;
mod close;
mod connection_health;
mod connections;
mod copy;
mod counts;
mod create;
mod crowd;
mod database;
mod desk;
mod dialect;
mod epochs;
mod error;
mod events;
mod field_inputs;

/// What older cases still lack in words and indexes.
mod fillings;
mod firings;
mod kept_case_types;
mod lanes;

/// Circuits of endpoints.
mod circuits;
mod listen;
mod locks;
mod once;
mod people;
mod provider_tokens;
mod resume;
mod retention;
mod retries;
mod rewraps;
mod rows;
mod run_inserts;
mod run_lists;
mod runs;
mod schedules;
mod seals;
mod secrets;
mod sessions;
mod shown;
mod sign_in_links;
mod signals;
mod snapshots;
mod statement;

/// How the fields of many cases stand.
mod summary;
mod survey;
mod sweep;
#[cfg(test)]
mod testing;
mod ticks;
mod time;
mod tokens;
mod transact;
mod tx;
mod unclaim;
mod uses;
mod workspaces;
mod writer;

pub use admits::{Admit, Admitted, Replaced};
pub use audit::AuditFilter;
pub use cache_purges::PurgeScope;
pub use case_lists::{
    CaseFilter, CaseSort, DataFilter, FieldFilter, FieldWord, MOST_CANDIDATES, Selection, TooWide,
};
pub use case_names::CaseName;
pub use case_types::{CaseTypeRow, CaseTypeVersion, NewCaseTypeVersion};
pub use cases::{CaseRow, CaseSnapshot, CaseUpdate, FieldRow};
pub use claimed::{ClaimedCase, ClaimedRun};
pub use claims::{Claim, Claimed};
pub use close::{CaseEffect, Closed, Closing, CommitLimits, Ending, LaneReport, Rules, Verdict};
pub use connection_health::{CallSeen, ConnectionQueue};
pub use connections::{ConnectionChange, ConnectionNow, ConnectionRow};
pub use copy::{CopyFailed, copy};
pub use create::{CreateOutcome, NewCase};
pub use database::{Store, StoreSettings};
pub use error::StoreError;
pub use events::{EventScope, LiveField};
pub use firings::Enqueued;
pub use lanes::{LaneLoad, LanePlace, LaneSettings};
pub use locks::Edited;
pub use people::PersonRow;
pub use provider_tokens::{KeptToken, ProviderTokenId, ProviderTokenRow};
pub use retention::{BodyMark, ChangeMark, Found};
pub use retries::Repeatable;
pub use rewraps::SealedSecret;
pub use run_lists::RunFilter;

pub use schedules::{NewSchedule, ScheduleFilter, ScheduleRow};
pub use seals::Seal;
pub use secrets::{SecretInfo, SecretRow};
pub use sessions::{NewSession, SessionRow};
pub use sign_in_links::{LinkRow, NewLink};
pub use signals::Signals;
pub use summary::{LiveCounts, StateCount};
pub use ticks::{Due, HeldTick, TickPage};
pub use tokens::{NewToken, TokenRow};
pub use tx::Tx;
pub use workspaces::WorkspaceRow;
