//! The client: the only place that sends anything out of this process.
//!
//! One pool of connections for everybody without a TLS policy of their own (`tls.rs`), HTTP/1.1 and HTTP/2 (by ALPN), TLS against the system's
//! authorities. It guarantees that no address is connected to that the guard refuses, that nothing
//! is followed, sent twice, remembered (cookies) or sent through a proxy, and that an exchange ends
//! with the caller's deadline, whatever the provider does. (A request that found its kept connection
//! closed before its first byte was written goes out on another one; that is not a repetition.)
//!
//! It does not know the time: the deadline is a future of the caller. It does not decide what a
//! status means.

use std::pin::{Pin, pin};
use std::sync::{Arc, Once};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Client, Method, Request, Response};
use url::{Host, Url};

use super::allow::Guard;
use super::connect::{Call, DialLayer};
use super::exchange::{Exchange, ExchangeFailed, ExchangeFailure, Headers, Outgoing, Phases, SetUpFailed};
use super::resolve::{GuardedResolver, LookUp, System};
use super::tls::{Clients, clients};
use super::{body, classify, redirect};
use crate::domain::allow::AllowRule;
use crate::domain::clock::SharedClock;

const USER_AGENT: &str = concat!("dossier/", env!("CARGO_PKG_VERSION"));

/// Idle connections that are kept per host. Above it a wave of calls makes new ones each time; the
/// engine has 512 calls in flight at most, seldom all to one host.
const KEPT_PER_HOST: usize = 256;

/// Shorter than the idle time of common servers (60 to 75 s), so that we seldom send on a
/// connection that the other side is closing.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// Largest head of an answer over HTTP/2. Over HTTP/1.1 the client's own bounds hold: 100 headers
/// in 400 KiB.
const HEAD_BYTES: u32 = 64 * 1024;

/// Headers that belong to the connection and are the client's to write (RFC 9110, section 7.6.1):
/// a caller's `content-length` could end a request early on a shared connection.
const OF_THE_CONNECTION: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What the client is made from.
#[derive(Debug, Clone)]
pub struct OutboundSettings {
    /// `network.allow`.
    pub allow: Vec<AllowRule>,
    /// `limits.response_bytes`.
    pub response_bytes: usize,
}

/// HTTP to the world. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Outbound {
    /// Of the policy that it is under.
    pub(super) client: Client,
    /// Those of all policies.
    pub(super) clients: Clients,
    pub(super) resolver: Arc<GuardedResolver>,
    pub(super) guard: Guard,
    response_bytes: usize,
    clock: SharedClock,
}

/// How an exchange has ended before it was complete.
struct Stopped {
    kind: ExchangeFailure,
    sent: bool,
}

/// The head of an answer.
struct Head {
    status: u16,
    headers: Headers,
    first_byte_ms: u64,
}

impl Outbound {
    /// A client with a pool of its own. Fails when TLS cannot be set up.
    ///
    /// On a system without any certificate authority it is made all the same: plain HTTP works,
    /// and every TLS connection fails with a bad certificate.
    pub fn new(settings: OutboundSettings, clock: SharedClock) -> Result<Self, SetUpFailed> {
        Self::with_look_up(settings, clock, Arc::new(System))
    }

    fn with_look_up(
        settings: OutboundSettings,
        clock: SharedClock,
        look_up: Arc<dyn LookUp>,
    ) -> Result<Self, SetUpFailed> {
        install_crypto();
        let guard = Guard::new(settings.allow);
        let resolver = Arc::new(GuardedResolver::new(guard.clone(), look_up));
        let client = builder(&resolver).build().or_else(|error| {
            let detail = classify::describe(&error);
            tracing::warn!(
                detail,
                "no certificate authorities found on this system: calls over https will fail"
            );
            builder(&resolver).tls_certs_only([]).build()
        });
        let client = client.map_err(|error| SetUpFailed { detail: classify::describe(&error) })?;
        let response_bytes = settings.response_bytes;
        Ok(Self { client, clients: clients(), resolver, guard, response_bytes, clock })
    }

    /// Sends one request and reads the whole answer.
    ///
    /// `deadline` is the caller's clock: when it completes, the exchange is dropped and fails with
    /// [`ExchangeFailure::Timeout`], which names `timeout_ms`. An answer of any status is an `Ok`;
    /// redirects are not.
    pub async fn exchange(
        &self,
        outgoing: Outgoing,
        deadline: impl Future<Output = ()> + Send,
        timeout_ms: u64,
    ) -> Result<Exchange, ExchangeFailed> {
        let mut deadline = pin!(deadline);
        let no_body = outgoing.method == Method::HEAD;
        let url = outgoing.url.clone();
        let call = Call::start(Arc::clone(&self.clock), url.port_or_known_default().unwrap_or_default());
        let mut response = match self.send(&call, outgoing, deadline.as_mut(), timeout_ms).await {
            Ok(response) => response,
            Err(stopped) => return Err(failed(&call, stopped.kind, stopped.sent, None)),
        };
        let head = Head::of(&response, call.elapsed_ms());
        if let Some(location) = redirect::location(head.status, &head.headers, &url) {
            let kind = ExchangeFailure::RedirectRefused { location, status: head.status };
            return Err(failed(&call, kind, true, Some(head)));
        }
        let body = if no_body || matches!(head.status, 204 | 304) {
            Ok(Bytes::new())
        } else {
            tokio::select! {
                biased;
                body = body::read(&mut response, self.response_bytes) => body,
                () = deadline => Err(ExchangeFailure::Timeout { after_ms: timeout_ms }),
            }
        };
        match body {
            Ok(body) => {
                let phases = phases(&call, Some(head.first_byte_ms));
                Ok(Exchange { status: head.status, headers: head.headers, body, phases })
            }
            Err(kind) => Err(failed(&call, kind, true, Some(head))),
        }
    }

    /// Up to the head of the answer.
    async fn send(
        &self,
        call: &Arc<Call>,
        outgoing: Outgoing,
        deadline: Pin<&mut impl Future<Output = ()>>,
        timeout_ms: u64,
    ) -> Result<Response, Stopped> {
        let host = self.check(&outgoing.url).map_err(|kind| Stopped { kind, sent: false })?;
        let request = request(outgoing).map_err(|kind| Stopped { kind, sent: false })?;
        let result = tokio::select! {
            biased;
            result = call.around(self.client.execute(request)) => Some(result),
            () = deadline => None,
        };
        // From here the request is dropped, so the call knows whether its connection ever stood.
        match result {
            Some(Ok(response)) => Ok(response),
            Some(Err(error)) => {
                let (kind, sent) = classify::of_sending(error, &host);
                Err(Stopped { kind, sent })
            }
            None => {
                let sent = call.may_have_sent();
                Err(Stopped { kind: ExchangeFailure::Timeout { after_ms: timeout_ms }, sent })
            }
        }
    }

    /// Judges what can be judged before a look-up; answers the host.
    fn check(&self, url: &Url) -> Result<String, ExchangeFailure> {
        let text = Self::check_shape(url)?;
        let port = url.port_or_known_default().unwrap_or_default();
        match url.host() {
            Some(Host::Ipv4(address)) => self.guard.check_literal(&text, address.into(), port)?,
            Some(Host::Ipv6(address)) => self.guard.check_literal(&text, address.into(), port)?,
            Some(Host::Domain(_)) | None => {}
        }
        Ok(text)
    }

    /// Whether it can be called at all; answers the host.
    pub(super) fn check_shape(url: &Url) -> Result<String, ExchangeFailure> {
        let bad = |detail: &str| ExchangeFailure::BadUrl { detail: detail.to_owned() };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("its scheme is neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("it holds a user name or a password"));
        }
        if url.port_or_known_default().is_none() {
            return Err(bad("it names no host"));
        }
        url.host().map(|host| host.to_string()).ok_or_else(|| bad("it names no host"))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that makes a client")]
pub(super) fn builder(resolver: &Arc<GuardedResolver>) -> reqwest::ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .tcp_nodelay(true)
        .pool_max_idle_per_host(KEPT_PER_HOST)
        .pool_idle_timeout(KEPT_FOR)
        .http2_max_header_list_size(HEAD_BYTES)
        .dns_resolver(Arc::clone(resolver))
        .connector_layer(DialLayer)
}

/// Once per process; a provider that somebody installed before is as good.
fn install_crypto() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

fn request(outgoing: Outgoing) -> Result<Request, ExchangeFailure> {
    let mut headers = HeaderMap::with_capacity(outgoing.headers.len() + 1);
    for (name, value) in outgoing.headers {
        let bad = || ExchangeFailure::BadHeader { name: name.clone() };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        if OF_THE_CONNECTION.contains(&key.as_str()) {
            continue;
        }
        let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| bad())?;
        // Any of them may be a credential: keep it out of logs and of HTTP/2's shared tables.
        value.set_sensitive(true);
        headers.append(key, value);
    }
    let body = outgoing.body.filter(|body| !body.is_empty());
    if body.is_none() && matches!(outgoing.method, Method::POST | Method::PUT | Method::PATCH) {
        // RFC 9110, section 8.6; some servers refuse such a request without it.
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let mut request = Request::new(outgoing.method, outgoing.url);
    *request.headers_mut() = headers;
    *request.body_mut() = body.map(Body::from);
    Ok(request)
}

impl Head {
    fn of(response: &Response, first_byte_ms: u64) -> Self {
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        Self { status: response.status().as_u16(), headers, first_byte_ms }
    }
}

/// UTF-8 where it is that, else ISO-8859-1, the older meaning (RFC 9110, section 5.5).
fn text(value: &HeaderValue) -> String {
    let bytes = value.as_bytes();
    std::str::from_utf8(bytes)
        .map_or_else(|_| bytes.iter().copied().map(char::from).collect(), ToOwned::to_owned)
}

fn failed(call: &Call, kind: ExchangeFailure, sent: bool, head: Option<Head>) -> ExchangeFailed {
    let phases = phases(call, head.as_ref().map(|head| head.first_byte_ms));
    let (status, headers) = head.map_or((None, Vec::new()), |head| (Some(head.status), head.headers));
    ExchangeFailed { kind, phases, status, headers, sent }
}

fn phases(call: &Call, first_byte_ms: Option<u64>) -> Phases {
    let (dns_ms, connect_ms) = call.connection_ms();
    Phases { dns_ms, connect_ms, first_byte_ms, total_ms: call.elapsed_ms() }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read, Write};
    use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
    use std::thread::{self, JoinHandle};

    use tokio::sync::{Notify, mpsc};

    use super::super::resolve::Addresses;
    use super::*;
    use crate::domain::clock::{Clock, Instant};

    /// A millisecond passes with every look at it.
    #[derive(Default)]
    struct Ticking(AtomicI64);

    impl Clock for Ticking {
        fn now(&self) -> Instant {
            Instant::from_timestamp_millis(self.0.fetch_add(1, Ordering::SeqCst)).unwrap()
        }

        fn sleep_until(&self, _: Instant) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(std::future::pending())
        }
    }

    /// Answers every name with one list, counts, and hangs when there is no list.
    #[derive(Default)]
    struct Listed {
        addresses: Option<Vec<IpAddr>>,
        asked: AtomicUsize,
        hangs_from: Option<usize>,
        hanging: Arc<Notify>,
    }

    impl LookUp for Listed {
        fn look_up(&self, host: String) -> Addresses {
            let asked = self.asked.fetch_add(1, Ordering::SeqCst);
            if self.hangs_from.is_some_and(|from| asked >= from) {
                self.hanging.notify_one();
                return Box::pin(std::future::pending());
            }
            let found = self.addresses.clone();
            Box::pin(async move {
                let found = found.ok_or_else(|| io::Error::other(format!("{host} is not known")))?;
                Ok(found.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect())
            })
        }
    }

    fn leads_to(addresses: &[&str]) -> Arc<Listed> {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Listed { addresses: Some(addresses), ..Listed::default() })
    }

    fn outbound_with(rules: &[String], response_bytes: usize, look_up: Arc<Listed>) -> Outbound {
        let allow = rules.iter().map(|rule| AllowRule::parse(rule).unwrap()).collect();
        let settings = OutboundSettings { allow, response_bytes };
        Outbound::with_look_up(settings, Arc::new(Ticking::default()), look_up).unwrap()
    }

    /// A client that may call loopback and nothing else that is refused.
    fn outbound() -> Outbound {
        outbound_with(&["127.0.0.1".to_owned()], 64 * 1024, leads_to(&["127.0.0.1"]))
    }

    fn get(url: &str) -> Outgoing {
        Outgoing { method: Method::GET, url: Url::parse(url).unwrap(), headers: Vec::new(), body: None }
    }

    fn header(headers: &Headers, name: &str) -> Option<String> {
        headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
    }

    async fn exchange(outbound: &Outbound, outgoing: Outgoing) -> Result<Exchange, ExchangeFailed> {
        // Boxed as `Send`: the engine runs exchanges in tasks of their own.
        let exchange = outbound.exchange(outgoing, std::future::pending(), 1000);
        let exchange: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(exchange);
        exchange.await
    }

    /// A raw TCP upstream: every connection runs the script in a thread of its own.
    struct Upstream {
        address: SocketAddr,
        /// Heads of the requests, with the number of their connection.
        heads: Arc<Mutex<Vec<(usize, String)>>>,
    }

    impl Upstream {
        fn script(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = listener.local_addr().unwrap();
            let heads = Arc::<Mutex<Vec<_>>>::default();
            let (script, seen) = (Arc::new(script), Arc::clone(&heads));
            thread::spawn(move || {
                for (number, stream) in listener.incoming().enumerate() {
                    let mut peer = Peer { stream: stream.unwrap(), number, seen: Arc::clone(&seen) };
                    let script = Arc::clone(&script);
                    thread::spawn(move || script(&mut peer));
                }
            });
            Self { address, heads }
        }

        /// Answers each request of each connection with these bytes.
        fn answers(answer: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
            Self::script(move |peer| {
                while peer.request().is_some() {
                    peer.say(answer.as_ref());
                }
            })
        }

        /// Reads a request, says these bytes and hangs up.
        fn says(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
            Self::script(move |peer| {
                peer.request();
                peer.say(bytes.as_ref());
            })
        }

        fn url(&self, path: &str) -> String {
            format!("http://{}{path}", self.address)
        }

        fn heads(&self) -> Vec<(usize, String)> {
            self.heads.lock().unwrap().clone()
        }
    }

    struct Peer {
        stream: TcpStream,
        number: usize,
        seen: Arc<Mutex<Vec<(usize, String)>>>,
    }

    impl Peer {
        /// Reads one request with its body; answers the head, lower case.
        fn request(&mut self) -> Option<String> {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                self.stream.read_exact(&mut byte).ok()?;
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            self.stream.read_exact(&mut body).unwrap();
            let seen = head.clone() + &String::from_utf8(body).unwrap();
            self.seen.lock().unwrap().push((self.number, seen));
            Some(head)
        }

        /// False when the other side has gone.
        fn say(&mut self, bytes: &[u8]) -> bool {
            self.stream.write_all(bytes).is_ok()
        }

        fn wait_for_the_end(&mut self) {
            let _ = io::copy(&mut self.stream, &mut io::sink());
        }
    }

    fn ok_with(headers: &str, body: &[u8]) -> Vec<u8> {
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\n{headers}content-length: {length}\r\n\r\n");
        [head.as_bytes(), body].concat()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_comes_back_whole() {
        let upstream =
            Upstream::answers(ok_with("X-Kind: a\r\nx-kind: b\r\nX-Latin: caf\u{e9}\r\n", b"{\"a\":1}"));
        let mut outgoing = get(&upstream.url("/a%20b?c=d#e"));
        outgoing.headers =
            vec![("X-Key".to_owned(), "k\u{e4}y".to_owned()), ("x-key".to_owned(), "2".to_owned())];
        let answer = exchange(&outbound(), outgoing).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"{\"a\":1}"[..]));
        let kinds: Vec<_> = answer.headers.iter().filter(|(name, _)| name == "x-kind").collect();
        assert_eq!(kinds.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(header(&answer.headers, "x-latin").as_deref(), Some("caf\u{e9}"));

        let (_, head) = upstream.heads().remove(0);
        assert!(head.starts_with("get /a%20b?c=d http/1.1\r\n"), "{head}");
        for line in ["x-key: k\u{e4}y", "x-key: 2", "accept: */*", &format!("user-agent: {USER_AGENT}")] {
            assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} in {head}");
        }
        assert!(head.contains("accept-encoding: "), "{head}");
        for absent in ["referer", "cookie", "content-length", "transfer-encoding"] {
            assert!(!head.contains(absent), "{absent} in {head}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_callers_headers_go_before_ours_and_framing_stays_the_clients() {
        let upstream = Upstream::answers(ok_with("", b""));
        let headers = [
            ("User-Agent", "mine"),
            ("Accept", "text/csv"),
            ("Content-Length", "3"),
            ("Connection", "close"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "h2c"),
            ("Content-Type", "text/plain"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let outbound = outbound();
        for (method, body) in [(Method::POST, Some("hello")), (Method::POST, None), (Method::PUT, Some(""))] {
            let url = Url::parse(&upstream.url("/")).unwrap();
            let body = body.map(Bytes::from);
            let outgoing = Outgoing { method, url, headers: headers.clone(), body };
            assert_eq!(exchange(&outbound, outgoing).await.unwrap().status, 200);
        }
        let heads = upstream.heads();
        for ((_, head), length) in heads.iter().zip([5, 0, 0]) {
            for line in ["user-agent: mine", "accept: text/csv", &format!("content-length: {length}")] {
                assert_eq!(head.matches(line).count(), 1, "{line} in {head}");
            }
            for absent in ["chunked", "close", "upgrade", "*/*"] {
                assert!(!head.contains(absent), "{absent} in {head}");
            }
        }
        assert!(heads[0].1.ends_with("\r\n\r\nhello"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_kept_connection_needs_no_look_up_and_has_no_connect_phase() {
        let upstream = Upstream::answers(ok_with("", b"ok"));
        let outbound = outbound_with(&["127.0.0.1".to_owned()], 100, leads_to(&["127.0.0.1"]));
        let url = format!("http://registry.example:{}/", upstream.address.port());

        let first = exchange(&outbound, get(&url)).await.unwrap().phases;
        assert!(first.dns_ms.is_some() && first.connect_ms.is_some(), "{first:?}");
        assert!(first.first_byte_ms.unwrap() > first.dns_ms.unwrap() + first.connect_ms.unwrap());
        assert!(first.total_ms >= first.first_byte_ms.unwrap());
        // A connection is put back by a task of its own; until then a call makes another one.
        let mut connections = 1;
        let mut kept = loop {
            let next = exchange(&outbound, get(&url)).await.unwrap().phases;
            if next.connect_ms.is_none() {
                break next;
            }
            connections += 1;
            assert!(connections < 100, "no connection was ever kept");
        };
        assert!(kept.first_byte_ms.take().is_some_and(|ms| ms <= kept.total_ms));
        assert_eq!(kept, Phases { total_ms: kept.total_ms, ..Phases::default() });
        let mut served: Vec<_> = upstream.heads().iter().map(|(number, _)| *number).collect();
        let calls = served.len();
        served.sort_unstable();
        served.dedup();
        assert!(served.len() < calls, "one connection served two calls");

        // An address has no look-up, but a connection of its own.
        let third = exchange(&outbound, get(&upstream.url("/"))).await.unwrap().phases;
        assert!(third.dns_ms.is_none() && third.connect_ms.is_some(), "{third:?}");
    }

    /// Only spellings that stay on this machine when the guard fails; the rest is in its table.
    #[tokio::test(flavor = "multi_thread")]
    async fn loopback_is_blocked_in_every_spelling_and_sees_no_connection() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let outbound = outbound_with(&[], 100, leads_to(&["127.0.0.1", "::1"]));
        let hosts = [
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "127.0.1",
            "0x7f.1",
            "0x7f000001",
            "0177.0.0.1",
            "2130706433",
            "017700000001",
            "127.0.0.0x1",
            "%31%32%37.0.0.1",
            "１２７.０.０.１",
            "①②⑦.0.0.1",
            "127。0。0。1",
            "0",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "registry.example",
        ];
        for host in hosts {
            for scheme in ["http", "https"] {
                let failed =
                    exchange(&outbound, get(&format!("{scheme}://{host}:{port}/"))).await.unwrap_err();
                assert!(matches!(failed.kind, ExchangeFailure::Blocked { .. }), "{host}: {failed:?}");
                assert!(!failed.sent && failed.status.is_none());
            }
        }
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_rule_lets_through_exactly_what_it_names() {
        let upstream = Upstream::answers(ok_with("", b"ok"));
        let port = upstream.address.port();
        let other = port ^ 1;
        let cases = [
            ("127.0.0.1".to_owned(), "127.0.0.1", true),
            (format!("127.0.0.1:{port}"), "127.1", true),
            (format!("127.0.0.1:{other}"), "127.0.0.1", false),
            ("127.0.0.0/8".to_owned(), "localhost", true),
            (format!("127.0.0.0/8:{port}"), "localhost", true),
            (format!("127.0.0.0/8:{other}"), "localhost", false),
            (format!("localhost:{port}"), "LocalHost", true),
            (format!("localhost:{other}"), "localhost", false),
            ("localhost".to_owned(), "127.0.0.1", false),
            ("registry.example".to_owned(), "localhost", false),
            ("127.0.0.1".to_owned(), "[::ffff:127.0.0.1]", false),
        ];
        for (rule, host, good) in cases {
            let outbound = outbound_with(std::slice::from_ref(&rule), 100, leads_to(&["127.0.0.1"]));
            let result = exchange(&outbound, get(&format!("http://{host}:{port}/"))).await;
            match result {
                Ok(answer) => assert!(good && answer.body == "ok", "{rule} {host}"),
                Err(failed) => {
                    assert!(
                        !good && matches!(failed.kind, ExchangeFailure::Blocked { .. }),
                        "{rule} {host} {failed:?}"
                    );
                }
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_checked_addresses_of_a_name_are_used() {
        let upstream = Upstream::answers(ok_with("", b"ok"));
        let port = upstream.address.port();
        let look_up = leads_to(&["::1", "127.0.0.9", "127.0.0.1"]);
        let outbound = outbound_with(&[format!("127.0.0.1:{port}")], 100, look_up);
        let answer = exchange(&outbound, get(&format!("http://registry.example:{port}/"))).await.unwrap();
        assert_eq!(answer.body, "ok");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_cannot_be_called_is_said_before_anything_is_sent() {
        for url in ["ftp://127.0.0.1/", "http://me@127.0.0.1/", "http://:pw@127.0.0.1/", "data:text/plain,x"]
        {
            let failed = exchange(&outbound(), get(url)).await.unwrap_err();
            assert!(
                matches!(failed.kind, ExchangeFailure::BadUrl { .. }) && !failed.sent,
                "{url} {failed:?}"
            );
        }
        for (name, value) in [("X-Key", "a\nb"), ("X-Key", "a\0b"), ("X Key", "a"), ("", "a")] {
            let mut outgoing = get("http://127.0.0.1/");
            outgoing.headers = vec![(name.to_owned(), value.to_owned())];
            let failed = exchange(&outbound(), outgoing).await.unwrap_err();
            assert_eq!(failed.kind, ExchangeFailure::BadHeader { name: name.to_owned() });
            assert!(!failed.sent);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_connection_means_that_nothing_was_sent() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let failed = exchange(&outbound(), get(&format!("http://{free}/"))).await.unwrap_err();
        assert!(
            matches!(&failed.kind, ExchangeFailure::Connect { detail } if detail.contains("refused")),
            "{failed:?}"
        );
        assert!(!failed.sent);

        for look_up in [Arc::new(Listed::default()), leads_to(&[])] {
            let outbound = outbound_with(&["127.0.0.1".to_owned()], 100, look_up);
            let failed = exchange(&outbound, get("http://nowhere.example/?key=s3cret")).await.unwrap_err();
            let ExchangeFailure::Dns { host, detail } = &failed.kind else { panic!("{failed:?}") };
            assert_eq!(host, "nowhere.example");
            assert!(!detail.is_empty() && !detail.contains("s3cret"), "{detail}");
            assert!(!failed.sent);
        }

        let upstream = Upstream::script(|peer| {
            peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            peer.wait_for_the_end();
        });
        let failed =
            exchange(&outbound(), get(&upstream.url("/").replace("http:", "https:"))).await.unwrap_err();
        assert!(matches!(failed.kind, ExchangeFailure::Tls { .. }) && !failed.sent, "{failed:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn answers_that_are_cut_or_lie() {
        let cases: [(&str, &str, Option<u16>); 9] = [
            ("silence", "", None),
            ("half a head", "HTTP/1.1 200 OK\r\nx-a: b\r\n", None),
            ("another protocol", "SSH-2.0-OpenSSH_9.2\r\n", None),
            ("noise", "\u{0}\u{1}\u{2}\r\n\r\n", None),
            ("a bad length", "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nok", None),
            ("two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok", None),
            ("a head only", "HTTP/1.1 503 Busy\r\ncontent-length: 5\r\n\r\n", Some(503)),
            ("half a body", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", Some(200)),
            ("half a chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", Some(200)),
        ];
        for (what, said, status) in cases {
            let upstream = Upstream::says(said);
            let failed = exchange(&outbound(), get(&upstream.url("/?key=s3cret"))).await.unwrap_err();
            let ExchangeFailure::Cut { detail } = &failed.kind else { panic!("{what}: {failed:?}") };
            assert!(!detail.contains("s3cret") && detail.len() <= 400, "{detail}");
            assert_eq!((failed.status, failed.sent), (status, true), "{what}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_body_longer_than_announced_ends_where_it_was_announced() {
        let upstream = Upstream::says("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok, and more");
        assert_eq!(exchange(&outbound(), get(&upstream.url("/"))).await.unwrap().body, "ok");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_head_without_end_is_cut() {
        let upstream = Upstream::script(|peer| {
            peer.request();
            peer.say(b"HTTP/1.1 200 OK\r\nx-a: ");
            while peer.say(&[b'a'; 4096]) {}
        });
        let failed = exchange(&outbound(), get(&upstream.url("/"))).await.unwrap_err();
        assert!(matches!(failed.kind, ExchangeFailure::InvalidResponse { .. }), "{failed:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn answers_without_a_body() {
        let cases = [
            (
                Method::HEAD,
                "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\ncontent-encoding: gzip\r\n\r\n",
                200,
            ),
            (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n", 204),
            (Method::GET, "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", 304),
            (Method::GET, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncontent-encoding: gzip\r\n\r\n", 200),
            (
                Method::GET,
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
                404,
            ),
            (Method::DELETE, "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n", 302),
        ];
        for (method, said, status) in cases {
            let upstream = Upstream::answers(said);
            let outgoing = Outgoing { method, ..get(&upstream.url("/")) };
            let answer = exchange(&outbound(), outgoing).await.unwrap();
            assert_eq!((answer.status, answer.body.len()), (status, 0), "{said}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_redirect_is_refused_and_names_its_location() {
        let upstream = Upstream::answers(
            "HTTP/1.1 307 Elsewhere\r\nlocation: http://me:pw@127.0.0.1:1/x?y=z\r\ncontent-length: 0\r\n\r\n",
        );
        let failed = exchange(&outbound(), get(&upstream.url("/"))).await.unwrap_err();
        let location = "http://127.0.0.1:1/x".to_owned();
        assert_eq!(failed.kind, ExchangeFailure::RedirectRefused { location, status: 307 });
        assert_eq!((failed.status, failed.sent), (Some(307), true));
        assert!(header(&failed.headers, "location").is_some());
        assert_eq!(upstream.heads().len(), 1);
    }

    /// Says a head and then a body without end; its thread ends when the client hangs up.
    fn endless(head: &'static [u8], chunk: &'static [u8]) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut peer = Peer { stream, number: 0, seen: Arc::default() };
            peer.request();
            peer.say(head);
            while peer.say(chunk) {}
        });
        (address, thread)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_endless_body_is_capped_and_hung_up_on() {
        let bodies: [(&[u8], &[u8]); 3] = [
            (b"HTTP/1.1 200 OK\r\n\r\n", &[b'a'; 4096]),
            (b"HTTP/1.1 500 Oh\r\ntransfer-encoding: chunked\r\n\r\n", b"8\r\naaaaaaaa\r\n"),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n", &[b'a'; 4096]),
        ];
        for (head, chunk) in bodies {
            let (address, thread) = endless(head, chunk);
            let failed = exchange(&outbound(), get(&format!("http://{address}/"))).await.unwrap_err();
            assert_eq!(failed.kind, ExchangeFailure::TooLarge { limit: 64 * 1024 });
            assert!(failed.status.is_some() && failed.sent);
            thread.join().unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_cap_is_exact() {
        for (length, good) in [(99, true), (100, true), (101, false)] {
            let plain = ok_with("", &vec![b'a'; length]);
            let chunked = format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{}\r\n0\r\n\r\n",
                "a".repeat(length)
            );
            for said in [plain, chunked.into_bytes()] {
                let upstream = Upstream::answers(said);
                let outbound = outbound_with(&["127.0.0.1".to_owned()], 100, leads_to(&[]));
                let result = exchange(&outbound, get(&upstream.url("/"))).await;
                assert_eq!(result.is_ok_and(|answer| answer.body.len() == length), good, "{length}");
            }
        }
    }

    /// Head of a gzip stream whose one block goes on for ever: each further zero byte is four
    /// times "the last byte, 258 times again".
    const BOMB: &str = "1f8b0800000000000203edc1010d000000c2a0f74f6d0e37a0";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_decompression_bomb_is_capped() {
        let mut bomb = hex::decode(BOMB).unwrap();
        bomb.resize(100_000, 0);
        // About 100 MB when it is unpacked.
        let upstream = Upstream::says(ok_with("content-encoding: gzip\r\n", &bomb));
        let failed = exchange(&outbound(), get(&upstream.url("/"))).await.unwrap_err();
        assert_eq!(failed.kind, ExchangeFailure::TooLarge { limit: 64 * 1024 });
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn bodies_are_decompressed_and_bad_ones_named() {
        let good = hex::decode("1f8b08000000000002ffcb48cdc9c9070086a6103605000000").unwrap();
        let upstream = Upstream::answers(ok_with("content-encoding: gzip\r\n", &good));
        let answer = exchange(&outbound(), get(&upstream.url("/"))).await.unwrap();
        assert_eq!(answer.body, "hello");
        assert_eq!(header(&answer.headers, "content-encoding"), None);

        let bomb = hex::decode(BOMB).unwrap();
        for bad in [&b"no gzip at all"[..], &good[..15], &bomb] {
            let upstream = Upstream::answers(ok_with("content-encoding: gzip\r\n", bad));
            let result = exchange(&outbound(), get(&upstream.url("/"))).await;
            let failed = result.expect_err(&hex::encode(bad));
            assert!(matches!(failed.kind, ExchangeFailure::InvalidResponse { .. }), "{failed:?}");
            assert_eq!(failed.status, Some(200));
        }

        // The connection's end is not the decoder's fault.
        let half = [b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 25\r\n\r\n", &good[..15]]
            .concat();
        let upstream = Upstream::says(half);
        let failed = exchange(&outbound(), get(&upstream.url("/"))).await.unwrap_err();
        assert!(matches!(failed.kind, ExchangeFailure::Cut { .. }), "{failed:?}");
    }

    /// The test decides when the deadline comes: when the upstream has said all it will say.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_deadline_covers_the_head_and_the_last_byte() {
        let drips = [
            ("", None),
            ("HTTP/1.1 200 OK\r\nx-a: b\r\n", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", Some(200)),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", Some(200)),
        ];
        for (said, status) in drips {
            let (tell, mut told) = mpsc::unbounded_channel();
            let upstream = Upstream::script(move |peer| {
                peer.request();
                peer.say(said.as_bytes());
                tell.send(()).unwrap();
                peer.wait_for_the_end();
                tell.send(()).unwrap();
            });
            let url = upstream.url("/");
            let outbound = outbound();
            let deadline = async { told.recv().await.unwrap() };
            let failed = outbound.exchange(get(&url), deadline, 750).await.unwrap_err();
            assert_eq!(failed.kind, ExchangeFailure::Timeout { after_ms: 750 });
            assert!(failed.sent && failed.phases.connect_ms.is_some(), "{failed:?}");
            // The head may or may not have been read when the deadline came.
            assert!(failed.status.is_none() || failed.status == status, "{failed:?}");
            // And the connection is closed: nobody waits for the rest.
            told.recv().await.unwrap();
        }
    }

    /// The upstream can only say so much when the client has read the head and goes on reading.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_deadline_ends_a_body_in_the_middle() {
        const SAID: usize = 24 * 1024 * 1024;
        let (tell, mut told) = mpsc::unbounded_channel();
        let upstream = Upstream::script(move |peer| {
            peer.request();
            peer.say(format!("HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: {}\r\n\r\n", SAID + 1).as_bytes());
            peer.say(&vec![b'a'; SAID]);
            tell.send(()).unwrap();
            peer.wait_for_the_end();
            tell.send(()).unwrap();
        });
        let outbound = outbound_with(&["127.0.0.1".to_owned()], SAID + 1, leads_to(&[]));
        let deadline = async { told.recv().await.unwrap() };
        let failed = outbound.exchange(get(&upstream.url("/")), deadline, 750).await.unwrap_err();
        assert_eq!(failed.kind, ExchangeFailure::Timeout { after_ms: 750 });
        assert_eq!((failed.status, failed.sent), (Some(200), true));
        assert_eq!(header(&failed.headers, "x-a").as_deref(), Some("b"));
        assert!(failed.phases.first_byte_ms.is_some());
        told.recv().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_deadline_before_the_connection_stood_sent_nothing() {
        let look_up = Arc::new(Listed { hangs_from: Some(0), ..Listed::default() });
        let outbound = outbound_with(&[], 100, Arc::clone(&look_up));
        let deadline = look_up.hanging.notified();
        let failed = outbound.exchange(get("http://registry.example/"), deadline, 5).await.unwrap_err();
        assert_eq!(failed.kind, ExchangeFailure::Timeout { after_ms: 5 });
        assert!(!failed.sent, "{failed:?}");
        assert_eq!((failed.phases.dns_ms, failed.phases.connect_ms), (None, None));
    }

    /// The second call begins a connection of its own whose look-up hangs; then the first call's
    /// connection comes free, the second takes it, and its request leaves.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_request_that_left_on_a_freed_connection_counts_as_sent() {
        let addresses = Some(vec![Ipv4Addr::LOCALHOST.into()]);
        let look_up = Arc::new(Listed { addresses, hangs_from: Some(1), ..Listed::default() });
        let (tell, mut told) = mpsc::unbounded_channel();
        let (free, freed) = std::sync::mpsc::channel::<()>();
        let freed = Mutex::new(freed);
        let upstream = Upstream::script(move |peer| {
            peer.request();
            freed.lock().unwrap().recv().unwrap();
            peer.say(&ok_with("", b"ok"));
            peer.request();
            tell.send(()).unwrap();
            peer.wait_for_the_end();
        });
        let outbound = outbound_with(&["127.0.0.1".to_owned()], 100, Arc::clone(&look_up));
        let url = format!("http://registry.example:{}/", upstream.address.port());
        let (start, started) = tokio::sync::oneshot::channel();

        let first = exchange(&outbound, get(&url));
        let second = async {
            started.await.unwrap();
            let deadline = async { told.recv().await.unwrap() };
            outbound.exchange(get(&url), deadline, 5).await
        };
        let direct = async {
            while upstream.heads().is_empty() {
                tokio::task::yield_now().await;
            }
            start.send(()).unwrap();
            look_up.hanging.notified().await;
            free.send(()).unwrap();
        };
        let (first, second, ()) = tokio::join!(first, second, direct);
        assert_eq!(first.unwrap().body, "ok");
        let failed = second.unwrap_err();
        assert_eq!(failed.kind, ExchangeFailure::Timeout { after_ms: 5 });
        assert!(failed.sent, "the request had left: {failed:?}");
        assert_eq!((failed.phases.dns_ms, failed.phases.connect_ms), (None, None));
    }
}
