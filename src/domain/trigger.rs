//! Why a field runs.

use serde::{Deserialize, Serialize};

/// The event that fires a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The case was created.
    OnCreate,
    /// A watched value of the case changed.
    OnUpdate,
    /// Somebody asked for it.
    Manual,
    /// The field's schedule was due.
    Scheduled,
}

impl Trigger {
    /// All triggers, in the order in which the contract lists them.
    pub const ALL: [Self; 4] = [Self::OnCreate, Self::OnUpdate, Self::Manual, Self::Scheduled];

    /// The spelling in definitions, rows and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnCreate => "on_create",
            Self::OnUpdate => "on_update",
            Self::Manual => "manual",
            Self::Scheduled => "scheduled",
        }
    }

    /// The trigger with this spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.as_str() == text)
    }
}
