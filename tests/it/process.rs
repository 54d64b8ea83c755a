//! The real binary, as a process of its own that can be stopped, continued and killed.
//!
//! It is ready when its log says so; whoever waits for something else in it waits for a line of
//! that log. Nothing outlives its [`Process`].

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::sync::watch;

/// The admin token that [`Process`] is started with.
pub const TOKEN: &str = "process-admin-token";

/// How a process is started; may be used again and again.
#[derive(Debug, Clone)]
pub struct Launch {
    folder: PathBuf,
    command: &'static str,
    before: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Launch {
    /// `dossier serve` with `folder` as its working directory.
    pub fn serve(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), command: "serve", before: Vec::new(), variables: Vec::new() }
    }

    /// `dossier worker` instead; it has no [`Process::base`].
    pub fn worker(mut self) -> Self {
        self.command = "worker";
        self
    }

    /// With this setting, named without the prefix: `NETWORK__ALLOW`.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((format!("DOSSIER__{name}"), value.into()));
        self
    }

    /// Behind these words of a command line, which must end as the program itself (`exec`).
    pub fn behind(mut self, words: &[&str]) -> Self {
        self.before = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Starts it; returns when it serves or works.
    pub async fn start(&self) -> Process {
        let launch = self.clone();
        tokio::task::spawn_blocking(move || Process::spawn(&launch)).await.unwrap()
    }

    /// Runs `dossier` with these words to its end, with the settings of this launch; answers whether
    /// it went well, and all that it printed.
    pub async fn run(&self, words: &[&str]) -> (bool, String) {
        let mut command = self.line();
        command.args(words).current_dir(&self.folder).envs(self.variables.iter().cloned());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let printed = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(printed).unwrap())
    }

    fn line(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_dossier");
        let Some((first, rest)) = self.before.split_first() else { return Command::new(program) };
        let mut line = Command::new(first);
        line.args(rest).arg(program);
        line
    }
}

/// A running process; killed when dropped.
pub struct Process {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub base: String,
    log: watch::Receiver<Vec<String>>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Process {
    /// Starts it on data in `folder`, calls to `allow` permitted, and returns when it serves.
    pub async fn serve(folder: &Path, allow: &str) -> Self {
        Launch::serve(folder).with("NETWORK__ALLOW", allow).start().await
    }

    fn spawn(launch: &Launch) -> Self {
        let mut child = launch
            .line()
            .arg(launch.command)
            .current_dir(&launch.folder)
            .env("DOSSIER__SERVER__LISTEN", "127.0.0.1:0")
            .env("DOSSIER__SECURITY__ADMIN_TOKEN", TOKEN)
            .env("DOSSIER__LOG__FORMAT", "json")
            .envs(launch.variables.iter().cloned())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut first = Vec::new();
        let base = loop {
            let Some(line) = lines.next() else { panic!("the process did not start: {first:?}") };
            let told: Value = serde_json::from_str(&line).unwrap_or_default();
            first.push(line);
            if told["message"] == "serving" || told["message"] == "working" {
                break format!("http://{}", told["address"].as_str().unwrap_or_default());
            }
        };
        let (keep, log) = watch::channel(first);
        // Read to its end: whoever writes to a closed pipe would be told so.
        std::thread::spawn(move || lines.for_each(|line| keep.send_modify(|kept| kept.push(line))));
        Self { child, base, log }
    }

    /// Waits until its log has so many lines with this text.
    pub async fn logged(&self, text: &str, times: usize) {
        let mut log = self.log.clone();
        let said = |lines: &Vec<String>| lines.iter().filter(|line| line.contains(text)).count() >= times;
        assert!(log.wait_for(said).await.is_ok(), "the process ended without `{text}` in its log");
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.log.borrow().join("\n")
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub fn lives(&self) -> bool {
        // A process that ended stays as a zombie until it is waited for.
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        status
            .rsplit(')')
            .next()
            .is_some_and(|rest| !rest.trim_start().starts_with(['Z', 'X']) && !rest.is_empty())
    }

    /// `kill -STOP`, `-CONT`, `-TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.unwrap().success(), "{name} could not be sent");
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; answers whether it ended well.
    pub async fn terminate(self) -> bool {
        self.signal("TERM");
        self.ended().await.success()
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> ExitStatus {
        tokio::task::spawn_blocking(move || self.child.wait().unwrap()).await.unwrap()
    }

    /// The status and body of a call.
    pub async fn call(
        &self,
        http: &reqwest::Client,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let answer = self.ask(http, method, path, body).await;
        (answer.status, answer.body)
    }

    /// The whole answer to a call.
    pub async fn ask(
        &self,
        http: &reqwest::Client,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        let mut request =
            http.request(method.parse().unwrap(), format!("{}{path}", self.base)).bearer_auth(TOKEN);
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::of(request).await.unwrap()
    }
}

impl Answer {
    /// Sends the request and reads the answer to its end.
    pub async fn of(request: reqwest::RequestBuilder) -> reqwest::Result<Self> {
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = serde_json::from_slice(&answer.bytes().await?).unwrap_or_default();
        Ok(Self { status, headers, body })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
