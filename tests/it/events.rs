//! What happens to cases is told as it happens, in order and once, and stays as their activity.

use serde_json::{Value, json};

use crate::app::{TOKEN, TestApp, secs};
use crate::database::cluster;
use crate::upstream::{ok, status};

/// An open stream of server-sent events.
struct Stream {
    response: reqwest::Response,
    text: String,
}

/// One of them.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    id: String,
    kind: String,
    data: Value,
}

impl Stream {
    async fn open(app: &TestApp, path: &str, after: Option<&str>) -> Self {
        Self::open_with(app, path, after, TOKEN).await
    }

    async fn open_with(app: &TestApp, path: &str, after: Option<&str>, token: &str) -> Self {
        let mut request = crate::upstream::client().get(app.url(path)).bearer_auth(token);
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let response = request.header("accept", "text/event-stream").send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        let kind = response.headers()["content-type"].to_str().unwrap();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { response, text: String::new() }
    }

    /// The next block of lines; none: the stream is over.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let chunk = self.response.chunk().await.ok().flatten()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn next(&mut self) -> Told {
        loop {
            let block = self.block().await.expect("the stream goes on");
            let member = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned)
            };
            if let (Some(id), Some(kind), Some(data)) = (member("id"), member("event"), member("data")) {
                return Told { id, kind, data: serde_json::from_str(&data).unwrap() };
            }
        }
    }

    /// Until it shows that it lives.
    async fn beat(&mut self) {
        while self.block().await.expect("the stream goes on") != ":" {}
    }

    /// The next one of this kind.
    async fn next_of(&mut self, kind: &str) -> Told {
        loop {
            let told = self.next().await;
            if told.kind == kind {
                return told;
            }
        }
    }
}

async fn activity(app: &TestApp, case: &str, query: &str) -> Value {
    let request = app.request("GET", &format!("/v1/cases/{case}/events?{query}"));
    app.send(request.header("accept", "application/json")).await.expect(200)
}

fn kinds(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_a_case_tells_what_happens_to_it_and_to_no_other() {
    let app = TestApp::spawn().await;
    app.define_one("/v", json!({}), json!({})).await;
    app.upstream.on("*", "/v", ok(json!({"value": 7})).held());
    let id = app.create(json!({})).await;
    app.upstream.wait_for_calls(1).await;
    let mut stream = Stream::open(&app, &format!("/v1/cases/{id}/events"), None).await;
    let running = stream.next().await;
    assert_eq!((&*running.kind, &running.data["field"]), ("field.changed", &json!("check")));
    assert!(running.id.contains(".running"), "{}", running.id);

    app.create(json!({})).await;
    app.upstream.release();
    let ended = stream.next_of("run.ended").await;
    let run = &app.case(&id).await["fields"]["check"]["run_id"];
    let at = ended.data["at"].clone();
    let expected = json!({
        "case_id": id, "at": at, "by": null, "field": "check", "run_id": run, "paths": ["data.value"],
    });
    assert_eq!(ended.data, expected);

    app.patch(&format!("/v1/cases/{id}"), &json!({"title": "New", "data": {"note": 1}})).await.expect(200);
    let changed = stream.next().await;
    assert_eq!(changed.kind, "case.changed");
    assert!(changed.data["by"].as_str().unwrap().starts_with("token:"), "{changed:?}");
    assert_eq!(changed.data["paths"], json!(["data.note", "title"]));
    assert_eq!(app.services().live.count(), 1);
    // Any id can be written into a URL as it is.
    let again = format!("/v1/cases/{id}/events?after={}", running.id);
    assert_eq!(Stream::open(&app, &again, None).await.next_of("run.ended").await, ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_goes_on_behind_the_last_event() {
    let app = TestApp::spawn().await;
    app.define_one("/v", json!({}), json!({})).await;
    app.upstream.on("*", "/v", ok(json!({"value": 7})));
    let mut stream = Stream::open(&app, "/v1/events", None).await;
    let first = app.create(json!({})).await;
    let created = stream.next_of("case.created").await;
    assert_eq!(created.data["case_id"], *first);
    assert!(created.data["by"].as_str().unwrap().starts_with("token:"), "{created:?}");
    let ended = stream.next_of("run.ended").await;
    drop(stream);

    let second = app.filled(json!({})).await;
    app.patch(&format!("/v1/cases/{first}"), &json!({"title": "A"})).await.expect(200);
    let expected = |case: &Value, told: &Told| assert_eq!(told.data["case_id"], *case, "{told:?}");
    for _ in 0..2 {
        let mut stream = Stream::open(&app, "/v1/events", Some(&ended.id)).await;
        expected(&second["id"], &stream.next_of("case.created").await);
        let told = stream.next_of("run.ended").await;
        expected(&second["id"], &told);
        expected(&json!(first), &stream.next().await);
        // Live, behind what was missed.
        let third = app.create(json!({})).await;
        expected(&json!(third), &stream.next_of("case.created").await);
        app.drain().await;
        app.delete(&format!("/v1/cases/{third}")).await.expect(204);
    }
    // `after` says the same, and one case tells its own only.
    let mut stream =
        Stream::open(&app, &format!("/v1/cases/{first}/events?after={}", created.id), None).await;
    assert_eq!(stream.next().await, ended);
    assert_eq!(stream.next().await.kind, "case.changed");
    // One that lies ahead of all misses nothing that comes.
    let mut stream =
        Stream::open(&app, &format!("/v1/cases/{first}/events"), Some("99999999999999-999")).await;
    app.patch(&format!("/v1/cases/{first}"), &json!({"title": "B"})).await.expect(200);
    assert_eq!(stream.next().await.kind, "case.changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_its_retry_is_told() {
    let app = TestApp::spawn().await;
    app.define_one("/v", json!({}), json!({})).await;
    app.upstream.answers([status(503), ok(json!({"value": 1}))]).await;
    let case = app.filled(json!({})).await;
    let id = case["id"].as_str().unwrap();
    let mut stream = Stream::open(&app, &format!("/v1/cases/{id}/events"), None).await;
    assert!(stream.next().await.id.contains(".queued.retry."));
    app.advance(secs(60)).await;
    assert_eq!(stream.next_of("run.ended").await.data["paths"], json!(["data.value"]));
}

#[actix_web::test]
async fn what_happened_is_listed_newest_first_or_in_order() {
    let app = TestApp::spawn().await;
    app.define_one("/v", json!({"retry": 0}), json!({})).await;
    app.upstream.answers([ok(json!({"value": 7})), status(404)]).await;
    let case = app.filled(json!({})).await;
    let id = case["id"].as_str().unwrap();
    app.patch(&format!("/v1/cases/{id}"), &json!({"title": "New"})).await.expect(200);
    app.post(&format!("/v1/cases/{id}/fields/check/refresh"), &json!({})).await.expect(202);
    app.drain().await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    app.post("/v1/cases", &json!({"case_type": "test", "reference": "other"})).await.expect(201);
    app.drain().await;

    let order = ["case.created", "run.ended", "case.changed", "run.ended"];
    let list = activity(&app, id, "sort=at&count=true").await;
    assert_eq!((kinds(&list), &list["total"]), (order.to_vec(), &json!(4)));
    let items = list["items"].as_array().unwrap();
    let paths: Vec<_> = items.iter().map(|item| item["paths"].to_string()).collect();
    assert_eq!(paths, ["[]", "[\"data.value\"]", "[\"title\"]", "[]"]);
    assert_eq!(items[0]["by"], items[2]["by"]);
    let mut reversed = order;
    reversed.reverse();
    assert_eq!(kinds(&activity(&app, id, "").await), reversed);
    let first = activity(&app, id, "limit=3").await;
    let next = first["next_cursor"].as_str().unwrap();
    let second = activity(&app, id, &format!("limit=3&cursor={next}")).await;
    assert_eq!(
        (kinds(&first).len(), kinds(&second), &second["next_cursor"]),
        (3, vec!["case.created"], &Value::Null)
    );
    let wrong = app.request("GET", &format!("/v1/cases/{id}/events?sort=at&cursor={next}"));
    app.send(wrong.header("accept", "application/json")).await.expect(400);

    let all = app.request("GET", "/v1/events?sort=at").header("accept", "application/json");
    assert_eq!(kinds(&app.send(all).await.expect(200)).len(), 6);
    app.delete(&format!("/v1/cases/{id}")).await.expect(204);
    let all = app.request("GET", "/v1/events").header("accept", "application/json");
    assert_eq!(kinds(&app.send(all).await.expect(200)), ["run.ended", "case.created"]);
}

#[actix_web::test]
async fn a_stream_is_refused_like_any_other_call() {
    let app = TestApp::spawn().await;
    app.define(json!([])).await;
    let id = app.create(json!({})).await;
    app.get("/v1/cases/01900000-0000-7000-8000-000000000000/events").await.expect(404);
    app.get("/v1/cases/x/events").await.expect(404);
    app.get("/v1/events?limit=0").await.expect(400);
    app.get("/v1/events?after=x").await.expect(400);
    // What only the one of both takes, the other does not pass over in silence.
    for path in ["/v1/events", &format!("/v1/cases/{id}/events")] {
        for parameter in ["limit=5", "sort=at", "cursor=x", "count=false"] {
            let (name, _) = parameter.split_once('=').unwrap();
            let refused = app.get(&format!("{path}?after=0-0&{parameter}")).await;
            let detail = refused.body["detail"].as_str().unwrap_or_default();
            assert!(refused.status == 400 && detail.contains(name), "{parameter}: {}", refused.body);
        }
        let list =
            |query: &str| app.request("GET", &format!("{path}{query}")).header("accept", "application/json");
        for (request, name) in
            [(list("?after=0-1"), "after"), (list("").header("last-event-id", "0-1"), "Last-Event-ID")]
        {
            let refused = app.send(request).await;
            let detail = refused.body["detail"].as_str().unwrap_or_default();
            assert!(refused.status == 400 && detail.contains(name), "{name}: {}", refused.body);
        }
    }
    let wrong = app.request("GET", "/v1/events").header("last-event-id", "yesterday");
    assert_eq!(app.send(wrong).await.code(), "malformed_request");
    let stranger = crate::upstream::client().get(app.url("/v1/events")).send().await.unwrap();
    assert_eq!(stranger.status().as_u16(), 401);
    let head = app.request("HEAD", &format!("/v1/cases/{id}/events")).send().await.unwrap();
    assert_eq!(head.status().as_u16(), 200);
    assert_eq!(app.services().live.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_shows_that_it_lives_and_ends_with_its_token_its_case_or_the_process() {
    let mut app = TestApp::spawn().await;
    app.define(json!([])).await;
    let (kept, gone) = (app.create(json!({})).await, app.create(json!({})).await);
    let made = app.post("/v1/tokens", &json!({"name": "eye", "role": "viewer"})).await.expect(201);
    let of = |id: &str| format!("/v1/cases/{id}/events");
    let mut by_token = Stream::open_with(&app, &of(&kept), None, made["token"].as_str().unwrap()).await;
    let mut by_case = Stream::open(&app, &of(&gone), None).await;
    let mut stays = Stream::open(&app, &of(&kept), None).await;
    for stream in [&mut by_token, &mut by_case, &mut stays] {
        assert_eq!(stream.block().await.as_deref(), Some("retry: 2000"));
    }
    app.move_clock(secs(15));
    for stream in [&mut by_token, &mut by_case, &mut stays] {
        stream.beat().await;
    }
    app.delete(&format!("/v1/tokens/{}", made["id"].as_str().unwrap())).await.expect(204);
    // Nothing is told to who may not hear it any more, however little time has passed.
    app.patch(&format!("/v1/cases/{kept}"), &json!({"title": "not for all"})).await.expect(200);
    assert_eq!(stays.next_of("case.changed").await.kind, "case.changed");
    while let Some(block) = by_token.block().await {
        assert!(block.contains("case.created"), "{block}");
    }
    // A case that is gone is the last that its stream tells, and a list hears of it; no time passes.
    let mut list = Stream::open(&app, "/v1/events", None).await;
    app.patch(&format!("/v1/cases/{kept}"), &json!({"title": "for the list"})).await.expect(200);
    list.next_of("case.changed").await;
    app.delete(&format!("/v1/cases/{gone}")).await.expect(204);
    for stream in [&mut by_case, &mut list] {
        let told = stream.next_of("case.deleted").await;
        assert_eq!((&told.data["case_id"], &told.data["by"]), (&json!(gone), &Value::Null));
    }
    assert_eq!(by_case.block().await, None);
    app.move_clock(secs(15));
    stays.beat().await;
    app.restart().await;
    assert_eq!(stays.block().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restored_dump_tells_is_old_and_in_order() {
    if cluster().is_none() {
        return;
    }
    let app = TestApp::spawn().await;
    app.define_one("/v", json!({}), json!({})).await;
    app.upstream.otherwise(ok(json!({"value": 7})));
    let first = app.filled(json!({})).await["id"].clone();
    let second = app.filled(json!({})).await["id"].clone();
    // As if they had been written in a cluster that has counted much further.
    app.database.psql("UPDATE case_event SET tx = tx + 1000000000 + seq");

    let restored = app.beside(&[]).await;
    let mut stream = Stream::open(&restored, "/v1/events", Some("0-0")).await;
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(stream.next().await);
    }
    let kinds: Vec<_> = told.iter().map(|it| (it.kind.as_str(), &it.data["case_id"])).collect();
    let expected =
        [("case.created", &first), ("run.ended", &first), ("case.created", &second), ("run.ended", &second)];
    assert_eq!(kinds, expected);
    // What happens from now on comes behind them, once.
    let third = json!(restored.create(json!({})).await);
    let created = stream.next_of("case.created").await;
    assert_eq!(created.data["case_id"], third);
    let mut again = Stream::open(&restored, "/v1/events", Some(&told[3].id)).await;
    assert_eq!(again.next_of("case.created").await, created);
    // Another start changes nothing any more.
    let all =
        "SELECT string_agg(tx || '-' || seq, ' ' ORDER BY seq) FROM case_event WHERE kind = 'case.created'";
    let before = app.database.psql(all);
    let _next = app.beside(&[]).await;
    assert_eq!(app.database.psql(all), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_another_process_deletes_is_told_here() {
    if cluster().is_none() {
        return;
    }
    let here = TestApp::spawn().await;
    here.define(json!([])).await;
    let there = here.beside(&[]).await;
    let id = here.create(json!({})).await;
    let mut own = Stream::open(&here, &format!("/v1/cases/{id}/events"), None).await;
    let mut list = Stream::open(&here, "/v1/events", None).await;
    here.patch(&format!("/v1/cases/{id}"), &json!({"title": "Seen"})).await.expect(200);
    for stream in [&mut own, &mut list] {
        stream.next_of("case.changed").await;
    }
    there.delete(&format!("/v1/cases/{id}")).await.expect(204);
    for stream in [&mut own, &mut list] {
        assert_eq!(stream.next_of("case.deleted").await.data["case_id"], *id);
    }
    assert_eq!(own.block().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_foreign_transaction_holds_up_all_streams_is_logged_once() {
    const SAID: &str = "holds up all event streams";
    if cluster().is_none() {
        return;
    }
    let app = TestApp::spawn().await;
    app.define(json!([])).await;
    let mut stream = Stream::open(&app, "/v1/events", None).await;
    let held = app.database.hold("CREATE TEMP TABLE forgotten ()");
    let id = app.create(json!({})).await;
    while !app.log_lines().contains(SAID) {
        app.move_clock(secs(1));
        app.get("/health/live").await.expect(200);
    }
    drop(held);
    assert_eq!(stream.next_of("case.created").await.data["case_id"], *id);
    assert_eq!(app.log_lines().matches(SAID).count(), 1);
}
