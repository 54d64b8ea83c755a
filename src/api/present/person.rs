//! A person as answers show them; never a password, nor what is kept of one.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::words;
use crate::domain::token::Role;
use crate::store::PersonRow;

/// Somebody who signs in to the pages.
#[derive(Serialize, ToSchema)]
#[schema(as = Person)]
pub struct PersonView {
    id: Uuid,
    name: String,
    /// None: they sign in by links only.
    email: Option<String>,
    #[schema(value_type = words::Role)]
    role: Role,
    /// Whether they may sign in.
    active: bool,
}

impl From<&PersonRow> for PersonView {
    fn from(row: &PersonRow) -> Self {
        Self {
            id: row.id.0,
            name: row.name.clone(),
            email: row.email.clone(),
            role: row.role,
            active: row.active,
        }
    }
}
