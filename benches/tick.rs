//! Many cases due at one tick: the real binary, a provider that answers at once. Checks that each
//! case is fetched once and prints how creating cases fares meanwhile, and what memory it takes.
//!
//! `cargo bench --bench tick -- [CASES] [CLIENTS]` (100000 and 4). The clients create cases of
//! another type, without fields, one after the other: first while nothing else happens, then
//! from the tick's beginning until its last run has ended. Behind `tests/postgres` it runs on
//! PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measuring program: it reads the real clock, prints figures and stops at the first surprise"
)]

mod served;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use served::{Database, TOKEN, cpu, percentile, provider, resident, serve};

/// Cases created to see how fast that is when nothing else happens.
const IDLE: usize = 4000;

struct Client {
    http: reqwest::Client,
    base: String,
}

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<usize>().ok());
    let (cases, clients) = (numbers.next().unwrap_or(100_000), numbers.next().unwrap_or(4));
    let asked = Arc::new(Mutex::new(HashMap::<String, usize>::new()));
    let count = asked.clone();
    let provider =
        provider(move |line| *count.lock().unwrap().entry(line.to_owned()).or_insert(0) += 1).await;
    let database = Database::open(None);
    let (process, base) = serve(&database, &provider);
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let client = Arc::new(Client { http, base });
    client.define(&provider).await;
    create(&client, "due", 32, Until::Count(cases)).await;
    let mut idle = create(&client, "plain", clients, Until::Count(IDLE)).await;
    let resident_idle = resident(process.0.id());

    let (began, done) = (Instant::now(), Arc::new(AtomicBool::new(false)));
    client.tick().await;
    let creating = create(&client, "plain", clients, Until::Done(done.clone()));
    let waiting = async {
        let (mut fired, mut peak) = (None, 0);
        while asked.lock().unwrap().values().sum::<usize>() < cases || !client.is_settled().await {
            peak = peak.max(resident(process.0.id()));
            fired = fired.or((client.queued().await >= cases).then(|| began.elapsed()));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        done.store(true, Ordering::Relaxed);
        (fired.unwrap_or_else(|| began.elapsed()), peak)
    };
    let (mut during, (fired, peak)) = tokio::join!(creating, waiting);
    let all = began.elapsed();

    assert_eq!(client.queued().await, cases, "runs that the tick queued");
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), cases, "cases that were fetched");
    assert!(asked.values().all(|times| *times == 1), "a case was fetched twice");
    let on = if database.is_shared() { "PostgreSQL" } else { "SQLite" };
    println!("cases {cases}, clients {clients}, on {on}: each fired once");
    println!("fired s       {:.1}", fired.as_secs_f64());
    println!("enriched s    {:.1}  ({:.0}/s)", all.as_secs_f64(), cases as f64 / all.as_secs_f64());
    for (when, times) in [("idle  ", &mut idle), ("during", &mut during)] {
        let (p50, p99) = (percentile(times, 50), percentile(times, 99));
        println!(
            "create ms     {when}  p50 {p50:.1}  p99 {p99:.1}  max {:.1}  n {}",
            percentile(times, 100),
            times.len()
        );
    }
    println!("resident MiB  idle {resident_idle}  peak {peak}");
    println!("cpu s         {:.2}", cpu(process.0.id()));
}

impl Client {
    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}{path}", self.base);
        let request = self.http.request(method.parse().unwrap(), url).bearer_auth(TOKEN);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn define(&self, provider: &str) {
        let due = json!({"fields": [{
            "key": "check", "type": "api_call", "trigger": "scheduled",
            "schedule": {"cron": "0 6 1 1 *", "timezone": "Europe/Berlin"},
            "api_config": {
                "url": format!("http://{provider}/check"), "params": {"case": "{case.id}"},
                "response_mapping": {"name": "$.name", "score": {"path": "$.score", "type": "integer"}},
            },
        }]});
        self.send("PUT", "/v1/case-types/due", Some(due)).await;
        self.send("PUT", "/v1/case-types/plain", Some(json!({"fields": []}))).await;
    }

    /// The one schedule.
    async fn schedule(&self) -> Value {
        self.send("GET", "/v1/schedules", None).await["items"][0].take()
    }

    async fn tick(&self) {
        let id = self.schedule().await["id"].as_str().unwrap().to_owned();
        self.send("POST", &format!("/v1/schedules/{id}/run"), None).await;
    }

    /// Runs that the tick has queued so far.
    async fn queued(&self) -> usize {
        usize::try_from(self.schedule().await["last_runs"].as_u64().unwrap()).unwrap()
    }

    /// Whether no run waits or works.
    async fn is_settled(&self) -> bool {
        let mut open = 0;
        for status in ["queued", "running"] {
            let page = self.send("GET", &format!("/v1/cases?limit=1&field.check={status}"), None).await;
            open += page["items"].as_array().unwrap().len();
        }
        open == 0
    }
}

/// How long cases are created.
enum Until {
    Count(usize),
    Done(Arc<AtomicBool>),
}

/// Creates cases, `clients` at once; answers how long each took, in ms.
async fn create(client: &Arc<Client>, case_type: &'static str, clients: usize, until: Until) -> Vec<f64> {
    let made = Arc::new(AtomicUsize::new(0));
    let (most, done) = match until {
        Until::Count(count) => (count, Arc::default()),
        Until::Done(done) => (usize::MAX, done),
    };
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (client, made, done) = (client.clone(), made.clone(), done.clone());
            tokio::spawn(async move {
                let mut times = Vec::new();
                while made.fetch_add(1, Ordering::Relaxed) < most && !done.load(Ordering::Relaxed) {
                    let body = json!({"case_type": case_type, "title": "Tick", "data": {"country": "BE"}});
                    let began = Instant::now();
                    client.send("POST", "/v1/cases", Some(body)).await;
                    times.push(began.elapsed().as_secs_f64() * 1000.0);
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    times
}
