//! Several processes on one database, and a client that finds one that answers.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::{Answer, Launch, Process, TOKEN};
use crate::upstream::client;

/// What all processes on one PostgreSQL share; never the key of a real installation.
pub const MASTER_KEY: &str = "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=";

/// Lets some real time pass: for moments at random, and before a closed door is tried again.
#[expect(clippy::disallowed_methods, reason = "real processes live in real time")]
pub async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

/// When something happened, to see how far apart two things were.
#[expect(clippy::disallowed_methods, reason = "real processes live in real time")]
pub fn now() -> Instant {
    Instant::now()
}

/// A number that whoever runs the tests may set.
#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the product")]
pub fn count(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Replicas that serve and work, each on a port of its own.
pub struct Fleet {
    launch: Launch,
    members: Vec<Process>,
    doors: Doors,
    folder: Arc<tempfile::TempDir>,
}

/// The way in: any replica that answers. Cheap to clone.
#[derive(Clone)]
pub struct Doors {
    http: reqwest::Client,
    bases: Arc<Mutex<Vec<String>>>,
    next: Arc<AtomicUsize>,
}

impl Fleet {
    /// So many on one database: on a SQLite file of their own, or at `url`.
    pub async fn start(replicas: usize, allow: &str, url: Option<&str>) -> Self {
        let (launch, folder) = Self::launch(allow, url);
        Self::of(replicas, launch, folder).await
    }

    /// How one of them is started, and the folder of all.
    pub fn launch(allow: &str, url: Option<&str>) -> (Launch, Arc<tempfile::TempDir>) {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let launch = Launch::serve(folder.path()).with("NETWORK__ALLOW", allow);
        let launch = match url {
            Some(url) => launch.with("DATABASE__URL", url).with("SECURITY__MASTER_KEY", MASTER_KEY),
            None => launch,
        };
        (launch, folder)
    }

    /// So many like this one. They share a working directory, so a key file too.
    pub async fn of(replicas: usize, launch: Launch, folder: Arc<tempfile::TempDir>) -> Self {
        let doors = Doors { http: client(), bases: Arc::default(), next: Arc::default() };
        let mut fleet = Self { launch, members: Vec::new(), doors, folder };
        for _ in 0..replicas {
            fleet.add().await;
        }
        fleet
    }

    /// Starts one more.
    pub async fn add(&mut self) {
        let process = self.launch.start().await;
        self.doors.bases.lock().unwrap().push(process.base.clone());
        self.members.push(process);
    }

    /// `kill -9` of one of them; another takes its place when asked to with [`Fleet::add`].
    pub fn kill(&mut self, member: usize) {
        self.doors.bases.lock().unwrap().remove(member);
        self.members.remove(member).kill();
    }

    /// Waits for the end of one that was told to stop; answers whether it ended well.
    pub async fn ended(&mut self, member: usize) -> bool {
        self.doors.bases.lock().unwrap().remove(member);
        self.members.remove(member).ended().await.success()
    }

    /// Those that live.
    pub fn members(&self) -> &[Process] {
        &self.members
    }

    /// The way in.
    pub fn doors(&self) -> Doors {
        self.doors.clone()
    }

    /// Where their files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The SQLite file, unless they are on another database.
    pub fn file(&self) -> PathBuf {
        self.folder().join("data/dossier.db")
    }
}

impl Doors {
    /// Asks one after the other until one answers. While the database is away they say 503 and
    /// when to come back; nothing else of ours may go wrong.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        loop {
            match self.try_once(method, path, headers, body).await {
                Some(answer) if answer.status < 500 => return answer,
                Some(answer) => assert_unavailable(&answer),
                None => {}
            }
            pause(20).await;
        }
    }

    /// One try at the next door; none when nobody answers.
    pub async fn try_once(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Option<Answer> {
        let base = {
            let bases = self.bases.lock().unwrap();
            let at = self.next.fetch_add(1, Ordering::SeqCst).checked_rem(bases.len())?;
            bases[at].clone()
        };
        let mut request =
            self.http.request(method.parse().unwrap(), format!("{base}{path}")).bearer_auth(TOKEN);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::of(request).await.ok()
    }

    /// Reads, and expects to be let.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, &[], None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    /// Waits until the case is settled.
    pub async fn settled(&self, id: &str) -> Value {
        loop {
            let answer = self.ask("GET", &format!("/v1/cases/{id}"), &[("Prefer", "wait=30")], None).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            if answer.body["settled"] == true {
                return answer.body;
            }
        }
    }
}

/// 503 as the contract has it.
pub fn assert_unavailable(answer: &Answer) {
    assert_eq!((answer.status, &answer.body["code"]), (503, &Value::from("unavailable")), "{}", answer.body);
    let seconds =
        answer.headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    assert!(seconds.is_some_and(|seconds| (1..=60).contains(&seconds)), "{:?}", answer.headers);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
}
