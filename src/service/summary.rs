//! How the fields of a case type stand over all of its cases: the bars above a list.
//!
//! Counted over an index each time, so there is no counter that could drift and none that
//! replicas would queue for. With filters the cases that they leave are counted, up to 10,000 of
//! them. What has many cases is counted at most every two seconds by each process, and by one of
//! those who ask at once; who does not want to wait for it takes it when it is there.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use moka::future::Cache;
use tokio::sync::Mutex;

use super::actor::Actor;
use super::case_query::CaseQuery;
use super::cases::Cases;
use super::error::ServiceError;
use super::plan::Plan;
use crate::domain::api_call::ApiCall;
use crate::domain::clock::Instant;
use crate::domain::ids::{CaseTypeId, CaseTypeKey, FieldKey};
use crate::domain::run::FieldStatus;
use crate::store::{CaseSort, LiveCounts, MOST_CANDIDATES, StateCount, StoreError, Tx};

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

/// The last summary of a large case type, with when it was made; held while one is made.
type Place = Arc<Mutex<Option<(Instant, Arc<Summary>)>>>;

/// Summaries of many cases, by case type, its version and what was asked.
#[derive(Clone)]
pub(super) struct Summaries(Cache<(CaseTypeId, i64, CaseQuery), Place>);

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
        // The type is named by the plan; the order is nothing to a count.
        let query = CaseQuery { case_type: None, sort: CaseSort::default(), descending: false, ..query };
        let asked = (plan.id, plan.version, query.clone());
        let place = self.summaries.0.get_with(asked, async { Place::default() }).await;
        // Whoever asks while it is counted waits for that count: many pages make one.
        let mut kept = place.lock().await;
        let now = self.clock.now();
        let age = |at: Instant| now.signed_duration_since(at);
        if let Some((at, summary)) = kept.as_ref()
            && age(*at) < TimeDelta::milliseconds(KEPT_MS)
            && age(*at) >= TimeDelta::zero()
        {
            return Ok(summary.clone());
        }
        let summary = Arc::new(if query.is_everything() {
            self.summary_of_all(actor, &plan, now).await?
        } else {
            self.summary_of_part(actor, &plan, query).await?
        });
        *kept = (summary.total > MANY).then(|| (now, summary.clone()));
        Ok(summary)
    }

    /// The same until some time, or none: then it is counted further, for who asks next.
    pub async fn summary_until(
        &self,
        until: Instant,
        actor: &Actor,
        key: &CaseTypeKey,
        query: CaseQuery,
    ) -> Result<Option<Arc<Summary>>, ServiceError> {
        let (cases, actor, key) = (self.clone(), actor.clone(), key.clone());
        let mut counting = self.store.beside(async move { cases.summary(&actor, &key, query).await });
        tokio::select! {
            biased;
            counted = &mut counting => match counted {
                Ok(counted) => counted.map(Some),
                Err(_) => Err(StoreError::Panicked.into()),
            },
            () = self.clock.sleep_until(until) => Ok(None),
        }
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
            lay_over(&mut counts, &live, field);
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
        let expired = |(field, call): (&FieldKey, &ApiCall)| Some((field.clone(), now - call.fresh_for()?));
        let expired: Vec<_> = plan.case_type.api_calls().filter_map(expired).collect();
        let states = tx.count_states_of(cases, &expired).await?;
        let live = tx.count_live_of(cases).await?;
        let summary = |(field, call): (&FieldKey, &ApiCall)| {
            if !call.enabled {
                return (field.clone(), FieldSummary::disabled(total));
            }
            let of_field = states.iter().filter(|count| count.field == field.as_str());
            let mut counts: Vec<_> = of_field.cloned().collect();
            lay_over(&mut counts, &live, field);
            (field.clone(), FieldSummary::new(total, &counts))
        };
        Ok(plan.case_type.api_calls().map(summary).collect())
    }
}

/// Lays the live runs of a field over what its ended runs left. A status may have several counts:
/// only their sum says something.
fn lay_over(counts: &mut Vec<StateCount>, live: &LiveCounts, field: &FieldKey) {
    for ((_, status, below), number) in live.iter().filter(|((of, ..), _)| of == field.as_str()) {
        let mut hidden = *number;
        for count in counts.iter_mut().filter(|count| count.status == *below) {
            let taken = hidden.min(count.count);
            (count.count, hidden) = (count.count - taken, hidden - taken);
        }
        let status = status.clone();
        counts.push(StateCount { field: field.to_string(), status, count: *number, ..StateCount::default() });
    }
}
