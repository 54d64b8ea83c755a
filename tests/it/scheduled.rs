//! Fields with a schedule fire when the clock says so: every matching case, once per tick.

use std::collections::{BTreeMap, HashSet};

use dossier::service::Progress;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, secs};
use crate::process::Process;
use crate::upstream::{Upstream, client, ok, status};

/// Cases that one page of a tick fires.
const PAGE: usize = 16;

/// A field that only its schedule fires.
fn field(app: &TestApp, schedule: &Value) -> Value {
    app.field("/check", json!({"trigger": "scheduled", "schedule": schedule}), json!({}))
}

/// The case type `test` with one field of this schedule, and a provider that always answers.
async fn on_schedule(schedule: Value) -> TestApp {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    app.define(json!([field(&app, &schedule)])).await;
    app
}

fn every_quarter() -> Value {
    json!({"cron": "*/15 * * * *", "timezone": "UTC"})
}

async fn schedules(app: &TestApp) -> Vec<Value> {
    let list = app.get("/v1/schedules").await.expect(200);
    list["items"].as_array().unwrap().clone()
}

/// The only schedule there is.
async fn schedule(app: &TestApp) -> Value {
    let mut all = schedules(app).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// Does something with the only schedule there is.
async fn act(app: &TestApp, action: &str) -> Answer {
    let id = schedule(app).await["id"].as_str().unwrap().to_owned();
    app.send(app.request("POST", &format!("/v1/schedules/{id}/{action}"))).await
}

/// Scheduled runs per case.
async fn fired(app: &TestApp) -> BTreeMap<String, usize> {
    let mut fired = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = app.get(&format!("/v1/runs?trigger=scheduled&limit=200{cursor}")).await.expect(200);
        for run in page["items"].as_array().unwrap() {
            *fired.entry(run["case_id"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        let Some(next) = page["next_cursor"].as_str() else { return fired };
        cursor = format!("&cursor={next}");
    }
}

/// Scheduled runs in all.
async fn count(app: &TestApp) -> usize {
    fired(app).await.values().sum()
}

/// Moves the clock and ticks.
async fn tick_at(app: &TestApp, at: &str) {
    app.set_clock(at);
    app.tick().await;
}

/// Creates many cases at once; answers their ids.
async fn create_many(app: &TestApp, cases: usize, body: impl Fn(usize) -> Value) -> Vec<String> {
    let mut ids = Vec::with_capacity(cases);
    let numbers: Vec<usize> = (0..cases).collect();
    for chunk in numbers.chunks(50) {
        let bodies: Vec<Value> = chunk.iter().map(|n| body(*n)).collect();
        for made in join_all(bodies.iter().map(|body| app.post("/v1/cases", body))).await {
            ids.push(made.expect(201)["id"].as_str().unwrap().to_owned());
        }
    }
    ids
}

fn any_case(_: usize) -> Value {
    json!({"case_type": "test"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_fires_every_case_at_its_minute_and_once() {
    let app = on_schedule(every_quarter()).await;
    let cases = create_many(&app, 3, any_case).await;
    app.tick().await;
    tick_at(&app, "2026-11-21T09:14:59.999Z").await;
    assert_eq!(count(&app).await, 0);
    let before = schedule(&app).await;
    assert_eq!(
        (&before["case_type"], &before["field"], &before["cron"], &before["timezone"], &before["paused"]),
        (&json!("test"), &json!("check"), &json!("*/15 * * * *"), &json!("UTC"), &json!(false))
    );
    assert_eq!((&before["last_tick_at"], &before["last_runs"]), (&json!(null), &json!(0)));

    tick_at(&app, "2026-11-21T09:15:00.200Z").await;
    app.tick().await;
    let after = schedule(&app).await;
    assert_eq!(after["last_tick_at"], "2026-11-21T09:15:00.200Z");
    assert_eq!(after["last_runs"], 3);
    assert_eq!(
        after["next"],
        json!([
            "2026-11-21T09:30:00.000Z",
            "2026-11-21T09:45:00.000Z",
            "2026-11-21T10:00:00.000Z",
            "2026-11-21T10:15:00.000Z",
            "2026-11-21T10:30:00.000Z"
        ])
    );
    app.drain().await;
    for id in &cases {
        let runs = app.runs(id).await;
        assert_eq!(runs.len(), 1);
        assert_eq!((&runs[0]["trigger"], &runs[0]["priority"]), (&json!("scheduled"), &json!("low")));
        let case = app.case(id).await;
        assert_eq!(case["data"]["value"], 1);
        assert_eq!(case["revision"], 4, "made 1, fired 2, run and ended 4");
    }
    tick_at(&app, "2026-11-21T09:29:59Z").await;
    assert_eq!(count(&app).await, 3);
    tick_at(&app, "2026-11-21T09:30:00Z").await;
    assert_eq!(count(&app).await, 6);
    app.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_clock_changes_of_berlin_keep_the_hour_on_the_wall() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    let at = |key: &str, cron: &str| {
        let mut field = field(&app, &json!({"cron": cron, "timezone": "Europe/Berlin"}));
        field["key"] = json!(key);
        field["api_config"]["response_mapping"] = json!({key: "$.value"});
        field
    };
    app.set_clock("2027-03-27T00:00:00Z");
    app.define(json!([at("six", "0 6 * * *"), at("gap", "30 2 * * *"), at("hourly", "30 * * * *")])).await;
    let case = app.create(json!({})).await;
    let spring = ticks_through(&app, &case, "2027-03-27T00:00:00Z", "2027-03-29T12:00:00Z").await;
    assert_eq!(
        spring["six"],
        ["2027-03-27T05:00:00.000Z", "2027-03-28T04:00:00.000Z", "2027-03-29T04:00:00.000Z"]
    );
    // On the 28th there is no half past two: the day is not skipped, and not counted twice.
    assert_eq!(spring["gap"].len(), 3, "{spring:?}");
    assert_eq!(spring["gap"][0], "2027-03-27T01:30:00.000Z");
    assert!(spring["gap"][1].starts_with("2027-03-28T01:"), "{spring:?}");
    assert_eq!(spring["gap"][2], "2027-03-29T00:30:00.000Z");

    app.set_clock("2027-10-30T00:00:00Z");
    app.tick().await;
    app.drain().await;
    let autumn = ticks_through(&app, &case, "2027-10-30T00:00:00Z", "2027-11-01T12:00:00Z").await;
    assert_eq!(
        autumn["six"],
        ["2027-10-30T04:00:00.000Z", "2027-10-31T05:00:00.000Z", "2027-11-01T05:00:00.000Z"]
    );
    // On the 31st there are two: the first counts.
    assert_eq!(
        autumn["gap"],
        ["2027-10-30T00:30:00.000Z", "2027-10-31T00:30:00.000Z", "2027-11-01T01:30:00.000Z"]
    );
    assert_eq!(spring["hourly"].len(), 60, "every hour that there is");
    assert_eq!(autumn["hourly"].len(), 60, "every hour that there is, the doubled one twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_time_is_due_twice_while_the_clock_is_turned_back() {
    let schedule = json!({"cron": "30 2 * * *", "timezone": "Europe/Berlin"});
    let app = on_schedule(schedule).await;
    app.create(json!({})).await;
    // The process was down at the first half past two of the 31st, and is asked in the hour that
    // comes twice: the next time lies ahead.
    for (at, runs) in [("2027-10-31T00:40:00Z", 1), ("2027-10-31T01:00:05Z", 1), ("2027-10-31T01:29:00Z", 1)]
    {
        tick_at(&app, at).await;
        app.tick().await;
        assert_eq!(count(&app).await, runs, "{at}");
        act(&app, "pause").await.expect(200);
        let resumed = act(&app, "resume").await.expect(200);
        assert_eq!(resumed["next"][0], "2027-11-01T01:30:00.000Z", "{at}");
        app.drain().await;
    }
    tick_at(&app, "2027-11-01T01:30:00Z").await;
    assert_eq!(count(&app).await, 2);
    app.drain().await;
}

/// Ticks every ten minutes; answers when each field's runs were queued.
async fn ticks_through(app: &TestApp, case: &str, from: &str, to: &str) -> BTreeMap<String, Vec<String>> {
    let at = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap();
    let mut now = at(from);
    while now < at(to) {
        now += secs(600);
        tick_at(app, &now.to_rfc3339()).await;
        app.drain().await;
    }
    let mut found = BTreeMap::<String, Vec<String>>::new();
    let query = format!("/v1/runs?case={case}&since={}&limit=200", from.replace('+', "%2B"));
    let list = app.get(&query).await.expect(200);
    assert_eq!(list["next_cursor"], json!(null));
    for run in list["items"].as_array().unwrap().iter().rev() {
        let (field, at) = (run["field"].as_str().unwrap(), run["created_at"].as_str().unwrap());
        if at != from.replace('Z', ".000Z") {
            found.entry(field.to_owned()).or_default().push(at.to_owned());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_missed_while_down_run_once_at_the_start() {
    let mut app = on_schedule(every_quarter()).await;
    app.create(json!({})).await;
    app.set_clock("2026-11-24T12:34:56Z");
    app.restart().await;
    app.tick().await;
    app.tick().await;
    assert_eq!(count(&app).await, 1);
    let now = schedule(&app).await;
    assert_eq!((&now["last_tick_at"], &now["last_runs"]), (&json!("2026-11-24T12:34:56.000Z"), &json!(1)));
    assert_eq!(now["next"][0], "2026-11-24T12:45:00.000Z");
    app.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_are_fresh_enough_are_left_alone() {
    let app = on_schedule(json!({"cron": "0 * * * *", "timezone": "UTC", "older_than": 5400})).await;
    let (early, late, never) =
        (app.create(json!({})).await, app.create(json!({})).await, app.create(json!({})).await);
    let refresh = async |case: &str| {
        app.post(&format!("/v1/cases/{case}/fields/check/refresh"), &json!({})).await.expect(202);
        app.drain().await;
    };
    app.set_clock("2026-11-21T09:30:00Z");
    refresh(&early).await;
    app.set_clock("2026-11-21T09:30:01Z");
    refresh(&late).await;
    tick_at(&app, "2026-11-21T10:00:00Z").await;
    assert_eq!(fired(&app).await, BTreeMap::from([(never.clone(), 1)]), "90 minutes are not over");
    app.drain().await;
    tick_at(&app, "2026-11-21T11:00:00Z").await;
    assert_eq!(fired(&app).await, BTreeMap::from([(never.clone(), 1), (early.clone(), 1)]));
    app.drain().await;

    // A failed attempt makes nothing fresh: what counts is when the data was fetched.
    app.upstream.otherwise(status(404));
    app.set_clock("2026-11-21T11:59:00Z");
    refresh(&late).await;
    assert_eq!(app.case(&late).await["fields"]["check"]["status"], "failed");
    tick_at(&app, "2026-11-21T12:00:00Z").await;
    assert_eq!(fired(&app).await[&late], 1);
    app.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_missed_tick_judges_ages_by_the_present() {
    let app = on_schedule(json!({"cron": "0 6 * * *", "timezone": "UTC", "older_than": 86400})).await;
    let case = app.create(json!({})).await;
    app.post(&format!("/v1/cases/{case}/fields/check/refresh"), &json!({})).await.expect(202);
    app.drain().await;
    // Due on the 22nd, when the data was 21 hours old; looked at on the 25th.
    tick_at(&app, "2026-11-25T09:00:00Z").await;
    assert_eq!(count(&app).await, 1);
    app.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_cases_are_left_alone_unless_asked_for() {
    let app = on_schedule(every_quarter()).await;
    let open = app.create(json!({})).await;
    let closed = app.create(json!({})).await;
    app.patch(&format!("/v1/cases/{closed}"), &json!({"status": "closed"})).await.expect(200);
    tick_at(&app, "2026-11-21T09:15:00Z").await;
    app.drain().await;
    assert_eq!(fired(&app).await, BTreeMap::from([(open.clone(), 1)]));

    let mut all = every_quarter();
    all["include_closed"] = json!(true);
    app.define(json!([field(&app, &all)])).await;
    tick_at(&app, "2026-11-21T09:30:00Z").await;
    app.drain().await;
    assert_eq!(fired(&app).await, BTreeMap::from([(open, 2), (closed, 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_switched_off_ticks_without_runs() {
    let app = on_schedule(every_quarter()).await;
    app.create(json!({})).await;
    let id = schedule(&app).await["id"].clone();
    let mut off = field(&app, &every_quarter());
    off["enabled"] = json!(false);
    app.define(json!([off])).await;
    tick_at(&app, "2026-11-21T09:15:00Z").await;
    let kept = schedule(&app).await;
    assert_eq!(kept["id"], id);
    assert_eq!((&kept["last_tick_at"], &kept["last_runs"]), (&json!("2026-11-21T09:15:00.000Z"), &json!(0)));
    let refused = act(&app, "run").await;
    assert_eq!((refused.status, refused.code()), (409, "field_disabled"));
    assert_eq!(count(&app).await, 0);

    app.define(json!([field(&app, &every_quarter())])).await;
    tick_at(&app, "2026-11-21T09:30:00Z").await;
    assert_eq!(count(&app).await, 1);
    app.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_schedule_makes_up_for_nothing() {
    let app = on_schedule(every_quarter()).await;
    app.create(json!({})).await;
    for _ in 0..2 {
        let paused = act(&app, "pause").await.expect(200);
        assert_eq!((&paused["paused"], &paused["next"]), (&json!(true), &json!([])));
    }
    tick_at(&app, "2026-11-21T12:20:00Z").await;
    assert_eq!(count(&app).await, 0);

    // Run by hand it does run, and stays paused.
    let ran = act(&app, "run").await.expect(202);
    assert_eq!((&ran["paused"], &ran["next"], &ran["last_runs"]), (&json!(true), &json!([]), &json!(1)));
    assert_eq!(ran["last_tick_at"], "2026-11-21T12:20:00.000Z");
    app.drain().await;

    for _ in 0..2 {
        let resumed = act(&app, "resume").await.expect(200);
        assert_eq!(
            (&resumed["paused"], &resumed["next"][0]),
            (&json!(false), &json!("2026-11-21T12:30:00.000Z"))
        );
    }
    app.tick().await;
    assert_eq!(count(&app).await, 1);
    tick_at(&app, "2026-11-21T12:30:00Z").await;
    assert_eq!(count(&app).await, 2);
    app.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_by_hand_leaves_the_times_as_they_are() {
    let app = on_schedule(every_quarter()).await;
    let case = app.create(json!({})).await;
    let before = schedule(&app).await["next"].clone();
    let ran = act(&app, "run").await.expect(202);
    assert_eq!((&ran["next"], &ran["last_runs"]), (&before, &json!(1)));
    app.drain().await;
    tick_at(&app, "2026-11-21T09:15:00Z").await;
    assert_eq!(fired(&app).await, BTreeMap::from([(case, 2)]));
    app.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tick_at_a_time_and_a_pause_ends_it() {
    let app = on_schedule(every_quarter()).await;
    create_many(&app, 450, any_case).await;
    let ran = act(&app, "run").await.expect(202);
    assert_eq!(ran["last_runs"], PAGE, "the first page");
    let refused = act(&app, "run").await;
    assert_eq!((refused.status, refused.code()), (409, "in_progress"));

    // What comes due meanwhile waits for the end, then runs once.
    app.set_clock("2026-11-21T09:47:00Z");
    assert_eq!(app.services().schedules.begin_due().await.unwrap(), 0);
    app.tick().await;
    assert_eq!(schedule(&app).await["last_tick_at"], "2026-11-21T09:47:00.000Z");
    app.drain().await;
    assert!(fired(&app).await.values().all(|runs| (1..=2).contains(runs)));
    let made = count(&app).await;
    app.tick().await;
    assert_eq!(count(&app).await, made);

    act(&app, "run").await.expect(202);
    act(&app, "pause").await.expect(200);
    let made = count(&app).await;
    app.tick().await;
    assert_eq!(count(&app).await, made);
    act(&app, "run").await.expect(202);
    app.tick().await;
    app.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_fire_each_case_once() {
    let app = on_schedule(every_quarter()).await;
    let cases = create_many(&app, 1000, any_case).await;
    let other = app.another_process().await;
    app.set_clock("2026-11-21T09:15:00Z");
    let third = app.another_process().await;
    let (a, b) = tokio::join!(other.cron.tick(), third.cron.tick());
    app.tick().await;
    a.unwrap();
    b.unwrap();
    other.stop(secs(0)).await;
    third.stop(secs(0)).await;
    let fired = fired(&app).await;
    assert_eq!(fired.len(), cases.len());
    assert!(fired.values().all(|runs| *runs == 1));
    assert_eq!(schedule(&app).await["last_runs"], 1000);
    app.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_that_was_cut_short_is_gone_on_with() {
    let mut app = on_schedule(every_quarter()).await;
    let cases = create_many(&app, 500, any_case).await;
    app.set_clock("2026-11-21T09:15:00Z");
    let half = app.services().schedules.clone();
    assert_eq!(half.begin_due().await.unwrap(), 1);
    assert_eq!(half.begin_due().await.unwrap(), 0);
    let under_way = half.under_way().await.unwrap();
    assert_eq!(half.go_on(under_way[0]).await.unwrap(), Progress::More);
    drop(half);
    app.drain().await;
    assert_eq!(count(&app).await, PAGE);
    app.set_clock("2026-11-21T09:16:00Z");
    // Made after the tick began: not part of it.
    app.create(json!({})).await;
    app.restart().await;
    app.tick().await;
    app.drain().await;
    let fired = fired(&app).await;
    assert_eq!(fired.keys().collect::<HashSet<_>>(), cases.iter().collect::<HashSet<_>>());
    assert!(fired.values().all(|runs| *runs == 1));
    let schedule = schedule(&app).await;
    assert_eq!(
        (&schedule["last_runs"], &schedule["last_tick_at"]),
        (&json!(500), &json!("2026-11-21T09:15:00.000Z"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_follows_its_field() {
    let app = on_schedule(every_quarter()).await;
    app.create(json!({})).await;
    tick_at(&app, "2026-11-21T09:15:00Z").await;
    app.drain().await;
    let first = schedule(&app).await;

    // Something else changes: the same schedule, and what is due now stays due.
    app.set_clock("2026-11-21T09:31:00Z");
    let mut renamed = field(&app, &every_quarter());
    renamed["name"] = json!("Check");
    app.define(json!([renamed])).await;
    app.tick().await;
    assert_eq!(count(&app).await, 2);
    app.drain().await;

    // The line changes: counted anew from now.
    app.set_clock("2026-11-21T09:46:00Z");
    app.define(json!([field(&app, &json!({"cron": "0 6 * * *", "timezone": "Europe/Berlin"}))])).await;
    app.tick().await;
    assert_eq!(count(&app).await, 2);
    let changed = schedule(&app).await;
    assert_eq!((&changed["id"], &changed["last_runs"]), (&first["id"], &json!(1)));
    assert_eq!((&changed["cron"], &changed["timezone"]), (&json!("0 6 * * *"), &json!("Europe/Berlin")));
    assert_eq!(changed["next"][0], "2026-11-22T05:00:00.000Z");

    // A change of a paused one does not wake it.
    act(&app, "pause").await.expect(200);
    app.define(json!([field(&app, &every_quarter())])).await;
    let paused = schedule(&app).await;
    assert_eq!((&paused["paused"], &paused["cron"]), (&json!(true), &json!("*/15 * * * *")));
    tick_at(&app, "2026-11-21T10:31:00Z").await;
    assert_eq!(count(&app).await, 2);

    // Another key is another field, and no field has no schedule.
    let mut other = field(&app, &every_quarter());
    other["key"] = json!("other");
    app.define(json!([other])).await;
    let other = schedule(&app).await;
    assert_ne!(other["id"], first["id"]);
    assert_eq!((&other["field"], &other["paused"]), (&json!("other"), &json!(false)));
    app.define(json!([app.field("/check", json!({"trigger": "manual"}), json!({}))])).await;
    assert!(schedules(&app).await.is_empty());
    tick_at(&app, "2026-11-22T10:31:00Z").await;
    assert_eq!(count(&app).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_removed_in_the_middle_of_a_tick_ends_it() {
    let app = on_schedule(every_quarter()).await;
    create_many(&app, 250, any_case).await;
    act(&app, "run").await.expect(202);
    app.define(json!([])).await;
    app.tick().await;
    assert_eq!(count(&app).await, PAGE);
    app.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_type_takes_its_schedules_along() {
    let app = on_schedule(every_quarter()).await;
    app.delete("/v1/case-types/test").await.expect(204);
    assert!(schedules(&app).await.is_empty());
    tick_at(&app, "2026-11-21T09:15:00Z").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_firing_joins_a_run_that_has_not_begun() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1})).held());
    app.define(json!([field(&app, &every_quarter())])).await;
    let case = app.create(json!({})).await;
    let refresh = format!("/v1/cases/{case}/fields/check/refresh");
    app.post(&refresh, &json!({})).await.expect(202);
    app.upstream.wait_for_calls(1).await;
    app.move_clock(secs(1));
    let behind = app.post(&refresh, &json!({})).await.expect(202);
    tick_at(&app, "2026-11-21T09:15:00Z").await;
    let runs = app.runs(&case).await;
    assert_eq!(runs.len(), 2);
    assert_eq!((&runs[0]["id"], &runs[0]["priority"]), (&behind["id"], &json!("manual")));
    assert_eq!(
        runs[0]["joined"],
        json!([{"trigger": "scheduled", "at": "2026-11-21T09:15:00.000Z", "by": "schedule"}])
    );
    assert_eq!(schedule(&app).await["last_runs"], 0);
    app.upstream.release();
    app.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_cases_at_one_tick_are_fired_once_each() {
    let app = on_schedule(every_quarter()).await;
    let body = |n| {
        let closed = (300..1500).contains(&n);
        json!({"case_type": "test", "status": if closed { "closed" } else { "draft" }})
    };
    let cases = create_many(&app, 2000, body).await;
    tick_at(&app, "2026-11-21T09:15:00Z").await;
    let fired = fired(&app).await;
    assert!(fired.values().all(|runs| *runs == 1));
    let open: HashSet<_> =
        cases.iter().enumerate().filter(|(n, _)| !(300..1500).contains(n)).map(|(_, id)| id).collect();
    assert_eq!(fired.keys().collect::<HashSet<_>>(), open);
    assert_eq!(schedule(&app).await["last_runs"], 800);
    app.drain().await;
    assert_eq!(app.upstream.calls().len(), 800);
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_are_listed_filtered_and_guarded() {
    let app = TestApp::spawn().await;
    let named = |key: &str| {
        let mut field = field(&app, &every_quarter());
        field["key"] = json!(key);
        field["api_config"]["response_mapping"] = json!({key: "$.value"});
        field
    };
    app.define(json!([named("a"), named("b")])).await;
    app.put("/v1/case-types/other", &json!({"fields": [named("b")]})).await.expect(201);
    let fields = async |query: &str| {
        let list = app.get(&format!("/v1/schedules{query}")).await.expect(200);
        let items = list["items"].as_array().unwrap().clone();
        (items, list)
    };
    assert_eq!(fields("").await.0.len(), 3);
    assert_eq!(fields("?case_type=test").await.0.len(), 2);
    assert_eq!(fields("?field=b").await.0.len(), 2);
    assert_eq!(fields("?field=b&case_type=other&count=true").await.1["total"], 1);
    let (first, page) = fields("?limit=2").await;
    let rest = fields(&format!("?limit=2&cursor={}", page["next_cursor"].as_str().unwrap())).await.0;
    assert_eq!((first.len(), rest.len()), (2, 1));
    assert_eq!(app.get("/v1/schedules?name=b").await.code(), "malformed_request");

    let mut tokens = BTreeMap::new();
    for role in ["viewer", "operator", "builder"] {
        let made = app.post("/v1/tokens", &json!({"name": role, "role": role})).await.expect(201);
        tokens.insert(role, made["token"].as_str().unwrap().to_owned());
    }
    let id = first[0]["id"].as_str().unwrap();
    for (action, role, expected) in [
        ("run", "viewer", 403),
        ("run", "operator", 202),
        ("pause", "operator", 403),
        ("pause", "builder", 200),
        ("resume", "operator", 403),
        ("resume", "builder", 200),
    ] {
        let url = app.url(&format!("/v1/schedules/{id}/{action}"));
        let answer = client().post(url).bearer_auth(&tokens[role]).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{action} {role}");
        let missing = "/v1/schedules/00000000-0000-7000-8000-000000000000";
        assert_eq!(app.send(app.request("POST", &format!("{missing}/{action}"))).await.status, 404);
    }
    let answer = client().get(app.url("/v1/schedules")).bearer_auth(&tokens["viewer"]).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    app.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_is_sent_twice_is_done_once() {
    let app = on_schedule(every_quarter()).await;
    app.create(json!({})).await;
    let id = schedule(&app).await["id"].as_str().unwrap().to_owned();
    assert_eq!(app.get(&format!("/v1/schedules/{id}")).await.expect(200)["id"], id.as_str());
    for (action, status) in [("run", 202), ("pause", 200), ("resume", 200)] {
        for replayed in [None, Some("true")] {
            let request = app.request("POST", &format!("/v1/schedules/{id}/{action}"));
            let answer = app.send(request.header("Idempotency-Key", format!("{action}-1"))).await;
            assert_eq!(answer.status, status, "{action}: {}", answer.body);
            assert_eq!(answer.header("idempotent-replayed"), replayed, "{action}");
            assert_eq!(answer.body["id"], id.as_str());
            app.drain().await;
        }
    }
    assert_eq!(count(&app).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_ticks_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    upstream.otherwise(ok(json!({"value": 1})));
    let http = client();
    let process = Process::serve(folder.path(), &upstream.authority()).await;
    let case_type = json!({"fields": [{
        "key": "check", "type": "api_call", "trigger": "scheduled",
        "schedule": {"cron": "0 6 1 1 *", "timezone": "Europe/Berlin"},
        "api_config": {"url": upstream.url("/check"), "response_mapping": {"value": "$.value"}},
    }]});
    let (status, saved) = process.call(&http, "PUT", "/v1/case-types/test", Some(&case_type)).await;
    assert_eq!(status, 201, "{saved}");
    for _ in 0..=PAGE {
        process.call(&http, "POST", "/v1/cases", Some(&json!({"case_type": "test"}))).await;
    }
    let (_, list) = process.call(&http, "GET", "/v1/schedules", None).await;
    let id = list["items"][0]["id"].as_str().unwrap();
    let (status, ran) = process.call(&http, "POST", &format!("/v1/schedules/{id}/run"), None).await;
    assert_eq!((status, &ran["last_runs"]), (202, &json!(PAGE)), "{ran}");
    // The last one is fired by the clock alone.
    upstream.wait_for_calls(PAGE + 1).await;
}

/// Takes minutes: `DOSSIER_LONG=1 cargo nextest run --release hundred_thousand`. What it costs
/// those who create cases meanwhile is measured by `benches/tick.rs`.
#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says whether they may take long")]
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_cases_at_one_tick_are_fired_once_each() {
    if std::env::var("DOSSIER_LONG").as_deref() != Ok("1") {
        return;
    }
    let app = TestApp::spawn().await;
    let mut never = field(&app, &every_quarter());
    never["when"] = json!("1 == 2");
    app.define(json!([never])).await;
    let cases = create_many(&app, 100_000, any_case).await;
    let before = resident();
    tick_at(&app, "2026-11-21T09:15:00Z").await;
    let grown = resident().saturating_sub(before);
    assert_eq!(schedule(&app).await["last_runs"], 100_000);
    app.drain().await;
    let fired = fired(&app).await;
    assert_eq!(fired.len(), cases.len());
    assert!(fired.values().all(|runs| *runs == 1));
    assert!(grown < 256, "the tick took {grown} MiB");
}

/// Resident memory of this process, in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
