//! Making a connection, and what a call knows of it.
//!
//! The client hides how a request came to its connection: it may take a kept one, make one, or
//! begin to make one, take a kept one that became free first and finish the other in the
//! background. Phases and the question "may some of the request have left?" need to know which. So
//! a call runs inside [`Call::around`]; the layer around the client's connector finds it in a
//! task-local, hands the resolver what it needs the same way, and notes when the connection stood.
//!
//! The non-obvious part: when the deadline ends a call, the client's future is dropped, and with it
//! the connection it was waiting for. A dial that is *abandoned* then proves that nothing was sent;
//! one that is still going on by itself proves that the request left on a kept connection.

use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use tower::{Layer, Service};

use crate::domain::clock::{Instant, SharedClock};

tokio::task_local! {
    static CALL: Arc<Call>;
    static DIAL: Arc<Dial>;
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The dial on whose behalf the current code runs.
pub fn current() -> Option<Arc<Dial>> {
    DIAL.try_with(Arc::clone).ok()
}

/// One exchange, as far as its connection goes.
pub struct Call {
    clock: SharedClock,
    started: Instant,
    port: u16,
    /// The last dial: the client begins another one only when the one before led nowhere.
    dial: Mutex<Option<Arc<Dial>>>,
}

impl Call {
    /// A call to this port that starts now.
    pub fn start(clock: SharedClock, port: u16) -> Arc<Self> {
        let started = clock.now();
        Arc::new(Self { clock, started, port, dial: Mutex::new(None) })
    }

    /// Runs a request of the client as this call.
    pub fn around<F: Future>(self: &Arc<Self>, request: F) -> impl Future<Output = F::Output> {
        CALL.scope(Arc::clone(self), request)
    }

    /// Milliseconds since the start.
    pub fn elapsed_ms(&self) -> u64 {
        between_ms(self.started, self.clock.now())
    }

    /// Whether some of the request may have left. Asked when the request was dropped: false then
    /// says that its connection was dropped with it before it stood.
    pub fn may_have_sent(&self) -> bool {
        let ended = self.last_dial().and_then(|dial| dial.ended.get().copied());
        !matches!(ended, Some(Ended::Nowhere))
    }

    /// `dns_ms` and `connect_ms`; both null where the request left on a kept connection.
    pub fn connection_ms(&self) -> (Option<u64>, Option<u64>) {
        let Some(dial) = self.last_dial() else { return (None, None) };
        let Some(ended) = dial.ended.get() else { return (None, None) };
        let resolved = dial.resolved.get().copied();
        let dns_ms = resolved.map(|at| between_ms(dial.started, at));
        let connect_ms = match ended {
            Ended::Connected(at) => Some(between_ms(resolved.unwrap_or(dial.started), *at)),
            Ended::Nowhere => None,
        };
        (dns_ms, connect_ms)
    }

    fn last_dial(&self) -> Option<Arc<Dial>> {
        self.dial.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn dial(&self) -> Arc<Dial> {
        let dial = Arc::new(Dial {
            clock: Arc::clone(&self.clock),
            port: self.port,
            started: self.clock.now(),
            resolved: OnceLock::new(),
            ended: OnceLock::new(),
        });
        *self.dial.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&dial));
        dial
    }
}

/// One connection in the making.
pub struct Dial {
    clock: SharedClock,
    port: u16,
    started: Instant,
    resolved: OnceLock<Instant>,
    ended: OnceLock<Ended>,
}

#[derive(Debug, Clone, Copy)]
enum Ended {
    Connected(Instant),
    /// It failed, or was dropped before it stood.
    Nowhere,
}

impl Dial {
    /// Port of the URL.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Notes that the name is resolved.
    pub fn resolved(&self) {
        self.resolved.get_or_init(|| self.clock.now());
    }

    fn connected(&self) {
        self.ended.get_or_init(|| Ended::Connected(self.clock.now()));
    }
}

/// Ends its dial, when nothing else has.
struct Unfinished(Arc<Dial>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.ended.get_or_init(|| Ended::Nowhere);
    }
}

/// Puts [`Dialer`] around the client's connector.
#[derive(Debug, Clone, Copy)]
pub struct DialLayer;

impl<S> Layer<S> for DialLayer {
    type Service = Dialer<S>;

    fn layer(&self, inner: S) -> Dialer<S> {
        Dialer { inner }
    }
}

/// The client's connector, with the call it connects for.
#[derive(Debug, Clone)]
pub struct Dialer<S> {
    inner: S,
}

impl<S, R> Service<R> for Dialer<S>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
    S::Response: 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let Ok(dial) = CALL.try_with(|call| call.dial()) else {
            return Box::pin(async { Err("a connection outside of a call".into()) });
        };
        let connecting = self.inner.call(target);
        let unfinished = Unfinished(Arc::clone(&dial));
        Box::pin(DIAL.scope(dial, async move {
            let connection = connecting.await;
            if connection.is_ok() {
                unfinished.0.connected();
            }
            connection
        }))
    }
}

fn between_ms(from: Instant, to: Instant) -> u64 {
    u64::try_from((to - from).num_milliseconds()).unwrap_or_default()
}
