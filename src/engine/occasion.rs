//! What an attempt reads of its run, with a run behind it or without: the test console makes one up.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::domain::clock::Instant;
use crate::domain::ids::{FieldKey, RunId, WorkspaceId};
use crate::domain::trigger::Trigger;
use crate::store::{ClaimedCase, ClaimedRun};

/// What an attempt reads of its run.
#[derive(Clone, Copy)]
pub(super) struct Occasion<'r> {
    pub(super) id: RunId,
    pub(super) workspace: WorkspaceId,
    pub(super) field: &'r FieldKey,
    pub(super) trigger: Trigger,
    pub(super) attempt: u32,
    pub(super) idempotency_key: &'r str,
    pub(super) input: Option<&'r Value>,
    pub(super) overwrite: bool,
    pub(super) old: Option<&'r Arc<Value>>,
    pub(super) sealed_at: Instant,
    /// Credentials must be at least as new as this change of them; none: as new as they are.
    pub(super) credentials_epoch: Option<i64>,
    pub(super) case: &'r ClaimedCase,
}

impl<'r> From<&'r ClaimedRun> for Occasion<'r> {
    fn from(run: &'r ClaimedRun) -> Self {
        Self {
            id: run.id,
            workspace: run.workspace,
            field: &run.field,
            trigger: run.trigger,
            attempt: run.attempt,
            idempotency_key: &run.idempotency_key,
            input: run.input.as_ref(),
            overwrite: run.overwrite,
            old: run.old.as_ref(),
            sealed_at: run.sealed_at,
            credentials_epoch: Some(run.credentials_epoch),
            case: &run.case,
        }
    }
}

/// The root `run` at this attempt.
pub(super) fn root_run(run: &Occasion<'_>, attempt: u32) -> Arc<Value> {
    Arc::new(json!({"id": run.id, "trigger": run.trigger, "attempt": attempt}))
}
