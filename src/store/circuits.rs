//! Circuits of endpoints as rows, for connections that have one for each.
//!
//! They belong to a lane and are changed only while its row is held.

use std::collections::HashMap;

use sea_orm::QueryResult;
use uuid::Uuid;

use super::error::StoreError;
use super::lanes::LanePlace;
use super::rows::Columns;
use super::statement::{int, maybe_ms, maybe_uuid, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{RunId, WorkspaceId};
use crate::domain::lane::{Circuit, Lane, LaneKey};

/// Reads into these lanes the circuits of their endpoints.
pub(super) async fn read(tx: &Tx, lanes: &mut HashMap<LanePlace, Lane>) -> Result<(), StoreError> {
    for (place, lane) in lanes.iter_mut().filter(|(_, lane)| lane.has_circuits()) {
        let statement = "SELECT workspace_id, endpoint, failures, open_until, probe_run, last_failed_run FROM circuit \
             WHERE workspace_id = $1 AND lane = $2";
        let rows = tx.all(sql(statement, vec![uuid(place.0.0), text(place.1.as_str())])).await?;
        lane.circuits = rows.iter().map(circuit).collect::<Result<_, _>>()?;
    }
    Ok(())
}

fn circuit(row: &QueryResult) -> Result<(String, Circuit), StoreError> {
    let mut columns = Columns::of("circuit", row)?;
    let circuit = |columns: &mut Columns<'_>| {
        Ok::<_, StoreError>(Circuit {
            failures: columns.count()?,
            open_until: columns.maybe_at()?,
            probe: columns.get::<Option<Uuid>>()?.map(RunId),
            last_failed: columns.get::<Option<Uuid>>()?.map(RunId),
        })
    };
    Ok((columns.get()?, circuit(&mut columns)?))
}

/// Writes the circuits of a lane; one of which there is nothing to say has no row.
pub(super) async fn save(tx: &Tx, (workspace, key): &LanePlace, lane: &Lane) -> Result<(), StoreError> {
    for (endpoint, circuit) in &lane.circuits {
        let place = vec![uuid(workspace.0), text(key.as_str()), text(endpoint.as_str())];
        if *circuit == Circuit::CLOSED {
            let statement = "DELETE FROM circuit WHERE workspace_id = $1 AND lane = $2 AND endpoint = $3";
            tx.execute(sql(statement, place)).await?;
            continue;
        }
        let statement = "INSERT INTO circuit (workspace_id, lane, endpoint, failures, open_until, probe_run, \
             last_failed_run) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (workspace_id, lane, endpoint) DO UPDATE \
             SET failures = excluded.failures, open_until = excluded.open_until, probe_run = excluded.probe_run, \
             last_failed_run = excluded.last_failed_run";
        let values = vec![
            int(circuit.failures),
            maybe_ms(circuit.open_until),
            maybe_uuid(circuit.probe.map(|run| run.0)),
            maybe_uuid(circuit.last_failed.map(|run| run.0)),
        ];
        tx.execute(sql(statement, [place, values].concat())).await?;
    }
    Ok(())
}

impl Tx {
    /// Forgets the circuits of a lane, but those of these endpoints.
    pub async fn forget_circuits<'e>(
        &self,
        workspace: WorkspaceId,
        key: &LaneKey,
        keep: impl IntoIterator<Item = &'e String>,
    ) -> Result<(), StoreError> {
        let mut values = vec![uuid(workspace.0), text(key.as_str())];
        values.extend(keep.into_iter().map(|endpoint| text(endpoint.as_str())));
        let kept: Vec<String> = (3..=values.len()).map(|n| format!(" AND endpoint <> ${n}")).collect();
        let statement = format!("DELETE FROM circuit WHERE workspace_id = $1 AND lane = $2{}", kept.concat());
        self.execute(sql(statement, values)).await?;
        Ok(())
    }

    /// Opens the circuits of these endpoints, or closes them; none: that of the connection itself.
    pub async fn set_circuits(
        &self,
        workspace: WorkspaceId,
        key: &LaneKey,
        (endpoints, open): (&[Option<String>], bool),
        now: Instant,
    ) -> Result<(), StoreError> {
        self.change_lane(workspace, key, now, |lane| {
            let breaker = lane.breaker;
            for endpoint in endpoints {
                let circuit = lane.circuit_of_mut(endpoint.as_deref());
                if open { circuit.open(now, &breaker) } else { circuit.close() }
            }
        })
        .await
    }
}
