//! A compiled `JSONPath`: what the rest of Dossier uses.
//!
//! Guarantees: a path that compiles never fails but for its caps, finds nodes in the order of
//! RFC 9535, and takes a bounded number of steps. Does not copy nodes.

use std::fmt;

use serde_json::Value;

use super::budget::{Budget, Exhausted};
use super::compile::compile;
use super::plan::{Selector, Step, Test, singular};
use super::walk::walk;

/// Nodes that one path may give to a mapping as its value.
pub const MAX_RESULTS: usize = 10_000;

/// A path, as written and compiled.
#[derive(Debug, Clone)]
pub struct JsonPath {
    source: String,
    steps: Vec<Step>,
}

impl JsonPath {
    /// Compiles a path; a missing leading `$.` is added (`name`, `[0]`, `..name`). The error is
    /// a fragment for a builder that names the path and what is wrong with it.
    pub fn compile(source: &str) -> Result<Self, String> {
        if source.trim().is_empty() {
            return Err("a path must not be empty; `$` is the whole body".to_owned());
        }
        if source.starts_with('@') {
            return Err(format!(
                "`{source}` begins with `@`, which only means something in a filter; use `$`"
            ));
        }
        let full = match source.chars().next() {
            Some('$') => source.to_owned(),
            Some('[' | '.') => format!("${source}"),
            _ => format!("$.{source}"),
        };
        Ok(Self { source: source.to_owned(), steps: compile(&full)? })
    }

    /// Compiles a path into the headers, whose names are lower-case: a bare header name
    /// (`X-Request-Id`) and names of any case (`$['X-Request-Id']`) will do.
    pub fn compile_for_headers(source: &str) -> Result<Self, String> {
        let bare = !source.is_empty()
            && source.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        let mut path = if bare {
            let steps = vec![Step::Children(vec![Selector::Name(source.to_owned())])];
            Self { source: source.to_owned(), steps }
        } else {
            Self::compile(source)?
        };
        for step in &mut path.steps {
            if let Step::Children(selectors) = step {
                for selector in selectors {
                    if let Selector::Name(name) = selector {
                        name.make_ascii_lowercase();
                    }
                }
            }
        }
        Ok(path)
    }

    /// The path as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// True when it can find at most one node, so that its value is that node's value.
    pub fn singular(&self) -> bool {
        singular(&self.steps)
    }

    /// True for `$`.
    pub fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    /// True when one evaluation may take more than a few milliseconds on a large answer
    /// (`match()` and `search()`): the caller then moves it off the async workers.
    pub fn needs_thread(&self) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Children(selectors) => selectors.iter().any(has_pattern),
            Step::Descendants(selector) => has_pattern(selector),
        })
    }

    /// All nodes it finds, within `budget`.
    pub fn find<'a>(&self, document: &'a Value, budget: &mut Budget) -> Result<Vec<&'a Value>, Exhausted> {
        walk(&self.steps, document, document, budget)
    }

    /// All nodes it finds; an error when there are more than [`MAX_RESULTS`] or the document
    /// is too much work.
    pub fn select<'a>(&self, document: &'a Value) -> Result<Vec<&'a Value>, String> {
        let found = self.find(document, &mut Budget::default()).map_err(|error| error.to_string())?;
        if found.len() > MAX_RESULTS {
            return Err(format!("`{self}` finds {} values; at most {MAX_RESULTS} are taken", found.len()));
        }
        Ok(found)
    }
}

fn has_pattern(selector: &Selector) -> bool {
    fn test(tested: &Test) -> bool {
        match tested {
            Test::Any(parts) | Test::All(parts) => parts.iter().any(test),
            Test::Not(inner) => test(inner),
            Test::Matches(..) => true,
            Test::Exists(_) | Test::Compare(..) => false,
        }
    }
    matches!(selector, Selector::Filter(tested) if test(tested))
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// Two paths are equal when they are written alike.
impl PartialEq for JsonPath {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for JsonPath {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn store() -> Value {
        json!({
            "name": "Acme", "vat-id": "BE1", "none": null, "big": 18_446_744_073_709_551_615_u64,
            "items": [
                {"id": 1, "name": "bolt", "price": 8.95, "tags": ["a", "b"]},
                {"id": 2, "name": "nut", "price": 12},
                {"id": 3, "name": "Nail", "price": 12.0, "gone": null}
            ],
            "deep": {"name": "inner", "more": {"name": "innermost"}}
        })
    }

    #[test]
    fn paths_find_what_rfc_9535_says() {
        let store = store();
        for (source, expected) in [
            ("$", json!([store])),
            ("$.name", json!(["Acme"])),
            ("name", json!(["Acme"])),
            ("['vat-id']", json!(["BE1"])),
            ("$['vat-id']", json!(["BE1"])),
            ("$.none", json!([null])),
            ("$.none.x", json!([])),
            ("$.absent", json!([])),
            ("items[0].id", json!([1])),
            ("items[-1].id", json!([3])),
            ("items[-4].id", json!([])),
            ("items[9].id", json!([])),
            ("items[9223372036854775807]", json!(null)),
            ("items[*].id", json!([1, 2, 3])),
            ("items.*.id", json!([1, 2, 3])),
            ("items[0:2].id", json!([1, 2])),
            ("items[::-1].id", json!([3, 2, 1])),
            ("items[-2:].id", json!([2, 3])),
            ("items[1:100:9007199254740991].id", json!([2])),
            ("items[::0].id", json!([])),
            ("items[5:1:-2].id", json!([3])),
            ("items[0,0,2].id", json!([1, 1, 3])),
            ("items[0]['id','name']", json!([1, "bolt"])),
            ("$..name", json!(["Acme", "bolt", "nut", "Nail", "inner", "innermost"])),
            ("..name", json!(["Acme", "bolt", "nut", "Nail", "inner", "innermost"])),
            ("$.deep..name", json!(["inner", "innermost"])),
            ("$..more..name", json!(["innermost"])),
            ("$.items[?@.price > 10].id", json!([2, 3])),
            ("$.items[?(@.price == 12)].id", json!([2, 3])),
            ("$.items[?@.price < 10 || @.id == 3].id", json!([1, 3])),
            ("$.items[?@.price > 10 && !(@.id == 3)].id", json!([2])),
            ("$.items[?@.tags].id", json!([1])),
            ("$.items[?!@.tags].id", json!([2, 3])),
            ("$.items[?@.gone].id", json!([3])),
            ("$.items[?@.gone == null].id", json!([3])),
            ("$.items[?@.nix == @.nada].id", json!([1, 2, 3])),
            ("$.items[?@.name == $.items[1].name].id", json!([2])),
            ("$.items[?length(@.name) == 4].id", json!([1, 3])),
            ("$.items[?count(@.tags[*]) == 2].id", json!([1])),
            ("$.items[?count(@.nix) == 0].id", json!([1, 2, 3])),
            ("$.items[?value(@.id) >= 2].id", json!([2, 3])),
            ("$.items[?@.name < 'b'].id", json!([3])),
            ("$.items[?match(@.name, '[a-z]+')].id", json!([1, 2])),
            ("$.items[?search(@.name, 'a.l')].id", json!([3])),
            ("$.items[?match(@.name, 'nut|bol')].id", json!([2])),
            ("$.items[?search(@.id, '1')].id", json!([])),
            ("$[?@ == 18446744073709551614]", json!(null)),
            ("$.items[?@.tags == $.items[0].tags].id", json!([1])),
        ] {
            let found = JsonPath::compile(source).and_then(|path| {
                path.select(&store).map(|found| Value::from(found.into_iter().cloned().collect::<Vec<_>>()))
            });
            match expected {
                Value::Null => assert!(found.is_err(), "{source}: {found:?}"),
                expected => assert_eq!(found.unwrap(), expected, "{source}"),
            }
        }
    }

    #[test]
    fn what_we_do_not_vouch_for_is_refused_by_name() {
        let nested = format!("$[?{}@.a{}]", "(".repeat(500), ")".repeat(500));
        let functions = format!("$[?{}", "length(".repeat(140));
        let long = format!("$.{}", "a".repeat(1100));
        for (source, says) in [
            ("", "empty"),
            ("@.name", "`@`"),
            ("$.a b", "a space inside a name"),
            ("$[?@.a b == 1]", "a space inside a name"),
            ("$.a, b", "near character 4"),
            ("company-name", "$['company-name']"),
            ("$.", "not a JSONPath"),
            ("$..", "not a JSONPath"),
            ("$[?@.a", "not a JSONPath"),
            ("$[?length(@.a)]", "length() must be compared"),
            ("$[?count(@.a)]", "count() must be compared"),
            ("$[?value(@.a)]", "value() must be compared"),
            ("$[?length(@.*) < 3]", "length() wants a path to one value"),
            ("$[?length(@..a) < 3]", "length() wants a path to one value"),
            ("$[?value(@.*) == 3]", "value() wants a path to one value"),
            ("$[?value(1) == 3]", "value() wants a query"),
            ("$[?count(1) == 3]", "not a JSONPath"),
            ("$[?match(@.*, 'a')]", "match() wants a path to one value"),
            ("$[?match(@.a, @.b)]", "must be a text in quotes"),
            ("$[?match(@.a, '(')]", "no regular expression"),
            ("$[?match(@.a, '\\\\p{L}{1000}{1000}')]", "no regular expression"),
            ("$[?match(@.a, 'x') == true]", "not a JSONPath"),
            ("$[?in(@.a, $.b)]", "`in` is not a function"),
            ("$..['a','d']", "several selectors"),
            ("$..[0,1]", "several selectors"),
            ("$[?@[?@.a]]", "a filter inside a filter"),
            ("$..a..b..c", "at most 2 `..`"),
            ("$..a[?@..b]..c", "at most 2 `..`"),
            (nested.as_str(), "deeper than"),
            (functions.as_str(), "deeper than"),
            (long.as_str(), "at most 1024"),
        ] {
            let refused = JsonPath::compile(source).unwrap_err();
            assert!(refused.contains(says), "{source}: {refused}");
        }
    }

    #[test]
    fn singular_paths_are_told_from_the_others() {
        for (source, singular) in [
            ("$", true),
            ("$.a.b[0]['c']", true),
            ("$.*", false),
            ("$..a", false),
            ("$.a[0,1]", false),
            ("$.a[0:1]", false),
            ("$.a[?@.b]", false),
        ] {
            assert_eq!(JsonPath::compile(source).unwrap().singular(), singular, "{source}");
        }
    }

    #[test]
    fn only_patterns_need_a_thread() {
        for (source, needs) in [
            ("$..a", false),
            ("$.a[?@.b == 1]", false),
            ("$.a[?!(@.c && search(@.b, 'x'))]", true),
            ("$..[?match(@.b, 'x')]", true),
        ] {
            assert_eq!(JsonPath::compile(source).unwrap().needs_thread(), needs, "{source}");
        }
    }

    #[test]
    fn header_names_have_no_case() {
        let headers = json!({"x-request-id": "7", "etag": "\"a\""});
        for (source, expected) in
            [("X-Request-Id", "7"), ("$['X-Request-Id']", "7"), ("ETag", "\"a\""), ("$.etag", "\"a\"")]
        {
            let path = JsonPath::compile_for_headers(source).unwrap();
            assert_eq!(path.select(&headers).unwrap(), [expected], "{source}");
            assert!(path.singular());
        }
        assert!(JsonPath::compile_for_headers("a b").is_err());
    }

    #[test]
    fn a_hostile_answer_ends_at_the_caps() {
        let wide = Value::from(vec![0; 200_000]);
        let deep = (0..120).fold(json!([1, 2]), |inner, _| json!([inner, [0, 0, 0, 0, 0, 0, 0, 0]]));
        for (source, document, says) in [
            ("$[*]", &wide, "finds 200000 values"),
            ("$[?$..*]", &wide, "visit more than"),
            ("$[?count($[*]) > 1]", &wide, "visit more than"),
            ("$..*..*", &deep, "finds "),
        ] {
            let refused = JsonPath::compile(source).unwrap().select(document).unwrap_err();
            assert!(refused.contains(says), "{source}: {refused}");
        }
        assert_eq!(JsonPath::compile("$[-1]").unwrap().select(&wide).unwrap(), [0]);
    }
}
