//! The end-to-end load run: the real binary, cases created over HTTP by many clients at once, a
//! provider that answers at once, everything on. Prints one line of figures per measure.
//!
//! `cargo bench --bench load -- [CASES] [CLIENTS] [OPTIONS]` (2000 and 32). Time to enriched is the
//! run's `ended_at` less its `created_at`, as the history tells it, so measuring costs nothing.
//!
//! - `--database URL` (or `DOSSIER_BENCH_DATABASE`): on this PostgreSQL database. Without it, on one
//!   of its own in the cluster that `tests/postgres cargo bench …` starts (which does not wait for
//!   the disk), else on SQLite.
//! - `--replicas N`: so many processes on that PostgreSQL, the clients spread over them.
//! - `--connection`: the field names a connection with a breaker and a rate limit that never binds.
//!   What a run costs more than without it is what breaker and limiter cost.
//! - `--cached`: the cases ask for 100 different things, and answers are kept for an hour.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measuring program: it reads the real clock, prints figures and stops at the first surprise"
)]

mod served;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use served::{Database, Process, TOKEN, cpu, percentile, provider, resident, serve};

/// Different things that the cases of `--cached` ask for.
const VALUES: usize = 100;

/// What is measured.
struct Options {
    cases: usize,
    clients: usize,
    database: Option<String>,
    replicas: usize,
    connection: bool,
    cached: bool,
}

impl Options {
    fn read(words: impl Iterator<Item = String>) -> Self {
        let mut options =
            Self { cases: 2000, clients: 32, database: None, replicas: 1, connection: false, cached: false };
        let (mut words, mut numbers) = (words, Vec::new());
        while let Some(word) = words.next() {
            match word.as_str() {
                "--database" => options.database = Some(words.next().expect("--database URL")),
                "--replicas" => {
                    let count = words.next().and_then(|word| word.parse().ok());
                    options.replicas = count.filter(|count| *count > 0).expect("--replicas N, from 1");
                }
                "--connection" => options.connection = true,
                "--cached" => options.cached = true,
                // Cargo's own.
                "--bench" => {}
                other => numbers.push(other.parse().unwrap_or_else(|_| panic!("what is `{other}`?"))),
            }
        }
        let mut numbers = numbers.into_iter();
        options.cases = numbers.next().unwrap_or(options.cases);
        options.clients = numbers.next().unwrap_or(options.clients);
        options
    }
}

/// The processes, and who talks to them.
struct Load {
    processes: Vec<Process>,
    bases: Vec<String>,
    http: reqwest::Client,
    options: Options,
}

#[tokio::main]
async fn main() {
    let options = Options::read(std::env::args().skip(1));
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let provider = provider(move |_| _ = count.fetch_add(1, Ordering::Relaxed)).await;
    let database = Database::open(options.database.clone());
    assert!(options.replicas == 1 || database.is_shared(), "several processes need PostgreSQL: see the head");
    let (processes, bases) = (0..options.replicas).map(|_| serve(&database, &provider)).unzip();
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(options.clients).build().unwrap();
    let load = Load { processes, bases, http, options };
    load.define(&provider).await;
    let (cases, clients) = (load.options.cases, load.options.clients);
    load.create(load.warm_up()).await;
    load.settle().await;
    let called = calls.load(Ordering::Relaxed);
    let first = Instant::now();
    let mut created = load.create(cases).await;
    let creating = first.elapsed();
    load.settle().await;
    let all = first.elapsed();
    let called = calls.load(Ordering::Relaxed) - called;
    let mut enriched = load.enriched().await;
    println!("cases {cases}, clients {clients}, {}", load.what(&database));
    println!("created/s     {:.0}", per_second(cases, creating));
    println!("enriched/s    {:.0}", per_second(cases, all));
    for (name, times) in [("create  ", &mut created), ("enriched", &mut enriched)] {
        println!("{name} ms   p50 {:.1}  p99 {:.1}", percentile(times, 50), percentile(times, 99));
    }
    println!("calls         {called}");
    println!("resident MiB  {}", load.each(|pid| resident(pid).to_string()));
    println!("cpu s         {}", load.each(|pid| format!("{:.2}", cpu(pid))));
}

impl Load {
    /// What was measured, in words.
    fn what(&self, database: &Database) -> String {
        let Options { replicas, connection, cached, .. } = self.options;
        let on = if database.is_shared() { "PostgreSQL" } else { "SQLite" };
        let connection = if connection { ", breaker and limit" } else { "" };
        let cached = if cached { ", cached" } else { "" };
        format!("{replicas} on {on}{connection}{cached}")
    }

    /// Cases that are created before it counts: so many that each process knows nearly every answer.
    fn warm_up(&self) -> usize {
        if self.options.cached { VALUES * 4 * self.options.replicas } else { self.options.clients * 4 }
    }

    /// A figure of each process.
    fn each(&self, figure: impl Fn(u32) -> String) -> String {
        let figures: Vec<_> = self.processes.iter().map(|process| figure(process.0.id())).collect();
        figures.join(" ")
    }

    async fn put(&self, path: &str, body: &Value) {
        let url = format!("{}{path}", self.bases[0]);
        let answer = self.http.put(url).bearer_auth(TOKEN).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.bases[0]);
        self.http.get(url).bearer_auth(TOKEN).send().await.unwrap().json().await.unwrap()
    }

    async fn define(&self, provider: &str) {
        let mut field = json!({"key": "check", "type": "api_call", "api_config": {
            "url": format!("http://{provider}/check"), "params": {"vat": "{data.vat}"},
            "response_mapping": {"name": "$.name", "address.city": {"path": "$.address.city", "transform": "value | upper"},
                "score": {"path": "$.score", "type": "integer"}},
        }});
        if self.options.connection {
            let limit = json!({"windows": [{"limit": 1_000_000, "period": 60}]});
            let breaker = json!({"failures": 5, "open_seconds": 30});
            let body =
                json!({"base_url": format!("http://{provider}"), "rate_limit": limit, "breaker": breaker});
            self.put("/v1/connections/load", &body).await;
            field["api_config"]["connection"] = json!("load");
            field["api_config"]["url"] = json!("/check");
        }
        if self.options.cached {
            field["cache_duration"] = json!(3600);
        }
        self.put("/v1/case-types/load", &json!({"key": "load", "fields": [field]})).await;
    }

    /// Creates cases, the clients at once; answers how long each took, in ms.
    async fn create(&self, cases: usize) -> Vec<f64> {
        let next = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..self.options.clients)
            .map(|client| {
                let url = format!("{}/v1/cases", self.bases[client % self.bases.len()]);
                let values = if self.options.cached { VALUES } else { usize::MAX };
                tokio::spawn(create(self.http.clone(), url, next.clone(), cases, values))
            })
            .collect();
        let mut times = Vec::with_capacity(cases);
        for client in clients {
            times.extend(client.await.unwrap());
        }
        times
    }

    /// Returns when no run waits or works.
    async fn settle(&self) {
        for _ in 0..30_000 {
            let mut open = 0;
            for status in ["queued", "running"] {
                let page = self.get(&format!("/v1/cases?limit=1&field.check={status}")).await;
                open += page["items"].as_array().map_or(1, Vec::len);
            }
            if open == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the runs do not end");
    }

    /// From queued to ended, in ms, of the newest runs; all must have succeeded.
    async fn enriched(&self) -> Vec<f64> {
        let mut times = Vec::with_capacity(self.options.cases);
        let mut cursor = String::new();
        while times.len() < self.options.cases {
            let page = self.get(&format!("/v1/runs?limit=200{cursor}")).await;
            for run in page["items"].as_array().unwrap() {
                assert_eq!(run["status"], "succeeded", "{run}");
                times.push(millis(&run["ended_at"]) - millis(&run["created_at"]));
            }
            cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
        }
        times.truncate(self.options.cases);
        times
    }
}

/// One client: takes the next number and creates its case until there are enough.
async fn create(
    http: reqwest::Client,
    url: String,
    next: Arc<AtomicUsize>,
    cases: usize,
    values: usize,
) -> Vec<f64> {
    let mut times = Vec::new();
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= cases {
            return times;
        }
        let vat = format!("BE{:010}", n % values);
        let body = json!({"case_type": "load", "title": "Load", "data": {"vat": vat, "country": "BE"}});
        let began = Instant::now();
        let answer = http.post(&url).bearer_auth(TOKEN).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        answer.bytes().await.unwrap();
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
}

fn millis(at: &Value) -> f64 {
    let at = chrono::DateTime::parse_from_rfc3339(at.as_str().unwrap()).unwrap();
    at.timestamp_micros() as f64 / 1000.0
}

fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
