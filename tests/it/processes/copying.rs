//! An installation outgrows its file: `dossier copy` brings everything into PostgreSQL.

use serde_json::{Value, json};

use crate::process::{Launch, Process};
use crate::upstream::{Upstream, client, ok, status};

/// A master key that is not that of the file.
const OTHER_KEY: &str = "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyb3Q=";

/// The pages that must read the same before and after.
const PAGES: [&str; 7] = [
    "/v1/cases?limit=200&include=provenance",
    "/v1/runs?limit=200",
    "/v1/case-types",
    "/v1/connections",
    "/v1/secrets",
    "/v1/schedules",
    "/v1/tokens",
];

/// Fills a file, copies it into the database at `url` and asks there for all of it.
pub async fn everything_comes_along(url: &str, master_key: &str) {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    upstream.otherwise_with(|call| match call.query("n") {
        Some("7") => status(404),
        _ => ok(json!({"value": "\u{1f600} 9007199254740993"})),
    });
    let file = Launch::serve(folder.path())
        .with("NETWORK__ALLOW", upstream.authority())
        .with("SECURITY__MASTER_KEY", master_key);
    let process = file.start().await;
    fill(&process, &upstream.url("")).await;
    let before = read(&process).await;
    let happened = events(&process).await;
    assert_eq!(happened.len(), 40, "each case was made and filled");
    let target = file.clone().with("DATABASE__URL", url);

    let words = ["copy", "--from", "sqlite://data/dossier.db"];
    let (well, said) = target.run(&words).await;
    assert!(!well && said.contains("a process works on data/dossier.db"), "{said}");
    assert!(process.terminate().await);
    let (well, said) = target.run(&["copy", "--from", "data/no.db"]).await;
    assert!(!well && said.contains("there is no file data/no.db"), "{said}");
    let other = target.clone().with("SECURITY__MASTER_KEY", OTHER_KEY);
    let (well, said) = other.run(&words).await;
    assert!(!well && said.contains("nothing was copied") && said.contains("master key"), "{said}");
    // So the target is as empty as before; that its schema was made beforehand is nothing to the copy.
    let (well, said) = target.run(&["migrate"]).await;
    assert!(well, "{said}");
    let (well, said) = target.run(&words).await;
    assert!(well && said.contains(": 20 cases, 20 runs, 1 secrets"), "{said}");
    let (well, said) = target.run(&words).await;
    assert!(!well && said.contains("already holds rows"), "{said}");

    let process = target.start().await;
    let after = read(&process).await;
    for ((page, before), (_, after)) in before.iter().zip(&after) {
        assert_eq!(before, after, "{page}");
    }
    // What happened is told as before, none of it twice, and in the same order.
    assert_eq!(events(&process).await, happened);
    let ids: Vec<_> = happened.iter().rev().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(told(&process, "0-0", ids.len()).await, ids);
    // It goes on there: the secret opens, the connection is called.
    let case = json!({"case_type": "grown", "data": {"n": 99}});
    let (code, case) = process.call(&client(), "POST", "/v1/cases", Some(&case)).await;
    assert_eq!(code, 201, "{case}");
    settled(&process, case["id"].as_str().unwrap()).await;
    assert_eq!(upstream.calls().last().unwrap().header("authorization"), Some("Bearer a-secret-of-ours"));
    let new = told(&process, ids[ids.len() - 1], 2).await;
    let listed: Vec<_> = events(&process).await.into_iter().take(2).rev().collect();
    assert_eq!(json!(new), json!(listed.iter().map(|event| &event["id"]).collect::<Vec<_>>()));
}

async fn fill(process: &Process, url: &str) {
    let http = client();
    let put = async |path: &str, body: Value| {
        let (code, answer) = process.call(&http, "PUT", path, Some(&body)).await;
        assert!(code < 300, "{path}: {answer}");
    };
    put("/v1/secrets/key", json!({"value": "a-secret-of-ours"})).await;
    let auth = json!({"type": "bearer", "token": "{secret.key}"});
    put(
        "/v1/connections/origin",
        json!({"base_url": url, "auth": auth, "rate_limit": {"limit": 1000, "period": 1}}),
    )
    .await;
    let field = json!({"key": "check", "type": "api_call", "trigger": ["on_create", "scheduled"],
        "schedule": {"cron": "0 6 * * 1", "timezone": "Europe/Brussels"}, "retry": 0,
        "api_config": {"connection": "origin", "url": "/check", "params": {"n": "{data.n}"},
            "response_mapping": {"value": "$.value"}, "output_variable": "answer"}});
    put("/v1/case-types/grown", json!({"key": "grown", "fields": [field]})).await;
    for n in 0..20 {
        let case = json!({"case_type": "grown", "reference": format!("C-{n}"), "data": {"n": n}});
        let (code, case) = process.call(&http, "POST", "/v1/cases", Some(&case)).await;
        assert_eq!(code, 201, "{case}");
        settled(process, case["id"].as_str().unwrap()).await;
    }
}

/// What happened, newest first.
async fn events(process: &Process) -> Vec<Value> {
    let request =
        client().get(format!("{}/v1/events?limit=200", process.base)).bearer_auth(crate::process::TOKEN);
    let answer: Value =
        request.header("accept", "application/json").send().await.unwrap().json().await.unwrap();
    answer["items"].as_array().unwrap().clone()
}

/// The ids of the events that a stream begins with behind one.
async fn told(process: &Process, after: &str, count: usize) -> Vec<String> {
    let request = client().get(format!("{}/v1/events", process.base)).bearer_auth(crate::process::TOKEN);
    let mut answer = request.header("last-event-id", after).send().await.unwrap();
    let mut text = String::new();
    loop {
        let ids: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
        if ids.len() >= count && text.ends_with("\n\n") {
            return ids.into_iter().take(count).map(str::to_owned).collect();
        }
        text.push_str(
            std::str::from_utf8(&answer.chunk().await.unwrap().expect("the stream goes on")).unwrap(),
        );
    }
}

async fn settled(process: &Process, id: &str) {
    let path = format!("/v1/cases/{id}");
    let request = client().get(format!("{}{path}", process.base)).bearer_auth(crate::process::TOKEN);
    let answer = request.header("Prefer", "wait=30").send().await.unwrap();
    let case: Value = answer.json().await.unwrap();
    assert_eq!(case["settled"], true, "{case}");
}

/// All pages, and each run and case in full.
async fn read(process: &Process) -> Vec<(String, Value)> {
    let http = client();
    let mut read = Vec::new();
    let mut paths: Vec<String> = PAGES.map(str::to_owned).to_vec();
    while let Some(path) = paths.pop() {
        let (code, mut body) = process.call(&http, "GET", &path, None).await;
        assert_eq!(code, 200, "{path}: {body}");
        // Reading the pages is a use of the token.
        for item in body["items"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            item.remove("last_used_at");
        }
        let single = path.split('?').next().unwrap();
        if ["/v1/cases", "/v1/runs"].contains(&single) {
            let ids = body["items"].as_array().unwrap().iter();
            paths.extend(ids.map(|item| format!("{single}/{}", item["id"].as_str().unwrap())));
        }
        read.push((path, body));
    }
    read.sort_by(|one, other| one.0.cmp(&other.0));
    read
}
