//! What happened to a case: its activity, page by page.

use super::actor::Actor;
use super::error::ServiceError;
use super::page::{Page, PageRequest};
use crate::domain::event::Event;
use crate::domain::ids::CaseId;
use crate::store::Store;

/// The activity of cases. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    pub(super) store: Store,
}

impl Events {
    /// A page of what happened to a case: its activity.
    pub async fn of_case(
        &self,
        actor: &Actor,
        case: CaseId,
        page: &PageRequest,
        newest_first: bool,
    ) -> Result<Page<Event>, ServiceError> {
        self.list(actor, Some(case), page, newest_first).await
    }

    /// A page of what happened to a case, or to all of the workspace. What only moved live is not
    /// among it.
    pub async fn list(
        &self,
        actor: &Actor,
        case: Option<CaseId>,
        page: &PageRequest,
        newest_first: bool,
    ) -> Result<Page<Event>, ServiceError> {
        let from = match page.after::<(bool, i64)>()? {
            Some((order, _)) if order != newest_first => return Err(ServiceError::BadCursor),
            from => from.map(|(_, seq)| seq),
        };
        let tx = self.store.read().await?;
        if let Some(case) = case {
            tx.case_version(actor.workspace, case).await?.ok_or(ServiceError::NotFound("case"))?;
        }
        let mut found = tx.list_events(actor.workspace, case, (from, newest_first), page.limit + 1).await?;
        let counted = if page.count {
            Some(tx.count_events(actor.workspace, case, page.most_counted()).await?)
        } else {
            None
        };
        let next = page.cut(&mut found, |last| (newest_first, last.mark.seq));
        Ok(Page::new(found, next, counted))
    }
}
