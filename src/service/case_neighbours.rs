//! The cases before and after one, in the order of a list.

use serde_json::Value;

use super::actor::Actor;
use super::case_query::CaseQuery;
use super::cases::Cases;
use super::error::ServiceError;
use crate::domain::case::Case;
use crate::domain::ids::CaseId;
use crate::store::{CaseFilter, CaseSort};

impl Cases {
    /// The cases before and after this one in a list. Where the list does not hold the case itself
    /// (it has changed since), they are those around the place where it would stand.
    pub async fn neighbours(
        &self,
        actor: &Actor,
        query: CaseQuery,
        case: &Case,
    ) -> Result<(Option<CaseId>, Option<CaseId>), ServiceError> {
        let forth = query.filter(&self.plans, actor, self.clock.now()).await?;
        let back = CaseFilter { descending: !forth.descending, ..forth.clone() };
        let place = Some((place(case, forth.sort), case.id));
        let tx = self.store.read().await?;
        let before = tx.list_cases(actor.workspace, &back, place.clone(), 1).await?;
        let after = tx.list_cases(actor.workspace, &forth, place, 1).await?;
        let first = |found: &[crate::store::CaseSnapshot]| found.first().map(|found| found.row.case.id);
        Ok((first(&before), first(&after)))
    }
}

/// What the order sorts a case by.
fn place(case: &Case, sort: CaseSort) -> Value {
    match sort {
        CaseSort::CreatedAt => case.created_at.timestamp_millis().into(),
        CaseSort::UpdatedAt => case.updated_at.timestamp_millis().into(),
        CaseSort::Reference => case.reference.clone().unwrap_or_default().into(),
        CaseSort::Title => case.title.clone().unwrap_or_default().into(),
    }
}
