//! One formula: `data.country in ['BE', 'FR']`, `value | trim | title`.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::error::{RenderError, TemplateError};
use super::evaluate::{Found, Missing, Walk};
use super::number::without_fraction;
use super::parser::{check_secret, parse};
use super::roots::{Roots, SECRET};
use super::scope::Scope;
use super::tree::{Node, Path, Step};
use super::work::Work;

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct Expression {
    source: String,
    node: Node,
    references: BTreeSet<String>,
    /// It does something with secrets, other than to insert one.
    works_on_secrets: bool,
}

impl Expression {
    /// Reads an expression for a place that knows `roots`.
    pub fn compile(source: &str, roots: &Roots) -> Result<Self, TemplateError> {
        Ok(Self::new(source, parse(source, roots)?))
    }

    /// The short form, a dotted path whose segments may be any words.
    pub(super) fn from_path(source: &str, roots: &Roots) -> Result<Self, TemplateError> {
        let mut words = source.split('.');
        let root = roots.check(words.next().unwrap_or_default())?.to_owned();
        let node = Node::Path(Path { root, steps: words.map(Step::from_word).collect() });
        check_secret(&node)?;
        Ok(Self::new(source, node))
    }

    fn new(source: &str, node: Node) -> Self {
        let references = node.paths().into_iter().collect();
        let works_on_secrets = !matches!(node, Node::Path(_)) && !secrets_in(&references).is_empty();
        Self { source: source.to_owned(), node, references, works_on_secrets }
    }

    /// The value, of any JSON type but null.
    ///
    /// # Errors
    /// `Missing` with the paths when there is none, also when the expression itself says `none`.
    pub fn evaluate(&self, scope: &Scope) -> Result<Value, RenderError> {
        self.find(scope, &Work::new())?.ok_or_else(|| self.missing(Vec::new()))
    }

    /// Whether it holds, for `when`: a missing value that decides stops it (`Missing`). Zero and
    /// everything empty is false.
    pub fn holds(&self, scope: &Scope) -> Result<bool, RenderError> {
        let walk = Walk { scope, lenient: false, work: &Work::new() };
        walk.truth(&self.node)?.map_err(|missing| self.missing(missing.paths))
    }

    /// Whether it holds, for `success_when` and `retry_when`: a comparison or test with a missing
    /// value is false, also a negated one (`!=`, `not in`, `is not`), and so is one between values
    /// that cannot be compared. `x == none` and `is defined` ask for presence.
    pub fn holds_leniently(&self, scope: &Scope) -> Result<bool, RenderError> {
        let walk = Walk { scope, lenient: true, work: &Work::new() };
        Ok(walk.truth(&self.node)?.unwrap_or(false))
    }

    /// The dotted paths it reads, as far as they are static: a computed key ends its path.
    pub fn references(&self) -> &BTreeSet<String> {
        &self.references
    }

    /// Names of the secrets it reads.
    pub fn secrets(&self) -> BTreeSet<String> {
        secrets_in(&self.references)
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The value, or none for a null on purpose (`default(none)`, `none`, an `if` without its
    /// `else`).
    pub(super) fn find(&self, scope: &Scope, work: &Work) -> Result<Option<Value>, RenderError> {
        let found = self.find_any(scope, work)?;
        if let (true, Some(value)) = (self.works_on_secrets, &found) {
            scope.note_made(value, &self.source);
        }
        Ok(found)
    }

    fn find_any(&self, scope: &Scope, work: &Work) -> Result<Option<Value>, RenderError> {
        let walk = Walk { scope, lenient: false, work };
        match walk.walk(&self.node)? {
            Found::Value(Cow::Owned(value)) => Ok(Some(without_fraction(value))),
            Found::Value(Cow::Borrowed(value)) => {
                work.spend_on(value)?;
                Ok(Some(without_fraction(value.clone())))
            }
            Found::Missing(Missing { on_purpose: true, .. }) => Ok(None),
            Found::Missing(missing) => Err(self.missing(missing.paths)),
        }
    }

    /// The error for nothing there; when no path is to blame, all that it reads are named.
    pub(super) fn missing(&self, paths: Vec<String>) -> RenderError {
        if paths.is_empty() { RenderError::Missing(self.node.paths()) } else { RenderError::Missing(paths) }
    }
}

/// The names in `secret.…` references.
pub(super) fn secrets_in(references: &BTreeSet<String>) -> BTreeSet<String> {
    let mut secrets = BTreeSet::new();
    for reference in references {
        if let Some((SECRET, name)) = reference.split_once('.') {
            secrets.insert(name.to_owned());
        }
    }
    secrets
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::domain::problem::code;

    fn scope() -> Scope {
        Scope::new()
            .with(
                "data",
                Arc::new(json!({
                    "name": "acme sa", "vat": "BE 0403.019.261", "n": 3, "big": u64::MAX, "half": 2.5, "whole": 3.0,
                    "price": 19.99, "flag": true, "off": false, "empty": "", "nothing": null, "key": "name",
                    "country": "BE", "items": [{"name": "a", "p": 2}, {"name": "b", "p": 3}], "list": [3, 1, 2],
                    "none_inside": [1, null], "empties": [], "map": {"b": 1, "a": 2, "7": "seven"}, "first name": "Ann",
                    "huge": "x".repeat(1024 * 1024),
                })),
            )
            .with("params", Arc::new(json!({"rate": 1.5})))
            .with("secret", Arc::new(json!({"token": "s3cr3t-marker"})))
            .with("vat_response", Arc::new(json!(null)))
            .with("now_unix", Arc::new(json!(0)))
    }

    fn roots() -> Roots {
        Roots::request(&["vat_response".to_owned()])
    }

    fn evaluate(source: &str) -> Result<Value, RenderError> {
        Expression::compile(source, &roots()).unwrap_or_else(|e| panic!("{source}: {e}")).evaluate(&scope())
    }

    fn check(cases: &[(&str, Value)]) {
        for (source, expected) in cases {
            assert_eq!(evaluate(source).as_ref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn expressions_have_their_values() {
        let cases = [
            ("data.name", json!("acme sa")),
            ("data['name']", json!("acme sa")),
            ("data['first name']", json!("Ann")),
            ("data[data.key]", json!("acme sa")),
            ("data.items.0.name", json!("a")),
            ("data.items[1].name", json!("b")),
            ("data.items[-1].name", json!("b")),
            ("data.items[data.n - 2].name", json!("b")),
            ("data.map.7", json!("seven")),
            ("(data.items | last).name", json!("b")),
            ("data.big", json!(u64::MAX)),
            ("data.whole", json!(3)),
            ("data.map", json!({"b": 1, "a": 2, "7": "seven"})),
            ("data.name[:4]", json!("acme")),
            ("data.name[-2:]", json!("sa")),
            ("data.list[1:]", json!([1, 2])),
            ("data.list[5:2]", json!([])),
            ("1 + 2 * 3", json!(7)),
            ("(1 + 2) * 3", json!(9)),
            ("2 ** 3 ** 2", json!(64)),
            ("7 // 2", json!(3)),
            ("10 / 4", json!(2.5)),
            ("10 / 5", json!(2)),
            ("-data.n", json!(-3)),
            ("- -1", json!(1)),
            ("'a' + 'b'", json!("ab")),
            ("'ab' * 2", json!("abab")),
            ("[1] + [2]", json!([1, 2])),
            ("data.country ~ '-' ~ data.n ~ data.whole", json!("BE-33")),
            ("(1 + 1) ~ 2", json!("22")),
            ("{'a': data.n, 'b': [data.flag, none]}", json!({"a": 3, "b": [true, null]})),
        ];
        check(&cases);
    }

    #[test]
    fn default_covers_missing_at_any_depth_and_logic_needs_what_decides() {
        let cases = [
            ("data.amount | default(7)", json!(7)),
            ("data.a.b.c | default('x')", json!("x")),
            ("data.a | trim | default('x')", json!("x")),
            ("(data.a * 2) | default(0)", json!(0)),
            ("data.nothing | default('x')", json!("x")),
            ("data.nothing.deeper[0] | default('x')", json!("x")),
            ("data[data.missing] | default('x')", json!("x")),
            ("data.items.9.name | default('x')", json!("x")),
            ("vat_response.x | default('x')", json!("x")),
            ("data.a | d", json!("")),
            ("data.empty | default('x')", json!("")),
            ("data.empty | default('x', true)", json!("x")),
            ("data.empties | first | default('x')", json!("x")),
            ("data.a | default(data.name)", json!("acme sa")),
            ("data.a or data.name", json!("acme sa")),
            ("data.name or data.a", json!("acme sa")),
            ("data.empty or 'x'", json!("x")),
            ("data.flag and data.n", json!(3)),
            ("data.off and data.a", json!(false)),
            ("data.a and data.off", json!(false)),
            ("'y' if data.flag else data.a", json!("y")),
            ("data.a if data.off else 'n'", json!("n")),
            ("'a' if data.off else 'b' if data.off else 'c'", json!("c")),
            ("not data.flag", json!(false)),
            ("data.n == 3.0", json!(true)),
            ("1 < data.n <= 3", json!(true)),
            ("data.country in ['BE', 'FR']", json!(true)),
            ("data.country not in ['BE', 'FR']", json!(false)),
            ("'0403' in data.vat", json!(true)),
            ("'b' in data.map", json!(true)),
            ("data.a is defined", json!(false)),
            ("data.a is not defined", json!(true)),
            ("data.nothing is none", json!(true)),
            ("data.n is not none", json!(true)),
            ("data.nothing == none", json!(true)),
            ("data.a.b != none", json!(false)),
            ("data.n != none", json!(true)),
        ];
        check(&cases);
    }

    #[test]
    fn tests_and_filters_apply_to_values_that_are_there() {
        let cases = [
            ("data.n is odd and data.n is not even", json!(true)),
            ("data.n is divisibleby 3", json!(true)),
            ("data.name is startingwith('ac')", json!(true)),
            ("data.vat | remove('./- ')", json!("BE0403019261")),
            ("data.vat | digits | prefix('BE')", json!("BE0403019261")),
            ("data.name | title | replace('Sa', 'SA')", json!("Acme SA")),
            ("data.name | replace(new='x', old='acme')", json!("x sa")),
            ("data.price | times(100) | round", json!(1999)),
            ("data.items | map(attribute='name') | join(', ')", json!("a, b")),
            ("data.items | sum('p')", json!(5)),
            ("data.list | sort(reverse=true) | first", json!(3)),
            ("data.none_inside | join('-')", json!("1")),
            ("now_unix | date_format('%Y')", json!("1970")),
            ("secrets.token | length", json!(13)),
            (r#""{{""#, json!("{{")),
            ("true", json!(true)),
            ("1e3", json!(1000)),
            ("data.flag | string", json!("true")),
        ];
        check(&cases);
    }

    #[test]
    fn missing_values_are_named() {
        let cases = [
            ("data.vat_number", vec!["data.vat_number"]),
            ("data.nothing", vec!["data.nothing"]),
            ("data.a.b.c", vec!["data.a.b.c"]),
            ("data.items.5.name", vec!["data.items.5.name"]),
            ("data.a | trim", vec!["data.a"]),
            ("data.a ~ data.b ~ data.a", vec!["data.a", "data.b"]),
            ("data.a == 'x'", vec!["data.a"]),
            ("data.a and data.flag", vec!["data.a"]),
            ("data.a or data.off", vec!["data.a"]),
            ("data.a or data.b", vec!["data.a", "data.b"]),
            ("not data.a", vec!["data.a"]),
            ("'x' if data.a else 'y'", vec!["data.a"]),
            ("data.name | replace('a', data.b)", vec!["data.b"]),
            ("data.a | default(data.b)", vec!["data.a", "data.b"]),
            ("data.empties | first", vec!["data.empties"]),
            ("data.map[data.key]", vec!["data.map"]),
            ("data[data.a]", vec!["data.a"]),
            ("[data.a, data.b]", vec!["data.a", "data.b"]),
            ("data.a | default(none)", vec!["data.a"]),
            ("none", vec![]),
            ("data.n if data.off", vec!["data.off", "data.n"]),
            ("data.a is odd", vec!["data.a"]),
            ("vat_response.ok", vec!["vat_response.ok"]),
            ("secret.other", vec!["secret.other"]),
        ];
        for (source, paths) in cases {
            let mut found = match evaluate(source) {
                Err(RenderError::Missing(found)) => found,
                other => panic!("{source}: {other:?}"),
            };
            let mut paths: Vec<String> = paths.into_iter().map(str::to_owned).collect();
            found.sort();
            paths.sort();
            assert_eq!(found, paths, "{source}");
        }
    }

    #[test]
    fn what_cannot_be_done_fails_without_a_value_in_the_words() {
        let cases = [
            "data.name * 1000000",
            "data.huge ~ 'x'",
            "data.huge + data.huge",
            "data.huge | replace('x', 'xy')",
            "data.huge | urlencode | urlencode | replace('', data.huge)",
            "data.list * 1000000",
            "data.name + 1",
            "data.flag + 1",
            "1 / 0",
            "data.big + 1",
            "data.n < data.name",
            "data.name < data.list",
            "data.n in 5",
            "data.big * data.big",
            "10.0 ** 400",
            "2 ** 100",
            "-data.name",
            "data.n[1:2]",
            "data.n is divisibleby(0)",
            "data.n is divisibleby(0) | default(1)",
            "data.name['a':]",
            "secret.token + 1",
            "secret.token | round",
            "secret.token | int",
            "secret.token | date_format('%Y')",
            "secret.token < 5",
        ];
        for source in cases {
            match evaluate(source) {
                Err(RenderError::Failed(why)) => {
                    assert!(!why.contains("acme") && !why.contains("marker"), "{source}: {why}");
                }
                other => panic!("{source}: {other:?}"),
            }
        }
    }

    #[test]
    fn work_is_bounded() {
        let sum = vec!["(data.huge | upper | length)"; 60].join(" + ");
        assert!(matches!(evaluate(&sum), Err(RenderError::Failed(_))));
        let copies = format!("[{}] | length", vec!["data.huge"; 100].join(", "));
        assert!(matches!(evaluate(&copies), Err(RenderError::Failed(_))));
    }

    #[test]
    fn a_wrong_expression_is_refused_with_a_remedy() {
        let deep = format!("{}1{}", "(".repeat(40), ")".repeat(40));
        let unary = format!("{}data.n", "not ".repeat(1000));
        let chain = vec!["data.n"; 300].join(" + ");
        let steps = format!("data{}", ".a".repeat(65));
        let long = format!("'{}'", "x".repeat(9000));
        let cases = [
            ("", "empty"),
            ("data.", "too early"),
            ("dta.name", "`data`"),
            ("data.name | uper", "`upper`"),
            ("data.name | upper | frobnicate", "use one of"),
            ("data.name is evn", "`even`"),
            ("upper(data.name)", "`value | upper`"),
            ("range(10)", "no functions"),
            ("data.name.upper()", "no methods"),
            ("data['x']()", "no methods"),
            ("data.name | replace('a')", "`| replace(old, new)`"),
            ("data.name | trim('a', 'b')", "`| trim([chars])`"),
            ("data.name | trim(x='a')", "`| trim([chars])`"),
            ("data.list | sort(true)", "reverse=…"),
            ("data.list | map('name')", "attribute=…"),
            ("data.n is divisibleby", "too early"),
            ("data.d | date_format('%Q')", "strftime"),
            ("data.a data.b", "unexpected `data`"),
            ("data.a ==", "too early"),
            ("data.a = 1", "unexpected `=`"),
            ("(data.a", "expected `)`"),
            ("data.list[::2]", "no step"),
            ("data.größe", "data[\"name\"]"),
            ("'a' 'b'", "unexpected a text"),
            ("{{ data.a }}", "without {{ }}"),
            ("secret", "exactly one secret"),
            ("secret | tojson", "exactly one secret"),
            ("secret[data.key]", "exactly one secret"),
            ("secrets.a.b", "exactly one secret"),
            ("secret['A-b']", "exactly one secret"),
            ("(secret).a", "exactly one secret"),
            ("007", "number"),
            ("1e999", "number"),
            ("a if", "not known"),
            ("and", "unexpected `and`"),
            (deep.as_str(), "nested deeper"),
            (unary.as_str(), "nested deeper"),
            (chain.as_str(), "more than 200"),
            (long.as_str(), "longer than"),
            (steps.as_str(), "64 steps"),
        ];
        for (source, hint) in cases {
            let error = Expression::compile(source, &roots()).expect_err(source);
            assert!(error.message.contains(hint), "{source}: {error}");
            assert!(error.message.len() < 500, "{source}: {error}");
        }
    }

    #[test]
    fn each_place_refuses_with_its_code() {
        let cases = [
            ("secret.a", Roots::when(&[]), code::SECRET_NOT_ALLOWED),
            ("secrets['a']", Roots::answer(), code::SECRET_NOT_ALLOWED),
            ("data.a", Roots::answer(), code::UNKNOWN_ROOT),
            ("bdy.a", Roots::answer(), code::UNKNOWN_ROOT),
            ("value | trm", Roots::transform(), code::INVALID_TEMPLATE),
        ];
        for (source, roots, expected) in cases {
            assert_eq!(Expression::compile(source, &roots).unwrap_err().code, expected, "{source}");
        }
    }

    #[test]
    fn constants_are_not_folded_while_compiling() {
        // minijinja itself would take gigabytes for this before any fuel is counted.
        let source = "('a' * 100000000) ~ ('a' * 100000000) ~ ('a' * 100000000)";
        assert!(matches!(evaluate(source), Err(RenderError::Failed(_))));
    }

    #[test]
    fn when_is_strict_and_rules_of_answers_are_lenient() {
        let answer = Scope::new()
            .with("status", Arc::new(json!(200)))
            .with("headers", Arc::new(json!({"content-type": "application/json"})))
            .with("body", Arc::new(json!({"ok": true, "code": "X1", "error": null, "n": "n/a"})));
        let cases = [
            ("status == 200", true),
            ("status in [200, 201]", true),
            ("body.ok", true),
            ("body.code != 'E'", true),
            ("body.missing == 'x'", false),
            ("body.missing != 'x'", false),
            ("body.error != 'x'", false),
            ("body.missing > 0", false),
            ("body.missing < 0", false),
            ("body.missing in ['x']", false),
            ("body.missing not in ['x']", false),
            ("'x' not in body.missing", false),
            ("body.missing != 'x' or status == 200", true),
            ("not (body.missing == 'x')", true),
            ("not body.error", true),
            ("body.error", false),
            ("body.error == none", true),
            ("body.error is none", true),
            ("body.ok is defined", true),
            ("body.missing is not odd", false),
            ("body.missing | length > 0", false),
            ("body.missing | default(0) == 0", true),
            ("body.n > 5", false),
            ("body.missing and status == 200", false),
            ("body.missing or status == 200", true),
            ("headers['content-type'] is startingwith 'application/json'", true),
            ("1 if body.missing else 0", false),
            ("0 < body.missing < 5", false),
        ];
        for (source, expected) in cases {
            let expression = Expression::compile(source, &Roots::answer()).unwrap();
            assert_eq!(expression.holds_leniently(&answer), Ok(expected), "{source}");
        }
        let strict = [
            ("data.country in ['BE']", Ok(true)),
            ("data.country == 'FR'", Ok(false)),
            ("data.x == 1", Err(RenderError::Missing(vec!["data.x".to_owned()]))),
            ("data.x", Err(RenderError::Missing(vec!["data.x".to_owned()]))),
            ("data.x is defined and data.x == 1", Ok(false)),
            ("data.n == 3 or data.x == 1", Ok(true)),
            ("data.x == 1 or data.n == 3", Ok(true)),
            ("data.x == 1 and data.n == 4", Ok(false)),
            ("data.x | default(false)", Ok(false)),
            ("data.empty", Ok(false)),
        ];
        for (source, expected) in strict {
            let expression = Expression::compile(source, &Roots::when(&[])).unwrap();
            assert_eq!(expression.holds(&scope()), expected, "{source}");
        }
    }

    #[test]
    fn references_are_dotted_and_static() {
        let cases = [
            ("data.vat_number | trim", "data.vat_number"),
            ("data.items.0.name", "data.items.0.name"),
            ("data['a']['b c']", "data.a.b c"),
            ("data['a.b'].c", "data"),
            ("data[data.key].x", "data data.key"),
            ("data.items[-1].name", "data.items"),
            ("secrets.token ~ params.x", "params.x secret.token"),
            ("data.a | default(data.b) if data.c else 1", "data.a data.b data.c"),
        ];
        for (source, expected) in cases {
            let expression = Expression::compile(source, &roots()).unwrap();
            let found: Vec<&str> = expression.references().iter().map(String::as_str).collect();
            let expected: Vec<&str> =
                if expected == "data.a.b c" { vec![expected] } else { expected.split(' ').collect() };
            assert_eq!(found, expected, "{source}");
        }
        let expression = Expression::compile("secrets.b ~ secret['a'] ~ data.x", &roots()).unwrap();
        assert_eq!(expression.secrets().into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}
