//! An open stream of events, whichever door carries it: it goes on while whoever listens may, and
//! while the case is there.
//!
//! That is looked at every 15 s, and whether they may before anything is told after somebody's access
//! was changed. That its case was deleted is the last that a stream tells. It ends, too, when the
//! process stops; whoever listened comes back by itself.

use std::sync::Arc;

use chrono::TimeDelta;

use super::error::ServiceError;
use super::live::Watch;
use super::services::Services;
use crate::domain::clock::Instant;
use crate::domain::event::{Event, EventMark};
use crate::domain::ids::{CaseId, WorkspaceId};

/// How often a stream shows that it lives.
const BEAT: TimeDelta = TimeDelta::seconds(15);

/// What somebody listens by.
pub enum Entry {
    /// An API token.
    Token(String),
    /// The session of a page.
    Session(String),
}

/// What a stream tells next.
pub enum Heard {
    /// Something has happened.
    Event(Arc<Event>),
    /// Nothing has, for a while.
    Beat,
}

/// An open stream.
pub struct Listening {
    watch: Watch,
    services: Arc<Services>,
    entry: Entry,
    workspace: WorkspaceId,
    case: Option<CaseId>,
    beat_at: Instant,
    /// Changes of access that were heard of when it was last looked.
    heard: u64,
}

impl Listening {
    /// Begins now or behind `after`, for one case or a whole workspace. `NotFound`: there is no such
    /// case in it.
    pub async fn begin(
        services: Arc<Services>,
        entry: Entry,
        (workspace, case): (WorkspaceId, Option<CaseId>),
        after: Option<EventMark>,
    ) -> Result<Self, ServiceError> {
        if !is_there(&services, workspace, case).await? {
            return Err(ServiceError::NotFound("case"));
        }
        let heard = services.store.signals().access();
        let watch = match case {
            Some(case) => services.live.watch_case(workspace, case, after).await?,
            None => services.live.watch_workspace(workspace, after).await?,
        };
        let beat_at = services.clock.now() + BEAT;
        Ok(Self { watch, services, entry, workspace, case, beat_at, heard })
    }

    /// What is told next; none: the stream ends.
    pub async fn next(&mut self) -> Option<Heard> {
        tokio::select! {
            event = self.watch.next() => {
                let event = event?;
                self.may_hear().await.then_some(Heard::Event(event))
            }
            () = self.services.live.closed() => None,
            () = self.services.clock.sleep_until(self.beat_at) => {
                self.beat_at = self.services.clock.now() + BEAT;
                self.is_welcome().await.then_some(Heard::Beat)
            }
        }
    }

    async fn may_hear(&mut self) -> bool {
        let heard = self.services.store.signals().access();
        if heard == self.heard {
            return true;
        }
        self.heard = heard;
        self.is_known().await
    }

    /// Whether the stream goes on. Trouble of ours ends none.
    async fn is_welcome(&self) -> bool {
        self.is_known().await && is_there(&self.services, self.workspace, self.case).await.unwrap_or(true)
    }

    /// Whether whoever listens still may.
    async fn is_known(&self) -> bool {
        let actor = match &self.entry {
            Entry::Token(token) => self.services.access.authenticate(token).await,
            Entry::Session(session) => {
                self.services.sessions.peek(session).await.map(|who| who.map(|who| who.actor))
            }
        };
        actor.map_or(true, |actor| actor.is_some_and(|actor| actor.workspace == self.workspace))
    }
}

async fn is_there(
    services: &Services,
    workspace: WorkspaceId,
    case: Option<CaseId>,
) -> Result<bool, ServiceError> {
    let Some(case) = case else { return Ok(true) };
    Ok(services.store.read().await?.case_version(workspace, case).await?.is_some())
}
