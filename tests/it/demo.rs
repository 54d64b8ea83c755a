//! `dossier demo` as a newcomer meets it: every case ends as the guide says it does, the lines
//! of the guide work, and nothing is left behind.

use std::io::Write as _;
use std::net::TcpListener;

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::demo_process::Demo;

/// How the API Call fields of each case end, in the order of the case type. Compare with `shows`
/// in `config/demo/cases.json`.
const ENDS: [(&str, &[&str]); 20] = [
    ("KYB-1001", &["succeeded", "succeeded", "succeeded", "succeeded"]),
    ("KYB-1002", &["succeeded", "succeeded", "succeeded", "succeeded"]),
    ("KYB-1003", &["succeeded", "timeout", "never_run", "succeeded"]),
    ("KYB-1004", &["succeeded", "succeeded", "succeeded", "succeeded"]),
    ("KYB-1005", &["succeeded", "invalid_response 200", "never_run", "succeeded"]),
    ("KYB-1006", &["succeeded", "http_status 503", "never_run", "succeeded"]),
    ("KYB-1007", &["succeeded", "succeeded", "succeeded", "succeeded"]),
    ("KYB-1008", &["succeeded", "connect_failed", "never_run", "succeeded"]),
    ("KYB-1009", &["succeeded", "succeeded", "succeeded", "skipped condition"]),
    ("KYB-1010", &["skipped missing_input", "skipped missing_input", "never_run", "succeeded"]),
    ("KYB-1011", &["succeeded", "http_status 404", "never_run", "skipped missing_input"]),
    ("KYB-1012", &["invalid_response 200", "succeeded", "succeeded", "succeeded"]),
    ("LOAN-2001", &["succeeded", "succeeded", "succeeded"]),
    ("LOAN-2002", &["skipped condition", "succeeded", "succeeded"]),
    ("LOAN-2003", &["http_status 403", "succeeded", "succeeded"]),
    ("LOAN-2004", &["succeeded", "succeeded", "succeeded"]),
    ("LOAN-2005", &["skipped missing_input", "succeeded", "succeeded"]),
    ("LOAN-2006", &["succeeded", "unsuccessful 200", "succeeded"]),
    ("LOAN-2007", &["succeeded", "succeeded", "succeeded"]),
    ("LOAN-2008", &["http_status 404", "succeeded", "succeeded"]),
];

/// What a `shows` says beyond the end: attempts of the registry or the credit score, and data.
const ATTEMPTS: [(&str, &str, u64); 5] = [
    ("KYB-1002", "registry", 3),
    ("KYB-1003", "registry", 3),
    ("KYB-1004", "registry", 2),
    ("KYB-1006", "registry", 3),
    ("LOAN-2004", "credit_score", 2),
];
const DATA: [(&str, &str, &str); 6] = [
    ("KYB-1001", "/company/legal_name", r#""Quorvale Logistics SC""#),
    ("KYB-1001", "/office/label", r#""Rue des Saules Bleus 63, 2000 Antwerpen, BE""#),
    ("KYB-1007", "/bank/iban_valid", "false"),
    ("KYB-1011", "/vat/valid", "false"),
    ("LOAN-2001", "/location/label", r#""Kupferhof 12, 80331 München, DE""#),
    ("LOAN-2007", "/credit/limit", "0"),
];

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
    let answers = paste(demo.script());
    the_answers_show_what_is_said(&answers);
    let kept = demo.get(&format!("/v1/cases/{}", answers.of(1)[0]["id"].as_str().unwrap())).await;
    assert_eq!(kept["fields"]["registry"]["overridden"], json!([]), "the name was given back");
    assert_eq!(kept["data"]["vat"]["valid"], true, "a failure keeps the data");

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

/// What the lines of the guide were answered, each with the number that it stands under.
struct Answers(Vec<(u32, Value)>);

impl Answers {
    fn of(&self, number: u32) -> Vec<&Value> {
        self.0.iter().filter(|(of, _)| *of == number).map(|(_, answer)| answer).collect()
    }
}

/// What the comments of the guide promise, number by number.
fn the_answers_show_what_is_said(answers: &Answers) {
    assert_eq!(answers.of(1)[0]["data"]["company"]["legal_name"], "Quorvale Logistics SC");
    assert_eq!(answers.of(2)[0]["fields"]["registry"]["status"], "succeeded");

    let filled = answers.of(3)[1];
    let ends: Vec<String> = filled["fields"].as_object().unwrap().values().map(end_of).collect();
    assert_eq!(ends, ["succeeded"; 4], "{filled}");
    assert!(filled["data"]["office"]["label"].is_string(), "{filled}");

    let by_hand = answers.of(4)[0];
    assert_eq!((&by_hand["trigger"], &by_hand["status"]), (&json!("manual"), &json!("succeeded")));
    assert_eq!(by_hand["cached"], false, "another day is another question");

    assert_eq!(answers.of(5)[0]["items"][0]["next"].as_array().unwrap().len(), 5);
    assert_eq!(answers.of(5)[1]["last_runs"], 8);

    let runs = answers.of(6)[0]["items"].as_array().unwrap();
    let called = |run: &&Value| run["trigger"] == "on_create" && run["cached"] == false;
    assert_eq!(runs.iter().filter(|run| run["trigger"] == "on_create").count(), 8);
    assert_eq!(runs.iter().filter(called).count(), 1, "one call for eight loans");

    assert_eq!(answers.of(7)[1]["kept_manual"], json!(["company.legal_name"]));
    assert_eq!(answers.of(8)[0]["items"].as_array().unwrap().len(), 5);
    assert_eq!(answers.of(8)[1]["items"][0]["case_id"], answers.of(8)[0]["items"][4]["id"]);
    assert_eq!(end_of(answers.of(9)[1]), "http_status 503");
}

/// Runs the lines as a shell would; each curl answers 2xx.
fn paste(script: &str) -> Answers {
    let told = "curl() { command curl -w '\\n%{http_code}\\n' \"$@\"; }\n";
    let mut shell = Command::new("sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(format!("{told}{script}").as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    assert_eq!(output.stderr, b"", "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = printed.lines().collect();
    let numbers = numbers_of_calls(script);
    assert_eq!(lines.len(), 2 * numbers.len(), "a body and a status for each call: {printed}");
    let answer = |(number, lines): (u32, &[&str])| {
        assert!(lines[1].starts_with('2'), "{number}: {lines:?}");
        (number, serde_json::from_str(lines[0]).unwrap_or(Value::Null))
    };
    Answers(numbers.into_iter().zip(lines.chunks(2)).map(answer).collect())
}

/// The number that each curl of the script stands under.
fn numbers_of_calls(script: &str) -> Vec<u32> {
    let mut number = 0;
    let mut numbers = Vec::new();
    for line in script.lines().map(str::trim_start) {
        if let Some((digits, _)) = line.strip_prefix("# ").and_then(|line| line.split_once(". ")) {
            number = digits.parse().unwrap_or(number);
        }
        if line.starts_with("curl ") {
            numbers.push(number);
        }
    }
    numbers
}
