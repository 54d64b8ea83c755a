//! Why a use case was refused. The doors turn each into a status and a code.

use std::time::Duration;

use crate::domain::ids::FieldKey;
use crate::domain::once::Kept;
use crate::domain::password::UnusableHash;
use crate::domain::problem::Problem;
use crate::domain::token::Role;
use crate::store::StoreError;

/// Why a use case was refused, or what of ours failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ServiceError {
    /// There is nothing with this name or id in this workspace: `case`, `secret`, …
    #[error("there is no such {0} in this workspace")]
    NotFound(&'static str),
    /// What was sent does not hold together.
    #[error("{}", sentence(.0))]
    Invalid(Vec<Problem>),
    /// The name is taken.
    #[error("{0}")]
    AlreadyExists(String),
    /// Others need it.
    #[error("{detail}")]
    InUse {
        /// What happened and what to do.
        detail: String,
        /// Who needs it.
        users: Vec<String>,
    },
    /// The field never runs.
    #[error("{0}")]
    FieldDisabled(String),
    /// Something is under way that must end first.
    #[error("{0}")]
    InProgress(String),
    /// It is no longer as the caller knows it.
    #[error("{detail}")]
    VersionMismatch {
        /// What happened and what to do.
        detail: String,
        /// Dotted paths of what was changed since, sorted, as far as known.
        changed: Vec<String>,
    },
    /// No trouble: a request with the same key has done it before, and this is what it came to.
    #[error("a request with this key has done it before")]
    Repeated(Box<Kept>),
    /// The key was used before, by a request with another body.
    #[error("the key was used before, with another body: use a new key for another request")]
    KeyReused,
    /// What would have been stopped is over.
    #[error("{0}")]
    RunEnded(String),
    /// More than may be kept.
    #[error("{0}")]
    TooLarge(String),
    /// The role does not reach.
    #[error("this needs a token with the role {}", needed.as_str())]
    Forbidden {
        /// The least role that reaches.
        needed: Role,
    },
    /// Too often of late.
    #[error("{detail}")]
    TooManyRequests {
        /// What happened and what to do.
        detail: String,
        /// When it may be tried again.
        retry_after: Duration,
    },
    /// A password could not be hashed or compared.
    #[error(transparent)]
    Password(#[from] UnusableHash),
    /// A cursor that we did not make.
    #[error("the cursor is not one that a list answered; leave it out to begin anew")]
    BadCursor,
    /// A query parameter that means nothing.
    #[error("{0}")]
    BadQuery(String),
    /// Too many cases would have to be looked into for a filter.
    #[error("{0}")]
    FilterTooWide(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something could not be sealed or opened: the master key is not the one of this database.
    #[error("{0}")]
    Sealing(String),
}

fn sentence(problems: &[Problem]) -> String {
    match problems {
        [] => "what was sent cannot be used".to_owned(),
        [problem] if problem.pointer.is_empty() => problem.message.clone(),
        [problem] => format!("{}: {}", problem.pointer, problem.message),
        [problem, rest @ ..] => {
            format!("{}: {} (and {} more)", problem.pointer, problem.message, rest.len())
        }
    }
}

impl ServiceError {
    /// One problem.
    pub fn invalid(pointer: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Problem::new(pointer, code, message)])
    }

    /// A field that is switched off is asked to run.
    pub(super) fn field_disabled(field: &FieldKey) -> Self {
        Self::FieldDisabled(format!(
            "the field `{field}` is switched off: switch it on in its case type first"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_problems_read_as_the_first_and_a_count() {
        let problem = |pointer: &str| Problem::new(pointer, "invalid", "is wrong");
        for (problems, expected) in [
            (vec![problem("")], "is wrong"),
            (vec![problem("/a")], "/a: is wrong"),
            (vec![problem("/a"), problem("/b"), problem("/c")], "/a: is wrong (and 2 more)"),
        ] {
            assert_eq!(ServiceError::Invalid(problems).to_string(), expected);
        }
    }
}
