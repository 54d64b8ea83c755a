//! Connections by hand: switched, held, let go, deleted.
//!
//! A connection that a case type names cannot be deleted, neither can one that a run under way
//! still takes.

use std::collections::BTreeSet;

use super::actor::Actor;
use super::connection_lanes;
use super::connections::{ConnectionView, Connections, find, lane, place, view};
use super::error::ServiceError;
use super::once;
use super::plans::Plans;
use super::precondition;
use crate::domain::audit::{AuditAction, AuditChange, AuditKind};
use crate::domain::connection::ConnectionStatus;
use crate::domain::expected::Expected;
use crate::domain::ids::{ConnectionKey, WorkspaceId};
use crate::domain::once::{Kept, Once};
use crate::store::{ConnectionRow, Tx};

/// What somebody does to a connection by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionAction {
    /// Switches it on.
    Enable,
    /// Switches it off.
    Disable,
    /// Ends its hold.
    Resume,
    /// Opens its circuit.
    OpenBreaker,
    /// Closes its circuit.
    CloseBreaker,
}

impl ConnectionAction {
    const fn audited(self) -> AuditAction {
        match self {
            Self::Enable => AuditAction::Enabled,
            Self::Disable => AuditAction::Disabled,
            Self::Resume => AuditAction::Resumed,
            Self::OpenBreaker => AuditAction::BreakerOpened,
            Self::CloseBreaker => AuditAction::BreakerClosed,
        }
    }
}

/// What the audit says of something done by hand, which leaves the version as it is.
fn audited(row: &ConnectionRow, action: AuditAction) -> AuditChange {
    AuditChange::of(AuditKind::Connection, action, row.key.as_str())
        .with_id(row.id.0)
        .with_versions(Some(row.version), Some(row.version))
}

impl Connections {
    /// Does something to a connection by hand; with a key of the request once.
    pub async fn act(
        &self,
        actor: &Actor,
        key: &ConnectionKey,
        action: ConnectionAction,
        once: Option<Once>,
    ) -> Result<ConnectionView, ServiceError> {
        let (workspace, key, now, author) = (actor.workspace, key.clone(), self.clock.now(), actor.author());
        let row = self.store.write(move |tx| {
            Box::pin(async move {
                once::first(tx, once.as_ref()).await?;
                let row = find(tx, workspace, &key).await?;
                let lane = lane(&row);
                match action {
                    ConnectionAction::Enable => {
                        let has_base = row.definition.get("base_url").is_some();
                        tx.set_connection_status(row.id, ConnectionStatus::enabled(has_base)).await?;
                        connection_lanes::switched(tx, &lane, false, now).await?;
                    }
                    ConnectionAction::Disable => {
                        tx.set_connection_status(row.id, ConnectionStatus::Disabled).await?;
                        connection_lanes::switched(tx, &lane, true, now).await?;
                    }
                    ConnectionAction::Resume => connection_lanes::resumed(tx, &lane, now).await?,
                    ConnectionAction::OpenBreaker => connection_lanes::opened(tx, &lane, now).await?,
                    ConnectionAction::CloseBreaker => connection_lanes::closed(tx, &lane, now).await?,
                }
                let change = audited(&row, action.audited());
                tx.add_audit(workspace, &author, &change, now).await?;
                once::keep(tx, once.as_ref(), Kept::done(place(&key))).await?;
                find(tx, workspace, &key).await
            })
        });
        let row = row.await?;
        self.store.signals().wake();
        Ok(view(row, Vec::new()))
    }

    /// Deletes a connection that nobody uses, if it is as expected.
    pub async fn delete(
        &self,
        actor: &Actor,
        key: &ConnectionKey,
        expected: Expected,
    ) -> Result<(), ServiceError> {
        let (workspace, key, plans) = (actor.workspace, key.clone(), self.plans.clone());
        let (author, now) = (actor.author(), self.clock.now());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let row = find(tx, workspace, &key).await?;
                    precondition::check_connection(Some(&row), &expected)?;
                    refuse_in_use(tx, &plans, workspace, &key).await?;
                    tx.delete_connection(row.id).await?;
                    connection_lanes::removed(tx, &lane(&row)).await?;
                    let change = audited(&row, AuditAction::Deleted).with_versions(Some(row.version), None);
                    Ok(tx.add_audit(workspace, &author, &change, now).await?)
                })
            })
            .await
    }
}

/// Refuses to delete what case types or runs under way need.
async fn refuse_in_use(
    tx: &Tx,
    plans: &Plans,
    workspace: WorkspaceId,
    key: &ConnectionKey,
) -> Result<(), ServiceError> {
    let current = plans.all_current_in(tx, workspace).await?;
    let users: Vec<String> = current
        .iter()
        .filter(|plan| plan.connections().contains(key))
        .map(|plan| plan.key.to_string())
        .collect();
    if !users.is_empty() {
        let detail = format!(
            "the connection `{key}` is used by {}; take it out of their fields first",
            users.join(", ")
        );
        return Err(ServiceError::InUse { detail, users });
    }
    let mut users = BTreeSet::new();
    for (id, version) in tx.versions_under_way(workspace).await? {
        let plan = plans.version_in(tx, id, version).await?;
        users.extend(plan.filter(|plan| plan.connections().contains(key)).map(|plan| plan.key.to_string()));
    }
    if users.is_empty() {
        return Ok(());
    }
    let users: Vec<String> = users.into_iter().collect();
    let detail = format!(
        "runs under way of {} keep an older version that uses the connection `{key}`: wait for their end or cancel \
         them first",
        users.join(", ")
    );
    Err(ServiceError::InUse { detail, users })
}
