//! Everything at once: random patches, refreshes, cancellations, repetitions, purges, cleared
//! overrides, new versions and restarts on a few cases, while a moody provider holds its answers back.
//!
//! Whatever the order was: of a field at most one run has begun and at most one waits behind it;
//! in the end all is settled, each field says what its last run did, shows the last good answer
//! where nobody set another value, and says truly whether it was made from what is there now.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{TestApp, secs};
use crate::upstream::{Call, Reply, ok, status};

/// A small linear congruential generator: the same dice at every run.
pub struct Dice(pub u64);

impl Dice {
    /// From 0 to `sides` - 1.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// One of them; none when there is none.
    pub fn pick<'v, T>(&mut self, values: &'v [T]) -> Option<&'v T> {
        let count = values.len() as u64;
        if count == 0 { None } else { values.get(usize::try_from(self.roll(count)).unwrap()) }
    }
}

/// Each field with where its request takes `v` from.
const FIELDS: [(&str, &[&str]); 3] = [("a", &["x"]), ("b", &["a"]), ("c", &["b_out", "n"])];

/// Answers `{"n": <count>, "v": <what was asked>}`, or fails; held back while `holds`.
fn moody(app: &TestApp, holds: &Arc<AtomicBool>) {
    let (holds, count) = (holds.clone(), AtomicU64::new(1));
    app.upstream.otherwise_with(move |call: &Call| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        let reply = match n % 7 {
            3 => status(503),
            5 if n % 2 == 0 => status(404),
            6 if n % 5 == 0 => Reply::reset(),
            _ => ok(json!({"n": n, "v": call.query("v").unwrap_or("-")})),
        };
        if holds.load(Ordering::SeqCst) && n % 3 != 0 { reply.held() } else { reply }
    });
}

fn fields(app: &TestApp) -> Value {
    let mapping = |key: &str| json!({key: "$.n", format!("{key}v"): "$.v"});
    let on_update = json!(["on_update"]);
    json!([
        app.field(
            "/a",
            json!({"key": "a", "trigger": ["on_create", "on_update"]}),
            json!({"params": {"v": "{data.x}"}, "response_mapping": mapping("a")})
        ),
        app.field(
            "/b",
            json!({"key": "b", "trigger": on_update, "retry": 2}),
            json!({"method": "POST", "params": {"v": "{data.a}"}, "body": {"v": "{data.a}"},
                "response_mapping": mapping("b"), "output_variable": "b_out"})
        ),
        app.field(
            "/c",
            json!({"key": "c", "trigger": on_update, "cache_duration": 30}),
            json!({"params": {"v": "{b_out.n}"}, "response_mapping": mapping("c")})
        ),
    ])
}

async fn define(app: &TestApp, note: u64) {
    let body = json!({"key": "test", "description": format!("{note}"), "fields": fields(app)});
    let saved = app.put("/v1/case-types/test", &body).await;
    assert!(matches!(saved.status, 200 | 201), "{}", saved.body);
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// The runs of a case, oldest first.
async fn listed(app: &TestApp, id: &str) -> Vec<Value> {
    let list = app.get(&format!("/v1/runs?case={id}&limit=200")).await.expect(200);
    let mut runs = list["items"].as_array().unwrap().clone();
    runs.sort_by_key(|run| text(run, "id").to_owned());
    runs
}

fn lives(run: &Value) -> bool {
    matches!(text(run, "status"), "queued" | "running")
}

/// One random thing.
async fn act(app: &TestApp, dice: &mut Dice, id: &str, cancels: bool) {
    let (field, _) = FIELDS[usize::try_from(dice.roll(3)).unwrap()];
    let case = format!("/v1/cases/{id}");
    let flags = json!({"force": dice.roll(3) == 0, "overwrite": dice.roll(3) == 0});
    match dice.roll(14) {
        0..=2 => {
            let x = Some(dice.roll(5)).filter(|x| *x > 0);
            app.patch(&case, &json!({"data": {"x": x}})).await.expect(200);
        }
        3 => {
            let value = Some(1_000_000 + dice.roll(1_000)).filter(|value| value % 4 > 0);
            app.patch(&case, &json!({"data": {field: value}})).await.expect(200);
        }
        4 => {
            let n = 2_000_000 + dice.roll(1_000);
            app.patch(&case, &json!({"data": {"b_out": {"n": n}}})).await.expect(200);
        }
        5 => {
            let answer = app.delete(&format!("{case}/overrides/{field}")).await;
            assert!(matches!(answer.status, 204 | 404), "{}", answer.body);
        }
        6 | 7 => drop(app.post(&format!("{case}/fields/{field}/refresh"), &flags).await.expect(202)),
        8 => drop(app.post(&format!("{case}/refresh"), &flags).await.expect(202)),
        9 if cancels => {
            let live: Vec<Value> = listed(app, id).await.into_iter().filter(lives).collect();
            if let Some(run) = dice.pick(&live) {
                let answer = app.post(&format!("/v1/runs/{}/cancel", text(run, "id")), &json!({})).await;
                assert!(matches!(answer.status, 200 | 409), "{}", answer.body);
            }
        }
        10 => {
            let ended: Vec<Value> = listed(app, id).await.into_iter().filter(|run| !lives(run)).collect();
            if let Some(run) = dice.pick(&ended) {
                app.post(&format!("/v1/runs/{}/retry", text(run, "id")), &json!({})).await.expect(202);
            }
        }
        11 => match dice.roll(3) {
            0 => drop(app.delete("/v1/cache?case_type=test").await.expect(204)),
            1 => define(app, dice.roll(1_000_000)).await,
            _ => {}
        },
        12 => app.upstream.release(),
        _ => app.move_clock(secs(dice.roll(20))),
    }
}

/// Of each field at most one run has begun, and at most one waits behind it.
fn check_queue(runs: &[Value]) {
    let mut live: BTreeMap<(&str, bool), Vec<&Value>> = BTreeMap::new();
    for run in runs.iter().filter(|run| lives(run)) {
        live.entry((text(run, "field"), run["started_at"].is_null())).or_default().push(run);
    }
    for (kind, runs) in live {
        assert_eq!(runs.len(), 1, "{kind:?} {runs:?}");
    }
}

/// The answer that a succeeded run mapped; none where the history of the run that fetched it does
/// not have it, since that one was cancelled meanwhile.
async fn answer_of(app: &TestApp, run: &Value) -> Option<Value> {
    let by = run["cached_from"].as_str().unwrap_or_else(|| text(run, "id"));
    let run = app.get(&format!("/v1/runs/{by}")).await.expect(200);
    let attempts = run["attempts"].as_array().unwrap();
    let good = attempts.iter().rfind(|attempt| attempt["response"]["status"] == 200);
    assert!(good.is_some() || text(&run, "status") == "cancelled", "{run}");
    Some(serde_json::from_str(good?["response"]["body"].as_str().unwrap()).unwrap())
}

async fn check_field(app: &TestApp, case: &Value, runs: &[Value], field: &str, source: &[&str]) {
    let state = &case["fields"][field];
    let runs: Vec<&Value> = runs.iter().filter(|run| text(run, "field") == field).collect();
    let story = || runs.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    // Neither a cancelled run nor one that an open circuit refused leaves a mark beside its error.
    let marks = |run: &&&Value| text(run, "status") != "cancelled" && run["error"]["code"] != "circuit_open";
    let Some(last) = runs.iter().rfind(marks) else {
        return assert_eq!(state["status"], "never_run", "{state} {}", story());
    };
    assert_eq!((&state["run_id"], &state["status"]), (&last["id"], &last["status"]), "{state} {}", story());
    let Some(good) = runs.iter().rfind(|run| text(run, "status") == "succeeded") else { return };
    let Some(answer) = answer_of(app, good).await else { return };
    let now = source.iter().fold(&case["data"], |value, name| &value[*name]);
    let shown = now.to_string();
    let changed = now.is_null() || shown != text(&answer, "v");
    assert_eq!(state["inputs_changed"], changed, "{field} saw {answer}, now {now}: {state} {}", story());
    let missed =
        runs.iter().any(|run| run["reason"] == "requested" || run["error"]["code"] == "chain_too_deep");
    assert!(
        !changed || missed || text(last, "status") != "succeeded",
        "no run of {field} saw {now}: {state} {}",
        story()
    );
    for (target, member) in [(field.to_owned(), "n"), (format!("{field}v"), "v")] {
        let source = &case["provenance"][&target];
        let held = state["overridden"].as_array().unwrap().contains(&json!(target));
        assert!(!held || source["source"] == "api", "{target} is overridden: {source}");
        if source["source"] == "run" {
            let wrote = |run: &&&Value| run["written"].as_array().unwrap().contains(&json!(target));
            let by = runs.iter().rfind(wrote).unwrap();
            assert_eq!(source["run_id"], by["id"], "{target}: {}", story());
            if let Some(answer) = answer_of(app, by).await {
                assert_eq!(case["data"][&target], answer[member], "{target}: {}", story());
            }
        }
    }
}

/// Lets everything end: no answer is held any more, and time goes by for what waits.
async fn settle(app: &TestApp, holds: &AtomicBool) {
    holds.store(false, Ordering::SeqCst);
    for _ in 0..12 {
        tokio::select! {
            () = app.drain() => {}
            () = async { loop { app.upstream.release(); tokio::task::yield_now().await } } => {}
        }
        app.move_clock(secs(60));
    }
    app.drain().await;
}

async fn mix(seed: u64, steps: u64) {
    let mut app = TestApp::spawn().await;
    let holds = Arc::new(AtomicBool::new(true));
    moody(&app, &holds);
    define(&app, 0).await;
    let mut dice = Dice(seed);
    let mut ids = Vec::new();
    for x in [json!(null), json!(1), json!(2)] {
        ids.push(app.create(json!({"x": x})).await);
    }
    for _ in 0..steps {
        let id = dice.pick(&ids).unwrap().clone();
        // Without cancelled runs each change must be seen.
        act(&app, &mut dice, &id, seed.is_multiple_of(2)).await;
        if dice.roll(40) == 0 {
            app.restart().await;
            // Ids of one moment keep their order within one process only.
            app.move_clock(Duration::from_millis(1));
        }
        check_queue(&listed(&app, &id).await);
    }
    settle(&app, &holds).await;
    for id in ids {
        let (case, runs) = (app.case(&id).await, listed(&app, &id).await);
        assert!(runs.len() < 200, "the list is cut");
        assert_eq!(case["settled"], true, "seed {seed}: {case} {runs:?}");
        for (field, source) in FIELDS {
            check_field(&app, &case, &runs, field, source).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_all_ends_and_each_field_tells_the_truth() {
    let seeds = if std::env::var_os("DOSSIER_LONG").is_some() { 40 } else { 4 };
    for seed in 1..=seeds {
        Box::pin(mix(seed, 150)).await;
    }
}
