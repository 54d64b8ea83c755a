//! What happened to a case, in order: its activity and the live stream.
//!
//! Created, changed and ended are kept and have a place in the order of the commits, so a reader
//! goes on where it stopped. That a field moved (it waits, it runs) is told live only; its id names
//! the place behind which it was told.

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

    /// Reads the id of an event; of one that was told live, the place behind which it was.
    fn from_str(text: &str) -> Result<Self, InvalidMark> {
        let place = text.split_once('+').map_or(text, |(place, _)| place);
        let (tx, seq) = place.split_once('-').ok_or(InvalidMark)?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
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
}

impl EventKind {
    /// All kinds.
    pub const ALL: &[Self] = &[Self::CaseCreated, Self::CaseChanged, Self::FieldChanged, Self::RunEnded];

    /// The spelling in rows and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CaseCreated => "case.created",
            Self::CaseChanged => "case.changed",
            Self::FieldChanged => "field.changed",
            Self::RunEnded => "run.ended",
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
            (Some(live), Some(run)) => format!("{}+{run}.{live}", self.mark),
            _ => self.mark.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_place_to_go_on_from() {
        let mark = EventMark { tx: 7, seq: 42 };
        for text in ["7-42", "7-42+0193.queued", "7-42+"] {
            assert_eq!(text.parse(), Ok(mark), "{text}");
        }
        for text in ["", "-", "7", "7-", "-42", "a-b", "+7-42", "7-+42", "7--1", "7-99999999999999999999"] {
            assert_eq!(text.parse::<EventMark>(), Err(InvalidMark), "{text}");
        }
        assert!(mark > EventMark { tx: 7, seq: 41 } && mark > EventMark { tx: 6, seq: 99 });
    }
}
