//! The made-up world, compiled in: companies with what the registry knows of them, places, and
//! exchange rates.
//!
//! VAT numbers and IBANs have right check digits (the tests check all of them), in ranges that
//! the real registers do not use; names are invented.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::fault::{Fault, UnknownFault};

/// All of it.
pub struct World {
    /// The day the registry's data is of.
    pub as_of: String,
    /// Where the geocoder knows its way.
    pub places: Vec<Place>,
    /// Rates by day, oldest first, all against the euro.
    pub days: Vec<Day>,
    companies: Vec<Company>,
    by_id: BTreeMap<String, usize>,
}

/// One company.
pub struct Company {
    /// E.g. `BE1929457088`.
    pub vat: String,
    /// What the registry answers.
    pub record: Value,
    /// Endpoint (`registry`, `vat`, `credit`) → the trouble it makes for this company.
    pub faults: BTreeMap<String, Fault>,
}

/// A place by name and postcode.
#[derive(Deserialize)]
pub struct Place {
    pub country: String,
    pub city: String,
    pub postcode: String,
    pub lat: f64,
    pub lon: f64,
}

/// The rates of one day.
#[derive(Deserialize)]
pub struct Day {
    /// RFC 3339 date.
    pub date: String,
    /// Currency → how much of it one euro buys.
    pub rates: BTreeMap<String, f64>,
}

/// The compiled-in data does not hold together: a mistake of ours.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Not the JSON that is expected.
    #[error("the sandbox's data cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A company with a fault that does not exist.
    #[error(transparent)]
    Fault(#[from] UnknownFault),
}

#[derive(Deserialize)]
struct Register {
    as_of: String,
    companies: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    vat: String,
    number: String,
    #[serde(default)]
    sandbox: BTreeMap<String, String>,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct Rates {
    days: Vec<Day>,
}

impl World {
    /// Reads what was compiled in.
    pub fn read() -> Result<Self, DataError> {
        let register: Register = serde_json::from_str(include_str!("../../config/demo/companies.json"))?;
        let rates: Rates = serde_json::from_str(include_str!("../../config/demo/rates.json"))?;
        let places = serde_json::from_str(include_str!("../../config/demo/places.json"))?;
        let mut world = Self {
            as_of: register.as_of,
            places,
            days: rates.days,
            companies: Vec::new(),
            by_id: BTreeMap::new(),
        };
        for entry in register.companies {
            world.add(entry)?;
        }
        Ok(world)
    }

    fn add(&mut self, entry: Entry) -> Result<(), DataError> {
        for id in [&entry.vat, &entry.number] {
            self.by_id.insert(normalized(id), self.companies.len());
        }
        let faults = entry.sandbox.into_iter().map(|(endpoint, fault)| Ok((endpoint, fault.parse()?)));
        let mut record = serde_json::Map::new();
        record.insert("number".to_owned(), entry.number.into());
        record.insert("vat".to_owned(), entry.vat.clone().into());
        record.extend(entry.rest);
        self.companies.push(Company {
            vat: entry.vat,
            record: record.into(),
            faults: faults.collect::<Result<_, UnknownFault>>()?,
        });
        Ok(())
    }

    /// The company with this VAT or registry number, in any usual spelling.
    pub fn company(&self, id: &str) -> Option<&Company> {
        self.by_id.get(&normalized(id)).map(|at| &self.companies[*at])
    }

    /// All of them, in the order of the file.
    pub fn companies(&self) -> &[Company] {
        &self.companies
    }
}

impl Company {
    /// The text at a JSON pointer of the record; empty when there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.record.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The whole number at a JSON pointer of the record; 0 when there is none.
    pub fn number(&self, pointer: &str) -> i64 {
        self.record.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
    }

    /// Street and number, postcode and city, on two lines.
    pub fn address(&self) -> String {
        let part = |name: &str| self.text(&format!("/registered_office/{name}")).to_uppercase();
        format!("{} {}\n{} {}", part("street"), part("house_number"), part("postcode"), part("city"))
    }
}

/// Letters and digits only, in capitals: `BE 0123.456.789` → `BE0123456789`.
pub fn normalized(id: &str) -> String {
    id.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_company_is_found_by_both_numbers_and_says_nothing_of_its_fault() {
        let world = World::read().unwrap();
        assert_eq!(world.companies().len(), 40);
        assert_eq!(world.by_id.len(), 80, "two companies share a number");
        for company in world.companies() {
            let number = company.text("/number");
            assert_eq!(world.company(&number.to_lowercase()).unwrap().vat, company.vat);
            assert!(company.record.get("sandbox").is_none());
            assert!(!company.text("/names/legal").is_empty() && company.number("/accounts/0/revenue") > 0);
        }
        assert_eq!(world.company("be 1922.027.383").unwrap().faults["registry"].to_string(), "503=2");
        assert!(world.company("BE1999999999").is_none());
    }

    #[test]
    fn days_are_in_order() {
        let days = World::read().unwrap().days;
        assert!(days.is_sorted_by(|a, b| a.date < b.date) && !days.is_empty());
    }
}
