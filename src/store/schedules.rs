//! Schedules: one row for each field that has one, with the time of its next tick.
//!
//! The row follows the case type: it is made, changed and removed in the transaction that saves
//! a version. What a tick does to it stands in `ticks.rs`.

use sea_orm::{QueryResult, Value};

use super::error::StoreError;
use super::rows::Columns;
use super::statement::{int, maybe_ms, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{CaseTypeId, CaseTypeKey, FieldKey, ScheduleId, WorkspaceId};

/// A schedule as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRow {
    /// Its id.
    pub id: ScheduleId,
    /// Its tenant.
    pub workspace: WorkspaceId,
    /// The case type of its field.
    pub case_type_id: CaseTypeId,
    /// That type's key.
    pub case_type: CaseTypeKey,
    /// Its field.
    pub field: FieldKey,
    /// The cron line.
    pub cron: String,
    /// The IANA zone in which the line is read.
    pub timezone: String,
    /// Whether it is held by somebody.
    pub paused: bool,
    /// When it is due; none: paused, or the line names no time to come.
    pub next_at: Option<Instant>,
    /// Whether a tick of it is under way.
    pub ticking: bool,
    /// When its last tick began.
    pub last_tick_at: Option<Instant>,
    /// Runs that this tick has queued so far.
    pub last_runs: u32,
}

/// A schedule that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSchedule {
    /// Its id.
    pub id: ScheduleId,
    /// Its tenant.
    pub workspace: WorkspaceId,
    /// The case type of its field.
    pub case_type_id: CaseTypeId,
    /// Its field.
    pub field: FieldKey,
    /// The cron line.
    pub cron: String,
    /// The IANA zone in which the line is read.
    pub timezone: String,
    /// When it is due.
    pub next_at: Option<Instant>,
    /// Now.
    pub created_at: Instant,
}

/// Which schedules to list; everything given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScheduleFilter {
    /// Schedules of this case type.
    pub case_type: Option<String>,
    /// Schedules of fields with this key.
    pub field: Option<String>,
}

impl ScheduleFilter {
    /// The condition, with its values bound from `$1` on.
    fn condition(&self, workspace: WorkspaceId) -> (String, Vec<Value>) {
        let mut condition = "schedule.workspace_id = $1".to_owned();
        let mut values = vec![uuid(workspace.0)];
        for (column, value) in [("case_type.key", &self.case_type), ("schedule.field", &self.field)] {
            if let Some(value) = value {
                values.push(text(value.as_str()));
                condition = format!("{condition} AND {column} = ${}", values.len());
            }
        }
        (condition, values)
    }
}

const SELECT: &str = "SELECT schedule.id, schedule.workspace_id, case_type_id, key, field, cron, timezone, paused, next_at, \
     tick_at, last_tick_at, last_runs FROM schedule JOIN case_type ON case_type.id = case_type_id";

fn schedule(row: &QueryResult) -> Result<ScheduleRow, StoreError> {
    let mut columns = Columns::of("schedule", row)?;
    Ok(ScheduleRow {
        id: ScheduleId(columns.id()),
        workspace: WorkspaceId(columns.get()?),
        case_type_id: CaseTypeId(columns.get()?),
        case_type: columns.word(|text| text.parse().ok())?,
        field: columns.word(|text| text.parse().ok())?,
        cron: columns.get()?,
        timezone: columns.get()?,
        paused: columns.get()?,
        next_at: columns.maybe_at()?,
        ticking: columns.maybe_at()?.is_some(),
        last_tick_at: columns.maybe_at()?,
        last_runs: columns.count()?,
    })
}

impl Tx {
    /// Schedules by what follows the `WHERE`.
    pub(super) async fn schedules_where(
        &self,
        tail: &str,
        values: Vec<Value>,
    ) -> Result<Vec<ScheduleRow>, StoreError> {
        let rows = self.all(sql(format!("{SELECT} WHERE {tail}"), values)).await?;
        rows.iter().map(schedule).collect()
    }

    /// Schedules of the workspace, oldest first, those after `after` only.
    pub async fn list_schedules(
        &self,
        workspace: WorkspaceId,
        filter: &ScheduleFilter,
        after: Option<ScheduleId>,
        limit: u64,
    ) -> Result<Vec<ScheduleRow>, StoreError> {
        let (mut condition, mut values) = filter.condition(workspace);
        if let Some(after) = after {
            values.push(uuid(after.0));
            condition = format!("{condition} AND schedule.id > ${}", values.len());
        }
        values.push(int(i64::try_from(limit).unwrap_or(i64::MAX)));
        let tail = format!("{condition} ORDER BY schedule.id LIMIT ${}", values.len());
        self.schedules_where(&tail, values).await
    }

    /// How many schedules match, counted up to `most`.
    pub async fn count_schedules(
        &self,
        workspace: WorkspaceId,
        filter: &ScheduleFilter,
        most: u64,
    ) -> Result<u64, StoreError> {
        let (condition, mut values) = filter.condition(workspace);
        values.push(int(i64::try_from(most).unwrap_or(i64::MAX)));
        let statement = format!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM schedule JOIN case_type ON case_type.id = case_type_id \
             WHERE {condition} LIMIT ${}) AS found",
            values.len()
        );
        self.number(sql(statement, values)).await
    }

    /// A schedule of the workspace.
    pub async fn find_schedule(
        &self,
        workspace: WorkspaceId,
        id: ScheduleId,
    ) -> Result<Option<ScheduleRow>, StoreError> {
        let values = vec![uuid(id.0), uuid(workspace.0)];
        Ok(self.schedules_where("schedule.id = $1 AND schedule.workspace_id = $2", values).await?.pop())
    }

    /// The schedules of a case type.
    pub async fn schedules_of_type(
        &self,
        workspace: WorkspaceId,
        case_type: CaseTypeId,
    ) -> Result<Vec<ScheduleRow>, StoreError> {
        let values = vec![uuid(workspace.0), uuid(case_type.0)];
        self.schedules_where("schedule.workspace_id = $1 AND case_type_id = $2", values).await
    }

    /// Adds a schedule that has not ticked yet.
    pub async fn insert_schedule(&self, new: &NewSchedule) -> Result<(), StoreError> {
        let statement = "INSERT INTO schedule (id, workspace_id, case_type_id, field, cron, timezone, paused, next_at, \
             last_runs, created_at) VALUES ($1, $2, $3, $4, $5, $6, FALSE, $7, 0, $8)";
        let values = vec![
            uuid(new.id.0),
            uuid(new.workspace.0),
            uuid(new.case_type_id.0),
            text(new.field.as_str()),
            text(new.cron.as_str()),
            text(new.timezone.as_str()),
            maybe_ms(new.next_at),
            ms(new.created_at),
        ];
        self.execute(sql(statement, values)).await.map(drop)
    }

    /// Gives a schedule another line; the next tick follows from it unless the schedule is paused.
    pub async fn change_schedule(
        &self,
        id: ScheduleId,
        cron: &str,
        timezone: &str,
        next_at: Option<Instant>,
    ) -> Result<(), StoreError> {
        let statement = "UPDATE schedule SET cron = $1, timezone = $2, next_at = CASE WHEN paused THEN NULL ELSE $3 END \
             WHERE id = $4";
        let values = vec![text(cron), text(timezone), maybe_ms(next_at), uuid(id.0)];
        self.execute(sql(statement, values)).await.map(drop)
    }

    /// Removes a schedule; a tick of it that is under way ends.
    pub async fn delete_schedule(&self, id: ScheduleId) -> Result<(), StoreError> {
        self.execute(sql("DELETE FROM schedule WHERE id = $1", vec![uuid(id.0)])).await.map(drop)
    }

    /// Holds a schedule; a tick of it that is under way ends where it is.
    pub async fn pause_schedule(&self, id: ScheduleId) -> Result<(), StoreError> {
        let statement = "UPDATE schedule SET paused = TRUE, next_at = NULL, tick_at = NULL, tick_after = NULL \
             WHERE id = $1";
        self.execute(sql(statement, vec![uuid(id.0)])).await.map(drop)
    }

    /// Lets a schedule go on; one that is not paused stays as it is.
    pub async fn resume_schedule(&self, id: ScheduleId, next_at: Option<Instant>) -> Result<(), StoreError> {
        let statement = "UPDATE schedule SET paused = FALSE, next_at = $1 WHERE id = $2 AND paused";
        self.execute(sql(statement, vec![maybe_ms(next_at), uuid(id.0)])).await.map(drop)
    }
}
