//! Dossier from outside: one binary, one file per capability.
//!
//! `upstream` and `httpbin` are what the tests call instead of the world; `layers` reads the
//! sources. `cfg(test)` on the lines is for clippy: helpers of tests may unwrap like tests.

#[cfg(test)]
mod app;

#[cfg(test)]
mod contract;

#[cfg(test)]
mod crash;

#[cfg(test)]
mod demo;

#[cfg(test)]
mod docs;

#[cfg(test)]
mod enrich;

#[cfg(test)]
mod guarded;

#[cfg(test)]
mod hostile;

#[cfg(test)]
mod httpbin;

#[cfg(test)]
mod layers;

#[cfg(test)]
mod metrics;

#[cfg(test)]
mod process;

#[cfg(test)]
mod real_http;

#[cfg(test)]
mod sandbox;

#[cfg(test)]
mod schemathesis;

#[cfg(test)]
mod secrets;

#[cfg(test)]
mod upstream;
