//! People who sign in: added, changed and removed by admins; each changes their own name and
//! password.
//!
//! A workspace that has an admin who may sign in keeps one. Who is switched off, or gets another
//! password from an admin, is signed out everywhere; another role counts from the next request on.
//! Of a password only a hash is kept, and nothing that is said or logged holds one.

use std::sync::Arc;

use super::actor::Actor;
use super::error::ServiceError;
use super::once;
use super::page::{Page, PageRequest};
use super::passwords::Passwords;
use super::person_request::{NewPersonRequest, PersonPatch};
use super::sessions::Sessions;
use super::signed_in::SignedIn;
use crate::domain::audit::{AuditAction, AuditChange, AuditKind, Author};
use crate::domain::clock::{Instant, SharedClock, SharedRng};
use crate::domain::ids::PersonId;
use crate::domain::once::{Kept, Once};
use crate::domain::problem::code;
use crate::domain::secret::SecretText;
use crate::domain::token::Role;
use crate::store::{Edited, PersonRow, Store, StoreError, Tx};

/// The people of all workspaces.
pub struct People {
    pub(super) store: Store,
    pub(super) clock: SharedClock,
    pub(super) rng: SharedRng,
    pub(super) passwords: Passwords,
    pub(super) sessions: Arc<Sessions>,
}

impl People {
    /// The people of the workspace, the oldest first; for admins.
    pub async fn list(&self, actor: &Actor, page: PageRequest) -> Result<Page<PersonRow>, ServiceError> {
        actor.require(Role::Admin)?;
        let after = page.after::<PersonId>()?;
        let tx = self.store.read().await?;
        let mut rows = tx.list_people(actor.workspace, after, page.limit + 1).await?;
        let counted = if page.count {
            Some(tx.count_people_in(actor.workspace, page.most_counted()).await?)
        } else {
            None
        };
        let next = page.cut(&mut rows, |row| row.id);
        Ok(Page::new(rows, next, counted))
    }

    /// One person; for admins.
    pub async fn get(&self, actor: &Actor, id: PersonId) -> Result<PersonRow, ServiceError> {
        actor.require(Role::Admin)?;
        find(&self.store.read().await?, actor, id).await
    }

    /// Adds a person; for admins.
    pub async fn create(
        &self,
        actor: &Actor,
        request: NewPersonRequest,
        once: Option<Once>,
    ) -> Result<PersonRow, ServiceError> {
        actor.require(Role::Admin)?;
        request.check()?;
        let NewPersonRequest { name, email, role, active, password } = request;
        let has_password = password.is_some();
        let password = self.hashed(password).await?;
        let (now, actor) = (self.clock.now(), actor.clone());
        let row = PersonRow {
            id: PersonId(self.rng.uuid(now)),
            workspace: actor.workspace,
            name,
            email: Some(email.trim().to_owned()),
            role,
            active,
            has_password,
            created_at: now,
            updated_at: now,
        };
        let insert = self.store.write(move |tx| {
            Box::pin(async move {
                once::first(tx, once.as_ref()).await?;
                hold(tx, &actor, Role::Admin).await?;
                refuse_taken(tx, &row).await?;
                insert_person(tx, &row, password.as_deref(), &actor.author()).await?;
                once::keep(tx, once.as_ref(), Kept::created(format!("/v1/people/{}", row.id))).await?;
                Ok::<_, ServiceError>(row)
            })
        });
        insert.await
    }

    /// Changes a person; for admins.
    pub async fn patch(
        &self,
        actor: &Actor,
        id: PersonId,
        patch: PersonPatch,
    ) -> Result<PersonRow, ServiceError> {
        actor.require(Role::Admin)?;
        self.change(actor, id, patch, None).await
    }

    /// Changes the name of who is signed in.
    pub async fn rename(&self, who: &SignedIn, name: String) -> Result<PersonRow, ServiceError> {
        let patch = PersonPatch { name: Some(name), ..PersonPatch::default() };
        self.change(&who.actor, who.person.id, patch, Some(who)).await
    }

    /// Gives who is signed in another password, and ends their other sessions. The present one must
    /// be told, unless there is none or the session began with a link: then it may be forgotten.
    pub async fn change_password(
        &self,
        who: &SignedIn,
        present: Option<SecretText>,
        new: SecretText,
    ) -> Result<PersonRow, ServiceError> {
        let kept = self.store.read().await?.kept_password(who.person.id).await?;
        if kept.is_some() && !who.session.by_link {
            let present = present.unwrap_or_else(|| SecretText::from(String::new()));
            if !self.sessions.is_present(who, &present, kept).await? {
                return Err(ServiceError::invalid(
                    "/present",
                    code::INVALID,
                    "is not right: type it again, or ask an admin for a sign-in link",
                ));
            }
        }
        let patch = PersonPatch { password: Some(new), ..PersonPatch::default() };
        self.change(&who.actor, who.person.id, patch, Some(who)).await
    }

    /// `own`: who changes themself, whose present session goes on.
    async fn change(
        &self,
        actor: &Actor,
        id: PersonId,
        mut patch: PersonPatch,
        own: Option<&SignedIn>,
    ) -> Result<PersonRow, ServiceError> {
        let before = find(&self.store.read().await?, actor, id).await?;
        patch.email = patch.email.map(|email| email.trim().to_owned());
        patch.check(&before)?;
        let password = self.hashed(patch.password.clone()).await?;
        let (actor, now, stays) = (actor.clone(), self.clock.now(), own.map(|who| who.session.id));
        let needed = if own.is_some() { Role::Viewer } else { Role::Admin };
        let changed = self.store.write(move |tx| {
            Box::pin(async move {
                hold(tx, &actor, needed).await?;
                let before = find(tx, &actor, id).await?;
                let (row, changed) = patch.over(&before);
                if changed.is_empty() {
                    return Ok(before);
                }
                if !is_admin(&row) {
                    refuse_last_admin(tx, &before).await?;
                }
                if row.email != before.email {
                    refuse_taken(tx, &row).await?;
                }
                let row = PersonRow { updated_at: now, ..row };
                tx.update_person(&row, password.as_deref()).await?;
                if !row.active || password.is_some() {
                    tx.end_sessions(id, stays.filter(|_| row.active)).await?;
                    tx.withdraw_links(id).await?;
                }
                audit(tx, &row, AuditAction::Changed, changed, &actor.author(), now).await?;
                Ok::<_, ServiceError>(row)
            })
        });
        let changed = changed.await;
        self.sessions.forget();
        changed
    }

    /// Removes a person, who is signed out everywhere; for admins, also themselves.
    pub async fn delete(&self, actor: &Actor, id: PersonId) -> Result<(), ServiceError> {
        actor.require(Role::Admin)?;
        let (actor, now) = (actor.clone(), self.clock.now());
        let deleted = self.store.write(move |tx| {
            Box::pin(async move {
                hold(tx, &actor, Role::Admin).await?;
                let row = find(tx, &actor, id).await?;
                refuse_last_admin(tx, &row).await?;
                tx.delete_person(actor.workspace, id).await?;
                audit(tx, &row, AuditAction::Deleted, Vec::new(), &actor.author(), now).await?;
                Ok::<_, ServiceError>(())
            })
        });
        let deleted = deleted.await;
        self.sessions.forget();
        deleted
    }

    /// Signs a person out everywhere; for admins. Whoever does it to themself is signed out, too.
    /// Their links stay good, and so do their password and role.
    pub async fn end_sessions(&self, actor: &Actor, id: PersonId) -> Result<(), ServiceError> {
        actor.require(Role::Admin)?;
        let (actor, now) = (actor.clone(), self.clock.now());
        let ended = self.store.write(move |tx| {
            Box::pin(async move {
                hold(tx, &actor, Role::Admin).await?;
                let row = find(tx, &actor, id).await?;
                if tx.end_sessions(id, None).await? > 0 {
                    audit(tx, &row, AuditAction::SessionsEnded, Vec::new(), &actor.author(), now).await?;
                }
                Ok::<_, ServiceError>(())
            })
        });
        let ended = ended.await;
        self.sessions.forget();
        ended
    }

    async fn hashed(&self, password: Option<SecretText>) -> Result<Option<String>, ServiceError> {
        match password {
            Some(password) => self.passwords.hash(password).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Holds the people of the workspace; whoever changes them must be allowed to by then.
async fn hold(tx: &Tx, actor: &Actor, needed: Role) -> Result<(), ServiceError> {
    tx.hold(Edited::People(actor.workspace)).await?;
    actor.require_now(tx, needed).await
}

fn is_admin(row: &PersonRow) -> bool {
    row.active && row.role == Role::Admin
}

async fn find(tx: &Tx, actor: &Actor, id: PersonId) -> Result<PersonRow, ServiceError> {
    tx.find_person(actor.workspace, id).await?.ok_or(ServiceError::NotFound("person"))
}

/// Call it before the only admin who may sign in would be none any more.
async fn refuse_last_admin(tx: &Tx, row: &PersonRow) -> Result<(), ServiceError> {
    if !is_admin(row) || tx.count_other_admins(row.workspace, row.id).await? > 0 {
        return Ok(());
    }
    let detail = format!(
        "{} is the only admin of this workspace who may sign in: make somebody else an admin first",
        row.name
    );
    Err(ServiceError::InUse { detail, users: Vec::new() })
}

async fn refuse_taken(tx: &Tx, row: &PersonRow) -> Result<(), ServiceError> {
    let Some(email) = &row.email else { return Ok(()) };
    match tx.find_person_by_email(row.workspace, email).await? {
        Some(other) if other.id != row.id => Err(ServiceError::AlreadyExists(format!(
            "{} has the e-mail {email} in this workspace already: give another one, or change that person",
            other.name
        ))),
        _ => Ok(()),
    }
}

pub(super) async fn insert_person(
    tx: &Tx,
    row: &PersonRow,
    password: Option<&str>,
    author: &Author,
) -> Result<(), StoreError> {
    tx.insert_person(row, password).await?;
    audit(tx, row, AuditAction::Created, Vec::new(), author, row.created_at).await
}

pub(super) async fn audit(
    tx: &Tx,
    row: &PersonRow,
    action: AuditAction,
    changed: Vec<String>,
    author: &Author,
    now: Instant,
) -> Result<(), StoreError> {
    let change =
        AuditChange::of(AuditKind::Person, action, row.name.as_str()).with_id(row.id.0).with_changed(changed);
    tx.add_audit(row.workspace, author, &change, now).await
}
