//! httpbin, a real third-party server: started from its Python package on a free loopback port,
//! gone when it is dropped or the test is killed.
//!
//! `tests/run` installs it and says in `TESTS_PYTHON` where; without that variable the place
//! where `tests/run` puts it by default is looked at.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running httpbin.
pub struct Httpbin {
    process: Child,
    port: u16,
}

impl Httpbin {
    /// Starts it and returns when it listens.
    pub async fn start() -> Self {
        tokio::task::spawn_blocking(Self::spawn).await.unwrap()
    }

    fn spawn() -> Self {
        let python = python();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/httpbin/serve.py");
        let mut process = Command::new(&python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{} does not start ({error}): run tests/run once", python.display())
            });
        // The line comes when the port is open: nothing to poll for.
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port =
            line.trim().parse().unwrap_or_else(|_| panic!("httpbin did not start; its error is above"));
        Self { process, port }
    }

    /// `http://127.0.0.1:PORT` and the path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.authority())
    }

    /// `127.0.0.1:PORT`, as `network.allow` and `hosts` take it.
    pub fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Httpbin {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The Python that has what `tests/requirements.txt` lists.
#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the product")]
pub fn python() -> PathBuf {
    let installed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    std::env::var("TESTS_PYTHON").map_or_else(|_| installed(), PathBuf::from)
}

#[tokio::test]
async fn httpbin_answers_and_ends_with_its_test() {
    let httpbin = Httpbin::start().await;
    let client = crate::upstream::client();
    let answer = client.get(httpbin.url("/get?a=1")).send().await.unwrap();
    assert_eq!(answer.json::<serde_json::Value>().await.unwrap()["args"]["a"], "1");

    let gone = httpbin.url("/get");
    drop(httpbin);
    assert!(client.get(gone).send().await.is_err());
}
