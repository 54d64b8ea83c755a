//! What it means for a connection that its test has passed.

use super::actor::Actor;
use super::connection_lanes;
use super::connection_plans::{ConnectionPlan, ConnectionPlans};
use super::connections::lane;
use super::error::ServiceError;
use crate::domain::audit::{AuditAction, AuditChange, AuditKind};
use crate::domain::clock::Instant;
use crate::domain::connection::ConnectionStatus;
use crate::store::Edited;

impl ConnectionPlans {
    /// A connection that was only configured is tested from now on, and a hold ends; circuit, limits and
    /// a pause stay as they are. Nothing happens where the connection is another one by now.
    /// Answers how far it has come; none: it is gone.
    pub async fn passed(
        &self,
        actor: &Actor,
        plan: &ConnectionPlan,
        now: Instant,
    ) -> Result<Option<ConnectionStatus>, ServiceError> {
        let (workspace, key) = (actor.workspace, plan.connection().key.clone());
        let (author, tested) = (actor.author(), (plan.id(), plan.version()));
        let store = self.store();
        let status = store.write(move |tx| {
            let (key, author) = (key.clone(), author.clone());
            Box::pin(async move {
                tx.hold(Edited::Definitions(workspace)).await?;
                let Some(row) = tx.find_connection(workspace, &key).await? else { return Ok(None) };
                if (row.id, row.version) != tested {
                    return Ok(Some(row.status));
                }
                let status = row.status.passed();
                let was_held = connection_lanes::proved(tx, &lane(&row), now).await?;
                if status == row.status && !was_held {
                    return Ok(Some(status));
                }
                tx.set_connection_status(row.id, status).await?;
                let change = AuditChange::of(AuditKind::Connection, AuditAction::Tested, row.key.as_str())
                    .with_id(row.id.0)
                    .with_versions(Some(row.version), Some(row.version));
                tx.add_audit(workspace, &author, &change, now).await?;
                Ok::<_, ServiceError>(Some(status))
            })
        });
        let status = status.await?;
        // Its lane may let runs go on.
        store.signals().wake();
        Ok(status)
    }
}
