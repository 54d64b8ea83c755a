//! A thousand random edits on a hundred cases, against a model that fits on one page.
//!
//! Three fields: `a` fires by a change of `x`; `b` on creation, late where `y` was missing, and
//! by a change of `y`; `c` by what `a` maps. The model only counts which fields must have asked
//! the provider, and with what.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::upstream::{Call, ok};

/// A small linear congruential generator: the same edits at every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// What the model knows of a case.
#[derive(Default, Clone)]
struct Model {
    x: Option<u64>,
    y: Option<u64>,
    mapped: Option<u64>,
    /// Calls that must have been made, by field, with the value that was sent.
    calls: BTreeMap<&'static str, Vec<u64>>,
}

impl Model {
    fn call(&mut self, field: &'static str, value: u64) {
        self.calls.entry(field).or_default().push(value);
    }

    fn created(x: Option<u64>, y: Option<u64>) -> Self {
        let mut model = Self { x, y, ..Self::default() };
        if let Some(y) = y {
            model.call("b", y);
        }
        model
    }

    /// A patch after which `x` and `y` are these.
    fn edit(&mut self, x: Option<u64>, y: Option<u64>) {
        let before = std::mem::replace(&mut self.y, y);
        if before != y
            && let Some(y) = y
        {
            self.call("b", y);
        }
        let before = std::mem::replace(&mut self.x, x);
        if before != x
            && let Some(x) = x
        {
            self.call("a", x);
            // The provider halves: so not every answer is a change.
            let mapped = x / 2;
            if self.mapped != Some(mapped) {
                self.mapped = Some(mapped);
                self.call("c", mapped);
            }
        }
    }
}

fn field(app: &TestApp, key: &str, trigger: &Value, source: &str) -> Value {
    let config = json!({"params": {"v": source, "case": "{case.id}"}, "response_mapping": {format!("{key}_out"): "$.value"}});
    app.field(&format!("/{key}"), json!({"key": key, "trigger": trigger}), config)
}

fn maybe(value: Option<u64>) -> Value {
    value.map_or(Value::Null, Value::from)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_random_edits_fire_exactly_what_the_model_says() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise_with(|call: &Call| {
        let value: u64 = call.query("v").unwrap().parse().unwrap();
        ok(json!({"value": value / 2}))
    });
    app.define(json!([
        field(&app, "a", &json!("on_update"), "{data.x}"),
        field(&app, "b", &json!(["on_create", "on_update"]), "{data.y}"),
        field(&app, "c", &json!(["on_update"]), "{data.a_out}"),
    ]))
    .await;
    let mut dice = Dice(20_261_121);
    let mut cases = Vec::new();
    for _ in 0..100 {
        let (x, y) =
            (Some(dice.roll(4) as u64).filter(|v| *v > 0), Some(dice.roll(3) as u64).filter(|v| *v > 0));
        let id = app.create(json!({"x": maybe(x), "y": maybe(y)})).await;
        cases.push((id, Model::created(x, y)));
    }
    app.drain().await;
    for _ in 0..1000 {
        let (id, model) = &mut cases[dice.roll(100)];
        let value = |dice: &mut Dice| Some(dice.roll(6) as u64).filter(|v| *v > 0);
        let x = if dice.roll(2) == 0 { value(&mut dice) } else { model.x };
        let y = if dice.roll(3) == 0 { value(&mut dice) } else { model.y };
        let data = json!({"noise": dice.roll(1000), "x": maybe(x), "y": maybe(y)});
        app.patch(&format!("/v1/cases/{id}"), &json!({"data": data})).await.expect(200);
        app.drain().await;
        model.edit(x, y);
    }
    let mut made: BTreeMap<(String, String), Vec<u64>> = BTreeMap::new();
    for call in app.upstream.calls() {
        let of = (call.query("case").unwrap().to_owned(), call.path.trim_start_matches('/').to_owned());
        made.entry(of).or_default().push(call.query("v").unwrap().parse().unwrap());
    }
    let count: usize = made.values().map(Vec::len).sum();
    for (id, model) in &cases {
        for field in ["a", "b", "c"] {
            let expected = model.calls.get(field).cloned().unwrap_or_default();
            let found = made.remove(&(id.clone(), field.to_owned())).unwrap_or_default();
            assert_eq!(found, expected, "field {field} of {id}: x {:?}, y {:?}", model.x, model.y);
        }
    }
    assert!(made.is_empty() && count > 500, "{count} calls, {made:?}");
}
