//! `GET /sandbox` says what there is to try; `PUT /sandbox/settings` makes trouble for all calls.

use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use serde_json::{Value, json};

use super::credit::CREDIT_TOKEN;
use super::fault::{Fault, MAX_WAIT, SPELLINGS};
use super::refusal::Refusal;
use super::server::{Answer, SandboxState, Settings};

/// Method, path with an example, and what it answers.
const ENDPOINTS: [(&str, &str, &str); 8] = [
    ("GET", "/registry/companies/BE1929457088", "a company by VAT or registry number"),
    (
        "GET",
        "/vat/check?vat=BE1929457088",
        "whether a VAT number of BE, DE, FR or NL is right and whose it is",
    ),
    (
        "POST",
        "/credit/score",
        "the credit score of a company; bearer token, {\"company_number\", \"amount\"}",
    ),
    ("GET", "/iban/check?iban=BE68539007547034", "whether an IBAN is right and which bank it is of"),
    ("GET", "/geocode/search?street=Kanaalzicht%205&city=Gent&country=BE", "where an address is, as GeoJSON"),
    ("GET", "/rates?base=EUR&symbols=USD,GBP", "exchange rates of a day"),
    ("GET", "/sandbox", "this page"),
    (
        "PUT",
        "/sandbox/settings",
        "{\"latency_ms\": 0, \"fault\": null}: later or broken answers for every call",
    ),
];

/// What there is to try.
pub(super) async fn guide(state: Data<SandboxState>) -> HttpResponse {
    let endpoints =
        ENDPOINTS.map(|(method, path, about)| json!({"method": method, "path": path, "about": about}));
    let faults = SPELLINGS.map(|(fault, effect)| json!({"fault": fault, "effect": effect}));
    HttpResponse::Ok().json(json!({
        "about": "Made-up companies and numbers, to try Dossier against. Nothing here is real.",
        "endpoints": endpoints,
        "faults": faults,
        "ask_for_a_fault": "Send the header `X-Sandbox-Fault: 503=2` or the query parameter \
            `sandbox_fault=503=2`, put it into the settings, or ask about one of the companies below.",
        "troubled_companies": troubled(&state),
        "credit_token": CREDIT_TOKEN,
        "settings": state.settings(),
    }))
}

fn troubled(state: &SandboxState) -> Vec<Value> {
    let companies = state.world.companies().iter();
    let faults = companies.flat_map(|company| company.faults.iter().map(move |fault| (company, fault)));
    faults
        .map(|(company, (endpoint, fault))| {
            json!({
                "vat": company.vat,
                "number": company.text("/number"),
                "name": company.text("/names/legal"),
                "endpoint": endpoint,
                "fault": fault.to_string(),
            })
        })
        .collect()
}

/// Replaces the settings; what is left out goes back to none.
pub(super) async fn settings(state: Data<SandboxState>, body: Bytes) -> Answer {
    let settings: Settings = serde_json::from_slice(&body)
        .map_err(|error| Refusal::invalid(format!("Send {{\"latency_ms\", \"fault\"}}: {error}.")))?;
    if u128::from(settings.latency_ms) > MAX_WAIT.as_millis() {
        return Err(Refusal::invalid("`latency_ms` is at most 60000."));
    }
    if let Some(fault) = &settings.fault {
        fault.parse::<Fault>().map_err(|error| Refusal::invalid(error.to_string()))?;
    }
    state.set(settings.clone());
    Ok(HttpResponse::Ok().json(settings))
}
