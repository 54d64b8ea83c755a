//! What case types take over from the endpoints of connections, and who uses a connection.
//!
//! A stored version of a case type names endpoints; what they say is the connection's business and
//! changes with it. So a compiled plan remembers which versions of which connections it was made
//! from, and is made again when one of them is another by now.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::error::ServiceError;
use super::plan::Plan;
use super::plans::Plans;
use crate::domain::case_type::KnownConnection;
use crate::domain::ids::{ConnectionId, ConnectionKey, WorkspaceId};
use crate::domain::problem::{Problem, code, join};
use crate::store::Tx;

/// One version of a connection; none: there is no such connection.
pub(super) type Version = Option<(ConnectionId, i64)>;

/// The connections that a definition names, with the endpoints of those whose endpoints it uses.
#[derive(Default)]
pub(super) struct Leaned {
    /// By key.
    pub(super) connections: BTreeMap<String, KnownConnection>,
    /// Of those whose endpoints it uses.
    pub(super) versions: Vec<(ConnectionKey, Version)>,
}

impl Leaned {
    /// As this transaction sees them. Of a connection whose endpoints it does not use only the key
    /// is wanted: what was saved is compiled even when the connection is gone.
    pub(super) async fn load(
        tx: &Tx,
        workspace: WorkspaceId,
        definition: &Value,
    ) -> Result<Self, ServiceError> {
        let mut leaned = Self::default();
        for (key, by_endpoint) in named(definition) {
            let row = match key.parse::<ConnectionKey>() {
                Ok(parsed) if by_endpoint => {
                    let row = tx.find_connection(workspace, &parsed).await?;
                    let version = row.as_ref().map(|row| (row.id, row.version));
                    leaned.versions.push((parsed, version));
                    row
                }
                _ => None,
            };
            let known = row.map(|row| KnownConnection::of(&row.definition)).unwrap_or_default();
            leaned.connections.insert(key, known);
        }
        Ok(leaned)
    }

    /// As [`Leaned::load`], but this connection is as it shall be.
    pub(super) async fn load_with(
        tx: &Tx,
        workspace: WorkspaceId,
        definition: &Value,
        instead: (&ConnectionKey, &Value),
    ) -> Result<Self, ServiceError> {
        let mut leaned = Self::load(tx, workspace, definition).await?;
        if let Some(known) = leaned.connections.get_mut(instead.0.as_str()) {
            *known = KnownConnection::of(instead.1);
        }
        Ok(leaned)
    }
}

/// Whether these versions are still the current ones.
pub(super) async fn are_current(
    tx: &Tx,
    workspace: WorkspaceId,
    versions: &[(ConnectionKey, Version)],
) -> Result<bool, ServiceError> {
    for (key, version) in versions {
        let now = tx.connection_now(workspace, key).await?.map(|now| (now.id, now.version));
        if now != *version {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The connections that fields name, each with whether one of its endpoints is named, too.
fn named(definition: &Value) -> BTreeMap<String, bool> {
    let mut named: BTreeMap<String, bool> = BTreeMap::new();
    for field in definition["fields"].as_array().into_iter().flatten() {
        let config = &field["api_config"];
        if let Some(key) = config["connection"].as_str() {
            *named.entry(key.to_owned()).or_default() |= config["endpoint"].is_string();
        }
    }
    named
}

/// A field that uses a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionUse {
    /// Key of the case type.
    pub case_type: String,
    /// Key of the field.
    pub field: String,
    /// The endpoint that it takes over, if any.
    pub endpoint: Option<String>,
}

impl ConnectionUse {
    /// As people read it: `company.vat_check`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.case_type, self.field)
    }
}

/// The fields of a plan that use a connection, by connection.
fn of_plan(plan: &Plan) -> impl Iterator<Item = (&ConnectionKey, ConnectionUse)> {
    plan.case_type.api_calls().filter_map(|(field, call)| {
        let found = ConnectionUse {
            case_type: plan.key.to_string(),
            field: field.to_string(),
            endpoint: call.endpoint.as_ref().map(ToString::to_string),
        };
        Some((call.connection.as_ref()?, found))
    })
}

/// Who uses the connections of a workspace, by connection: fields of current versions.
pub(super) async fn users(
    tx: &Tx,
    plans: &Plans,
    workspace: WorkspaceId,
) -> Result<BTreeMap<ConnectionKey, Vec<ConnectionUse>>, ServiceError> {
    let mut users: BTreeMap<ConnectionKey, Vec<ConnectionUse>> = BTreeMap::new();
    for plan in plans.all_current_in(tx, workspace).await? {
        for (connection, found) in of_plan(&plan) {
            users.entry(connection.clone()).or_default().push(found);
        }
    }
    for found in users.values_mut() {
        found.sort();
    }
    Ok(users)
}

/// Refuses to change endpoints so that fields which use them would not hold together: one that is
/// used cannot go, neither can it come to read or write what a case type does not allow. Versions
/// that runs under way keep are looked at as well.
pub(super) async fn refuse_to_break(
    tx: &Tx,
    plans: &Plans,
    workspace: WorkspaceId,
    key: &ConnectionKey,
    (before, after): (&Value, &Value),
) -> Result<(), ServiceError> {
    let changed = changed(before, after);
    if changed.is_empty() {
        return Ok(());
    }
    let mut versions: BTreeSet<_> = tx.list_current_versions(workspace).await?.into_iter().collect();
    versions.extend(tx.versions_under_way(workspace).await?);
    let (mut lost, mut broken) = (BTreeSet::new(), Vec::new());
    for (id, version) in versions {
        let Some(plan) = plans.version_in(tx, id, version).await? else { continue };
        let uses = of_plan(&plan).filter(|(used, _)| *used == key).map(|(_, found)| found);
        let uses = uses.filter(|found| found.endpoint.as_deref().is_some_and(|name| changed.contains(name)));
        let uses: Vec<ConnectionUse> = uses.collect();
        let gone = |found: &ConnectionUse| {
            after["endpoints"].get(found.endpoint.as_deref()?).is_none().then_some(())
        };
        lost.extend(uses.iter().filter(|found| gone(found).is_some()).map(ConnectionUse::name));
        if let Some(found) = uses.first().filter(|_| lost.is_empty())
            && let Some(problem) = plans.problem_with(tx, &plan, (key, after)).await?
        {
            broken.push(would_break(found, &problem));
        }
    }
    if !lost.is_empty() {
        let users: Vec<String> = lost.into_iter().collect();
        let users_text = users.join(", ");
        let detail = format!(
            "an endpoint that you leave out is used by {users_text}: keep it, or take it out of those fields first \
             (runs under way keep the version that they began with)"
        );
        return Err(ServiceError::InUse { detail, users });
    }
    if broken.is_empty() { Ok(()) } else { Err(ServiceError::Invalid(broken)) }
}

fn would_break(found: &ConnectionUse, problem: &Problem) -> Problem {
    let message = format!(
        "the case type `{}` uses this endpoint and would not hold together, at `{}`: {}",
        found.case_type, problem.pointer, problem.message
    );
    let endpoint = found.endpoint.as_deref().unwrap_or_default();
    Problem::new(join("/endpoints", endpoint), code::INVALID, message)
}

/// The endpoints that are not as they were, or are gone.
fn changed<'v>(before: &'v Value, after: &Value) -> BTreeSet<&'v str> {
    let before = before["endpoints"].as_object().into_iter().flatten();
    let changed = before.filter(|(name, endpoint)| after["endpoints"].get(name.as_str()) != Some(endpoint));
    changed.map(|(name, _)| name.as_str()).collect()
}
