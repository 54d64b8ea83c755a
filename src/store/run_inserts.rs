//! Runs on their way into the queue, as rows.

use sea_orm::Value;

use super::error::StoreError;
use super::statement::{
    CHUNK, int, json, maybe_json, maybe_ms, maybe_text, maybe_uuid, ms, sql, text, tuples, uuid,
};
use super::tx::Tx;
use crate::domain::ids::{ConnectionKey, EndpointKey, RunId};
use crate::domain::run::{Joined, KeptKey, NewRun, Priority};

/// What a firing may change about a run that waits.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) id: RunId,
    pub(super) priority: Priority,
    pub(super) depth: u32,
    pub(super) parent: Option<RunId>,
    pub(super) force: bool,
    pub(super) overwrite: bool,
    pub(super) input: Option<serde_json::Value>,
    pub(super) old: Option<serde_json::Value>,
    pub(super) retry_of: Option<RunId>,
    pub(super) kept: Option<KeptKey>,
    pub(super) joined: Vec<Joined>,
}

impl Pending {
    /// A firing as a run of its own.
    pub(super) fn of(firing: &NewRun) -> Self {
        Self {
            id: firing.id,
            priority: firing.priority,
            depth: firing.depth,
            parent: firing.parent_run_id,
            force: firing.force,
            overwrite: firing.overwrite,
            input: firing.input.clone(),
            old: firing.old.clone(),
            retry_of: firing.retry_of,
            kept: firing.kept_key.clone(),
            joined: Vec::new(),
        }
    }
}

/// Writes what joining has changed.
pub(super) async fn save(tx: &Tx, run: &Pending) -> Result<(), StoreError> {
    let statement = "UPDATE run SET joined = $1, priority = $2, force = $3, overwrite = $4, input = $5, depth = $6, \
         parent_run_id = $7, old = $8, retry_of = $9, idempotency_key = COALESCE($10, idempotency_key), \
         fingerprint = COALESCE($11, fingerprint) WHERE id = $12";
    let values = vec![
        json(&run.joined),
        int(run.priority.rank()),
        Value::from(run.force),
        Value::from(run.overwrite),
        maybe_json(run.input.as_ref()),
        int(run.depth),
        maybe_uuid(run.parent.map(|id| id.0)),
        maybe_json(run.old.as_ref()),
        maybe_uuid(run.retry_of.map(|id| id.0)),
        maybe_text(run.kept.as_ref().map(|kept| kept.key.clone())),
        Value::from(run.kept.as_ref().map(|kept| kept.fingerprint.clone())),
        uuid(run.id.0),
    ];
    tx.execute(sql(statement, values)).await?;
    Ok(())
}

/// Queues runs of cases that have none yet.
pub(super) async fn insert(tx: &Tx, runs: &[&NewRun]) -> Result<(), StoreError> {
    let rows: Vec<Pending> = runs.iter().map(|run| Pending::of(run)).collect();
    insert_rows(tx, runs, &rows).await
}

const COLUMNS: &str = "id, workspace_id, case_id, case_type_id, case_type, case_type_version, field, trigger, priority, \
     due_at, attempts_max, idempotency_key, fingerprint, retry_of, schedule_id, tick_at, depth, parent_run_id, joined, \
     input, old, force, overwrite, created_at, connection, lane, endpoint, fired_by";
const COLUMN_COUNT: usize = 28;

pub(super) async fn insert_rows(tx: &Tx, runs: &[&NewRun], rows: &[Pending]) -> Result<(), StoreError> {
    let both: Vec<_> = runs.iter().zip(rows).collect();
    for chunk in both.chunks(CHUNK) {
        let values = chunk.iter().flat_map(|(run, row)| row_values(run, row)).collect();
        let statement = format!(
            "WITH fired ({COLUMNS}) AS (VALUES {}) INSERT INTO run ({COLUMNS}, status, begun, waiting_for, attempt, \
             limited, lost, cached) SELECT {COLUMNS}, 'queued', FALSE, 'worker', 0, 0, 0, FALSE FROM fired",
            tuples(chunk.len(), COLUMN_COUNT, 1)
        );
        tx.execute(sql(statement, values)).await?;
    }
    Ok(())
}

fn row_values(run: &NewRun, row: &Pending) -> [Value; COLUMN_COUNT] {
    let key = row.kept.as_ref().map_or_else(|| run.id.to_string(), |kept| kept.key.clone());
    let joined = (!row.joined.is_empty()).then_some(&row.joined);
    [
        uuid(run.id.0),
        uuid(run.workspace.0),
        uuid(run.case_id.0),
        uuid(run.case_type_id.0),
        text(run.case_type.as_str()),
        int(run.case_type_version),
        text(run.field.as_str()),
        text(run.trigger.as_str()),
        int(row.priority.rank()),
        ms(run.created_at),
        int(run.attempts_max),
        text(key),
        Value::from(row.kept.as_ref().map(|kept| kept.fingerprint.clone())),
        maybe_uuid(row.retry_of.map(|id| id.0)),
        maybe_uuid(run.tick.map(|(schedule, _)| schedule.0)),
        maybe_ms(run.tick.map(|(_, at)| at)),
        int(row.depth),
        maybe_uuid(row.parent.map(|id| id.0)),
        maybe_json(joined),
        maybe_json(row.input.as_ref()),
        maybe_json(row.old.as_ref()),
        Value::from(row.force),
        Value::from(row.overwrite),
        ms(run.created_at),
        maybe_text(run.connection.as_ref().map(ConnectionKey::as_str)),
        text(run.lane.as_str()),
        maybe_text(run.endpoint.as_ref().map(EndpointKey::as_str)),
        text(run.by.as_str()),
    ]
}
