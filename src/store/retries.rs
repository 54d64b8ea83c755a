//! What a run that is repeated by hand takes over from the old one, beyond what its answer shows.

use super::database::Tx;
use super::error::StoreError;
use super::rows::Columns;
use super::statement::{sql, uuid};
use crate::domain::ids::RunId;
use crate::domain::run::{KeptKey, Outcome};

/// What a repetition may take over.
#[derive(Debug, Clone, Default)]
pub struct Repeatable {
    /// What its `when` read as `old`.
    pub old: Option<serde_json::Value>,
    /// The key of the run, when nobody knows whether its last request was acted upon.
    pub kept_key: Option<KeptKey>,
}

impl Tx {
    /// What a repetition of this ended run may take over.
    pub async fn repeatable(&self, run: RunId) -> Result<Repeatable, StoreError> {
        let statement = "SELECT id, old, idempotency_key, fingerprint, \
             (SELECT outcome FROM attempt WHERE run_id = run.id ORDER BY number DESC LIMIT 1) FROM run WHERE id = $1";
        let Some(row) = self.one(sql(statement, vec![uuid(run.0)])).await? else {
            return Ok(Repeatable::default());
        };
        let mut columns = Columns::of("run", &row)?;
        let old = columns.maybe_json()?;
        let key = columns.get()?;
        let fingerprint: Option<Vec<u8>> = columns.get()?;
        let unknown = columns.maybe_word(Outcome::parse)? == Some(Outcome::Unknown);
        let kept_key = fingerprint.filter(|_| unknown).map(|fingerprint| KeptKey { key, fingerprint });
        Ok(Repeatable { old, kept_key })
    }
}
