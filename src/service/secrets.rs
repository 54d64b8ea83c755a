//! Secrets: put in, used, never read again.
//!
//! An opened value is remembered for up to 5 s, but used only as long as no credential of its
//! workspace was changed: every change raises an epoch in the database, and who opens a secret names
//! the epoch that he has seen. So what was changed elsewhere (another replica, the command line)
//! counts at once, its `hosts` included. Who uses a secret is read from the current versions of case types and connections.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use moka::future::Cache;

use super::access::REMEMBERED;
use super::actor::{Actor, author_now};
use super::audit;
use super::connection_plans::ConnectionPlans;
use super::error::ServiceError;
use super::opened::{OpenFailed, OpenSecret, Opened};
use super::page::{Page, PageRequest};
use super::plans::Plans;
use super::precondition;
use super::put_secret::{Checked, PutSecret};
use super::secret_users::{SecretUser, users_in, users_under_way};
use super::uses::Uses;
use super::vault::{Vault, place_of_secret};
use crate::domain::audit::{AuditAction, AuditChange, AuditKind};
use crate::domain::clock::{SharedClock, SharedRng};
use crate::domain::expected::Expected;
use crate::domain::ids::{SecretId, SecretName, WorkspaceId};
use crate::domain::lane::LaneKey;
use crate::domain::redact::Label;
use crate::domain::token::Role;
use crate::store::{Edited, SecretInfo, SecretRow, Store, Tx};

const OPENED: u64 = 10_000;

/// The secrets of all workspaces. Cheap to clone.
#[derive(Clone)]
pub struct Secrets {
    store: Store,
    clock: SharedClock,
    rng: SharedRng,
    vault: Vault,
    plans: Plans,
    connections: ConnectionPlans,
    opened: Cache<(WorkspaceId, SecretName), Arc<OpenSecret>>,
    uses: Uses,
}

impl Secrets {
    /// On this database.
    pub fn new(
        store: Store,
        clock: SharedClock,
        rng: SharedRng,
        vault: Vault,
        plans: Plans,
        connections: ConnectionPlans,
        uses: Uses,
    ) -> Self {
        let opened = Cache::builder().max_capacity(OPENED).time_to_live(REMEMBERED).build();
        Self { store, clock, rng, vault, plans, connections, opened, uses }
    }

    /// The secrets of the workspace, by name.
    pub async fn list(&self, actor: &Actor, page: PageRequest) -> Result<Page<SecretInfo>, ServiceError> {
        let after = page.after::<SecretName>()?;
        let tx = self.store.read().await?;
        let mut infos = tx.list_secrets(actor.workspace, after.as_ref(), page.limit + 1).await?;
        let counted = if page.count {
            Some(tx.count_secrets_in(actor.workspace, page.most_counted()).await?)
        } else {
            None
        };
        let next = page.cut(&mut infos, |info| info.name.clone());
        for info in &mut infos {
            info.last_used_at = self.uses.of_secret(actor.workspace, &info.name, info.last_used_at);
        }
        Ok(Page::new(infos, next, counted))
    }

    /// All secrets of a workspace, by name, for the command line.
    pub async fn list_in(&self, workspace: WorkspaceId) -> Result<Vec<SecretInfo>, ServiceError> {
        Ok(self.store.read().await?.list_secrets(workspace, None, i64::MAX.unsigned_abs()).await?)
    }

    /// By secret, the fields and connections that use it.
    pub async fn users(&self, actor: &Actor) -> Result<BTreeMap<String, Vec<SecretUser>>, ServiceError> {
        let tx = self.store.read().await?;
        users_in(&tx, &self.plans, &self.connections, actor.workspace).await
    }

    /// Who uses this secret.
    pub async fn used_by(&self, actor: &Actor, name: &SecretName) -> Result<Vec<SecretUser>, ServiceError> {
        Ok(self.users(actor).await?.remove(name.as_str()).unwrap_or_default())
    }

    /// Makes or replaces a secret; `true`: it is new.
    pub async fn put(
        &self,
        actor: &Actor,
        name: SecretName,
        secret: PutSecret,
        expected: Expected,
    ) -> Result<(SecretInfo, bool), ServiceError> {
        self.put_as(actor.workspace, Some(actor.clone()), (name, expected), secret).await
    }

    /// As [`Secrets::put`], for the command line, which acts for nobody.
    pub async fn put_in(
        &self,
        workspace: WorkspaceId,
        name: SecretName,
        secret: PutSecret,
    ) -> Result<(SecretInfo, bool), ServiceError> {
        self.put_as(workspace, None, (name, Expected::Anything), secret).await
    }

    async fn put_as(
        &self,
        workspace: WorkspaceId,
        actor: Option<Actor>,
        (name, expected): (SecretName, Expected),
        secret: PutSecret,
    ) -> Result<(SecretInfo, bool), ServiceError> {
        let secret = secret.check()?;
        let (this, put) = (self.clone(), (name.clone(), expected));
        let written = self
            .store
            .write(move |tx| {
                Box::pin(async move { this.write(tx, workspace, actor.as_ref(), put, secret).await })
            })
            .await;
        self.opened.invalidate(&(workspace, name)).await;
        written
    }

    /// The version is read in the transaction that writes the next one: the value is sealed for it.
    async fn write(
        &self,
        tx: &Tx,
        workspace: WorkspaceId,
        actor: Option<&Actor>,
        (name, expected): (SecretName, Expected),
        secret: Checked,
    ) -> Result<(SecretInfo, bool), ServiceError> {
        tx.hold(Edited::Definitions(workspace)).await?;
        let author = author_now(tx, actor, Role::Builder).await?;
        let now = self.clock.now();
        let old = tx.find_secret(workspace, &name).await?;
        if old.is_some() {
            precondition::refuse_second("secret", &expected)?;
        }
        let Checked { value, hosts } = secret;
        let info = SecretInfo {
            version: old.as_ref().map_or(1, |old| old.info.version + 1),
            redact: value.redact(),
            hosts,
            created_at: old.as_ref().map_or(now, |old| old.info.created_at),
            updated_at: now,
            last_used_at: old.as_ref().and_then(|old| old.info.last_used_at),
            name,
        };
        let place = place_of_secret(workspace, &info.name, info.version);
        let sealed = self.vault.seal(&place, value.expose())?;
        let id = old.as_ref().map_or_else(|| SecretId(self.rng.uuid(now)), |old| old.id);
        let row = SecretRow { id, info, sealed };
        tx.put_secret(workspace, &row).await?;
        self.tell_lanes(tx, workspace, row.info.name.as_str()).await?;
        tx.add_audit(workspace, &author, &audit::of_secret(old.as_ref(), &row), now).await?;
        Ok((row.info, old.is_none()))
    }

    /// Lanes on hold for want of a good credential go on with the new one.
    async fn tell_lanes(&self, tx: &Tx, workspace: WorkspaceId, secret: &str) -> Result<(), ServiceError> {
        let mut lanes: BTreeSet<LaneKey> = BTreeSet::new();
        for plan in self.connections.all_in(tx, workspace).await? {
            let connection = plan.connection();
            let uses = connection.secrets().any(|used| used == secret);
            lanes.extend(uses.then(|| LaneKey::of_connection(connection.key.as_str())));
        }
        for plan in self.plans.all_current_in(tx, workspace).await? {
            let calls = plan.case_type.api_calls().filter(|(_, call)| call.secrets.contains(secret));
            lanes.extend(calls.map(|(field, call)| call.lane(&plan.params, &plan.case_type.key, field)));
        }
        for lane in lanes {
            tx.end_hold(workspace, &lane, self.clock.now()).await?;
        }
        Ok(())
    }

    /// Deletes a secret that nobody uses.
    pub async fn delete(&self, actor: &Actor, name: &SecretName) -> Result<(), ServiceError> {
        let (this, wanted, workspace, actor) = (self.clone(), name.clone(), actor.workspace, actor.clone());
        let deleted =
            self.store.write(move |tx| Box::pin(async move { this.remove(tx, &actor, &wanted).await })).await;
        self.opened.invalidate(&(workspace, name.clone())).await;
        deleted
    }

    async fn remove(&self, tx: &Tx, actor: &Actor, name: &SecretName) -> Result<(), ServiceError> {
        let workspace = actor.workspace;
        tx.hold(Edited::Definitions(workspace)).await?;
        actor.require_now(tx, Role::Builder).await?;
        let Some(row) = tx.find_secret(workspace, name).await? else {
            return Err(ServiceError::NotFound("secret"));
        };
        if let Some(users) =
            users_in(tx, &self.plans, &self.connections, workspace).await?.remove(name.as_str())
        {
            let mut users: Vec<String> = users.iter().map(SecretUser::thing).collect();
            users.dedup();
            let detail =
                format!("the secret `{name}` is used by {}; take it out there first", users.join(", "));
            return Err(ServiceError::InUse { detail, users });
        }
        let users = users_under_way(tx, &self.plans, workspace, name).await?;
        if !users.is_empty() {
            let detail = format!(
                "runs under way of {} keep an older version that uses the secret `{name}`: wait for their end or cancel \
                 them first; a new value can be set at any time",
                users.join(", ")
            );
            return Err(ServiceError::InUse { detail, users });
        }
        tx.delete_secret(workspace, name).await?;
        let change = AuditChange::of(AuditKind::Secret, AuditAction::Deleted, name.as_str())
            .with_id(row.id.0)
            .with_versions(Some(row.info.version), None);
        Ok(tx.add_audit(workspace, &actor.author(), &change, self.clock.now()).await?)
    }

    /// Opens secrets for a request, as they stood at this epoch of the workspace's credentials or
    /// later; without one, as they are now.
    pub async fn open(
        &self,
        workspace: WorkspaceId,
        names: &BTreeSet<String>,
        epoch: Option<i64>,
    ) -> Result<Opened, OpenFailed> {
        let mut all = Opened::default();
        if names.is_empty() {
            return Ok(all);
        }
        let epoch = match epoch {
            Some(epoch) => epoch,
            None => self.store.read().await?.credentials_epoch(workspace).await?,
        };
        for name in names {
            let secret = self.open_one(workspace, name, epoch).await?;
            all.values.insert(name.clone(), secret.text.expose().into());
            all.versions.insert(name.clone(), secret.version);
            all.hosts.insert(name.clone(), secret.hosts.clone());
            if secret.redact
                && let Ok(label) = name.parse().map(Label::Secret)
            {
                all.shown_as.push((label, secret.text.clone()));
            }
        }
        Ok(all)
    }

    async fn open_one(
        &self,
        workspace: WorkspaceId,
        name: &str,
        epoch: i64,
    ) -> Result<Arc<OpenSecret>, OpenFailed> {
        let missing = || OpenFailed::Missing(name.to_owned());
        let key = (workspace, name.parse::<SecretName>().map_err(|_| missing())?);
        self.uses.secret(workspace, key.1.clone(), self.clock.now());
        if let Some(known) = self.opened.get(&key).await.filter(|known| known.epoch >= epoch) {
            return Ok(known);
        }
        let tx = self.store.read().await?;
        // Before the row: so the row is never older than it says.
        let epoch = tx.credentials_epoch(workspace).await?;
        let row = tx.find_secret(workspace, &key.1).await?.ok_or_else(missing)?;
        drop(tx);
        let place = place_of_secret(workspace, &key.1, row.info.version);
        let label = row.info.redact.then(|| Label::Secret(key.1.clone()));
        let text = self.vault.open(&place, &row.sealed, label).map_err(|error| {
            OpenFailed::Unreadable(format!("the secret `{name}` cannot be read: {error}"))
        })?;
        let SecretInfo { hosts, redact, version, .. } = row.info;
        let secret = Arc::new(OpenSecret { text, hosts, redact, version, epoch });
        self.opened.insert(key, secret.clone()).await;
        Ok(secret)
    }
}
