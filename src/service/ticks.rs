//! What a tick of a schedule does: it is begun once, by the clock or by hand, then goes through the cases page by page.
//!
//! Each page is one transaction, so others write between them and no list of all cases is ever
//! held. What has been done stands in the schedule's row: whoever ticks next goes on from there,
//! in this process or in another one, and no case is fired twice for one tick.

use chrono::TimeDelta;

use super::actor::Actor;
use super::error::ServiceError;
use super::once;
use super::plan::Plan;
use super::schedules::{ScheduleView, Schedules, find, next_after, place};
use crate::domain::api_call::ApiCall;
use crate::domain::clock::Instant;
use crate::domain::ids::{FieldKey, RunId, ScheduleId};
use crate::domain::once::{Kept, Once};
use crate::domain::run::{Fired, NewRun, Priority};
use crate::domain::schedule::Schedule;
use crate::domain::trigger::Trigger;
use crate::store::{Due, Enqueued, HeldTick, ScheduleRow, TickPage, Tx};

/// Due schedules that are begun in one transaction.
const BEGUN: u32 = 100;

/// Who fired the runs of a schedule.
const BY: &str = "schedule";

/// Whether a tick has more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There are more cases.
    More,
    /// It has ended, or there was none.
    Ended,
}

impl Schedules {
    /// Begins a tick for all matching cases now, also when the schedule is paused; its times
    /// stay. The first page of cases is fired at once, the rest as with any other tick.
    pub async fn run(
        &self,
        actor: &Actor,
        id: ScheduleId,
        once: Option<Once>,
    ) -> Result<ScheduleView, ServiceError> {
        let (this, actor) = (self.clone(), actor.clone());
        let row = self.store.write(move |tx| {
            Box::pin(async move {
                once::first(tx, once.as_ref()).await?;
                let row = this.run_in(tx, &actor, id).await?;
                once::keep(tx, once.as_ref(), Kept { status: 202, ..Kept::done(place(id)) }).await?;
                Ok::<_, ServiceError>(row)
            })
        });
        Ok(self.view(row.await?))
    }

    async fn run_in(&self, tx: &Tx, actor: &Actor, id: ScheduleId) -> Result<ScheduleRow, ServiceError> {
        let row = find(tx, actor, id).await?;
        let plan = self.plans.current_in(tx, row.case_type_id).await?;
        if plan.is_none_or(|plan| scheduled(&plan, &row.field).is_none()) {
            return Err(ServiceError::field_disabled(&row.field));
        }
        if !tx.begin_tick_now(actor.workspace, id, self.clock.now()).await? {
            let detail = "a tick of this schedule is under way: wait until it has ended, or pause the schedule to \
                          stop it";
            return Err(ServiceError::InProgress(detail.to_owned()));
        }
        self.page(tx, id).await?;
        find(tx, actor, id).await
    }

    /// Begins the ticks of schedules that are due; answers how many. A tick that was missed is
    /// begun once, however many times have passed; one that another process has begun is not.
    pub async fn begin_due(&self) -> Result<usize, ServiceError> {
        let now = self.clock.now();
        let due = self.store.read().await?.due_schedules(now, BEGUN).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let begun = self.store.write(move |tx| {
            Box::pin(async move {
                let mut begun = 0;
                for row in &due {
                    begun += usize::from(tx.begin_tick(row, next_after(row, now), now).await?);
                }
                Ok::<_, ServiceError>(begun)
            })
        });
        begun.await
    }

    /// Schedules of all workspaces with a tick under way.
    pub async fn under_way(&self) -> Result<Vec<ScheduleId>, ServiceError> {
        Ok(self.store.read().await?.ticks_under_way().await?)
    }

    /// Fires the next page of cases of a schedule's tick.
    pub async fn go_on(&self, id: ScheduleId) -> Result<Progress, ServiceError> {
        let this = self.clone();
        self.store.write_later(move |tx| Box::pin(async move { this.page(tx, id).await })).await
    }

    /// As [`Schedules::go_on`], inside a transaction.
    pub(super) async fn page(&self, tx: &Tx, id: ScheduleId) -> Result<Progress, ServiceError> {
        let Some(tick) = tx.hold_tick(id).await? else { return Ok(Progress::Ended) };
        let plan = self.plans.current_in(tx, tick.case_type_id).await?;
        let field = plan.as_deref().and_then(|plan| Some((plan, scheduled(plan, &tick.field)?)));
        let Some((plan, (call, schedule))) = field else {
            tx.advance_tick(&tick, None, 0).await?;
            return Ok(Progress::Ended);
        };
        let page = tx.hold_page(&tick, due(&tick, schedule)).await?;
        let now = self.clock.now();
        let followed = tx.fire(&self.runs(&tick, &page, plan, call, now)).await?;
        tx.touch_cases(&page.cases, now).await?;
        let queued = followed.iter().filter(|run| matches!(run, Enqueued::Queued(_))).count();
        tx.advance_tick(&tick, page.after, queued).await?;
        Ok(if page.after.is_some() { Progress::More } else { Progress::Ended })
    }

    fn runs(
        &self,
        tick: &HeldTick,
        page: &TickPage,
        plan: &Plan,
        call: &ApiCall,
        now: Instant,
    ) -> Vec<NewRun> {
        let run = |case| {
            let why =
                Fired { trigger: Trigger::Scheduled, priority: Priority::Low, by: BY.to_owned(), at: now };
            let id = RunId(self.rng.uuid(now));
            let tick_of = Some((tick.schedule, tick.at));
            NewRun { tick: tick_of, ..NewRun::new(id, case, plan.under(), &tick.field, call, why) }
        };
        page.cases.iter().map(run).collect()
    }
}

/// The field of a schedule and its line, when the field is there and switched on.
pub(super) fn scheduled<'p>(plan: &'p Plan, field: &FieldKey) -> Option<(&'p ApiCall, &'p Schedule)> {
    let (_, call) = plan.case_type.api_calls().find(|(key, _)| *key == field)?;
    call.schedule.as_ref().filter(|_| call.enabled).map(|schedule| (call, schedule))
}

/// Ages count from the tick's beginning, so that all pages judge alike.
fn due(tick: &HeldTick, schedule: &Schedule) -> Due {
    let age = |seconds| TimeDelta::try_seconds(i64::try_from(seconds).ok()?);
    let fresh_after = schedule
        .older_than
        .map(|seconds| age(seconds).and_then(|age| tick.began_at.checked_sub_signed(age)))
        .map(|at| at.unwrap_or(Instant::MIN_UTC));
    Due { fresh_after, include_closed: schedule.include_closed }
}
