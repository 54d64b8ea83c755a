//! Checks the data of a case against its case type.
//!
//! Only what a write touches is looked at: a value that is stored already, by an older version of
//! the case type or by a mapping, stays whatever it is until somebody writes it.

use serde_json::{Map, Value};

use crate::domain::data::DataPath;
use crate::domain::field::PlainType;
use crate::domain::problem::{Problem, code, join};

use super::definition::CaseType;
use super::names::first_word;
use super::reader::{Findings, short, unknown_word};

/// Characters of a member's name in `data`.
const LONGEST_MEMBER: usize = 128;

/// Where a write to a case's data comes from.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// The case is new: all of it is touched, and defaults are filled in.
    Creation,
    /// The case had this data: what differs from it is touched.
    Patch {
        /// The data before the write.
        old: &'a Map<String, Value>,
    },
}

impl<'a> Origin<'a> {
    fn old(self, name: &str) -> Option<&'a Value> {
        match self {
            Self::Creation => None,
            Self::Patch { old } => old.get(name),
        }
    }
}

impl CaseType {
    /// Checks the whole data of a case as it would be after a write by a person or the API, and
    /// answers it with defaults filled in where a new case leaves them out. Pointers begin with
    /// `/data`.
    pub fn check_data(
        &self,
        new: &Map<String, Value>,
        origin: Origin<'_>,
    ) -> Result<Map<String, Value>, Vec<Problem>> {
        let mut findings = Findings::default();
        for (name, value) in new {
            let old = origin.old(name);
            if old == Some(value) {
                continue;
            }
            let pointer = join("/data", short(name));
            if old.is_none() {
                check_name(name, &pointer, &mut findings);
            }
            if !self.additional_data {
                self.check_named(name, &pointer, &mut findings);
            }
            check_tree(value, old, &pointer, !self.outputs.contains(name), &mut findings);
        }
        let mut data = new.clone();
        self.check_plain(&mut data, origin, &mut findings);
        if findings.problems.is_empty() { Ok(data) } else { Err(findings.problems) }
    }

    /// Checks a value that a mapping puts at a target: where a plain field holds it, it must be
    /// one of the field's. A run may leave a required field empty; people may not.
    pub fn check_target(&self, path: &DataPath, value: &Value) -> Result<(), String> {
        let path = path.to_string();
        let Some(plain) = self.field(first_word(&path)).and_then(|field| field.plain()) else {
            return Ok(());
        };
        if path.contains('.') {
            return match plain.kind {
                PlainType::Json => Ok(()),
                kind => Err(format!(
                    "`{}` is a field of the type `{}`: nothing can be written inside its value",
                    first_word(&path),
                    kind.as_str()
                )),
            };
        }
        if value.is_null() { Ok(()) } else { plain.check(value) }
    }

    fn check_plain(&self, data: &mut Map<String, Value>, origin: Origin<'_>, findings: &mut Findings) {
        let creation = matches!(origin, Origin::Creation);
        for field in &self.fields {
            let Some(plain) = field.plain() else { continue };
            let key = field.key.as_str();
            let pointer = join("/data", key);
            let value = data.get(key);
            if !creation && value == origin.old(key) {
                continue;
            }
            match value {
                None if creation && plain.default.is_some() => {
                    data.insert(key.to_owned(), plain.default.clone().unwrap_or_default());
                }
                None | Some(Value::Null) if plain.required => {
                    // At creation enrichment still has its chance to fill it.
                    if !creation || !self.mapped.contains(key) {
                        findings.problem(
                            pointer,
                            code::REQUIRED,
                            format!("`{key}` is required: give a value"),
                        );
                    }
                }
                None => {}
                Some(value) => {
                    if let Err(why) = plain.check(value) {
                        findings.problem(pointer, value_code(plain.kind, value), why);
                    }
                }
            }
        }
    }

    /// Where members that nobody names are refused: is this one named?
    fn check_named(&self, name: &str, pointer: &str, findings: &mut Findings) {
        let plain =
            self.fields.iter().filter(|field| field.plain().is_some()).map(|field| field.key.as_str());
        let named = plain
            .chain(self.mapped.iter().map(String::as_str))
            .chain(self.outputs.iter().map(String::as_str));
        let named: Vec<&str> = named.collect();
        if !named.contains(&name) && !findings.is_full() {
            let message =
                unknown_word(name, "data that this case type names (`additional_data` is false)", &named);
            findings.problem(pointer, code::UNKNOWN_MEMBER, message);
        }
    }
}

/// The JSON type is wrong, or only the value is.
fn value_code(kind: PlainType, value: &Value) -> &'static str {
    let right_type = match kind {
        PlainType::Number | PlainType::Integer => value.is_number(),
        PlainType::Boolean => value.is_boolean(),
        PlainType::Json => true,
        _ => value.is_string(),
    };
    if right_type { code::INVALID } else { code::WRONG_TYPE }
}

/// Names and texts below a touched value. What equals its old self is not touched. `names` is
/// false inside an output variable, whose names are the provider's.
fn check_tree(value: &Value, old: Option<&Value>, pointer: &str, names: bool, findings: &mut Findings) {
    if findings.is_full() || old == Some(value) {
        return;
    }
    match value {
        Value::String(text) if text.contains('\0') => {
            findings.problem(pointer, code::INVALID, "holds the character NUL (U+0000): remove it");
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_tree(item, None, &join(pointer, index), names, findings);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let pointer = join(pointer, short(name));
                let old = old.and_then(|old| old.get(name));
                if old.is_none() && names {
                    check_name(name, &pointer, findings);
                } else if name.contains('\0') {
                    findings.problem(
                        pointer.as_str(),
                        code::INVALID,
                        "the name holds the character NUL (U+0000)",
                    );
                }
                check_tree(member, old, &pointer, names, findings);
            }
        }
        _ => {}
    }
}

fn check_name(name: &str, pointer: &str, findings: &mut Findings) {
    let length = name.chars().count();
    if length == 0 || length > LONGEST_MEMBER {
        let message = format!("a name in `data` has 1 to {LONGEST_MEMBER} characters");
        findings.problem(pointer, code::OUT_OF_RANGE, message);
    } else if name.contains('.') {
        findings.problem(
            pointer,
            code::INVALID,
            "a name in `data` may not hold a dot: nest an object instead",
        );
    } else if name.contains('\0') {
        findings.problem(pointer, code::INVALID, "the name holds the character NUL (U+0000): remove it");
    }
}
