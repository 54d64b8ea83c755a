//! Schedules: kept in step with the case types, listed, paused and resumed.
//!
//! A schedule is part of a field; here it only gets what a definition cannot hold: when it is due,
//! what its last tick did and whether somebody holds it. What a tick does is in `ticks.rs`.

use super::actor::Actor;
use super::error::ServiceError;
use super::once;
use super::page::{Page, PageRequest};
use super::plans::Plans;
use crate::domain::case_type::CaseType;
use crate::domain::clock::{Instant, Rng, SharedClock, SharedRng};
use crate::domain::ids::ScheduleId;
use crate::domain::once::{Kept, Once};
use crate::domain::schedule::{Line, Schedule, Zone};
use crate::store::{CaseTypeRow, NewSchedule, ScheduleFilter, ScheduleRow, Store, StoreError, Tx};

/// Times to come that are shown.
const SHOWN: usize = 5;

/// A schedule as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleView {
    /// What is kept of it.
    pub row: ScheduleRow,
    /// The times to come, at most five; none while it is paused.
    pub next: Vec<Instant>,
}

/// Use cases around schedules. Cheap to clone.
#[derive(Clone)]
pub struct Schedules {
    pub(super) store: Store,
    pub(super) plans: Plans,
    pub(super) clock: SharedClock,
    pub(super) rng: SharedRng,
}

impl Schedules {
    /// A page of schedules, oldest first.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: ScheduleFilter,
        page: PageRequest,
    ) -> Result<Page<ScheduleView>, ServiceError> {
        let after = page.after::<ScheduleId>()?;
        let tx = self.store.read().await?;
        let mut found = tx.list_schedules(actor.workspace, &filter, after, page.limit + 1).await?;
        let counted = if page.count {
            Some(tx.count_schedules(actor.workspace, &filter, page.most_counted()).await?)
        } else {
            None
        };
        let next = page.cut(&mut found, |last| last.id);
        Ok(Page::new(found, next, counted).map(|row| self.view(row)))
    }

    /// One schedule.
    pub async fn get(&self, actor: &Actor, id: ScheduleId) -> Result<ScheduleView, ServiceError> {
        let tx = self.store.read().await?;
        find(&tx, actor, id).await.map(|row| self.view(row))
    }

    /// Holds a schedule. A tick under way ends where it is; runs that it has queued stay.
    pub async fn pause(
        &self,
        actor: &Actor,
        id: ScheduleId,
        once: Option<Once>,
    ) -> Result<ScheduleView, ServiceError> {
        let actor = actor.clone();
        let row = self.store.write(move |tx| {
            Box::pin(async move {
                once::first(tx, once.as_ref()).await?;
                find(tx, &actor, id).await?;
                tx.pause_schedule(id).await?;
                once::keep(tx, once.as_ref(), Kept::done(place(id))).await?;
                find(tx, &actor, id).await
            })
        });
        Ok(self.view(row.await?))
    }

    /// Lets a schedule go on from now: what it missed while it was paused is not made up.
    pub async fn resume(
        &self,
        actor: &Actor,
        id: ScheduleId,
        once: Option<Once>,
    ) -> Result<ScheduleView, ServiceError> {
        let (actor, now) = (actor.clone(), self.clock.now());
        let row = self.store.write(move |tx| {
            Box::pin(async move {
                once::first(tx, once.as_ref()).await?;
                let row = find(tx, &actor, id).await?;
                tx.resume_schedule(id, next_after(&row, now)).await?;
                once::keep(tx, once.as_ref(), Kept::done(place(id))).await?;
                find(tx, &actor, id).await
            })
        });
        Ok(self.view(row.await?))
    }

    pub(super) fn view(&self, row: ScheduleRow) -> ScheduleView {
        let times = |row: &ScheduleRow| read(row).map(|line| line.next(self.clock.now(), SHOWN));
        let next = if row.paused { Vec::new() } else { times(&row).unwrap_or_default() };
        ScheduleView { row, next }
    }
}

/// Where a schedule stands, for answers to a repeated request.
pub(super) fn place(id: ScheduleId) -> String {
    format!("/v1/schedules/{id}")
}

/// A schedule of the actor's workspace.
pub(super) async fn find(tx: &Tx, actor: &Actor, id: ScheduleId) -> Result<ScheduleRow, ServiceError> {
    tx.find_schedule(actor.workspace, id).await?.ok_or(ServiceError::NotFound("schedule"))
}

/// When a schedule is due after an instant; none: never again.
pub(super) fn next_after(row: &ScheduleRow, at: Instant) -> Option<Instant> {
    read(row)?.next_after(at)
}

/// The line of a row. It was checked when the case type was saved; one that cannot be read any
/// more must not keep other schedules from ticking.
fn read(row: &ScheduleRow) -> Option<Schedule> {
    match (Line::parse(&row.cron), Zone::parse(&row.timezone)) {
        (Ok(line), Ok(zone)) => Some(Schedule::new(line, zone)),
        (line, zone) => {
            let why = line.err().or(zone.err()).unwrap_or_default();
            tracing::error!(schedule = %row.id, why, "the line of a schedule cannot be read any more");
            None
        }
    }
}

/// Brings the schedules of a case type in step with a version of it that is being saved. What
/// has not changed stays untouched; a changed line counts from now; what is gone is removed.
pub(super) async fn follow(
    tx: &Tx,
    saved: &CaseTypeRow,
    case_type: &CaseType,
    now: Instant,
    rng: &dyn Rng,
) -> Result<(), StoreError> {
    let mut rows = tx.schedules_of_type(saved.workspace, saved.id).await?;
    for (field, call) in case_type.api_calls() {
        let Some(schedule) = &call.schedule else { continue };
        let Some(at) = rows.iter().position(|row| row.field == *field) else {
            let new = NewSchedule {
                id: ScheduleId(rng.uuid(now)),
                workspace: saved.workspace,
                case_type_id: saved.id,
                field: field.clone(),
                cron: schedule.cron.clone(),
                timezone: schedule.timezone.clone(),
                next_at: schedule.next_after(now),
                created_at: now,
            };
            tx.insert_schedule(&new).await?;
            continue;
        };
        let row = rows.swap_remove(at);
        if (&row.cron, &row.timezone) != (&schedule.cron, &schedule.timezone) {
            let next = schedule.next_after(now);
            tx.change_schedule(row.id, &schedule.cron, &schedule.timezone, next).await?;
        }
    }
    for gone in rows {
        tx.delete_schedule(gone.id).await?;
    }
    Ok(())
}
