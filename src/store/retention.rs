//! What has been kept long enough, found and deleted in small steps; long answers that a newer one
//! has followed are cut the same way.
//!
//! Ids grow with time, so the oldest rows stand first in their primary keys: a step looks at a
//! few rows behind the place where the last one ended, and needs no index of its own. Looking is
//! reading; the writer is asked only for what is to go. A field's last good and last failed run,
//! and the one that it shows, always stay.

use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::error::StoreError;
use super::statement::{CHUNK, int, list, ms, sql, tuples, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{CaseId, RunId};

/// The body of one attempt.
pub type BodyMark = (RunId, i64);

/// One noted change of a case: its version after it.
pub type ChangeMark = (CaseId, i64);

/// What a step found.
#[derive(Debug, Clone)]
pub struct Found<M> {
    /// What is to go.
    pub gone: Vec<M>,
    /// Where the next step goes on; none: it begins again with the oldest.
    pub next: Option<M>,
}

/// Longest body in the history, in characters, of runs that are neither the last good nor the
/// last failed one of their field.
pub(super) const SHORT_BODY: usize = 65_536;

/// Holds for a run that ended before `$3` and that its field does not show any more.
const OUTLIVED: &str = "run.ended_at < $3 AND NOT EXISTS (SELECT 1 FROM field_state AS state \
     WHERE state.case_id = run.case_id AND state.field = run.field \
     AND (state.run_id = run.id OR state.good_run_id = run.id OR state.failed_run_id = run.id))";

impl Tx {
    /// Looks at up to `limit` runs behind `after` for those that ended before `cutoff`.
    pub async fn old_runs(
        &self,
        after: Option<RunId>,
        cutoff: Instant,
        limit: u32,
    ) -> Result<Found<RunId>, StoreError> {
        let statement = format!(
            "SELECT id, CAST(0 AS BIGINT), COALESCE({OUTLIVED}, FALSE) FROM run WHERE id > $1 AND id < $2 ORDER BY id LIMIT $4"
        );
        let after = after.map_or(Uuid::nil(), |run| run.0);
        let values = vec![uuid(after), uuid(first_id(cutoff)), ms(cutoff), int(limit)];
        let found = found(&self.all(sql(statement, values)).await?, limit)?;
        let run = |(id, _)| RunId(id);
        Ok(Found { gone: found.gone.into_iter().map(run).collect(), next: found.next.map(run) })
    }

    /// Deletes runs with their attempts and bodies.
    pub async fn delete_runs(&self, runs: &[RunId]) -> Result<(), StoreError> {
        for chunk in runs.chunks(CHUNK) {
            for statement in ["DELETE FROM attempt_body WHERE run_id IN", "DELETE FROM run WHERE id IN"] {
                let values = chunk.iter().map(|run| uuid(run.0)).collect();
                self.execute(sql(format!("{statement} ({})", list(chunk.len(), 1)), values)).await?;
            }
        }
        Ok(())
    }

    /// Looks at up to `limit` bodies behind `after` for those of runs that ended before `cutoff`.
    pub async fn old_bodies(
        &self,
        after: Option<BodyMark>,
        cutoff: Instant,
        limit: u32,
    ) -> Result<Found<BodyMark>, StoreError> {
        let statement = format!(
            "SELECT body.run_id, body.number, run.id IS NULL OR COALESCE({OUTLIVED}, FALSE) FROM attempt_body AS body \
             LEFT JOIN run ON run.id = body.run_id WHERE (body.run_id, body.number) > ($1, $5) AND body.run_id < $2 \
             ORDER BY body.run_id, body.number LIMIT $4"
        );
        let (run, number) = after.map_or((Uuid::nil(), 0), |(run, number)| (run.0, number));
        let values = vec![uuid(run), uuid(first_id(cutoff)), ms(cutoff), int(limit), int(number)];
        let found = found(&self.all(sql(statement, values)).await?, limit)?;
        let body = |(id, number)| (RunId(id), number);
        Ok(Found { gone: found.gone.into_iter().map(body).collect(), next: found.next.map(body) })
    }

    /// Deletes bodies; their attempts stay.
    pub async fn delete_bodies(&self, bodies: &[BodyMark]) -> Result<(), StoreError> {
        let marks: Vec<_> = bodies.iter().map(|(run, number)| (run.0, *number)).collect();
        self.delete_marks("attempt_body", "run_id, number", &marks).await
    }

    /// Looks at up to `limit` long answers of runs behind `after` for those that a newer one of their
    /// field has followed. Only the index of long answers is read.
    pub async fn old_long_bodies(
        &self,
        after: Option<RunId>,
        limit: u32,
    ) -> Result<Found<BodyMark>, StoreError> {
        let statement = "SELECT body.run_id, body.number, run.ended_at IS NOT NULL AND NOT EXISTS (SELECT 1 \
             FROM field_state AS state WHERE state.case_id = run.case_id AND state.field = run.field \
             AND (state.good_run_id = run.id OR state.failed_run_id = run.id)) \
             FROM attempt_body AS body JOIN run ON run.id = body.run_id \
             WHERE length(body.response) > 65536 AND body.run_id > $1 ORDER BY body.run_id LIMIT $2";
        let values = vec![uuid(after.map_or(Uuid::nil(), |run| run.0)), int(limit)];
        let found = found(&self.all(sql(statement, values)).await?, limit)?;
        let body = |(id, number)| (RunId(id), number);
        Ok(Found { gone: found.gone.into_iter().map(body).collect(), next: found.next.map(body) })
    }

    /// Cuts these answers.
    pub async fn cut_bodies(&self, bodies: &[BodyMark]) -> Result<(), StoreError> {
        let length = i64::try_from(SHORT_BODY).unwrap_or(i64::MAX);
        for chunk in bodies.chunks(CHUNK) {
            let marks = chunk.iter().flat_map(|(run, number)| [uuid(run.0), int(*number)]);
            let statement = format!(
                "UPDATE attempt_body SET response = substr(response, 1, CAST($1 AS INTEGER)) \
                 WHERE (run_id, number) IN (VALUES {})",
                tuples(chunk.len(), 2, 2)
            );
            self.execute(sql(statement, [int(length)].into_iter().chain(marks).collect())).await?;
        }
        Ok(())
    }

    /// Looks at up to `limit` noted changes behind `after` for those before `cutoff`.
    pub async fn old_changes(
        &self,
        after: Option<ChangeMark>,
        cutoff: Instant,
        limit: u32,
    ) -> Result<Found<ChangeMark>, StoreError> {
        let statement = "SELECT case_id, version, at < $3 FROM case_change WHERE (case_id, version) > ($1, $5) \
             AND case_id < $2 ORDER BY case_id, version LIMIT $4";
        let (case, version) = after.map_or((Uuid::nil(), 0), |(case, version)| (case.0, version));
        let values = vec![uuid(case), uuid(first_id(cutoff)), ms(cutoff), int(limit), int(version)];
        let found = found(&self.all(sql(statement, values)).await?, limit)?;
        let change = |(id, version)| (CaseId(id), version);
        Ok(Found { gone: found.gone.into_iter().map(change).collect(), next: found.next.map(change) })
    }

    /// Deletes noted changes.
    pub async fn delete_changes(&self, changes: &[ChangeMark]) -> Result<(), StoreError> {
        let marks: Vec<_> = changes.iter().map(|(case, version)| (case.0, *version)).collect();
        self.delete_marks("case_change", "case_id, version", &marks).await
    }

    async fn delete_marks(
        &self,
        table: &str,
        columns: &str,
        marks: &[(Uuid, i64)],
    ) -> Result<(), StoreError> {
        for chunk in marks.chunks(CHUNK) {
            let values = chunk.iter().flat_map(|(id, number)| [uuid(*id), Value::from(*number)]).collect();
            let statement =
                format!("DELETE FROM {table} WHERE ({columns}) IN (VALUES {})", tuples(chunk.len(), 2, 1));
            self.execute(sql(statement, values)).await?;
        }
        Ok(())
    }
}

/// The least id that can be made at this instant (RFC 9562, section 5.7): it begins with the ms.
fn first_id(at: Instant) -> Uuid {
    let ms = u128::try_from(at.timestamp_millis()).unwrap_or_default();
    Uuid::from_u128(ms << 80)
}

/// A full page is followed by another one.
fn found(rows: &[QueryResult], limit: u32) -> Result<Found<(Uuid, i64)>, StoreError> {
    let mut gone = Vec::new();
    let mut last = None;
    for row in rows {
        let mark: (Uuid, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        if row.try_get_by_index::<bool>(2)? {
            gone.push(mark);
        }
        last = Some(mark);
    }
    let full = u32::try_from(rows.len()).is_ok_and(|count| count == limit);
    Ok(Found { gone, next: last.filter(|_| full) })
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone, Utc};

    use super::*;

    #[test]
    fn ids_of_an_instant_lie_between_its_first_and_that_of_the_next() {
        let at = Utc.with_ymd_and_hms(2026, 11, 21, 9, 0, 0).unwrap();
        let later = at + TimeDelta::milliseconds(1);
        let millis = u64::try_from(at.timestamp_millis()).unwrap();
        for random in [[0; 10], [255; 10]] {
            let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
            assert!(first_id(at) < id && id < first_id(later), "{id}");
        }
    }
}
