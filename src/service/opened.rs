//! Secrets as a request uses them: open, each with where it may be sent.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::domain::redact::Label;
use crate::domain::secret::{HostRule, SecretText};
use crate::store::StoreError;

/// The secrets of one request, opened.
#[derive(Default)]
pub struct Opened {
    /// What templates read as `secret`.
    pub values: Map<String, Value>,
    /// The version of each.
    pub versions: BTreeMap<String, i64>,
    /// Where each may be sent.
    pub hosts: BTreeMap<String, Vec<HostRule>>,
    pub(super) shown_as: Vec<(Label, SecretText)>,
}

impl Opened {
    /// The values that must be replaced wherever they appear, and by what.
    pub fn labels(&self) -> impl Iterator<Item = (Label, &str)> {
        self.shown_as.iter().map(|(label, text)| (label.clone(), text.expose()))
    }
}

/// Why secrets could not be opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenFailed {
    /// There is none with this name.
    #[error("there is no secret `{0}` in this workspace")]
    Missing(String),
    /// It is there, but not for our master key.
    #[error("{0}")]
    Unreadable(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One secret, opened.
pub(super) struct OpenSecret {
    pub(super) text: SecretText,
    pub(super) hosts: Vec<HostRule>,
    pub(super) redact: bool,
    pub(super) version: i64,
    /// It is no older than this change of the workspace's credentials.
    pub(super) epoch: i64,
}
