//! The end-to-end load run: the real binary, cases created over HTTP by many clients at once, a
//! provider that answers at once, everything on. Prints one line of figures per measure.
//!
//! `cargo bench --bench load -- [CASES] [CLIENTS]` (2000 and 32). Time to enriched is the run's
//! `ended_at` less its `created_at`, as the history tells it, so measuring costs nothing.

#![expect(
    clippy::unwrap_used,
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
use served::{TOKEN, cpu, percentile, provider, resident, serve};

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<usize>().ok());
    let (cases, clients) = (numbers.next().unwrap_or(2000), numbers.next().unwrap_or(32));
    let provider = provider(|_| {}).await;
    let folder = tempfile::tempdir().unwrap();
    let (process, base) = serve(folder.path(), &provider);
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(clients).build().unwrap();
    define(&http, &base, &provider).await;
    create(&http, &base, clients * 4, clients).await;
    settle(&http, &base).await;
    let before = Instant::now();
    let (mut created, first) = (create(&http, &base, cases, clients).await, before);
    let creating = first.elapsed();
    settle(&http, &base).await;
    let all = first.elapsed();
    let mut enriched = enriched(&http, &base, cases).await;
    println!("cases {cases}, clients {clients}");
    println!("created/s     {:.0}", per_second(cases, creating));
    println!("enriched/s    {:.0}", per_second(cases, all));
    println!(
        "create ms     p50 {:.1}  p99 {:.1}",
        percentile(&mut created, 50),
        percentile(&mut created, 99)
    );
    println!(
        "enriched ms   p50 {:.1}  p99 {:.1}",
        percentile(&mut enriched, 50),
        percentile(&mut enriched, 99)
    );
    println!("resident MiB  {}", resident(process.0.id()));
    println!("cpu s         {:.2}", cpu(process.0.id()));
}

async fn define(http: &reqwest::Client, base: &str, provider: &str) {
    let body = json!({"key": "load", "fields": [{"key": "check", "type": "api_call", "api_config": {
        "url": format!("http://{provider}/check"), "params": {"vat": "{data.vat}"},
        "response_mapping": {"name": "$.name", "address.city": {"path": "$.address.city", "transform": "value | upper"},
            "score": {"path": "$.score", "type": "integer"}},
    }}]});
    let answer =
        http.put(format!("{base}/v1/case-types/load")).bearer_auth(TOKEN).json(&body).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// Creates cases, `clients` at once; answers how long each took, in ms.
async fn create(http: &reqwest::Client, base: &str, cases: usize, clients: usize) -> Vec<f64> {
    let next = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (http, url, next) = (http.clone(), format!("{base}/v1/cases"), next.clone());
            tokio::spawn(async move {
                let mut times = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= cases {
                        return times;
                    }
                    let body = json!({"case_type": "load", "title": "Load", "data": {"vat": format!("BE{n:010}"), "country": "BE"}});
                    let began = Instant::now();
                    let answer = http.post(&url).bearer_auth(TOKEN).json(&body).send().await.unwrap();
                    assert_eq!(answer.status(), 201);
                    answer.bytes().await.unwrap();
                    times.push(began.elapsed().as_secs_f64() * 1000.0);
                }
            })
        })
        .collect();
    let mut times = Vec::with_capacity(cases);
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    times
}

/// Returns when no run waits or works.
async fn settle(http: &reqwest::Client, base: &str) {
    for _ in 0..3000 {
        let mut open = 0;
        for status in ["queued", "running"] {
            let url = format!("{base}/v1/cases?limit=1&field.check={status}");
            let page: Value = http.get(url).bearer_auth(TOKEN).send().await.unwrap().json().await.unwrap();
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
async fn enriched(http: &reqwest::Client, base: &str, cases: usize) -> Vec<f64> {
    let mut times = Vec::with_capacity(cases);
    let mut cursor = String::new();
    while times.len() < cases {
        let url = format!("{base}/v1/runs?limit=200{cursor}");
        let page: Value = http.get(url).bearer_auth(TOKEN).send().await.unwrap().json().await.unwrap();
        for run in page["items"].as_array().unwrap() {
            assert_eq!(run["status"], "succeeded", "{run}");
            times.push(millis(&run["ended_at"]) - millis(&run["created_at"]));
        }
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
    }
    times.truncate(cases);
    times
}

fn millis(at: &Value) -> f64 {
    let at = chrono::DateTime::parse_from_rfc3339(at.as_str().unwrap()).unwrap();
    at.timestamp_micros() as f64 / 1000.0
}

fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
