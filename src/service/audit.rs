//! Who changed what: read, and proved to be whole. Entries are added where the change is made, in
//! its transaction (`Tx::add_audit`).

use serde_json::{Map, Value};

use super::actor::Actor;
use super::error::ServiceError;
use super::page::{Page, PageRequest};
use super::precondition::changed_paths;
use super::sealed_members::SEALED;
use crate::domain::audit::{AuditAction, AuditChange, AuditEntry, AuditKind, Link};
use crate::domain::ids::{ConnectionKey, WorkspaceId};
use crate::store::{AuditFilter, ConnectionRow, SecretRow, Store, Tx};

/// Entries read at once while a chain is walked.
const STEP: u32 = 500;

/// What came of walking a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The last entry that holds.
    pub last: Link,
    /// Where it is broken, and how; none: it is whole.
    pub broken: Option<String>,
}

/// The audit of all workspaces. Cheap to clone.
#[derive(Clone)]
pub struct Audit {
    pub(super) store: Store,
}

impl Audit {
    /// A page of entries, newest first.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: AuditFilter,
        page: PageRequest,
    ) -> Result<Page<AuditEntry>, ServiceError> {
        let before = page.after::<i64>()?;
        let tx = self.store.read().await?;
        let mut found = tx.list_audit(actor.workspace, &filter, before, page.limit + 1).await?;
        let counted = if page.count {
            Some(tx.count_audit(actor.workspace, &filter, page.most_counted()).await?)
        } else {
            None
        };
        let next = page.cut(&mut found, |last| last.number);
        Ok(Page::new(found, next, counted))
    }

    /// Walks the chain of a workspace from its beginning to its end.
    pub async fn verify(&self, workspace: WorkspaceId) -> Result<Verified, ServiceError> {
        let tx = self.store.read().await?;
        let end = tx.chain_end(workspace).await?;
        let (last, broken) = walk(&tx, workspace).await?;
        let broken = broken.or_else(|| wrong_end(last, end)).or_else(|| nothing_left(last));
        Ok(Verified { last, broken })
    }
}

async fn walk(tx: &Tx, workspace: WorkspaceId) -> Result<(Link, Option<String>), ServiceError> {
    let mut link = Link::BEGINNING;
    let mut entries = tx.chain(workspace, i64::MIN, STEP).await?;
    while !entries.is_empty() {
        for entry in entries {
            let next = entry
                .map_err(|why| format!("entry {} cannot be read: {why}", link.number + 1))
                .and_then(|entry| link.follow(workspace, &entry));
            match next {
                Ok(next) => link = next,
                Err(why) => return Ok((link, Some(why))),
            }
        }
        entries = tx.chain(workspace, link.number, STEP).await?;
    }
    Ok((link, None))
}

/// Entries at the end can only be missed by who knows where it was.
fn wrong_end(last: Link, end: Link) -> Option<String> {
    if last == end {
        return None;
    }
    Some(if last.number < end.number {
        format!(
            "entry {} is missing: the chain ended at {}, now it does at {}",
            last.number + 1,
            end.number,
            last.number
        )
    } else {
        format!(
            "entry {} is not what was noted as the end of the chain, which was {}",
            last.number, end.number
        )
    })
}

/// Making a workspace is its first entry, so a chain without any was emptied with its end.
fn nothing_left(last: Link) -> Option<String> {
    (last == Link::BEGINNING).then(|| "entry 1 is missing: every workspace begins with one".to_owned())
}

/// Dotted paths in which two definitions differ, sorted; fields of a case type by their keys
/// (`fields.vat_check.retry`). A credential that is sealed counts as what it stands for.
pub(super) fn paths(before: &Value, now: &Value) -> Vec<String> {
    let mut paths = changed_paths(&by_key(before), &by_key(now));
    for path in &mut paths {
        if let Some(shown) = path.strip_suffix(SEALED).and_then(|path| path.strip_suffix('.')) {
            *path = shown.to_owned();
        }
    }
    let mut kept: Vec<String> = Vec::with_capacity(paths.len());
    for path in paths {
        // What is new as a whole is named as a whole.
        let covers = |whole: &String| {
            path.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if !kept.last().is_some_and(covers) {
            kept.push(path);
        }
    }
    kept
}

fn by_key(definition: &Value) -> Value {
    let mut definition = definition.clone();
    for list in ["fields", "sections"] {
        let Some(items) = definition.get(list).and_then(Value::as_array) else { continue };
        let keyed =
            items.iter().filter_map(|item| Some((item.get("key")?.as_str()?.to_owned(), item.clone())));
        let keyed: Map<String, Value> = keyed.collect();
        definition[list] = keyed.into();
    }
    definition
}

/// What the audit says of a secret's new version; the value counts as changed, whatever it is.
pub(super) fn of_secret(old: Option<&SecretRow>, new: &SecretRow) -> AuditChange {
    let action = if old.is_some() { AuditAction::Changed } else { AuditAction::Created };
    let change = AuditChange::of(AuditKind::Secret, action, new.info.name.as_str())
        .with_id(new.id.0)
        .with_versions(old.map(|old| old.info.version), Some(new.info.version));
    let Some(old) = old else { return change };
    let mut paths = vec!["value".to_owned()];
    paths.extend((old.info.hosts != new.info.hosts).then(|| "hosts".to_owned()));
    paths.extend((old.info.redact != new.info.redact).then(|| "redact".to_owned()));
    change.with_changed(paths)
}

/// What the audit says of a connection's new version.
pub(super) fn of_connection(
    before: Option<&ConnectionRow>,
    key: &ConnectionKey,
    definition: &Value,
) -> AuditChange {
    let Some(before) = before else {
        return AuditChange::of(AuditKind::Connection, AuditAction::Created, key.as_str())
            .with_versions(None, Some(1));
    };
    AuditChange::of(AuditKind::Connection, AuditAction::Changed, key.as_str())
        .with_versions(Some(before.version), Some(before.version + 1))
        .with_changed(paths(&before.definition, definition))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_name_fields_by_key_and_no_value() {
        let before = json!({"name": "a", "fields": [
            {"key": "x", "retry": 1},
            {"key": "y", "api_config": {"auth": {"token": {"$sealed": "old"}}}},
        ]});
        let now = json!({"name": "a", "fields": [
            {"key": "y", "api_config": {"auth": {"token": {"$sealed": "new"}}}},
            {"key": "x", "retry": 2},
            {"key": "z"},
        ]});
        assert_eq!(paths(&before, &now), ["fields.x.retry", "fields.y.api_config.auth.token", "fields.z"]);
        assert_eq!(paths(&now, &now), Vec::<String>::new());
    }

    #[test]
    fn a_chain_that_ends_elsewhere_is_broken() {
        let link = |number, byte| Link { number, hash: [byte; 32] };
        assert_eq!(wrong_end(link(3, 1), link(3, 1)), None);
        assert!(wrong_end(link(2, 1), link(3, 1)).unwrap().starts_with("entry 3 is missing"));
        assert!(wrong_end(link(3, 1), link(3, 2)).unwrap().starts_with("entry 3 is not"));
        assert!(wrong_end(link(3, 1), Link::BEGINNING).unwrap().starts_with("entry 3 is not"));
    }
}
