//! A token as answers show it; its value only once, when it is made.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::words::{self, Time};
use crate::domain::secret::SecretText;
use crate::domain::token::Role;
use crate::store::TokenRow;

/// An API token, without its value.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenView {
    id: Uuid,
    name: String,
    #[schema(value_type = words::Role)]
    role: Role,
    /// Whether a PATCH with it makes overrides.
    overrides: bool,
    expires_at: Option<Time>,
    created_at: Time,
    /// When it was used last, to the minute.
    last_used_at: Option<Time>,
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = NewToken)]
pub struct NewTokenView {
    #[serde(flatten)]
    row: TokenView,
    /// The token itself, shown this once.
    token: String,
}

impl From<&TokenRow> for TokenView {
    fn from(row: &TokenRow) -> Self {
        Self {
            id: row.id.0,
            name: row.name.clone(),
            role: row.role,
            overrides: row.overrides,
            expires_at: row.expires_at.map(Time),
            created_at: Time(row.created_at),
            last_used_at: row.last_used_at.map(Time),
        }
    }
}

impl NewTokenView {
    /// A token and its value.
    pub fn new(row: &TokenRow, token: &SecretText) -> Self {
        Self { row: TokenView::from(row), token: token.expose().to_owned() }
    }
}
