//! Mappings read, and applied to answers.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::apply::Write;
use super::error::MappingError;
use super::rules::Mapping;
use crate::domain::answer::{Answer, Body};
use crate::domain::data;
use crate::domain::overrides::Overrides;
use crate::domain::problem::code;
use crate::domain::template::Scope;

fn mapping(value: &Value) -> Mapping {
    Mapping::parse(value, "/m", &["vat_response".to_owned()]).unwrap().0
}

fn answer(body: Body) -> Answer {
    let headers = json!({"x-request-id": "r-1", "etag": "\"e\"", "x-page": "2"});
    let Value::Object(headers) = headers else { unreachable!() };
    Answer { status: 203, headers, body, text: None }
}

fn json_answer(body: Value) -> Answer {
    answer(Body::Json(Arc::new(body)))
}

fn company() -> Value {
    json!({
        "name": "  Acme SA ", "valid": "True", "score": "712", "none": null, "empty": "",
        "big": 9_007_199_254_740_993_i64, "huge": 1.844_674_407_370_955_2e19,
        "founded": "2001-05-06T10:00:00+02:00",
        "address": {"city": "Ghent"},
        "people": [{"name": "Ann"}, {"name": null}, {"name": "Bea"}]
    })
}

fn scope(data: &Value) -> Scope {
    Scope::new().with("data", Arc::new(data.clone()))
}

/// The one target `t` by `rule`, written over `old`.
fn one(rule: &Value, old: &Value) -> Result<Option<Value>, MappingError> {
    let mapped = mapping(&json!({"t": rule})).apply(
        &json_answer(company()),
        &scope(old),
        old,
        &Overrides::default(),
    )?;
    Ok(mapped.writes.into_iter().next().map(|write| write.value))
}

#[test]
fn every_target_has_its_offer_whatever_the_others_have() {
    let rules = json!({
        "bad": {"path": "$.name", "type": "integer"},
        "good": {"path": "$.score", "type": "integer"},
        "full": {"path": "$.score", "overwrite": "if_empty"},
        "stand_in": {"path": "$.absent", "default": 1},
        "stays": {"path": "$.absent", "on_missing": "keep"},
        "text.way": "$.score",
    });
    let (mapping, data) = (mapping(&rules), json!({"full": "x", "text": "t"}));
    let (answer, scope) = (json_answer(company()), scope(&data));
    let offers: Vec<_> = mapping
        .offers(&answer, &scope, &data)
        .map(|offer| (offer.target.path.to_string(), offer.found, offer.full, offer.value.ok()))
        .collect();
    let expected = [
        ("bad", true, false, None),
        ("good", true, false, Some(Some(json!(712)))),
        ("full", true, true, Some(Some(json!("712")))),
        ("stand_in", false, false, Some(Some(json!(1)))),
        ("stays", false, false, Some(None)),
        ("text.way", true, false, None),
    ];
    assert_eq!(offers, expected.map(|(path, found, full, value)| (path.to_owned(), found, full, value)));
}

#[test]
fn each_rule_gives_its_value() {
    for (rule, expected) in [
        (json!("$.address.city"), json!("Ghent")),
        (json!("address.city"), json!("Ghent")),
        (json!("$"), company()),
        (json!("$.absent"), json!(null)),
        (json!("$.none"), json!(null)),
        (json!("$.people[*].name"), json!(["Ann", null, "Bea"])),
        (json!("$.absent[*]"), json!([])),
        (json!({"path": "$.big"}), json!(9_007_199_254_740_993_i64)),
        (json!({"path": "$.big", "type": "text"}), json!("9007199254740993")),
        (json!({"path": "$.score", "type": "integer"}), json!(712)),
        (json!({"path": "$.valid", "type": "boolean", "required": true}), json!(true)),
        (json!({"path": "$.founded", "type": "date"}), json!("2001-05-06")),
        (json!({"path": "$.none", "type": "integer"}), json!(null)),
        (json!({"path": "$.absent", "type": "integer"}), json!(null)),
        (json!({"path": "$.people[*].name", "pick": "first"}), json!("Ann")),
        (json!({"path": "$.people[*].name", "pick": "last"}), json!("Bea")),
        (json!({"path": "$.people[*].name", "pick": "count"}), json!(3)),
        (json!({"path": "$.absent[*]", "pick": "count"}), json!(0)),
        (json!({"path": "$.absent[*]", "pick": "first"}), json!(null)),
        (json!({"path": "$.absent", "pick": "all"}), json!([])),
        (json!({"path": "$.score", "pick": "all"}), json!(["712"])),
        (json!({"path": "$.absent", "default": "none"}), json!("none")),
        (json!({"path": "$.absent", "default": null, "required": true}), json!(null)),
        (
            json!({"path": "$.absent", "default": "x", "type": "integer", "transform": "value | upper"}),
            json!("x"),
        ),
        (json!({"path": "$.absent[*]", "default": "x"}), json!("x")),
        (json!({"path": "$.none", "default": "x"}), json!(null)),
        (json!({"path": "$.name", "transform": "value | trim | upper"}), json!("ACME SA")),
        (json!({"path": "$.none", "transform": "value | upper"}), json!(null)),
        (json!({"path": "$.people[*]", "transform": "value | length", "type": "text"}), json!("3")),
        (json!({"path": "$.absent[*]", "transform": "value | length"}), json!(0)),
        (json!({"path": "$.address", "transform": "value.absent"}), json!(null)),
        (json!({"from": "status"}), json!(203)),
        (json!({"from": "status", "type": "text"}), json!("203")),
        (json!({"from": "headers", "path": "X-Request-Id"}), json!("r-1")),
        (json!({"from": "headers", "path": "$['x-page']", "type": "integer"}), json!(2)),
        (json!({"from": "headers", "path": "$.absent"}), json!(null)),
        (json!({"from": "headers", "path": "$", "transform": "value.etag"}), json!("\"e\"")),
        (json!({"value": "{data.country}-{body.score}"}), json!("BE-712")),
        (json!({"value": "{data.count}"}), json!(5)),
        (json!({"value": "{status}"}), json!(203)),
        (json!({"value": "{body.big}"}), json!(9_007_199_254_740_993_i64)),
        (json!({"value": "constant"}), json!("constant")),
        (json!({"value": "{body.absent.deep}"}), json!(null)),
        (json!({"value": "{body.none}", "default": "d"}), json!("d")),
    ] {
        let old = json!({"country": "BE", "count": 5});
        assert_eq!(one(&rule, &old), Ok(Some(expected)), "{rule}");
    }
}

#[test]
fn keep_and_if_empty_leave_data_alone() {
    for (rule, old, expected) in [
        (json!({"path": "$.absent", "on_missing": "keep"}), json!({"t": 1}), None),
        (json!({"path": "$.score", "on_missing": "keep"}), json!({"t": 1}), Some(json!("712"))),
        (json!({"path": "$.absent", "on_missing": "null"}), json!({"t": 1}), Some(json!(null))),
        (json!({"path": "$.score", "overwrite": true}), json!({"t": 1}), Some(json!("712"))),
        (json!({"path": "$.score", "overwrite": "if_empty"}), json!({"t": 0}), None),
        (json!({"path": "$.score", "overwrite": "if_empty"}), json!({"t": false}), None),
        (json!({"path": "$.score", "overwrite": "if_empty"}), json!({"t": " "}), None),
        (json!({"path": "$.score", "overwrite": "if_empty"}), json!({}), Some(json!("712"))),
        (json!({"path": "$.score", "overwrite": "if_empty"}), json!({"t": null}), Some(json!("712"))),
        (json!({"path": "$.score", "overwrite": "if_empty"}), json!({"t": ""}), Some(json!("712"))),
        (json!({"path": "$.score", "overwrite": "if_empty"}), json!({"t": []}), Some(json!("712"))),
        (json!({"path": "$.score", "overwrite": "if_empty"}), json!({"t": {}}), Some(json!("712"))),
    ] {
        assert_eq!(one(&rule, &old), Ok(expected), "{rule} over {old}");
    }
}

#[test]
fn what_fails_names_target_path_expected_and_found() {
    for (rule, expected, found) in [
        (json!({"path": "$.absent", "required": true}), "a value", "nothing"),
        (json!({"path": "$.absent[*]", "on_missing": "fail"}), "a value", "nothing"),
        (json!({"path": "$.none", "required": true}), "a value", "null"),
        (json!({"value": "{body.absent}", "required": true}), "a value", "nothing"),
        (json!({"path": "$.name", "type": "integer"}), "integer", "text \"  Acme SA \""),
        (json!({"path": "$.huge", "type": "integer"}), "integer", "number 1.8446744073709552e+19"),
        (json!({"path": "$.address", "type": "text"}), "text", "object with city"),
        (json!({"path": "$.people[*]", "type": "number"}), "number", "array of 3"),
        (
            json!({"path": "$.people", "transform": "value | upper"}),
            "a value that the transform can work on",
            "array of 3",
        ),
    ] {
        match one(&rule, &json!({})) {
            Err(error @ MappingError::Mapping { .. }) => {
                let detail = error.detail();
                let says = format!("expected {expected}, found {found}. ");
                assert!(detail.contains(&says) && detail.contains("`t`"), "{rule}: {detail}");
            }
            other => panic!("{rule}: {other:?}"),
        }
    }
}

#[test]
fn a_mapping_is_shared_by_workers() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&mapping(
        &json!({"t": {"path": "$[?match(@, 'a')]", "transform": "value | trim"}, "v": {"value": "{status}"}}),
    ));
}

#[test]
fn one_failure_writes_nothing_at_all() {
    let mapping = mapping(&json!({"good": "$.name", "bad": {"path": "$.name", "type": "number"}}));
    let result = mapping.apply(&json_answer(company()), &Scope::new(), &json!({}), &Overrides::default());
    assert!(matches!(result, Err(MappingError::Mapping { target, .. }) if target == "bad"));
}

#[test]
fn targets_under_one_absent_parent_are_both_written() {
    let mapping = mapping(&json!({"data.a.b.city": "address.city", "a.b.score": "score", "a.c": "valid"}));
    for old in [json!({}), json!({"a": null}), json!({"a": {"b": {"kept": 1}}})] {
        let mapped =
            mapping.apply(&json_answer(company()), &Scope::new(), &old, &Overrides::default()).unwrap();
        let mut changed = old.clone();
        for write in mapped.writes {
            data::set(&mut changed, &write.target, write.value).unwrap();
        }
        assert_eq!(changed["a"]["b"]["city"], "Ghent");
        assert_eq!(changed["a"]["b"]["score"], "712");
        assert_eq!(changed["a"]["c"], "True");
        assert_eq!(changed["a"]["b"].get("kept"), old.pointer("/a/b/kept"));
    }
}

#[test]
fn a_value_that_is_no_object_is_not_written_through() {
    let mapping = mapping(&json!({"a.b.c": "score"}));
    for (old, place, found) in [
        (json!({"a": {"b": "text"}}), "a.b", "a text"),
        (json!({"a": [1]}), "a", "an array"),
        (json!({"a": false}), "a", "a boolean"),
    ] {
        let error =
            mapping.apply(&json_answer(company()), &Scope::new(), &old, &Overrides::default()).unwrap_err();
        let says = format!("expected an object at `{place}`, found {found}");
        assert!(error.detail().contains(&says), "{}", error.detail());
    }
}

#[test]
fn texts_and_empty_bodies_are_read_as_far_as_they_go() {
    let text = || answer(Body::Text("plain".to_owned()));
    for (rule, body, expected) in [
        (json!("$"), text(), Ok(json!("plain"))),
        (json!({"path": "$", "transform": "value | upper"}), text(), Ok(json!("PLAIN"))),
        (json!({"from": "status"}), text(), Ok(json!(203))),
        (json!({"from": "headers", "path": "$.etag"}), text(), Ok(json!("\"e\""))),
        (json!({"value": "{body}"}), text(), Ok(json!("plain"))),
        (json!("$.name"), text(), Err("`$.name`")),
        (json!({"path": "$..name", "default": 1}), text(), Err("`$..name`")),
        (json!("$"), answer(Body::None), Ok(json!(null))),
        (json!("$.name"), answer(Body::None), Ok(json!(null))),
        (json!("$[*]"), answer(Body::None), Ok(json!([]))),
        (json!("$.name"), json_answer(json!("text")), Ok(json!(null))),
    ] {
        match (
            mapping(&json!({"t": rule})).apply(&body, &Scope::new(), &json!({}), &Overrides::default()),
            expected,
        ) {
            (Ok(mapped), Ok(expected)) => assert_eq!(mapped.writes[0].value, expected, "{rule}"),
            (Err(MappingError::InvalidResponse(why)), Err(says)) => assert!(why.contains(says), "{why}"),
            (result, expected) => panic!("{rule}: {result:?}, not {expected:?}"),
        }
    }
}

#[test]
fn a_hostile_answer_cannot_fill_the_memory() {
    let heavy = (0..100).fold(json!("x".repeat(1_000_000)), |inner, _| json!([inner]));
    let wide = Value::from(vec![0; 20_000]);
    let deep = (0..110).fold(json!(1), |inner, _| json!({"a": inner}));
    for (rule, body, says) in [
        (json!("$..*"), &heavy, "more than 16 MiB"),
        (json!("$[*]"), &wide, "at most 10000 values"),
        (json!("$"), &deep, "at most 100 levels"),
    ] {
        let error = mapping(&json!({"t": rule}))
            .apply(&json_answer(body.clone()), &Scope::new(), &json!({}), &Overrides::default())
            .unwrap_err();
        assert!(error.detail().contains(says), "{}", error.detail());
    }
    let many: Map<String, Value> = (0..300).map(|n| (format!("t{n}"), json!("$..absent"))).collect();
    let error = mapping(&many.into())
        .apply(&json_answer(wide.clone()), &Scope::new(), &json!({}), &Overrides::default())
        .unwrap_err();
    assert!(error.detail().contains("visit more than"), "{}", error.detail());
    for (pick, expected) in [("count", json!(20_000)), ("first", json!(0))] {
        let rule = json!({"t": {"path": "$[*]", "pick": pick}});
        let mapped = mapping(&rule)
            .apply(&json_answer(wide.clone()), &Scope::new(), &json!({}), &Overrides::default())
            .unwrap();
        assert_eq!(mapped.writes[0].value, expected);
    }
}

#[test]
fn everything_that_is_wrong_is_listed_at_its_place() {
    for (rule, pointer, problem) in [
        (json!(7), "/m/t", code::WRONG_TYPE),
        (json!(null), "/m/t", code::WRONG_TYPE),
        (json!(""), "/m/t", code::INVALID_PATH),
        (json!("$["), "/m/t", code::INVALID_PATH),
        (json!({}), "/m/t/path", code::REQUIRED),
        (json!({"path": 7}), "/m/t/path", code::WRONG_TYPE),
        (json!({"path": "$..['a','b']"}), "/m/t/path", code::INVALID_PATH),
        (json!({"path": "a", "value": "b"}), "/m/t", code::INVALID),
        (json!({"path": "a", "from": "status"}), "/m/t/from", code::INVALID),
        (json!({"value": "a", "from": "headers"}), "/m/t/from", code::INVALID),
        (json!({"from": "headers"}), "/m/t/path", code::REQUIRED),
        (json!({"path": "a", "from": "cookies"}), "/m/t/from", code::INVALID),
        (json!({"path": "a", "pick": "some"}), "/m/t/pick", code::INVALID),
        (json!({"path": "a", "pick": 1}), "/m/t/pick", code::WRONG_TYPE),
        (json!({"path": "a", "type": "string"}), "/m/t/type", code::INVALID),
        (json!({"path": "a", "transform": "value.(("}), "/m/t/transform", code::INVALID_TEMPLATE),
        (json!({"path": "a", "transform": "data.x"}), "/m/t/transform", code::UNKNOWN_ROOT),
        (json!({"path": "a", "transform": ["x"]}), "/m/t/transform", code::WRONG_TYPE),
        (json!({"value": "{nothing.x}"}), "/m/t/value", code::UNKNOWN_ROOT),
        (json!({"value": "{secret.token}"}), "/m/t/value", code::SECRET_NOT_ALLOWED),
        (json!({"path": "a", "required": "yes"}), "/m/t/required", code::WRONG_TYPE),
        (json!({"path": "a", "required": true, "on_missing": "keep"}), "/m/t/on_missing", code::INVALID),
        (json!({"path": "a", "required": false, "on_missing": "fail"}), "/m/t/on_missing", code::INVALID),
        (json!({"path": "a", "on_missing": "ignore"}), "/m/t/on_missing", code::INVALID),
        (json!({"path": "a", "overwrite": false}), "/m/t/overwrite", code::INVALID),
        (json!({"path": "a", "overwrite": "never"}), "/m/t/overwrite", code::INVALID),
        (json!({"path": "a", "pik": "first"}), "/m/t/pik", code::UNKNOWN_MEMBER),
    ] {
        let problems = Mapping::parse(&json!({"t": rule}), "/m", &[]).unwrap_err();
        let found: Vec<_> = problems.iter().map(|found| (found.pointer.as_str(), found.code)).collect();
        assert_eq!(found, [(pointer, problem)], "{rule}");
    }
    assert_eq!(Mapping::parse(&json!([]), "/m", &[]).unwrap_err()[0].code, code::WRONG_TYPE);
    let two =
        Mapping::parse(&json!({"a..b": "x", "t": {"path": "$[", "tpye": "text"}}), "/m", &[]).unwrap_err();
    let pointers: Vec<_> = two.iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(pointers, ["/m/a..b", "/m/t/path", "/m/t/tpye"]);
    assert!(two[2].message.contains("`type`"));
}

#[test]
fn targets_never_overlap() {
    for (targets, expected) in [
        (json!({"a": "x", "data.a": "y"}), vec!["/m/data.a"]),
        (json!({"a.b": "x", "a": "y"}), vec!["/m/a.b"]),
        (json!({"a": "x", "a.b": "y", "a.c.d": "z"}), vec!["/m/a.b", "/m/a.c.d"]),
        (json!({"a.b": "x", "a.bc": "y", "ab": "z"}), vec![]),
        (json!({"vat_response": "x"}), vec!["/m/vat_response"]),
        (json!({"vat_response.name": "x"}), vec!["/m/vat_response.name"]),
        (json!({"a.vat_response": "x"}), vec![]),
    ] {
        let problems =
            Mapping::parse(&targets, "/m", &["vat_response".to_owned()]).map_or_else(|all| all, |_| vec![]);
        let found: Vec<_> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(found, expected, "{targets}");
        assert!(problems.iter().all(|problem| problem.code == code::DUPLICATE));
    }
}

#[test]
fn what_is_legal_but_doubtful_is_a_warning() {
    for (rule, expected) in [
        (json!({"path": "$.a", "default": 1, "required": true}), vec!["/m/t/default"]),
        (json!({"path": "$.a", "default": 1, "on_missing": "keep"}), vec!["/m/t/default"]),
        (json!({"path": "$.a[*]", "type": "integer"}), vec!["/m/t/type"]),
        (json!({"path": "$.a", "pick": "all", "type": "text"}), vec!["/m/t/type"]),
        (json!({"path": "$.a[*]", "type": "integer", "pick": "first"}), vec![]),
        (json!({"path": "$.a[*]", "type": "integer", "pick": "count"}), vec![]),
        (json!({"path": "$.a[*]", "type": "integer", "transform": "value | length"}), vec![]),
        (json!({"path": "$.a[*]", "type": "json"}), vec![]),
        (json!({"path": "$.a", "default": 1, "required": false}), vec![]),
    ] {
        let (_, warnings) = Mapping::parse(&json!({"t": rule}), "/m", &[]).unwrap();
        let found: Vec<_> = warnings.iter().map(|warning| warning.pointer.as_str()).collect();
        assert_eq!(found, expected, "{rule}");
    }
}

#[test]
fn the_normal_form_reads_back_to_itself() {
    let written = json!({
        "data.name": "name",
        "vat_valid": {"path": "$.valid", "type": "boolean", "required": true},
        "country": {"value": "{data.country}", "default": null}
    });
    let read = mapping(&written);
    assert_eq!(read.normal_form(), written);
    assert_eq!(mapping(&read.normal_form()).normal_form(), written);
    let targets: Vec<_> = read.targets().iter().map(|target| target.path.to_string()).collect();
    assert_eq!(targets, ["name", "vat_valid", "country"]);
    assert!(read.targets()[2].needs.contains("data.country"));
    assert!(read.targets()[0].needs.is_empty());
    assert!(!read.needs_thread());
    assert!(mapping(&json!({"t": "$[?match(@, 'a')]"})).needs_thread());
}

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~ä]{0,8}|2026-01-0[0-9]|true|[0-9]{1,22}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_answer_makes_a_mapping_panic(
        body in arbitrary_json(),
        old in arbitrary_json(),
        path in prop::sample::select(vec![
            "$", "$.a", "$.a.b", "$[0]", "$..a", "$..*", "$..*..b", "$[?@.a == $.b]", "$[?@ < 5 || length(@) > 1]",
            "$.a[-1:]", "$[?search(@, '[0-9]')]",
        ]),
        kind in prop::sample::select(vec!["any", "text", "number", "integer", "boolean", "date", "datetime", "json"]),
        pick in prop::sample::select(vec!["auto", "first", "last", "all", "count"]),
    ) {
        let rule = json!({"a.b": {"path": path, "type": kind, "pick": pick, "overwrite": "if_empty"}});
        if let Ok(mapped) = mapping(&rule).apply(&json_answer(body), &Scope::new(), &old, &Overrides::default()) {
            let mut changed = old.clone();
            for Write { target, value, .. } in mapped.writes {
                prop_assert!(data::set(&mut changed, &target, value.clone()).is_ok());
                prop_assert_eq!(data::get(&changed, &target), Some(&value));
            }
        }
    }
}
