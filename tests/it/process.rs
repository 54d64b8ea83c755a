//! The real binary, as a process of its own that can be killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The admin token that [`Process`] is started with.
pub const TOKEN: &str = "process-admin-token";

/// A running `dossier serve`; killed when dropped.
pub struct Process {
    child: Child,
    pub base: String,
}

impl Process {
    /// Starts it on data in `folder`, calls to `allow` permitted, and returns when it serves.
    pub async fn serve(folder: &Path, allow: &str) -> Self {
        Self::serve_with(folder, &[("DOSSIER__NETWORK__ALLOW", allow)]).await
    }

    /// Starts it with these variables beside what every test needs.
    pub async fn serve_with(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let folder = folder.to_owned();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let variables: Vec<_> = variables.collect();
        tokio::task::spawn_blocking(move || Self::spawn(&folder, variables)).await.unwrap()
    }

    fn spawn(folder: &Path, variables: Vec<(String, String)>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dossier"))
            .arg("serve")
            .current_dir(folder)
            .env("DOSSIER__SERVER__LISTEN", "127.0.0.1:0")
            .env("DOSSIER__SECURITY__ADMIN_TOKEN", TOKEN)
            .env("DOSSIER__LOG__FORMAT", "json")
            .envs(variables)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let base = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let line: Value = serde_json::from_str(&line).ok()?;
                (line["message"] == "serving")
                    .then(|| format!("http://{}", line["address"].as_str().unwrap_or_default()))
            })
            .expect("the process says where it serves");
        // Whoever writes to a closed pipe would be told so; the rest is read and dropped.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, base }
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; answers whether it ended well.
    pub async fn terminate(mut self) -> bool {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        tokio::task::spawn_blocking(move || self.child.wait().unwrap().success()).await.unwrap()
    }

    /// The status and body of a call.
    pub async fn call(
        &self,
        http: &reqwest::Client,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let mut request =
            http.request(method.parse().unwrap(), format!("{}{path}", self.base)).bearer_auth(TOKEN);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
