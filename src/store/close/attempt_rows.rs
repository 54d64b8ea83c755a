//! Attempts of a batch. Writing one again changes nothing, so a repeated commit is harmless.

use sea_orm::Value;

use super::merge::Settled;
use crate::domain::run::{Attempt, ReceivedResponse, SentRequest};
use crate::store::error::StoreError;
use crate::store::statement::{int, maybe_json, maybe_text, ms, sql, text, tuples, uuid};
use crate::store::tx::Tx;

/// One row for each exchange, without the bodies: those have a row of their own and go earlier.
pub(super) async fn insert(tx: &Tx, chunk: &[Settled<'_>]) -> Result<(), StoreError> {
    let attempts: Vec<_> =
        chunk.iter().filter_map(|settled| Some((settled, settled.closing.attempt.as_ref()?))).collect();
    if attempts.is_empty() {
        return Ok(());
    }
    let values = attempts.iter().flat_map(|(settled, attempt)| attempt_values(settled, attempt)).collect();
    let statement = format!(
        "INSERT INTO attempt (run_id, number, started_at, ended_at, outcome, request, response, phases, error, next, secrets) \
         VALUES {} ON CONFLICT DO NOTHING",
        tuples(attempts.len(), 11, 1)
    );
    tx.execute(sql(statement, values)).await?;
    Ok(())
}

fn attempt_values(settled: &Settled<'_>, attempt: &Attempt) -> [Value; 11] {
    let ended = settled.ending.as_ref().and_then(|ending| ending.error.as_ref());
    let request = attempt.request.as_ref().map(|request| SentRequest { body: None, ..request.clone() });
    let response =
        attempt.response.as_ref().map(|response| ReceivedResponse { body: None, ..response.clone() });
    [
        uuid(settled.closing.run_id.0),
        int(attempt.number),
        ms(attempt.started_at),
        ms(attempt.ended_at),
        text(attempt.outcome.as_str()),
        maybe_json(request.as_ref()),
        maybe_json(response.as_ref()),
        maybe_json(attempt.phases.as_ref()),
        maybe_json(ended.or(attempt.error.as_ref())),
        maybe_json(attempt.next.as_ref()),
        maybe_json(Some(&attempt.secrets).filter(|secrets| !secrets.is_empty())),
    ]
}

/// Texts of requests and answers, where there are any.
pub(super) async fn insert_bodies(tx: &Tx, chunk: &[Settled<'_>]) -> Result<(), StoreError> {
    let mut rows = 0;
    let mut values = Vec::new();
    for closing in chunk.iter().map(|settled| settled.closing) {
        let Some(attempt) = &closing.attempt else { continue };
        let request = attempt.request.as_ref().and_then(|request| request.body.clone());
        let response = attempt.response.as_ref().and_then(|response| response.body.clone());
        if request.is_none() && response.is_none() {
            continue;
        }
        rows += 1;
        values.extend([
            uuid(closing.run_id.0),
            int(attempt.number),
            uuid(closing.case_id().0),
            maybe_text(request.map(|body| tx.dialect().storable(body))),
            maybe_text(response.map(|body| tx.dialect().storable(body))),
        ]);
    }
    if rows == 0 {
        return Ok(());
    }
    let statement = format!(
        "INSERT INTO attempt_body (run_id, number, case_id, request, response) VALUES {} ON CONFLICT DO NOTHING",
        tuples(rows, 5, 1)
    );
    tx.execute(sql(statement, values)).await?;
    Ok(())
}
