//! Claims of which nobody knows whether they were committed.
//!
//! When the connection breaks while a claim is committed, the database may have it and the worker
//! does not: nobody would work on those runs, and the worker's renewals would keep them for ever.
//! So the next claim gives them back first. Nothing was sent for them, and the attempt does not
//! count.

use super::error::StoreError;
use super::statement::{list, sql, uuid};
use super::tx::Tx;
use crate::domain::ids::LeaseToken;

/// Gives back what these claims took, if they took anything.
pub(super) async fn give_back(tx: &Tx, claims: &[LeaseToken]) -> Result<(), StoreError> {
    if claims.is_empty() {
        return Ok(());
    }
    let taken = format!("status = 'running' AND lease_token IN ({})", list(claims.len(), 1));
    let tokens = || claims.iter().map(|token| uuid(token.0)).collect();
    let cases = format!("id IN (SELECT case_id FROM run WHERE {taken})");
    tx.hold_cases_where(&cases, tokens()).await?;
    let statement = format!(
        "UPDATE run SET status = 'queued', waiting_for = 'worker', due_at = started_at, attempt = attempt - 1, \
         worker_id = NULL, lease_token = NULL, lease_until = NULL WHERE {taken}"
    );
    tx.execute(sql(statement, tokens())).await?;
    Ok(())
}
