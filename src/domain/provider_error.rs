//! What a provider itself says of a call that failed.

use serde::{Deserialize, Serialize};

/// The provider's own name for what went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderError {
    /// Its code, numbers as text.
    pub code: Option<String>,
    /// Its message.
    pub description: Option<String>,
}
