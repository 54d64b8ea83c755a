//! Where the doors hand in a test. A few at once per process: each may hold an answer in memory
//! and wait for as long as its field's timeout.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::request::Wanted;
use super::steps::{self, Tested};
use super::subject::Subject;
use crate::domain::ids::{CaseTypeKey, FieldKey};
use crate::engine::context::Engine;
use crate::service::{Actor, ServiceError};
use crate::store::CommitLimits;

/// Tests at once, of fields and of connections.
const AT_ONCE: usize = 16;

/// Why there was no test.
#[derive(Debug, thiserror::Error)]
pub enum NotTested {
    /// As many are under way as may be at once.
    #[error("{AT_ONCE} tests are under way already: send this one again when one of them has ended")]
    Busy,
    /// What was sent does not hold together or names nothing; or trouble of ours.
    #[error(transparent)]
    Refused(#[from] ServiceError),
}

/// The test console. Whoever drops the future of a test ends its call.
pub struct Console {
    pub(in crate::engine) engine: Arc<Engine>,
    pub(in crate::engine) limits: CommitLimits,
    places: Semaphore,
}

impl Console {
    /// A console over the parts of a run; `limits` are those of its commit.
    pub fn new(engine: Arc<Engine>, limits: CommitLimits) -> Self {
        Self { engine, limits, places: Semaphore::new(AT_ONCE) }
    }

    /// Tries a field out as `body` asks, and records nothing.
    pub async fn test(
        &self,
        actor: &Actor,
        case_type: &CaseTypeKey,
        field: &FieldKey,
        body: &Value,
    ) -> Result<Tested, NotTested> {
        let wanted = Wanted::read(body)?;
        let _place = self.place()?;
        let found = Subject::find(&self.engine, actor, (case_type, field), &wanted).await;
        let subject = found.map_err(steps::refused)?;
        Ok(steps::take(&self.engine, self.limits, &subject, &wanted).await?)
    }

    /// A place for one more test, as long as it is held.
    pub(in crate::engine) fn place(&self) -> Result<SemaphorePermit<'_>, NotTested> {
        self.places.try_acquire().map_err(|_| NotTested::Busy)
    }
}
