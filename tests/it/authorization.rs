//! Real authorization servers: started from their npm packages on free loopback ports, gone when they
//! are dropped or the test is killed.
//!
//! `tests/run` installs them and says in `TESTS_NPM` where; without that variable the place
//! where `tests/run` puts them by default is looked at. Each script prints its port once it listens
//! and ends with its standard input.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running authorization server, with something that its tokens protect beside it.
pub struct AuthorizationServer {
    process: Child,
    ports: Vec<u16>,
}

impl AuthorizationServer {
    /// `oidc-provider`: client credentials, in the form and as HTTP Basic.
    pub async fn oidc_provider() -> Self {
        Self::start(include_str!("authorization/oidc-provider.mjs")).await
    }

    /// `oauth2-mock-server`: the password grant.
    pub async fn mock_server() -> Self {
        Self::start(include_str!("authorization/mock-server.mjs")).await
    }

    async fn start(script: &'static str) -> Self {
        tokio::task::spawn_blocking(move || Self::spawn(script)).await.unwrap()
    }

    fn spawn(script: &str) -> Self {
        let folder = folder();
        // What is given on the command line looks for its packages in the working directory.
        let mut process = Command::new("node")
            .args(["--input-type=module", "--eval", script])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("node does not start in {} ({error}): run tests/run once", folder.display())
            });
        // The line comes when the ports are open: nothing to poll for.
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ports: Vec<u16> = line.split_whitespace().filter_map(|port| port.parse().ok()).collect();
        assert_eq!(ports.len(), 2, "the authorization server did not start; its error is above: {line}");
        Self { process, ports }
    }

    /// The address of its token endpoint below this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports[0])
    }

    /// What its tokens protect.
    pub fn protected(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    /// Both, as `network.allow` takes them.
    pub fn authorities(&self) -> String {
        self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(",")
    }
}

impl Drop for AuthorizationServer {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Where the packages of `tests/npm` are.
pub fn folder() -> PathBuf {
    std::env::var_os("TESTS_NPM").map_or_else(
        || {
            let target = std::env::var_os("CARGO_TARGET_DIR")
                .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
            target.join("npm")
        },
        PathBuf::from,
    )
}
