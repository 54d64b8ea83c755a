//! The providers of the tests: they answer what a test scripts and remember what they were asked.
//!
//! Each runs on a thread of its own, so that it answers whatever the test's runtime is doing,
//! and ends when it is dropped: its port then refuses connections. Nothing here sleeps: what
//! hangs is let go by [`Upstream::release`], what drips drips by [`Upstream::drip`], and
//! [`Upstream::wait_for_calls`] waits for an event.
//!
//! [`Upstream`] speaks HTTP, also badly; [`RawUpstream`] does to a connection what it is told.

mod reply;
mod wire;

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

pub use reply::{Reply, json, ok, status};
pub use wire::{Call, Step};
use wire::{Connection, Signals, play, read_request};

/// A scripted HTTP provider.
///
/// A call is answered by the newest route that fits, else by the next of the queue, else by the
/// default; a call that none of them expected gets 501 and stands in [`Upstream::unexpected`].
pub struct Upstream {
    state: Arc<State>,
    server: Server,
}

type Answering = Arc<dyn Fn(&Call) -> Reply + Send + Sync>;

#[derive(Default)]
struct State {
    script: Mutex<Script>,
    calls: watch::Sender<usize>,
    releases: watch::Sender<usize>,
    drips: watch::Sender<usize>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

#[derive(Default)]
struct Script {
    routes: Vec<(String, String, Answering)>,
    queue: VecDeque<Reply>,
    otherwise: Option<Answering>,
    calls: Vec<Call>,
    unexpected: Vec<Call>,
}

impl Upstream {
    /// A provider on a free loopback port.
    pub async fn start() -> Self {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// A provider at this address: one that comes back after it was gone.
    pub async fn start_on(address: SocketAddr) -> Self {
        let state = Arc::new(State::default());
        let shared = state.clone();
        let server =
            Server::start(address, move |socket, number| serve(shared.clone(), socket, number)).await;
        Self { state, server }
    }

    /// `http://127.0.0.1:PORT` and the path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    /// `127.0.0.1:PORT`, as `network.allow` and `hosts` take it.
    pub fn authority(&self) -> String {
        self.server.address.to_string()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Appends to the queue: one reply per call, in this order.
    pub fn answers(&self, replies: impl IntoIterator<Item = Reply>) -> Ready<()> {
        self.state.script.lock().unwrap().queue.extend(replies);
        ready(())
    }

    /// Answers every call of this method (`*`: any) and path with the reply.
    pub fn on(&self, method: &str, path: &str, reply: Reply) {
        self.on_with(method, path, move |_| reply.clone());
    }

    /// Answers the calls of this method and path with what the closure makes of them.
    pub fn on_with(&self, method: &str, path: &str, answer: impl Fn(&Call) -> Reply + Send + Sync + 'static) {
        let route = (method.to_owned(), path.to_owned(), Arc::new(answer) as Answering);
        self.state.script.lock().unwrap().routes.push(route);
    }

    /// Answers what no route and no queue answers.
    pub fn otherwise(&self, reply: Reply) {
        self.otherwise_with(move |_| reply.clone());
    }

    /// Answers what no route and no queue answers with what the closure makes of it.
    pub fn otherwise_with(&self, answer: impl Fn(&Call) -> Reply + Send + Sync + 'static) {
        self.state.script.lock().unwrap().otherwise = Some(Arc::new(answer));
    }

    /// Every call so far, in the order they arrived.
    pub fn calls(&self) -> Vec<Call> {
        self.state.script.lock().unwrap().calls.clone()
    }

    /// The calls that the script had no answer for.
    pub fn unexpected(&self) -> Vec<Call> {
        self.state.script.lock().unwrap().unexpected.clone()
    }

    /// How many calls have arrived so far.
    pub fn calls_so_far(&self) -> usize {
        *self.state.calls.borrow()
    }

    /// Waits until this many calls have arrived in all, answered or not.
    pub async fn wait_for_calls(&self, count: usize) -> Vec<Call> {
        self.state.calls.subscribe().wait_for(|calls| *calls >= count).await.unwrap();
        self.calls()
    }

    /// Lets every held reply go whose call has arrived.
    pub fn release(&self) {
        self.state.releases.send_modify(|releases| *releases += 1);
    }

    /// Lets one more byte out of every dripping reply.
    pub fn drip(&self) {
        self.state.drips.send_modify(|drips| *drips += 1);
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// The most calls that were open at one time.
    pub fn most_in_flight(&self) -> usize {
        self.state.most_in_flight.load(Ordering::SeqCst)
    }
}

/// One keep-alive connection of an [`Upstream`].
async fn serve(state: Arc<State>, socket: TcpStream, number: usize) {
    let mut connection = BufReader::new(socket);
    while let Ok(Some(call)) = read_request(&mut connection, number).await {
        let last = call.header("connection") == Some("close");
        let open = state.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_in_flight.fetch_max(open, Ordering::SeqCst);
        let goes_on = state.answer(&mut connection, call).await;
        state.in_flight.fetch_sub(1, Ordering::SeqCst);
        if last || !goes_on.unwrap_or(false) {
            return;
        }
    }
}

impl State {
    async fn answer(&self, connection: &mut Connection, call: Call) -> io::Result<bool> {
        let mut signals = Signals::new(&self.releases, &self.drips);
        let method = call.method.clone();
        let reply = self.script.lock().unwrap().reply(call);
        self.calls.send_modify(|calls| *calls += 1);
        play(connection, reply.steps(&method), &mut signals).await
    }
}

impl Script {
    /// Records the call and chooses its reply under one lock: the queue goes by arrival.
    fn reply(&mut self, call: Call) -> Reply {
        let route = self
            .routes
            .iter()
            .rev()
            .find(|(method, path, _)| (method == "*" || *method == call.method) && *path == call.path);
        let reply = match route {
            Some((_, _, answer)) => Some(answer(&call)),
            None => self.queue.pop_front().or_else(|| self.otherwise.as_ref().map(|answer| answer(&call))),
        };
        if reply.is_none() {
            self.unexpected.push(call.clone());
        }
        self.calls.push(call);
        reply.unwrap_or_else(|| json(501, "no reply was scripted for this call"))
    }
}

/// A provider that does to each connection what it is told, HTTP or not.
pub struct RawUpstream {
    server: Server,
}

impl RawUpstream {
    /// `script` says what happens to connection number 1, 2, …; then it is closed.
    pub async fn start(script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::start(address, move |socket, number| {
            let steps = script(number);
            async move {
                let (releases, drips) = (watch::Sender::new(0), watch::Sender::new(0));
                let mut signals = Signals::new(&releases, &drips);
                // A client that leaves early is no news.
                drop(play(&mut BufReader::new(socket), steps, &mut signals).await);
            }
        });
        Self { server: server.await }
    }

    /// `http://127.0.0.1:PORT` and the path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    /// `127.0.0.1:PORT`.
    pub fn authority(&self) -> String {
        self.server.address.to_string()
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }
}

/// A listener on a thread of its own, until it is dropped.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    async fn start<F, S>(address: SocketAddr, serve: S) -> Self
    where
        S: Fn(TcpStream, usize) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        // Made here, so that the port is open when this returns; moved to the other runtime.
        let listener = TcpListener::bind(address).await.unwrap().into_std().unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (stop, stopped) = oneshot::channel();
        let counter = connections.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
            runtime.block_on(accept(listener, stopped, &counter, serve));
        });
        Self { address, connections, stop: Some(stop), thread: Some(thread) }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().is_none_or(|thread| thread.join().is_ok());
        // A closure of the test that panicked on the thread is the test's failure too.
        assert!(ended || thread::panicking(), "the scripted provider panicked");
    }
}

async fn accept<F, S>(
    listener: std::net::TcpListener,
    mut stopped: oneshot::Receiver<()>,
    counter: &AtomicUsize,
    serve: S,
) where
    S: Fn(TcpStream, usize) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::from_std(listener).unwrap();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            Ok((socket, _)) = listener.accept() => {
                let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
                connections.spawn(serve(socket, number));
            }
            Some(ended) = connections.join_next() => ended.unwrap(),
        }
    }
}

/// A client of the tests' own: without the product's guard, limits and proxies.
#[expect(clippy::disallowed_methods, reason = "the product's only client is not under test here")]
pub fn client() -> reqwest::Client {
    // A second call fails with "already installed", which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// The same; it shows where an answer leads and does not go there.
#[expect(clippy::disallowed_methods, reason = "the product's only client is not under test here")]
pub fn client_that_stays() -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

#[cfg(test)]
mod tests;
