//! The database of a test: an SQLite file in its folder, or, when `tests/postgres` has started a
//! cluster, a PostgreSQL database of its own there, which goes with the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The key that all processes on one PostgreSQL must have; never one of a real installation.
const MASTER_KEY: &str = "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// The address of the cluster that the tests run on; none: they run on SQLite.
pub fn cluster() -> Option<String> {
    variable("DOSSIER_TEST_POSTGRES")
}

#[expect(clippy::disallowed_methods, reason = "who runs the tests says where they run")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A database, removed when dropped.
pub struct TestDatabase {
    url: String,
    /// Its name in the cluster.
    name: Option<String>,
}

impl TestDatabase {
    /// A new one; a file lies in the folder.
    pub fn create(folder: &Path) -> Self {
        let Some(cluster) = cluster() else {
            let file = folder.join("dossier.db");
            return Self { url: format!("sqlite://{}", file.display()), name: None };
        };
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        psql(&cluster, "postgres", &format!("CREATE DATABASE {name}"));
        Self { url: format!("{cluster}/{name}"), name: Some(name) }
    }

    /// What a process needs to know of it, as environment without the prefix.
    pub fn settings(&self, folder: &Path) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("DATABASE__URL", self.url.clone()),
            ("DATABASE__SYNCHRONOUS", "normal".to_owned()),
            ("SECURITY__MASTER_KEY_FILE", folder.join("master.key").display().to_string()),
        ];
        if self.name.is_some() {
            settings.push(("SECURITY__MASTER_KEY", MASTER_KEY.to_owned()));
        }
        settings
    }

    /// Everything that lies in it, as bytes.
    pub fn bytes(&self) -> Vec<u8> {
        match self.url.strip_prefix("sqlite://") {
            Some(path) => ["", "-wal"]
                .iter()
                .flat_map(|end| std::fs::read(format!("{path}{end}")).unwrap_or_default())
                .collect(),
            None => Command::new(program("pg_dump")).args(["--dbname", &self.url]).output().unwrap().stdout,
        }
    }

    /// Cuts it off from everybody, or lets them in again. PostgreSQL only.
    pub fn close_to_all(&self, closed: bool) {
        let (cluster, name) = (cluster().unwrap(), self.name.as_deref().unwrap());
        psql(&cluster, "postgres", &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {}", !closed));
        if closed {
            let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = ";
            psql(&cluster, "postgres", &format!("{end}'{name}'"));
        }
    }

    /// Does this in a transaction of its own, which stays open. PostgreSQL only.
    pub fn hold(&self, statement: &str) -> Held {
        let (cluster, name) = (cluster().unwrap(), self.name.as_deref().unwrap());
        let mut command = Command::new(program("psql"));
        command.args(["--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-d", &format!("{cluster}/{name}")]);
        let mut psql = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        writeln!(psql.stdin.as_mut().unwrap(), "BEGIN; {statement}; SELECT 'it is held';").unwrap();
        let mut said = BufReader::new(psql.stdout.take().unwrap()).lines();
        assert!(said.any(|line| line.unwrap() == "it is held"), "{statement}");
        Held(psql)
    }

    /// Returns when so many of our transactions wait for a lock. PostgreSQL only.
    pub async fn wait_for_waiting(&self, transactions: usize) {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND application_name = 'dossier' AND wait_event_type = 'Lock'";
        while self.psql(waiting) != transactions.to_string() {
            tokio::task::yield_now().await;
        }
    }

    /// Runs a statement on it, past Dossier; answers what it printed. PostgreSQL only.
    pub fn psql(&self, statement: &str) -> String {
        let cluster = cluster().expect("the tests run on PostgreSQL");
        psql(&cluster, self.name.as_deref().expect("it is on PostgreSQL"), statement)
    }
}

/// A transaction of somebody else's, open until this is dropped.
pub struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        // At the end of its input psql leaves, and the transaction is undone.
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (Some(cluster), Some(name)) = (cluster(), &self.name) else { return };
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        let _ = command(&cluster, "postgres", &statement).spawn();
    }
}

fn psql(cluster: &str, database: &str, statement: &str) -> String {
    let output = command(cluster, database, statement).output().unwrap();
    assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn command(cluster: &str, database: &str, statement: &str) -> Command {
    let mut command = Command::new(program("psql"));
    command.args(["--no-psqlrc", "-At", "-d", &format!("{cluster}/{database}"), "-c", statement]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn program(name: &str) -> String {
    let folder = variable("DOSSIER_TEST_POSTGRES_BIN").expect("tests/postgres says where it is");
    format!("{folder}/{name}")
}
