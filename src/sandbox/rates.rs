//! Exchange rates: `GET /rates?base=EUR&symbols=USD,GBP&date=2026-11-20`, from a fixed table.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::data::Day;
use super::refusal::Refusal;
use super::server::{Answer, SandboxState, query};

/// The rates of `date`, or of the last day before it that has any; without `date` the newest.
/// 404 `RATE_NOT_FOUND` before the first day, 400 for an unknown currency.
pub(super) async fn rates(request: HttpRequest, state: Data<SandboxState>) -> Answer {
    state.admit(&request, "rates", request.query_string(), None).await?;
    let base = query(&request, "base").unwrap_or_else(|| "EUR".to_owned()).to_uppercase();
    let day = day(&state.world.days, query(&request, "date").as_deref())?;
    let symbols = match query(&request, "symbols") {
        Some(list) => list.split(',').map(|symbol| symbol.trim().to_uppercase()).collect(),
        None => day.rates.keys().cloned().collect::<Vec<_>>(),
    };
    let of_base = against_euro(day, &base)?;
    let mut rates = Map::new();
    for symbol in symbols {
        let rate = against_euro(day, &symbol)? / of_base;
        rates.insert(symbol, json!((rate * 1e6).round() / 1e6));
    }
    Ok(HttpResponse::Ok().json(json!({"base": base, "date": day.date, "rates": Value::Object(rates)})))
}

fn day<'a>(days: &'a [Day], asked: Option<&str>) -> Result<&'a Day, Refusal> {
    if asked.is_some_and(|date| date.parse::<NaiveDate>().is_err()) {
        return Err(Refusal::invalid("`date` is a day as in 2026-11-20."));
    }
    // Dates of this spelling are in order as texts.
    let known = |day: &&Day| asked.is_none_or(|date| day.date.as_str() <= date);
    days.iter()
        .rfind(known)
        .ok_or_else(|| Refusal::missing("RATE_NOT_FOUND", "There are no rates for that day yet."))
}

fn against_euro(day: &Day, currency: &str) -> Result<f64, Refusal> {
    if currency == "EUR" {
        return Ok(1.0);
    }
    day.rates
        .get(currency)
        .copied()
        .ok_or_else(|| Refusal::invalid(format!("`{currency}` is no currency of this service.")))
}
