//! IBAN check: `GET /iban/check?iban=…`, the check digits really computed (ISO 13616, ISO 7064
//! Mod 97-10).

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::data::normalized;
use super::server::{Answer, SandboxState, required};

/// Length of an IBAN by country, from the registry of ISO 13616.
const LENGTHS: [(&str, usize); 14] = [
    ("AT", 20),
    ("BE", 16),
    ("CH", 21),
    ("DE", 22),
    ("DK", 18),
    ("ES", 24),
    ("FR", 27),
    ("GB", 22),
    ("IE", 22),
    ("IT", 27),
    ("LU", 20),
    ("NL", 18),
    ("PL", 28),
    ("PT", 25),
];

/// The made-up banks: country, how a BBAN of theirs begins, name, BIC.
const BANKS: [(&str, &str, &str, &str); 4] = [
    ("BE", "999", "Sandbank Brussel NV", "SNDBBEB0"),
    ("FR", "99999", "Banque du Bac à Sable SA", "SNDBFRP0"),
    ("DE", "99900010", "Sandkasten Bank AG", "SNDBDEM0"),
    ("NL", "SNDB", "Zandbank N.V.", "SNDBNL20"),
];

/// What is wrong with the IBAN, if anything, and whose bank it is: always 200.
pub(super) async fn check(request: HttpRequest, state: Data<SandboxState>) -> Answer {
    let iban = normalized(&required(&request, "iban")?);
    state.admit(&request, "iban", &iban, None).await?;
    let reason = flaw(&iban);
    let valid = reason.is_none();
    Ok(HttpResponse::Ok().json(json!({
        "iban": iban,
        "formatted": grouped(&iban),
        "valid": valid,
        "reason": reason,
        "country": valid.then(|| &iban[..2]),
        "check_digits": valid.then(|| &iban[2..4]),
        "bban": valid.then(|| &iban[4..]),
        "bank": if valid { bank(&iban) } else { Value::Null },
    })))
}

fn flaw(iban: &str) -> Option<&'static str> {
    if !iban.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Some("CHARACTERS");
    }
    let Some((_, length)) = LENGTHS.iter().find(|(country, _)| iban.starts_with(country)) else {
        return Some("COUNTRY");
    };
    if iban.len() != *length {
        return Some("LENGTH");
    }
    let (front, back) = iban.split_at(4);
    (mod97(&format!("{back}{front}")) != 1).then_some("CHECK_DIGITS")
}

/// The number that these digits and letters (A = 10 … Z = 35) spell, mod 97.
pub(super) fn mod97(text: &str) -> u32 {
    text.chars().filter_map(|c| c.to_digit(36)).fold(0, |rest, value| {
        let shift = if value < 10 { 10 } else { 100 };
        (rest * shift + value) % 97
    })
}

fn bank(iban: &str) -> Value {
    let ours = |(country, code, ..): &&(&str, &str, &str, &str)| {
        iban.starts_with(country) && iban[4..].starts_with(code)
    };
    BANKS.iter().find(ours).map_or(
        Value::Null,
        |(country, code, name, bic)| json!({"code": code, "name": name, "bic": bic, "country": country}),
    )
}

/// Groups of four, as on paper.
fn grouped(iban: &str) -> String {
    let chars: Vec<char> = iban.chars().collect();
    chars.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::data::World;

    #[test]
    fn flaws_are_named() {
        let cases = [
            // The examples of the ISO 13616 registry.
            ("BE68539007547034", None),
            ("FR1420041010050500013M02606", None),
            ("DE89370400440532013000", None),
            ("NL91ABNA0417164300", None),
            ("GB29NWBK60161331926819", None),
            ("BE68539007547035", Some("CHECK_DIGITS")),
            ("EB68539007547034", Some("COUNTRY")),
            ("BE6853900754703", Some("LENGTH")),
            ("BE6853900754703é", Some("CHARACTERS")),
            ("", Some("COUNTRY")),
        ];
        for (iban, expected) in cases {
            assert_eq!(flaw(iban), expected, "{iban}");
        }
        assert_eq!(grouped("BE68539007547034"), "BE68 5390 0754 7034");
    }

    #[test]
    fn every_account_of_a_company_is_valid_and_at_a_bank_of_ours() {
        for company in World::read().unwrap().companies() {
            let iban = company.text("/bank_accounts/0/iban");
            assert_eq!(flaw(iban), None, "{iban}");
            assert!(bank(iban).is_object(), "{iban}");
        }
    }
}
