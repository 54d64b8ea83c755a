//! Dotted paths in case data: `address.city` is the member `city` of the object `address`.
//!
//! Paths go through objects only; an array is one value. A path that was parsed is never
//! empty and has only member names that `data` may hold.

use std::fmt;

use serde_json::{Map, Value};

/// Characters of a member name in `data`.
pub const MAX_MEMBER: usize = 128;

/// Members of a path. Keeps what is written readable by every JSON reader (which give up at
/// 128 levels).
const MAX_SEGMENTS: usize = 32;

/// Where a value lies in `data`, e.g. `address.city`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataPath(Vec<String>);

impl DataPath {
    /// Reads a dotted path; one leading `data.` is taken off. The error says what is wrong, as
    /// a fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_exact(text.strip_prefix("data.").unwrap_or(text))
    }

    /// As [`DataPath::parse`], for a path that never has that prefix.
    pub fn parse_exact(text: &str) -> Result<Self, String> {
        let segments: Vec<String> = text.split('.').map(str::to_owned).collect();
        if segments.len() > MAX_SEGMENTS {
            return Err(format!("a path has at most {MAX_SEGMENTS} members"));
        }
        match segments.iter().find_map(|segment| check_member(segment).err()) {
            Some(problem) => Err(format!("`{text}` is not a path in `data`: {problem}")),
            None => Ok(Self(segments)),
        }
    }

    /// The member names, outermost first; at least one.
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// The first member name: the key of `data` under which the path lies.
    pub fn first(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// True when the path is `other` or lies below it.
    pub fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// True when one of the two is, or lies below, the other: both cannot be written.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.starts_with(other) || other.starts_with(self)
    }
}

impl fmt::Display for DataPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// What every member name in `data` must be: 1 to 128 characters, no dot, no NUL. The error is
/// a fragment.
pub fn check_member(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("a member name must not be empty")
    } else if name.chars().count() > MAX_MEMBER {
        Err("a member name has at most 128 characters")
    } else if name.contains('.') {
        Err("a member name must not contain a dot")
    } else if name.contains('\0') {
        Err("a member name must not contain NUL")
    } else {
        Ok(())
    }
}

/// Something on the way to a path holds a value that has no members.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` holds {found}, not an object")]
pub struct NotAnObject {
    /// Where the value lies.
    pub path: String,
    /// What it is, e.g. `a text`.
    pub found: &'static str,
}

/// The value at `path`, if there is one.
pub fn get<'a>(data: &'a Value, path: &DataPath) -> Option<&'a Value> {
    path.0.iter().try_fold(data, |value, segment| value.as_object()?.get(segment))
}

/// Writes `value` at `path`. What is absent or null on the way becomes an object; anything
/// else that is no object is an error, and then nothing is changed.
pub fn set(data: &mut Value, path: &DataPath, value: Value) -> Result<(), NotAnObject> {
    check_way(data, path)?;
    let mut place = data;
    for segment in &path.0 {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(members) = place else { return Ok(()) };
        place = members.entry(segment.as_str()).or_insert(Value::Null);
    }
    *place = value;
    Ok(())
}

/// Says whether [`set`] would work, without writing.
pub fn check_way(data: &Value, path: &DataPath) -> Result<(), NotAnObject> {
    let mut place = Some(data);
    for (depth, segment) in path.0.iter().enumerate() {
        place = match place {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::Object(members)) => members.get(segment),
            Some(other) => {
                let path = if depth == 0 { "data".to_owned() } else { path.0[..depth].join(".") };
                return Err(NotAnObject { path, found: article_and_type(other) });
            }
        };
    }
    Ok(())
}

/// The JSON type of a value in words, for messages.
pub fn article_and_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path(text: &str) -> DataPath {
        DataPath::parse(text).unwrap()
    }

    #[test]
    fn a_path_is_dotted_and_may_begin_with_data() {
        for (text, shown) in [
            ("name", "name"),
            ("data.name", "name"),
            ("data", "data"),
            ("data.data.x", "data.x"),
            ("a.b c.ü", "a.b c.ü"),
        ] {
            assert_eq!(path(text).to_string(), shown);
        }
        let long = "x".repeat(129);
        let deep = ["a"; 33].join(".");
        for bad in ["", ".", "a.", ".a", "a..b", "data.", "a\0", long.as_str(), deep.as_str()] {
            assert!(DataPath::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn overlap_is_by_member_not_by_letter() {
        assert!(path("a.b").starts_with(&path("a")));
        assert!(path("a").overlaps(&path("a.b")));
        assert!(path("a").overlaps(&path("a")));
        assert!(!path("ab").overlaps(&path("a")));
        assert!(!path("a.b").overlaps(&path("a.c")));
    }

    #[test]
    fn writing_makes_objects_where_there_is_nothing() {
        let mut data = json!({"kept": 1, "empty": null});
        set(&mut data, &path("a.b"), json!(1)).unwrap();
        set(&mut data, &path("a.c"), json!(null)).unwrap();
        set(&mut data, &path("empty.x.y"), json!([2])).unwrap();
        set(&mut data, &path("kept"), json!({"now": true})).unwrap();
        assert_eq!(
            data,
            json!({"kept": {"now": true}, "empty": {"x": {"y": [2]}}, "a": {"b": 1, "c": null}})
        );
        assert_eq!(get(&data, &path("empty.x.y")), Some(&json!([2])));
        assert_eq!(get(&data, &path("empty.x.y.0")), None);
        assert_eq!(get(&data, &path("a.c")), Some(&json!(null)));
    }

    #[test]
    fn what_is_no_object_on_the_way_is_named_and_left_alone() {
        for (data, at, found) in [
            (json!({"a": {"b": "x"}}), "a.b", "a text"),
            (json!({"a": {"b": [1]}}), "a.b", "an array"),
            (json!({"a": 7}), "a", "a number"),
            (json!([]), "data", "an array"),
        ] {
            let mut changed = data.clone();
            let error = set(&mut changed, &path("a.b.c"), json!(1)).unwrap_err();
            assert_eq!(error, NotAnObject { path: at.to_owned(), found });
            assert_eq!(changed, data);
        }
    }
}
