//! Fixing what a run stands for, before its request leaves for the first time.
//!
//! A request that is not safe to repeat is sent only after its fingerprint and key are in the
//! row, so that whoever goes on with the run, also after a crash, can tell whether the request is
//! still the same one. A run that its worker does not hold any more is not sealed.

use std::collections::HashSet;

use sea_orm::Value;
use uuid::Uuid;

use super::error::StoreError;
use super::statement::{CHUNK, sql, text, tuples, uuid};
use super::tx::Tx;
use crate::domain::ids::{CaseId, FieldKey, LeaseToken, RunId};

/// What a run stands for from now on.
#[derive(Debug, Clone)]
pub struct Seal {
    /// The run.
    pub run_id: RunId,
    /// Proves that the worker still holds it.
    pub token: LeaseToken,
    /// Fingerprint of its request.
    pub fingerprint: Vec<u8>,
    /// The key that goes with it.
    pub idempotency_key: String,
}

/// Seals runs; answers, one by one, whether the worker still held the run.
pub(super) async fn seal(tx: &Tx, seals: &[Seal]) -> Result<Vec<bool>, StoreError> {
    let mut held: HashSet<Uuid> = HashSet::with_capacity(seals.len());
    for chunk in seals.chunks(CHUNK) {
        let statement = format!(
            "WITH seal (id, token, fingerprint, key) AS (VALUES {}) UPDATE run SET fingerprint = seal.fingerprint, \
             idempotency_key = seal.key FROM seal WHERE run.id = seal.id AND run.lease_token = seal.token \
             AND run.status = 'running' RETURNING run.id",
            tuples(chunk.len(), 4, 1)
        );
        let values = chunk.iter().flat_map(|seal| {
            [
                uuid(seal.run_id.0),
                uuid(seal.token.0),
                Value::from(seal.fingerprint.clone()),
                text(seal.idempotency_key.clone()),
            ]
        });
        for row in tx.all(sql(statement, values.collect())).await? {
            held.insert(row.try_get_by_index(0)?);
        }
    }
    Ok(seals.iter().map(|seal| held.contains(&seal.run_id.0)).collect())
}

impl Tx {
    /// Whether a run of this field waits that has not begun.
    pub async fn has_unbegun(&self, case: CaseId, field: &FieldKey) -> Result<bool, StoreError> {
        let statement =
            "SELECT id FROM run WHERE case_id = $1 AND field = $2 AND NOT begun AND status = 'queued'";
        Ok(self.one(sql(statement, vec![uuid(case.0), text(field.as_str())])).await?.is_some())
    }
}
