//! What measuring programs share: the real binary as a process, a provider that answers at once,
//! and figures.

mod database;

pub use database::Database;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The admin token.
pub const TOKEN: &str = "load-run-token";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 126\r\n\r\n\
    {\"name\":\"Example Company SA\",\"valid\":true,\"address\":{\"street\":\"Main Street 1\",\"city\":\"Gent\",\"zip\":\"9000\"},\"score\":712,  \"n\":1}";

/// A provider that answers any request without a body at once, and hands over its first line.
pub async fn provider(seen: impl Fn(&str) + Clone + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(answer(socket, seen.clone()));
        }
    });
    address
}

/// Requests without a body: each ends at an empty line.
async fn answer(mut socket: TcpStream, told: impl Fn(&str)) {
    socket.set_nodelay(true).ok();
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = socket.read(&mut buffer).await {
        seen.extend_from_slice(&buffer[..count]);
        while let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&seen[..end]);
            told(head.lines().next().unwrap_or_default());
            seen.drain(..end + 4);
            if socket.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}

/// Killed when dropped, also when the run stops at a surprise.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it on a database; answers where it serves.
pub fn serve(database: &Database, allow: &str) -> (Process, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dossier"))
        .current_dir(database.folder())
        .envs(database.settings())
        .env("DOSSIER__SERVER__LISTEN", "127.0.0.1:0")
        .env("DOSSIER__NETWORK__ALLOW", allow)
        .env("DOSSIER__SECURITY__ADMIN_TOKEN", TOKEN)
        .env("DOSSIER__LOG__FORMAT", "json")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let base = lines
        .find_map(|line| {
            let line: Value = serde_json::from_str(&line).ok()?;
            (line["message"] == "serving")
                .then(|| format!("http://{}", line["address"].as_str().unwrap_or_default()))
        })
        .unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    (Process(child), base)
}

/// The value below which so many percent lie.
pub fn percentile(times: &mut [f64], percent: usize) -> f64 {
    times.sort_by(f64::total_cmp);
    times[(times.len() - 1) * percent / 100]
}

/// Resident memory, from the process table.
pub fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Processor seconds, user and system, at the usual 100 ticks a second.
pub fn cpu(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
