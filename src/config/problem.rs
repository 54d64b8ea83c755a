//! What is wrong with the settings, all of it at once.

use std::fmt;

use super::sources::Origin;

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingProblem {
    /// The key, e.g. `server.listen`; empty when a whole file is meant.
    pub key: String,
    /// Where the value stands.
    pub origin: Origin,
    /// What is wrong and what to do, without the value where that is secret.
    pub message: String,
}

impl fmt::Display for SettingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, origin, message } = self;
        if key.is_empty() {
            write!(f, "{origin}: {message}")
        } else {
            write!(f, "{key} ({origin}): {message}")
        }
    }
}

/// All problems of the settings; the process does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSettings(pub Vec<SettingProblem>);

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings cannot be used:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

impl std::error::Error for InvalidSettings {}
