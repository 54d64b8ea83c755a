//! People who sign in. What is kept of a password is read only to compare one.

use sea_orm::{QueryResult, Value};

use super::error::StoreError;
use super::rows::Columns;
use super::statement::{int, maybe_text, maybe_uuid, ms, sql, text, uuid};
use super::tx::Tx;
use crate::domain::clock::Instant;
use crate::domain::ids::{PersonId, WorkspaceId};
use crate::domain::person::{self, folded};
use crate::domain::token::Role;

/// A row of `person`, without what is kept of the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// Its id.
    pub id: PersonId,
    /// The workspace that it belongs to.
    pub workspace: WorkspaceId,
    /// What people call them.
    pub name: String,
    /// As it was typed; none: they sign in by links only.
    pub email: Option<String>,
    /// What they may do.
    pub role: Role,
    /// Whether they may sign in.
    pub active: bool,
    /// Whether a password was set.
    pub has_password: bool,
    /// When they were added.
    pub created_at: Instant,
    /// When they were changed last.
    pub updated_at: Instant,
}

impl PersonRow {
    /// How histories call them.
    pub fn known_as(&self) -> String {
        person::known_as(&self.name, self.email.as_deref())
    }
}

/// Columns of a person, for statements that join them.
pub(super) const COLUMNS: &str = "person.id, person.workspace_id, person.name, person.email, person.role, \
     person.active, person.password IS NOT NULL, person.created_at, person.updated_at";

/// Reads a person from the next columns.
pub(super) fn next_person(columns: &mut Columns<'_>, id: PersonId) -> Result<PersonRow, StoreError> {
    Ok(PersonRow {
        id,
        workspace: WorkspaceId(columns.get()?),
        name: columns.get()?,
        email: columns.get()?,
        role: columns.word(Role::parse)?,
        active: columns.get()?,
        has_password: columns.get()?,
        created_at: columns.at()?,
        updated_at: columns.at()?,
    })
}

fn person(row: &QueryResult) -> Result<PersonRow, StoreError> {
    let mut columns = Columns::of("person", row)?;
    let id = PersonId(columns.id());
    next_person(&mut columns, id)
}

impl Tx {
    /// The person of the workspace with this id.
    pub async fn find_person(
        &self,
        workspace: WorkspaceId,
        id: PersonId,
    ) -> Result<Option<PersonRow>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM person WHERE workspace_id = $1 AND id = $2");
        let row = self.one(sql(statement, vec![uuid(workspace.0), uuid(id.0)])).await?;
        row.as_ref().map(person).transpose()
    }

    /// The person of the workspace with this e-mail, compared without case.
    pub async fn find_person_by_email(
        &self,
        workspace: WorkspaceId,
        email: &str,
    ) -> Result<Option<PersonRow>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM person WHERE workspace_id = $1 AND email_folded = $2");
        let row = self.one(sql(statement, vec![uuid(workspace.0), text(folded(email))])).await?;
        row.as_ref().map(person).transpose()
    }

    /// Everybody with this e-mail who may sign in, by the names of their workspaces, and what is
    /// kept of each password.
    pub async fn people_to_sign_in(
        &self,
        email: &str,
        limit: u32,
    ) -> Result<Vec<(PersonRow, String)>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS}, person.password FROM person JOIN workspace ON workspace.id = person.workspace_id \
             WHERE person.email_folded = $1 AND person.active AND person.password IS NOT NULL \
             ORDER BY workspace.name, workspace.key LIMIT $2"
        );
        let rows = self.all(sql(statement, vec![text(folded(email)), int(limit)])).await?;
        let kept = |row: &QueryResult| {
            let mut columns = Columns::of("person", row)?;
            let id = PersonId(columns.id());
            let person = next_person(&mut columns, id)?;
            Ok((person, columns.get()?))
        };
        rows.iter().map(kept).collect()
    }

    /// What is kept of a person's password.
    pub async fn kept_password(&self, id: PersonId) -> Result<Option<String>, StoreError> {
        let row = self.one(sql("SELECT password FROM person WHERE id = $1", vec![uuid(id.0)])).await?;
        Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.flatten())
    }

    /// The people of a workspace, the oldest first, those after `after` only.
    pub async fn list_people(
        &self,
        workspace: WorkspaceId,
        after: Option<PersonId>,
        limit: u64,
    ) -> Result<Vec<PersonRow>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM person WHERE workspace_id = $1 AND ($2 IS NULL OR id > $2) ORDER BY id LIMIT $3"
        );
        let values = vec![
            uuid(workspace.0),
            maybe_uuid(after.map(|id| id.0)),
            int(i64::try_from(limit).unwrap_or(i64::MAX)),
        ];
        self.all(sql(statement, values)).await?.iter().map(person).collect()
    }

    /// People of a workspace, counted up to `most`.
    pub async fn count_people_in(&self, workspace: WorkspaceId, most: u64) -> Result<u64, StoreError> {
        self.count_up_to("person WHERE workspace_id = $1", workspace.0, most).await
    }

    /// People of all workspaces.
    pub async fn count_people(&self) -> Result<u64, StoreError> {
        self.number(sql("SELECT count(*) FROM person", vec![])).await
    }

    /// The active admin of a workspace who was added first.
    pub async fn first_admin(&self, workspace: WorkspaceId) -> Result<Option<PersonRow>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM person WHERE workspace_id = $1 AND role = $2 AND active ORDER BY id LIMIT 1"
        );
        let row = self.one(sql(statement, vec![uuid(workspace.0), text(Role::Admin.as_str())])).await?;
        row.as_ref().map(person).transpose()
    }

    /// Active admins of a workspace beside this person.
    pub async fn count_other_admins(&self, workspace: WorkspaceId, but: PersonId) -> Result<u64, StoreError> {
        let statement =
            "SELECT count(*) FROM person WHERE workspace_id = $1 AND role = $2 AND active AND id <> $3";
        let values = vec![uuid(workspace.0), text(Role::Admin.as_str()), uuid(but.0)];
        self.number(sql(statement, values)).await
    }

    /// Adds a person; [`StoreError::Duplicate`] when the e-mail is taken.
    pub async fn insert_person(&self, row: &PersonRow, password: Option<&str>) -> Result<(), StoreError> {
        let statement = "INSERT INTO person (id, workspace_id, name, email, email_folded, role, active, password, \
             created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let values = vec![
            uuid(row.id.0),
            uuid(row.workspace.0),
            text(row.name.as_str()),
            maybe_text(row.email.as_deref()),
            maybe_text(row.email.as_deref().map(folded)),
            text(row.role.as_str()),
            Value::from(row.active),
            maybe_text(password),
            ms(row.created_at),
            ms(row.updated_at),
        ];
        self.execute(sql(statement, values)).await.map(drop)
    }

    /// Writes a person, and the password when there is another one.
    pub async fn update_person(&self, row: &PersonRow, password: Option<&str>) -> Result<(), StoreError> {
        let statement = "UPDATE person SET name = $3, email = $4, email_folded = $5, role = $6, active = $7, \
             password = coalesce($8, password), updated_at = $9 WHERE workspace_id = $1 AND id = $2";
        let values = vec![
            uuid(row.workspace.0),
            uuid(row.id.0),
            text(row.name.as_str()),
            maybe_text(row.email.as_deref()),
            maybe_text(row.email.as_deref().map(folded)),
            text(row.role.as_str()),
            Value::from(row.active),
            maybe_text(password),
            ms(row.updated_at),
        ];
        self.execute(sql(statement, values)).await?;
        self.tell_of_access().await
    }

    /// Removes a person with all sessions and links; `false`: there is none with this id here.
    pub async fn delete_person(&self, workspace: WorkspaceId, id: PersonId) -> Result<bool, StoreError> {
        self.end_sessions(id, None).await?;
        self.withdraw_links(id).await?;
        let values = vec![uuid(workspace.0), uuid(id.0)];
        let removed =
            self.execute(sql("DELETE FROM person WHERE workspace_id = $1 AND id = $2", values)).await?;
        Ok(removed > 0)
    }
}
