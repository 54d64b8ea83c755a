//! `dossier demo` as a process: what it prints, and how it is asked.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::upstream::client;

/// A running demo; killed when dropped.
pub struct Demo {
    child: Child,
    /// All that it printed.
    pub guide: String,
}

impl Demo {
    /// Starts it with this address and scratch space; returns when the guide is printed.
    pub fn start(listen: SocketAddr, temporary: &Path, log: &Path) -> Self {
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
    pub fn script(&self) -> &str {
        let start = self.guide.find("  export ").unwrap();
        &self.guide[start..self.guide.find("Ctrl+C").unwrap()]
    }

    /// The address that signs a browser in, once.
    pub fn sign_in_link(&self) -> &str {
        let line = self.guide.lines().find(|line| line.contains("/sign-in/")).unwrap();
        line.split_whitespace().last().unwrap()
    }

    /// What the guide exports under a name.
    pub fn exported(&self, name: &str) -> String {
        let (_, rest) = self.guide.split_once(&format!("export {name}=")).unwrap();
        rest.lines().next().unwrap().trim_matches('"').to_owned()
    }

    /// What the API answers at a path, waited for.
    pub async fn get(&self, path: &str) -> Value {
        let request = client().get(format!("{}{path}", self.exported("DOSSIER")));
        let (name, value) = self.authorization();
        let answer = request.header(name, value).header("Prefer", "wait=30").send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// What the API answers to a POST, which it must take.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        self.send(client().post(format!("{}{path}", self.exported("DOSSIER"))), path, body).await
    }

    /// What the API answers to a PATCH, which it must take.
    pub async fn patch(&self, path: &str, body: &Value) -> Value {
        self.send(client().patch(format!("{}{path}", self.exported("DOSSIER"))), path, body).await
    }

    async fn send(&self, request: reqwest::RequestBuilder, path: &str, body: &Value) -> Value {
        let (name, value) = self.authorization();
        let request = request.header(name, value);
        let answer = request.json(body).send().await.unwrap();
        let (status, answer) = (answer.status().as_u16(), answer.json().await.unwrap());
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    fn authorization(&self) -> (String, String) {
        self.exported("AUTH")
            .split_once(": ")
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .unwrap()
    }

    /// SIGTERM; answers whether it ended well.
    pub fn terminate(mut self) -> bool {
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
