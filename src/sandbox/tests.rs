//! The sandbox at its door: what each endpoint answers, and every fault on each of them.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use actix_web::App;
use actix_web::body::to_bytes;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::credit::CREDIT_TOKEN;
use super::server::{SandboxState, configure};
use crate::domain::clock::{Clock, Instant};

/// Stands still but for its sleepers, who push it forward at once.
struct StillClock(Mutex<Instant>);

impl Clock for StillClock {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        *self.0.lock().unwrap() = at;
        Box::pin(std::future::ready(()))
    }
}

/// A sandbox and its clock, without a socket.
struct Sandbox {
    state: Data<SandboxState>,
    clock: Arc<StillClock>,
}

struct Got {
    status: u16,
    headers: HeaderMap,
    /// `None`: no JSON, or cut off.
    body: Option<Value>,
}

impl Sandbox {
    fn new() -> Self {
        let start: DateTime<Utc> = "2026-11-21T09:30:00Z".parse().unwrap();
        let clock = Arc::new(StillClock(Mutex::new(start)));
        Self { state: Data::new(SandboxState::new(clock.clone()).unwrap()), clock }
    }

    async fn send(&self, request: TestRequest) -> Got {
        let app = init_service(App::new().app_data(self.state.clone()).configure(configure)).await;
        let answer: ServiceResponse = call_service(&app, request.to_request()).await;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = to_bytes(answer.into_body()).await.unwrap_or_default();
        Got { status, headers, body: serde_json::from_slice(&bytes).ok() }
    }

    async fn get(&self, uri: &str) -> Got {
        self.send(TestRequest::get().uri(uri)).await
    }

    async fn score(&self, body: Value) -> Got {
        self.send(score(&body)).await
    }

    async fn set(&self, body: Value) -> Got {
        self.send(TestRequest::put().uri("/sandbox/settings").set_payload(body.to_string())).await
    }

    fn waited_ms(&self) -> i64 {
        let start: DateTime<Utc> = "2026-11-21T09:30:00Z".parse().unwrap();
        (self.clock.now() - start).num_milliseconds()
    }
}

fn score(body: &Value) -> TestRequest {
    TestRequest::post()
        .uri("/credit/score")
        .insert_header((AUTHORIZATION, format!("Bearer {CREDIT_TOKEN}")))
        .set_payload(body.to_string())
}

/// One good request per provider.
fn good_requests() -> Vec<TestRequest> {
    let paths = [
        "/registry/companies/BE1929457088",
        "/vat/check?vat=BE1929457088",
        "/iban/check?iban=BE68539007547034",
        "/geocode/search?city=Gent",
        "/rates?base=EUR",
    ];
    let gets = paths.into_iter().map(|path| TestRequest::get().uri(path));
    gets.chain([score(&json!({"company_number": "1929.457.088", "amount": 10_000}))]).collect()
}

#[actix_web::test]
async fn the_registry_knows_a_company_by_both_numbers() {
    let sandbox = Sandbox::new();
    for id in ["BE1929457088", "1929.457.088", "be%201929457088"] {
        let got = sandbox.get(&format!("/registry/companies/{id}")).await;
        let body = got.body.unwrap();
        assert_eq!((got.status, &body["company"]["vat"]), (200, &json!("BE1929457088")), "{id}");
        assert_eq!(got.headers.get("x-registry-edition").unwrap(), "2026-11-01");
    }
    let got = sandbox.get("/registry/companies/BE1999999999").await;
    assert_eq!(got.status, 404);
    assert_eq!(got.body.unwrap()["error"]["code"], "COMPANY_NOT_FOUND");
}

#[actix_web::test]
async fn the_vat_check_says_whose_it_is_or_why_it_is_not() {
    let sandbox = Sandbox::new();
    let cases = [
        ("BE1929457088", 200, json!({"valid": true, "reason": null, "name": "Quorvale Logistics SC"})),
        ("BE+1929.457.088", 200, json!({"valid": true, "country_code": "BE", "vat_number": "1929457088"})),
        ("BE1929457089", 200, json!({"valid": false, "reason": "CHECK_DIGITS", "name": null})),
        ("FR00000000000", 200, json!({"valid": false, "reason": "CHECK_DIGITS"})),
        ("NL123456789B13", 200, json!({"valid": false, "reason": "NOT_REGISTERED", "address": null})),
        ("NL991520245B01", 200, json!({"valid": false, "reason": "STRUCK_OFF", "name": null})),
        ("hello", 400, json!({})),
        ("", 400, json!({})),
    ];
    for (vat, status, expected) in cases {
        let got = sandbox.get(&format!("/vat/check?vat={vat}")).await;
        assert_eq!(got.status, status, "{vat}");
        holds(&got.body.unwrap(), &expected);
    }
    let address = sandbox.get("/vat/check?vat=BE1929457088").await.body.unwrap();
    assert_eq!(address["address"], "RUE DES SAULES BLEUS 63\n2000 ANTWERPEN");
    assert_eq!(address["request_date"], "2026-11-21");
}

#[actix_web::test]
async fn the_credit_bureau_wants_its_token_and_a_known_company() {
    let sandbox = Sandbox::new();
    for token in [None, Some("Bearer nope"), Some(CREDIT_TOKEN)] {
        let mut request = TestRequest::post().uri("/credit/score").set_payload("{}");
        if let Some(token) = token {
            request = request.insert_header((AUTHORIZATION, token));
        }
        let got = sandbox.send(request).await;
        assert_eq!(got.status, 401, "{token:?}");
        assert_eq!(got.headers.get(CONTENT_TYPE).unwrap(), "application/problem+json");
        assert_eq!(got.headers.get("www-authenticate").unwrap(), "Bearer realm=\"credit\"");
    }
    let body = sandbox.score(json!({"company_number": "BE1929457088", "amount": 10_000})).await.body.unwrap();
    assert_eq!(body["subject"]["name"], "Quorvale Logistics SC");
    assert_eq!(body["valid_until"], "2026-12-21");
    assert!(body["score"].is_i64() && body["factors"][0]["effect"].is_i64());
    assert_eq!(sandbox.score(json!({"company_number": "nobody"})).await.status, 404);
    for bad in
        [json!({}), json!([]), json!({"company_number": 7}), json!({"company_number": "x", "amount": "1"})]
    {
        assert_eq!(sandbox.score(bad.clone()).await.status, 400, "{bad}");
    }
}

#[actix_web::test]
async fn ibans_places_and_rates() {
    let sandbox = Sandbox::new();
    let cases = [
        (
            "/iban/check?iban=be68+5390+0754+7034",
            json!({"valid": true, "formatted": "BE68 5390 0754 7034", "bank": null}),
        ),
        (
            "/iban/check?iban=BE88999249393841",
            json!({"bank": {"code": "999"}, "country": "BE", "check_digits": "88"}),
        ),
        (
            "/iban/check?iban=BE69539007547034",
            json!({"valid": false, "reason": "CHECK_DIGITS", "bban": null}),
        ),
        (
            "/geocode/search?city=gent",
            json!({"features": [{"properties": {"postcode": "9000", "precision": "city"}}]}),
        ),
        (
            "/geocode/search?postcode=1012js&street=A",
            json!({"features": [{"properties": {"city": "Amsterdam"}}]}),
        ),
        ("/geocode/search?city=Atlantis", json!({"features": []})),
        (
            "/rates?symbols=USD,eur&date=2026-11-22",
            json!({"date": "2026-11-20", "rates": {"USD": 1.0852, "EUR": 1.0}}),
        ),
        ("/rates?base=USD&symbols=EUR&date=2026-11-16", json!({"rates": {"EUR": 0.92285}})),
    ];
    for (path, expected) in cases {
        let got = sandbox.get(path).await;
        assert_eq!(got.status, 200, "{path}");
        holds(&got.body.unwrap(), &expected);
    }
    let refused = [
        ("/iban/check", 400),
        ("/geocode/search?street=A", 400),
        ("/rates?base=XXX", 400),
        ("/rates?symbols=EUR,", 400),
        ("/rates?date=yesterday", 400),
        ("/rates?date=2026-11-15", 404),
        ("/nowhere", 404),
    ];
    for (path, status) in refused {
        let got = sandbox.get(path).await;
        assert_eq!(got.status, status, "{path}");
        assert!(got.body.unwrap()["error"]["code"].is_string());
    }
}

#[actix_web::test]
async fn every_provider_makes_every_trouble() {
    let cases = [
        ("503", 503, true, 0),
        ("418", 418, true, 0),
        ("timeout", 504, true, 600_000),
        ("slow=1500", 200, true, 1500),
        ("garbage", 200, false, 0),
        ("html", 200, false, 0),
        ("cut", 200, false, 0),
        ("on", 400, true, 0),
    ];
    for (fault, status, parses, waited) in cases {
        for request in good_requests() {
            let sandbox = Sandbox::new();
            let got = sandbox.send(request.insert_header(("X-Sandbox-Fault", fault))).await;
            assert_eq!(
                (got.status, got.body.is_some(), sandbox.waited_ms()),
                (status, parses, waited),
                "{fault}"
            );
            assert_eq!(got.headers.contains_key(RETRY_AFTER), status == 503, "{fault}");
        }
    }
}

#[actix_web::test]
async fn a_counted_fault_strikes_so_often_and_then_again_per_subject() {
    let sandbox = Sandbox::new();
    let url = "/registry/companies/BE1929457088?sandbox_fault=429%3D2";
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(sandbox.get(url).await.status);
    }
    assert_eq!(seen, [429, 429, 200, 429]);
    let other = sandbox.get("/registry/companies/BE1970513032?sandbox_fault=429%3D2").await;
    assert_eq!(other.status, 429);
}

#[actix_web::test]
async fn troubled_companies_and_settings_do_as_they_say() {
    let sandbox = Sandbox::new();
    let guide = sandbox.get("/sandbox").await.body.unwrap();
    let troubled = guide["troubled_companies"].as_array().unwrap();
    assert!(troubled.iter().any(|one| one["fault"] == "timeout" && one["endpoint"] == "registry"));
    let flaky = troubled.iter().find(|one| one["fault"] == "503=2").unwrap()["vat"].as_str().unwrap();
    let path = format!("/registry/companies/{flaky}");
    for status in [503, 503, 200, 503] {
        assert_eq!(sandbox.get(&path).await.status, status);
    }
    // Its VAT check is in good health, and the caller's fault goes before the company's.
    assert_eq!(sandbox.get(&format!("/vat/check?vat={flaky}")).await.status, 200);
    assert_eq!(sandbox.get(&format!("{path}?sandbox_fault=slow%3D1")).await.status, 200);

    assert_eq!(sandbox.set(json!({"latency_ms": 250, "fault": "500"})).await.status, 200);
    let before = sandbox.waited_ms();
    assert_eq!(sandbox.get("/rates").await.status, 500);
    assert_eq!(sandbox.waited_ms() - before, 250);
    assert_eq!(sandbox.set(json!({})).await.body, Some(json!({"latency_ms": 0, "fault": null})));
    assert_eq!(sandbox.get("/rates").await.status, 200);
    for bad in [json!({"fault": "on"}), json!({"latency_ms": 60_001}), json!({"latency": 1}), json!(1)] {
        assert_eq!(sandbox.set(bad.clone()).await.status, 400, "{bad}");
    }
}

/// Every member of `expected` is in `actual`, at every depth.
fn holds(actual: &Value, expected: &Value) {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            for (key, value) in expected {
                holds(actual.get(key).unwrap_or_else(|| panic!("no `{key}` in {actual:?}")), value);
            }
        }
        (Value::Array(actual), Value::Array(expected)) => {
            assert_eq!(actual.len(), expected.len());
            actual.iter().zip(expected).for_each(|(actual, expected)| holds(actual, expected));
        }
        _ => assert_eq!(actual, expected),
    }
}
