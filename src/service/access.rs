//! Who may come in: API tokens, and workspaces as they are made.
//!
//! A token is shown once, when it is made. Who it belongs to is remembered for up to 5 s. One that was
//! deleted here is refused at once, and one that expired by the clock, too. One that was deleted
//! elsewhere (another replica, the command line) is refused as soon as this process hears of it: on
//! PostgreSQL with the commit's notification, and after 5 s where none comes, as on SQLite.

use std::time::Duration;

use moka::future::Cache;
use serde_json::Map;

use super::actor::{Actor, Who, author_now};
use super::error::ServiceError;
use super::new_token::NewTokenRequest;
use super::once;
use super::page::{Page, PageRequest};
use super::uses::Uses;
use crate::domain::audit::{AuditAction, AuditChange, AuditKind, Author};
use crate::domain::clock::{Instant, SharedClock, SharedRng};
use crate::domain::ids::{TokenId, WorkspaceId, WorkspaceKey};
use crate::domain::once::{Kept, Once};
use crate::domain::secret::SecretText;
use crate::domain::token::{self, Role, TokenHash};
use crate::store::{Edited, NewToken, Store, StoreError, TokenRow, Tx, WorkspaceRow};

/// How long what was read of another replica's making counts.
pub const REMEMBERED: Duration = Duration::from_secs(5);

/// The name of the token that `security.admin_token` makes; nobody else may use it.
pub const CONFIGURED: &str = "configured admin";

const TOKENS: u64 = 10_000;

/// Workspaces and tokens. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    pub(super) store: Store,
    pub(super) clock: SharedClock,
    pub(super) rng: SharedRng,
    pub(super) known: Cache<TokenHash, (u64, TokenRow)>,
    uses: Uses,
}

impl Access {
    /// On this database.
    pub fn new(store: Store, clock: SharedClock, rng: SharedRng, uses: Uses) -> Self {
        let known = Cache::builder().max_capacity(TOKENS).time_to_live(REMEMBERED).build();
        Self { store, clock, rng, known, uses }
    }

    /// The bearer of a token; none when it is unknown or expired.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Actor>, ServiceError> {
        let hash = token::hash(token);
        // Before the row is read: what is heard of meanwhile makes it out of date.
        let heard = self.store.signals().access();
        let row = match self.known.get(&hash).await.filter(|(then, _)| *then == heard) {
            Some((_, row)) => row,
            None => match self.store.read().await?.find_token_by_hash(&hash).await? {
                Some(row) => {
                    self.known.insert(hash, (heard, row.clone())).await;
                    row
                }
                None => return Ok(None),
            },
        };
        let now = self.clock.now();
        if !is_good(&row, now) {
            return Ok(None);
        }
        self.uses.token(row.id, now);
        Ok(Some(actor(row)))
    }

    /// The workspace with this key.
    pub async fn workspace(&self, key: &WorkspaceKey) -> Result<Option<WorkspaceRow>, ServiceError> {
        Ok(self.store.read().await?.find_workspace(key).await?)
    }

    /// Makes a workspace.
    pub async fn create_workspace(
        &self,
        key: &WorkspaceKey,
        name: Option<String>,
    ) -> Result<WorkspaceRow, ServiceError> {
        let row = self.new_workspace(key, name);
        let taken = format!("there is a workspace `{key}` already; choose another key");
        let written: Result<_, StoreError> = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    insert_workspace(tx, &row, &Author::command()).await?;
                    Ok(row)
                })
            })
            .await;
        written.map_err(|error| unless_taken(error, taken))
    }

    /// The workspace with this key, made when missing.
    pub async fn ensure_workspace(&self, key: &WorkspaceKey) -> Result<WorkspaceId, ServiceError> {
        let row = self.new_workspace(key, None);
        self.store.write(move |tx| Box::pin(async move { find_or_insert(tx, row).await })).await
    }

    fn new_workspace(&self, key: &WorkspaceKey, name: Option<String>) -> WorkspaceRow {
        let now = self.clock.now();
        WorkspaceRow {
            id: WorkspaceId(self.rng.uuid(now)),
            key: key.clone(),
            name: name.unwrap_or_else(|| key.to_string()),
            params: Map::new(),
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// The tokens of the workspace, the oldest first.
    pub async fn list(&self, actor: &Actor, page: PageRequest) -> Result<Page<TokenRow>, ServiceError> {
        let after = page.after::<TokenId>()?;
        let tx = self.store.read().await?;
        let mut rows = tx.list_tokens(actor.workspace, after, page.limit + 1).await?;
        let counted = if page.count {
            Some(tx.count_tokens_in(actor.workspace, page.most_counted()).await?)
        } else {
            None
        };
        let next = page.cut(&mut rows, |row| row.id);
        for row in &mut rows {
            row.last_used_at = self.uses.of_token(row.id, row.last_used_at);
        }
        Ok(Page::new(rows, next, counted))
    }

    /// Makes a token in the actor's workspace. The text is shown now and never again.
    pub async fn create(
        &self,
        actor: &Actor,
        request: NewTokenRequest,
        once: Option<Once>,
    ) -> Result<(TokenRow, SecretText), ServiceError> {
        self.insert(actor.workspace, request, Some(actor.clone()), once).await
    }

    /// As [`Access::create`], for the command line, which acts for nobody.
    pub async fn create_in(
        &self,
        workspace: WorkspaceId,
        request: NewTokenRequest,
    ) -> Result<(TokenRow, SecretText), ServiceError> {
        self.insert(workspace, request, None, None).await
    }

    async fn insert(
        &self,
        workspace: WorkspaceId,
        request: NewTokenRequest,
        actor: Option<Actor>,
        once: Option<Once>,
    ) -> Result<(TokenRow, SecretText), ServiceError> {
        let problems = request.problems(self.clock.now());
        if !problems.is_empty() {
            return Err(ServiceError::Invalid(problems));
        }
        let text = token::generate(&*self.rng);
        let new = self.new_token(workspace, request, text.expose());
        let row = new.row.clone();
        let insert = self.store.write(move |tx| {
            Box::pin(async move {
                once::first(tx, once.as_ref()).await?;
                let author = author_now(tx, actor.as_ref(), Role::Admin).await?;
                insert_token(tx, &new, &author).await?;
                let kept = Kept::created(format!("/v1/tokens/{}", new.row.id));
                once::keep(tx, once.as_ref(), kept).await
            })
        });
        insert.await?;
        Ok((row, text))
    }

    pub(super) fn new_token(&self, workspace: WorkspaceId, request: NewTokenRequest, text: &str) -> NewToken {
        let now = self.clock.now();
        let NewTokenRequest { name, role, overrides, expires_at } = request;
        let id = TokenId(self.rng.uuid(now));
        let row = TokenRow {
            id,
            workspace,
            name,
            role,
            overrides,
            expires_at,
            created_at: now,
            last_used_at: None,
        };
        NewToken { row, hash: token::hash(text) }
    }

    /// Deletes a token; it may be the actor's own.
    pub async fn delete(&self, actor: &Actor, id: TokenId) -> Result<(), ServiceError> {
        let (workspace, actor, now) = (actor.workspace, actor.clone(), self.clock.now());
        let deleted: Result<bool, ServiceError> = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    actor.require_now(tx, Role::Admin).await?;
                    let Some(row) = tx.find_token(workspace, id).await? else { return Ok(false) };
                    Ok(delete_token(tx, &row, &actor.author(), now).await?)
                })
            })
            .await;
        // Tokens are remembered by hash, which is not known here. Deleting is rare: forget all.
        self.known.invalidate_all();
        self.store.signals().access_changed();
        if deleted? { Ok(()) } else { Err(ServiceError::NotFound("token")) }
    }
}

fn is_good(row: &TokenRow, now: Instant) -> bool {
    row.expires_at.is_none_or(|until| now < until)
}

fn actor(row: TokenRow) -> Actor {
    let TokenRow { id, workspace, name, role, overrides, .. } = row;
    Actor { workspace, who: Who::Token(id), name, role, overrides, request_id: None }
}

/// A duplicate is the caller's doing and has a sentence; other trouble is ours.
fn unless_taken(error: StoreError, taken: String) -> ServiceError {
    match error {
        StoreError::Duplicate(_) => ServiceError::AlreadyExists(taken),
        other => ServiceError::Store(other),
    }
}

async fn find_or_insert(tx: &Tx, row: WorkspaceRow) -> Result<WorkspaceId, ServiceError> {
    tx.hold(Edited::Access).await?;
    if let Some(found) = tx.find_workspace(&row.key).await? {
        return Ok(found.id);
    }
    insert_workspace(tx, &row, &Author::system()).await?;
    Ok(row.id)
}

async fn insert_workspace(tx: &Tx, row: &WorkspaceRow, author: &Author) -> Result<(), StoreError> {
    tx.insert_workspace(row).await?;
    let change = AuditChange::of(AuditKind::Workspace, AuditAction::Created, row.key.as_str());
    let change = change.with_id(row.id.0).with_versions(None, Some(row.version));
    tx.add_audit(row.id, author, &change, row.created_at).await
}

pub(super) async fn insert_token(tx: &Tx, new: &NewToken, author: &Author) -> Result<(), StoreError> {
    tx.insert_token(new).await?;
    let row = &new.row;
    let change = AuditChange::of(AuditKind::Token, AuditAction::Created, row.name.as_str()).with_id(row.id.0);
    tx.add_audit(row.workspace, author, &change, row.created_at).await
}

/// `false`: it is gone already.
pub(super) async fn delete_token(
    tx: &Tx,
    row: &TokenRow,
    author: &Author,
    now: Instant,
) -> Result<bool, StoreError> {
    if !tx.delete_token(row.workspace, row.id).await? {
        return Ok(false);
    }
    let change = AuditChange::of(AuditKind::Token, AuditAction::Deleted, row.name.as_str()).with_id(row.id.0);
    tx.add_audit(row.workspace, author, &change, now).await?;
    Ok(true)
}
