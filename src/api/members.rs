//! Reads the members of a small request body, collecting every problem before it is refused.
//!
//! Case types and cases are read by their services; this is for the bodies that are a handful
//! of members. Null counts as absent. Members that answers have and requests need not are
//! ignored, so that what was read can be written back; other unknown ones are refused.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::error::ApiError;
use crate::domain::clock::Instant;
use crate::domain::problem::{Problem, code, join, nearest};

static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

/// The members of one body.
pub struct Members<'a> {
    members: &'a Map<String, Value>,
    known: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl<'a> Members<'a> {
    /// The members of a body, which must be an object.
    pub fn of(body: &'a Value) -> Self {
        let mut problems = Vec::new();
        let members = body.as_object().unwrap_or_else(|| {
            problems.push(Problem::new("", code::WRONG_TYPE, "The body must be a JSON object."));
            &NOTHING
        });
        Self { members, known: Vec::new(), problems }
    }

    /// Accepts members without reading them.
    pub fn ignore(&mut self, names: &[&'static str]) {
        self.known.extend_from_slice(names);
    }

    /// A text, if given.
    pub fn text(&mut self, name: &'static str) -> Option<&'a str> {
        self.read(name, "a text", Value::as_str)
    }

    /// A text that must be there; `""` stands in for it when it is not.
    pub fn required_text(&mut self, name: &'static str) -> &'a str {
        if self.members.get(name).is_none_or(Value::is_null) {
            self.known.push(name);
            self.note(name, code::REQUIRED, format!("`{name}` is missing; send a text."));
            return "";
        }
        self.text(name).unwrap_or_default()
    }

    /// `true` or `false`, if given.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.read(name, "`true` or `false`", Value::as_bool)
    }

    /// An object, if given.
    pub fn object(&mut self, name: &'static str) -> Option<&'a Map<String, Value>> {
        self.read(name, "an object", Value::as_object)
    }

    /// An instant, if given.
    pub fn instant(&mut self, name: &'static str) -> Option<Instant> {
        let text = self.text(name)?;
        self.parsed(name, text, |text| {
            let error = "this is no RFC 3339 time; write one like `2026-11-21T09:30:00Z`";
            chrono::DateTime::parse_from_rfc3339(text).map(Instant::from).map_err(|_| error)
        })
    }

    /// A list of texts, each read by `parse`, if given.
    pub fn list<T, E: ToString>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let items = self.read(name, "a list of texts", Value::as_array)?;
        let mut read = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let pointer = join(&join("", name), at);
            match item.as_str().map(&parse) {
                Some(Ok(value)) => read.push(value),
                Some(Err(error)) => {
                    self.problems.push(Problem::new(pointer, code::INVALID, error.to_string()))
                }
                None => self.problems.push(Problem::new(pointer, code::WRONG_TYPE, "This must be a text.")),
            }
        }
        Some(read)
    }

    /// Reads a text of the member `name`; its error becomes a problem there.
    pub fn parsed<T, E: ToString>(
        &mut self,
        name: &'static str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let parsed = parse(text);
        if let Err(error) = &parsed {
            self.note(name, code::INVALID, error.to_string());
        }
        parsed.ok()
    }

    /// Notes a problem at a member.
    pub fn note(&mut self, name: &str, code: &'static str, message: String) {
        self.problems.push(Problem::new(join("", name), code, message));
    }

    fn read<T>(
        &mut self,
        name: &'static str,
        what: &str,
        as_type: impl Fn(&'a Value) -> Option<T>,
    ) -> Option<T> {
        self.known.push(name);
        let value = self.members.get(name).filter(|value| !value.is_null())?;
        let read = as_type(value);
        if read.is_none() {
            self.note(name, code::WRONG_TYPE, format!("`{name}` must be {what}."));
        }
        read
    }

    /// Refuses the body if anything was wrong with it, unknown members included.
    pub fn finish(mut self) -> Result<(), ApiError> {
        for name in self.members.keys().filter(|name| !self.known.contains(&name.as_str())) {
            let hint = nearest(name, self.known.iter().copied())
                .map_or_else(|| "remove it".to_owned(), |near| format!("did you mean `{near}`?"));
            let message = format!("`{name}` is not known here; {hint}");
            self.problems.push(Problem::new(join("", name), code::UNKNOWN_MEMBER, message));
        }
        if self.problems.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.problems)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_problems_of_a_body_are_collected() {
        let body = json!({"flag": "yes", "list": ["a", 1, ""], "at": "now", "nmae": null});
        let mut members = Members::of(&body);
        assert_eq!(members.flag("flag"), None);
        assert_eq!(members.required_text("name"), "");
        let list =
            members.list("list", |text| if text.is_empty() { Err("empty") } else { Ok(text.to_owned()) });
        assert_eq!(list, Some(vec!["a".to_owned()]));
        assert_eq!(members.instant("at"), None);
        let found: Vec<(String, &str)> =
            members.problems.iter().map(|p| (p.pointer.clone(), p.code)).collect();
        let expected = [
            ("/flag", "wrong_type"),
            ("/name", "required"),
            ("/list/1", "wrong_type"),
            ("/list/2", "invalid"),
            ("/at", "invalid"),
        ];
        assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
        let refusal = members.finish().unwrap_err();
        assert_eq!(refusal.to_string(), "422 invalid: 6 things need mending; `errors` lists them.");
    }

    #[test]
    fn null_is_absent_and_the_read_only_members_are_ignored() {
        let body = json!({"id": 1, "flag": null});
        let mut members = Members::of(&body);
        members.ignore(&["id"]);
        assert_eq!(members.flag("flag"), None);
        assert!(members.finish().is_ok());
        assert!(Members::of(&json!([])).finish().is_err());
    }
}
