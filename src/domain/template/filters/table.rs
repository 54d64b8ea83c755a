//! The list of filters with their parameters.

use std::fmt;

use serde_json::Value;

use super::arguments::Arguments;
use super::{dates, lists, numbers, texts};
use crate::domain::problem::nearest;
use crate::domain::template::error::TemplateError;

/// One filter.
pub(crate) struct Filter {
    pub name: &'static str,
    /// Names of the parameters, in order.
    pub parameters: &'static [&'static str],
    /// How many of them must be given.
    pub required: usize,
    /// Arguments are only accepted as `name=value`, as minijinja has it.
    pub by_name_only: bool,
    pub run: Run,
}

/// How a filter works.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// `default`: the only one that is run on a missing value.
    Default,
    /// Value and arguments to value.
    Pure(fn(&Value, &Arguments) -> Result<Value, String>),
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Filter {
    /// How it is written, for messages: `replace(old, new)`.
    pub(crate) fn usage(&self) -> String {
        if self.parameters.is_empty() {
            return format!("`| {}`", self.name);
        }
        let parts: Vec<String> = self
            .parameters
            .iter()
            .enumerate()
            .map(|(place, name)| match (self.by_name_only, place < self.required) {
                (true, true) => format!("{name}=…"),
                (true, false) => format!("[{name}=…]"),
                (false, true) => (*name).to_owned(),
                (false, false) => format!("[{name}]"),
            })
            .collect();
        format!("`| {}({})`", self.name, parts.join(", "))
    }
}

type Pure = fn(&Value, &Arguments) -> Result<Value, String>;

const fn plain(name: &'static str, run: Pure) -> Filter {
    with(name, &[], 0, run)
}

const fn with(name: &'static str, parameters: &'static [&'static str], required: usize, run: Pure) -> Filter {
    Filter { name, parameters, required, by_name_only: false, run: Run::Pure(run) }
}

const fn named(
    name: &'static str,
    parameters: &'static [&'static str],
    required: usize,
    run: Pure,
) -> Filter {
    Filter { name, parameters, required, by_name_only: true, run: Run::Pure(run) }
}

const fn default(name: &'static str) -> Filter {
    Filter { name, parameters: &["value", "boolean"], required: 0, by_name_only: false, run: Run::Default }
}

static FILTERS: [Filter; 43] = [
    default("default"),
    default("d"),
    // Texts.
    with("trim", &["chars"], 0, texts::trim),
    plain("upper", texts::upper),
    plain("to_uppercase", texts::upper),
    plain("lower", texts::lower),
    plain("to_lowercase", texts::lower),
    plain("title", texts::title),
    plain("capitalize", texts::capitalize),
    with("replace", &["old", "new"], 2, texts::replace),
    with("remove", &["characters"], 1, texts::remove),
    with("prefix", &["text"], 1, texts::prefix),
    with("suffix", &["text"], 1, texts::suffix),
    plain("digits", texts::digits),
    with("split", &["separator", "most"], 0, texts::split),
    plain("lines", texts::lines),
    plain("string", texts::string),
    plain("urlencode", texts::urlencode),
    plain("tojson", texts::tojson),
    with("date_format", &["format"], 1, dates::date_format),
    // Numbers.
    with("times", &["factor"], 1, numbers::times),
    with("round", &["precision"], 0, numbers::round),
    plain("abs", numbers::abs),
    with("int", &["default"], 0, numbers::int),
    with("float", &["default"], 0, numbers::float),
    plain("bool", numbers::bool),
    // Arrays and objects.
    plain("length", lists::length),
    plain("count", lists::length),
    plain("first", lists::first),
    plain("last", lists::last),
    with("join", &["d", "attribute"], 0, lists::join),
    named("sort", &["reverse", "case_sensitive", "attribute"], 0, lists::sort),
    named("unique", &["case_sensitive", "attribute"], 0, lists::unique),
    named("min", &["case_sensitive", "attribute"], 0, lists::min),
    named("max", &["case_sensitive", "attribute"], 0, lists::max),
    with("sum", &["attribute"], 0, lists::sum),
    named("map", &["attribute"], 1, lists::map),
    plain("reverse", lists::reverse),
    plain("list", lists::list),
    plain("items", lists::items),
    plain("keys", lists::keys),
    plain("values", lists::values),
    plain("compact", lists::compact),
];

/// The filter of that name, or an error with the nearest one.
pub(crate) fn find(name: &str) -> Result<&'static Filter, TemplateError> {
    FILTERS.iter().find(|filter| filter.name == name).ok_or_else(|| {
        let shown: String = name.chars().take(64).collect();
        let names = || FILTERS.iter().map(|filter| filter.name);
        TemplateError::invalid(match nearest(name, names()) {
            Some(near) => format!("there is no filter `{shown}`: did you mean `{near}`?"),
            None => {
                format!("there is no filter `{shown}`: use one of {}", names().collect::<Vec<_>>().join(", "))
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(name: &str, input: &Value, arguments: &Value) -> Result<Value, String> {
        let filter = find(name).unwrap();
        let Run::Pure(run) = filter.run else { panic!("default is not pure") };
        run(
            input,
            &Arguments::new(filter.name, arguments.as_array().unwrap().iter().cloned().map(Some).collect()),
        )
    }

    #[test]
    fn each_filter_does_what_it_says() {
        let cases: Vec<(&str, Value, Value, Value)> = vec![
            ("trim", json!("  a b\n"), json!([]), json!("a b")),
            ("upper", json!("straße"), json!([]), json!("STRASSE")),
            ("to_uppercase", json!("be"), json!([]), json!("BE")),
            ("lower", json!("ÀB"), json!([]), json!("àb")),
            ("to_lowercase", json!("BE"), json!([]), json!("be")),
            ("title", json!("rue de la LOI"), json!([]), json!("Rue De La Loi")),
            ("capitalize", json!("hELLO you"), json!([]), json!("Hello you")),
            ("replace", json!("a.b.c"), json!([".", "-"]), json!("a-b-c")),
            ("replace", json!("ab"), json!(["", "-"]), json!("-a-b-")),
            ("remove", json!("BE 0403.019/261-"), json!(["./- "]), json!("BE0403019261")),
            ("prefix", json!(403_019), json!(["BR"]), json!("BR403019")),
            ("suffix", json!("a"), json!([7]), json!("a7")),
            ("digits", json!("BE 0403.019.261 ٣"), json!([]), json!("0403019261")),
            ("split", json!("a,b,c"), json!([","]), json!(["a", "b", "c"])),
            ("split", json!("a,b,c"), json!([",", 1]), json!(["a", "b,c"])),
            ("split", json!(" a  b "), json!([]), json!(["a", "b"])),
            ("lines", json!("a\r\nb"), json!([]), json!(["a", "b"])),
            ("string", json!(3.0), json!([]), json!("3")),
            ("string", json!([1]), json!([]), json!("[1]")),
            ("urlencode", json!("a b/ü&"), json!([]), json!("a%20b/%C3%BC%26")),
            ("tojson", json!({"b": "<", "a": 1}), json!([]), json!(r#"{"b":"<","a":1}"#)),
            ("date_format", json!("2026-11-21"), json!(["%d.%m.%Y"]), json!("21.11.2026")),
            ("times", json!(19.99), json!([100]), json!(1999)),
            ("round", json!(2.5), json!([]), json!(3)),
            ("round", json!(12.345), json!([2]), json!(12.35)),
            ("abs", json!(-3), json!([]), json!(3)),
            ("int", json!("42"), json!([]), json!(42)),
            ("int", json!(3.9), json!([]), json!(3)),
            ("int", json!("n/a"), json!([0]), json!(0)),
            ("float", json!("2.5"), json!([]), json!(2.5)),
            ("bool", json!(""), json!([]), json!(false)),
            ("length", json!("äö"), json!([]), json!(2)),
            ("count", json!([1, 2, 3]), json!([]), json!(3)),
            ("length", json!({"a": 1}), json!([]), json!(1)),
            ("first", json!([7, 8]), json!([]), json!(7)),
            ("first", json!([]), json!([]), json!(null)),
            ("first", json!("xy"), json!([]), json!("x")),
            ("last", json!([7, 8]), json!([]), json!(8)),
            ("join", json!([1, "b", 3.0, null, true]), json!([", "]), json!("1, b, 3, true")),
            ("join", json!([{"n": "a"}, {"n": "b"}]), json!(["+", "n"]), json!("a+b")),
            ("sort", json!([3, 1.5, 2]), json!([]), json!([1.5, 2, 3])),
            ("sort", json!(["b", "A", "c"]), json!([]), json!(["A", "b", "c"])),
            ("sort", json!(["b", "A", "c"]), json!([true]), json!(["c", "b", "A"])),
            ("unique", json!(["CA", "NY", "ca"]), json!([]), json!(["CA", "NY"])),
            ("unique", json!(["CA", "NY", "ca"]), json!([true]), json!(["CA", "NY", "ca"])),
            ("unique", json!([1, 1.0, {"a": 1}, {"a": 1}]), json!([]), json!([1, {"a": 1}])),
            ("min", json!([3, 1, 2]), json!([]), json!(1)),
            ("max", json!(["a", "C", "b"]), json!([]), json!("C")),
            ("max", json!([]), json!([]), json!(null)),
            ("sum", json!([1, 2.5, 3]), json!([]), json!(6.5)),
            ("sum", json!([0.1, 0.2]), json!([]), json!(0.3)),
            ("sum", json!([{"p": 2}, {"p": 3}, {}]), json!(["p"]), json!(5)),
            ("map", json!([{"a": {"b": 1}}, {"a": {}}]), json!(["a.b"]), json!([1, null])),
            ("reverse", json!([1, 2]), json!([]), json!([2, 1])),
            ("reverse", json!("ab"), json!([]), json!("ba")),
            ("list", json!({"b": 1, "a": 2}), json!([]), json!(["b", "a"])),
            ("list", json!("ab"), json!([]), json!(["a", "b"])),
            ("items", json!({"b": 1}), json!([]), json!([["b", 1]])),
            ("keys", json!({"b": 1, "a": 2}), json!([]), json!(["b", "a"])),
            ("values", json!({"b": 1, "a": 2}), json!([]), json!([1, 2])),
            ("compact", json!([1, null, "", 2]), json!([]), json!([1, "", 2])),
        ];
        for (name, input, arguments, expected) in &cases {
            let found = run(name, input, arguments);
            assert_eq!(found.as_ref(), Ok(expected), "{input} | {name}{arguments}");
        }
        for filter in &FILTERS {
            let tested = cases.iter().any(|(name, ..)| *name == filter.name);
            assert!(tested || matches!(filter.run, Run::Default), "no row for {}", filter.name);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_without_quoting_it() {
        let long = "x".repeat(1024 * 1024);
        let cases: Vec<(&str, Value, Value)> = vec![
            ("upper", json!(["marker"]), json!([])),
            ("times", json!("marker"), json!([2])),
            ("times", json!(2), json!(["marker"])),
            ("round", json!(1.5), json!([1_000_000])),
            ("int", json!("marker"), json!([])),
            ("int", json!("1e300"), json!([])),
            ("float", json!("inf"), json!([])),
            ("abs", json!("marker"), json!([])),
            ("sort", json!([1, "marker"]), json!([])),
            ("sum", json!([1, "marker"]), json!([])),
            ("join", json!("marker"), json!([])),
            ("map", json!("marker"), json!(["a"])),
            ("date_format", json!("marker"), json!(["%d"])),
            ("replace", json!(long), json!(["x", "yy"])),
            ("replace", json!(long), json!(["", "y"])),
            ("prefix", json!(long), json!(["y"])),
            ("join", json!(["a", "b", "c"]), json!([long])),
            ("split", json!(long), json!([""])),
            ("urlencode", json!("ü".repeat(400_000)), json!([])),
            ("upper", json!("ŉ".repeat(500_000)), json!([])),
        ];
        for (name, input, arguments) in cases {
            let error = run(name, &input, &arguments).expect_err(name);
            assert!(!error.contains("marker") && error.len() < 300, "{name}: {error}");
        }
    }
}
