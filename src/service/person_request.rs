//! What a person shall be, or become.

use super::error::ServiceError;
use crate::domain::person::{email_problem, name_problem, password_problem};
use crate::domain::problem::Problem;
use crate::domain::secret::SecretText;
use crate::domain::token::Role;
use crate::store::PersonRow;

/// What a new person shall be.
#[derive(Debug, Clone)]
pub struct NewPersonRequest {
    /// 1 to 200 characters.
    pub name: String,
    /// Compared without case; nobody else of the workspace has it.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// Whether they may sign in.
    pub active: bool,
    /// 10 to 1024 characters; none: they sign in by a link first.
    pub password: Option<SecretText>,
}

/// What shall change of a person; what is none stays.
#[derive(Debug, Clone, Default)]
pub struct PersonPatch {
    /// 1 to 200 characters.
    pub name: Option<String>,
    /// Compared without case; nobody else of the workspace has it.
    pub email: Option<String>,
    /// What they may do.
    pub role: Option<Role>,
    /// Whether they may sign in.
    pub active: Option<bool>,
    /// Another password: 10 to 1024 characters.
    pub password: Option<SecretText>,
}

impl NewPersonRequest {
    /// Refuses what cannot be.
    pub(super) fn check(&self) -> Result<(), ServiceError> {
        check([
            name_problem(&self.name),
            email_problem(&self.email),
            self.password
                .as_ref()
                .and_then(|password| password_problem(password.expose(), Some(&self.email))),
        ])
    }
}

impl PersonPatch {
    /// Refuses what cannot be.
    pub(super) fn check(&self, before: &PersonRow) -> Result<(), ServiceError> {
        let email = self.email.as_deref().or(before.email.as_deref());
        check([
            self.name.as_deref().and_then(name_problem),
            self.email.as_deref().and_then(email_problem),
            self.password.as_ref().and_then(|password| password_problem(password.expose(), email)),
        ])
    }

    /// The person as they shall be, and the names of what differs, sorted.
    pub(super) fn over(self, before: &PersonRow) -> (PersonRow, Vec<String>) {
        let row = PersonRow {
            name: self.name.unwrap_or_else(|| before.name.clone()),
            email: self.email.or_else(|| before.email.clone()),
            role: self.role.unwrap_or(before.role),
            active: self.active.unwrap_or(before.active),
            has_password: before.has_password || self.password.is_some(),
            ..before.clone()
        };
        let differs = [
            ("active", row.active != before.active),
            ("email", row.email != before.email),
            ("name", row.name != before.name),
            ("password", self.password.is_some()),
            ("role", row.role != before.role),
        ];
        (row, differs.iter().filter(|(_, differs)| *differs).map(|(name, _)| (*name).to_owned()).collect())
    }
}

fn check(problems: [Option<Problem>; 3]) -> Result<(), ServiceError> {
    let problems: Vec<Problem> = problems.into_iter().flatten().collect();
    if problems.is_empty() { Ok(()) } else { Err(ServiceError::Invalid(problems)) }
}
