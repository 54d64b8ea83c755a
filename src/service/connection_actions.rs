//! Connections by hand: switched, held, let go, deleted.
//!
//! A connection that a case type names cannot be deleted, neither can one that a run under way
//! still takes.

use std::collections::BTreeSet;

use super::actor::Actor;
use super::connection_lanes;
use super::connection_views::{ConnectionView, view};
use super::connections::{Connections, find, lane, place};
use super::error::ServiceError;
use super::once;
use super::plans::Plans;
use super::precondition;
use crate::domain::audit::{AuditAction, AuditChange, AuditKind};
use crate::domain::case_type::findings::unknown_word;
use crate::domain::connection::ConnectionStatus;
use crate::domain::expected::Expected;
use crate::domain::ids::{ConnectionKey, EndpointKey, WorkspaceId};
use crate::domain::once::{Kept, Once};
use crate::domain::problem::code;
use crate::store::{ConnectionRow, Edited, Tx};

/// What somebody does to a connection by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionAction {
    /// Switches it on; a hold ends.
    Enable,
    /// Switches it off.
    Disable,
    /// Ends its hold, and a pause that the provider asked for.
    Resume,
    /// Opens its circuit; that of one endpoint, where each has its own, or else all.
    OpenBreaker(Option<EndpointKey>),
    /// Closes it, likewise.
    CloseBreaker(Option<EndpointKey>),
}

impl ConnectionAction {
    const fn audited(&self) -> AuditAction {
        match self {
            Self::Enable => AuditAction::Enabled,
            Self::Disable => AuditAction::Disabled,
            Self::Resume => AuditAction::Resumed,
            Self::OpenBreaker(_) => AuditAction::BreakerOpened,
            Self::CloseBreaker(_) => AuditAction::BreakerClosed,
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
        let plans = self.plans.clone();
        let shown = self.store.write(move |tx| {
            let action = action.clone();
            Box::pin(async move {
                once::first(tx, once.as_ref()).await?;
                let row = find(tx, workspace, &key).await?;
                let lane = lane(&row);
                match &action {
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
                    ConnectionAction::OpenBreaker(endpoint) => {
                        let circuits = circuits(&row, endpoint.as_ref())?;
                        connection_lanes::set_circuits(tx, &lane, &circuits, true, now).await?;
                    }
                    ConnectionAction::CloseBreaker(endpoint) => {
                        let circuits = circuits(&row, endpoint.as_ref())?;
                        connection_lanes::set_circuits(tx, &lane, &circuits, false, now).await?;
                    }
                }
                let change = audited(&row, action.audited());
                tx.add_audit(workspace, &author, &change, now).await?;
                once::keep(tx, once.as_ref(), Kept::done(place(&key))).await?;
                view(tx, &plans, find(tx, workspace, &key).await?, Vec::new()).await
            })
        });
        let shown = shown.await?;
        self.store.signals().wake();
        Ok(shown)
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
                    tx.hold(Edited::Definitions(workspace)).await?;
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

/// The circuits that are meant: that of the endpoint, else all there are.
fn circuits(
    row: &ConnectionRow,
    endpoint: Option<&EndpointKey>,
) -> Result<Vec<Option<String>>, ServiceError> {
    let names = row.definition["endpoints"].as_object().into_iter().flat_map(serde_json::Map::keys);
    let names: Vec<&str> = names.map(String::as_str).collect();
    let has_circuits = row.definition["breaker"]["scope"] == "endpoint";
    let Some(endpoint) = endpoint else {
        let own = names.iter().filter(|_| has_circuits).map(|name| Some((*name).to_owned()));
        return Ok([None].into_iter().chain(own).collect());
    };
    if !names.contains(&endpoint.as_str()) {
        let message = unknown_word(endpoint.as_str(), "an endpoint of this connection", &names);
        return Err(ServiceError::invalid("/endpoint", code::UNKNOWN_REFERENCE, message));
    }
    if !has_circuits {
        let message = "the endpoints of this connection share one circuit (`breaker.scope` is `connection`): leave \
                       `endpoint` out";
        return Err(ServiceError::invalid("/endpoint", code::INVALID, message));
    }
    Ok(vec![Some(endpoint.to_string())])
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
