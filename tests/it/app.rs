//! Dossier as a test uses it: started in this process with a clock that the test moves, a
//! scripted provider beside it, and every door but HTTP closed.
//!
//! When it is dropped it looks back: no call that nobody expected, and no secret marker in any
//! log line or answer.

use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use dossier::app::{App, AppOptions, SystemRng};
use dossier::config::Settings;
use dossier::domain::clock::{Clock, Instant};
use dossier::domain::lane::{Lane, LaneKey};
use dossier::service::Services;
use dossier::store::{LanePlace, LaneSettings};
use dossier::telemetry::LogRedactor;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::database::TestDatabase;
use crate::upstream::{Upstream, client};

/// A value that must never be seen outside of a request to the provider.
pub const MARKER: &str = "mArKeR-s3cr3t/+value";

/// The admin token of the workspace `default`.
pub const TOKEN: &str = "test-admin-token";

/// A clock that stands until it is moved.
pub struct ManualClock(watch::Sender<DateTime<Utc>>);

impl ManualClock {
    fn new() -> Self {
        Self(watch::Sender::new(Utc.with_ymd_and_hms(2026, 11, 21, 9, 0, 0).unwrap()))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        *self.0.borrow()
    }

    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut time = self.0.subscribe();
        Box::pin(async move {
            let _ = time.wait_for(|now| *now >= at).await;
        })
    }
}

/// What the process logged.
#[derive(Clone, Default)]
struct LogLines(Arc<Mutex<Vec<u8>>>);

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An answer of the API.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The stable code of a problem.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The body, when the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }
}

/// A running Dossier with its provider.
pub struct TestApp {
    pub upstream: Upstream,
    pub clock: Arc<ManualClock>,
    pub settings: Settings,
    app: Option<App>,
    base: String,
    http: reqwest::Client,
    logs: LogLines,
    seen: Mutex<Vec<String>>,
    pub database: Arc<TestDatabase>,
    _folder: tempfile::TempDir,
}

impl TestApp {
    /// With default settings and the provider allowed.
    pub async fn spawn() -> Self {
        Self::spawn_with(&[]).await
    }

    /// With these settings (environment spelling without the prefix: `LIMITS__CASE_BYTES`).
    pub async fn spawn_with(more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Arc::new(TestDatabase::create(folder.path()));
        Box::pin(Self::spawn_on(database, folder, more)).await
    }

    /// Another one on the same database (PostgreSQL only), with a clock and a provider of its
    /// own, as a process on another machine would be; the first one's provider is allowed.
    pub async fn beside(&self, more: &[(&str, &str)]) -> Self {
        let allow = [("NETWORK__ALLOW", self.upstream.authority())];
        let allow = allow.iter().map(|(name, value)| (*name, value.as_str()));
        let more: Vec<_> = allow.chain(more.iter().copied()).collect();
        Box::pin(Self::spawn_on(self.database.clone(), tempfile::tempdir().unwrap(), &more)).await
    }

    async fn spawn_on(database: Arc<TestDatabase>, folder: tempfile::TempDir, more: &[(&str, &str)]) -> Self {
        let upstream = Upstream::start().await;
        let mut vars = vec![
            ("DOSSIER__SERVER__LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("DOSSIER__SECURITY__ADMIN_TOKEN".to_owned(), TOKEN.to_owned()),
            ("DOSSIER__NETWORK__ALLOW".to_owned(), upstream.authority()),
        ];
        let of_database = database.settings(folder.path()).into_iter();
        vars.extend(of_database.map(|(name, value)| (format!("DOSSIER__{name}"), value)));
        for (name, value) in more {
            let name = format!("DOSSIER__{name}");
            vars.retain(|(known, _)| *known != name);
            vars.push((name, (*value).to_owned()));
        }
        let settings = Settings::load(None, vars.into_iter()).unwrap();
        let logs = LogLines::default();
        let lines = logs.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter("dossier=trace,info")
            .with_ansi(false)
            .with_writer(move || lines.clone())
            .finish();
        // One test is one process; a second app of the same test logs to the first one's lines.
        let _ = tracing::subscriber::set_global_default(subscriber);
        let clock = Arc::new(ManualClock::new());
        let app = start(&settings, &clock, true).await;
        let base = format!("http://{}", app.address.unwrap());
        Self {
            upstream,
            clock,
            settings,
            app: Some(app),
            base,
            http: client(),
            logs,
            seen: Mutex::default(),
            database,
            _folder: folder,
        }
    }

    /// Stops the process gracefully and starts it again on the same data.
    pub async fn restart(&mut self) {
        self.app.take().unwrap().stop(Duration::ZERO).await;
        let app = start(&self.settings, &self.clock, true).await;
        self.base = format!("http://{}", app.address.unwrap());
        self.app = Some(app);
    }

    /// Stops the process gracefully, for good.
    pub async fn stop(mut self) {
        self.app.take().unwrap().stop(Duration::ZERO).await;
    }

    fn app(&self) -> &App {
        self.app.as_ref().unwrap()
    }

    /// `http://127.0.0.1:PORT` and the path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A request with the admin token, not yet sent.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method.parse().unwrap(), self.url(path)).bearer_auth(TOKEN)
    }

    /// Sends a request and reads the answer.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        self.seen.lock().unwrap().push(text.clone());
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request("DELETE", path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request("POST", path).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request("PUT", path).json(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request("PATCH", path).json(body)).await
    }

    /// Saves the case type `test` with these fields; answers what the API answered.
    pub async fn define(&self, fields: Value) -> Value {
        let answer = self.put("/v1/case-types/test", &json!({"key": "test", "fields": fields})).await;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
        answer.body
    }

    /// An API Call field that asks the provider for `path` and maps `$.value` to `value`,
    /// with members of the field and of its `api_config` set or replaced.
    pub fn field(&self, path: &str, field: Value, config: Value) -> Value {
        let mut made = json!({
            "key": "check",
            "type": "api_call",
            "api_config": {"url": self.upstream.url(path), "response_mapping": {"value": "$.value"}},
        });
        merge(&mut made, field);
        merge(&mut made["api_config"], config);
        made
    }

    /// Saves the case type `test` with one such field.
    pub async fn define_one(&self, path: &str, field: Value, config: Value) {
        self.define(json!([self.field(path, field, config)])).await;
    }

    /// Creates a case of the type `test`; answers its id.
    pub async fn create(&self, data: Value) -> String {
        let body = self.post("/v1/cases", &json!({"case_type": "test", "data": data})).await.expect(201);
        body["id"].as_str().unwrap().to_owned()
    }

    /// Creates a case, lets everything that is due happen, and answers the case.
    pub async fn filled(&self, data: Value) -> Value {
        let id = self.create(data).await;
        self.drain().await;
        self.case(&id).await
    }

    /// A case.
    pub async fn case(&self, id: &str) -> Value {
        self.get(&format!("/v1/cases/{id}")).await.expect(200)
    }

    /// The runs of a case, newest first, each with its attempts.
    pub async fn runs(&self, case: &str) -> Vec<Value> {
        let list = self.get(&format!("/v1/runs?case={case}")).await.expect(200);
        let mut runs = Vec::new();
        for run in list["items"].as_array().unwrap() {
            let id = run["id"].as_str().unwrap();
            runs.push(self.get(&format!("/v1/runs/{id}")).await.expect(200));
        }
        runs
    }

    /// Returns when no run is due and none is in flight.
    pub async fn drain(&self) {
        let signals = self.app().services.store.signals().clone();
        let mut idle = self.app().worker.idle();
        loop {
            let target = *signals.queued().borrow();
            idle.wait_for(|seen| *seen >= target).await.unwrap();
            if *signals.queued().borrow() == target {
                return;
            }
        }
    }

    /// Moves the clock and lets what became due happen.
    pub async fn advance(&self, by: Duration) {
        self.move_clock(by);
        self.drain().await;
    }

    /// Moves the clock only.
    pub fn move_clock(&self, by: Duration) {
        self.clock.0.send_modify(|now| *now += by);
        self.app().services.store.signals().wake();
    }

    /// Sets the clock to an RFC 3339 time.
    pub fn set_clock(&self, at: &str) {
        self.clock.0.send_replace(DateTime::parse_from_rfc3339(at).unwrap().with_timezone(&Utc));
        self.app().services.store.signals().wake();
    }

    /// A tick of the schedules, as the clock's door makes one every second.
    pub async fn tick(&self) {
        self.app().cron.tick().await.unwrap();
    }

    /// The use cases below the door.
    pub fn services(&self) -> &Services {
        &self.app().services
    }

    /// Another process on the same database, which does not serve.
    pub async fn another_process(&self) -> App {
        start(&self.settings, &self.clock, false).await
    }

    /// The lane of the provider beside the test, as a row has it.
    pub async fn lane(&self) -> Lane {
        let (workspace, key) = self.lane_place().await;
        self.services().store.read().await.unwrap().lane(workspace, &key).await.unwrap().unwrap_or_default()
    }

    /// Gives that lane settings, as the save of a connection does.
    pub async fn put_lane(&self, settings: LaneSettings) {
        let ((workspace, key), now) = (self.lane_place().await, self.clock.now());
        let put = self
            .services()
            .store
            .write(move |tx| Box::pin(async move { tx.put_lane(workspace, &key, &settings, now).await }));
        put.await.unwrap();
    }

    /// Resumes that lane, as a person does.
    pub async fn resume_lane(&self) {
        let ((workspace, key), now) = (self.lane_place().await, self.clock.now());
        let resume = self
            .services()
            .store
            .write(move |tx| Box::pin(async move { tx.resume_lane(workspace, &key, now).await }));
        resume.await.unwrap();
    }

    /// Opens the circuit of that lane, as a person does.
    pub async fn open_circuit(&self) {
        let ((workspace, key), now) = (self.lane_place().await, self.clock.now());
        let open = self.services().store.write(move |tx| {
            Box::pin(async move { tx.set_circuits(workspace, &key, (&[None], true), now).await })
        });
        open.await.unwrap();
    }

    async fn lane_place(&self) -> LanePlace {
        let tx = self.services().store.read().await.unwrap();
        let workspace = tx.find_workspace(&"default".parse().unwrap()).await.unwrap().unwrap();
        (workspace.id, LaneKey::of_origin(&self.upstream.url("/").parse().unwrap()))
    }

    /// One tick of the sweep, and what follows from it.
    pub async fn sweep(&self) {
        self.app().sweeper.sweep().await.unwrap();
        self.drain().await;
    }

    /// What the process logged so far.
    pub fn log_lines(&self) -> String {
        String::from_utf8_lossy(&self.logs.0.lock().unwrap()).into_owned()
    }

    /// What lies in the database, as bytes.
    pub fn database_bytes(&self) -> Vec<u8> {
        self.database.bytes()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log_lines());
            return;
        }
        let unexpected = self.upstream.unexpected();
        assert!(unexpected.is_empty(), "calls that nobody expected: {unexpected:?}");
        assert!(!self.log_lines().contains(MARKER), "a log line holds the secret");
        assert!(
            !self.seen.lock().unwrap().iter().any(|text| text.contains(MARKER)),
            "an answer holds the secret"
        );
    }
}

async fn start(settings: &Settings, clock: &Arc<ManualClock>, serves: bool) -> App {
    let options = AppOptions { serves, ticks: false };
    App::start(settings, options, clock.clone(), Arc::new(SystemRng::default()), &LogRedactor::default())
        .await
        .unwrap()
}

/// Sets members of an object.
fn merge(target: &mut Value, members: Value) {
    let Value::Object(members) = members else { return };
    for (name, value) in members {
        target[name] = value;
    }
}

/// Seconds.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
