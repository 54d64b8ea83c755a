//! A secret as answers show it: everything but its value.

use serde::Serialize;
use utoipa::ToSchema;

use super::words::Time;
use crate::service::SecretUser;
use crate::store::SecretInfo;

/// A secret, without its value.
#[derive(Serialize, ToSchema)]
#[schema(as = Secret)]
pub struct SecretAnswer {
    name: String,
    /// Counts its values; runs say which they used.
    version: i64,
    /// Hosts that may receive it without a connection, each with an optional port.
    hosts: Vec<String>,
    /// Whether it is replaced wherever it appears.
    redact: bool,
    created_at: Time,
    updated_at: Time,
    /// When it was opened last for a request, to the minute.
    last_used_at: Option<Time>,
    /// Who uses it: case types by their key, connections as `connection:<key>`.
    used_by: Vec<String>,
    /// The same, each field and connection on its own.
    uses: Vec<SecretUseView>,
}

/// A field or a connection that uses a secret; the other members are null.
#[derive(Serialize, ToSchema)]
#[schema(as = SecretUse)]
pub struct SecretUseView {
    case_type: Option<String>,
    field: Option<String>,
    connection: Option<String>,
}

impl From<&SecretUser> for SecretUseView {
    fn from(user: &SecretUser) -> Self {
        match user.clone() {
            SecretUser::Field { case_type, field } => {
                Self { case_type: Some(case_type), field: Some(field), connection: None }
            }
            SecretUser::Connection(key) => Self { case_type: None, field: None, connection: Some(key) },
        }
    }
}

impl SecretAnswer {
    /// Of a secret and who uses it.
    pub fn new(info: &SecretInfo, users: &[SecretUser]) -> Self {
        let mut used_by: Vec<String> = users.iter().map(SecretUser::thing).collect();
        used_by.dedup();
        Self {
            name: info.name.to_string(),
            version: info.version,
            hosts: info.hosts.iter().map(ToString::to_string).collect(),
            redact: info.redact,
            created_at: Time(info.created_at),
            updated_at: Time(info.updated_at),
            last_used_at: info.last_used_at.map(Time),
            used_by,
            uses: users.iter().map(SecretUseView::from).collect(),
        }
    }
}
