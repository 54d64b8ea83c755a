//! Links that sign somebody in once: for who is new, and for who has forgotten a password.

use super::actor::Actor;
use super::error::ServiceError;
use super::people::{People, audit, insert_person};
use crate::domain::audit::{AuditAction, Author};
use crate::domain::clock::Instant;
use crate::domain::ids::{PersonId, WorkspaceId};
use crate::domain::secret::SecretText;
use crate::domain::session;
use crate::domain::token::{Role, hash};
use crate::store::{Edited, NewLink, PersonRow, Tx};

/// What the admin is called whom the program adds.
const FIRST: &str = "Admin";

/// Whom a link shall sign in.
#[derive(Debug, Clone)]
enum Whom {
    Person(PersonId),
    Email(String),
    /// The admin who was added first; added when there is none.
    Admin(Box<PersonRow>),
}

impl People {
    /// The token of a link for a person, which is shown this once; for admins.
    pub async fn link(&self, actor: &Actor, id: PersonId) -> Result<SecretText, ServiceError> {
        actor.require(Role::Admin)?;
        self.make_link(actor.workspace, Whom::Person(id), actor.author(), Some(actor.clone())).await
    }

    /// The same for the command line: for the person with this e-mail; without one for the
    /// workspace's first admin, who is added when there is none.
    pub async fn link_in(
        &self,
        workspace: WorkspaceId,
        email: Option<&str>,
    ) -> Result<SecretText, ServiceError> {
        let whom = email.map_or_else(|| self.admin(workspace), |email| Whom::Email(email.to_owned()));
        self.make_link(workspace, whom, Author::command(), None).await
    }

    /// A link for the very first person, unless there is one.
    pub async fn first_link(&self, workspace: WorkspaceId) -> Result<Option<SecretText>, ServiceError> {
        if self.store.read().await?.count_people().await? > 0 {
            return Ok(None);
        }
        self.make_link(workspace, self.admin(workspace), Author::system(), None).await.map(Some)
    }

    fn admin(&self, workspace: WorkspaceId) -> Whom {
        let now = self.clock.now();
        Whom::Admin(Box::new(PersonRow {
            id: PersonId(self.rng.uuid(now)),
            workspace,
            name: FIRST.to_owned(),
            email: None,
            role: Role::Admin,
            active: true,
            has_password: false,
            created_at: now,
            updated_at: now,
        }))
    }

    async fn make_link(
        &self,
        workspace: WorkspaceId,
        whom: Whom,
        author: Author,
        actor: Option<Actor>,
    ) -> Result<SecretText, ServiceError> {
        let (text, now) = (session::generate_link(&*self.rng), self.clock.now());
        let hash = hash(text.expose());
        let made = self.store.write(move |tx| {
            Box::pin(async move {
                tx.hold(Edited::People(workspace)).await?;
                if let Some(actor) = actor {
                    actor.require_now(tx, Role::Admin).await?;
                }
                let person = find(tx, workspace, whom, &author).await?;
                if !person.active {
                    return Err(ServiceError::InUse {
                        detail: format!("{} is switched off: switch them on first", person.name),
                        users: Vec::new(),
                    });
                }
                tx.insert_link(&link(hash, &person, now)).await?;
                Ok(audit(tx, &person, AuditAction::LinkMade, Vec::new(), &author, now).await?)
            })
        });
        made.await?;
        Ok(text)
    }
}

fn link(hash: [u8; 32], person: &PersonRow, now: Instant) -> NewLink {
    let (person, workspace) = (person.id, person.workspace);
    NewLink { hash, person, workspace, created_at: now, expires_at: now + session::LINK }
}

async fn find(
    tx: &Tx,
    workspace: WorkspaceId,
    whom: Whom,
    author: &Author,
) -> Result<PersonRow, ServiceError> {
    let found = match whom {
        Whom::Person(id) => tx.find_person(workspace, id).await?,
        Whom::Email(email) => tx.find_person_by_email(workspace, &email).await?,
        Whom::Admin(new) => {
            let found = tx.first_admin(workspace).await?;
            if found.is_none() {
                insert_person(tx, &new, None, author).await?;
            }
            found.or(Some(*new))
        }
    };
    found.ok_or(ServiceError::NotFound("person"))
}
