//! How the fields of a case type stand over all of its cases: the bars above a list.
//!
//! Counted over an index each time, so there is no counter that could drift and none that
//! replicas would queue for. A case type with many cases is counted at most every two seconds by
//! each process. With filters the cases that they leave are counted, up to 10,000 of them.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use moka::future::Cache;

use super::actor::Actor;
use super::case_query::CaseQuery;
use super::cases::Cases;
use super::error::ServiceError;
use super::plan::Plan;
use crate::domain::clock::Instant;
use crate::domain::ids::{CaseTypeId, CaseTypeKey, FieldKey};
use crate::domain::run::FieldStatus;
use crate::store::{MOST_CANDIDATES, StateCount, Tx};

/// With more cases than this a summary is kept for a while.
const MANY: u64 = 5_000;
/// For so long.
const KEPT_MS: i64 = 2_000;

/// How the fields of a case type stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Cases that were counted.
    pub total: u64,
    /// There are more than were counted.
    pub more: bool,
    /// Filters were given, so it is of a part of the cases.
    pub partial: bool,
    /// Each API Call field, in the order of the case type.
    pub fields: Vec<(FieldKey, FieldSummary)>,
}

/// How one field stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSummary {
    /// How many cases show each status; all of them are there.
    pub statuses: Vec<(FieldStatus, u64)>,
    /// How many show data from the cache.
    pub cached: u64,
    /// How many show data that is out of date.
    pub stale: u64,
}

impl FieldSummary {
    /// How many cases show this status.
    pub fn of(&self, status: FieldStatus) -> u64 {
        self.statuses.iter().find(|(known, _)| *known == status).map_or(0, |(_, count)| *count)
    }

    /// A field that is switched off.
    fn disabled(total: u64) -> Self {
        let disabled = StateCount { status: "disabled".to_owned(), count: total, ..StateCount::default() };
        Self::new(total, &[disabled])
    }

    /// Cases that no count names show that the field has never run.
    fn new(total: u64, counts: &[StateCount]) -> Self {
        let of = |status: FieldStatus| {
            let same = counts.iter().filter(|count| count.status == status.as_str());
            same.map(|count| count.count).sum::<u64>()
        };
        let others: u64 =
            FieldStatus::ALL.iter().filter(|status| **status != FieldStatus::NeverRun).map(|s| of(*s)).sum();
        let count = |status: &FieldStatus| match status {
            FieldStatus::NeverRun => (*status, total.saturating_sub(others)),
            status => (*status, of(*status)),
        };
        Self {
            statuses: FieldStatus::ALL.iter().map(count).collect(),
            cached: counts.iter().map(|count| count.cached).sum(),
            stale: counts.iter().map(|count| count.stale).sum(),
        }
    }
}

/// Summaries of large case types, with when they were made.
#[derive(Clone)]
pub(super) struct Summaries(Cache<(CaseTypeId, i64), (Instant, Arc<Summary>)>);

impl Default for Summaries {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(1_000).time_to_live(Duration::from_mins(1)).build())
    }
}

impl Cases {
    /// How the fields of a case type stand, over the cases that the query leaves; it names no case
    /// type itself.
    pub async fn summary(
        &self,
        actor: &Actor,
        key: &CaseTypeKey,
        query: CaseQuery,
    ) -> Result<Arc<Summary>, ServiceError> {
        let plan = self.plans.current(actor.workspace, key).await?;
        let plan = plan.ok_or(ServiceError::NotFound("case type"))?;
        if !query.is_everything() {
            return self.summary_of_part(actor, &plan, query).await.map(Arc::new);
        }
        let (place, now) = ((plan.id, plan.version), self.clock.now());
        let age = |at: Instant| now.signed_duration_since(at);
        if let Some((at, kept)) = self.summaries.0.get(&place).await
            && age(at) < TimeDelta::milliseconds(KEPT_MS)
            && age(at) >= TimeDelta::zero()
        {
            return Ok(kept);
        }
        let summary = Arc::new(self.summary_of_all(actor, &plan, now).await?);
        if summary.total > MANY {
            self.summaries.0.insert(place, (now, summary.clone())).await;
        }
        Ok(summary)
    }

    async fn summary_of_all(
        &self,
        actor: &Actor,
        plan: &Plan,
        now: Instant,
    ) -> Result<Summary, ServiceError> {
        let tx = self.store.read().await?;
        let total = tx.count_cases_of_type(plan.id).await?;
        let live = tx.count_live(actor.workspace, plan.id).await?;
        let mut fields = Vec::new();
        for (field, call) in plan.case_type.api_calls() {
            if !call.enabled {
                fields.push((field.clone(), FieldSummary::disabled(total)));
                continue;
            }
            let expired = call.fresh_for().map(|fresh| now - fresh);
            let mut counts = tx.count_states(plan.id, field, expired).await?;
            for ((of, status, below), number) in live.iter().filter(|((of, ..), _)| of == field.as_str()) {
                if let Some(hidden) = counts.iter_mut().find(|count| count.status == *below) {
                    hidden.count = hidden.count.saturating_sub(*number);
                }
                let (field, status, count) = (of.clone(), status.clone(), *number);
                counts.push(StateCount { field, status, count, ..StateCount::default() });
            }
            fields.push((field.clone(), FieldSummary::new(total, &counts)));
        }
        Ok(Summary { total, more: false, partial: false, fields })
    }

    async fn summary_of_part(
        &self,
        actor: &Actor,
        plan: &Plan,
        query: CaseQuery,
    ) -> Result<Summary, ServiceError> {
        let now = self.clock.now();
        let query = CaseQuery { case_type: Some(plan.key.to_string()), ..query };
        let tx = self.store.read().await?;
        let selection = self.select(&tx, actor, query).await?;
        let mut cases = tx.matching_cases(&selection, MOST_CANDIDATES + 1).await?;
        let total = (cases.len() as u64).min(MOST_CANDIDATES);
        let more = cases.len() as u64 > total;
        cases.truncate(usize::try_from(total).unwrap_or(usize::MAX));
        let fields = self.fields_of_part(&tx, plan, &cases, now).await?;
        Ok(Summary { total, more, partial: true, fields })
    }

    async fn fields_of_part(
        &self,
        tx: &Tx,
        plan: &Plan,
        cases: &[crate::domain::ids::CaseId],
        now: Instant,
    ) -> Result<Vec<(FieldKey, FieldSummary)>, ServiceError> {
        let total = cases.len() as u64;
        let mut fields = Vec::new();
        for (field, call) in plan.case_type.api_calls() {
            let summary = if call.enabled {
                let expired = call.fresh_for().map(|fresh| now - fresh);
                FieldSummary::new(total, &tx.count_states_of(cases, field, expired).await?)
            } else {
                FieldSummary::disabled(total)
            };
            fields.push((field.clone(), summary));
        }
        Ok(fields)
    }
}
