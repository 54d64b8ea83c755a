//! The names and ids of things, as types that cannot hold a wrong value.
//!
//! Ids are UUIDv7 (RFC 9562), made by the caller's [`Rng`]; keys are what people
//! choose. A key that was parsed is a valid template name and JSONPath member, so nothing
//! downstream checks again.
//!
//! [`Rng`]: crate::domain::clock::Rng

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

id! {
    /// A tenant: everything else belongs to exactly one.
    WorkspaceId;
    /// A case type, over all of its versions.
    CaseTypeId;
    /// A record of a case type.
    CaseId;
    /// One execution of one field on one case.
    RunId;
    /// A schedule: one field of one case type.
    ScheduleId;
    /// An API token (not its value).
    TokenId;
    /// Somebody who signs in to the pages.
    PersonId;
    /// A session of a person (not its token).
    SessionId;
    /// A secret, over all of its versions.
    SecretId;
    /// A connection, over all of its versions.
    ConnectionId;
    /// One hold of a worker on a run; a new one at each claim, so that late results are refused.
    LeaseToken;
    /// A process that claims runs.
    WorkerId;
}

/// What every key looks like, for messages.
pub const KEY_RULE: &str = "use a letter, then up to 63 of a-z, 0-9 and _";

/// True for `[a-z][a-z0-9_]{0,63}`.
pub fn is_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=64).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_')
}

/// A text that is not a key.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a valid name: {KEY_RULE}")]
pub struct InvalidKey(pub String);

macro_rules! key {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The key as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidKey;

            fn try_from(text: String) -> Result<Self, InvalidKey> {
                if is_key(&text) { Ok(Self(text)) } else { Err(InvalidKey(text)) }
            }
        }

        impl FromStr for $name {
            type Err = InvalidKey;

            fn from_str(text: &str) -> Result<Self, InvalidKey> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(key: $name) -> String {
                key.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

key! {
    /// Name of a case type in its workspace, e.g. `company_onboarding`.
    CaseTypeKey;
    /// Name of a field inside its case type, e.g. `credit_score`.
    FieldKey;
    /// Name of a secret in its workspace, e.g. `vies_token`.
    SecretName;
    /// Name of a connection in its workspace, e.g. `vies`.
    ConnectionKey;
    /// Name of an endpoint in its connection, e.g. `check_vat`.
    EndpointKey;
    /// Name of a workspace, e.g. `default`.
    WorkspaceKey;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_letter_and_up_to_63_more() {
        let longest = "a".repeat(64);
        for good in ["a", "vat_check", "x1", longest.as_str()] {
            assert!(is_key(good), "{good}");
        }
        let too_long = "a".repeat(65);
        for bad in ["", "1a", "_a", "A", "a-b", "a.b", "ä", too_long.as_str()] {
            assert!(!is_key(bad), "{bad}");
        }
    }
}
