//! Routes, state and start of the sandbox, and the gate that every provider call passes.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, ResponseError as _};
use serde::{Deserialize, Serialize};

use super::data::{Company, DataError, World};
use super::fault::Fault;
use super::refusal::Refusal;
use super::{credit, geocode, guide, iban, rates, registry, vat};
use crate::domain::clock::SharedClock;

/// What a provider's handler answers.
pub(super) type Answer = Result<HttpResponse, Refusal>;

/// What a fault that never answers waits for: longer than anybody's deadline.
const FOREVER: Duration = Duration::from_mins(10);

/// What the running sandbox holds: the made-up world, the settings, and how often the faults of
/// the `503=2` kind have struck.
pub struct SandboxState {
    pub(super) world: World,
    pub(super) clock: SharedClock,
    settings: Mutex<Settings>,
    struck: Mutex<HashMap<String, u32>>,
}

/// What holds for all calls until it is changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// Every answer comes this much later.
    pub latency_ms: u64,
    /// As in [`Fault`]'s spelling.
    pub fault: Option<String>,
}

impl SandboxState {
    /// A sandbox as it starts: no latency, no fault but those of the companies.
    pub fn new(clock: SharedClock) -> Result<Self, DataError> {
        Ok(Self {
            world: World::read()?,
            clock,
            settings: Mutex::new(Settings::default()),
            struck: Mutex::new(HashMap::new()),
        })
    }

    pub(super) fn settings(&self) -> Settings {
        locked(&self.settings).clone()
    }

    pub(super) fn set(&self, settings: Settings) {
        *locked(&self.settings) = settings;
    }

    /// The gate of every provider call: waits, and refuses, as it was asked for. `endpoint` and
    /// `subject` say what the call is about, for the faults that strike a number of times;
    /// `company` brings its own fault.
    pub(super) async fn admit(
        &self,
        request: &HttpRequest,
        endpoint: &str,
        subject: &str,
        company: Option<&Company>,
    ) -> Result<(), Refusal> {
        let settings = self.settings();
        self.wait(Duration::from_millis(settings.latency_ms)).await;
        let asked = asked_by_caller(request).or(settings.fault);
        let fault = match asked {
            Some(text) => Some(text.parse::<Fault>().map_err(|error| Refusal::invalid(error.to_string()))?),
            None => company.and_then(|company| company.faults.get(endpoint).copied()),
        };
        match fault {
            Some(fault) => self.strike(fault, &format!("{endpoint} {subject} {fault}")).await,
            None => Ok(()),
        }
    }

    async fn strike(&self, fault: Fault, key: &str) -> Result<(), Refusal> {
        match fault {
            Fault::Status { status, times: None } => Err(Refusal::of_status(status)),
            Fault::Status { status, times: Some(times) } => {
                if self.strikes_again(key, times) {
                    Err(Refusal::of_status(status))
                } else {
                    Ok(())
                }
            }
            Fault::Slow(wait) => {
                self.wait(wait).await;
                Ok(())
            }
            Fault::Timeout => {
                self.wait(FOREVER).await;
                Err(Refusal::of_status(504))
            }
            Fault::Garbage => Err(Refusal::Garbage),
            Fault::Html => Err(Refusal::Html),
            Fault::Cut => Err(Refusal::Cut),
        }
    }

    /// Counts a strike; after `times` of them the count starts anew.
    fn strikes_again(&self, key: &str, times: u32) -> bool {
        let mut struck = locked(&self.struck);
        let count = struck.entry(key.to_owned()).or_default();
        let again = *count < times;
        *count = if again { *count + 1 } else { 0 };
        again
    }

    async fn wait(&self, wait: Duration) {
        if !wait.is_zero() {
            self.clock.sleep_until(self.clock.now() + wait).await;
        }
    }
}

/// The header goes before the query: it can be added to a request whose URL is fixed.
fn asked_by_caller(request: &HttpRequest) -> Option<String> {
    let header = request.headers().get("x-sandbox-fault").and_then(|value| value.to_str().ok());
    header.map(str::to_owned).or_else(|| query(request, "sandbox_fault"))
}

/// The first query value of this name, decoded; an empty one counts as none.
pub(super) fn query(request: &HttpRequest, name: &str) -> Option<String> {
    url::form_urlencoded::parse(request.query_string().as_bytes())
        .find(|(key, value)| key == name && !value.is_empty())
        .map(|(_, value)| value.into_owned())
}

/// The first query value of this name, or the provider's 400.
pub(super) fn required(request: &HttpRequest, name: &str) -> Result<String, Refusal> {
    query(request, name).ok_or_else(|| Refusal::invalid(format!("The query parameter `{name}` is required.")))
}

/// A panic while the lock was held left at worst a count that is one off.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The routes. The app must hold `Data<SandboxState>`.
pub fn configure(cfg: &mut ServiceConfig) {
    cfg.route("/registry/companies/{id}", web::get().to(registry::company))
        .route("/vat/check", web::get().to(vat::check))
        .route("/credit/score", web::post().to(credit::score))
        .route("/iban/check", web::get().to(iban::check))
        .route("/geocode/search", web::get().to(geocode::search))
        .route("/rates", web::get().to(rates::rates))
        .route("/sandbox", web::get().to(guide::guide))
        .route("/sandbox/settings", web::put().to(guide::settings))
        .default_service(web::to(nothing_here));
}

async fn nothing_here() -> HttpResponse {
    Refusal::missing("NOT_FOUND", "There is nothing here. GET /sandbox lists what there is.").error_response()
}

/// Serves the sandbox at this address (port 0: a free one) and answers where. The server runs
/// once it is awaited, until its handle stops it; it leaves the process's signals alone.
pub async fn start(listen: SocketAddr, clock: SharedClock) -> io::Result<(SocketAddr, Server)> {
    let state =
        SandboxState::new(clock).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let state = Data::new(state);
    let server = HttpServer::new(move || App::new().app_data(state.clone()).configure(configure))
        .workers(1)
        .disable_signals()
        .bind(listen)?;
    let address = server.addrs().first().copied().unwrap_or(listen);
    Ok((address, server.run()))
}
