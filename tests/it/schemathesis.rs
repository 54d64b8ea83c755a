//! The running service against its own document: schemathesis makes up requests, right and wrong
//! ones, and looks at every answer. What is in the document is tried without a word here.
//!
//! The requests it makes up hold URLs, and nobody knows which. So the service only serves: it
//! claims no run and can call nobody, which is proved in the end.
//!
//! `SCHEMATHESIS_EXAMPLES` and `SCHEMATHESIS_SEED` say how much and what; `tests/long` sets them.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::httpbin::python;
use crate::process::{Launch, Process, TOKEN};
use crate::upstream::client;

/// What is looked at in every answer. That whatever fits the document is also accepted is not:
/// templates, references and the like are beyond what a schema can say.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance,response_headers_conformance,negative_data_rejection,\
    missing_required_header,unsupported_method,allow_header_conformance,use_after_free,\
    ensure_resource_availability,ignored_auth";

#[tokio::test(flavor = "multi_thread")]
async fn the_service_keeps_what_its_document_promises() {
    let folder = tempfile::tempdir().unwrap();
    let process = Launch::serve(folder.path()).with("WORKERS__CONCURRENCY", "0").start().await;
    furnish(&process).await;
    let tokens = read(&process, "/v1/tokens").await;
    let own = tokens["items"][0]["id"].as_str().unwrap().to_owned();

    let (base, at) = (process.base.clone(), folder.path().to_owned());
    let output = tokio::task::spawn_blocking(move || drive(&base, &at, &own)).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");

    let series =
        client().get(format!("{}/metrics", process.base)).send().await.unwrap().text().await.unwrap();
    everything_was_tried(&read(&process, "/openapi.json").await, &series);
    for status in ["running", "succeeded", "failed", "skipped"] {
        let runs = read(&process, &format!("/v1/runs?status={status}&limit=1")).await;
        assert_eq!(runs["items"], json!([]), "a run was claimed");
    }
    assert!(!series.contains("dossier_calls"), "somebody was called:\n{series}");
}

/// Something to read, change and delete from the start.
async fn furnish(process: &Process) {
    let call = json!({"url": "https://registry.example/{data.vat}", "response_mapping": {"name": "$.name"}});
    let fields = json!([
        {"key": "vat", "type": "text"},
        {"key": "name", "type": "text"},
        {"key": "check", "type": "api_call", "api_config": call},
    ]);
    write(process, "PUT", "/v1/case-types/firm", &json!({"fields": fields})).await;
    write(process, "PUT", "/v1/secrets/key", &json!({"value": "0123456789"})).await;
    for n in 0..5 {
        let case =
            json!({"case_type": "firm", "reference": format!("F-{n}"), "data": {"vat": n.to_string()}});
        write(process, "POST", "/v1/cases", &case).await;
    }
}

async fn write(process: &Process, method: &str, path: &str, body: &Value) {
    let (status, answer) = process.call(&client(), method, path, Some(body)).await;
    assert_eq!(status, 201, "{answer}");
}

async fn read(process: &Process, path: &str) -> Value {
    let (status, answer) = process.call(&client(), "GET", path, None).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

fn drive(base: &str, folder: &Path, own_token: &str) -> Output {
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/schemathesis");
    let python = python();
    Command::new(&python)
        .args(["-m", "schemathesis.cli", "run", &format!("{base}/openapi.json")])
        .args(["--header", &format!("Authorization: Bearer {TOKEN}")])
        // Of events it gets the list and not the stream, which has no end.
        .args(["--header", "Accept: application/json"])
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing,stateful"])
        .args(["--max-examples", &setting("SCHEMATHESIS_EXAMPLES", "10")])
        .args(["--seed", &setting("SCHEMATHESIS_SEED", "1")])
        .args(["--workers", "1", "--continue-on-failure", "--no-color"])
        .args(["--generation-database", "none", "--suppress-health-check", "all"])
        .args(["--warnings", "off", "--request-timeout", "30"])
        .current_dir(folder)
        .env("PYTHONPATH", hooks)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("OWN_TOKEN_ID", own_token)
        .env("NO_PROXY", "*")
        .output()
        .unwrap_or_else(|error| panic!("{} does not start ({error}): run tests/run once", python.display()))
}

/// Every call of the document was answered at least once, in earnest: not by "no such method".
fn everything_was_tried(document: &Value, series: &str) {
    let name = "dossier_http_server_request_duration_seconds_count";
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            let tried = format!("{name}{{method=\"{method}\",route=\"{path}\"");
            assert!(series.contains(&tried), "{method} {path} was not tried");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the product")]
fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}
