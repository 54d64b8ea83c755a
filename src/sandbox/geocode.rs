//! Geocoding: `GET /geocode/search?city=…`, GeoJSON (RFC 7946), longitude first.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::data::Place;
use super::refusal::Refusal;
use super::server::{Answer, SandboxState, query};

/// What was asked for.
struct Address {
    street: Option<String>,
    postcode: Option<String>,
    city: Option<String>,
    country: Option<String>,
}

/// The places that fit `street`, `postcode`, `city` and `country`; none is an empty list, and
/// neither city nor postcode a 400.
pub(super) async fn search(request: HttpRequest, state: Data<SandboxState>) -> Answer {
    let part = |name| query(&request, name);
    let address = Address {
        street: part("street"),
        postcode: part("postcode"),
        city: part("city"),
        country: part("country"),
    };
    if address.city.is_none() && address.postcode.is_none() {
        return Err(Refusal::invalid("Send `city` or `postcode`."));
    }
    state.admit(&request, "geocode", request.query_string(), None).await?;
    let found = state.world.places.iter().filter(|place| fits(place, &address));
    let features: Vec<Value> = found.map(|place| feature(place, address.street.as_deref())).collect();
    Ok(HttpResponse::Ok()
        .content_type("application/geo+json")
        .body(json!({"type": "FeatureCollection", "features": features}).to_string()))
}

fn fits(place: &Place, address: &Address) -> bool {
    let same = |asked: &Option<String>, known: &str| {
        asked.as_ref().is_none_or(|asked| folded(asked) == folded(known))
    };
    same(&address.country, &place.country)
        && same(&address.city, &place.city)
        && (address.city.is_some() || same(&address.postcode, &place.postcode))
}

fn folded(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn feature(place: &Place, street: Option<&str>) -> Value {
    let city = format!("{} {}, {}", place.postcode, place.city, place.country);
    let (label, precision) = match street {
        Some(street) => (format!("{street}, {city}"), "street"),
        None => (city, "city"),
    };
    let (east, north) = street.map_or((0.0, 0.0), offset);
    json!({
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [rounded(place.lon + east), rounded(place.lat + north)]},
        "properties": {
            "label": label,
            "precision": precision,
            "confidence": if street.is_some() { 0.92 } else { 0.6 },
            "city": place.city,
            "postcode": place.postcode,
            "country": place.country,
        },
    })
}

/// A street lies somewhere within a kilometre of the centre, always at the same spot.
fn offset(street: &str) -> (f64, f64) {
    let hash = street.bytes().fold(17_u16, |hash, byte| hash.wrapping_mul(31).wrapping_add(u16::from(byte)));
    let [east, north] = hash.to_be_bytes();
    (f64::from(east) / 25_500.0 - 0.005, f64::from(north) / 25_500.0 - 0.005)
}

/// Five decimals: a metre.
fn rounded(degrees: f64) -> f64 {
    (degrees * 100_000.0).round() / 100_000.0
}
