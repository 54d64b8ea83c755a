//! Places in the JSON of answers that nobody may see: paths that a builder names in `redact`.
//!
//! What a path finds is replaced before anything else looks at the answer. When the paths cannot be
//! followed to their end, all of it is replaced: nothing is shown that might have been meant.

use std::collections::HashSet;
use std::ptr;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::domain::case_type::reader::Reader;
use crate::domain::jsonpath::{Budget, JsonPath};
use crate::domain::problem::{code, join};

/// What stands in the place of what was found.
pub const REDACTED: &str = "[redacted]";

/// Paths of one list.
const MOST: usize = 20;

/// The paths of a field, an endpoint or a connection, compiled. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HiddenPaths(Arc<[JsonPath]>);

impl HiddenPaths {
    /// Reads the member `redact`: a list of paths. Its normal form is the list as it was written;
    /// it goes into `normal` when the member is there.
    pub fn read(reader: &mut Reader<'_, '_>, normal: &mut Map<String, Value>) -> Self {
        let at = reader.at("redact");
        let Some(items) = reader.list("redact", MOST) else { return Self::default() };
        let mut paths = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match path(item) {
                Ok(path) => paths.push(path),
                Err((code, why)) => reader.findings.problem(join(&at, index), code, why),
            }
        }
        normal.insert("redact".to_owned(), Value::Array(items.to_vec()));
        Self(paths.into())
    }

    /// These and those.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        if others.is_empty() {
            return self.clone();
        }
        Self(self.0.iter().chain(&*others.0).cloned().collect())
    }

    /// True when nothing is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths as they were written.
    pub fn sources(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(JsonPath::source)
    }

    /// Replaces what the paths find by `[redacted]`; everything when they are too much work.
    pub fn hide(&self, document: &mut Value) {
        if self.is_empty() {
            return;
        }
        match self.places(document) {
            // Nothing moves between looking and replacing, so a node is known by where it stands.
            Some(places) => replace(document, &places),
            None => *document = REDACTED.into(),
        }
    }

    fn places(&self, document: &Value) -> Option<HashSet<*const Value>> {
        let mut budget = Budget::default();
        let mut places = HashSet::new();
        for path in &*self.0 {
            places.extend(path.find(document, &mut budget).ok()?.into_iter().map(ptr::from_ref));
        }
        Some(places)
    }
}

fn path(item: &Value) -> Result<JsonPath, (&'static str, String)> {
    let Value::String(source) = item else {
        return Err((code::WRONG_TYPE, "a JSONPath is a text, like `$.token`".to_owned()));
    };
    let path = JsonPath::compile(source).map_err(|why| (code::INVALID_PATH, why))?;
    if path.needs_thread() {
        let why = format!("`{source}` looks for a pattern: `match()` and `search()` cannot stand here");
        return Err((code::INVALID_PATH, why));
    }
    Ok(path)
}

fn replace(value: &mut Value, places: &HashSet<*const Value>) {
    if places.contains(&ptr::from_ref(&*value)) {
        *value = REDACTED.into();
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, places)),
        Value::Object(members) => members.values_mut().for_each(|member| replace(member, places)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::case_type::findings::Findings;

    fn read(redact: &Value) -> Result<HiddenPaths, Vec<(String, &'static str)>> {
        let body = json!({"redact": redact});
        let mut findings = Findings::default();
        let mut reader = Reader::open(&body, "/at", &mut findings).unwrap();
        let mut normal = Map::new();
        let paths = HiddenPaths::read(&mut reader, &mut normal);
        if findings.problems.is_empty() {
            assert_eq!(normal.get("redact").unwrap_or(&Value::Null), redact);
            return Ok(paths);
        }
        Err(findings.problems.into_iter().map(|problem| (problem.pointer, problem.code)).collect())
    }

    #[test]
    fn what_a_path_finds_is_replaced_and_nothing_else() {
        let answer = json!({
            "token": "t", "id": 7, "user": {"password": "p", "name": "n", "old": [{"password": {"a": 1}}]},
            "keys": [{"kind": "public", "value": "v"}, {"kind": "private", "value": "w"}], "none": null,
        });
        for (paths, changed) in [
            (json!([]), json!({})),
            (json!(["$.absent", "$.id.x"]), json!({})),
            (json!(["token"]), json!({"token": "[redacted]"})),
            (json!(["$.none"]), json!({"none": "[redacted]"})),
            (
                json!(["$..password"]),
                json!({"user": {"password": "[redacted]", "name": "n", "old": [{"password": "[redacted]"}]}}),
            ),
            (json!(["$.user", "$..password", "$.user.name"]), json!({"user": "[redacted]"})),
            (
                json!(["$.keys[?@.kind == 'private'].value", "$.keys[-1].kind"]),
                json!({"keys": [{"kind": "public", "value": "v"}, {"kind": "[redacted]", "value": "[redacted]"}]}),
            ),
        ] {
            let mut expected = answer.clone();
            expected.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
            let mut hidden = answer.clone();
            read(&paths).unwrap().hide(&mut hidden);
            assert_eq!(hidden, expected, "{paths}");
        }
        let mut whole = answer.clone();
        read(&json!(["$"])).unwrap().hide(&mut whole);
        assert_eq!(whole, REDACTED);
    }

    #[test]
    fn an_answer_that_is_too_much_work_is_hidden_as_a_whole() {
        let mut wide = Value::from(vec![0; 200_000]);
        read(&json!(["$[?$..*]"])).unwrap().hide(&mut wide);
        assert_eq!(wide, REDACTED);
        // Many places are no trouble.
        let mut many = json!({"items": vec![json!({"token": "t"}); 50_000]});
        read(&json!(["$..token"])).unwrap().hide(&mut many);
        assert!(!many.to_string().contains("\"t\""));
    }

    #[test]
    fn lists_add_up() {
        let (one, two) = (read(&json!(["$.a"])).unwrap(), read(&json!(["$.b"])).unwrap());
        assert_eq!(one.and(&two).sources().collect::<Vec<_>>(), ["$.a", "$.b"]);
        assert_eq!(one.and(&HiddenPaths::default()), one);
        assert!(HiddenPaths::default().is_empty());
    }

    #[test]
    fn what_is_wrong_with_a_list_is_said_at_its_place() {
        assert_eq!(read(&Value::Null), Ok(HiddenPaths::default()));
        for (redact, pointer, code) in [
            (json!("$.a"), "/at/redact", code::WRONG_TYPE),
            (json!({"a": "$.a"}), "/at/redact", code::WRONG_TYPE),
            (json!(vec!["$.a"; 21]), "/at/redact", code::OUT_OF_RANGE),
            (json!(["$.a", 5]), "/at/redact/1", code::WRONG_TYPE),
            (json!(["$.a", "$.b["]), "/at/redact/1", code::INVALID_PATH),
            (json!([""]), "/at/redact/0", code::INVALID_PATH),
            (json!(["$..[?search(@, 'x')]"]), "/at/redact/0", code::INVALID_PATH),
        ] {
            assert_eq!(read(&redact), Err(vec![(pointer.to_owned(), code)]), "{redact}");
        }
    }
}
