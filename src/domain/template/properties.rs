//! What must hold for every source and every value: nothing panics, no error holds a value, a
//! value is never looked at as a template, and operators group as minijinja groups them.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Expression, JsonTextTemplate, RenderError, Roots, Scope, Template, TextTemplate, UrlTemplate};

/// In every value; in no source.
const MARKER: &str = "m4rk3r";

fn source() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "data",
        "secret",
        "secrets",
        "params",
        ".",
        "a",
        "b.c",
        "list",
        "0",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        "{{",
        "}}",
        "{data.a}",
        "{{ data.a }}",
        "{secret.x}",
        "|",
        "|trim",
        "|default(none)",
        "|round",
        "|replace('a','b')",
        "|join",
        "|times(1e300)",
        "|date_format('%Y')",
        "|sort",
        "|map(attribute='a')",
        "|split('')",
        "|int",
        "is",
        "not",
        "in",
        "defined",
        "odd",
        "divisibleby",
        "if",
        "else",
        "and",
        "or",
        "==",
        "!=",
        "<",
        "+",
        "-",
        "*",
        "**",
        "//",
        "%",
        "~",
        "/",
        ":",
        ",",
        "=",
        "'x'",
        "\"",
        "\\",
        "1",
        "2.5",
        "18446744073709551615",
        "none",
        "true",
        " ",
        "ü",
        "https://",
        "?",
        "#",
        "&",
        "\n",
        "\u{0}",
    ]);
    prop_oneof![
        1 => any::<String>(),
        6 => prop::collection::vec(pieces, 0..14).prop_map(|pieces| pieces.concat()),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(|text| Value::from(format!("{MARKER}{text}"))),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-c]", inner, 0..3).prop_map(|members| json!(members)),
        ]
    })
}

fn scope(a: &Value, list: &Value) -> Scope {
    Scope::new()
        .with("data", Arc::new(json!({"a": a, "list": list, "b": {"c": MARKER}})))
        .with("params", Arc::new(json!({"a": MARKER})))
        .with("secret", Arc::new(json!({"x": MARKER, "a": MARKER})))
        .with("body", Arc::new(json!({"a": MARKER})))
}

/// Sources and values without the marker in their errors; the result does not matter.
fn quiet<T>(result: Result<T, RenderError>) {
    if let Err(error) = result {
        assert!(!error.to_string().contains(MARKER), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_panics_and_no_error_tells_a_value(source in source(), a in value(), list in value()) {
        let (roots, scope) = (Roots::request(&[]), scope(&a, &list));
        if let Ok(expression) = Expression::compile(&source, &roots) {
            quiet(expression.evaluate(&scope));
            quiet(expression.holds(&scope));
            quiet(expression.holds_leniently(&scope));
        }
        if let Ok(template) = Template::compile(&source, &roots) {
            quiet(template.render_text(&scope));
            quiet(template.render_header(&scope));
            quiet(template.render_value(&scope));
        }
        if let Ok(template) = UrlTemplate::compile(&format!("https://h.example/{source}"), &roots) {
            if let Ok(url) = template.render(&scope, None) {
                prop_assert_eq!(url.host_str(), Some("h.example"));
            }
            quiet(template.render(&scope, None));
        }
        if let Ok(template) = UrlTemplate::compile(&source, &roots) {
            quiet(template.render(&scope, None));
        }
        if let Ok(template) = JsonTextTemplate::compile(&format!("[\"{source}\"]"), &roots) {
            quiet(template.render(&scope));
        }
        if let Ok(template) = TextTemplate::compile(&source, &roots) {
            quiet(template.render(&scope));
        }
    }

    #[test]
    fn values_are_never_templates(text in source()) {
        let scope = scope(&json!(text), &json!([]));
        for template in ["<{data.a}>", "<{{ data.a }}>", "<{{ '' ~ data.a }}>"] {
            let template = Template::compile(template, &Roots::request(&[])).unwrap();
            prop_assert_eq!(template.render_text(&scope).unwrap(), format!("<{text}>"));
        }
    }

    #[test]
    fn operators_group_as_in_minijinja(
        first in 0..10_u8,
        rest in prop::collection::vec((prop::sample::select(vec![
            "+", "-", "*", "//", "%", "~", "==", "<", ">=", "and", "or", "and not", "if 1 else", "if 0 else",
        ]), 0..10_u8, prop::sample::select(vec!["", "-", "(", "|abs", "| string"])), 0..7),
    ) {
        let mut source = first.to_string();
        let mut open = 0;
        for (operator, number, extra) in rest {
            match extra {
                "(" => {
                    open += 1;
                    source = format!("{source} {operator} ({number}");
                }
                "-" => source = format!("{source} {operator} -{number}"),
                filter => source = format!("{source} {operator} {number}{filter}"),
            }
        }
        source.push_str(&")".repeat(open));
        let mut environment = minijinja::Environment::empty();
        environment.add_filter("abs", minijinja::filters::abs);
        environment.add_filter("string", minijinja::filters::string);
        let theirs = environment.compile_expression(&source).unwrap().eval(()).ok();
        let ours = Expression::compile(&source, &Roots::transform()).unwrap().evaluate(&Scope::new()).ok();
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            // A boolean's text is `true` here, not `True`, and `true == 1` does not hold.
            let theirs = serde_json::to_string(&theirs).unwrap().to_lowercase();
            let ours = serde_json::to_string(&ours).unwrap();
            prop_assert!(ours == theirs || source.contains("=="), "{source}: {ours} {theirs}");
        }
    }
}

#[test]
fn deep_and_long_sources_fit_a_small_stack() {
    let sources = [
        format!("{}data.a{}", "(".repeat(31), ")".repeat(31)),
        format!("{}data.a{}", "[".repeat(31), "]".repeat(31)),
        format!("{}data.a", "- ".repeat(30)),
        vec!["data.n"; 200].join(" + "),
        vec!["data.n"; 200].join(" or "),
        format!("data.n{}", " | string".repeat(200)),
        format!("(data.n | string){}", "[0]".repeat(198)),
        format!("data{}", ".a".repeat(64)),
        format!("{}1", "1 if data.n else ".repeat(30)),
        format!("[{}]", vec!["1"; 3000].join(",")),
    ];
    let run = move || {
        let scope = Scope::new().with("data", Arc::new(json!({"a": 1, "n": 0})));
        for source in sources {
            let expression = Expression::compile(&source, &Roots::request(&[]))
                .unwrap_or_else(|e| panic!("{source}: {e}"));
            quiet(expression.evaluate(&scope));
        }
    };
    std::thread::Builder::new().stack_size(1024 * 1024).spawn(run).unwrap().join().unwrap();
}
