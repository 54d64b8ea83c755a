//! The real binary fills a case in from the real httpbin: what it maps, and the error that it
//! leaves on the field where there is nothing to map.

use serde_json::{Value, json};

use crate::httpbin::Httpbin;
use crate::process::{Process, TOKEN};
use crate::upstream::client;

/// Longer than any redaction would leave alone, and echoed by `/bearer`.
const BEARER: &str = "httpbin-bearer-0f3a9c";

/// A field, what it asks, how it ends, and what the case then holds at a pointer.
struct Row {
    key: &'static str,
    path: &'static str,
    field: Value,
    config: Value,
    /// Status, or error code and status of the answer.
    ends: &'static str,
    data: Vec<(&'static str, Value)>,
}

fn row(key: &'static str, path: &'static str, config: Value) -> Row {
    Row { key, path, field: json!({}), config, ends: "succeeded", data: Vec::new() }
}

impl Row {
    fn gives(mut self, pointer: &'static str, value: impl Into<Value>) -> Self {
        self.data.push((pointer, value.into()));
        self
    }

    /// How it ends when it does not succeed; such a field has one attempt.
    fn ends(self, ends: &'static str) -> Self {
        Self { ends, ..self }.with(&json!({"retry": 0}))
    }

    fn with(mut self, members: &Value) -> Self {
        merge(&mut self.field, members);
        self
    }

    fn definition(&self, httpbin: &Httpbin) -> Value {
        let mut field = json!({"key": self.key, "type": "api_call", "retry": 1, "timeout": 60_000});
        merge(&mut field, &self.field);
        let mut config = json!({"url": httpbin.url(self.path)});
        merge(&mut config, &self.config);
        field["api_config"] = config;
        field
    }
}

fn merge(target: &mut Value, members: &Value) {
    for (name, value) in members.as_object().unwrap() {
        target[name] = value.clone();
    }
}

/// A mapping without anything else.
fn maps(mapping: &Value) -> Value {
    json!({ "response_mapping": mapping })
}

fn answers() -> Vec<Row> {
    vec![
        row("json", "/json", maps(&json!({"json.title": "$.slideshow.title", "json.titles": "$.slideshow.slides[*].title"})))
            .gives("/json/title", "Sample Slide Show")
            .gives("/json/titles", json!(["Wake up to WonderWidgets!", "Overview"])),
        row("get", "/get", json!({
            "params": {"name": "{data.name}", "tag": "{data.tags}", "none": "{{ data.absent | default(none) }}"},
            "response_mapping": {"get.args": "$.args"},
        }))
        .gives("/get/args", json!({"name": "Ada & Söhne?", "tag": ["a", "b=c"]})),
        row("post", "/post", json!({
            "method": "POST",
            "body": {"name": "{data.name}", "tags": "{data.tags}", "amount": "{data.amount}", "text": "is {data.amount}"},
            "response_mapping": {
                "post.json": "$.json",
                "post.type": "$.headers['Content-Type']",
                "post.key": "$.headers['Idempotency-Key']",
            },
        }))
        .gives("/post/json", json!({"name": "Ada & Söhne?", "tags": ["a", "b=c"], "amount": 12.5, "text": "is 12.5"}))
        .gives("/post/type", "application/json"),
        row("form", "/post", json!({
            "method": "POST", "body_type": "form",
            "body": {"name": "{data.name}", "tags": "{data.tags}", "address": {"city": "Gent"}},
            "response_mapping": {"form.form": "$.form", "form.type": "$.headers['Content-Type']"},
        }))
        .gives("/form/form", json!({"name": "Ada & Söhne?", "tags[]": ["a", "b=c"], "address[city]": "Gent"}))
        .gives("/form/type", "application/x-www-form-urlencoded"),
        row("basic", "/basic-auth/u/{params.right}", json!({
            "auth": {"type": "basic", "username": "u", "password": "{secret.password}"},
            "response_mapping": {"basic": "$.user"},
        }))
        .gives("/basic", "u"),
        row("bearer", "/bearer", json!({
            "auth": {"type": "bearer", "token": "{secret.token}"},
            "response_mapping": {"bearer.in": {"path": "$.authenticated", "type": "boolean", "required": true}, "bearer.token": "$.token"},
        }))
        .gives("/bearer/in", true)
        .gives("/bearer/token", "[secret token]"),
        row("headers", "/headers", json!({
            "headers": {"X-Case": "{case.reference}"},
            "response_mapping": {"headers": "$.headers['X-Case']"},
        }))
        .gives("/headers", "REAL-1"),
        row("delay", "/delay/1", maps(&json!({"delay": {"from": "status"}}))).gives("/delay", 200),
        row("moved", "/redirect/3", maps(&json!({"moved": {"from": "status"}}))).gives("/moved", 200),
        row("gzip", "/gzip", maps(&json!({"gzip": "$.gzipped"}))).gives("/gzip", true),
        row("brotli", "/brotli", maps(&json!({"brotli": "$.brotli"}))).gives("/brotli", true),
        row("html", "/html", maps(&json!({"html": {"path": "$", "transform": "'Herman Melville' in value"}})))
            .gives("/html", true),
    ]
}

/// A field with nothing to map, and a target of its own all the same.
fn nothing(key: &'static str, path: &'static str) -> Row {
    row(key, path, maps(&json!({ format!("never.{key}"): "$.a" })))
}

fn troubles() -> Vec<Row> {
    vec![
        nothing("round_and_round", "/redirect/4").ends("redirect_refused 302"),
        nothing("down", "/status/503").ends("http_status 503"),
        nothing("missing", "/status/404").ends("http_status 404"),
        nothing("slow", "/delay/10").with(&json!({"timeout": 1000})).ends("timeout"),
        row("below_text", "/html", maps(&json!({"never.title": "$.title"}))).ends("invalid_response 200"),
        nothing("elsewhere", "/redirect-to?url=http%3A%2F%2Felsewhere.example%2F")
            .ends("redirect_refused 302"),
        nothing("no_token", "/bearer").ends("http_status 401"),
        row(
            "wrong_password",
            "/basic-auth/u/other",
            json!({
                "auth": {"type": "basic", "username": "u", "password": "{secret.password}"},
                "response_mapping": {"never.user": "$.user"},
            }),
        )
        .ends("http_status 401"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_fills_itself_in_from_httpbin() {
    let (folder, httpbin) = (tempfile::tempdir().unwrap(), Httpbin::start().await);
    let process = Process::serve(folder.path(), &httpbin.authority()).await;
    let rows: Vec<Row> = answers().into_iter().chain(troubles()).collect();
    set_up(&process, &httpbin, &rows).await;

    let case = create_and_wait(&process).await;
    assert_eq!(case["settled"], true, "{case}");
    for Row { key, ends, data, .. } in &rows {
        let state = &case["fields"][key];
        assert_eq!(end_of(state), *ends, "{key}: {state}");
        for (pointer, value) in data {
            assert_eq!(case["data"].pointer(pointer), Some(value), "{key}: {}", case["data"]);
        }
    }
    assert_eq!(case["data"]["never"], Value::Null, "a failed field writes nothing");
    assert!(!case.to_string().contains(BEARER));
    history_tells_what_happened(&process, &case).await;
}

/// Secrets that may go to httpbin, and the case type.
async fn set_up(process: &Process, httpbin: &Httpbin, rows: &[Row]) {
    let http = client();
    for (name, value) in [("token", BEARER), ("password", "p4ssw0rd")] {
        let body = json!({"value": value, "hosts": [httpbin.authority()]});
        let (status, answer) = process.call(&http, "PUT", &format!("/v1/secrets/{name}"), Some(&body)).await;
        assert_eq!(status, 201, "{answer}");
    }
    let fields: Vec<Value> = rows.iter().map(|row| row.definition(httpbin)).collect();
    let body = json!({"key": "real", "params": {"right": "p4ssw0rd"}, "fields": fields});
    let (status, answer) = process.call(&http, "PUT", "/v1/case-types/real", Some(&body)).await;
    assert_eq!(status, 201, "{answer}");
}

async fn create_and_wait(process: &Process) -> Value {
    let data = json!({"name": "Ada & Söhne?", "tags": ["a", "b=c"], "amount": 12.5});
    let body = json!({"case_type": "real", "reference": "REAL-1", "data": data});
    let request = client().post(format!("{}/v1/cases", process.base)).bearer_auth(TOKEN).json(&body);
    let answer = request.header("Prefer", "wait=30").send().await.unwrap();
    assert_eq!(answer.status(), 201);
    answer.json().await.unwrap()
}

fn end_of(state: &Value) -> String {
    let error = &state["error"];
    match (error["code"].as_str(), error["http_status"].as_u64()) {
        (None, _) => state["status"].as_str().unwrap_or_default().to_owned(),
        (Some(code), None) => code.to_owned(),
        (Some(code), Some(status)) => format!("{code} {status}"),
    }
}

async fn history_tells_what_happened(process: &Process, case: &Value) {
    let run = async |field: &str| {
        let id = case["fields"][field]["run_id"].as_str().unwrap();
        let (status, run) = process.call(&client(), "GET", &format!("/v1/runs/{id}"), None).await;
        assert_eq!(status, 200, "{run}");
        run
    };
    let posted = run("post").await;
    assert_eq!(posted["idempotency_key"], case["data"]["post"]["key"], "{posted}");

    let squeezed = run("brotli").await;
    let body = squeezed["attempts"][0]["response"]["body"].as_str().unwrap();
    assert!(body.contains("\"brotli\": true"), "{squeezed}");

    let signed = run("bearer").await;
    assert!(!signed.to_string().contains(BEARER), "{signed}");
    assert_eq!(signed["attempts"][0]["request"]["headers"]["authorization"], "Bearer [secret token]");

    let sent_away = run("elsewhere").await;
    assert!(
        sent_away["error"]["detail"].as_str().unwrap().contains("http://elsewhere.example/"),
        "{sent_away}"
    );

    let late = run("slow").await;
    assert_eq!(late["attempts"].as_array().unwrap().len(), 1, "{late}");
    assert_eq!(late["attempts"][0]["outcome"], "unknown");
    assert_eq!(late["attempts"][0]["response"], Value::Null);
}
