//! A small provider to try Dossier against: company registry, VAT check, credit score, IBAN
//! check, geocoding and exchange rates, all made up, and trouble on demand.
//!
//! It is served on its own loopback port by `dossier demo` and needs no network. It keeps
//! nothing on disk, answers the same question the same way, and waits only through the clock it
//! is given. `GET /sandbox` tells a person what there is to try.
//!
//! Start at `server`; each provider is one file.

/// Routes, state, start.
mod server;

/// The made-up world: companies, places, rates.
mod data;

/// Trouble on demand.
mod fault;

/// What is not a plain 200, in the provider's own words.
mod refusal;

/// Company registry.
mod registry;

/// VAT check.
mod vat;

/// Credit score.
mod credit;

/// IBAN check.
mod iban;

/// Geocoding.
mod geocode;

/// Exchange rates.
mod rates;

/// What there is to try, and settings for all calls.
mod guide;

/// The sample workspace that uses it all.
mod demo;

#[cfg(test)]
mod tests;

pub use credit::CREDIT_TOKEN;
pub use data::DataError;
pub use demo::{Demo, DemoCase, DemoSecret};
pub use server::{SandboxState, configure, start};
