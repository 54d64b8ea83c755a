//! Why an answer could not be mapped.

/// What stops a mapping; nothing is written then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// `mapping_failed`: a target did not get its value.
    #[error("{}", self.detail())]
    Mapping {
        /// The target, e.g. `address.city`.
        target: String,
        /// The path or template that was to give its value, as written.
        path: String,
        /// What the target wanted, e.g. `integer`.
        expected: String,
        /// What there was, with the beginning of the value, e.g. `text "abc"`.
        found: String,
        /// What to do, as a sentence.
        message: String,
    },
    /// `invalid_response`: a path reads below `$` of an answer that is a text.
    #[error("{0}")]
    InvalidResponse(String),
}

impl MappingError {
    /// All of it as sentences for a builder.
    pub fn detail(&self) -> String {
        match self {
            Self::Mapping { target, path, expected, found, message } => {
                format!("Target `{target}` from `{path}`: expected {expected}, found {found}. {message}")
            }
            Self::InvalidResponse(sentence) => sentence.clone(),
        }
    }
}
