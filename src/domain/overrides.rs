//! Overrides: mapped values that somebody set by hand, which runs then leave alone.
//!
//! An override stands at a field's target, never beside one. A target that the same field's
//! request reads is never one: the person who corrects it wants the field to run on it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::case::{LeafChange, leaf_changes};
use super::case_type::CaseType;
use super::data::{self, DataPath};

/// The overridden targets of a case, as dotted paths.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Overrides(BTreeSet<String>);

impl Overrides {
    /// Whether a person has set this target.
    pub fn holds(&self, target: &DataPath) -> bool {
        !self.0.is_empty() && self.0.contains(&target.to_string())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The overridden ones among these targets.
    pub fn among<'t>(&self, targets: impl IntoIterator<Item = &'t DataPath>) -> Vec<String> {
        let mut found: Vec<String> = targets.into_iter().map(ToString::to_string).collect();
        found.retain(|path| self.0.contains(path));
        found
    }

    /// Takes one away; `false`: there was none at this path.
    pub fn clear(&mut self, path: &DataPath) -> bool {
        self.0.remove(&path.to_string())
    }

    /// What a merge patch does to them. A null takes away what stands at its path and below; a
    /// changed target that still has a value becomes one, if the writer's changes `pin`.
    pub fn patch(
        &mut self,
        case_type: &CaseType,
        patch: &Map<String, Value>,
        (old, new): (&Map<String, Value>, &Value),
        pin: bool,
    ) {
        self.forget_nulls("", patch);
        let Some(after) = new.as_object() else { return };
        let changed = leaf_changes(old, after);
        for target in case_type.api_calls().flat_map(|(_, call)| &call.pinnable) {
            let name = target.to_string();
            let concerns = |change: &LeafChange| {
                let (LeafChange::Set(leaf) | LeafChange::Removed(leaf)) = change;
                lies_in(leaf, &name) || lies_in(&name, leaf)
            };
            if !changed.iter().any(concerns) {
                continue;
            }
            let has_value = data::get(new, target).is_some_and(|value| !value.is_null());
            if !has_value {
                self.clear(target);
            } else if pin {
                self.0.insert(name);
            }
        }
    }

    fn forget_nulls(&mut self, prefix: &str, members: &Map<String, Value>) {
        if self.0.is_empty() {
            return;
        }
        for (name, value) in members {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match value {
                Value::Null => {
                    let below = format!("{path}.");
                    self.0.retain(|kept| *kept != path && !kept.starts_with(&below));
                }
                Value::Object(inner) => self.forget_nulls(&path, inner),
                _ => {}
            }
        }
    }
}

/// Whether a dotted path is another one or lies below it. Changes may lie deeper than a target
/// may, so they are compared as texts.
fn lies_in(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::case_type::Known;

    fn case_type() -> CaseType {
        let body = json!({"key": "company", "fields": [
            {"key": "registry", "type": "api_call", "api_config": {
                "url": "https://a.example/{data.vat}", "params": {"city": "{data.city}"},
                "response_mapping": {"name": "$.name", "address.street": "$.street", "address.zip": "$.zip",
                    "vat": "$.vat", "people": "$.people"},
                "output_variable": "answer"
            }}
        ]});
        CaseType::parse(&body, &Known::default()).unwrap().case_type
    }

    fn after(before: &[&str], patch: &Value, pin: bool) -> Vec<String> {
        let old = json!({"name": "a", "vat": "v", "city": "c", "people": {"ceo": "x"},
            "address": {"street": "s", "zip": "z"}, "answer": {"id": 1}});
        let mut new = old.clone();
        crate::domain::case::merge_patch(&mut new, patch);
        let mut overrides = Overrides(before.iter().map(ToString::to_string).collect());
        overrides.patch(&case_type(), patch.as_object().unwrap(), (old.as_object().unwrap(), &new), pin);
        overrides.0.into_iter().collect()
    }

    #[test]
    fn a_changed_target_becomes_an_override() {
        let none: [&str; 0] = [];
        for (patch, expected) in [
            (json!({"name": "b"}), &["name"][..]),
            (json!({"name": "a"}), &none),
            (json!({"name": null}), &none),
            (json!({"city": "d"}), &none),
            (json!({"vat": "w"}), &none),
            (json!({"address": {"street": "t"}}), &["address.street"]),
            (json!({"address": {"street": "t", "zip": null}}), &["address.street"]),
            (json!({"address": {"floor": 3}}), &none),
            (json!({"address": "one line"}), &none),
            (json!({"people": {"ceo": "y"}}), &["people"]),
            (json!({"people": {"ceo": null}}), &["people"]),
            (json!({"answer": {"id": 2}}), &["answer"]),
        ] {
            assert_eq!(after(&[], &patch, true), expected, "{patch}");
            assert_eq!(after(&[], &patch, false), none, "{patch}");
        }
    }

    #[test]
    fn a_null_takes_it_away_with_those_below() {
        let none: [&str; 0] = [];
        let held = ["address.street", "address.zip", "name"];
        for (patch, expected) in [
            (json!({"name": null}), &["address.street", "address.zip"][..]),
            (json!({"address": null}), &["name"]),
            (json!({"address": {"zip": null}}), &["address.street", "name"]),
            (json!({"name": "b"}), &held),
            (json!({"address": null, "name": null}), &none),
        ] {
            assert_eq!(after(&held, &patch, false), expected, "{patch}");
        }
    }
}
