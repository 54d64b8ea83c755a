//! Connections: saved as a whole, one version after the other; switched, held and let go by hand.
//!
//! A change writes the connection and its lane in one transaction (`connection_lanes.rs`). What is
//! saved again unchanged stays the version it is. A connection that a case type names cannot be
//! deleted, neither can one that a run under way still takes.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use url::{Origin, Url};

use super::actor::Actor;
use super::case_types::known;
use super::connection_credentials::{self, Owner, Stored};
use super::connection_lanes::{self, LaneName, LaneSettings};
use super::error::ServiceError;
use super::once;
use super::page::{Page, PageRequest};
use super::plans::Plans;
use super::precondition;
use super::vault::Vault;
use crate::domain::case_type::Known;
use crate::domain::clock::{SharedClock, SharedRng};
use crate::domain::connection::{Connection, ConnectionStatus, Parsed};
use crate::domain::expected::Expected;
use crate::domain::ids::{ConnectionId, ConnectionKey, WorkspaceId};
use crate::domain::once::{Kept, Once};
use crate::domain::problem::{Problem, code};
use crate::store::{ConnectionChange, ConnectionRow, Store, Tx};

/// Versions whose changes are remembered.
const REMEMBERED_CHANGES: usize = 100;

/// A connection as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionView {
    /// What is kept of it; its definition is not for showing.
    pub row: ConnectionRow,
    /// The definition with credentials as `[hidden]`.
    pub definition: Value,
    /// What is doubtful in it; only a save looks.
    pub warnings: Vec<Problem>,
}

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

/// The connections of all workspaces. Cheap to clone.
#[derive(Clone)]
pub struct Connections {
    pub(super) store: Store,
    pub(super) clock: SharedClock,
    rng: SharedRng,
    vault: Vault,
    plans: Plans,
}

/// A definition on its way in.
struct Save {
    workspace: WorkspaceId,
    body: Value,
    /// The key in the path; none: it must be in the body and new.
    key: Option<ConnectionKey>,
    /// What the caller knows of it.
    expected: Expected,
    /// The key of the request, if it has one.
    once: Option<Once>,
}

struct Saved {
    row: ConnectionRow,
    warnings: Vec<Problem>,
    created: bool,
}

impl Connections {
    /// On this database.
    pub fn new(store: Store, clock: SharedClock, rng: SharedRng, vault: Vault, plans: Plans) -> Self {
        Self { store, clock, rng, vault, plans }
    }

    /// The connections of the workspace, by key.
    pub async fn list(&self, actor: &Actor, page: PageRequest) -> Result<Page<ConnectionView>, ServiceError> {
        let after = page.after::<ConnectionKey>()?;
        let tx = self.store.read().await?;
        let mut rows = tx.list_connections(actor.workspace, after.as_ref(), page.limit + 1).await?;
        let counted = if page.count {
            Some(tx.count_connections_in(actor.workspace, page.most_counted()).await?)
        } else {
            None
        };
        let next = page.cut(&mut rows, |row| row.key.clone());
        Ok(Page::new(rows, next, counted).map(|row| view(row, Vec::new())))
    }

    /// The connection with this key.
    pub async fn get(&self, actor: &Actor, key: &ConnectionKey) -> Result<ConnectionView, ServiceError> {
        let tx = self.store.read().await?;
        find(&tx, actor.workspace, key).await.map(|row| view(row, Vec::new()))
    }

    /// Makes a connection. With a key of the request it is made once.
    pub async fn create(
        &self,
        actor: &Actor,
        body: &Value,
        once: Option<Once>,
    ) -> Result<ConnectionView, ServiceError> {
        let (workspace, body) = (actor.workspace, body.clone());
        let saved = self.save(Save { workspace, body, key: None, expected: Expected::Anything, once });
        saved.await.map(|saved| view(saved.row, saved.warnings))
    }

    /// Makes or replaces a connection, if it is as expected; `true`: it is new.
    pub async fn put(
        &self,
        actor: &Actor,
        key: &ConnectionKey,
        body: &Value,
        expected: Expected,
    ) -> Result<(ConnectionView, bool), ServiceError> {
        let (workspace, body) = (actor.workspace, body.clone());
        let saved = self.save(Save { workspace, body, key: Some(key.clone()), expected, once: None }).await?;
        Ok((view(saved.row, saved.warnings), saved.created))
    }

    async fn save(&self, save: Save) -> Result<Saved, ServiceError> {
        let this = self.clone();
        let saved = self.store.write(move |tx| Box::pin(async move { this.write(tx, save).await })).await?;
        // Its lane may let runs go on.
        self.store.signals().wake();
        Ok(saved)
    }

    async fn write(&self, tx: &Tx, save: Save) -> Result<Saved, ServiceError> {
        let asked = save.once.clone();
        once::first(tx, asked.as_ref()).await?;
        let saved = self.write_first(tx, save).await?;
        once::keep(tx, asked.as_ref(), Kept::created(place(&saved.row.key))).await?;
        Ok(saved)
    }

    async fn write_first(&self, tx: &Tx, save: Save) -> Result<Saved, ServiceError> {
        let known = known(tx, save.workspace).await?;
        // What would be refused anyway is refused for its own sake (RFC 9110, section 13.2.1).
        let Parsed { connection, mut warnings } = parse(&save, &known)?;
        let before = tx.find_connection(save.workspace, &connection.key).await?;
        if save.key.is_some() {
            precondition::check_connection(before.as_ref(), &save.expected)?;
        } else if before.is_some() {
            let detail = format!(
                "there is a connection `{key}` already; replace it with `PUT /v1/connections/{key}`, or choose another \
                 key",
                key = connection.key
            );
            return Err(ServiceError::AlreadyExists(detail));
        }
        let moved = match &before {
            Some(before) => origin(&before.definition) != connection.base_url.as_ref().map(Url::origin),
            None => false,
        };
        let mut definition = connection.normal_form();
        let stored = before.as_ref().map(|row| Stored { definition: &row.definition, moved });
        let owner = Owner { vault: &self.vault, workspace: save.workspace, key: &connection.key };
        warnings.extend(connection_credentials::seal(&mut definition, stored, &save.body, owner)?);
        if let Some(row) = before.as_ref().filter(|row| row.definition == definition) {
            return Ok(Saved { row: row.clone(), warnings, created: false });
        }
        let created = before.is_none();
        let row = self.keep(tx, save.workspace, before, &connection, definition, moved).await?;
        Ok(Saved { row, warnings, created })
    }

    /// Writes the next version and tells the lane.
    async fn keep(
        &self,
        tx: &Tx,
        workspace: WorkspaceId,
        before: Option<ConnectionRow>,
        connection: &Connection,
        definition: Value,
        moved: bool,
    ) -> Result<ConnectionRow, ServiceError> {
        let now = self.clock.now();
        let status = before.as_ref().map(|row| row.status);
        let status = ConnectionStatus::saved(status, connection.base_url.is_some(), moved);
        let (row, is_new) = match before {
            Some(mut row) => {
                row.version += 1;
                let paths = precondition::changed_paths(&row.definition, &definition);
                row.changes.push(ConnectionChange { version: row.version, paths });
                let forgotten = row.changes.len().saturating_sub(REMEMBERED_CHANGES);
                row.changes.drain(..forgotten);
                (ConnectionRow { definition, status, updated_at: now, ..row }, false)
            }
            None => {
                let row = ConnectionRow {
                    id: ConnectionId(self.rng.uuid(now)),
                    workspace,
                    key: connection.key.clone(),
                    version: 1,
                    definition,
                    status,
                    changes: Vec::new(),
                    created_at: now,
                    updated_at: now,
                };
                (row, true)
            }
        };
        if is_new {
            tx.insert_connection(&row).await?;
        } else {
            tx.update_connection(&row).await?;
        }
        let settings = LaneSettings {
            rate_limit: connection.rate_limit.clone(),
            breaker: connection.breaker,
            disabled: status == ConnectionStatus::Disabled,
        };
        connection_lanes::saved(tx, &lane(&row), &settings, now).await?;
        Ok(row)
    }

    /// Does something to a connection by hand; with a key of the request once.
    pub async fn act(
        &self,
        actor: &Actor,
        key: &ConnectionKey,
        action: ConnectionAction,
        once: Option<Once>,
    ) -> Result<ConnectionView, ServiceError> {
        let (workspace, key, now) = (actor.workspace, key.clone(), self.clock.now());
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
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let row = find(tx, workspace, &key).await?;
                    precondition::check_connection(Some(&row), &expected)?;
                    refuse_in_use(tx, &plans, workspace, &key).await?;
                    tx.delete_connection(row.id).await?;
                    connection_lanes::removed(tx, &lane(&row)).await
                })
            })
            .await
    }
}

/// A connection of the workspace.
pub(super) async fn find(
    tx: &Tx,
    workspace: WorkspaceId,
    key: &ConnectionKey,
) -> Result<ConnectionRow, ServiceError> {
    tx.find_connection(workspace, key).await?.ok_or(ServiceError::NotFound("connection"))
}

/// Scheme, host and port of a kept definition.
fn origin(definition: &Value) -> Option<Origin> {
    Url::parse(definition.get("base_url")?.as_str()?).ok().map(|url| url.origin())
}

/// The lane of a connection.
pub(super) fn lane(row: &ConnectionRow) -> LaneName {
    LaneName { workspace: row.workspace, connection: row.key.clone() }
}

/// Where a connection stands, for answers to a repeated request.
fn place(key: &ConnectionKey) -> String {
    format!("/v1/connections/{key}")
}

fn view(row: ConnectionRow, warnings: Vec<Problem>) -> ConnectionView {
    let mut definition = row.definition.clone();
    connection_credentials::hide(&mut definition);
    ConnectionView { row, definition, warnings }
}

/// A key in the body must be the one in the path; without one it is taken from there.
fn parse(save: &Save, known: &Known) -> Result<Parsed, ServiceError> {
    let (Some(key), Some(body)) = (&save.key, save.body.as_object()) else {
        return Connection::parse(&save.body, known).map_err(ServiceError::Invalid);
    };
    let differs = body.get("key").is_some_and(|own| !own.is_null() && own != key.as_str());
    let mut with_key = Map::from_iter([("key".to_owned(), Value::from(key.as_str()))]);
    with_key
        .extend(body.iter().filter(|(name, _)| *name != "key").map(|(name, it)| (name.clone(), it.clone())));
    let parsed = Connection::parse(&Value::Object(with_key), known);
    if !differs {
        return parsed.map_err(ServiceError::Invalid);
    }
    let message = format!("is not the key in the path, `{key}`: leave it out, or send it to its own path");
    let mut problems = vec![Problem::new("/key", code::INVALID, message)];
    problems.extend(parsed.err().into_iter().flatten());
    Err(ServiceError::Invalid(problems))
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
