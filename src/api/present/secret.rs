//! A secret as answers show it: everything but its value.

use serde::Serialize;
use utoipa::ToSchema;

use super::words::Time;
use crate::store::SecretInfo;

/// A secret, without its value.
#[derive(Serialize, ToSchema)]
#[schema(as = Secret)]
pub struct SecretAnswer {
    name: String,
    /// Hosts that may receive it without a connection, each with an optional port.
    hosts: Vec<String>,
    /// Whether it is replaced wherever it appears.
    redact: bool,
    created_at: Time,
    updated_at: Time,
    /// Who uses it: case types by their key, connections as `connection:<key>`.
    used_by: Vec<String>,
}

impl SecretAnswer {
    /// Of a secret and who uses it.
    pub fn new(info: &SecretInfo, used_by: Vec<String>) -> Self {
        Self {
            name: info.name.to_string(),
            hosts: info.hosts.iter().map(ToString::to_string).collect(),
            redact: info.redact,
            created_at: Time(info.created_at),
            updated_at: Time(info.updated_at),
            used_by,
        }
    }
}
