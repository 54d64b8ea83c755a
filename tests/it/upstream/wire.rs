//! Reads one request off a connection and plays scripted steps onto it.
//!
//! HTTP/1.1 by hand, because a well-behaved server library cannot misbehave.

use std::collections::BTreeMap;
use std::future::pending;
use std::io;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// A connection of a client.
pub type Connection = BufReader<TcpStream>;

/// One thing a provider does to a connection.
#[derive(Debug, Clone)]
pub enum Step {
    /// Reads one request, head and body, and forgets it.
    ReadRequest,
    /// Sends these bytes.
    Write(Vec<u8>),
    /// Sends these bytes again and again.
    WriteForever(Vec<u8>),
    /// Sends one of these bytes per drip.
    Drip(Vec<u8>),
    /// Waits for the next release.
    Hold,
    /// Waits until the client leaves.
    Never,
    /// Ends the connection in good order.
    Close,
    /// Ends it with a TCP reset.
    Reset,
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Call {
    /// `GET`, …
    pub method: String,
    /// As sent, percent-encoding included, without the query.
    pub path: String,
    /// Decoded, in the order sent.
    pub query: Vec<(String, String)>,
    /// By lower-case name, repeated ones joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// As sent.
    pub body: Vec<u8>,
    /// Which connection it came over, counted from 1.
    pub connection: usize,
}

impl Call {
    /// The header of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The first query value of this name.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What a step waits for. Taken before the call is recorded, so that a release that follows
/// `wait_for_calls` is never too early.
pub struct Signals {
    releases: watch::Receiver<usize>,
    drips: watch::Receiver<usize>,
    drips_before: usize,
}

impl Signals {
    /// From now on.
    pub fn new(releases: &watch::Sender<usize>, drips: &watch::Sender<usize>) -> Self {
        let drips_before = *drips.borrow();
        Self { releases: releases.subscribe(), drips: drips.subscribe(), drips_before }
    }
}

/// The next request of the connection; `None` when the client is done.
pub async fn read_request(connection: &mut Connection, number: usize) -> io::Result<Option<Call>> {
    let Some(line) = read_line(connection).await?.filter(|line| !line.is_empty()) else { return Ok(None) };
    let mut words = line.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = read_headers(connection).await?;
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await?;
    Ok(Some(Call {
        method,
        path: path.to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers,
        body,
        connection: number,
    }))
}

async fn read_headers(connection: &mut Connection) -> io::Result<BTreeMap<String, String>> {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    while let Some(line) = read_line(connection).await?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        headers
            .entry(name.to_ascii_lowercase())
            .and_modify(|all| *all = format!("{all}, {}", value.trim()))
            .or_insert_with(|| value.trim().to_owned());
    }
    // Without a length the body would be taken for the next request.
    assert!(!headers.contains_key("transfer-encoding"), "the scripted provider reads no chunked requests");
    Ok(headers)
}

/// One line without its end; header bytes that are no UTF-8 are kept as Latin-1.
async fn read_line(connection: &mut Connection) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if connection.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = String::from_utf8(line.to_vec());
    Ok(Some(text.unwrap_or_else(|bytes| bytes.into_bytes().into_iter().map(char::from).collect())))
}

/// Plays the steps. `false`: the connection is over.
pub async fn play(connection: &mut Connection, steps: Vec<Step>, signals: &mut Signals) -> io::Result<bool> {
    for step in steps {
        match step {
            Step::ReadRequest => drop(read_request(connection, 0).await?),
            Step::Write(bytes) => connection.get_mut().write_all(&bytes).await?,
            Step::WriteForever(bytes) => loop {
                connection.get_mut().write_all(&bytes).await?;
            },
            Step::Drip(bytes) => {
                if !drip(connection, &bytes, signals).await? {
                    return Ok(false);
                }
            }
            Step::Hold => {
                if !unless_left(connection, signals.releases.changed()).await {
                    return Ok(false);
                }
            }
            Step::Never => drop(unless_left(connection, pending::<()>()).await),
            Step::Close => return Ok(false),
            Step::Reset => {
                connection.get_ref().set_zero_linger()?;
                return Ok(false);
            }
        }
    }
    Ok(true)
}

async fn drip(connection: &mut Connection, bytes: &[u8], signals: &mut Signals) -> io::Result<bool> {
    let before = signals.drips_before;
    for (sent, byte) in bytes.iter().enumerate() {
        if !unless_left(connection, signals.drips.wait_for(|drips| *drips > before + sent)).await {
            return Ok(false);
        }
        connection.get_mut().write_all(&[*byte]).await?;
    }
    Ok(true)
}

/// Waits for something; `false` when the client leaves first.
async fn unless_left<T>(connection: &mut Connection, awaited: impl Future<Output = T>) -> bool {
    tokio::select! {
        _ = awaited => true,
        () = left(connection) => false,
    }
}

async fn left(connection: &mut Connection) {
    match connection.fill_buf().await {
        Ok([]) | Err(_) => {}
        Ok(_) => pending().await,
    }
}
