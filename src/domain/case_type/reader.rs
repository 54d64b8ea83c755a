//! Reads a JSON object member by member and remembers which members were asked for.
//!
//! So each part of a definition reads like a list of its members, and whatever nobody asked for
//! is refused by name, with the nearest known one. A wrong member is reported and then treated
//! as absent: reading goes on, so that all problems of a document come out together. `null` is
//! absent too, so that a client may send every member it knows.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::domain::problem::{code, join};

use super::findings::{Findings, short, unknown_word};
use crate::domain::data::article_and_type;

/// Levels of nesting in the free-form parts of a definition.
pub const DEEPEST: usize = 64;

/// One JSON object being read.
pub struct Reader<'v, 'f> {
    members: &'v Map<String, Value>,
    pointer: String,
    asked: Vec<&'static str>,
    /// Where problems and doubts go; handed on to the readers of parts.
    pub findings: &'f mut Findings,
}

impl<'v, 'f> Reader<'v, 'f> {
    /// Begins to read `value`; anything but an object is reported.
    pub fn open(value: &'v Value, pointer: impl Into<String>, findings: &'f mut Findings) -> Option<Self> {
        let pointer = pointer.into();
        let Value::Object(members) = value else {
            findings.problem(
                pointer,
                code::WRONG_TYPE,
                format!("expected an object, found {}", article_and_type(value)),
            );
            return None;
        };
        Some(Self { members, pointer, asked: Vec::new(), findings })
    }

    /// The pointer of a member.
    pub fn at(&self, name: &str) -> String {
        join(&self.pointer, name)
    }

    /// Reports a problem with a member.
    pub fn problem(&mut self, name: &str, code: &'static str, message: impl Into<String>) {
        self.findings.problem(join(&self.pointer, name), code, message);
    }

    /// A member of any type; `null` is absent.
    pub fn get(&mut self, name: &'static str) -> Option<&'v Value> {
        if !self.asked.contains(&name) {
            self.asked.push(name);
        }
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// Notes a doubt about a member.
    pub fn doubt(&mut self, name: &str, message: impl Into<String>) {
        self.findings.doubt(join(&self.pointer, name), message);
    }

    /// Reports that a member is missing.
    pub fn missing(&mut self, name: &'static str, remedy: &str) {
        self.problem(name, code::REQUIRED, format!("`{name}` is missing: {remedy}"));
    }

    /// Reports that a member has the wrong JSON type.
    pub fn wrong_type(&mut self, name: &'static str, expected: &str, value: &Value) {
        self.problem(
            name,
            code::WRONG_TYPE,
            format!("expected {expected}, found {}", article_and_type(value)),
        );
    }

    /// A text of 1 to `longest` characters.
    pub fn text(&mut self, name: &'static str, longest: usize) -> Option<&'v str> {
        let text = self.any_text(name, longest)?;
        if text.is_empty() {
            self.problem(name, code::OUT_OF_RANGE, "is empty: fill it in or leave it out");
            return None;
        }
        Some(text)
    }

    /// A text of at most `longest` characters.
    pub fn any_text(&mut self, name: &'static str, longest: usize) -> Option<&'v str> {
        let value = self.get(name)?;
        let Value::String(text) = value else {
            self.wrong_type(name, "a text", value);
            return None;
        };
        if text.len() > longest && text.chars().count() > longest {
            self.problem(name, code::OUT_OF_RANGE, format!("is too long: at most {longest} characters"));
            return None;
        }
        Some(text)
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        let value = self.get(name)?;
        if !value.is_boolean() {
            self.wrong_type(name, "`true` or `false`", value);
        }
        value.as_bool()
    }

    /// A whole number within `range`.
    pub fn whole(&mut self, name: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.get(name)?;
        if !value.is_number() {
            self.wrong_type(name, "a whole number", value);
            return None;
        }
        let whole = whole(value).filter(|number| range.contains(number));
        if whole.is_none() {
            let (least, most) = (range.start(), range.end());
            self.problem(
                name,
                code::OUT_OF_RANGE,
                format!("must be a whole number from {least} to {most}, found {value}"),
            );
        }
        whole
    }

    /// An object with names of the sender's choice.
    pub fn object(&mut self, name: &'static str) -> Option<&'v Map<String, Value>> {
        let value = self.get(name)?;
        if !value.is_object() {
            self.wrong_type(name, "an object", value);
        }
        value.as_object()
    }

    /// A list of at most `longest` items.
    pub fn list(&mut self, name: &'static str, longest: usize) -> Option<&'v [Value]> {
        let value = self.get(name)?;
        let Value::Array(items) = value else {
            self.wrong_type(name, "an array", value);
            return None;
        };
        if items.len() > longest {
            let length = items.len();
            self.problem(
                name,
                code::OUT_OF_RANGE,
                format!("has {length} items: at most {longest} are possible"),
            );
            return None;
        }
        Some(items)
    }

    /// One word of a closed list.
    pub fn word<T: Copy>(&mut self, name: &'static str, words: &[(&'static str, T)]) -> Option<T> {
        let value = self.get(name)?;
        let Value::String(text) = value else {
            self.wrong_type(name, "a text", value);
            return None;
        };
        let hit = words.iter().find(|(word, _)| word == text).map(|(_, meaning)| *meaning);
        if hit.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.problem(name, code::INVALID, unknown_word(text, "possible here", &known));
        }
        hit
    }

    /// Members that may be present and mean nothing here, such as read-only ones.
    pub fn ignore(&mut self, names: &[&'static str]) {
        self.asked.extend(names);
    }

    /// A member of the contract that a later version brings: present means refused. True when
    /// it is there, so that what depends on it is not reported on top.
    pub fn later(&mut self, name: &'static str) -> bool {
        let present = self.get(name).is_some();
        if present {
            self.problem(
                name,
                code::NOT_SUPPORTED_YET,
                format!("`{name}` comes with a later version: leave it out"),
            );
        }
        present
    }

    /// Reports every member that was not asked for. `misplaced` says of a name that is known
    /// in another place where that is.
    pub fn finish(self, misplaced: impl Fn(&str) -> Option<&'static str>) {
        for name in self.members.keys() {
            if self.findings.is_full() {
                return;
            }
            if self.asked.contains(&name.as_str()) {
                continue;
            }
            let message = match misplaced(name) {
                Some(place) => format!("`{}` does not stand here: {place}", short(name)),
                None => unknown_word(name, "a member here", &self.asked),
            };
            self.findings.problem(join(&self.pointer, short(name)), code::UNKNOWN_MEMBER, message);
        }
    }
}

/// A number without fraction that is not negative; `3.0` is one.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let float = value.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=9e15).contains(float))?;
        format!("{float:.0}").parse().ok()
    })
}

/// True when `value` has at most `levels` levels of lists and objects.
pub fn is_shallow(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_shallow(item, levels - 1)),
        Value::Object(members) => levels > 0 && members.values().all(|member| is_shallow(member, levels - 1)),
        _ => true,
    }
}

/// Refuses what no database and no header can hold: NUL in a text or a name, anywhere.
pub fn refuse_nul(value: &Value, pointer: &str, findings: &mut Findings) {
    const NUL: &str = "holds the character NUL (U+0000): remove it";
    match value {
        Value::String(text) if text.contains('\0') => findings.problem(pointer, code::INVALID, NUL),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate().filter(|(_, item)| holds_text(item)) {
                refuse_nul(item, &join(pointer, index), findings);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let pointer = join(pointer, short(name));
                if name.contains('\0') {
                    findings.problem(pointer.as_str(), code::INVALID, format!("the name {NUL}"));
                }
                if holds_text(member) {
                    refuse_nul(member, &pointer, findings);
                }
            }
        }
        _ => {}
    }
}

/// Saves building a pointer for what cannot hold a text.
fn holds_text(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Array(_) | Value::Object(_))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::case_type::findings::MOST_PROBLEMS;

    fn read(value: &Value, with: impl FnOnce(&mut Reader<'_, '_>)) -> Vec<(String, &'static str, String)> {
        let mut findings = Findings::default();
        if let Some(mut reader) = Reader::open(value, "/x", &mut findings) {
            with(&mut reader);
            reader.finish(|name| (name == "elsewhere").then_some("it stands at the field"));
        }
        findings.problems.into_iter().map(|p| (p.pointer, p.code, p.message)).collect()
    }

    #[test]
    fn what_nobody_asked_for_is_named_with_its_nearest() {
        let problems = read(&json!({"timout": 1, "elsewhere": 2, "retry": null}), |reader| {
            assert_eq!(reader.whole("timeout", 1..=5), None);
            assert_eq!(reader.whole("retry", 0..=5), None);
        });
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert_eq!(problems[0].0, "/x/timout");
        assert!(problems[0].2.contains("did you mean `timeout`?"), "{}", problems[0].2);
        assert!(problems[1].2.contains("it stands at the field"), "{}", problems[1].2);
    }

    #[test]
    fn wrong_types_and_ranges_are_reported_and_read_as_absent() {
        use code::{INVALID, OUT_OF_RANGE, WRONG_TYPE};
        let body = json!({"t": 1, "w": -1, "w2": 2.5, "f": "yes", "o": [], "l": {}, "e": "", "k": "bule"});
        let problems = read(&body, |reader| {
            assert_eq!(reader.text("t", 5), None);
            assert_eq!(reader.whole("w", 0..=5), None);
            assert_eq!(reader.whole("w2", 0..=5), None);
            assert_eq!(reader.flag("f"), None);
            assert!(reader.object("o").is_none());
            assert!(reader.list("l", 5).is_none());
            assert_eq!(reader.text("e", 5), None);
            assert_eq!(reader.word("k", &[("blue", 1), ("red", 2)]), None);
        });
        let codes: Vec<_> = problems.iter().map(|p| p.1).collect();
        assert_eq!(
            codes,
            [
                WRONG_TYPE,
                OUT_OF_RANGE,
                OUT_OF_RANGE,
                WRONG_TYPE,
                WRONG_TYPE,
                WRONG_TYPE,
                OUT_OF_RANGE,
                INVALID
            ]
        );
        assert!(problems[7].2.contains("did you mean `blue`?"));
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_zero_fraction() {
        assert_eq!(whole(&json!(3.0)), Some(3));
        assert_eq!(whole(&json!(3)), Some(3));
        assert_eq!(whole(&json!(3.5)), None);
        assert_eq!(whole(&json!(1e300)), None);
    }

    #[test]
    fn a_hundred_problems_are_enough() {
        let many: Map<String, Value> = (0..5000).map(|n| (format!("m{n}"), Value::Null)).collect();
        assert_eq!(read(&Value::Object(many), |_| {}).len(), MOST_PROBLEMS);
    }

    #[test]
    fn depth_is_counted_in_lists_and_objects() {
        assert!(is_shallow(&json!(1), 0));
        assert!(!is_shallow(&json!([]), 0));
        assert!(is_shallow(&json!([{"a": 1}]), 2));
        assert!(!is_shallow(&json!([{"a": []}]), 2));
    }
}
