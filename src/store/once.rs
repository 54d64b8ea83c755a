//! Keys of requests that may be sent twice. A key's row is written in the transaction of the
//! effect: whoever finds the row finds the effect too, whatever became of the process.

use std::collections::HashSet;

use sea_orm::Value;

use super::error::StoreError;
use super::statement::{CHUNK, int, json_list, maybe_text, ms, sql, text, tuples, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::RunId;
use crate::domain::once::{KEPT_FOR, Kept, Once, Repeat};

const COLUMNS: usize = 10;
const THIS: &str = "workspace_id = $1 AND token_id = $2 AND path = $3 AND key = $4";

impl Tx {
    /// What a request with this key came to, unless that was more than 24 hours ago.
    pub async fn find_once(&self, once: &Once) -> Result<Option<Repeat>, StoreError> {
        let statement = format!(
            "SELECT body_hash, status, code, location, runs FROM idempotency WHERE {THIS} AND created_at > $5"
        );
        let mut values = key(once);
        values.push(ms(once.at - KEPT_FOR));
        let Some(row) = self.one(sql(statement, values)).await? else { return Ok(None) };
        if once.body.differs_from(&row.try_get_by_index::<Vec<u8>>(0)?) {
            return Ok(Some(Repeat::OtherBody));
        }
        let corrupt = |reason: String| StoreError::Corrupt { table: "idempotency", id: once.token.0, reason };
        let status: i64 = row.try_get_by_index(1)?;
        let runs: Option<String> = row.try_get_by_index(4)?;
        let runs: Option<Vec<RunId>> = runs
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| corrupt(error.to_string()))?;
        Ok(Some(Repeat::Same(Kept {
            status: u16::try_from(status).map_err(|_| corrupt(format!("{status} is no status")))?,
            code: row.try_get_by_index(2)?,
            location: row.try_get_by_index(3)?,
            runs: runs.unwrap_or_default(),
        })))
    }

    /// As [`Tx::find_once`], and holds the key until the transaction ends: whoever sends the same
    /// request to another process waits here for the one that is under way, before it looks at
    /// what that one changes.
    pub async fn hold_once(&self, once: &Once) -> Result<Option<Repeat>, StoreError> {
        let Once { workspace, token, path, key, .. } = once;
        self.hold_name(format!("dossier once {workspace} {token} {path} {key}")).await?;
        self.find_once(once).await
    }

    /// Keeps what a request came to. `false`: its key was used before, and nothing was written.
    pub async fn keep_once(&self, once: &Once, kept: &Kept) -> Result<bool, StoreError> {
        let statement = insert(1);
        Ok(self.execute(sql(statement, row(once, kept))).await? > 0)
    }

    /// Changes the status that a replay gets: the first request waited, and its runs have ended.
    pub async fn raise_once(&self, once: &Once, status: u16) -> Result<(), StoreError> {
        let statement = format!("UPDATE idempotency SET status = $5 WHERE {THIS} AND code IS NULL");
        let mut values = key(once);
        values.push(int(status));
        self.execute(sql(statement, values)).await.map(drop)
    }

    /// Removes keys that were used at `before` or earlier; at most `limit`.
    pub async fn forget_old_keys(&self, before: Instant, limit: u32) -> Result<u64, StoreError> {
        let statement = "DELETE FROM idempotency WHERE (workspace_id, token_id, path, key) IN \
             (SELECT workspace_id, token_id, path, key FROM idempotency WHERE created_at <= $1 LIMIT $2)";
        self.execute(sql(statement, vec![ms(before), int(limit)])).await
    }
}

/// Keeps what several requests will come to, each of which must make something of its own. Answers
/// where those things will be whose keys are used for the first time. Of several requests with one
/// key the first counts; PostgreSQL refuses a statement that meets a row twice.
pub(super) async fn enter(tx: &Tx, requests: &[(&Once, &Kept)]) -> Result<HashSet<String>, StoreError> {
    let mut entered = HashSet::with_capacity(requests.len());
    let mut seen = HashSet::with_capacity(requests.len());
    let mut firsts = requests.to_vec();
    firsts.retain(|(once, _)| seen.insert((once.workspace, once.token, &once.path, &once.key)));
    for chunk in firsts.chunks(CHUNK) {
        let values = chunk.iter().flat_map(|(once, kept)| row(once, kept)).collect();
        let rows = tx.all(sql(format!("{} RETURNING location", insert(chunk.len())), values)).await?;
        for row in rows {
            entered.extend(row.try_get_by_index::<Option<String>>(0)?);
        }
    }
    Ok(entered)
}

/// Removes a key again: what was to be made could not be.
pub(super) async fn leave(tx: &Tx, once: &Once) -> Result<(), StoreError> {
    tx.execute(sql(format!("DELETE FROM idempotency WHERE {THIS}"), key(once))).await.map(drop)
}

/// A key that is out of date gives way, all others stay.
fn insert(rows: usize) -> String {
    format!(
        "INSERT INTO idempotency (workspace_id, token_id, path, key, body_hash, status, code, location, runs, \
         created_at) VALUES {} ON CONFLICT (workspace_id, token_id, path, key) DO UPDATE SET \
         body_hash = excluded.body_hash, status = excluded.status, code = excluded.code, \
         location = excluded.location, runs = excluded.runs, created_at = excluded.created_at \
         WHERE idempotency.created_at <= excluded.created_at - {}",
        tuples(rows, COLUMNS, 1),
        KEPT_FOR.num_milliseconds()
    )
}

fn key(once: &Once) -> Vec<Value> {
    vec![uuid(once.workspace.0), uuid(once.token.0), text(once.path.as_str()), text(once.key.as_str())]
}

fn row(once: &Once, kept: &Kept) -> Vec<Value> {
    let mut values = key(once);
    values.extend([
        Value::from(once.body.kept().to_vec()),
        int(kept.status),
        maybe_text(kept.code.as_deref()),
        maybe_text(kept.location.as_deref()),
        json_list(&kept.runs),
        ms(once.at),
    ]);
    values
}
