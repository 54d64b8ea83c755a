//! Cases: what is kept of one, how a patch merges, and where each value came from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::clock::{Instant, rfc3339};
use super::data::{self, DataPath};
use super::ids::{CaseId, CaseTypeId, CaseTypeKey, RunId, WorkspaceId};
use super::run::words;

words! {
    /// How far a case has come.
    CaseStatus {
        /// Being written.
        Draft = "draft",
        /// Waits for somebody.
        Pending = "pending",
        /// Being worked on.
        InProgress = "in_progress",
        /// Done; schedules leave it alone.
        Closed = "closed",
    }
}

/// A case, without its data.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The case.
    pub id: CaseId,
    /// Its tenant.
    pub workspace: WorkspaceId,
    /// Its type.
    pub case_type_id: CaseTypeId,
    /// Its type's key.
    pub case_type: CaseTypeKey,
    /// What people call it; unique in the workspace.
    pub reference: Option<String>,
    /// What it is about.
    pub title: Option<String>,
    /// How far it has come.
    pub status: CaseStatus,
    /// How far in the workspace's own words.
    pub custom_status: Option<String>,
    /// Who works on it.
    pub assignee: Option<String>,
    /// Counts changes by people and the API.
    pub version: i64,
    /// Counts every change.
    pub revision: i64,
    /// When it was created.
    pub created_at: Instant,
    /// When anything of it last changed.
    pub updated_at: Instant,
}

impl Case {
    /// What templates read as `case`.
    pub fn root(&self) -> Value {
        json!({
            "id": self.id,
            "reference": self.reference,
            "title": self.title,
            "status": self.status,
            "custom_status": self.custom_status,
            "assignee": self.assignee,
            "type": self.case_type,
            "created_at": rfc3339(self.created_at),
        })
    }
}

words! {
    /// Who put a value where it is.
    Source {
        /// A run's mapping.
        Run = "run",
        /// A person, on a page.
        Person = "person",
        /// A program, through the API.
        Api = "api",
        /// It came with the case.
        Initial = "initial",
        /// The field's default.
        Default = "default",
    }
}

/// Where one value came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProvenanceEntry {
    /// Who put it there.
    pub source: Source,
    /// `token:<name>`, for people and the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The run whose mapping wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The field of that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// When it was written.
    pub at: Instant,
    /// When the provider gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched_at: Option<Instant>,
    /// Whether it came from the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<bool>,
}

impl ProvenanceEntry {
    /// A value that did not come from a run.
    pub fn by(source: Source, by: &str, at: Instant) -> Self {
        Self {
            source,
            by: Some(by.to_owned()),
            run_id: None,
            field: None,
            at,
            fetched_at: None,
            cached: None,
        }
    }
}

/// Where each value of a case came from, by dotted path.
///
/// An entry holds for everything below its path that has no nearer one, so a case that came in
/// one piece needs a single entry at the root, `""`. [`Provenance::list`] spells it out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Provenance(BTreeMap<String, ProvenanceEntry>);

impl Provenance {
    /// Everything that the case holds came in one piece.
    pub fn whole(entry: ProvenanceEntry) -> Self {
        Self(BTreeMap::from([(String::new(), entry)]))
    }

    /// A value was written at `path`: what was known of it and below is forgotten.
    pub fn set(&mut self, path: &str, entry: ProvenanceEntry) {
        self.forget(path);
        self.0.insert(path.to_owned(), entry);
    }

    /// The value at `path` is gone.
    pub fn forget(&mut self, path: &str) {
        let below = format!("{path}.");
        self.0.retain(|known, _| known != path && !known.starts_with(&below));
    }

    /// One entry per value: mapped values at their target, all others at each leaf (an array
    /// is one).
    pub fn list(&self, data: &Map<String, Value>) -> Vec<(String, ProvenanceEntry)> {
        let mut found = Vec::new();
        let root = self.0.get("");
        for (name, value) in data {
            self.walk(name, value, root, &mut found);
        }
        found
    }

    fn walk(
        &self,
        path: &str,
        value: &Value,
        above: Option<&ProvenanceEntry>,
        found: &mut Vec<(String, ProvenanceEntry)>,
    ) {
        let own = self.0.get(path);
        if let Some(entry) = own.filter(|entry| entry.source == Source::Run) {
            found.push((path.to_owned(), entry.clone()));
            return self.walk_named(path, value, found);
        }
        match value {
            Value::Object(members) if !members.is_empty() => {
                for (name, member) in members {
                    self.walk(&format!("{path}.{name}"), member, own.or(above), found);
                }
            }
            _ => found.extend(own.or(above).map(|entry| (path.to_owned(), entry.clone()))),
        }
    }

    /// Below a mapped value only what was written there later has an entry of its own.
    fn walk_named(&self, path: &str, value: &Value, found: &mut Vec<(String, ProvenanceEntry)>) {
        let below = format!("{path}.");
        for (known, entry) in self.0.range(below.clone()..).take_while(|(known, _)| known.starts_with(&below))
        {
            let inner = DataPath::parse(&known[below.len()..]).ok();
            if inner.is_some_and(|inner| data::get(value, &inner).is_some()) {
                found.push((known.clone(), entry.clone()));
            }
        }
    }
}

/// Merges `patch` into `target` as RFC 7396 says: null removes, objects merge, all else replaces.
///
/// One thing more: null where null already is changes nothing, so that a case which holds a
/// null can be sent back as it was read. For templates null and missing are the same.
pub fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            if members.get(name).is_some_and(|held| !held.is_null()) {
                members.shift_remove(name);
            }
        } else {
            merge_patch(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// What a change did to one leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeafChange {
    /// It has a new value.
    Set(String),
    /// It is gone.
    Removed(String),
}

/// The leaves (arrays count as one) that differ between two states of the data, by value.
pub fn leaf_changes(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<LeafChange> {
    let mut changes = Vec::new();
    compare("", old, new, &mut changes);
    changes
}

fn compare(prefix: &str, old: &Map<String, Value>, new: &Map<String, Value>, changes: &mut Vec<LeafChange>) {
    let path = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    for (name, _) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
        changes.push(LeafChange::Removed(path(name)));
    }
    for (name, value) in new {
        match (old.get(name), value) {
            (Some(before), after) if before == after => {}
            (Some(Value::Object(before)), Value::Object(after)) => {
                compare(&path(name), before, after, changes);
            }
            (_, Value::Object(after)) if !after.is_empty() => {
                changes.push(LeafChange::Removed(path(name)));
                compare(&path(name), &Map::new(), after, changes);
            }
            _ => changes.push(LeafChange::Set(path(name))),
        }
    }
}

/// What differs between two states of a case, as dotted paths, sorted: `data.vat_number`, `title`.
pub fn changed_paths(
    before: (&Case, &Map<String, Value>),
    after: (&Case, &Map<String, Value>),
) -> Vec<String> {
    let members = [
        ("assignee", before.0.assignee != after.0.assignee),
        ("custom_status", before.0.custom_status != after.0.custom_status),
        ("reference", before.0.reference != after.0.reference),
        ("status", before.0.status != after.0.status),
        ("title", before.0.title != after.0.title),
    ];
    let mut paths: Vec<String> = leaf_changes(before.1, after.1)
        .into_iter()
        .map(|(LeafChange::Set(path) | LeafChange::Removed(path))| format!("data.{path}"))
        .chain(members.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()))
        .collect();
    paths.sort();
    paths.dedup();
    // Where an object took the place of something else, its leaves say enough.
    let below = |path: &str| format!("{path}.");
    let all = paths.clone();
    paths.retain(|path| {
        let below = below(path);
        let next = all.partition_point(|known| known.as_str() < below.as_str());
        !all.get(next).is_some_and(|known| known.starts_with(&below))
    });
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn object(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    fn at() -> Instant {
        chrono::Utc.with_ymd_and_hms(2026, 11, 21, 9, 0, 0).unwrap()
    }

    fn run_entry() -> ProvenanceEntry {
        ProvenanceEntry { field: Some("registry".into()), ..ProvenanceEntry::by(Source::Run, "run", at()) }
    }

    #[test]
    fn a_patch_merges_as_rfc_7396_says() {
        let table = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (
                json!({"e": null, "f": {"g": null}}),
                json!({"e": null, "f": {"g": null, "h": null}}),
                json!({"e": null, "f": {"g": null}}),
            ),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ];
        for (mut target, patch, expected) in table {
            merge_patch(&mut target, &patch);
            assert_eq!(target, expected);
        }
    }

    #[test]
    fn what_came_in_one_piece_is_spelt_out_leaf_by_leaf() {
        let data = object(json!({"vat": "BE1", "address": {"city": "Gent", "lines": ["a", "b"]}}));
        let mut provenance = Provenance::whole(ProvenanceEntry::by(Source::Initial, "token:ops", at()));
        provenance.set("address.city", ProvenanceEntry::by(Source::Api, "token:ops", at()));
        let list = provenance.list(&data);
        let paths: Vec<_> = list.iter().map(|(path, entry)| (path.as_str(), entry.source)).collect();
        assert_eq!(
            paths,
            [("vat", Source::Initial), ("address.city", Source::Api), ("address.lines", Source::Initial)]
        );
    }

    #[test]
    fn a_mapped_object_is_one_value_until_something_below_it_is_changed() {
        let data = object(json!({"address": {"city": "Gent", "zip": "9000"}}));
        let mut provenance = Provenance::default();
        provenance.set("address", run_entry());
        assert_eq!(provenance.list(&data).len(), 1);
        provenance.set("address.zip", ProvenanceEntry::by(Source::Api, "token:ops", at()));
        let paths: Vec<_> = provenance.list(&data).into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["address", "address.zip"]);
        provenance.set("address", run_entry());
        assert_eq!(provenance.list(&data).len(), 1);
    }

    #[test]
    fn changes_are_found_by_value_leaf_by_leaf() {
        let old = object(json!({"a": 1, "b": {"c": 1, "d": 2}, "e": [1]}));
        let new = object(json!({"a": 1, "b": {"c": 3}, "e": [1, 2], "f": {"g": 1}}));
        let set = |path: &str| LeafChange::Set(path.to_owned());
        let removed = |path: &str| LeafChange::Removed(path.to_owned());
        assert_eq!(
            leaf_changes(&old, &new),
            [removed("b.d"), set("b.c"), set("e"), removed("f"), set("f.g")]
        );
    }

    fn case() -> Case {
        let id = uuid::Uuid::nil();
        Case {
            id: CaseId(id),
            workspace: WorkspaceId(id),
            case_type_id: CaseTypeId(id),
            case_type: "test".parse().unwrap(),
            reference: None,
            title: None,
            status: CaseStatus::InProgress,
            custom_status: None,
            assignee: None,
            version: 1,
            revision: 1,
            created_at: at(),
            updated_at: at(),
        }
    }

    #[test]
    fn a_change_names_each_leaf_once_and_in_order() {
        let old = object(json!({"a": 1, "b": {"c": 1}, "same": true, "list": [1]}));
        let new =
            object(json!({"a": {"x": 1, "y": {"z": 2}}, "b": {}, "same": true, "list": [1, 2], "a1": 0}));
        let before = case();
        let after = Case { title: Some("Acme".into()), status: CaseStatus::Closed, ..case() };
        assert_eq!(
            changed_paths((&before, &old), (&after, &new)),
            ["data.a.x", "data.a.y.z", "data.a1", "data.b.c", "data.list", "status", "title"]
        );
        assert!(changed_paths((&before, &old), (&before, &old)).is_empty());
    }
}
