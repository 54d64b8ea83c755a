//! How far a connection has come, from a name to a provider that answers.

use serde::{Deserialize, Serialize};

use crate::domain::run::words;

words! {
    /// How far a connection has come.
    ConnectionStatus {
        /// It has no base URL.
        Unconfigured = "unconfigured",
        /// It holds together; nobody has called the provider yet.
        Configured = "configured",
        /// Its test has passed: it can be reached, takes our credentials and answers.
        Tested = "tested",
        /// The provider has answered a run, or somebody switched it on.
        Active = "active",
        /// Somebody switched it off.
        Disabled = "disabled",
    }
}

impl ConnectionStatus {
    /// Of a connection that was just saved. Where the provider is another one now (`moved`), it
    /// has to prove itself again; what somebody switched off stays off.
    #[must_use]
    pub fn saved(before: Option<Self>, has_base: bool, moved: bool) -> Self {
        match before {
            Some(Self::Disabled) => Self::Disabled,
            _ if !has_base => Self::Unconfigured,
            Some(proved @ (Self::Active | Self::Tested)) if !moved => proved,
            _ => Self::Configured,
        }
    }

    /// Of a connection whose test has passed.
    #[must_use]
    pub const fn passed(self) -> Self {
        match self {
            Self::Configured => Self::Tested,
            other => other,
        }
    }

    /// Of a connection that somebody switches on.
    #[must_use]
    pub const fn enabled(has_base: bool) -> Self {
        if has_base { Self::Active } else { Self::Unconfigured }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_save_keeps_what_was_proved_and_what_was_switched_off() {
        use ConnectionStatus::{Active, Configured, Disabled, Tested, Unconfigured};
        for (before, has_base, moved, expected) in [
            (None, false, false, Unconfigured),
            (None, true, false, Configured),
            (Some(Unconfigured), true, true, Configured),
            (Some(Configured), true, false, Configured),
            (Some(Active), true, false, Active),
            (Some(Active), true, true, Configured),
            (Some(Tested), true, false, Tested),
            (Some(Tested), true, true, Configured),
            (Some(Tested), false, true, Unconfigured),
            (Some(Active), false, true, Unconfigured),
            (Some(Disabled), true, true, Disabled),
            (Some(Disabled), false, true, Disabled),
        ] {
            let found = ConnectionStatus::saved(before, has_base, moved);
            assert_eq!(found, expected, "{before:?} {has_base} {moved}");
        }
    }
}
