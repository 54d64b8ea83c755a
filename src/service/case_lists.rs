//! Lists of cases: filtered, in order, page by page.

use serde_json::Value;

use super::actor::Actor;
use super::case_query::CaseQuery;
use super::cases::Cases;
use super::error::ServiceError;
use super::page::{Page, PageRequest};
use super::views::CaseView;
use crate::domain::ids::CaseId;
use crate::store::{MOST_CANDIDATES, Selection, TooWide, Tx};

impl Cases {
    /// A page of cases.
    pub async fn list(
        &self,
        actor: &Actor,
        query: CaseQuery,
        page: PageRequest,
    ) -> Result<Page<CaseView>, ServiceError> {
        let filter = query.filter(&self.plans, actor, self.clock.now()).await?;
        let order = filter.order();
        let after = match page.after::<(String, Value, CaseId)>()? {
            Some((of, ..)) if of != order => return Err(ServiceError::BadCursor),
            after => after.map(|(_, value, id)| (value, id)),
        };
        let tx = self.store.read().await?;
        let selection = tx.select_cases(actor.workspace, filter).await?.map_err(too_wide)?;
        let mut found = tx.list_cases(&selection, after, page.limit + 1).await?;
        let counted =
            if page.count { Some(tx.count_cases(&selection, page.most_counted()).await?) } else { None };
        drop(tx);
        let value = |last: &crate::store::CaseSnapshot| selection.filter().sort_value(&last.row.case);
        let next = page.cut(&mut found, |last| (order.clone(), value(last), last.row.case.id));
        let mut items = Vec::with_capacity(found.len());
        for snapshot in found {
            let (id, version) = (snapshot.row.case.case_type_id, snapshot.row.case_type_version);
            if let Some(plan) = self.plans.version(id, version).await? {
                items.push(CaseView::new(snapshot, &plan, self.clock.now()));
            }
        }
        Ok(Page::new(items, next, counted))
    }

    /// The way to the cases that a query leaves, as this transaction sees them.
    pub(super) async fn select(
        &self,
        tx: &Tx,
        actor: &Actor,
        query: CaseQuery,
    ) -> Result<Selection, ServiceError> {
        let filter = query.filter(&self.plans, actor, self.clock.now()).await?;
        tx.select_cases(actor.workspace, filter).await?.map_err(too_wide)
    }
}

/// What can be done about a filter that too many cases would have to be looked into for.
fn too_wide(TooWide { path, filling }: TooWide) -> ServiceError {
    let remedy = if filling {
        format!(
            "The field `{path}` was indexed a short while ago and older cases are still being looked through: try again \
             in a minute, or add filters that leave fewer cases."
        )
    } else if path.segments().len() == 1 {
        format!(
            "Set `index: true` on the field `{path}` in its case type and name that one with `case_type`, or add filters \
             that leave fewer cases."
        )
    } else {
        "Add filters that leave fewer cases; only fields themselves can be indexed, not what lies below them."
            .to_owned()
    };
    ServiceError::FilterTooWide(format!(
        "More than {MOST_CANDIDATES} cases would have to be looked into for `data.{path}`. {remedy}"
    ))
}
