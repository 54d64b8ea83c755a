//! A full disk under SQLite: reads go on, writes are sent away with 503, answers in hand wait;
//! with space again all goes on, and the file is whole.
//!
//! Two ways to a full disk. A limit on the size of files (`prlimit`, no rights needed) makes
//! writes fail with EFBIG, which SQLite calls an I/O error. A small file system in a namespace of
//! its own (`unshare`) is truly full, ENOSPC; where the system does not let us have one, that
//! test says so and ends.

use std::path::{Path, PathBuf};
use std::process::Command;

use sea_orm::{ConnectionTrait as _, Database, DatabaseBackend, Statement};
use serde_json::{Value, json};

use super::crowd;
use super::fleet::{Doors, Fleet, assert_unavailable};
use super::ledger::Ledger;
use crate::process::Launch;

/// Cases whose calls are out when the disk becomes full.
const OUT: usize = 10;
/// The first of those that may or may not find room.
const TRIED: usize = 1_000;

/// SQLite finds nothing wrong in the file, which may be in use.
pub async fn assert_whole(file: &Path) {
    let database = Database::connect(format!("sqlite://{}", file.display())).await.unwrap();
    let check = Statement::from_string(DatabaseBackend::Sqlite, "PRAGMA integrity_check");
    let found = database.query_one_raw(check).await.unwrap().unwrap();
    assert_eq!(found.try_get_by_index::<String>(0).unwrap(), "ok");
    database.close().await.unwrap();
}

/// Fills the disk and frees it, from outside.
trait Disk {
    fn fill(&self);
    fn free(&self);
}

/// The process may not make files longer than this.
struct SizeLimit(u32);

impl SizeLimit {
    fn set(&self, bytes: &str) {
        // The hard limit stays, so that no rights are needed to lift the soft one.
        let limit = format!("--fsize={bytes}:");
        let done = Command::new("prlimit").args(["--pid", &self.0.to_string(), &limit]).status();
        assert!(done.unwrap().success(), "prlimit {limit}");
    }
}

impl Disk for SizeLimit {
    fn fill(&self) {
        self.set("65536");
    }

    fn free(&self) {
        self.set("unlimited");
    }
}

/// A file that takes what a small file system has left.
struct Ballast(PathBuf);

impl Disk for Ballast {
    fn fill(&self) {
        let full = std::fs::write(&self.0, vec![0; 64 << 20]).unwrap_err();
        assert_eq!(full.raw_os_error(), Some(28), "{full}");
    }

    fn free(&self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

async fn begin(launch: impl FnOnce(Launch) -> Launch) -> (Ledger, Fleet) {
    let ledger = Ledger::with(|call, reply| {
        let held = call.json()["key"].as_str().is_some_and(|key| key.starts_with("out-"));
        if held { reply.held() } else { reply }
    })
    .await;
    let (first, folder) = Fleet::launch(&ledger.upstream.authority(), None);
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let fleet = Fleet::of(1, launch(first), folder).await;
    crowd::define(&fleet.doors(), &ledger.upstream.url("/post")).await;
    (ledger, fleet)
}

async fn create(doors: &Doors, id: &str, n: usize) -> (u16, Value) {
    let body = json!({"case_type": "test", "data": {"id": id, "n": n}});
    let answer = doors.try_once("POST", "/v1/cases", &[], Some(&body)).await.unwrap();
    if answer.status != 201 {
        assert_unavailable(&answer);
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains("Nothing was changed") && detail.contains("space"), "{detail}");
    }
    (answer.status, answer.body)
}

/// The story; answers all that was said to be done: numbers and ids of cases.
async fn full_and_free_again(ledger: &Ledger, fleet: &Fleet, disk: &dyn Disk) -> Vec<(usize, String)> {
    let doors = fleet.doors();
    let mut made = Vec::new();
    for n in 0..20 {
        made.push((n, crowd::create(&doors, n).await));
    }
    for (_, id) in &made {
        doors.settled(id).await;
    }
    let mut out = Vec::new();
    for n in 0..OUT {
        let (status, case) = create(&doors, &format!("out-{n}"), n).await;
        assert_eq!(status, 201, "{case}");
        out.push(case["id"].as_str().unwrap().to_owned());
    }
    ledger.upstream.wait_for_calls(made.len() * crowd::FIELDS + OUT).await;

    disk.fill();
    for n in TRIED.. {
        let (status, case) = create(&doors, &n.to_string(), n).await;
        if status == 503 {
            break;
        }
        assert!(n < 10 * TRIED, "the disk does not become full");
        made.push((n, case["id"].as_str().unwrap().to_owned()));
    }
    writes_are_sent_away(&doors, &made[0].1).await;
    reads_go_on(&doors, &made[0].1).await;
    ledger.upstream.release();
    fleet.members()[0].logged("the result cannot be written yet", 1).await;
    writes_are_sent_away(&doors, &made[0].1).await;
    reads_go_on(&doors, &made[0].1).await;

    disk.free();
    let body = json!({"title": "Space again"});
    let path = format!("/v1/cases/{}", made[0].1);
    let written = doors.try_once("PATCH", &path, &[], Some(&body)).await.unwrap();
    assert_eq!(written.status, 200, "{}", written.body);
    for n in 20..40 {
        made.push((n, crowd::create(&doors, n).await));
    }
    for (n, id) in out.iter().enumerate() {
        ledger.upstream.release();
        held_answer_came(ledger, &doors, n, id).await;
    }
    for (_, id) in &made {
        doors.settled(id).await;
    }
    made
}

/// The provider was asked once: what it answered was kept until it could be written.
async fn held_answer_came(ledger: &Ledger, doors: &Doors, n: usize, id: &str) {
    let about = format!("out-{n}/b");
    loop {
        let case = doors.get(&format!("/v1/cases/{id}")).await;
        if case["settled"] == true {
            assert_eq!((&case["data"]["a"], &case["data"]["b"]), (&json!(2 * n), &json!(4 * n)), "{case}");
            break;
        }
        // The second call is held as well.
        super::fleet::pause(20).await;
        ledger.upstream.release();
    }
    let calls = ledger.upstream.calls();
    let asked = calls.iter().filter(|call| call.json()["key"] == about.replace("/b", "/a")).count();
    assert_eq!(asked, 1, "{about}");
}

/// A small one may still find room here and there, but soon none does.
async fn writes_are_sent_away(doors: &Doors, case: &str) {
    let case = format!("/v1/cases/{case}");
    let refresh = format!("{case}/fields/a/refresh");
    let writes = [
        ("PATCH", case.as_str(), json!({"title": "x".repeat(200), "data": {"note": "n".repeat(100_000)}})),
        ("POST", "/v1/tokens", json!({"name": "late", "role": "viewer"})),
        (
            "PUT",
            "/v1/case-types/other",
            json!({"key": "other", "description": "d".repeat(2_000), "fields": []}),
        ),
        ("POST", &refresh, json!({})),
    ];
    for (method, path, body) in writes {
        let mut tries = 0;
        loop {
            let answer = doors.try_once(method, path, &[], Some(&body)).await.unwrap();
            if answer.status >= 300 {
                break assert_unavailable(&answer);
            }
            tries += 1;
            assert!(tries < TRIED, "{method} {path} finds room again and again");
        }
    }
}

async fn reads_go_on(doors: &Doors, case: &str) {
    for path in [
        format!("/v1/cases/{case}").as_str(),
        "/v1/cases?count=true",
        "/v1/runs",
        "/v1/case-types/test",
        "/health/live",
        "/health/ready",
    ] {
        let answer = doors.try_once("GET", path, &[], None).await.unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_files_that_cannot_grow_stop_writes_only() {
    let ignoring = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
    let (ledger, mut fleet) = begin(|launch| launch.behind(&ignoring)).await;
    let limit = SizeLimit(fleet.members()[0].pid());
    let made = full_and_free_again(&ledger, &fleet, &limit).await;
    fleet.kill(0);
    assert_whole(&fleet.file()).await;
    // What was said to be done is there.
    fleet.add().await;
    for (n, id) in made {
        let case = fleet.doors().settled(&id).await;
        assert_eq!(case["data"]["b"], 4 * n, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_a_full_disk_stops_writes_only() {
    let space = ["unshare", "--user", "--map-root-user", "--mount"];
    if !Command::new(space[0]).args(&space[1..]).arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("not tested: this system gives nobody a file system in a namespace");
        return;
    }
    let mount = "mount -t tmpfs -o size=16m dossier \"$PWD/data\" && exec \"$0\" \"$@\"";
    let words = [&space[..], &["sh", "-c", mount]].concat();
    let (ledger, fleet) = begin(|launch| launch.behind(&words)).await;
    let root = PathBuf::from(format!("/proc/{}/root", fleet.members()[0].pid()));
    let inside = |path: &Path| root.join(path.strip_prefix("/").unwrap());
    let ballast = Ballast(inside(&fleet.file().with_file_name("ballast")));
    full_and_free_again(&ledger, &fleet, &ballast).await;
    // What a crash would leave; SQLite itself would not find its way into the other namespace.
    fleet.members()[0].signal("STOP");
    let copy = tempfile::tempdir().unwrap();
    for name in ["dossier.db", "dossier.db-wal"] {
        std::fs::copy(inside(&fleet.file().with_file_name(name)), copy.path().join(name)).unwrap();
    }
    assert_whole(&copy.path().join("dossier.db")).await;
}
