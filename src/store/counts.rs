//! Counting rows.

use sea_orm::Statement;
use uuid::Uuid;

use super::database::Tx;
use super::error::StoreError;
use super::statement::{int, sql, uuid};

impl Tx {
    /// The one number that a statement gives; 0 when it gives no row.
    pub(super) async fn number(&self, statement: Statement) -> Result<u64, StoreError> {
        let row = self.one(statement).await?;
        let number = row.map(|row| row.try_get_by_index::<i64>(0)).transpose()?.unwrap_or(0);
        Ok(number.unsigned_abs())
    }

    /// Counts the rows of `from` (a table and its condition on `$1`), and stops at `most`.
    pub(super) async fn count_up_to(&self, from: &str, id: Uuid, most: u64) -> Result<u64, StoreError> {
        let text = format!("SELECT count(*) FROM (SELECT 1 FROM {from} LIMIT $2) AS counted");
        self.number(sql(text, vec![uuid(id), int(i64::try_from(most).unwrap_or(i64::MAX))])).await
    }
}
