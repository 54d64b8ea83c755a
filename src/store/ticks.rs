//! Ticks of schedules: begun once, gone on with page by page.
//!
//! A tick under way stands in its schedule's row: `tick_at` is the time it was due, `tick_after`
//! the last case that it has looked at. Whoever goes on holds the row until the page is written,
//! so every case is looked at once per tick, however many processes tick and wherever one died.

use sea_orm::QueryResult;
use uuid::Uuid;

use super::claimed::case;
use super::error::StoreError;
use super::rows::Columns;
use super::schedules::ScheduleRow;
use super::statement::{int, list, maybe_ms, maybe_uuid, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::case::Case;
use crate::domain::clock::Instant;
use crate::domain::ids::{CaseId, CaseTypeId, FieldKey, ScheduleId, WorkspaceId};

/// Cases that one page looks at; of these it takes at most [`TAKEN`].
const LOOKED_AT: i64 = 128;

/// Cases that one page fires.
const TAKEN: usize = 16;

/// A tick that is under way, held by this transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldTick {
    /// Its schedule.
    pub schedule: ScheduleId,
    /// The case type of the field.
    pub case_type_id: CaseTypeId,
    /// The field.
    pub field: FieldKey,
    /// When it was due, or asked for.
    pub at: Instant,
    /// When it began: later cases are not part of it, and ages are measured against it.
    pub began_at: Instant,
    /// The last case that it has looked at.
    after: Option<CaseId>,
}

impl HeldTick {
    /// Where the next page begins; below every id when it is the first. A bound that is always
    /// there lets the database go straight to it.
    fn after_or_first(&self) -> Uuid {
        self.after.map_or(Uuid::nil(), |case| case.0)
    }
}

/// Which cases a tick fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Fields whose data was fetched after this are fresh enough; none: no field is.
    pub fresh_after: Option<Instant>,
    /// Whether closed cases are fired, too.
    pub include_closed: bool,
}

/// A part of the cases of a tick.
#[derive(Debug, Clone)]
pub struct TickPage {
    /// The cases to fire, at most 16.
    pub cases: Vec<Case>,
    /// The last case that was looked at; none: there is no further one.
    pub after: Option<CaseId>,
}

impl Tx {
    /// Schedules of all workspaces that are due, the longest overdue first. One whose tick is
    /// under way waits for its end.
    pub async fn due_schedules(&self, now: Instant, limit: u32) -> Result<Vec<ScheduleRow>, StoreError> {
        let tail = "next_at <= $1 AND NOT paused AND tick_at IS NULL ORDER BY next_at LIMIT $2";
        self.schedules_where(tail, vec![ms(now), int(limit)]).await
    }

    /// Begins the tick of a due schedule, whatever number of ticks it has missed; `false`:
    /// somebody else has begun it, or the schedule has changed.
    pub async fn begin_tick(
        &self,
        due: &ScheduleRow,
        next_at: Option<Instant>,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let statement = "UPDATE schedule SET tick_at = next_at, tick_after = NULL, next_at = $1, last_tick_at = $2, \
             last_runs = 0 WHERE id = $3 AND next_at = $4 AND NOT paused AND tick_at IS NULL";
        let values = vec![maybe_ms(next_at), ms(now), uuid(due.id.0), maybe_ms(due.next_at)];
        Ok(self.execute(sql(statement, values)).await? > 0)
    }

    /// Begins a tick that somebody asked for; its times stay. `false`: one is under way.
    pub async fn begin_tick_now(
        &self,
        workspace: WorkspaceId,
        id: ScheduleId,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let statement = "UPDATE schedule SET tick_at = $1, tick_after = NULL, last_tick_at = $1, last_runs = 0 \
             WHERE id = $2 AND workspace_id = $3 AND tick_at IS NULL";
        Ok(self.execute(sql(statement, vec![ms(now), uuid(id.0), uuid(workspace.0)])).await? > 0)
    }

    /// Schedules of all workspaces with a tick under way.
    pub async fn ticks_under_way(&self) -> Result<Vec<ScheduleId>, StoreError> {
        let rows = self.all(sql("SELECT id FROM schedule WHERE tick_at IS NOT NULL ORDER BY id", vec![]));
        rows.await?.iter().map(|row| Ok(ScheduleId(row.try_get_by_index(0)?))).collect()
    }

    /// Takes hold of a schedule's tick until this transaction ends; none: there is none under way.
    pub async fn hold_tick(&self, id: ScheduleId) -> Result<Option<HeldTick>, StoreError> {
        // Writes what is there: that keeps others from the row on every database.
        let statement = "UPDATE schedule SET tick_at = tick_at WHERE id = $1 AND tick_at IS NOT NULL \
             RETURNING id, case_type_id, field, tick_at, COALESCE(last_tick_at, tick_at), tick_after";
        let row = self.one(sql(statement, vec![uuid(id.0)])).await?;
        row.as_ref().map(held).transpose()
    }

    /// The next cases of a held tick, held until this transaction ends.
    pub async fn hold_page(&self, tick: &HeldTick, due: Due) -> Result<TickPage, StoreError> {
        let mut page = self.page_of_tick(tick, due).await?;
        let held = self.hold_cases(page.cases.iter().map(|case| case.id)).await?;
        page.cases.retain(|case| held.contains(&case.id));
        Ok(page)
    }

    async fn page_of_tick(&self, tick: &HeldTick, due: Due) -> Result<TickPage, StoreError> {
        let until = self.end_of_page(tick).await?;
        let statement = "SELECT cases.id, cases.workspace_id, cases.case_type_id, key, reference, title, cases.status, \
             custom_status, assignee, cases.version, revision, cases.created_at, cases.updated_at FROM cases \
             JOIN case_type ON case_type.id = cases.case_type_id \
             LEFT JOIN field_state ON field_state.case_id = cases.id AND field_state.field = $1 \
             WHERE cases.case_type_id = $2 AND cases.id > $3 AND cases.id <= $4 AND cases.created_at <= $5 \
             AND ($6 OR cases.status <> 'closed') AND ($7 IS NULL OR fetched_at IS NULL OR fetched_at <= $7) ORDER BY cases.id LIMIT $8";
        let values = vec![
            text(tick.field.as_str()),
            uuid(tick.case_type_id.0),
            uuid(tick.after_or_first()),
            uuid(until.unwrap_or(Uuid::max())),
            ms(tick.began_at),
            sea_orm::Value::from(due.include_closed),
            maybe_ms(due.fresh_after),
            int(i64::try_from(TAKEN).unwrap_or(i64::MAX)),
        ];
        let rows = self.all(sql(statement, values)).await?;
        let cases: Vec<Case> =
            rows.iter().map(|row| case(&mut Columns::of("cases", row)?)).collect::<Result<_, _>>()?;
        let after = match cases.last() {
            Some(last) if cases.len() == TAKEN => Some(last.id),
            _ => until.map(CaseId),
        };
        Ok(TickPage { cases, after })
    }

    /// The last case that the next page looks at; none: all that are left.
    async fn end_of_page(&self, tick: &HeldTick) -> Result<Option<Uuid>, StoreError> {
        let statement =
            "SELECT id FROM cases WHERE case_type_id = $1 AND id > $2 ORDER BY id LIMIT 1 OFFSET $3";
        let values = vec![uuid(tick.case_type_id.0), uuid(tick.after_or_first()), int(LOOKED_AT - 1)];
        let row = self.one(sql(statement, values)).await?;
        Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
    }

    /// Notes how far a held tick has come and how many runs it has queued on the way.
    pub async fn advance_tick(
        &self,
        tick: &HeldTick,
        after: Option<CaseId>,
        queued: usize,
    ) -> Result<(), StoreError> {
        let statement = "UPDATE schedule SET tick_at = CASE WHEN $1 IS NULL THEN NULL ELSE tick_at END, tick_after = $1, \
             last_runs = last_runs + $2 WHERE id = $3";
        let queued = int(i64::try_from(queued).unwrap_or(i64::MAX));
        let values = vec![maybe_uuid(after.map(|case| case.0)), queued, uuid(tick.schedule.0)];
        self.execute(sql(statement, values)).await.map(drop)
    }

    /// Counts on each of these cases a change that is not in its own row.
    pub async fn touch_cases(&self, cases: &[Case], at: Instant) -> Result<(), StoreError> {
        if cases.is_empty() {
            return Ok(());
        }
        let statement = format!(
            "UPDATE cases SET revision = revision + 1, updated_at = $1 WHERE id IN ({})",
            list(cases.len(), 2)
        );
        let values = std::iter::once(ms(at)).chain(cases.iter().map(|case| uuid(case.id.0))).collect();
        self.execute(sql(statement, values)).await.map(drop)
    }
}

fn held(row: &QueryResult) -> Result<HeldTick, StoreError> {
    let mut columns = Columns::of("schedule", row)?;
    Ok(HeldTick {
        schedule: ScheduleId(columns.id()),
        case_type_id: CaseTypeId(columns.get()?),
        field: columns.word(|text| text.parse().ok())?,
        at: columns.at()?,
        began_at: columns.at()?,
        after: columns.get::<Option<Uuid>>()?.map(CaseId),
    })
}
