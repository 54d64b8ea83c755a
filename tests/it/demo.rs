//! `dossier demo` as a newcomer meets it: every case ends as the guide says it does, the lines
//! of the guide work, and nothing is left behind.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::upstream::client;

/// How the API Call fields of each case end, in the order of the case type. Compare with `shows`
/// in `config/demo/cases.json`.
const ENDS: [(&str, [&str; 3]); 20] = [
    ("KYB-1001", ["succeeded", "succeeded", "succeeded"]),
    ("KYB-1002", ["succeeded", "succeeded", "succeeded"]),
    ("KYB-1003", ["succeeded", "timeout", "succeeded"]),
    ("KYB-1004", ["succeeded", "succeeded", "succeeded"]),
    ("KYB-1005", ["succeeded", "invalid_response 200", "succeeded"]),
    ("KYB-1006", ["succeeded", "http_status 503", "succeeded"]),
    ("KYB-1007", ["succeeded", "succeeded", "succeeded"]),
    ("KYB-1008", ["succeeded", "connect_failed", "succeeded"]),
    ("KYB-1009", ["succeeded", "succeeded", "skipped condition"]),
    ("KYB-1010", ["skipped missing_input", "skipped missing_input", "succeeded"]),
    ("KYB-1011", ["succeeded", "http_status 404", "skipped missing_input"]),
    ("KYB-1012", ["invalid_response 200", "succeeded", "succeeded"]),
    ("LOAN-2001", ["succeeded", "succeeded", "never_run"]),
    ("LOAN-2002", ["skipped condition", "succeeded", "never_run"]),
    ("LOAN-2003", ["http_status 403", "succeeded", "never_run"]),
    ("LOAN-2004", ["succeeded", "succeeded", "never_run"]),
    ("LOAN-2005", ["skipped missing_input", "succeeded", "never_run"]),
    ("LOAN-2006", ["succeeded", "unsuccessful 200", "never_run"]),
    ("LOAN-2007", ["succeeded", "succeeded", "never_run"]),
    ("LOAN-2008", ["http_status 404", "succeeded", "never_run"]),
];

/// What a `shows` says beyond the end: attempts of the registry or the credit score, and data.
const ATTEMPTS: [(&str, &str, u64); 5] = [
    ("KYB-1002", "registry", 3),
    ("KYB-1003", "registry", 3),
    ("KYB-1004", "registry", 2),
    ("KYB-1006", "registry", 3),
    ("LOAN-2004", "credit_score", 2),
];
const DATA: [(&str, &str, &str); 5] = [
    ("KYB-1001", "/company/legal_name", r#""Quorvale Logistics SC""#),
    ("KYB-1007", "/bank/iban_valid", "false"),
    ("KYB-1011", "/vat/valid", "false"),
    ("LOAN-2001", "/location/label", r#""Kupferhof 12, 80331 München, DE""#),
    ("LOAN-2007", "/credit/limit", "0"),
];

struct Demo {
    child: Child,
    guide: String,
}

impl Demo {
    /// Starts it with this address and scratch space; returns when the guide is printed.
    fn start(listen: SocketAddr, temporary: &Path, log: &Path) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_dossier"))
            .arg("demo")
            .current_dir(temporary.parent().unwrap())
            .env("DOSSIER__SERVER__LISTEN", listen.to_string())
            .env("TMPDIR", temporary)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(log).unwrap())
            .spawn()
            .unwrap();
        let mut demo = Self { child, guide: String::new() };
        // The pipe is closed behind the last line, as a pager does: the demo must not mind.
        let lines = BufReader::new(demo.child.stdout.take().unwrap()).lines().map_while(Result::ok);
        for line in lines {
            demo.guide.push_str(&line);
            demo.guide.push('\n');
            if line.starts_with("Ctrl+C") {
                return demo;
            }
        }
        panic!("the demo ended early: {}{}", demo.guide, std::fs::read_to_string(log).unwrap());
    }

    /// The part to paste: from the first `export` to the last call.
    fn script(&self) -> &str {
        let start = self.guide.find("  export ").unwrap();
        &self.guide[start..self.guide.find("Ctrl+C").unwrap()]
    }

    fn exported(&self, name: &str) -> String {
        let (_, rest) = self.guide.split_once(&format!("export {name}=")).unwrap();
        rest.lines().next().unwrap().trim_matches('"').to_owned()
    }

    async fn get(&self, path: &str) -> Value {
        let request = client().get(format!("{}{path}", self.exported("DOSSIER")));
        let (name, value) =
            self.exported("AUTH").split_once(": ").map(|(n, v)| (n.to_owned(), v.to_owned())).unwrap();
        let answer = request.header(name, value).header("Prefer", "wait=30").send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// SIGTERM; answers whether it ended well.
    fn terminate(mut self) -> bool {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        self.child.wait().unwrap().success()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_fills_its_cases_in_and_its_guide_works() {
    let folder = tempfile::tempdir().unwrap();
    let (temporary, log) = (folder.path().join("tmp"), folder.path().join("log"));
    std::fs::create_dir(&temporary).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let demo = Demo::start(taken.local_addr().unwrap(), &temporary, &log);
    assert!(demo.guide.contains(&format!("{} is in use", taken.local_addr().unwrap())), "{}", demo.guide);
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 1);

    cases_end_as_they_show(&demo).await;
    paste(demo.script());

    assert!(demo.terminate());
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "the scratch folder is gone");
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing is made in the working directory: {left:?}");
    let log = std::fs::read_to_string(log).unwrap();
    assert_eq!(log, "", "a demo that goes well logs nothing");
}

async fn cases_end_as_they_show(demo: &Demo) {
    let list = demo.get("/v1/cases?limit=50").await;
    let ids = list["items"].as_array().unwrap();
    assert_eq!(ids.len(), ENDS.len());
    for (reference, ends) in ENDS {
        let item = ids.iter().find(|item| item["reference"] == reference).unwrap();
        let case = demo.get(&format!("/v1/cases/{}", item["id"].as_str().unwrap())).await;
        assert_eq!(case["settled"], true, "{case}");
        let states: Vec<String> = case["fields"].as_object().unwrap().values().map(end_of).collect();
        assert_eq!(states, ends, "{reference}");
        for (_, field, attempts) in ATTEMPTS.iter().filter(|row| row.0 == reference) {
            assert_eq!(case["fields"][field]["attempt"], *attempts, "{reference}");
        }
        for (_, pointer, value) in DATA.iter().filter(|row| row.0 == reference) {
            assert_eq!(case["data"].pointer(pointer).unwrap().to_string(), *value, "{reference}");
        }
    }
}

fn end_of(state: &Value) -> String {
    let status = state["status"].as_str().unwrap();
    let error = &state["error"];
    match (error["code"].as_str(), error["http_status"].as_u64(), state["reason"].as_str()) {
        (Some(code), Some(status), _) => format!("{code} {status}"),
        (Some(code), None, _) => code.to_owned(),
        (None, _, Some(reason)) => format!("{status} {reason}"),
        (None, _, None) => status.to_owned(),
    }
}

/// Runs the lines as a shell would; each curl answers 2xx.
fn paste(script: &str) {
    let told = "curl() { command curl -o /dev/null -w '%{http_code}\\n' \"$@\"; }\n";
    let mut shell = Command::new("sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(format!("{told}{script}").as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    let statuses = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.stderr, b"", "{}", String::from_utf8_lossy(&output.stderr));
    let calls = script.lines().filter(|line| line.trim_start().starts_with("curl ")).count();
    assert_eq!(statuses.lines().count(), calls, "{statuses}");
    assert!(statuses.lines().all(|status| status.starts_with('2')), "{script}{statuses}");
}
