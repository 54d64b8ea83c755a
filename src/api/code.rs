//! The stable names of everything that the API refuses, and the only table of their statuses.

use crate::domain::problem::{Problem, code};
use crate::service::ServiceError;
use crate::store::StoreError;

macro_rules! codes {
    ($($variant:ident = $status:literal $word:literal,)*) => {
        /// Stable names of everything that the API refuses.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $($variant,)* }

        impl Code {
            /// All codes, by status.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The spelling in answers.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The code with this spelling.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }

            /// The status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }
        }
    };
}

codes! {
    MalformedJson = 400 "malformed_json",
    MalformedRequest = 400 "malformed_request",
    Unauthorized = 401 "unauthorized",
    Forbidden = 403 "forbidden",
    NotFound = 404 "not_found",
    MethodNotAllowed = 405 "method_not_allowed",
    AlreadyExists = 409 "already_exists",
    InUse = 409 "in_use",
    InProgress = 409 "in_progress",
    FieldDisabled = 409 "field_disabled",
    RunEnded = 409 "run_ended",
    VersionMismatch = 412 "version_mismatch",
    TooLarge = 413 "too_large",
    UnsupportedMediaType = 415 "unsupported_media_type",
    Invalid = 422 "invalid",
    NotSupportedYet = 422 "not_supported_yet",
    IdempotencyMismatch = 422 "idempotency_mismatch",
    FilterTooWide = 422 "filter_too_wide",
    TooManyRequests = 429 "too_many_requests",
    Internal = 500 "internal",
    Unavailable = 503 "unavailable",
}

impl Code {
    /// Whether the same request would be refused again: not for who asks, and not for the moment.
    pub fn stays(self) -> bool {
        let passing = [
            Self::Unauthorized,
            Self::Forbidden,
            Self::InProgress,
            Self::IdempotencyMismatch,
            Self::TooManyRequests,
        ];
        (400..500).contains(&self.status()) && !passing.contains(&self)
    }
}

/// What a client reads when the disk of the database is full.
pub const NO_SPACE: &str = "The disk of Dossier's database has no space left. Nothing was changed; free some space and \
     send the request again. Reading still works.";

/// … when it cannot serve for another reason.
pub const AWAY: &str = "The database cannot serve this request now. Nothing was changed; try again shortly.";

/// … when nobody knows whether the change was made.
pub const IN_DOUBT: &str = "The connection to the database was cut while the change was written, so it is not known whether \
     it was made. Look before you repeat it; with the same `Idempotency-Key` it is made once however often you send it.";

/// … when it was made.
pub const UNREAD: &str = "The change was made, but the database cannot show it now. Do not repeat it, read it again shortly; \
     with the same `Idempotency-Key` you get its answer.";

/// … and when something in Dossier itself went wrong.
pub const OUR_TROUBLE: &str = "Something in Dossier itself went wrong. Try again; if it stays so, tell whoever runs it \
     and name the request id.";

/// Which code a refusal of the services has.
pub fn code_of(error: &ServiceError) -> Code {
    match error {
        ServiceError::NotFound(_) => Code::NotFound,
        ServiceError::Invalid(problems) => code_of_problems(problems),
        ServiceError::AlreadyExists(_)
        | ServiceError::Repeated(_)
        | ServiceError::Store(StoreError::Duplicate(_)) => Code::AlreadyExists,
        ServiceError::InUse { .. } => Code::InUse,
        ServiceError::FieldDisabled(_) => Code::FieldDisabled,
        ServiceError::InProgress(_) => Code::InProgress,
        ServiceError::VersionMismatch { .. } => Code::VersionMismatch,
        ServiceError::KeyReused => Code::IdempotencyMismatch,
        ServiceError::RunEnded(_) => Code::RunEnded,
        ServiceError::TooLarge(_) => Code::TooLarge,
        ServiceError::Forbidden { .. } => Code::Forbidden,
        ServiceError::BadCursor | ServiceError::BadQuery(_) => Code::MalformedRequest,
        ServiceError::FilterTooWide(_) => Code::FilterTooWide,
        ServiceError::Store(error) if error.is_unavailable() => Code::Unavailable,
        ServiceError::TooManyRequests { .. } => Code::TooManyRequests,
        ServiceError::Store(_) | ServiceError::Sealing(_) | ServiceError::Password(_) => Code::Internal,
    }
}

/// What only later steps will do is told apart from what is wrong.
fn code_of_problems(problems: &[Problem]) -> Code {
    let later = !problems.is_empty() && problems.iter().all(|p| p.code == code::NOT_SUPPORTED_YET);
    if later { Code::NotSupportedYet } else { Code::Invalid }
}
