//! Connections: saved as a whole, one version after the other.
//!
//! A change writes the connection and its lane in one transaction (`connection_lanes.rs`). What is
//! saved again unchanged stays the version it is.

use serde_json::{Map, Value};

use super::actor::Actor;
use super::audit;
use super::connection_credentials::{self, Owner, Stored};
use super::connection_lanes::{self, LaneName};
use super::connection_origin::{is_moved, origin, origin_now, refuse_to_move};
use super::connection_tls;
use super::connection_views::{ConnectionView, shown, used_by, view, views};
use super::endpoint_uses;
use super::error::ServiceError;
use super::known::known;
use super::once;
use super::page::{Page, PageRequest};
use super::plans::Plans;
use super::precondition;
use super::typed_headers;
use super::vault::Vault;
use crate::domain::audit::Author;
use crate::domain::case_type::Known;
use crate::domain::clock::{SharedClock, SharedRng};
use crate::domain::connection::{Connection, ConnectionStatus, Parsed};
use crate::domain::expected::Expected;
use crate::domain::ids::{ConnectionId, ConnectionKey, WorkspaceId};
use crate::domain::once::{Kept, Once};
use crate::domain::problem::{Problem, code};
use crate::store::{ConnectionChange, ConnectionRow, Edited, LaneSettings, Store, Tx};

/// Versions whose changes are remembered.
const REMEMBERED_CHANGES: usize = 100;

/// The connections of all workspaces. Cheap to clone.
#[derive(Clone)]
pub struct Connections {
    pub(super) store: Store,
    pub(super) clock: SharedClock,
    rng: SharedRng,
    vault: Vault,
    pub(super) plans: Plans,
}

/// A definition on its way in.
#[derive(Clone)]
struct Save {
    workspace: WorkspaceId,
    author: Author,
    body: Value,
    /// The key in the path; none: it must be in the body and new.
    key: Option<ConnectionKey>,
    /// What the caller knows of it.
    expected: Expected,
    /// The key of the request, if it has one.
    once: Option<Once>,
}

struct Saved {
    shown: ConnectionView,
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
        Ok(Page::new(views(&tx, &self.plans, rows).await?, next, counted))
    }

    /// The connection with this key.
    pub async fn get(&self, actor: &Actor, key: &ConnectionKey) -> Result<ConnectionView, ServiceError> {
        let tx = self.store.read().await?;
        let row = find(&tx, actor.workspace, key).await?;
        view(&tx, &self.plans, row, Vec::new()).await
    }

    /// Makes a connection. With a key of the request it is made once.
    pub async fn create(
        &self,
        actor: &Actor,
        body: &Value,
        once: Option<Once>,
    ) -> Result<ConnectionView, ServiceError> {
        let (workspace, author, body) = (actor.workspace, actor.author(), body.clone());
        let saved =
            self.save(Save { workspace, author, body, key: None, expected: Expected::Anything, once });
        saved.await.map(|saved| saved.shown)
    }

    /// Makes or replaces a connection, if it is as expected; `true`: it is new.
    pub async fn put(
        &self,
        actor: &Actor,
        key: &ConnectionKey,
        body: &Value,
        expected: Expected,
    ) -> Result<(ConnectionView, bool), ServiceError> {
        let (workspace, author, body) = (actor.workspace, actor.author(), body.clone());
        let saved =
            self.save(Save { workspace, author, body, key: Some(key.clone()), expected, once: None }).await?;
        Ok((saved.shown, saved.created))
    }

    async fn save(&self, save: Save) -> Result<Saved, ServiceError> {
        let this = self.clone();
        let saved = self.store.write(move |tx| Box::pin(async move { this.write(tx, save).await })).await?;
        // Its lane may let runs go on.
        self.store.signals().wake();
        Ok(saved)
    }

    async fn write(&self, tx: &Tx, save: Save) -> Result<Saved, ServiceError> {
        tx.hold(Edited::Definitions(save.workspace)).await?;
        let asked = save.once.clone();
        once::first(tx, asked.as_ref()).await?;
        let saved = self.write_first(tx, save).await?;
        once::keep(tx, asked.as_ref(), Kept::created(place(&saved.shown.row.key))).await?;
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
        let moved = before.as_ref().is_some_and(|before| is_moved(before, &connection));
        if moved {
            refuse_to_move(tx, &self.plans, save.workspace, &connection.key).await?;
        }
        let mut definition = connection.normal_form();
        let moved_credentials =
            before.as_ref().is_some_and(|before| origin(before) != origin_now(&connection));
        let stored =
            before.as_ref().map(|row| Stored { definition: &row.definition, moved: moved_credentials });
        let owner = Owner { vault: &self.vault, workspace: save.workspace, key: &connection.key };
        connection_tls::check(tx, &connection.tls, stored, owner, self.clock.now()).await?;
        warnings.extend(connection_credentials::seal(&mut definition, stored, &save.body, owner)?);
        warnings.extend(connection_tls::seal(&mut definition, stored, owner)?);
        if let Some(before) = before.as_ref().filter(|_| moved) {
            let dropped = typed_headers::drop_known(&mut definition, &before.definition);
            warnings.retain(|doubt| dropped.iter().all(|dropped| dropped.pointer != doubt.pointer));
            warnings.extend(dropped);
        }
        let used_by = used_by(tx, &self.plans, save.workspace, &connection.key).await?;
        if let Some(row) = before.as_ref().filter(|row| row.definition == definition) {
            return Ok(Saved { shown: shown(row.clone(), used_by, warnings), created: false });
        }
        if let Some(before) = &before {
            let change = (&before.definition, &definition);
            endpoint_uses::refuse_to_break(tx, &self.plans, save.workspace, &connection.key, change).await?;
        }
        let created = before.is_none();
        let change = audit::of_connection(before.as_ref(), &connection.key, &definition);
        let row = self.keep(tx, save.workspace, before, &connection, definition, moved).await?;
        let change = change.with_id(row.id.0);
        tx.add_audit(save.workspace, &save.author, &change, row.updated_at).await?;
        Ok(Saved { shown: shown(row, used_by, warnings), created })
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
        let row = if let Some(before) = before {
            let row = ConnectionRow { status, updated_at: now, ..changed(before, definition) };
            tx.update_connection(&row).await?;
            row
        } else {
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
            tx.insert_connection(&row).await?;
            row
        };
        let settings = LaneSettings {
            limits: connection.rate_limit.clone().unwrap_or_default(),
            breaker: connection.breaker,
            disabled: status == ConnectionStatus::Disabled,
        };
        connection_lanes::saved(tx, &lane(&row), &settings, connection.endpoints.by_key.keys(), now).await?;
        Ok(row)
    }
}

/// The next version, and what it changed.
fn changed(before: ConnectionRow, definition: Value) -> ConnectionRow {
    let version = before.version + 1;
    let paths = precondition::changed_paths(&before.definition, &definition);
    let mut changes = before.changes;
    changes.push(ConnectionChange { version, paths });
    let forgotten = changes.len().saturating_sub(REMEMBERED_CHANGES);
    changes.drain(..forgotten);
    ConnectionRow { version, definition, changes, ..before }
}

/// A connection of the workspace.
pub(super) async fn find(
    tx: &Tx,
    workspace: WorkspaceId,
    key: &ConnectionKey,
) -> Result<ConnectionRow, ServiceError> {
    tx.find_connection(workspace, key).await?.ok_or(ServiceError::NotFound("connection"))
}

/// The lane of a connection.
pub(super) fn lane(row: &ConnectionRow) -> LaneName {
    LaneName { workspace: row.workspace, connection: row.key.clone() }
}

/// Where a connection stands, for answers to a repeated request.
pub(super) fn place(key: &ConnectionKey) -> String {
    format!("/v1/connections/{key}")
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
