//! The database of a measuring program: an SQLite file in a folder of its own, or PostgreSQL.
//!
//! The first of these that is given says where: `--database URL`, `DOSSIER_BENCH_DATABASE` (both
//! name a PostgreSQL database that is there), `DOSSIER_TEST_POSTGRES` (the cluster that
//! `tests/postgres` has started: a database is made in it). All of it goes with the program, but
//! for what was measured in a database that was there before.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The key that all processes on one PostgreSQL must have; never one of a real installation.
const MASTER_KEY: &str = "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=";

/// Where the processes keep everything.
pub struct Database {
    folder: TempDir,
    /// None: a file in the folder.
    url: Option<String>,
    /// Its cluster and its name there, where it was made for this.
    made: Option<(String, String)>,
}

impl Database {
    /// The one at `url`; none: as the environment says.
    pub fn open(url: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if let Some(url) = url.or_else(|| variable("DOSSIER_BENCH_DATABASE")) {
            assert!(url.starts_with("postgres"), "the database is named as postgres://USER@HOST/DATABASE");
            return Self { folder, url: Some(url), made: None };
        }
        let Some(cluster) = variable("DOSSIER_TEST_POSTGRES") else {
            return Self { folder, url: None, made: None };
        };
        let name = format!("bench_{}", std::process::id());
        assert!(psql(&cluster, &format!("CREATE DATABASE {name}")), "no database could be made");
        Self { folder, url: Some(format!("{cluster}/{name}")), made: Some((cluster, name)) }
    }

    /// Whether several processes can share it.
    pub const fn is_shared(&self) -> bool {
        self.url.is_some()
    }

    /// Where processes are started.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What a process has to know of it, as environment.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let Some(url) = &self.url else { return Vec::new() };
        vec![
            ("DOSSIER__DATABASE__URL", url.clone()),
            ("DOSSIER__SECURITY__MASTER_KEY", MASTER_KEY.to_owned()),
        ]
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some((cluster, name)) = &self.made {
            psql(cluster, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Runs a statement on the cluster itself; answers whether that went well.
fn psql(cluster: &str, statement: &str) -> bool {
    let program =
        variable("DOSSIER_TEST_POSTGRES_BIN").map_or_else(|| "psql".to_owned(), |bin| format!("{bin}/psql"));
    Command::new(program)
        .args(["--no-psqlrc", "--quiet", "-d", &format!("{cluster}/postgres"), "-c", statement])
        .stdin(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
