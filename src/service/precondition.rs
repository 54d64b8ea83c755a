//! Conditional changes: checked inside the transaction of the change, against the row as it is
//! then. Who comes too late is told what has changed since.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::error::ServiceError;
use crate::domain::audit::AuditKind;
use crate::domain::case::{LeafChange, leaf_changes};
use crate::domain::expected::Expected;
use crate::domain::ids::{CaseId, WorkspaceId};
use crate::store::{CaseTypeRow, ConnectionRow, Tx, WorkspaceRow};

/// Paths that a sentence names; the list beside it has them all.
const NAMED: usize = 10;

/// Holds a case, and refuses a change of it that is not as expected. Whether there is such a case at all is
/// not decided here.
pub(super) async fn check_case(
    tx: &Tx,
    workspace: WorkspaceId,
    id: CaseId,
    expected: &Expected,
) -> Result<(), ServiceError> {
    tx.hold_cases([id]).await?;
    if *expected == Expected::Anything {
        return Ok(());
    }
    let Some(version) = tx.case_version(workspace, id).await? else { return Ok(()) };
    if expected.allows(version) {
        return Ok(());
    }
    let since = expected.newest_before(version);
    let changed = match since {
        Some(since) => tx.changed_since(id, since, version).await?,
        None => Vec::new(),
    };
    Err(mismatch("case", version, since, changed))
}

/// Refuses a patch of members of the data that are no longer what was seen of them: what a run
/// writes raises no version. `now` is read once the case is held.
pub(super) fn check_seen(
    seen: &Map<String, Value>,
    now: &Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<(), ServiceError> {
    let newer = patch.keys().filter(|name| seen.get(*name) != now.get(*name));
    let changed: Vec<String> = newer.map(|name| format!("data.{name}")).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let detail =
        format!("a run has written {}: read the case again, and repeat your change", listed(&changed));
    Err(ServiceError::VersionMismatch { detail, changed })
}

/// Refuses a change of a case type that is not as expected, or not there although it should be.
pub(super) async fn check_case_type(
    tx: &Tx,
    row: Option<&CaseTypeRow>,
    expected: &Expected,
) -> Result<(), ServiceError> {
    let Some(row) = row else {
        let detail = "there is no such case type any more: leave `If-Match` out to make it anew";
        return match expected {
            Expected::Anything | Expected::Absent => Ok(()),
            _ => Err(ServiceError::VersionMismatch { detail: detail.to_owned(), changed: Vec::new() }),
        };
    };
    refuse_second("case type", expected)?;
    if expected.allows(row.version) {
        return Ok(());
    }
    let since = expected.newest_before(row.version);
    let before = match since {
        Some(since) => tx.case_type_version(row.id, since).await?,
        None => None,
    };
    let changed = before.map_or_else(Vec::new, |before| changed_members(&before, row));
    Err(mismatch("case type", row.version, since, changed))
}

/// Refuses a change of a connection that is not as expected, or not there although it should be.
pub(super) fn check_connection(row: Option<&ConnectionRow>, expected: &Expected) -> Result<(), ServiceError> {
    let Some(row) = row else {
        let detail = "there is no such connection any more: leave `If-Match` out to make it anew";
        return match expected {
            Expected::Anything | Expected::Absent => Ok(()),
            _ => Err(ServiceError::VersionMismatch { detail: detail.to_owned(), changed: Vec::new() }),
        };
    };
    refuse_second("connection", expected)?;
    if expected.allows(row.version) {
        return Ok(());
    }
    let since = expected.newest_before(row.version);
    let news = row.changes.iter().filter(|change| since.is_some_and(|since| change.version > since));
    let changed: BTreeSet<&String> = news.flat_map(|change| &change.paths).collect();
    Err(mismatch("connection", row.version, since, changed.into_iter().cloned().collect()))
}

/// Refuses what was to be made anew where there is such a thing.
pub(super) fn refuse_second(what: &str, expected: &Expected) -> Result<(), ServiceError> {
    if *expected != Expected::Absent {
        return Ok(());
    }
    let detail = format!(
        "there is such a {what} already, and `If-None-Match: *` says that there is none: leave it out to replace it"
    );
    Err(ServiceError::VersionMismatch { detail, changed: Vec::new() })
}

/// Refuses a change of a workspace that is not as expected.
pub(super) async fn check_workspace(
    tx: &Tx,
    row: &WorkspaceRow,
    expected: &Expected,
) -> Result<(), ServiceError> {
    if expected.allows(row.version) {
        return Ok(());
    }
    let since = expected.newest_before(row.version);
    let changed = match since {
        Some(since) => tx.audited_since(row.id, AuditKind::Workspace, since).await?,
        None => Vec::new(),
    };
    Err(mismatch("workspace", row.version, since, changed))
}

fn changed_members(before: &CaseTypeRow, now: &CaseTypeRow) -> Vec<String> {
    changed_paths(&before.definition, &now.definition)
}

/// Dotted paths in which two definitions differ, sorted.
pub(super) fn changed_paths(before: &Value, now: &Value) -> Vec<String> {
    let (Some(old), Some(new)) = (before.as_object(), now.as_object()) else { return Vec::new() };
    let changes = leaf_changes(old, new).into_iter();
    let mut paths: Vec<String> =
        changes.map(|(LeafChange::Set(path) | LeafChange::Removed(path))| path).collect();
    paths.sort();
    paths.dedup();
    paths
}

fn mismatch(what: &str, version: i64, since: Option<i64>, changed: Vec<String>) -> ServiceError {
    let again = format!("read the {what} again, and repeat your change on what it says now");
    let detail = match since {
        None => format!(
            "the {what} is at version {version}, and `If-Match` names no version before it: {again} \
             (`If-Match` takes its `ETag` unchanged; a weak one never matches)"
        ),
        Some(since) if changed.is_empty() => {
            format!("the {what} is at version {version}, no longer at {since}: {again}")
        }
        Some(since) => format!(
            "the {what} is at version {version}, no longer at {since}; changed since: {}: {again}",
            listed(&changed)
        ),
    };
    ServiceError::VersionMismatch { detail, changed }
}

fn listed(paths: &[String]) -> String {
    let named: Vec<String> = paths.iter().take(NAMED).map(|path| format!("`{path}`")).collect();
    match paths.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(since: Option<i64>, changed: &[&str]) -> String {
        let changed = changed.iter().map(|path| (*path).to_owned()).collect();
        mismatch("case", 7, since, changed).to_string()
    }

    #[test]
    fn the_sentence_names_what_changed() {
        assert!(
            detail(Some(5), &["data.a", "title"]).contains("at 5; changed since: `data.a`, `title`: read")
        );
        assert!(detail(Some(5), &["p"; 12]).contains("`p` and 2 more: read"));
        assert!(detail(Some(5), &[]).contains("no longer at 5: read"));
        assert!(detail(None, &[]).contains("names no version before it"));
    }
}
