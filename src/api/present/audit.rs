//! An entry of the audit as answers show it.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::words::Time;
use crate::domain::audit::AuditEntry;

/// Who changed what; paths, never values.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditView {
    /// Counts from 1 in the workspace.
    number: i64,
    at: Time,
    /// `token:<name>`, `person:<name>`, `system` (the program at its start) or `system:command` (the command line).
    by: String,
    /// The token that it was done with.
    token_id: Option<Uuid>,
    /// `created`, `changed`, `deleted`; of a connection also `enabled`, `disabled`, `resumed`,
    /// `breaker_opened`, `breaker_closed`; of a person `link_made`, `sessions_ended`; of the master key `rotated`.
    action: &'static str,
    /// `connection`, `secret`, `case_type`, `token`, `workspace`, `person` or `master_key`.
    kind: &'static str,
    /// Its key, or the name of a secret, a token or a person.
    key: String,
    id: Option<Uuid>,
    version_before: Option<i64>,
    version_after: Option<i64>,
    /// Dotted paths in which the two versions differ, at most 200.
    changed: Vec<String>,
    /// The `X-Request-Id` of the request.
    request_id: Option<String>,
    /// SHA-256 over the entry and the hash before it, as hex.
    hash: String,
}

impl From<&AuditEntry> for AuditView {
    fn from(entry: &AuditEntry) -> Self {
        let (author, change) = (&entry.author, &entry.change);
        Self {
            number: entry.number,
            at: Time(entry.at),
            by: author.by.clone(),
            token_id: author.token.map(|token| token.0),
            action: change.action.as_str(),
            kind: change.kind.as_str(),
            key: change.key.clone(),
            id: change.id,
            version_before: change.version_before,
            version_after: change.version_after,
            changed: change.changed.clone(),
            request_id: author.request_id.as_deref().map(str::to_owned),
            hash: hex::encode(entry.hash),
        }
    }
}
