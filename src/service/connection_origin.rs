//! Where a connection leads, and what must not follow it elsewhere.

use url::{Origin, Url};

use super::error::ServiceError;
use super::plans::Plans;
use crate::domain::connection::Connection;
use crate::domain::ids::{ConnectionKey, WorkspaceId};
use crate::store::{ConnectionRow, Tx};

/// Whether a connection that had an origin gives it up.
pub(super) fn is_moved(before: &ConnectionRow, now: &Connection) -> bool {
    origin(before).is_some_and(|before| Some(before) != origin_now(now))
}

/// The origin that a stored connection has.
pub(super) fn origin(row: &ConnectionRow) -> Option<Origin> {
    let url = row.definition.get("base_url")?.as_str()?;
    Url::parse(url).ok().map(|url| url.origin())
}

/// The origin that a connection would have.
pub(super) fn origin_now(connection: &Connection) -> Option<Origin> {
    connection.base_url.as_ref().map(Url::origin)
}

/// Refuses to take credentials that were typed into fields to another origin.
pub(super) async fn refuse_to_move(
    tx: &Tx,
    plans: &Plans,
    workspace: WorkspaceId,
    key: &ConnectionKey,
) -> Result<(), ServiceError> {
    let current = plans.all_current_in(tx, workspace).await?;
    let typed = current.iter().filter(|plan| plan.types_credentials_over(key));
    let users: Vec<String> = typed.map(|plan| plan.key.to_string()).collect();
    if users.is_empty() {
        return Ok(());
    }
    let detail = format!(
        "fields of {} have credentials typed into their `auth` or headers for the origin that `{key}` has now: make them secrets, \
         or take them out, before `base_url` leads elsewhere",
        users.join(", ")
    );
    Err(ServiceError::InUse { detail, users })
}
