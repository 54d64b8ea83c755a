//! The cases before and after one, in the order of a list.

use super::actor::Actor;
use super::case_query::CaseQuery;
use super::cases::Cases;
use super::error::ServiceError;
use crate::domain::case::Case;
use crate::domain::ids::CaseId;
use crate::store::CaseSnapshot;

impl Cases {
    /// The cases before and after this one in a list. Where the list does not hold the case itself
    /// (it has changed since), they are those around the place where it would stand.
    pub async fn neighbours(
        &self,
        actor: &Actor,
        query: CaseQuery,
        case: &Case,
    ) -> Result<(Option<CaseId>, Option<CaseId>), ServiceError> {
        let back = CaseQuery { descending: !query.descending, ..query.clone() };
        let tx = self.store.read().await?;
        let forth = self.select(&tx, actor, query).await?;
        let back = self.select(&tx, actor, back).await?;
        let place = Some((forth.filter().sort_value(case), case.id));
        let before = tx.list_cases(&back, place.clone(), 1).await?;
        let after = tx.list_cases(&forth, place, 1).await?;
        let first = |found: &[CaseSnapshot]| found.first().map(|found| found.row.case.id);
        Ok((first(&before), first(&after)))
    }
}
