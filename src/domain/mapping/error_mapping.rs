//! Where a provider puts its own error: `error_mapping`, or the usual places.
//!
//! Code and message are looked for apart from each other, and an answer that has neither is
//! no trouble: the status alone then says what happened.

use serde_json::Value;

use crate::domain::answer::Answer;
use crate::domain::jsonpath::JsonPath;
use crate::domain::problem::{Problem, code, join, nearest};

/// Where a code is looked for when the field does not say, as JSON pointers.
const CODES: [&str; 2] = ["/error/code", "/code"];

/// The same for a message.
const MESSAGES: [&str; 7] =
    ["/error/description", "/error/message", "/error_description", "/error", "/message", "/detail", "/title"];

/// Characters of a code or message that are kept.
const MAX_TEXT: usize = 2_000;

/// The places of a provider's error code and message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ErrorMapping {
    code: Option<JsonPath>,
    message: Option<JsonPath>,
    written: Option<Value>,
}

impl ErrorMapping {
    /// Reads `error_mapping`, the member of a field at `pointer`, if it is there.
    pub fn parse(value: Option<&Value>, pointer: &str) -> Result<Self, Vec<Problem>> {
        let Some(value) = value else { return Ok(Self::default()) };
        let Value::Object(members) = value else {
            let message = "`error_mapping` must be an object with `code` and `message`";
            return Err(vec![Problem::new(pointer, code::WRONG_TYPE, message)]);
        };
        let mut mapping = Self { written: Some(value.clone()), ..Self::default() };
        let mut problems = Vec::new();
        for (name, member) in members {
            let place = match name.as_str() {
                "code" => &mut mapping.code,
                "message" => &mut mapping.message,
                _ => {
                    problems.push(unknown(pointer, name));
                    continue;
                }
            };
            match path(member, join(pointer, name)) {
                Ok(path) => *place = Some(path),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(mapping) } else { Err(problems) }
    }

    /// What a builder wrote, if anything.
    pub fn normal_form(&self) -> Option<Value> {
        self.written.clone()
    }

    /// The provider's code and message. Numbers become text; what is no text is no message.
    pub fn read(&self, answer: &Answer) -> (Option<String>, Option<String>) {
        let body = answer.body_value();
        (find(self.code.as_ref(), &CODES, &body), find(self.message.as_ref(), &MESSAGES, &body))
    }
}

fn path(member: &Value, pointer: String) -> Result<JsonPath, Problem> {
    let Value::String(source) = member else {
        return Err(Problem::new(pointer, code::WRONG_TYPE, "a JSONPath is a text, like `$.error.code`"));
    };
    JsonPath::compile(source).map_err(|why| Problem::new(pointer, code::INVALID_PATH, why))
}

fn unknown(pointer: &str, name: &str) -> Problem {
    let hint = nearest(name, ["code", "message"])
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    Problem::new(join(pointer, name), code::UNKNOWN_MEMBER, format!("`{name}` is not known here{hint}"))
}

fn find(path: Option<&JsonPath>, places: &[&str], body: &Value) -> Option<String> {
    match path {
        Some(path) => path.select(body).ok()?.into_iter().find_map(text),
        None => places.iter().find_map(|place| {
            let value = body.pointer(place)?;
            // `{"error": 404}` is a code in the wrong place, not a message.
            if *place == "/error" && !value.is_string() { None } else { text(value) }
        }),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.chars().take(MAX_TEXT).collect()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Map, json};

    use super::*;
    use crate::domain::answer::Body;

    fn answer(body: Body) -> Answer {
        Answer { status: 400, headers: Map::new(), body, text: None }
    }

    fn read(mapping: Option<&Value>, body: &Value) -> (Option<String>, Option<String>) {
        let mapping = ErrorMapping::parse(mapping, "").unwrap();
        mapping.read(&answer(Body::Json(Arc::new(body.clone()))))
    }

    #[test]
    fn the_usual_places_are_tried_in_order_and_each_on_its_own() {
        for (body, code, message) in [
            (json!({"error": {"code": "E1", "description": "d", "message": "m"}}), Some("E1"), Some("d")),
            (json!({"error": {"code": 17, "message": "m"}, "message": "outer"}), Some("17"), Some("m")),
            (json!({"error": "invalid_client", "error_description": "d"}), None, Some("d")),
            (json!({"error": "invalid_client"}), None, Some("invalid_client")),
            (json!({"error": 404, "message": "gone"}), None, Some("gone")),
            (json!({"error": {"code": {}}, "code": 5, "message": ["a"]}), Some("5"), None),
            (json!({"error": {"message": ""}, "title": "Not found"}), None, Some("Not found")),
            (json!({"detail": "d", "title": "t"}), None, Some("d")),
            (json!([1]), None, None),
            (json!(null), None, None),
        ] {
            let expected = (code.map(str::to_owned), message.map(str::to_owned));
            assert_eq!(read(None, &body), expected, "{body}");
        }
    }

    #[test]
    fn a_path_that_is_given_is_the_only_place() {
        let body = json!({"fault": {"id": 9_007_199_254_740_993_u64}, "code": "c", "message": "m",
                          "errors": [{"text": null}, {"text": "second"}]});
        for (mapping, code, message) in [
            (json!({"code": "$.fault.id"}), Some("9007199254740993"), Some("m")),
            (json!({"message": "errors[*].text"}), Some("c"), Some("second")),
            (json!({"code": "$.absent", "message": "$.fault"}), None, None),
            (json!({}), Some("c"), Some("m")),
        ] {
            let expected = (code.map(str::to_owned), message.map(str::to_owned));
            assert_eq!(read(Some(&mapping), &body), expected, "{mapping}");
            let again = ErrorMapping::parse(Some(&mapping), "").unwrap().normal_form();
            assert_eq!(again, Some(mapping));
        }
    }

    #[test]
    fn an_answer_that_is_no_json_has_no_error_of_its_own() {
        let mapping = ErrorMapping::parse(None, "").unwrap();
        assert_eq!(mapping.read(&answer(Body::Text("<html>".into()))), (None, None));
        assert_eq!(mapping.read(&answer(Body::None)), (None, None));
        let long = ErrorMapping::parse(Some(&json!({"message": "$"})), "").unwrap();
        let (_, message) = long.read(&answer(Body::Text("x".repeat(5000))));
        assert_eq!(message.map(|text| text.len()), Some(MAX_TEXT));
    }

    #[test]
    fn what_is_wrong_with_it_is_listed_at_its_place() {
        let wrong = json!({"code": 1, "message": "$.a[", "massage": "$.b"});
        let problems = ErrorMapping::parse(Some(&wrong), "/e").unwrap_err();
        let found: Vec<_> = problems.iter().map(|problem| (problem.pointer.as_str(), problem.code)).collect();
        assert_eq!(
            found,
            [
                ("/e/code", code::WRONG_TYPE),
                ("/e/message", code::INVALID_PATH),
                ("/e/massage", code::UNKNOWN_MEMBER)
            ]
        );
        assert!(problems[2].message.contains("`message`"));
        assert!(ErrorMapping::parse(Some(&json!([])), "").is_err());
    }
}
