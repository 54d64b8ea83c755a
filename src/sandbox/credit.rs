//! Credit score: `POST /credit/score` with a bearer token.
//!
//! The score follows from the registry's figures by a few plain rules, so that it can be
//! explained and comes out the same each time.

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use chrono::Days;
use serde::Deserialize;
use serde_json::{Value, json};

use super::data::Company;
use super::refusal::Refusal;
use super::server::{Answer, SandboxState};

/// The token that the credit bureau accepts: the demo's secret `credit_token`.
pub const CREDIT_TOKEN: &str = "sandbox-credit-4f1c9a72";

/// Where every score starts, and its limits.
const BASE: i64 = 480;
const RANGE: std::ops::RangeInclusive<i64> = 300..=850;

#[derive(Deserialize)]
struct Question {
    company_number: String,
    #[serde(default)]
    amount: f64,
}

/// One reason for the score.
struct Factor {
    code: &'static str,
    label: &'static str,
    effect: i64,
}

/// The score of a company, asked for an amount in euro; 401 without the token, 404
/// `SUBJECT_UNKNOWN`.
pub(super) async fn score(request: HttpRequest, state: Data<SandboxState>, body: Bytes) -> Answer {
    let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if token.and_then(|token| token.strip_prefix("Bearer ")) != Some(CREDIT_TOKEN) {
        return Err(Refusal::Unauthorized);
    }
    let question: Question = serde_json::from_slice(&body).map_err(|error| {
        Refusal::invalid(format!("Send a JSON object with `company_number` and `amount`: {error}."))
    })?;
    let company = state.world.company(&question.company_number);
    let subject = company.map_or(question.company_number.as_str(), |company| &company.vat);
    state.admit(&request, "credit", subject, company).await?;
    let company = company.ok_or_else(|| {
        Refusal::missing("SUBJECT_UNKNOWN", format!("No file on company {}.", question.company_number))
    })?;
    let today = state.clock.now().date_naive();
    let valid_until = today.checked_add_days(Days::new(30)).unwrap_or(today).to_string();
    Ok(HttpResponse::Ok().json(report(company, question.amount, &valid_until)))
}

fn report(company: &Company, amount: f64, valid_until: &str) -> Value {
    let factors = factors(company, amount);
    let sum: i64 = factors.iter().map(|factor| factor.effect).sum();
    let score = (BASE + sum).clamp(*RANGE.start(), *RANGE.end());
    let (band, percent) = band(score);
    // Nobody lends to a company that is gone, whatever it once earned.
    let percent = if is_active(company) { percent } else { 0 };
    let limit = company.number("/accounts/0/revenue") * percent / 100_000 * 1000;
    let listed = factors.iter().map(|f| json!({"code": f.code, "label": f.label, "effect": f.effect}));
    json!({
        "subject": {"company_number": company.text("/number"), "name": company.text("/names/legal")},
        "score": score,
        "range": {"min": RANGE.start(), "max": RANGE.end()},
        "band": band,
        "limit": {"amount": limit, "currency": "EUR"},
        "factors": listed.collect::<Vec<_>>(),
        "model": {"name": "Sandscore", "version": "3.2"},
        "valid_until": valid_until,
    })
}

/// What speaks for and against the company; nothing that has no effect.
fn factors(company: &Company, amount: f64) -> Vec<Factor> {
    let year = company.number("/accounts/0/year");
    let founded = company.text("/founded_on").get(..4).and_then(|year| year.parse().ok()).unwrap_or(year);
    let revenue = company.number("/accounts/0/revenue").max(1);
    let equity_percent = company.number("/accounts/0/equity") * 100 / revenue;
    let mut factors = vec![
        Factor { code: "AGE", label: "Years in business", effect: (year - founded).clamp(0, 25) * 6 },
        Factor { code: "EQUITY", label: "Own capital against revenue", effect: equity_percent * 5 },
        Factor {
            code: "STATUS",
            label: "Not active in the registry",
            effect: if is_active(company) { 0 } else { -300 },
        },
        Factor { code: "AMOUNT", label: "Amount against revenue", effect: burden(amount, revenue) },
    ];
    factors.retain(|factor| factor.effect != 0);
    factors
}

fn is_active(company: &Company) -> bool {
    company.text("/status/code") == "active"
}

/// Nothing up to 2 % of a year's revenue, then in steps.
#[expect(clippy::cast_precision_loss, reason = "revenues are far below 2^52")]
fn burden(amount: f64, revenue: i64) -> i64 {
    match amount / revenue as f64 {
        share if share <= 0.02 => 0,
        share if share <= 0.1 => -25,
        share if share <= 0.3 => -80,
        _ => -160,
    }
}

/// The band of a score and the per cent of revenue that it is good for.
fn band(score: i64) -> (&'static str, i64) {
    match score {
        750.. => ("A", 12),
        650..750 => ("B", 8),
        550..650 => ("C", 4),
        450..550 => ("D", 1),
        _ => ("E", 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::data::World;

    #[test]
    fn scores_stay_in_range_and_fall_with_the_amount() {
        let world = World::read().unwrap();
        let mut bands = std::collections::BTreeSet::new();
        for company in world.companies() {
            let score = |amount| report(company, amount, "2026-12-21")["score"].as_i64().unwrap();
            assert!(RANGE.contains(&score(0.0)) && score(0.0) >= score(1e9), "{}", company.vat);
            bands.insert(report(company, 0.0, "")["band"].to_string());
        }
        assert!(bands.len() >= 4, "a demo wants good and bad scores: {bands:?}");
    }

    #[test]
    fn a_company_that_is_no_longer_active_scores_low_and_says_why() {
        let world = World::read().unwrap();
        let gone =
            world.companies().iter().find(|company| company.text("/status/code") == "struck_off").unwrap();
        let report = report(gone, 0.0, "2026-12-21");
        assert_eq!(report["limit"]["amount"], 0);
        assert!(report["factors"].as_array().unwrap().iter().any(|factor| factor["code"] == "STATUS"));
    }
}
