//! VAT check, after the manner of VIES: `GET /vat/check?vat=BE…`.
//!
//! Formats and check digits of four countries. BE: 97 less the first eight digits mod 97. FR:
//! (12 + 3 × (SIREN mod 97)) mod 97. DE: ISO 7064 Mod 11,10. NL: the eleven test on the nine
//! digits, or for sole traders mod 97 of the whole.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::data::normalized;
use super::iban::mod97;
use super::refusal::Refusal;
use super::server::{Answer, SandboxState, required};

/// Whether the number is right and somebody's: 200 either way, with a `reason` when not; 400
/// for a number of another country or format.
pub(super) async fn check(request: HttpRequest, state: Data<SandboxState>) -> Answer {
    let asked = required(&request, "vat")?;
    let vat = normalized(&asked);
    let company = state.world.company(&vat).filter(|company| company.vat == vat);
    state.admit(&request, "vat", &vat, company).await?;
    let digits_fit = digits_fit(&vat)
        .ok_or_else(|| Refusal::invalid(format!("`{asked}` is no VAT number of BE, DE, FR or NL.")))?;
    let reason = match (digits_fit, company) {
        (false, _) => Some("CHECK_DIGITS"),
        (true, None) => Some("NOT_REGISTERED"),
        (true, Some(company)) if company.text("/status/code") == "struck_off" => Some("STRUCK_OFF"),
        (true, Some(_)) => None,
    };
    let holder = company.filter(|_| reason.is_none());
    Ok(HttpResponse::Ok().json(json!({
        "valid": reason.is_none(),
        "reason": reason,
        "country_code": vat[..2],
        "vat_number": vat[2..],
        "name": holder.map(|company| company.text("/names/legal")),
        "address": holder.map(super::data::Company::address),
        "request_date": state.clock.now().date_naive().to_string(),
    })))
}

/// Whether the check digits fit; `None` when the format does not.
fn digits_fit(vat: &str) -> Option<bool> {
    let (country, rest) = vat.split_at_checked(2)?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match country {
        "BE" if rest.len() == 10 && digits(rest) && rest.starts_with(['0', '1']) => {
            let (body, check) = rest.split_at(8);
            Some(97 - mod97(body) == check.parse::<u32>().ok()?)
        }
        "FR" if rest.len() == 11 && digits(rest) => {
            let (key, siren) = rest.split_at(2);
            Some((12 + 3 * mod97(siren)) % 97 == key.parse::<u32>().ok()?)
        }
        "DE" if rest.len() == 9 && digits(rest) => Some(mod11_10(rest)),
        "NL" if rest.len() == 12 && digits(&rest[..9]) && &rest[9..10] == "B" && digits(&rest[10..]) => {
            Some(eleven_test(&rest[..9]) || mod97(vat) == 1)
        }
        _ => None,
    }
}

/// ISO 7064 Mod 11,10 over all digits, the last one the check digit.
fn mod11_10(digits: &str) -> bool {
    let (body, check) = digits.split_at(digits.len() - 1);
    let product = body.bytes().fold(10, |product, digit| {
        let sum = (u32::from(digit - b'0') + product) % 10;
        (if sum == 0 { 10 } else { sum } * 2) % 11
    });
    (11 - product) % 10 == check.parse::<u32>().unwrap_or(u32::MAX)
}

/// Digits times 9, 8, … 2, mod 11, is the last one.
fn eleven_test(digits: &str) -> bool {
    let weighed = digits.bytes().zip((2..=9).rev()).map(|(digit, weight)| u32::from(digit - b'0') * weight);
    weighed.sum::<u32>() % 11 == u32::from(digits.as_bytes()[8] - b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::data::World;

    #[test]
    fn check_digits_are_computed() {
        let cases = [
            ("BE1929457088", Some(true)),
            ("BE1929457089", Some(false)),
            ("FR82058064676", Some(true)),
            ("FR83058064676", Some(false)),
            ("DE991821047", Some(true)),
            ("DE991821048", Some(false)),
            ("NL993075460B01", Some(true)),
            // A sole trader's, as the tax office writes it in its examples.
            ("NL123456789B13", Some(true)),
            ("NL123456789B90", Some(false)),
            ("BE2929457088", None),
            ("BE193884906", None),
            ("NL993075460X01", None),
            ("LU12345678", None),
            ("B", None),
            ("ÄÄ1", None),
            ("NL99307546ÄB01", None),
            ("", None),
        ];
        for (vat, fits) in cases {
            assert_eq!(digits_fit(vat), fits, "{vat}");
        }
    }

    #[test]
    fn every_company_has_right_check_digits() {
        for company in World::read().unwrap().companies() {
            assert_eq!(digits_fit(&company.vat), Some(true), "{}", company.vat);
        }
    }
}
