//! What a scripted provider sends: a status, headers and a body, or a misbehaviour.
//!
//! A [`Reply`] says it in HTTP's words; [`Reply::steps`] turns it into what goes over the wire.

use std::fmt::Write as _;

use serde_json::Value;

use super::wire::Step;

/// One scripted answer. Make it with [`ok`], [`status`] or one of the constructors and bend it
/// with the methods: `ok(json!({})).header("retry-after", "3").held()`.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    manner: Manner,
    held: bool,
}

/// How the body leaves.
#[derive(Debug, Clone)]
enum Manner {
    Whole,
    Dripping,
    CutAfter(usize),
    Forever,
    Raw,
    Never,
    Reset,
}

/// 200 with a JSON body.
pub fn ok(body: impl Into<Value>) -> Reply {
    json(200, body)
}

/// Any status with a JSON body.
pub fn json(status: u16, body: impl Into<Value>) -> Reply {
    self::status(status).header("content-type", "application/json").body(body.into().to_string())
}

/// A status without content.
pub fn status(status: u16) -> Reply {
    Reply { status, headers: Vec::new(), body: Vec::new(), manner: Manner::Whole, held: false }
}

impl Reply {
    /// 200 with a body of the given content type.
    pub fn of(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        status(200).header("content-type", content_type).body(body)
    }

    /// These bytes instead of an HTTP message, then the end of the connection.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { manner: Manner::Raw, ..status(200) }.body(bytes)
    }

    /// Reads the request and never says a word; the connection stays open.
    pub fn never() -> Self {
        Self { manner: Manner::Never, ..status(200) }
    }

    /// Reads the request and resets the connection.
    pub fn reset() -> Self {
        Self { manner: Manner::Reset, ..status(200) }
    }

    /// 200 and then the chunk again and again, without end.
    pub fn endless(content_type: &str, chunk: impl Into<Vec<u8>>) -> Self {
        Self { manner: Manner::Forever, ..Self::of(content_type, chunk) }
    }

    /// 200 and a gzip stream of zeros without end: about a thousand times bigger unpacked.
    pub fn gzip_bomb() -> Self {
        Self::endless("application/json", zeros(2, 13 * 1024)).header("content-encoding", "gzip")
    }

    /// Adds a header; the same name may come twice.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Replaces the body, and nothing else.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends nothing before [`super::Upstream::release`].
    pub fn held(mut self) -> Self {
        self.held = true;
        self
    }

    /// Sends the head, then one byte of the body per [`super::Upstream::drip`].
    pub fn dripping(mut self) -> Self {
        self.manner = Manner::Dripping;
        self
    }

    /// Sends the head and this many bytes of the body, then closes the connection.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.manner = Manner::CutAfter(bytes);
        self
    }

    /// What goes over the wire, in order.
    pub(super) fn steps(self, method: &str) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.held {
            steps.push(Step::Hold);
        }
        let head = self.head();
        match self.manner {
            Manner::Whole if method == "HEAD" => steps.push(Step::Write(head)),
            Manner::Whole => steps.push(Step::Write([head, self.body].concat())),
            Manner::Dripping => steps.extend([Step::Write(head), Step::Drip(self.body)]),
            Manner::CutAfter(bytes) => {
                let part = &self.body[..bytes.min(self.body.len())];
                steps.extend([Step::Write([&head, part].concat()), Step::Close]);
            }
            Manner::Forever => {
                let head = if self.is_gzip() { [head, gzip_head()].concat() } else { head };
                steps.extend([Step::Write(head), Step::WriteForever(self.body)]);
            }
            Manner::Raw => steps.extend([Step::Write(self.body), Step::Close]),
            Manner::Never => steps.push(Step::Never),
            Manner::Reset => steps.push(Step::Reset),
        }
        steps
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        match self.manner {
            Manner::Forever => head.push_str("connection: close\r\n"),
            _ if self.frames_itself() => {}
            _ => write!(head, "content-length: {}\r\n", self.body.len()).unwrap(),
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Whether the length of the body is said otherwise (RFC 9112, section 6.3).
    fn frames_itself(&self) -> bool {
        matches!(self.status, 100..=199 | 204 | 304)
            || self.headers.iter().any(|(name, _)| {
                name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
            })
    }

    fn is_gzip(&self) -> bool {
        self.headers.iter().any(|(name, value)| name == "content-encoding" && value == "gzip")
    }
}

/// The gzip header (RFC 1952) and the first two bytes of [`zeros`].
fn gzip_head() -> Vec<u8> {
    [vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255], zeros(0, 2)].concat()
}

/// Bytes of one endless DEFLATE block (RFC 1951, fixed codes): a zero, then "258 times what was
/// before" for ever. From the third byte on it repeats every 13 bytes.
fn zeros(from: usize, count: usize) -> Vec<u8> {
    let bit = |at: usize| -> u8 {
        match at {
            0 | 1 => 1,
            2 => 0,
            3..=10 => (0x30 >> (10 - at)) & 1,
            _ => match (at - 11) % 13 {
                code @ 0..=7 => (0xc5 >> (7 - code)) & 1,
                _ => 0,
            },
        }
    };
    (from..from + count).map(|byte| (0..8).fold(0, |all, i| all | bit(byte * 8 + i) << i)).collect()
}
