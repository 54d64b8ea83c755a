//! What happened to cases, in the order of the commits.
//!
//! `case_event` says that something happened; who did it and what it touched is read from the rows
//! of the change, the run or the case that it points to. What is gone there is not told any more.
//! The order: on SQLite the one writer's count. On PostgreSQL transactions commit in another order
//! than they count, so a reader stays below the oldest one that still runs; whoever goes on from a mark
//! that it has read misses nothing and sees nothing twice. All processes use the same role there, since
//! a role does not see what transactions of others run. Transactions of another cluster, whose dump was
//! restored, are moved into the past at the start (`dialect/postgres.rs`).

use std::collections::HashMap;

use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::database::Store;
use super::dialect::Dialect;
use super::error::StoreError;
use super::rows::Columns;
use super::statement::{int, list, sql, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::event::{Event, EventKind, EventMark};
use crate::domain::ids::{CaseId, FieldKey, RunId, WorkspaceId};
use crate::domain::run::LiveRun;

/// Live runs of workspaces that are looked at, at most: with more the stream tells their ends only.
const MOST_LIVE: i64 = 1_000;

/// Events of what to read; what is in either of the lists.
#[derive(Debug, Clone, Default)]
pub struct EventScope {
    /// Of all cases of these.
    pub workspaces: Vec<WorkspaceId>,
    /// Of these cases, each with its workspace.
    pub cases: Vec<(WorkspaceId, CaseId)>,
}

/// A field with a live run.
#[derive(Debug, Clone)]
pub struct LiveField {
    /// The workspace of its case.
    pub workspace: WorkspaceId,
    /// Its case.
    pub case_id: CaseId,
    /// The run that it shows.
    pub run: LiveRun,
}

const COLUMNS: &str = "event.case_id, event.workspace_id, event.tx, event.seq, event.kind, event.at, event.run_id, \
     case_change.by, case_change.paths, run.field, run.written, \
     CASE WHEN event.kind = 'case.created' THEN cases.provenance END";

const TABLES: &str = "FROM case_event AS event JOIN cases ON cases.id = event.case_id \
     LEFT JOIN case_change ON event.kind = 'case.changed' AND case_change.case_id = event.case_id \
       AND case_change.version = event.version \
     LEFT JOIN run ON run.id = event.run_id";

const KEPT: &str = "(event.kind = 'case.created' OR event.kind = 'case.changed' AND case_change.version IS NOT NULL \
     OR event.kind = 'run.ended' AND run.id IS NOT NULL)";

/// Everything below the oldest transaction that writes in this database: those of other databases of
/// the cluster, which a snapshot knows of, too, would hold all streams up. Numbers of running ones
/// have lost their upper half.
const BELOW_ALL: &str = "SELECT LEAST(next, (SELECT MIN(CASE WHEN number > next THEN number - 4294967296 ELSE number END) \
     FROM (SELECT next - next % 4294967296 + backend_xid::text::bigint AS number FROM pg_stat_activity \
       WHERE datname = current_database() AND backend_xid IS NOT NULL) AS running)) - 1, 9223372036854775807 \
     FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS seen";

/// The oldest transaction that writes, if committed events wait behind it: the process that serves it
/// there, and its age in seconds.
const HELD_UP: &str = "SELECT pid::bigint, COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - xact_start), 0)::bigint \
     FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL \
       AND EXISTS (SELECT 1 FROM case_event WHERE tx > $1) ORDER BY age(backend_xid) DESC LIMIT 1";

impl Store {
    /// The end of what can be read from now on without a gap. Reads that rest on it must begin after it.
    pub async fn event_end(&self) -> Result<EventMark, StoreError> {
        let tx = self.read().await?;
        let statement = match tx.dialect() {
            Dialect::Sqlite => "SELECT 0, COALESCE(MAX(seq), 0) FROM case_event",
            Dialect::Postgres => BELOW_ALL,
        };
        let Some(row) = tx.one(sql(statement, Vec::new())).await? else { return Ok(EventMark::default()) };
        Ok(EventMark { tx: row.try_get_by_index(0)?, seq: row.try_get_by_index(1)? })
    }

    /// Whose transaction keeps committed events behind `end` from being read: the process of the
    /// database, and the seconds since it began. None: nobody's, or there are none.
    pub async fn event_held_up(&self, end: EventMark) -> Result<Option<(i64, i64)>, StoreError> {
        let tx = self.read().await?;
        if tx.dialect() == Dialect::Sqlite {
            return Ok(None);
        }
        let row = tx.one(sql(HELD_UP, vec![int(end.tx)])).await?;
        row.map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).transpose()
    }
}

impl Tx {
    /// Up to `limit` events behind `after`, up to `end`, in order.
    pub async fn events(
        &self,
        scope: &EventScope,
        (after, end): (EventMark, EventMark),
        limit: i64,
    ) -> Result<Vec<Event>, StoreError> {
        let mut values = vec![int(after.seq), int(end.seq)];
        let between = match self.dialect() {
            Dialect::Sqlite => "event.seq > $1 AND event.seq <= $2",
            Dialect::Postgres => {
                values.extend([int(after.tx), int(end.tx)]);
                "(event.tx, event.seq) > ($3, $1) AND (event.tx, event.seq) <= ($4, $2)"
            }
        };
        let workspaces = bound(&mut values, scope.workspaces.iter().map(|id| id.0));
        let cases = bound(&mut values, scope.cases.iter().map(|(_, id)| id.0));
        values.push(int(limit));
        let statement = format!(
            "SELECT {COLUMNS} {TABLES} WHERE {between} AND {KEPT} \
             AND (event.workspace_id IN ({workspaces}) OR event.case_id IN ({cases})) \
             ORDER BY event.tx, event.seq LIMIT ${}",
            values.len()
        );
        let statement = match self.dialect() {
            Dialect::Sqlite => statement.replace("ORDER BY event.tx, event.seq", "ORDER BY event.seq"),
            Dialect::Postgres => statement,
        };
        self.all(sql(statement, values)).await?.iter().map(event).collect()
    }

    /// A page of what happened to a case, or to all of a workspace, before or behind a place, if one
    /// is given.
    pub async fn list_events(
        &self,
        workspace: WorkspaceId,
        case: Option<CaseId>,
        (from, newest_first): (Option<i64>, bool),
        limit: u64,
    ) -> Result<Vec<Event>, StoreError> {
        let (operator, direction) = if newest_first { ("<", "DESC") } else { (">", "ASC") };
        let mut values = vec![uuid(workspace.0), int(i64::try_from(limit).unwrap_or(i64::MAX))];
        let mut place = String::new();
        if let Some(case) = case {
            values.push(uuid(case.0));
            place = format!(" AND event.case_id = ${}", values.len());
        }
        if let Some(seq) = from {
            values.push(int(seq));
            place = format!("{place} AND event.seq {operator} ${}", values.len());
        }
        let statement = format!(
            "SELECT {COLUMNS} {TABLES} WHERE event.workspace_id = $1{place} AND {KEPT} \
             ORDER BY event.seq {direction} LIMIT $2"
        );
        self.all(sql(statement, values)).await?.iter().map(event).collect()
    }

    /// How many of them are kept, counted up to `most`.
    pub async fn count_events(
        &self,
        workspace: WorkspaceId,
        case: Option<CaseId>,
        most: u64,
    ) -> Result<u64, StoreError> {
        let mut values = vec![uuid(workspace.0), int(i64::try_from(most).unwrap_or(i64::MAX))];
        let place = if case.is_some() { " AND event.case_id = $3" } else { "" };
        values.extend(case.map(|case| uuid(case.0)));
        let statement = format!(
            "SELECT COUNT(*) FROM (SELECT 1 {TABLES} WHERE event.workspace_id = $1{place} AND {KEPT} LIMIT $2) AS counted"
        );
        self.number(sql(statement, values)).await
    }

    /// What the fields of these cases show of live runs, and, as far as they are not too many, those
    /// of all cases of these workspaces.
    pub async fn live_fields(&self, scope: &EventScope) -> Result<Vec<LiveField>, StoreError> {
        let mut found = HashMap::new();
        let mut cases = scope.cases.clone();
        for workspace in &scope.workspaces {
            cases.extend(self.busy_cases(*workspace).await?.into_iter().map(|case| (*workspace, case)));
        }
        let workspaces: HashMap<Uuid, WorkspaceId> =
            cases.into_iter().map(|(workspace, case)| (case.0, workspace)).collect();
        let ids: Vec<_> = workspaces.keys().copied().collect();
        for chunk in ids.chunks(512) {
            self.read_live(&filled(chunk), &mut found).await?;
        }
        let mut live = Vec::new();
        for (case, runs) in found {
            let mut shown: HashMap<FieldKey, LiveRun> = HashMap::new();
            for run in runs {
                shown.entry(run.field.clone()).or_insert(run);
            }
            let Some(workspace) = workspaces.get(&case).copied() else { continue };
            let case_id = CaseId(case);
            live.extend(shown.into_values().map(|run| LiveField { workspace, case_id, run }));
        }
        Ok(live)
    }

    async fn busy_cases(&self, workspace: WorkspaceId) -> Result<Vec<CaseId>, StoreError> {
        let mut cases = Vec::new();
        for part in ["status = 'running' AND lease_until > 0", "status = 'queued' AND NOT parked"] {
            let statement = format!("SELECT case_id FROM run WHERE workspace_id = $1 AND {part} LIMIT $2");
            for row in self.all(sql(statement, vec![uuid(workspace.0), int(MOST_LIVE)])).await? {
                cases.push(CaseId(row.try_get_by_index(0)?));
            }
        }
        Ok(cases)
    }

    /// Forgets the oldest `limit` events as far as they are of before `cutoff`; answers how many.
    pub async fn forget_old_events(&self, cutoff: Instant, limit: u32) -> Result<u64, StoreError> {
        let statement = "DELETE FROM case_event WHERE seq IN (SELECT seq FROM (SELECT seq, at FROM case_event \
             ORDER BY seq LIMIT $2) AS oldest WHERE oldest.at < $1)";
        self.execute(sql(statement, vec![int(cutoff.timestamp_millis()), int(limit)])).await
    }
}

fn bound(values: &mut Vec<Value>, ids: impl Iterator<Item = Uuid>) -> String {
    let (first, filled) = (values.len() + 1, filled(&ids.collect::<Vec<_>>()));
    let places = list(filled.len(), first);
    values.extend(filled);
    places
}

/// Ids, repeated up to a power of two: few sizes mean few prepared statements.
fn filled(ids: &[Uuid]) -> Vec<Value> {
    let Some(last) = ids.last() else { return Vec::new() };
    let size = ids.len().next_power_of_two();
    ids.iter().chain(std::iter::repeat_n(last, size - ids.len())).map(|id| uuid(*id)).collect()
}

fn event(row: &QueryResult) -> Result<Event, StoreError> {
    let mut columns = Columns::of("case_event", row)?;
    let mut event = Event {
        case_id: CaseId(columns.id()),
        workspace: WorkspaceId(columns.get()?),
        mark: EventMark { tx: columns.get()?, seq: columns.get()? },
        kind: columns.word(EventKind::parse)?,
        at: columns.at()?,
        run_id: columns.get::<Option<Uuid>>()?.map(RunId),
        by: columns.get()?,
        paths: columns.maybe_json()?.unwrap_or_default(),
        field: None,
        live: None,
    };
    event.field = columns.maybe_word(|text| text.parse().ok())?;
    if let Some(written) = columns.maybe_json::<Vec<String>>()? {
        event.paths = written.into_iter().map(|path| format!("data.{path}")).collect();
    }
    if let Some(provenance) = columns.maybe_json::<HashMap<String, serde_json::Value>>()? {
        event.by = provenance.get("").and_then(|entry| entry["by"].as_str()).map(str::to_owned);
    }
    Ok(event)
}
