//! The master key of a real process: changed while it serves, whoever is killed on the way; and a
//! wrong or missing one, which stops the start and overwrites nothing.
//!
//! Everything of a file's key is tried on SQLite, in one folder, as a first installation has it.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::database::TestDatabase;
use crate::process::{Launch, Process};
use crate::upstream::{Upstream, client, ok};

/// Base64 of 32 times the byte.
fn key(byte: u8) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    BASE64_STANDARD.encode([byte; 32])
}

fn line(folder: &Path, words: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut line = Command::new(env!("CARGO_BIN_EXE_dossier"));
    line.args(words).current_dir(folder).stdin(Stdio::null());
    line.envs(settings.iter().map(|(name, value)| (format!("DOSSIER__{name}"), *value)));
    line
}

/// Runs a command to its end.
async fn dossier(folder: &Path, words: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut line = line(folder, words, settings);
    tokio::task::spawn_blocking(move || line.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn works(folder: &Path, words: &[&str], settings: &[(&str, &str)]) -> String {
    let output = dossier(folder, words, settings).await;
    assert!(output.status.success(), "{words:?}: {}", said(&output));
    said(&output)
}

async fn fails(folder: &Path, words: &[&str], settings: &[(&str, &str)]) -> String {
    let output = dossier(folder, words, settings).await;
    assert_eq!(output.status.code(), Some(1), "{words:?}: {}", said(&output));
    said(&output)
}

async fn call(process: &Process, method: &str, path: &str, body: &Value) -> Value {
    let (status, answer) = process.call(&client(), method, path, Some(body)).await;
    assert!(status < 300, "{method} {path}: {answer}");
    answer
}

const SECRET: &str = "correct-horse-battery";
const TYPED: &str = "typed-into-a-field";
const PROVIDER: &str = "typed-into-a-connection";

/// A secret, many more, and credentials typed into a field and a connection, each of which a call needs.
async fn furnish(process: &Process, upstream: &Upstream) {
    upstream.otherwise_with(|call| {
        let good = match call.path.as_str() {
            "/secret" => call.header("x-key") == Some(SECRET),
            "/typed" => call.header("authorization") == Some(&format!("Bearer {TYPED}")),
            _ => call.header("authorization") == Some(&format!("Bearer {PROVIDER}")),
        };
        ok(json!({"value": good}))
    });
    for n in 0..150 {
        call(process, "PUT", &format!("/v1/secrets/s{n}"), &json!({"value": SECRET, "hosts": ["127.0.0.1"]}))
            .await;
    }
    let connection = json!({"base_url": upstream.url("/"), "auth": {"type": "bearer", "token": PROVIDER}});
    call(process, "PUT", "/v1/connections/provider", &connection).await;
    for version in 0..3 {
        let field = |key: &str, config: Value| {
            let mut config = config;
            config["response_mapping"] = json!({key: "$.value"});
            json!({"key": format!("{key}_check"), "type": "api_call", "api_config": config})
        };
        let fields = json!([
            field("secret", json!({"url": upstream.url("/secret"), "headers": {"X-Key": "{secret.s1}"}})),
            field(
                "typed",
                json!({"url": upstream.url("/typed"), "auth": {"type": "bearer", "token": TYPED}})
            ),
            field("provided", json!({"url": "/provided", "connection": "provider"})),
        ]);
        let case_type = json!({"description": format!("version {version}"), "fields": fields});
        call(process, "PUT", "/v1/case-types/test", &case_type).await;
    }
}

/// The status of a request for a person under the one key of this test, and whether it was a repetition.
async fn under_one_key(process: &Process, name: &str) -> (u16, bool) {
    let body = json!({"name": name, "email": "ada@example.com", "role": "viewer", "password": SECRET});
    let request = client().post(format!("{}/v1/people", process.base)).bearer_auth(crate::process::TOKEN);
    let answer = request.header("Idempotency-Key", "once").json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.headers().contains_key("idempotent-replayed"))
}

/// A new case is filled in by all three.
async fn fill(process: &Process) {
    let request = client().post(format!("{}/v1/cases", process.base)).bearer_auth(crate::process::TOKEN);
    let request = request.header("Prefer", "wait=30").json(&json!({"case_type": "test", "data": {}}));
    let case: Value = request.send().await.unwrap().json().await.unwrap();
    for (name, key) in [("secret_check", "secret"), ("typed_check", "typed"), ("provided_check", "provided")]
    {
        assert_eq!(case["data"][key], true, "{name}: {}", case["fields"][name]);
    }
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_is_changed_while_a_process_serves_and_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let process = Arc::new(Process::serve(folder.path(), &upstream.authority()).await);
    furnish(&process, &upstream).await;
    let path = folder.path().join("data/master.key");
    let old = lines(&path);
    assert_eq!(old.len(), 1);

    // Traffic that needs every kind of credential, and new values all the while.
    let over = Arc::new(AtomicBool::new(false));
    let mut traffic = JoinSet::new();
    traffic.spawn({
        let (process, over) = (process.clone(), over.clone());
        async move {
            let mut filled = 0;
            while !over.load(Ordering::Relaxed) || filled < 3 {
                call(&process, "PUT", "/v1/secrets/s1", &json!({"value": SECRET, "hosts": ["127.0.0.1"]}))
                    .await;
                fill(&process).await;
                filled += 1;
            }
        }
    });
    // Killed as soon as the new key is there.
    let mut killed =
        line(folder.path(), &["secrets", "rotate-key"], &[]).stdout(Stdio::null()).spawn().unwrap();
    let watched = path.clone();
    let killed = tokio::task::spawn_blocking(move || {
        while lines(&watched).len() < 2 && killed.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        killed.kill().unwrap();
        killed.wait().unwrap()
    });
    assert!(!killed.await.unwrap().success(), "it was done before it could be killed");
    let both = lines(&path);
    assert_eq!((both.len(), &both[1]), (2, &old[0]), "no key is lost");
    fill(&process).await;

    let done = works(folder.path(), &["secrets", "rotate-key"], &[]).await;
    assert!(!done.contains(&both[0]) && !done.contains(&old[0]), "{done}");
    assert_eq!(lines(&path), both[..1], "it went on with the key that was there");
    over.store(true, Ordering::Relaxed);
    traffic.join_all().await;
    fill(&process).await;
    call(&process, "PUT", "/v1/secrets/late", &json!({"value": SECRET, "hosts": []})).await;
    let audit = call_get(&process, "/v1/audit?kind=master_key").await;
    assert_eq!(
        (audit["items"].as_array().unwrap().len(), &audit["items"][0]["action"]),
        (1, &json!("rotated"))
    );
    Arc::into_inner(process).unwrap().kill();

    // The new key is all that is needed, and the old one is good for nothing.
    std::fs::write(&path, &old[0]).unwrap();
    let refused = fails(folder.path(), &["serve"], &[("SERVER__LISTEN", "127.0.0.1:0")]).await;
    assert!(refused.contains("master key"), "{refused}");
    std::fs::write(&path, &both[0]).unwrap();
    let process = Process::serve(folder.path(), &upstream.authority()).await;
    fill(&process).await;
    let whole = works(folder.path(), &["audit", "verify"], &[]).await;
    assert!(whole.contains("`default` is whole"), "{whole}");
}

async fn call_get(process: &Process, path: &str) -> Value {
    let (status, answer) = process.call(&client(), "GET", path, None).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_settings_is_changed_with_both_known() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start().await;
    let database = TestDatabase::create(folder.path());
    let (_, url) = database.settings(folder.path()).swap_remove(0);
    let launch = Launch::serve(folder.path()).with("NETWORK__ALLOW", upstream.authority());
    let launch = launch.with("DATABASE__URL", &url);
    let url = ("DATABASE__URL", url.as_str());
    let (old, new) = (key(1), key(2));
    let process = launch.clone().with("SECURITY__MASTER_KEY", &old).start().await;
    furnish(&process, &upstream).await;
    assert_eq!(under_one_key(&process, "Ada").await, (201, false));
    process.kill();
    let (only_new, both) = (
        [url, ("SECURITY__MASTER_KEY", new.as_str())],
        [url, ("SECURITY__MASTER_KEY", new.as_str()), ("SECURITY__PREVIOUS_MASTER_KEYS", old.as_str())],
    );
    let refused = fails(folder.path(), &["secrets", "rotate-key"], &only_new).await;
    assert!(refused.contains("PREVIOUS_MASTER_KEYS"), "{refused}");
    let process = launch
        .clone()
        .with("SECURITY__MASTER_KEY", &new)
        .with("SECURITY__PREVIOUS_MASTER_KEYS", &old)
        .start()
        .await;
    fill(&process).await;
    // What a request with a key said is compared by the key that it came under.
    assert_eq!(under_one_key(&process, "Ada").await, (201, true));
    assert_eq!(under_one_key(&process, "Eve").await.0, 422);
    let done = works(folder.path(), &["secrets", "rotate-key"], &both).await;
    assert!(
        done.contains("150 secrets") && done.contains("3 versions") && done.contains("1 connections"),
        "{done}"
    );
    assert!(done.contains("take it out of security.previous_master_keys"), "{done}");
    fill(&process).await;
    process.kill();
    let process = launch.with("SECURITY__MASTER_KEY", &new).start().await;
    fill(&process).await;
    // That key is gone: nothing happens twice, and nobody can say any more that it was another body.
    assert_eq!(under_one_key(&process, "Ada").await, (201, true));
    assert_eq!(under_one_key(&process, "Eve").await, (201, true));
    let again = works(folder.path(), &["secrets", "rotate-key"], &only_new).await;
    assert!(again.contains("Sealed anew: 0 secrets"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_missing_master_key_stops_the_start_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::serve(folder.path(), "127.0.0.1").await;
    call(&process, "PUT", "/v1/secrets/a", &json!({"value": SECRET, "hosts": []})).await;
    assert!(process.terminate().await);
    let path = folder.path().join("data/master.key");
    let right = std::fs::read(&path).unwrap();
    let rows = || std::fs::read(folder.path().join("data/dossier.db")).unwrap();
    works(folder.path(), &["secrets", "list"], &[]).await;
    let before = rows();
    let commands: [&[&str]; 5] = [
        &["serve"],
        &["worker"],
        &["secrets", "rotate-key"],
        &["secrets", "set", "b", "--from-env", "PATH"],
        &["token", "create", "--role", "admin"],
    ];
    let port = ("SERVER__LISTEN", "127.0.0.1:0");
    for words in commands {
        std::fs::remove_file(&path).unwrap();
        let missing = fails(folder.path(), words, &[port]).await;
        assert!(missing.contains("the master key is missing"), "{words:?}: {missing}");
        assert!(!path.exists(), "{words:?} left a key");
        std::fs::write(&path, key(9)).unwrap();
        let wrong = fails(folder.path(), words, &[port]).await;
        assert!(wrong.contains("is not the one that the secrets"), "{words:?}: {wrong}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), key(9), "{words:?}");
        std::fs::write(&path, &right).unwrap();
        let set = fails(folder.path(), words, &[port, ("SECURITY__MASTER_KEY", &key(8))]).await;
        assert!(set.contains("is not the one that the secrets"), "{words:?}: {set}");
        assert_eq!(std::fs::read(&path).unwrap(), right);
    }
    assert_eq!(rows(), before, "something was written");
    let listed = works(folder.path(), &["secrets", "list"], &[]).await;
    assert!(listed.contains("a\t1\t") && listed.contains("\tnever\t"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn workspaces_tokens_and_secrets_are_made_by_commands() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::serve(folder.path(), "127.0.0.1").await;
    works(folder.path(), &["workspace", "create", "beta", "--name", "Beta AG"], &[]).await;
    let again = fails(folder.path(), &["workspace", "create", "beta"], &[]).await;
    assert!(again.contains("already"), "{again}");
    let list = works(folder.path(), &["workspace", "list"], &[]).await;
    assert!(list.contains("beta\tBeta AG") && list.contains("default\tdefault"), "{list}");

    let words =
        ["token", "create", "--role", "admin", "--workspace", "beta", "--name", "b", "--expires-in", "30"];
    let token = works(folder.path(), &words, &[]).await.trim().to_owned();
    let ask = |path: &str| client().get(format!("{}{path}", process.base)).bearer_auth(&token).send();
    let tokens: Value = ask("/v1/tokens").await.unwrap().json().await.unwrap();
    let made = &tokens["items"][0];
    assert_eq!((&made["name"], &made["role"]), (&json!("b"), &json!("admin")));
    assert!(made["expires_at"].is_string() && made["last_used_at"].is_string(), "{made}");
    for bad in [["--expires-in", "0"], ["--expires-in", "x"]] {
        let line =
            dossier(folder.path(), &[&["token", "create", "--role", "admin"], &bad[..]].concat(), &[]).await;
        assert!(!line.status.success(), "{bad:?}");
    }

    let mut set = line(
        folder.path(),
        &["secrets", "set", "vies", "--from-env", "VIES", "--host", "a.example", "--workspace", "beta"],
        &[],
    );
    set.env("VIES", SECRET);
    let set = tokio::task::spawn_blocking(move || set.output().unwrap()).await.unwrap();
    assert!(set.status.success() && !said(&set).contains(SECRET), "{}", said(&set));
    let secrets: Value = ask("/v1/secrets").await.unwrap().json().await.unwrap();
    assert_eq!((&secrets["items"][0]["name"], &secrets["items"][0]["version"]), (&json!("vies"), &json!(1)));
    assert_eq!(call_get(&process, "/v1/secrets").await["items"], json!([]), "it is of another workspace");
    let audit: Value = ask("/v1/audit?by=system:command").await.unwrap().json().await.unwrap();
    assert_eq!(audit["items"].as_array().unwrap().len(), 3, "{audit}");
    let unknown = fails(folder.path(), &["audit", "verify", "--workspace", "gamma"], &[]).await;
    assert!(unknown.contains("no workspace `gamma`"), "{unknown}");
    assert!(
        works(folder.path(), &["audit", "verify", "--workspace", "beta"], &[]).await.contains("3 entries")
    );
}
