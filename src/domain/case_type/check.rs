//! Checks the data of a case against its case type.
//!
//! Only what a write touches is looked at: a value that is stored already, by an older version of
//! the case type or by a mapping, stays whatever it is until somebody writes it.

use serde_json::{Map, Value};

use crate::domain::data::{DataPath, check_member};
use crate::domain::field::PlainType;
use crate::domain::problem::{Problem, code, join};

use super::definition::CaseType;
use super::findings::{Findings, short, unknown_word};

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
        let Some(plain) = self.field(path.first()).and_then(|field| field.plain()) else { return Ok(()) };
        if path.segments().len() > 1 {
            return match plain.kind {
                PlainType::Json => Ok(()),
                kind => Err(format!(
                    "`{}` is a field of the type `{}`: nothing can be written inside its value",
                    path.first(),
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
            if creation
                && value.is_none()
                && let Some(default) = &plain.default
            {
                data.insert(key.to_owned(), default.clone());
                continue;
            }
            let Some(value) = value.filter(|value| !value.is_null()) else {
                // At creation enrichment still has its chance to fill it.
                if plain.required && !(creation && self.mapped.contains(key)) {
                    let message = format!("`{key}` is required: give a value");
                    findings.problem(pointer, code::REQUIRED, message);
                }
                continue;
            };
            if let Err(why) = plain.check(value) {
                findings.problem(pointer, value_code(plain.kind, value), why);
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
    if let Err(why) = check_member(name) {
        findings.problem(pointer, code::INVALID, format!("{why}: rename it"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::case_type::context::Known;

    fn case_type(additional: bool) -> CaseType {
        let body = json!({
            "key": "company", "additional_data": additional,
            "fields": [
                {"key": "vat", "type": "text", "required": true},
                {"key": "founded", "type": "date"},
                {"key": "risk", "type": "select", "options": ["low", "high"], "default": "low"},
                {"key": "city", "type": "text", "required": true},
                {"key": "extra", "type": "json"},
                {"key": "check", "type": "api_call", "api_config": {
                    "url": "https://a.example",
                    "response_mapping": {"city": "$.city", "address.street": "$.street"},
                    "output_variable": "answer"
                }}
            ]
        });
        CaseType::parse(&body, &Known::default()).unwrap().case_type
    }

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn outcome(
        additional: bool,
        new: &Value,
        old: Option<&Value>,
    ) -> Result<Value, Vec<(String, &'static str)>> {
        let old = old.map(map);
        let origin = old.as_ref().map_or(Origin::Creation, |old| Origin::Patch { old });
        case_type(additional)
            .check_data(&map(new), origin)
            .map(Value::Object)
            .map_err(|problems| problems.into_iter().map(|p| (p.pointer, p.code)).collect())
    }

    #[test]
    fn a_new_case_gets_defaults_and_need_not_give_what_enrichment_fills() {
        let data = outcome(true, &json!({"vat": "BE1"}), None).unwrap();
        assert_eq!(data, json!({"vat": "BE1", "risk": "low"}));
        let data = outcome(true, &json!({"vat": "BE1", "risk": null, "city": null}), None).unwrap();
        assert_eq!(data, json!({"vat": "BE1", "risk": null, "city": null}));
    }

    #[test]
    fn wrong_values_are_listed_with_pointers() {
        use code::{INVALID, REQUIRED, UNKNOWN_MEMBER, WRONG_TYPE};
        let long = "x".repeat(129);
        let table = [
            (true, json!({}), None, vec![("/data/vat", REQUIRED)]),
            (true, json!({"vat": null}), None, vec![("/data/vat", REQUIRED)]),
            (
                true,
                json!({"vat": 1, "founded": "2023-02-29"}),
                None,
                vec![("/data/vat", WRONG_TYPE), ("/data/founded", INVALID)],
            ),
            (true, json!({"vat": "a", "a.b": 1}), None, vec![("/data/a.b", INVALID)]),
            (true, json!({"vat": "a", "a": [{"b.c": 1}]}), None, vec![("/data/a/0/b.c", INVALID)]),
            (true, json!({"vat": "a", "": 1}), None, vec![("/data/", INVALID)]),
            (true, json!({"vat": "a", "a": "x\0"}), None, vec![("/data/a", INVALID)]),
            (true, json!({"vat": "a", "answer": {"b.c": "x\0"}}), None, vec![("/data/answer/b.c", INVALID)]),
            (false, json!({"vat": "a", "vta": 1}), None, vec![("/data/vta", UNKNOWN_MEMBER)]),
            (true, json!({}), Some(json!({"vat": "a"})), vec![("/data/vat", REQUIRED)]),
            (
                true,
                json!({"vat": "a"}),
                Some(json!({"vat": "a", "city": "x"})),
                vec![("/data/city", REQUIRED)],
            ),
            (
                true,
                json!({"vat": "a", "risk": "mid"}),
                Some(json!({"vat": "a", "risk": "low"})),
                vec![("/data/risk", INVALID)],
            ),
            (
                true,
                json!({"vat": "a", "o": {"x.y": 1, "a.b": 2}}),
                Some(json!({"vat": "a", "o": {"x.y": 1}})),
                vec![("/data/o/a.b", INVALID)],
            ),
        ];
        for (additional, new, old, expected) in table {
            let expected: Vec<_> = expected.into_iter().map(|(at, code)| (at.to_owned(), code)).collect();
            assert_eq!(outcome(additional, &new, old.as_ref()), Err(expected), "{new}");
        }
        let body = json!({"vat": "a", &long: 1});
        assert_eq!(outcome(true, &body, None).unwrap_err()[0].1, code::INVALID);
    }

    #[test]
    fn what_a_write_does_not_touch_is_not_checked() {
        let old = json!({"vat": 5, "risk": "gone", "x.y": 1, "o": {"a.b": 1}, "strange": 1});
        let mut new = old.clone();
        new["founded"] = json!("2024-01-01");
        assert_eq!(outcome(false, &new, Some(&old)), Ok(new.clone()));
        new["o"]["c"] = json!(1);
        assert_eq!(outcome(true, &new, Some(&old)), Ok(new));
    }

    #[test]
    fn named_members_are_accepted_where_others_are_not() {
        let body =
            json!({"vat": "a", "risk": "low", "address": {"street": "x"}, "answer": {"a.b": 1}, "city": "c"});
        assert_eq!(outcome(false, &body, None), Ok(body));
    }

    #[test]
    fn a_mapped_value_must_fit_the_plain_field_that_holds_it() {
        let case_type = case_type(true);
        let check =
            |path: &str, value: Value| case_type.check_target(&DataPath::parse(path).unwrap(), &value);
        assert_eq!(check("city", json!("Gent")), Ok(()));
        assert_eq!(check("city", json!(null)), Ok(()));
        assert_eq!(check("city", json!(1)), Err("expected a text, found a number".into()));
        assert!(check("city.name", json!("x")).is_err());
        assert_eq!(check("extra.name", json!("x")), Ok(()));
        assert_eq!(check("address.street", json!(1)), Ok(()));
    }
}
