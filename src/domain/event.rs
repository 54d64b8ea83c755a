//! What happened to a case, in order: its activity and the live stream.
//!
//! Created, changed and ended are kept and have a place in the order of the commits, so a reader
//! goes on where it stopped. That a field moved (it waits, it runs) and that a case was deleted is told
//! live only; its id names the place behind which it was told.

use std::fmt;
use std::str::FromStr;

use super::clock::Instant;
use super::ids::{CaseId, FieldKey, RunId, WorkspaceId};

/// A place in the order of all events of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EventMark {
    /// The transaction; 0 where there is one writer.
    pub tx: i64,
    /// Counts up.
    pub seq: i64,
}

impl EventMark {
    /// What ids of events look like. `+` stood for `~` before.
    pub const PATTERN: &str = "^[0-9]{1,19}-[0-9]{1,19}([~+][!-~]*)?$";
}

impl fmt::Display for EventMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.tx, self.seq)
    }
}

/// A text that names no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is the id of no event")]
pub struct InvalidMark;

impl FromStr for EventMark {
    type Err = InvalidMark;

    /// Reads the id of an event ([`EventMark::PATTERN`]); of one that was told live, the place behind
    /// which it was.
    fn from_str(text: &str) -> Result<Self, InvalidMark> {
        let (place, live) = text.split_once(['~', '+']).unwrap_or((text, ""));
        if !live.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidMark);
        }
        let (tx, seq) = place.split_once('-').ok_or(InvalidMark)?;
        let number = |text: &str| {
            let digits = (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<i64>().ok().filter(|_| digits).ok_or(InvalidMark)
        };
        Ok(Self { tx: number(tx)?, seq: number(seq)? })
    }
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The case is there.
    CaseCreated,
    /// A person or the API changed it.
    CaseChanged,
    /// A run of a field was queued, began or waits again.
    FieldChanged,
    /// A run of a field is over; what it wrote is in `paths`.
    RunEnded,
    /// The case is gone, and what was kept of it with it.
    CaseDeleted,
}

impl EventKind {
    /// All kinds.
    pub const ALL: &[Self] =
        &[Self::CaseCreated, Self::CaseChanged, Self::FieldChanged, Self::RunEnded, Self::CaseDeleted];

    /// The spelling in rows and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CaseCreated => "case.created",
            Self::CaseChanged => "case.changed",
            Self::FieldChanged => "field.changed",
            Self::RunEnded => "run.ended",
            Self::CaseDeleted => "case.deleted",
        }
    }

    /// The kind with this spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

/// Something that happened to a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its place in the order; of what is told live only, that of the event before it.
    pub mark: EventMark,
    /// What it was.
    pub kind: EventKind,
    /// The workspace of the case.
    pub workspace: WorkspaceId,
    /// The case.
    pub case_id: CaseId,
    /// When.
    pub at: Instant,
    /// Who did it, like `token:ops`; none: the engine.
    pub by: Option<String>,
    /// The field.
    pub field: Option<FieldKey>,
    /// The run.
    pub run_id: Option<RunId>,
    /// What it touched, as dotted paths: `title`, `data.vat_number`.
    pub paths: Vec<String>,
    /// How the field stands, of what is told live only: tells two of them apart.
    pub live: Option<String>,
}

impl Event {
    /// Its id: opaque to readers, and a place to go on from.
    pub fn id(&self) -> String {
        match (&self.live, self.run_id) {
            (Some(live), Some(run)) => format!("{}~{run}.{live}", self.mark),
            (Some(live), None) => format!("{}~{}.{live}", self.mark, self.case_id),
            (None, _) => self.mark.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_place_to_go_on_from() {
        let mark = EventMark { tx: 7, seq: 42 };
        for text in ["7-42", "7-42~0193.queued", "7-42+0193.queued", "7-42~", "0007-42"] {
            assert_eq!(text.parse(), Ok(mark), "{text}");
        }
        let long = "00000000000000000007-1";
        for text in ["", "-", "7", "7-", "-42", "a-b", "+7-42", "7-+42", "7--1", long, "7-42~a b", "7-42 a"] {
            assert_eq!(text.parse::<EventMark>(), Err(InvalidMark), "{text}");
        }
        assert!(mark > EventMark { tx: 7, seq: 41 } && mark > EventMark { tx: 6, seq: 99 });
    }
}
