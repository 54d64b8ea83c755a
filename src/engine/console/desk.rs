//! Where the doors hand in a test. A few at once per process: each may hold an answer in memory
//! and wait for as long as its field's timeout, also when its client has gone, since one that only has
//! nothing more to say looks the same. So a workspace has a few of the places and never all; a test
//! that sends nothing waits for nobody and needs none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::request::Wanted;
use super::steps::{self, Tested};
use super::subject::Subject;
use crate::domain::ids::{CaseTypeKey, FieldKey, WorkspaceId};
use crate::engine::context::Engine;
use crate::service::{Actor, ServiceError};
use crate::store::CommitLimits;

/// Tests at once that send something, of fields and of connections.
const AT_ONCE: usize = 16;
/// … of one workspace.
const OF_ONE: usize = 4;

/// Why there was no test.
#[derive(Debug, thiserror::Error)]
pub enum NotTested {
    /// As many of the workspace are under way as may be at once.
    #[error(
        "{OF_ONE} tests of this workspace are under way already: send this one again when one of them has ended"
    )]
    Busy,
    /// As many of all workspaces are.
    #[error("{AT_ONCE} tests are under way already: send this one again when one of them has ended")]
    Full,
    /// What was sent does not hold together or names nothing; or trouble of ours.
    #[error(transparent)]
    Refused(#[from] ServiceError),
}

/// The test console. Whoever drops the future of a test ends its call.
pub struct Console {
    pub(in crate::engine) engine: Arc<Engine>,
    pub(in crate::engine) limits: CommitLimits,
    places: Mutex<HashMap<WorkspaceId, usize>>,
}

impl Console {
    /// A console over the parts of a run; `limits` are those of its commit.
    pub fn new(engine: Arc<Engine>, limits: CommitLimits) -> Self {
        Self { engine, limits, places: Mutex::default() }
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
        let _place = if wanted.send { Some(self.place(actor.workspace)?) } else { None };
        let found = Subject::find(&self.engine, actor, (case_type, field), &wanted).await;
        let subject = found.map_err(steps::refused)?;
        Ok(steps::take(&self.engine, self.limits, &subject, &wanted).await?)
    }

    /// A place for one more test, as long as it is held.
    pub(in crate::engine) fn place(&self, workspace: WorkspaceId) -> Result<Place<'_>, NotTested> {
        let mut taken = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.get(&workspace).is_some_and(|of_one| *of_one >= OF_ONE) {
            return Err(NotTested::Busy);
        }
        if taken.values().sum::<usize>() >= AT_ONCE {
            return Err(NotTested::Full);
        }
        *taken.entry(workspace).or_default() += 1;
        Ok(Place { places: &self.places, workspace })
    }
}

/// The place of one test; dropping it gives it back.
pub(in crate::engine) struct Place<'c> {
    places: &'c Mutex<HashMap<WorkspaceId, usize>>,
    workspace: WorkspaceId,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_one) = taken.get_mut(&self.workspace) {
            *of_one -= 1;
            if *of_one == 0 {
                taken.remove(&self.workspace);
            }
        }
    }
}
