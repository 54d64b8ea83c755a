//! What a run that is repeated by hand takes over from the old one, beyond what its answer shows.

use super::error::StoreError;
use super::rows::Columns;
use super::statement::{sql, uuid};
use super::tx::Tx;
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::store::error::StoreError;
    use crate::store::testing;

    const RUN: &str = "INSERT INTO run (id, workspace_id, case_id, case_type_id, case_type, case_type_version, field, \
         trigger, status, begun, priority, attempt, attempts_max, limited, lost, idempotency_key, fingerprint, depth, old, \
         force, overwrite, cached, created_at) VALUES ($1, $1, $1, $1, 't', 1, 'f', 'on_update', 'failed', TRUE, 1, 2, 4, 0, \
         0, 'the key', $2, 0, '{\"a\":1}', FALSE, FALSE, FALSE, 0)";
    const ATTEMPT: &str =
        "INSERT INTO attempt (run_id, number, started_at, ended_at, outcome) VALUES ($1, $2, 0, 0, $3)";

    async fn repeatable(fingerprint: Option<Vec<u8>>, outcomes: &'static [Outcome]) -> Repeatable {
        let (_folder, store) = testing::store().await;
        let run = RunId(Uuid::from_u128(1));
        let written = store.write(move |tx| {
            Box::pin(async move {
                tx.execute(sql(RUN, vec![uuid(run.0), fingerprint.into()])).await?;
                for (number, outcome) in (1_i64..).zip(outcomes) {
                    tx.execute(sql(ATTEMPT, vec![uuid(run.0), number.into(), outcome.as_str().into()]))
                        .await?;
                }
                Ok::<_, StoreError>(())
            })
        });
        written.await.unwrap();
        store.read().await.unwrap().repeatable(run).await.unwrap()
    }

    #[tokio::test]
    async fn a_key_is_kept_only_when_the_last_outcome_is_unknown() {
        let fingerprint = || Some(vec![7; 32]);
        let table: [(_, &'static [Outcome], bool); 6] = [
            (fingerprint(), &[Outcome::Unknown], true),
            (fingerprint(), &[Outcome::Failed, Outcome::Unknown], true),
            (fingerprint(), &[Outcome::Unknown, Outcome::Failed], false),
            (fingerprint(), &[Outcome::Ok], false),
            (fingerprint(), &[], false),
            (None, &[Outcome::Unknown], false),
        ];
        for (given, outcomes, kept) in table {
            let found = repeatable(given.clone(), outcomes).await;
            let expected = given.filter(|_| kept);
            let expected = expected.map(|fingerprint| KeptKey { key: "the key".to_owned(), fingerprint });
            assert_eq!(found.kept_key, expected, "{outcomes:?}");
            assert_eq!(found.old, Some(serde_json::json!({"a": 1})));
        }
    }
}
